/* Products with a compressed sparse matrix: indices, starts, then data or a dense matrix.
 *
 * Its rows are divided between threads by the number of elements they hold; where elements of all rows add to one
 * place, threads divide the columns of the dense matrix. So the bits do not depend on the number of threads.
 */
#include "routines.h"

#define WIDE 64                  /* columns whose sums are kept in registers */
#define AHEAD 8                  /* elements between asking for a row of the dense matrix and using it */
#define LINE 64                  /* bytes of a line of the cache */
#define PARTS 64                 /* into which the rows are divided */

enum { ROWS, COLUMNS, WIDTH, STORED };  /* the sizes: the matrix is (m, n), dense ones have k columns */
enum { INDICES, STARTS, FIRST, SECOND, RESULT }; /* the buffers */

/* The first row of a part: parts have about as many elements. */
static int64_t part_begin(const int32_t *starts, int64_t rows, int64_t part)
{
    if (part >= PARTS)
        return rows;
    int64_t target = starts[rows] * part / PARTS, low = 0, high = rows;
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (starts[middle] < target)
            low = middle + 1;
        else
            high = middle;
    }
    return part == 0 ? 0 : low;
}

/* One definition for each type of element; part begin..end of the rows, or columns begin..end. */
#define PRODUCTS(type)                                                                                        \
    /* Asks for a part of a row that is soon needed. */                                                       \
    static inline void type##_fetch(const type *row, int64_t width)                                           \
    {                                                                                                         \
        for (int64_t j = 0; j < width; j += LINE / sizeof(type))                                              \
            __builtin_prefetch(row + j);                                                                      \
    }                                                                                                         \
    /* A row's sums for `width` columns; `known` elements follow, those of later rows too. */                 \
    __attribute__((always_inline)) static inline void type##_block(                                           \
        const type *data, const int32_t *indices, int64_t stored, int64_t known, const type *x, int64_t k,    \
        type *restrict y, int64_t width)                                                                      \
    {                                                                                                         \
        type sums[WIDE] = {0};                                                                                \
        for (int64_t e = 0; e < stored; e++) {                                                                \
            const type *row = x + indices[e] * k, value = data[e];                                            \
            if (e + AHEAD < known)                                                                            \
                type##_fetch(x + indices[e + AHEAD] * k, width);                                              \
            for (int64_t j = 0; j < width; j++)                                                               \
                sums[j] += value * row[j];                                                                    \
        }                                                                                                     \
        memcpy(y, sums, width * sizeof(type));                                                                \
    }                                                                                                         \
    FOR_EACH_MACHINE static int type##_dot(void *const *buffers, const int64_t *sizes, int64_t begin,         \
                                           int64_t end, void *scratch)                                        \
    {                                                                                                         \
        (void)scratch;                                                                                        \
        const int32_t *indices = buffers[INDICES], *starts = buffers[STARTS];                                 \
        const type *data = buffers[FIRST], *x = buffers[SECOND];                                              \
        int64_t k = sizes[WIDTH], whole = k - k % WIDE, last = part_begin(starts, sizes[ROWS], end);          \
        for (int64_t i = part_begin(starts, sizes[ROWS], begin); i < last; i++) {                             \
            int64_t first = starts[i], stored = starts[i + 1] - first, known = sizes[STORED] - first;         \
            type *y = (type *)buffers[RESULT] + i * k;                                                        \
            for (int64_t j = 0; j < whole; j += WIDE)                                                         \
                type##_block(data + first, indices + first, stored, known, x + j, k, y + j, WIDE);            \
            if (whole < k)                                                                                    \
                type##_block(data + first, indices + first, stored, known, x + whole, k, y + whole, k - whole);\
        }                                                                                                     \
        return 0;                                                                                             \
    }                                                                                                         \
    FOR_EACH_MACHINE static int type##_dot_transposed(void *const *buffers, const int64_t *sizes,             \
                                                      int64_t begin, int64_t end, void *scratch)              \
    {                                                                                                         \
        (void)scratch;                                                                                        \
        const int32_t *indices = buffers[INDICES], *starts = buffers[STARTS];                                 \
        const type *data = buffers[FIRST], *x = buffers[SECOND];                                              \
        type *restrict result = buffers[RESULT];                                                              \
        int64_t k = sizes[WIDTH];                                                                             \
        for (int64_t i = 0; i < sizes[COLUMNS]; i++)                                                          \
            memset(result + i * k + begin, 0, (end - begin) * sizeof(type));                                  \
        for (int64_t i = 0; i < sizes[ROWS]; i++)                                                             \
            for (int64_t e = starts[i]; e < starts[i + 1]; e++) {                                             \
                if (e + AHEAD < sizes[STORED])                                                                \
                    type##_fetch(result + indices[e + AHEAD] * k + begin, end - begin);                       \
                type *restrict y = result + indices[e] * k;                                                   \
                type value = data[e];                                                                         \
                for (int64_t j = begin; j < end; j++)                                                         \
                    y[j] += value * x[i * k + j];                                                             \
            }                                                                                                 \
        return 0;                                                                                             \
    }                                                                                                         \
    FOR_EACH_MACHINE static type type##_inner(const type *x, const type *y, int64_t k)                        \
    {                                                                                                         \
        type sums[8] = {0};                                                                                   \
        int64_t j = 0;                                                                                        \
        for (; j + 8 <= k; j += 8)                                                                            \
            for (int lane = 0; lane < 8; lane++)                                                              \
                sums[lane] += x[j + lane] * y[j + lane];                                                      \
        type rest = 0;                                                                                        \
        for (; j < k; j++)                                                                                    \
            rest += x[j] * y[j];                                                                              \
        return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7])) + rest; \
    }                                                                                                         \
    static int type##_sampled(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch) \
    {                                                                                                         \
        (void)scratch;                                                                                        \
        const int32_t *indices = buffers[INDICES], *starts = buffers[STARTS];                                 \
        const type *x = buffers[FIRST], *y = buffers[SECOND];                                                 \
        int64_t k = sizes[WIDTH], last = part_begin(starts, sizes[ROWS], end);                                \
        for (int64_t i = part_begin(starts, sizes[ROWS], begin); i < last; i++)                               \
            for (int64_t e = starts[i]; e < starts[i + 1]; e++) {                                             \
                if (e + AHEAD < sizes[STORED])                                                                \
                    type##_fetch(y + indices[e + AHEAD] * k, k < WIDE ? k : WIDE);                            \
                ((type *)buffers[RESULT])[e] = type##_inner(x + i * k, y + indices[e] * k, k);                \
            }                                                                                                 \
        return 0;                                                                                             \
    }

