/* Sorting of rows side by side: included with LANES_ARE, LEVELS, the vectors NAME(Lanes), and NAME.
 *
 * Vector i has element i of each row. What is compared does not depend on the elements, so all rows do it at once.
 * Sorted runs are merged in pairs (Batcher's bitonic merge, as Knuth, The Art of Computer Programming 3, 5.3.4): each of
 * the lower run is compared with its mirror image in the upper, which leaves the smaller half below; then, in halves,
 * quarters and so on, each with the one that far behind it. So many levels of that are done at once as fit registers,
 * on a block of vectors. Vectors behind the last element are as those of the greatest key, and stay.
 */

#define BLOCK (1 << LEVELS)

/* Lane by lane; as loops, since there is a comparison of vectors but no choice. */
static INLINE NAME(Lanes) NAME(less)(NAME(Lanes) x, NAME(Lanes) y)
{
#pragma GCC unroll 1
    for (int lane = 0; lane < LANES_ARE; lane++)
        x[lane] = x[lane] < y[lane] ? x[lane] : y[lane];
    return x;
}

static INLINE NAME(Lanes) NAME(greater)(NAME(Lanes) x, NAME(Lanes) y)
{
#pragma GCC unroll 1
    for (int lane = 0; lane < LANES_ARE; lane++)
        x[lane] = x[lane] < y[lane] ? y[lane] : x[lane];
    return x;
}

static INLINE void NAME(exchange)(NAME(Lanes) *one, NAME(Lanes) *other)
{
    NAME(Lanes) x = *one, y = *other;
    *one = NAME(less)(x, y);
    *other = NAME(greater)(x, y);
}

/* Two sorted runs of `size` vectors: their smaller half below, their greater above. */
static INLINE void NAME(join)(NAME(Lanes) *block, int size)
{
#pragma GCC unroll 16
    for (int k = 0; k < size; k++)
        NAME(exchange)(block + k, block + 2 * size - 1 - k);
}

/* Sort a half, of 2**levels vectors. */
static INLINE void NAME(divide)(NAME(Lanes) *block, int levels)
{
#pragma GCC unroll 4
    for (int level = levels - 1; level >= 0; level--) {
#pragma GCC unroll 8
        for (int pair = 0; pair < 1 << levels >> 1; pair++) {
            int k = (pair >> level << level) + pair;
            NAME(exchange)(block + k, block + k + (1 << level));
        }
    }
}

static INLINE void NAME(sort_block)(NAME(Lanes) *x, int levels)
{
    NAME(Lanes) block[BLOCK];
#pragma GCC unroll 16
    for (int k = 0; k < 1 << levels; k++)
        block[k] = x[k];
#pragma GCC unroll 4
    for (int level = 0; level < levels; level++) {
#pragma GCC unroll 8
        for (int pair = 0; pair < 1 << levels >> level >> 1; pair++) {
            NAME(join)(block + (2 * pair << level), 1 << level);
            NAME(divide)(block + (2 * pair << level), level);
            NAME(divide)(block + ((2 * pair + 1) << level), level);
        }
    }
#pragma GCC unroll 16
    for (int k = 0; k < 1 << levels; k++)
        x[k] = block[k];
}

/* The first levels of a merge of two runs, the upper of which has elements up to n. */
static INLINE void NAME(join_runs)(NAME(Lanes) *x, int64_t run, int64_t n, int levels)
{
    int half = 1 << (levels - 1);
    int64_t apart = run / half;
    for (int64_t i = run + apart > n ? run + apart - n : 0; i < apart; i++) {
        NAME(Lanes) block[BLOCK], *low = x + i, *high = x + run + apart - 1 - i;
#pragma GCC unroll 16
        for (int k = 0; k < half; k++) {
            block[k] = low[k * apart];
            block[half + k] = high[k * apart];
        }
        NAME(join)(block, half);
        NAME(divide)(block, levels - 1);
        NAME(divide)(block + half, levels - 1);
#pragma GCC unroll 16
        for (int k = 0; k < half; k++) {
            low[k * apart] = block[k];
            high[k * apart] = block[half + k];
        }
    }
}

/* The next levels, in each part of `size`. */
static INLINE void NAME(divide_runs)(NAME(Lanes) *x, int64_t size, int64_t n, int levels)
{
    int64_t apart = size >> levels;
    for (int64_t first = 0; first < n; first += size)
        for (int64_t i = first; i < first + apart; i++) {
            NAME(Lanes) block[BLOCK];
#pragma GCC unroll 16
            for (int k = 0; k < 1 << levels; k++)
                block[k] = x[i + k * apart];
            NAME(divide)(block, levels);
#pragma GCC unroll 16
            for (int k = 0; k < 1 << levels; k++)
                x[i + k * apart] = block[k];
        }
}

/* Merge two runs of whole blocks. The last levels are those in a block. */
static INLINE void NAME(merge)(NAME(Lanes) *x, int64_t run, int64_t n)
{
    int left = __builtin_ctzll((uint64_t)run) + 1, levels = (int)smaller_of(left - LEVELS, LEVELS);
    switch (levels) {
    case 1: NAME(join_runs)(x, run, n, 1); break;
    case 2: NAME(join_runs)(x, run, n, 2); break;
    case 3: NAME(join_runs)(x, run, n, 3); break;
    default: NAME(join_runs)(x, run, n, LEVELS);
    }
    for (left -= levels; left > 0; left -= levels) {
        levels = left > LEVELS ? (int)smaller_of(left - LEVELS, LEVELS) : LEVELS;
        switch (levels) {
        case 1: NAME(divide_runs)(x, (int64_t)1 << left, n, 1); break;
        case 2: NAME(divide_runs)(x, (int64_t)1 << left, n, 2); break;
        case 3: NAME(divide_runs)(x, (int64_t)1 << left, n, 3); break;
        default: NAME(divide_runs)(x, (int64_t)1 << left, n, LEVELS);
        }
    }
}

/* Sort n vectors. There is room for as many as beside_vectors(n). */
static __attribute__((noinline)) void NAME(sort_vectors)(NAME(Lanes) *x, int64_t n)
{
    NAME(Lanes) zero = {0};
    for (int64_t i = n; i < 4 || (i & (i - 1)) != 0; i++)
        x[i] = ~zero;
    for (int64_t first = 0; n > 8 && first < n; first += BLOCK)
        NAME(sort_block)(x + first, LEVELS);
    if (n <= 4)
        NAME(sort_block)(x, 2);
    else if (n <= 8)
        NAME(sort_block)(x, 3);
    for (int64_t run = BLOCK; run < n; run *= 2)
        for (int64_t first = 0; first + run < n; first += 2 * run)
            NAME(merge)(x + first, run, smaller_of(n - first, 2 * run));
}

#undef BLOCK
