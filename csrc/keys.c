/* Keys of elements, and elements of keys: keys.h for each width. */
#include "order.h"

#define ELEMENT uint8_t
#define WIDE uint32_t
#define OF(name) name##_32
#define NAME(name) name##_8
#include "keys.h"

#define ELEMENT uint16_t
#define WIDE uint32_t
#define OF(name) name##_32
#define NAME(name) name##_16
#include "keys.h"

#define ELEMENT uint32_t
#define WIDE uint32_t
#define OF(name) name##_32
#define NAME(name) name##_32
#include "keys.h"

#define ELEMENT uint64_t
#define WIDE uint64_t
#define OF(name) name##_64
#define NAME(name) name##_64
#include "keys.h"

Form form_of(const Type *type)
{
    int top = type->itemsize * 8 - 1;
    uint64_t sign = (uint64_t)1 << top;
    uint64_t infinite = type->itemsize == 2 ? 0x7c00 : type->itemsize == 4 ? 0x7f800000 : 0x7ff0000000000000;
    if (type->kind == BFLOAT)
        infinite = 0x7f80;
    switch (type->kind) {
    case BFLOAT:
    case 'f': return (Form){top, sign, sign - 1, infinite};
    case 'i': return (Form){top, sign, 0, 0};
    default: return (Form){top, 0, 0, 0};
    }
}

bool keys_take(const Type *type, const void *x, int64_t n, int64_t inner, int count, void *const *keys)
{
    Form form = form_of(type);
    switch (type->itemsize) {
    case 1: return take_8(x, n, inner, count, (uint32_t *const *)keys, form);
    case 2: return take_16(x, n, inner, count, (uint32_t *const *)keys, form);
    case 4: return take_32(x, n, inner, count, (uint32_t *const *)keys, form);
    default: return take_64(x, n, inner, count, (uint64_t *const *)keys, form);
    }
}

void keys_give(const Type *type, void *const *keys, int64_t n, int64_t inner, int count, void *x)
{
    Form form = form_of(type);
    switch (type->itemsize) {
    case 1: give_8((uint32_t *const *)keys, n, inner, count, x, form); break;
    case 2: give_16((uint32_t *const *)keys, n, inner, count, x, form); break;
    case 4: give_32((uint32_t *const *)keys, n, inner, count, x, form); break;
    default: give_64((uint64_t *const *)keys, n, inner, count, x, form);
    }
}

void keys_mend(const Type *type, const void *x, int64_t n, int64_t inner, void *sorted)
{
    Form form = form_of(type);
    if (type->itemsize == 2)
        mend_16(x, n, inner, sorted, form);
    else if (type->itemsize == 4)
        mend_32(x, n, inner, sorted, form);
    else
        mend_64(x, n, inner, sorted, form);
}
