/* Running sums and products along an axis. Sizes outer, n, inner; with PRODUCT, products. Sums and products of floats
 * are kept in twice as many bits, up to 64. Threads divide the rows. */
#include "half.h"
#include "order.h"

#define SEGMENT 64               /* elements whose running sums are found beside those of other segments */
#define SEGMENTS 4
#define COLUMNS 128              /* rows that are gone through side by side where elements are not beside each other */

enum { PRODUCT };

typedef struct {
    float re, im;
} float_pair;

typedef struct {
    double re, im;
} double_pair;

#define ADD(a, b) ((a) + (b))
#define MULTIPLY(a, b) ((a) * (b))
#define ADD_PAIRS(a, b) ((double_pair){(a).re + (b).re, (a).im + (b).im})
#define MULTIPLY_PAIRS(a, b) ((double_pair){(a).re * (b).re - (a).im * (b).im, (a).re * (b).im + (a).im * (b).re})
#define SAME(x) (x)
#define WIDE_PAIR(x) ((double_pair){(x).re, (x).im})
#define FLOAT_PAIR(x) ((float_pair){(float)(x).re, (float)(x).im})

/* One row in order. */
#define ROW(name, type, wide, first, combine, widen, narrow)                                             \
    static void name##_row(const type *restrict x, int64_t n, type *restrict y)                          \
    {                                                                                                    \
        wide total = first;                                                                              \
        for (int64_t i = 0; i < n; i++) {                                                                \
            total = combine(total, widen(x[i]));                                                         \
            y[i] = narrow(total);                                                                        \
        }                                                                                                \
    }

/* Rows side by side. */
#define SIDE_BY_SIDE(name, type, wide, first, combine, widen, narrow)                                    \
    FOR_EACH_MACHINE static void name##_columns(const type *restrict x, int64_t n, int64_t inner, int count, \
                                                type *restrict y)                                        \
    {                                                                                                    \
        wide totals[COLUMNS];                                                                            \
        for (int row = 0; row < count; row++)                                                            \
            totals[row] = first;                                                                         \
        for (int64_t i = 0; i < n; i++, x += inner, y += inner)                                          \
            for (int row = 0; row < count; row++) {                                                      \
                totals[row] = combine(totals[row], widen(x[row]));                                       \
                y[row] = narrow(totals[row]);                                                            \
            }                                                                                            \
    }

#define CUMULATE(...) ROW(__VA_ARGS__) SIDE_BY_SIDE(__VA_ARGS__)

