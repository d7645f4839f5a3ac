/* Small matrices: kernels for several at a time, for which a library's call would take longer than its work. */
#ifndef SYMTENSOR_SMALL_H
#define SYMTENSOR_SMALL_H

#include <stdbool.h>
#include <stdint.h>

#define SMALL 32                 /* rows and columns, at most */

/* Which triangle of a row-major matrix counts, and how. */
struct Triangle {
    bool lower, transposed, unit;
};

/* Each is for `count` row-major matrices, `stride` elements apart; statuses are 1 for what has no result. */
typedef int (*FactorSmall)(void *matrices, int64_t stride, int count, int n, bool lower, bool nan);
typedef int (*SolveTriangles)(const void *matrices, int64_t stride, void *right, int64_t right_stride, int count, int n,
                              int columns, struct Triangle triangle);
typedef int (*SolveSmall)(const void *matrices, int64_t stride, void *right, int64_t right_stride, int count, int n,
                          int columns, bool transposed);
typedef int (*InvertSmall)(void *matrices, int64_t stride, int count, int n);
typedef void (*DetermineSmall)(const void *matrices, int64_t stride, int count, int n, void *signs, void *values);

typedef struct {
    int lanes;                   /* how many matrices go at a time */
    FactorSmall factor;
    SolveTriangles solve_triangles;
    SolveSmall solve;
    InvertSmall invert;
    DetermineSmall determine;
} SmallKernels;

/* The kernels for float or double that suit this processor. */
const SmallKernels *small_kernels(bool single);

#endif
