/* Where values belong in an ascending vector: before their equals, or with RIGHT behind them; NaN is last. Sizes n, of the
 * vector, and how many values there are. Threads divide the values. */
#include "half.h"
#include "order.h"

#define LANES 16                 /* values that are searched for side by side */

enum { RIGHT };

#define IS_LESS(a, b) ((a) < (b))
#define IS_LESS_FLOAT(a, b) (((a) < (b)) | (((b) != (b)) & ((a) == (a))))
#define IS_LESS_HALF(a, b) IS_LESS_FLOAT(half_value(a), half_value(b))
#define IS_LESS_BFLOAT(a, b) IS_LESS_FLOAT(bfloat_value(a), bfloat_value(b))
#define IS_BEFORE_LEFT(less, own, value) less(own, value)
#define IS_BEFORE_RIGHT(less, own, value) !less(value, own)

/* Halving without branches: before[lane] grows to how many elements come before the value. */
#define SEARCH(name, type, less, is_before)                                                                   \
    FOR_EACH_MACHINE static void name(const void *vector, int64_t n, const void *given, int count, int64_t *places) \
    {                                                                                                         \
        const type *ascending = vector, *values = given;                                                      \
        type own[LANES];                                                                                      \
        int64_t before[LANES] = {0};                                                                          \
        for (int lane = 0; lane < LANES; lane++)                                                              \
            own[lane] = values[lane < count ? lane : 0];                                                      \
        for (int64_t left = n; left > 0;) {                                                                   \
            int64_t half = (left + 1) / 2;                                                                    \
            for (int lane = 0; lane < LANES; lane++) {                                                        \
                type middle = ascending[before[lane] + half - 1];                                             \
                before[lane] += half & -(int64_t)is_before(less, middle, own[lane]);                          \
            }                                                                                                 \
            left -= half;                                                                                     \
        }                                                                                                     \
        memcpy(places, before, count * sizeof(*before));                                                      \
    }

#define BOTH(name, type, less)                          \
    SEARCH(name##_left, type, less, IS_BEFORE_LEFT)     \
    SEARCH(name##_right, type, less, IS_BEFORE_RIGHT)

BOTH(int8_t, int8_t, IS_LESS)
BOTH(int16_t, int16_t, IS_LESS)
BOTH(int32_t, int32_t, IS_LESS)
BOTH(int64_t, int64_t, IS_LESS)
BOTH(uint8_t, uint8_t, IS_LESS)
BOTH(uint16_t, uint16_t, IS_LESS)
BOTH(uint32_t, uint32_t, IS_LESS)
BOTH(uint64_t, uint64_t, IS_LESS)
BOTH(half, uint16_t, IS_LESS_HALF)
BOTH(bfloat, uint16_t, IS_LESS_BFLOAT)
BOTH(float, float, IS_LESS_FLOAT)
BOTH(double, double, IS_LESS_FLOAT)

typedef void (*Search)(const void *ascending, int64_t n, const void *values, int count, int64_t *places);

#define OF(name) {name##_left, name##_right}

static Search search_of(const Type *type, bool right)
{
    static const Search with_sign[4][2] = {OF(int8_t), OF(int16_t), OF(int32_t), OF(int64_t)};
    static const Search without[4][2] = {OF(uint8_t), OF(uint16_t), OF(uint32_t), OF(uint64_t)};
    static const Search real[3][2] = {OF(half), OF(float), OF(double)};
    static const Search bfloat[2] = OF(bfloat);
    int width = __builtin_ctz((unsigned)type->itemsize);
    if (type->kind == BFLOAT)
        return bfloat[right];
    return type->kind == 'f' ? real[width - 1][right] : (type->kind == 'i' ? with_sign : without)[width][right];
}

static int search(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)scratch;
    const Arguments *arguments = buffers[0];
    const Type *type = arguments->types;
    Search own = search_of(type, arguments->flags[RIGHT]);
    for (int64_t i = begin * LANES; i < smaller_of(end * LANES, sizes[1]); i += LANES)
        own(arguments->buffers[0], sizes[0], (const char *)arguments->buffers[1] + i * type->itemsize,
            (int)smaller_of(LANES, sizes[1] - i), (int64_t *)arguments->buffers[2] + i);
    return 0;
}

static int run(const Arguments *arguments)
{
    const int64_t *sizes = arguments->sizes;
    void *buffers[] = {(void *)arguments};
    int64_t units = (sizes[1] + LANES - 1) / LANES;
    int threads = threads_for(multiply_saturating(16, sizes[1]), units);
    threads = threads < arguments->threads ? threads : arguments->threads;
    return threads > 1 ? parallel_for(search, buffers, sizes, units, threads, NULL, 0)
                       : search(buffers, sizes, 0, units, NULL);
}

static bool fits(const Arguments *arguments)
{
    const int64_t *sizes = arguments->sizes;
    const Type *type = arguments->types;
    return matrices_fit(arguments->bytes[0], type, 1, 1, sizes[0])
        && matrices_fit(arguments->bytes[1], type, 1, 1, sizes[1])
        && matrices_fit(arguments->bytes[2], &arguments->types[2], 1, 1, sizes[1]);
}

static const enum LibraryFunction none[] = {NO_FUNCTION};

const RoutineKind search_kind = {
    .name = "search", .least_inputs = 2, .most_inputs = 2, .outputs = 1, .sizes = 2, .flags = 1, .long_positions = 4,
    .kinds = "biufB", .any_width = true, .functions = none, .fits = fits, .run = run};
