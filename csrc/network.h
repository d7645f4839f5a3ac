/* Sorting of LANES rows side by side: included with KEY, an unsigned integer, and NAME.
 *
 * Element i of row `lane` is keys[i * LANES + lane]. What is compared does not depend on the elements (Batcher's
 * odd-even merge sort, as algorithm M of Knuth, The Art of Computer Programming 3, 5.2.2), so all rows do it at once.
 */

static INLINE void NAME(exchange)(KEY *low, KEY *high)
{
    KEY less[LANES], greater[LANES];
    for (int lane = 0; lane < LANES; lane++) {
        less[lane] = low[lane] < high[lane] ? low[lane] : high[lane];
        greater[lane] = low[lane] < high[lane] ? high[lane] : low[lane];
    }
    memcpy(low, less, sizeof(less));
    memcpy(high, greater, sizeof(greater));
}

FOR_EACH_MACHINE void NAME(sort_lanes)(KEY *keys, int64_t n)
{
    for (int64_t run = 1; run < n; run *= 2)
        for (int64_t apart = run; apart > 0; apart /= 2)
            for (int64_t first = apart % run; first + apart < n; first += 2 * apart) {
                int64_t last = smaller_of(first + apart, n - apart);
                for (int64_t i = first; i < last; i++)
                    if ((i ^ (i + apart)) < 2 * run) /* in one pair of runs */
                        NAME(exchange)(keys + i * LANES, keys + (i + apart) * LANES);
            }
}

#undef KEY
#undef NAME