#define SUM_AND_PRODUCT(type, wide, narrow)                   \
    CUMULATE(type##_sum, type, wide, 0, ADD, SAME, narrow)    \
    CUMULATE(type##_product, type, wide, 1, MULTIPLY, SAME, narrow)

#define PAIRS(type, widen, narrow)                                                              \
    CUMULATE(type##_sum, type, double_pair, ((double_pair){0, 0}), ADD_PAIRS, widen, narrow)    \
    CUMULATE(type##_product, type, double_pair, ((double_pair){1, 0}), MULTIPLY_PAIRS, widen, narrow)

SUM_AND_PRODUCT(uint8_t, uint32_t, (uint8_t))
SUM_AND_PRODUCT(uint16_t, uint32_t, (uint16_t))
SUM_AND_PRODUCT(uint32_t, uint32_t, SAME)
SUM_AND_PRODUCT(uint64_t, uint64_t, SAME)
CUMULATE(half_sum, uint16_t, float, 0, ADD, half_value, half_bits)
CUMULATE(half_product, uint16_t, float, 1, MULTIPLY, half_value, half_bits)
SIDE_BY_SIDE(float_sum, float, double, 0, ADD, SAME, (float))
CUMULATE(float_product, float, double, 1, MULTIPLY, SAME, (float))
SUM_AND_PRODUCT(double, double, SAME)
PAIRS(float_pair, WIDE_PAIR, FLOAT_PAIR)
PAIRS(double_pair, SAME, SAME)

/* Running sums of segments, one after the other in each but side by side, and then what was before each added. Sums of
 * numbers that are not negative never fall, as they would not in order. */
FOR_EACH_MACHINE static double float_segments(const float *restrict x, double before, float *restrict y)
{
    double sums[SEGMENTS][SEGMENT], totals[SEGMENTS] = {0};
    for (int i = 0; i < SEGMENT; i++)
        for (int segment = 0; segment < SEGMENTS; segment++)
            sums[segment][i] = totals[segment] += x[segment * SEGMENT + i];
    for (int segment = 0; segment < SEGMENTS; segment++) {
        for (int i = 0; i < SEGMENT; i++)
            y[segment * SEGMENT + i] = (float)(before + sums[segment][i]);
        before += totals[segment];
    }
    return before;
}

static void float_sum_row(const float *x, int64_t n, float *y)
{
    double before = 0;
    int64_t i = 0;
    for (; i + SEGMENTS * SEGMENT <= n; i += SEGMENTS * SEGMENT)
        before = float_segments(x + i, before, y + i);
    for (; i < n; i++)
        y[i] = (float)(before += x[i]);
}

typedef struct {
    void (*row)(const void *x, int64_t n, void *y);
    void (*columns)(const void *x, int64_t n, int64_t inner, int count, void *y);
} Functions;

#define FUNCTIONS(name) {(void (*)(const void *, int64_t, void *))name##_row, \
                         (void (*)(const void *, int64_t, int64_t, int, void *))name##_columns}
#define OF(type) {FUNCTIONS(type##_sum), FUNCTIONS(type##_product)}

static Functions functions_of(const Type *type, bool product)
{
    static const Functions whole[4][2] = {OF(uint8_t), OF(uint16_t), OF(uint32_t), OF(uint64_t)};
    static const Functions real[3][2] = {OF(half), OF(float), OF(double)};
    static const Functions pairs[2][2] = {OF(float_pair), OF(double_pair)};
    if (type->kind == 'f')
        return real[__builtin_ctz((unsigned)type->itemsize) - 1][product];
    if (type->kind == 'c')
        return pairs[type->itemsize == 16][product];
    return whole[__builtin_ctz((unsigned)type->itemsize)][product];
}

static int64_t groups_of(const int64_t *sizes)
{
    return (sizes[2] + COLUMNS - 1) / COLUMNS;
}

static int cumulate(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)scratch;
    const Arguments *arguments = buffers[0];
    int64_t n = sizes[1], inner = sizes[2], groups = groups_of(sizes);
    const Type *type = arguments->types;
    Functions functions = functions_of(type, arguments->flags[PRODUCT]);
    for (int64_t i = begin; i < end; i++) {
        int64_t first = i % groups * COLUMNS, offset = (i / groups * n * inner + first) * type->itemsize;
        const char *x = (const char *)arguments->buffers[0] + offset;
        char *y = (char *)arguments->buffers[1] + offset;
        if (inner == 1)
            functions.row(x, n, y);
        else
            functions.columns(x, n, inner, (int)smaller_of(inner - first, COLUMNS), y);
    }
    return 0;
}

static int run(const Arguments *arguments)
{
    const int64_t *sizes = arguments->sizes;
    void *buffers[] = {(void *)arguments};
    int64_t units = sizes[0] * groups_of(sizes);
    int threads = threads_for(multiply_saturating(sizes[1], sizes[0] * sizes[2]), units);
    threads = threads < arguments->threads ? threads : arguments->threads;
    return threads > 1 ? parallel_for(cumulate, buffers, sizes, units, threads, NULL, 0)
                       : cumulate(buffers, sizes, 0, units, NULL);
}

static bool fits(const Arguments *arguments)
{
    const int64_t *sizes = arguments->sizes;
    int64_t count = sizes[0] < 0 || sizes[2] < 0 ? -1 : multiply_saturating(sizes[0], sizes[2]);
    const Type *type = arguments->types;
    return matrices_fit(arguments->bytes[0], type, 1, count, sizes[1])
        && matrices_fit(arguments->bytes[1], type, 1, count, sizes[1]);
}

static const enum LibraryFunction none[] = {NO_FUNCTION};

const RoutineKind cumulate_kind = {
    .name = "cumulate", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 3, .flags = 1, .kinds = "iufc",
    .any_width = true, .functions = none, .fits = fits, .run = run};