PRODUCTS(float)
PRODUCTS(double)

/* Whether the positions are those of an (m, n) matrix: nothing is read before that is known. */
FOR_EACH_MACHINE static bool is_compressed(const int32_t *indices, const int32_t *starts, const int64_t *sizes)
{
    int64_t wrong = starts[0] != 0 || starts[sizes[ROWS]] != sizes[STORED];
    for (int64_t i = 0; i < sizes[ROWS]; i++)
        wrong |= starts[i] > starts[i + 1];
    uint32_t limit = sizes[COLUMNS] > INT32_MAX ? INT32_MAX : (uint32_t)sizes[COLUMNS];
    for (int64_t e = 0; e < sizes[STORED]; e++)
        wrong |= (uint32_t)indices[e] >= limit;
    return !wrong;
}

static int run(const Arguments *arguments, Kernel kernel, int64_t units)
{
    if (!is_compressed(arguments->buffers[INDICES], arguments->buffers[STARTS], arguments->sizes))
        return 1;
    int threads = arguments->threads < units ? arguments->threads : (int)units;
    return threads > 1 ? parallel_for(kernel, arguments->buffers, arguments->sizes, units, threads, NULL, 0)
                       : kernel(arguments->buffers, arguments->sizes, 0, units, NULL);
}

static bool is_single(const Arguments *arguments)
{
    return arguments->types[RESULT].itemsize == 4;
}

static int run_dot(const Arguments *arguments)
{
    return run(arguments, is_single(arguments) ? float_dot : double_dot, PARTS);
}

static int run_dot_transposed(const Arguments *arguments)
{
    return run(arguments, is_single(arguments) ? float_dot_transposed : double_dot_transposed,
               arguments->sizes[WIDTH]);
}

static int run_sampled(const Arguments *arguments)
{
    return run(arguments, is_single(arguments) ? float_sampled : double_sampled, PARTS);
}

static bool fits(const Arguments *arguments, const int64_t *lengths)
{
    const int64_t *sizes = arguments->sizes;
    bool good = arguments->bytes[STARTS] / 4 == sizes[ROWS] + 1 && arguments->bytes[INDICES] / 4 == sizes[STORED]
                && sizes[STORED] <= INT32_MAX;
    for (int buffer = FIRST; good && buffer <= RESULT; buffer++)
        good = matrices_fit(arguments->bytes[buffer], &arguments->types[buffer], 1, lengths[2 * (buffer - FIRST)],
                            lengths[2 * (buffer - FIRST) + 1]);
    return good;
}

static bool dot_fits(const Arguments *arguments)
{
    const int64_t *s = arguments->sizes;
    return fits(arguments, (int64_t[]){s[STORED], 1, s[COLUMNS], s[WIDTH], s[ROWS], s[WIDTH]});
}

static bool dot_transposed_fits(const Arguments *arguments)
{
    const int64_t *s = arguments->sizes;
    return fits(arguments, (int64_t[]){s[STORED], 1, s[ROWS], s[WIDTH], s[COLUMNS], s[WIDTH]});
}

static bool sampled_fits(const Arguments *arguments)
{
    const int64_t *s = arguments->sizes;
    return fits(arguments, (int64_t[]){s[ROWS], s[WIDTH], s[COLUMNS], s[WIDTH], s[STORED], 1});
}

static const enum LibraryFunction none[] = {NO_FUNCTION};

#define SPARSE_KIND(own, function)                                                                      \
    {.name = own, .least_inputs = 4, .most_inputs = 4, .outputs = 1, .sizes = 4, .positions = 3, \
     .kinds = "f", .functions = none, .fits = function##_fits, .run = run_##function}

const RoutineKind sparse_dot_kind = SPARSE_KIND("sparse_dot", dot);
const RoutineKind sparse_dot_transposed_kind = SPARSE_KIND("sparse_dot_transposed", dot_transposed);
const RoutineKind sampled_dot_kind = SPARSE_KIND("sampled_dot", sampled);
