/* Rows in order, and the positions that put them in order. Sizes outer, n, inner. Threads divide the rows, or, where these
 * are few and long, the work on each. Short rows are sorted several at a time. */
#include "order.h"

enum { COUNTS = sizeof(uint32_t) << DIGIT };

typedef struct {
    const Arguments *arguments;
    Rows rows;
    bool positions;              /* and not the elements */
    int threads;                 /* for each row */
} Sorting;

static int key_bytes(const Sorting *sorting)
{
    return has_wide_keys(sorting->arguments->types) ? 8 : 4;
}

static const BesideKernels *kernels_for(const Sorting *sorting)
{
    return beside_kernels(sorting->positions || has_wide_keys(sorting->arguments->types));
}

/* Of memory besides the keys: two rows of records, or one of keys. */
static int64_t spare_bytes(const Sorting *sorting)
{
    return sorting->rows.n * (sorting->positions ? 16 : key_bytes(sorting));
}

/* Sort the keys of one row: they become the sorted ones, or positions of 32 bits. The spare memory may change places. */
static void sort_row(const Sorting *sorting, void **keys, void **spare, Team team)
{
    int64_t n = sorting->rows.n;
    bool wide = has_wide_keys(sorting->arguments->types);
    if (sorting->positions) {
        uint64_t *records = *spare, *other = records + n;
        const uint64_t *sorted = wide ? argsort_64(*keys, records, other, n, team)
                                      : argsort_32(*keys, records, other, n, team);
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)*keys)[i] = (uint32_t)sorted[i];
        return;
    }
    void *sorted = wide ? (void *)sort_64(*keys, *spare, n, team) : (void *)sort_32(*keys, *spare, n, team);
    if (sorted != *keys) {
        *spare = *keys;
        *keys = sorted;
    }
}

static void give_positions(void *const *positions, int64_t n, int64_t inner, int count, int64_t *to)
{
    for (int64_t i = 0; i < n; i++)
        for (int row = 0; row < count; row++)
            to[i * inner + row] = ((const uint32_t *)positions[row])[i];
}

/* Neighbouring rows, the first at the offset, in elements. */
static void sort_group(const Sorting *sorting, int64_t offset, int count, Team team)
{
    const Arguments *arguments = sorting->arguments;
    const Type *type = arguments->types;
    int64_t n = sorting->rows.n, inner = sorting->rows.inner;
    const char *x = (const char *)arguments->buffers[0] + offset * type->itemsize;
    char *result = (char *)arguments->buffers[1] + offset * arguments->types[1].itemsize;
    void *keys[GROUP], *spare = team.counts + COUNTS;
    for (int row = 0; row < count; row++)
        keys[row] = (char *)spare + spare_bytes(sorting) + row * n * key_bytes(sorting);
    bool special = keys_take(type, x, n, inner, count, keys);
    for (int row = 0; row < count; row++)
        sort_row(sorting, &keys[row], &spare, team);
    if (sorting->positions) {
        give_positions(keys, n, inner, count, (int64_t *)result);
        return;
    }
    keys_give(type, keys, n, inner, count, result);
    for (int row = 0; special && row < count; row++)
        keys_mend(type, x + row * type->itemsize, n, inner, result + row * type->itemsize);
}

/* Rows that are sorted side by side: all if one lies behind the other, else neighbours. */
static int64_t rows_beside(Rows rows)
{
    return rows.inner == 1 ? rows.outer : rows.inner;
}

static int64_t groups_beside(Rows rows, int lanes)
{
    return (rows_beside(rows) + lanes - 1) / lanes;
}

static int sort_short(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes;
    const Sorting *sorting = buffers[0];
    const Arguments *arguments = sorting->arguments;
    const Type *type = arguments->types;
    const BesideKernels *kernels = kernels_for(sorting);
    SortBeside sort = sorting->positions ? kernels->argsort : kernels->sort;
    Rows rows = sorting->rows;
    Beside beside = {form_of(type), type->itemsize, arguments->types[1].itemsize, rows, arguments->buffers[0],
                     arguments->buffers[1]};
    int64_t step = rows.inner == 1 ? rows.n : 1, groups = groups_beside(rows, kernels->lanes);
    for (int64_t i = begin; i < end; i++) {
        int64_t first = i % groups * kernels->lanes, offset = i / groups * rows.n * rows.inner + first * step;
        int count = (int)smaller_of(kernels->lanes, rows_beside(rows) - first);
        bool special = sort(&beside, offset, count, scratch);
        for (int64_t at = offset; special && at < offset + count * step; at += step)
            keys_mend(type, beside.x + at * type->itemsize, rows.n, rows.inner, beside.result + at * type->itemsize);
    }
    return 0;
}

