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
#define PLACE_BITS 13            /* bits of a position in a row that is sorted side by side with others */
#define SHORT_ROW (1 << PLACE_BITS) /* elements of such a row, at most */
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

/* How the bits of elements become keys (form.h): which bit is the highest; that bit if it is a sign; and of floats all
 * other bits, and infinity. What there is not is zero. */
typedef struct {
    int top;
    uint64_t sign, rest, infinite;
} Form;

Form form_of(const Type *type);

#define WIDE uint32_t
#define SCALAR uint32_t
#define NAME(name) name##_32
#include "form.h"
#undef NAME

#define WIDE uint64_t
#define SCALAR uint64_t
#define NAME(name) name##_64
#include "form.h"
#undef NAME

/* Keys of n elements of each of `count` neighbouring rows, to keys[0], keys[1]...; whether there are NaNs or zeros with a
 * sign among them. */
bool keys_take(const Type *type, const void *x, int64_t n, int64_t inner, int count, void *const *keys);
/* The elements that have the keys, where keys_take found nothing special. */
void keys_give(const Type *type, void *const *keys, int64_t n, int64_t inner, int count, void *x);
/* Make up for it where it did: put NaNs and zeros of x, in order, where sorted elements are NaN and zero. */
void keys_mend(const Type *type, const void *x, int64_t n, int64_t inner, void *sorted);

/* Where several threads may sort one row: so many, each with memory of its own, so many bytes apart, for counts. */
typedef struct {
    int threads;
    char *counts;
    int64_t apart;
} Team;

/* Sort n keys; the result is in one of the two places, which is returned. */
uint32_t *sort_32(uint32_t *keys, uint32_t *other, int64_t n, Team team);
uint64_t *sort_64(uint64_t *keys, uint64_t *other, int64_t n, Team team);
/* The positions that put n keys in order, as the low halves of what is returned: `records` or `other`. */
const uint64_t *argsort_32(const uint32_t *keys, uint64_t *records, uint64_t *other, int64_t n, Team team);
const uint64_t *argsort_64(const uint64_t *keys, uint64_t *records, uint64_t *other, int64_t n, Team team);

/* Short rows that are sorted several at a time. The result has elements of x, or positions if these are wanted. */
typedef struct {
    Form form;
    int itemsize, result_itemsize;
    Rows rows;
    const char *x;
    char *result;
} Beside;

/* Sort `count` rows that lie one behind the other, or whose elements are neighbours; the first element is at the offset.
 * The scratch has as many vectors as `beside_vectors` says, for positions twice as many. Whether there are NaNs or zeros
 * with a sign, for which keys_mend makes up. */
typedef bool (*SortBeside)(const Beside *beside, int64_t offset, int count, void *scratch);

/* The kernels for keys of one width that suit this processor. Positions are found by keys of 64 bits. */
typedef struct {
    int lanes;                   /* how many rows go at a time */
    SortBeside sort, argsort;
} BesideKernels;

const BesideKernels *beside_kernels(bool wide);

#define VECTOR 64                /* bytes, at most */

/* Vectors for n keys of rows side by side: as many as rows are read by at once, and runs whose length is a power of two. */
static INLINE int64_t beside_vectors(int64_t n)
{
    int64_t vectors = 16;
    while (vectors < n)
        vectors *= 2;
    return vectors;
}

#endif
