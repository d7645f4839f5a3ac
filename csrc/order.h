/* What sorting, selecting and searching share: rows, and keys that are in order as elements are.
 *
 * A key is an unsigned integer. Elements that are equal have one key, zeros of both signs among them, and so have all
 * NaNs, whose key is the largest; so what is in order by keys, and by position where keys are equal, is in the order of
 * the ops. Elements of up to 32 bits have keys of 32, others of 64.
 */
#ifndef SYMTENSOR_ORDER_H
#define SYMTENSOR_ORDER_H

#include "routines.h"

#define DIGIT 8                  /* bits that are sorted by at once, at most: with more, places miss the nearest cache */
#define MOST_SORTED UINT32_MAX   /* elements of a row: positions have 32 bits */
#define LARGE_ROW 65536          /* elements from which threads share the work on one row */
#define GROUP 16                 /* rows that are read at once where their elements are not beside each other */
#define LANES 16                 /* rows that are sorted side by side */
#define SHORT_ROW 2048           /* elements up to which that is faster than one row after the other */
#define INLINE inline __attribute__((always_inline))

/* Rows of n elements: outer * inner of them, whose elements lie `inner` apart. */
typedef struct {
    int64_t outer, n, inner;
} Rows;

static INLINE int64_t smaller_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static INLINE int64_t group_of(Rows rows)
{
    return smaller_of(rows.inner, GROUP);
}

static INLINE bool has_wide_keys(const Type *type)
{
    return type->itemsize == 8;
}

/* Keys of n elements of each of `count` neighbouring rows, to keys[0], keys[1]...; whether there are NaNs or zeros with a
 * sign among them. */
bool keys_take(const Type *type, const void *x, int64_t n, int64_t inner, int count, void *const *keys);
/* The elements that have the keys, where keys_take found nothing special. */
void keys_give(const Type *type, void *const *keys, int64_t n, int64_t inner, int count, void *x);
/* Make up for it where it did: put NaNs and zeros of x, in order, where sorted elements are NaN and zero. */
void keys_mend(const Type *type, const void *x, int64_t n, int64_t inner, void *sorted);

/* The same for LANES rows whose elements lie side by side in `keys`: element i of a row is at i * LANES + lane. The first
 * element of each is at its offset of x; `beside` says that offsets are neighbours. */
bool keys_take_lanes(const Type *type, const void *x, const int64_t *offsets, bool beside, int64_t n, int64_t inner,
                     void *keys);
void keys_give_lanes(const Type *type, const void *keys, const int64_t *offsets, int count, int64_t n, int64_t inner,
                     void *x);

/* Where several threads may sort one row: so many, each with memory of its own, so many bytes apart, for counts. */
typedef struct {
    int threads;
    char *counts;
    int64_t apart;
} Team;

/* Sort n keys; the result is in one of the two places, which is returned. */
uint32_t *sort_32(uint32_t *keys, uint32_t *other, int64_t n, Team team);
uint64_t *sort_64(uint64_t *keys, uint64_t *other, int64_t n, Team team);
/* Sort LANES rows of n keys side by side. */
void sort_lanes_32(uint32_t *keys, int64_t n);
void sort_lanes_64(uint64_t *keys, int64_t n);
/* The positions that put n keys in order, as the low halves of what is returned: `records` or `other`. */
const uint64_t *argsort_32(const uint32_t *keys, uint64_t *records, uint64_t *other, int64_t n, Team team);
const uint64_t *argsort_64(const uint64_t *keys, uint64_t *records, uint64_t *other, int64_t n, Team team);

#endif
