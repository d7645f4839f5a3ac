/* Small matrices, as many at a time as a vector has lanes: included with TYPE, INTEGER (an integer as wide), LANES_ARE,
 * NAME, and the functions SQRT, LOG and SIZE of a TYPE.
 *
 * For small matrices the overhead of a library's call is most of its time. Here vector e of an array holds element e of
 * several matrices, so that what LAPACK does for one matrix is done for all of them, without a branch between them. A
 * matrix's bits do not depend on its neighbours.
 */

#define LANES LANES_ARE
#define VECTOR_BYTES (LANES * sizeof(TYPE))

typedef TYPE NAME(Lanes) __attribute__((vector_size(VECTOR_BYTES)));
typedef INTEGER NAME(Mask) __attribute__((vector_size(VECTOR_BYTES)));

static INLINE NAME(Lanes) NAME(selected)(NAME(Mask) where, NAME(Lanes) chosen, NAME(Lanes) other)
{
    return (NAME(Lanes))(((NAME(Mask))chosen & where) | ((NAME(Mask))other & ~where));
}

static INLINE NAME(Lanes) NAME(size)(NAME(Lanes) x)
{
    return NAME(selected)(x < 0, -x, x);
}

#include "transpose.h"

static INLINE NAME(Lanes) NAME(load)(const TYPE *from)
{
    NAME(Lanes) x;
    memcpy(&x, from, sizeof(x));
    return x;
}

/* The elements of `count` matrices, `stride` elements apart, into lanes; the last one again in those left over. */
static INLINE void NAME(take)(const TYPE *from, int64_t stride, int count, NAME(Lanes) *to, int items)
{
    int e = 0;
    for (; e < items / LANES * LANES; e += LANES) {
        NAME(Lanes) block[LANES];
#pragma GCC unroll 16
        for (int lane = 0; lane < LANES; lane++)
            block[lane] = NAME(load)(from + (lane < count ? lane : count - 1) * stride + e);
        NAME(transpose)(block);
#pragma GCC unroll 16
        for (int lane = 0; lane < LANES; lane++)
            to[e + lane] = block[lane];
    }
    for (; e < items; e++)
        for (int lane = 0; lane < LANES; lane++)
            ((TYPE *)to)[e * LANES + lane] = from[(lane < count ? lane : count - 1) * stride + e];
}

static INLINE void NAME(give)(const NAME(Lanes) *from, TYPE *to, int64_t stride, int count, int items)
{
    int e = 0;
    for (; e < items / LANES * LANES; e += LANES) {
        NAME(Lanes) block[LANES];
#pragma GCC unroll 16
        for (int lane = 0; lane < LANES; lane++)
            block[lane] = from[e + lane];
        NAME(transpose)(block);
        for (int lane = 0; lane < count; lane++)
            memcpy(to + lane * stride + e, &block[lane], sizeof(block[lane]));
    }
    for (; e < items; e++)
        for (int lane = 0; lane < count; lane++)
            to[lane * stride + e] = ((const TYPE *)from)[e * LANES + lane];
}

/* Whether a bit is set in one of the first `count` lanes. */
static INLINE bool NAME(any)(NAME(Mask) mask, int count)
{
    INTEGER found = 0;
    for (int lane = 0; lane < count; lane++)
        found |= mask[lane];
    return found != 0;
}

/* Cholesky factors in the place of `count` matrices; 1 if one is not positive definite, unless that is to be NaN.
 * An element (i, k) of the factor l is at (i, k) of the lower triangle, or for an upper factor at (k, i). */
