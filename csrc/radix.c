/* Sorting of keys, and of positions by keys. */
#include "order.h"

#define FEW 24                   /* records that are sorted by insertion */
#define SPARE 10                 /* bits to sort by first, beyond those that number the records */
#define FIRST 32                 /* bits by which keys of 64 are sorted first; few are equal in them that differ */

static void run_parts(Kernel kernel, void *const *buffers, int threads)
{
    if (threads > 1)
        parallel_for(kernel, buffers, NULL, threads, threads, NULL, 0);
    else
        kernel(buffers, NULL, 0, 1, NULL);
}

static int lowest_bit(uint64_t differ)
{
    return differ == 0 ? 0 : __builtin_ctzll(differ);
}

static int highest_bit(uint64_t differ)
{
    return differ == 0 ? 0 : 64 - __builtin_clzll(differ);
}

/* By how many bits n records are sorted first: few that differ are then equal. */
static int first_bits(int64_t n)
{
    int wanted = highest_bit((uint64_t)n) + SPARE;
    return (wanted + DIGIT - 1) / DIGIT * DIGIT;
}

#define RECORD uint32_t
#define NAME(name) name##_32
#include "radix.h"

#define RECORD uint64_t
#define NAME(name) name##_64
#include "radix.h"

uint32_t *sort_32(uint32_t *keys, uint32_t *other, int64_t n, Team team)
{
    uint32_t differ = differing_32(keys, n);
    return sorted_32(keys, other, n, lowest_bit(differ), highest_bit(differ), team);
}

uint64_t *sort_64(uint64_t *keys, uint64_t *other, int64_t n, Team team)
{
    uint64_t differ = differing_64(keys, n);
    return sorted_64(keys, other, n, lowest_bit(differ), highest_bit(differ), team);
}

FOR_EACH_MACHINE static void make_records_32(const uint32_t *restrict keys, uint64_t *restrict records, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        records[i] = (uint64_t)keys[i] << 32 | (uint64_t)i;
}

FOR_EACH_MACHINE static void make_records_64(const uint64_t *restrict keys, int shift, uint64_t *restrict records,
                                             int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        records[i] = keys[i] >> shift << 32 | (uint64_t)i;
}

const uint64_t *argsort_32(const uint32_t *keys, uint64_t *records, uint64_t *other, int64_t n, Team team)
{
    uint32_t differ = differing_32(keys, n);
    make_records_32(keys, records, n);
    return sorted_64(records, other, n, 32 + lowest_bit(differ), 32 + highest_bit(differ), team);
}

/* Half of the key is in the record; those in which it is equal are sorted by the other half. */
const uint64_t *argsort_64(const uint64_t *keys, uint64_t *records, uint64_t *other, int64_t n, Team team)
{
    uint64_t differ = differing_64(keys, n);
    int low = lowest_bit(differ), high = highest_bit(differ), shift = high - low > 32 ? high - 32 : low;
    make_records_64(keys, shift, records, n);
    uint64_t *sorted = sorted_64(records, other, n, 32, 32 + high - shift, team);
    other = sorted == records ? other : records;
    for (int64_t i = 0, end; shift > low && i < n; i = end) {
        end = run_end_64(sorted, i, n, 32);
        if (end - i == 1)
            continue;
        uint64_t rest = ((uint64_t)1 << (shift - low)) - 1;
        for (int64_t j = i; j < end; j++)
            sorted[j] = (keys[(uint32_t)sorted[j]] >> low & rest) << 32 | (uint32_t)sorted[j];
        const uint64_t *run = sorted_64(sorted + i, other + i, end - i, 32, 32 + shift - low, team);
        if (run != sorted + i)
            memcpy(sorted + i, run, (end - i) * sizeof(*run));
    }
    return sorted;
}
