/* Squares of numbers in vectors, with rows and columns exchanged: included with LANES_ARE, the vectors NAME(Lanes) and,
 * of integers as wide, NAME(Mask), and NAME. */

#ifndef SYMTENSOR_TRANSPOSE_H
#define SYMTENSOR_TRANSPOSE_H
#define NUMBERS_2 0, 1
#define NUMBERS_4 NUMBERS_2, 2, 3
#define NUMBERS_8 NUMBERS_4, 4, 5, 6, 7
#define NUMBERS_16 NUMBERS_8, 8, 9, 10, 11, 12, 13, 14, 15
#define NUMBERS_UP_TO(lanes) NUMBERS_##lanes
#define NUMBERS(lanes) NUMBERS_UP_TO(lanes)
#endif

#ifdef __clang__                 /* it has another name for shuffling */
static INLINE void NAME(transpose)(NAME(Lanes) *x)
{
    for (int i = 0; i < LANES_ARE; i++)
        for (int j = 0; j < i; j++) {
            __typeof__(x[i][j]) own = x[i][j];
            x[i][j] = x[j][i];
            x[j][i] = own;
        }
}
#else
/* Two vectors: the blocks of `size` elements that change places. */
static INLINE void NAME(exchange_blocks)(NAME(Lanes) *one, NAME(Lanes) *other, int size)
{
    NAME(Mask) number = {NUMBERS(LANES_ARE)}, upper = (number & size) != 0;
    NAME(Mask) low = (number & ~size) + (upper & LANES_ARE), high = low + size;
    NAME(Lanes) first = *one, second = *other;
    *one = __builtin_shuffle(first, second, low);
    *other = __builtin_shuffle(first, second, high);
}

static INLINE void NAME(transpose)(NAME(Lanes) *x)
{
#pragma GCC unroll 4
    for (int size = 1; size < LANES_ARE; size *= 2) {
#pragma GCC unroll 16
        for (int e = 0; e < LANES_ARE; e++)
            if ((e & size) == 0)
                NAME(exchange_blocks)(x + e, x + e + size, size);
    }
}
#endif
