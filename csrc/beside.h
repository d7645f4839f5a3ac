/* Rows side by side, as many as a vector has lanes: included with KEY, an unsigned integer, INTEGER, a signed one,
 * LANES_ARE, LEVELS (of a merge: 2**LEVELS vectors fit registers), and NAME.
 *
 * Vector i has element i of each row: squares of elements are read by rows, and rows and columns exchanged in registers.
 */

#define LANES LANES_ARE
#define BITS ((int)sizeof(KEY) * 8)
#define PLACES ((KEY)SHORT_ROW - 1)

typedef KEY NAME(Lanes) __attribute__((vector_size(LANES * sizeof(KEY))));
typedef INTEGER NAME(Mask) __attribute__((vector_size(LANES * sizeof(KEY))));
typedef uint8_t NAME(Bytes) __attribute__((vector_size(LANES)));
typedef uint16_t NAME(Halves) __attribute__((vector_size(LANES * 2)));
typedef uint32_t NAME(Words) __attribute__((vector_size(LANES * 4)));

#include "transpose.h"

#include "network.h"

#define WIDE NAME(Lanes)
#define SCALAR KEY
#include "form.h"

/* The bits that are set in any lane. */
static INLINE KEY NAME(any)(NAME(Lanes) lanes)
{
    KEY any = 0;
    for (int lane = 0; lane < LANES; lane++)
        any |= lanes[lane];
    return any;
}

/* Elements to lanes; `available` are in the buffer, and the lanes of others are zero. */
static INLINE NAME(Lanes) NAME(load)(const char *from, int itemsize, int64_t available)
{
    char own[sizeof(NAME(Lanes))] = {0};
    if (available < LANES)
        from = memcpy(own, from, available * itemsize);
    NAME(Bytes) bytes;
    NAME(Halves) halves;
    NAME(Words) words;
    NAME(Lanes) lanes;
    switch (itemsize) {
    case 1: memcpy(&bytes, from, sizeof(bytes)); return __builtin_convertvector(bytes, NAME(Lanes));
    case 2: memcpy(&halves, from, sizeof(halves)); return __builtin_convertvector(halves, NAME(Lanes));
    case 4: memcpy(&words, from, sizeof(words)); return __builtin_convertvector(words, NAME(Lanes));
    default: memcpy(&lanes, from, sizeof(lanes)); return lanes;
    }
}

static INLINE void NAME(store)(NAME(Lanes) lanes, char *to, int itemsize)
{
    NAME(Bytes) bytes = __builtin_convertvector(lanes, NAME(Bytes));
    NAME(Halves) halves = __builtin_convertvector(lanes, NAME(Halves));
    NAME(Words) words = __builtin_convertvector(lanes, NAME(Words));
    switch (itemsize) {
    case 1: memcpy(to, &bytes, sizeof(bytes)); break;
    case 2: memcpy(to, &halves, sizeof(halves)); break;
    case 4: memcpy(to, &words, sizeof(words)); break;
    default: memcpy(to, &lanes, sizeof(lanes));
    }
}

/* The first few lanes. */
static INLINE void NAME(store_some)(NAME(Lanes) lanes, char *to, int itemsize, int count)
{
    if (count == LANES) {
        NAME(store)(lanes, to, itemsize);
        return;
    }
    char own[sizeof(NAME(Lanes))], *from = own;
    NAME(store)(lanes, own, itemsize);
#pragma GCC unroll 4
    for (int half = LANES / 2; half > 0; half /= 2)
        if (count & half) {
            memcpy(to, from, half * itemsize);
            to += half * itemsize;
            from += half * itemsize;
        }
}

/* Keys of rows one behind the other, or side by side; of the last one again in the lanes left over. Special elements
 * have others: the greatest of their sizes, less one, tells whether there may be any. The result's place is fetched
 * while they are sorted. */
static INLINE NAME(Lanes) NAME(take_rows)(const Beside *beside, int64_t offset, int count, NAME(Lanes) *keys,
                                          int itemsize)
{
    Rows rows = beside->rows;
    int64_t total = rows.outer * rows.n * rows.inner;
    Form form = beside->form;
    const char *x = beside->x;
    NAME(Lanes) most = {0};
    for (int64_t i = 0, at = offset; rows.inner > 1 && i < rows.n; i++, at += rows.inner) {
        NAME(Lanes) bits = NAME(load)(x + at * itemsize, itemsize, total - at);
        most = NAME(greater)(most, (bits & (KEY)form.rest) - 1);
        keys[i] = NAME(plain_key)(bits, form);
    }
    for (int64_t e = 0; rows.inner == 1 && e < rows.n; e += LANES) {
        NAME(Lanes) block[LANES];
#pragma GCC unroll 16
        for (int lane = 0; lane < LANES; lane++) {
            int64_t at = offset + (lane < count ? lane : count - 1) * rows.n + e;
            NAME(Lanes) bits = NAME(load)(x + at * itemsize, itemsize, total - at);
            __builtin_prefetch(beside->result + at * beside->result_itemsize, 1);
            most = NAME(greater)(most, (bits & (KEY)form.rest) - 1);
            block[lane] = NAME(plain_key)(bits, form);
        }
        NAME(transpose)(block);
#pragma GCC unroll 16
        for (int lane = 0; lane < LANES; lane++)
            keys[e + lane] = block[lane];
    }
    return most;
}

/* The keys that special elements have; whether there are any but plain zeros. */
static bool NAME(correct)(NAME(Lanes) *keys, int64_t n, Form form)
{
    NAME(Lanes) special = {0};
    for (int64_t i = 0; i < n; i++) {
        NAME(Lanes) bits = NAME(bits)(keys[i], form);
        special |= NAME(special)(bits, form);
        keys[i] = NAME(key)(bits, form);
    }
    return NAME(any)(special) != 0;
}