static int NAME(factor_lanes)(void *matrices, int64_t stride, int count, int n, bool lower, bool nan)
{
    NAME(Lanes) a[SMALL * SMALL], zero = {0};
    NAME(Mask) failed = {0};
    int down = lower ? n : 1, right = lower ? 1 : n;
    NAME(take)(matrices, stride, count, a, n * n);
    for (int j = 0; j < n; j++) {
        NAME(Lanes) *pivot = a + j * (n + 1), scale;
        failed |= ~((*pivot > 0) & (*pivot < (TYPE)INFINITY));
        for (int lane = 0; lane < LANES; lane++)
            ((TYPE *)pivot)[lane] = SQRT(((TYPE *)pivot)[lane]);
        scale = 1 / *pivot;
        for (int i = j + 1; i < n; i++) {
            NAME(Lanes) own = a[i * down + j * right] *= scale;
            for (int k = j + 1; k <= i; k++)
                a[i * down + k * right] -= own * a[k * down + j * right];
        }
    }
    if (!nan && NAME(any)(failed, count))
        return 1;
    for (int i = 0; i < n; i++)
        for (int k = i + 1; k < n; k++)
            a[i * down + k * right] = zero;
    for (int e = 0; nan && e < n * n; e++)
        a[e] = NAME(selected)(failed, zero + (TYPE)NAN, a[e]);
    NAME(give)(a, matrices, stride, count, n * n);
    return 0;
}

/* Solutions with triangles, in the place of b; 1 if one is singular. */
static int NAME(solve_triangles)(const void *matrices, int64_t stride, void *right, int64_t right_stride, int count,
                                 int n, int columns, struct Triangle triangle)
{
    NAME(Lanes) a[SMALL * SMALL], b[SMALL * SMALL];
    NAME(Mask) singular = {0};
    bool lower = triangle.lower != triangle.transposed;
    int down = triangle.transposed ? 1 : n, along = triangle.transposed ? n : 1;
    NAME(take)(matrices, stride, count, a, n * n);
    NAME(take)(right, right_stride, count, b, n * columns);
    for (int step = 0; step < n; step++) {
        int k = lower ? step : n - 1 - step;
        NAME(Lanes) pivot = a[k * (n + 1)];
        if (!triangle.unit)
            singular |= pivot == 0;
        for (int j = 0; !triangle.unit && j < columns; j++)
            b[k * columns + j] /= pivot;
        for (int i = lower ? k + 1 : 0; i < (lower ? n : k); i++)
            for (int j = 0; j < columns; j++)
                b[i * columns + j] -= a[i * down + k * along] * b[k * columns + j];
    }
    if (NAME(any)(singular, count))
        return 1;
    NAME(give)(b, right, right_stride, count, n * columns);
    return 0;
}

static INLINE void NAME(exchange_rows)(NAME(Lanes) *x, int lane, int columns, int from, int64_t one, int64_t other)
{
    TYPE *first = (TYPE *)(x + one * columns) + lane, *second = (TYPE *)(x + other * columns) + lane;
    for (int j = from; j < columns; j++) {
        TYPE kept = first[j * LANES];
        first[j * LANES] = second[j * LANES];
        second[j * LANES] = kept;
    }
}

/* For each matrix, the row from k on whose element of column k is the largest: exchanged with row k, as are the rows
 * of b. Gives the lanes in which it was another row. */
static INLINE NAME(Mask) NAME(choose_pivot)(NAME(Lanes) *a, NAME(Lanes) *b, int n, int columns, int k)
{
    NAME(Lanes) best = NAME(size)(a[k * n + k]);
    NAME(Mask) row = {0};
    for (int i = k + 1; i < n; i++) {
        NAME(Lanes) own = NAME(size)(a[i * n + k]);
        NAME(Mask) larger = own > best;
        best = NAME(selected)(larger, own, best);
        row = (larger & i) | (row & ~larger);
    }
    for (int lane = 0; lane < LANES; lane++)
        if (row[lane] != 0) {
            NAME(exchange_rows)(a, lane, n, k, k, row[lane]);
            NAME(exchange_rows)(b, lane, columns, 0, k, row[lane]);
        }
    return row != 0;
}

/* Rows of a eliminated until it is an upper triangle, the rows of b with them. The sign of the exchanges goes to
 * `sign`, and whether a matrix is singular to `singular`. */