static int sort_groups(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes;
    const Sorting *sorting = buffers[0];
    Rows rows = sorting->rows;
    int64_t groups = (rows.inner + GROUP - 1) / GROUP;
    Team team = {sorting->threads, scratch, sorting->arguments->scratch_bytes};
    for (int64_t i = begin; i < end; i++) {
        int64_t first = i % groups * GROUP;
        sort_group(sorting, i / groups * rows.n * rows.inner + first, (int)smaller_of(rows.inner - first, GROUP), team);
    }
    return 0;
}

/* Whether rows are short, and so many that they fill the lanes well enough. */
static bool are_short(const Sorting *sorting)
{
    Rows rows = sorting->rows;
    return rows.n <= SHORT_ROW && rows.outer * rows.inner >= kernels_for(sorting)->lanes / 4;
}

static int run(const Arguments *arguments, bool positions)
{
    const int64_t *sizes = arguments->sizes;
    Sorting sorting = {arguments, {sizes[0], sizes[1], sizes[2]}, positions, 1};
    void *buffers[] = {&sorting};
    int64_t n = sizes[1], count = sizes[0] * sizes[2];
    if (count == 0 || n == 0)
        return 0;
    bool is_short = are_short(&sorting);
    Kernel kernel = is_short ? sort_short : sort_groups;
    int64_t units = is_short ? count / rows_beside(sorting.rows) * groups_beside(sorting.rows, kernels_for(&sorting)->lanes)
                             : sizes[0] * ((sizes[2] + GROUP - 1) / GROUP);
    int threads = threads_for(multiply_saturating(4 * n, count), units);
    threads = threads < arguments->threads ? threads : arguments->threads;
    if (units < arguments->threads && n >= LARGE_ROW) {
        sorting.threads = arguments->threads;
        threads = 1;
    }
    return threads > 1 ? parallel_for(kernel, buffers, NULL, units, threads, arguments->scratch,
                                      arguments->scratch_bytes)
                       : kernel(buffers, NULL, 0, units, arguments->scratch);
}

static int run_sort(const Arguments *arguments)
{
    return run(arguments, false);
}

static int run_argsort(const Arguments *arguments)
{
    return run(arguments, true);
}

static bool fits(const Arguments *arguments, bool positions)
{
    const int64_t *sizes = arguments->sizes;
    Rows rows = {sizes[0], sizes[1], sizes[2]};
    int width = has_wide_keys(arguments->types) ? 8 : 4;
    int64_t count = sizes[0] < 0 || sizes[1] < 0 || sizes[2] < 0 ? -1 : multiply_saturating(sizes[0], sizes[2]);
    int64_t bytes = multiply_saturating(width * group_of(rows) + (positions ? 16 : width), rows.n);
    int64_t beside = beside_vectors(smaller_of(rows.n, SHORT_ROW)) * VECTOR * (positions ? 2 : 1);
    return rows.n <= MOST_SORTED && matrices_fit(arguments->bytes[0], &arguments->types[0], 1, count, rows.n)
        && matrices_fit(arguments->bytes[1], &arguments->types[1], 1, count, rows.n)
        && (count == 0 || arguments->scratch_bytes >= add_saturating(bytes, COUNTS))
        && (count == 0 || arguments->scratch_bytes >= beside);
}

static bool sort_fits(const Arguments *arguments)
{
    return fits(arguments, false);
}

static bool argsort_fits(const Arguments *arguments)
{
    return fits(arguments, true);
}

static const enum LibraryFunction none[] = {NO_FUNCTION};

const RoutineKind sort_kind = {
    .name = "sort", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 3, .kinds = "biufB", .any_width = true,
    .functions = none, .fits = sort_fits, .run = run_sort};

const RoutineKind argsort_kind = {
    .name = "argsort", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 3, .long_positions = 2,
    .kinds = "biufB", .any_width = true, .functions = none, .fits = argsort_fits, .run = run_argsort};
