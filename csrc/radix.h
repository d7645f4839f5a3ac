/* Sorting of unsigned integers digit by digit, the lowest first: included with RECORD and NAME.
 *
 * Each pass is stable: it counts how many have which digit, and puts each behind those before it. Parts of the records,
 * one for each thread, have counts of their own. So the result is the same for any number of parts.
 */

typedef struct {
    RECORD *from, *to;
    int64_t n;
    int shift, bits;
    Team team;
} NAME(Pass);

static INLINE uint32_t *NAME(counts)(const NAME(Pass) *pass, int64_t part)
{
    return (uint32_t *)(pass->team.counts + part * pass->team.apart);
}

static int64_t NAME(part_begin)(const NAME(Pass) *pass, int64_t part)
{
    return pass->n / pass->team.threads * part + smaller_of(pass->n % pass->team.threads, part);
}

static int NAME(count)(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes, (void)scratch;
    const NAME(Pass) *pass = buffers[0];
    int shift = pass->shift;
    RECORD mask = ((RECORD)1 << pass->bits) - 1;
    const RECORD *restrict from = pass->from;
    for (int64_t part = begin; part < end; part++) {
        uint32_t *restrict counts = NAME(counts)(pass, part);
        int64_t first = NAME(part_begin)(pass, part), last = NAME(part_begin)(pass, part + 1);
        memset(counts, 0, sizeof(uint32_t) << pass->bits);
        for (int64_t i = first; i < last; i++)
            counts[from[i] >> shift & mask]++;
    }
    return 0;
}

static int NAME(move)(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes, (void)scratch;
    const NAME(Pass) *pass = buffers[0];
    int shift = pass->shift;
    RECORD mask = ((RECORD)1 << pass->bits) - 1;
    const RECORD *restrict from = pass->from;
    RECORD *restrict to = pass->to;
    for (int64_t part = begin; part < end; part++) {
        uint32_t *restrict counts = NAME(counts)(pass, part);
        int64_t first = NAME(part_begin)(pass, part), last = NAME(part_begin)(pass, part + 1);
        for (int64_t i = first; i < last; i++) {
            RECORD own = from[i];
            to[counts[own >> shift & mask]++] = own;
        }
    }
    return 0;
}

/* Counts to places; whether the digit differs at all. */
static bool NAME(place)(const NAME(Pass) *pass)
{
    uint32_t before = 0, most = 0;
    for (int64_t digit = 0; digit < (int64_t)1 << pass->bits; digit++) {
        uint32_t first = before;
        for (int part = 0; part < pass->team.threads; part++) {
            uint32_t *own = NAME(counts)(pass, part) + digit, count = *own;
            *own = before;
            before += count;
        }
        most = before - first > most ? before - first : most;
    }
    return most < pass->n;
}

static void NAME(insert)(RECORD *records, int64_t n)
{
    for (int64_t i = 1; i < n; i++) {
        RECORD own = records[i];
        int64_t place = i;
        for (; place > 0 && own < records[place - 1]; place--)
            records[place] = records[place - 1];
        records[place] = own;
    }
}

/* Sort by the bits low..high. */
static RECORD *NAME(radix)(RECORD *records, RECORD *other, int64_t n, int low, int high, Team team)
{
    int passes = (high - low + DIGIT - 1) / DIGIT;
    int bits = (high - low + passes - 1) / passes;
    NAME(Pass) pass = {.from = records, .to = other, .n = n, .team = team};
    if (n < LARGE_ROW)
        pass.team.threads = 1;
    void *buffers[] = {&pass};
    int threads = pass.team.threads;
    for (pass.shift = low; pass.shift < high; pass.shift += bits) {
        pass.bits = high - pass.shift < bits ? high - pass.shift : bits;
        run_parts(NAME(count), buffers, threads);
        if (!NAME(place)(&pass))
            continue;
        run_parts(NAME(move), buffers, threads);
        RECORD *sorted = pass.to;
        pass.to = pass.from;
        pass.from = sorted;
    }
    return pass.from;
}

/* Where the run of records ends that begins at `first`: they are equal from the bit `low` on. */
static int64_t NAME(run_end)(const RECORD *records, int64_t first, int64_t n, int low)
{
    int64_t end = first + 1;
    while (end < n && (records[end] ^ records[first]) >> low == 0)
        end++;
    return end;
}

/* Sort by the bits low..high, and no others: bits above are equal, those below are in order or not looked at. In one of
 * the two places. First by some of the highest, then, by the others, those that are equal in these. */
static RECORD *NAME(sorted)(RECORD *records, RECORD *other, int64_t n, int low, int high, Team team)
{
    if (low >= high)
        return records;
    if (n <= FEW) {
        NAME(insert)(records, n);
        return records;
    }
    int first = high - first_bits(n) > low ? high - first_bits(n) : low;
    RECORD *sorted = NAME(radix)(records, other, n, first, high, team);
    other = sorted == records ? other : records;
    for (int64_t i = 0, end; first > low && i < n; i = end) {
        end = NAME(run_end)(sorted, i, n, first);
        if (end - i == 1)
            continue;
        const RECORD *run = NAME(sorted)(sorted + i, other + i, end - i, low, first, team);
        if (run != sorted + i)
            memcpy(sorted + i, run, (end - i) * sizeof(*run));
    }
    return sorted;
}

/* The bits in which records differ. */
FOR_EACH_MACHINE static RECORD NAME(differing)(const RECORD *records, int64_t n)
{
    RECORD differ = 0;
    for (int64_t i = 1; i < n; i++)
        differ |= records[i] ^ records[0];
    return differ;
}

#undef RECORD
#undef NAME