static INLINE void NAME(eliminate)(NAME(Lanes) *a, NAME(Lanes) *b, int n, int columns, NAME(Lanes) *sign,
                                   NAME(Mask) *singular)
{
    for (int k = 0; k < n; k++) {
        NAME(Mask) exchanged = NAME(choose_pivot)(a, b, n, columns, k);
        NAME(Lanes) pivot = a[k * n + k], inverse = 1 / pivot;
        *sign = NAME(selected)(exchanged, -*sign, *sign);
        *singular |= pivot == 0;
        for (int i = k + 1; i < n; i++) {
            NAME(Lanes) factor = a[i * n + k] * inverse;
            for (int j = k + 1; j < n; j++)
                a[i * n + j] -= factor * a[k * n + j];
            for (int j = 0; j < columns; j++)
                b[i * columns + j] -= factor * b[k * columns + j];
        }
    }
}

static INLINE void NAME(substitute)(const NAME(Lanes) *a, NAME(Lanes) *b, int n, int columns)
{
    for (int k = n - 1; k >= 0; k--) {
        for (int j = 0; j < columns; j++)
            b[k * columns + j] /= a[k * n + k];
        for (int i = 0; i < k; i++)
            for (int j = 0; j < columns; j++)
                b[i * columns + j] -= a[i * n + k] * b[k * columns + j];
    }
}

/* Solutions of op(a) x = b in the place of b; 1 if a matrix is singular. */
static int NAME(solve_lanes)(const void *matrices, int64_t stride, void *right, int64_t right_stride, int count, int n,
                             int columns, bool transposed)
{
    NAME(Lanes) a[SMALL * SMALL], b[SMALL * SMALL], sign = {0};
    NAME(Mask) singular = {0};
    NAME(take)(matrices, stride, count, a, n * n);
    for (int i = 0; transposed && i < n; i++)
        for (int j = 0; j < i; j++) {
            NAME(Lanes) kept = a[i * n + j];
            a[i * n + j] = a[j * n + i];
            a[j * n + i] = kept;
        }
    NAME(take)(right, right_stride, count, b, n * columns);
    NAME(eliminate)(a, b, n, columns, &sign, &singular);
    if (NAME(any)(singular, count))
        return 1;
    NAME(substitute)(a, b, n, columns);
    NAME(give)(b, right, right_stride, count, n * columns);
    return 0;
}

/* Inverses in the place of the matrices; 1 if one is singular. */
static int NAME(invert_lanes)(void *matrices, int64_t stride, int count, int n)
{
    NAME(Lanes) a[SMALL * SMALL], b[SMALL * SMALL], sign = {0};
    NAME(Mask) singular = {0};
    NAME(take)(matrices, stride, count, a, n * n);
    for (int e = 0; e < n * n; e++)
        b[e] = (NAME(Lanes)){0} + (TYPE)(e % (n + 1) == 0);
    NAME(eliminate)(a, b, n, n, &sign, &singular);
    if (NAME(any)(singular, count))
        return 1;
    NAME(substitute)(a, b, n, n);
    NAME(give)(b, matrices, stride, count, n * n);
    return 0;
}

/* Signs of determinants, and logarithms of their absolute values. */
static void NAME(determine_lanes)(const void *matrices, int64_t stride, int count, int n, void *signs, void *values)
{
    NAME(Lanes) a[SMALL * SMALL], sign = (NAME(Lanes)){0} + 1;
    NAME(Mask) singular = {0};
    NAME(take)(matrices, stride, count, a, n * n);
    NAME(eliminate)(a, a, n, 0, &sign, &singular);
    for (int lane = 0; lane < count; lane++) {
        TYPE product = singular[lane] ? 0 : sign[lane], sum = singular[lane] ? -(TYPE)INFINITY : 0;
        for (int k = 0; k < n && !singular[lane]; k++) {
            TYPE pivot = a[k * n + k][lane];
            product = pivot < 0 ? -product : product;
            sum += LOG(SIZE(pivot));
        }
        ((TYPE *)signs)[lane] = product;
        ((TYPE *)values)[lane] = sum;
    }
}

static const SmallKernels NAME(kernels) = {
    LANES, NAME(factor_lanes), NAME(solve_triangles), NAME(solve_lanes),
    NAME(invert_lanes), NAME(determine_lanes)};

#undef LANES
#undef VECTOR_BYTES
#undef TYPE
#undef INTEGER
#undef NAME
#undef LANES_ARE
#undef SQRT
#undef LOG
#undef SIZE
