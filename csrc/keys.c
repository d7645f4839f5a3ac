/* Keys of elements, and elements of keys: keys.h for each width. */
#include "order.h"

#define KEY uint8_t
#define WIDE uint32_t
#define NAME(name) name##_8
#include "keys.h"

#define KEY uint16_t
#define WIDE uint32_t
#define NAME(name) name##_16
#include "keys.h"

#define KEY uint32_t
#define WIDE uint32_t
#define NAME(name) name##_32
#include "keys.h"

#define KEY uint64_t
#define WIDE uint64_t
#define NAME(name) name##_64
#include "keys.h"

bool keys_take(const Type *type, const void *x, int64_t n, int64_t inner, int count, void *const *keys)
{
    switch (type->itemsize) {
    case 1: return take_8(x, n, inner, count, keys, type->kind);
    case 2: return take_16(x, n, inner, count, keys, type->kind);
    case 4: return take_32(x, n, inner, count, keys, type->kind);
    default: return take_64(x, n, inner, count, keys, type->kind);
    }
}

void keys_give(const Type *type, void *const *keys, int64_t n, int64_t inner, int count, void *x)
{
    switch (type->itemsize) {
    case 1: give_8(keys, n, inner, count, x, type->kind); break;
    case 2: give_16(keys, n, inner, count, x, type->kind); break;
    case 4: give_32(keys, n, inner, count, x, type->kind); break;
    default: give_64(keys, n, inner, count, x, type->kind);
    }
}

bool keys_take_lanes(const Type *type, const void *x, const int64_t *offsets, bool beside, int64_t n, int64_t inner,
                     void *keys)
{
    switch (type->itemsize) {
    case 1: return take_lanes_8(x, offsets, beside, n, inner, keys, type->kind);
    case 2: return take_lanes_16(x, offsets, beside, n, inner, keys, type->kind);
    case 4: return take_lanes_32(x, offsets, beside, n, inner, keys, type->kind);
    default: return take_lanes_64(x, offsets, beside, n, inner, keys, type->kind);
    }
}

void keys_give_lanes(const Type *type, const void *keys, const int64_t *offsets, int count, int64_t n, int64_t inner,
                     void *x)
{
    switch (type->itemsize) {
    case 1: give_lanes_8(keys, offsets, count, n, inner, x, type->kind); break;
    case 2: give_lanes_16(keys, offsets, count, n, inner, x, type->kind); break;
    case 4: give_lanes_32(keys, offsets, count, n, inner, x, type->kind); break;
    default: give_lanes_64(keys, offsets, count, n, inner, x, type->kind);
    }
}

void keys_mend(const Type *type, const void *x, int64_t n, int64_t inner, void *sorted)
{
    if (type->itemsize == 2)
        mend_16(x, n, inner, sorted);
    else if (type->itemsize == 4)
        mend_32(x, n, inner, sorted);
    else
        mend_64(x, n, inner, sorted);
}
