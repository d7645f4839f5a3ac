/* Running sums and products along an axis. Sizes outer, n, inner; with PRODUCT, products. Of integers they may have 64
 * bits where these have fewer; of floats they are kept in twice as many bits, up to 64. Threads divide the rows. */
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

/* One row in order. Unrolled, since the time of so short a loop depends on where its code happens to lie. */
#define ROW(name, type, result, wide, first, combine, widen, narrow)                                     \
    static void name##_row(const type *restrict x, int64_t n, result *restrict y)                        \
    {                                                                                                    \
        wide total = first;                                                                              \
        _Pragma("GCC unroll 4")                                                                          \
        for (int64_t i = 0; i < n; i++) {                                                                \
            total = combine(total, widen(x[i]));                                                         \
            y[i] = narrow(total);                                                                        \
        }                                                                                                \
    }

/* Rows side by side. */
#define SIDE_BY_SIDE(name, type, result, wide, first, combine, widen, narrow)                            \
    FOR_EACH_MACHINE static void name##_columns(const type *restrict x, int64_t n, int64_t inner, int count, \
                                                result *restrict y)                                      \
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

#define SUM_AND_PRODUCT(name, type, result, wide, widen, narrow)              \
    CUMULATE(name##_sum, type, result, wide, 0, ADD, widen, narrow)           \
    CUMULATE(name##_product, type, result, wide, 1, MULTIPLY, widen, narrow)

#define PAIRS(type, widen, narrow)                                                                    \
    CUMULATE(type##_sum, type, type, double_pair, ((double_pair){0, 0}), ADD_PAIRS, widen, narrow)    \
    CUMULATE(type##_product, type, type, double_pair, ((double_pair){1, 0}), MULTIPLY_PAIRS, widen, narrow)

SUM_AND_PRODUCT(uint8_t, uint8_t, uint8_t, uint32_t, SAME, (uint8_t))
SUM_AND_PRODUCT(uint16_t, uint16_t, uint16_t, uint32_t, SAME, (uint16_t))
SUM_AND_PRODUCT(uint32_t, uint32_t, uint32_t, uint32_t, SAME, SAME)
SUM_AND_PRODUCT(uint64_t, uint64_t, uint64_t, uint64_t, SAME, SAME)
SUM_AND_PRODUCT(wide_int8, int8_t, uint64_t, uint64_t, (uint64_t), SAME)
SUM_AND_PRODUCT(wide_int16, int16_t, uint64_t, uint64_t, (uint64_t), SAME)
SUM_AND_PRODUCT(wide_int32, int32_t, uint64_t, uint64_t, (uint64_t), SAME)
SUM_AND_PRODUCT(wide_uint8, uint8_t, uint64_t, uint64_t, (uint64_t), SAME)
SUM_AND_PRODUCT(wide_uint16, uint16_t, uint64_t, uint64_t, (uint64_t), SAME)
SUM_AND_PRODUCT(wide_uint32, uint32_t, uint64_t, uint64_t, (uint64_t), SAME)
SUM_AND_PRODUCT(half, uint16_t, uint16_t, float, half_value, half_bits)
SUM_AND_PRODUCT(bfloat, uint16_t, uint16_t, float, bfloat_value, bfloat_bits)
SIDE_BY_SIDE(float_sum, float, float, double, 0, ADD, SAME, (float))
CUMULATE(float_product, float, float, double, 1, MULTIPLY, SAME, (float))
SUM_AND_PRODUCT(double, double, double, double, SAME, SAME)
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

static Functions functions_of(const Type *type, const Type *result, bool product)
{
    static const Functions whole[4][2] = {OF(uint8_t), OF(uint16_t), OF(uint32_t), OF(uint64_t)};
    static const Functions widened[2][3][2] = {{OF(wide_uint8), OF(wide_uint16), OF(wide_uint32)},
                                               {OF(wide_int8), OF(wide_int16), OF(wide_int32)}};
    static const Functions real[3][2] = {OF(half), OF(float), OF(double)};
    static const Functions bfloat[2] = OF(bfloat);
    static const Functions pairs[2][2] = {OF(float_pair), OF(double_pair)};
    int width = __builtin_ctz((unsigned)type->itemsize);
    if (type->kind == 'f')
        return real[width - 1][product];
    if (type->kind == BFLOAT)
        return bfloat[product];
    if (type->kind == 'c')
        return pairs[width - 3][product];
    return type->itemsize < result->itemsize ? widened[type->kind == 'i'][width][product] : whole[width][product];
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
    const Type *types = arguments->types;
    Functions functions = functions_of(&types[0], &types[1], arguments->flags[PRODUCT]);
    for (int64_t i = begin; i < end; i++) {
        int64_t first = i % groups * COLUMNS, offset = i / groups * n * inner + first;
        const char *x = (const char *)arguments->buffers[0] + offset * types[0].itemsize;
        char *y = (char *)arguments->buffers[1] + offset * types[1].itemsize;
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
    const Type *types = arguments->types;
    bool same = types[0].kind == types[1].kind && types[0].itemsize == types[1].itemsize;
    bool widened = strchr("biu", types[0].kind) != NULL && strchr("iu", types[1].kind) != NULL
                   && types[1].itemsize == 8;
    return (same || widened) && matrices_fit(arguments->bytes[0], &types[0], 1, count, sizes[1])
        && matrices_fit(arguments->bytes[1], &types[1], 1, count, sizes[1]);
}

static const enum LibraryFunction none[] = {NO_FUNCTION};

const RoutineKind cumulate_kind = {
    .name = "cumulate", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 3, .flags = 1, .kinds = "biufBc",
    .any_width = true, .any_kind = true, .functions = none, .fits = fits, .run = run};