static INLINE void NAME(give_rows)(const NAME(Lanes) *keys, Rows rows, int64_t offset, int count, Form form, char *to,
                                   int itemsize)
{
    if (rows.inner > 1) {
        for (int64_t i = 0, at = offset; i < rows.n; i++, at += rows.inner)
            NAME(store_some)(NAME(bits)(keys[i], form), to + at * itemsize, itemsize, count);
        return;
    }
    for (int64_t e = 0; e < rows.n; e += LANES) {
        NAME(Lanes) block[LANES];
#pragma GCC unroll 16
        for (int lane = 0; lane < LANES; lane++)
            block[lane] = NAME(bits)(keys[e + lane], form);
        NAME(transpose)(block);
        for (int lane = 0; lane < count; lane++)
            NAME(store_some)(block[lane], to + (offset + lane * rows.n + e) * itemsize, itemsize,
                             (int)smaller_of(LANES, rows.n - e));
    }
}

static INLINE bool NAME(take)(const Beside *beside, int64_t offset, int count, NAME(Lanes) *keys)
{
    NAME(Lanes) most;
    switch (beside->itemsize) {
    case 1: most = NAME(take_rows)(beside, offset, count, keys, 1); break;
    case 2: most = NAME(take_rows)(beside, offset, count, keys, 2); break;
    case 4: most = NAME(take_rows)(beside, offset, count, keys, 4); break;
    default: most = NAME(take_rows)(beside, offset, count, keys, sizeof(KEY));
    }
    NAME(Lanes) special = (NAME(Lanes))(most >= (KEY)beside->form.infinite) & (KEY)beside->form.rest;
    return NAME(any)(special) != 0 && NAME(correct)(keys, beside->rows.n, beside->form);
}

static bool NAME(sort_rows)(const Beside *beside, int64_t offset, int count, void *scratch)
{
    NAME(Lanes) *keys = scratch;
    Rows rows = beside->rows;
    bool special = NAME(take)(beside, offset, count, keys);
    NAME(sort_vectors)(keys, rows.n);
    switch (beside->itemsize) {
    case 1: NAME(give_rows)(keys, rows, offset, count, beside->form, beside->result, 1); break;
    case 2: NAME(give_rows)(keys, rows, offset, count, beside->form, beside->result, 2); break;
    case 4: NAME(give_rows)(keys, rows, offset, count, beside->form, beside->result, 4); break;
    default: NAME(give_rows)(keys, rows, offset, count, beside->form, beside->result, sizeof(KEY));
    }
    return special;
}

/* Keys less the lowest of their row, which are in the same order; the bits that are set in any. */
static KEY NAME(lower)(NAME(Lanes) *keys, int64_t n)
{
    NAME(Lanes) lowest = keys[0], set = {0};
    for (int64_t i = 1; i < n; i++)
        lowest = NAME(less)(lowest, keys[i]);
    for (int64_t i = 0; i < n; i++)
        set |= keys[i] -= lowest;
    return NAME(any)(set);
}

/* Whether, in any row, neighbouring records are equal but for their places. */
static INLINE bool NAME(has_equal)(const NAME(Lanes) *records, int64_t n)
{
    NAME(Mask) equal = {0};
    for (int64_t i = 1; i < n; i++)
        equal |= (records[i] ^ records[i - 1]) <= PLACES;
    return NAME(any)((NAME(Lanes))equal) != 0;
}

/* Records in order become others that begin with how many different ones there are before them, and so have room for
 * the bits of the keys that were not in them. */
static INLINE void NAME(rank)(const NAME(Lanes) *keys, int shift, NAME(Lanes) *records, int64_t n)
{
    NAME(Lanes) rank = {0}, before = records[0];
    for (int64_t i = 0; i < n; i++) {
        NAME(Lanes) places = records[i] & PLACES, own;
        for (int lane = 0; lane < LANES; lane++)
            own[lane] = keys[places[lane]][lane];
        rank -= (NAME(Lanes))((records[i] ^ before) > PLACES);
        before = records[i];
        records[i] = rank << (BITS - PLACE_BITS) | (own << shift & PLACES) << PLACE_BITS | places;
    }
}

/* Positions, which are the last bits of records that begin with as much of the key as there is room for. */
static bool NAME(argsort_rows)(const Beside *beside, int64_t offset, int count, void *scratch)
{
    Rows rows = beside->rows;
    NAME(Lanes) *keys = scratch, *records = keys + beside_vectors(rows.n);
    NAME(take)(beside, offset, count, keys);
    KEY set = NAME(lower)(keys, rows.n);
    int shift = set == 0 ? 0 : __builtin_clzll(set) - 64 + BITS;
    for (int64_t i = 0; i < rows.n; i++)
        records[i] = (keys[i] << shift & ~PLACES) | (KEY)i;
    NAME(sort_vectors)(records, rows.n);
    if ((set << shift & PLACES) && NAME(has_equal)(records, rows.n)) {
        NAME(rank)(keys, shift, records, rows.n);
        NAME(sort_vectors)(records, rows.n);
    }
    for (int64_t i = 0; i < rows.n; i++)
        records[i] &= PLACES;
    NAME(give_rows)(records, rows, offset, count, (Form){0}, beside->result, sizeof(KEY));
    return false;
}

static const BesideKernels NAME(kernels) = {LANES, NAME(sort_rows), sizeof(KEY) == 8 ? NAME(argsort_rows) : NULL};

#undef KEY
#undef INTEGER
#undef LANES_ARE
#undef LEVELS
#undef NAME
#undef LANES
#undef BITS
#undef PLACES
