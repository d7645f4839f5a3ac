/* Routines: what a library computes in one instruction.
 *
 * A routine is an entry in the table of routines.c: what it takes, what must hold of its arguments, and the function
 * that runs it. The ops that it computes say so in their method `routine` (symtensor/ir/routine.py).
 */
#ifndef SYMTENSOR_ROUTINES_H
#define SYMTENSOR_ROUTINES_H

#include "libraries.h"

#define ROUTINE_BUFFERS 8        /* as many as a routine may take */

/* A function compiled for several kinds of processor, of which the best one runs. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__)
#define FOR_EACH_MACHINE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3")))
#else
#define FOR_EACH_MACHINE
#endif

/* A call of a routine. The buffers are its inputs, then its outputs. */
typedef struct {
    int input_count, output_count;
    const Type *types;           /* of each buffer */
    const int64_t *bytes;        /* of each buffer; NULL while it runs */
    const int *flags;
    const int64_t *sizes;
    void *const *buffers;
    int threads;                 /* as many as it may use */
    int64_t scratch_bytes;       /* for each thread */
    void *scratch;               /* aligned as arenas are; NULL if there is none */
    Device *device;              /* on which the buffers are, and whose context is current; NULL for the processor */
} Arguments;

struct RoutineKind {
    const char *name;
    int least_inputs, most_inputs, outputs, sizes, flags; /* how many of each it takes */
    int least_outputs;           /* 0 where that is as many as `outputs` */
    int positions, long_positions; /* a bit for each buffer that holds int32 numbers, and int64 ones */
    int truths;                  /* the same for a bool on the processor, wherever the others are */
    const char *kinds;           /* NumPy's letters of the dtypes that the others may have */
    bool any_width;              /* and not only those of 32 bits and more */
    bool any_kind;               /* and not only one for all of them: `fits` tells which go together */
    bool on_device;              /* of a library of a device: it queues work there */
    const enum LibraryFunction *functions; /* those it may call, ended by NO_FUNCTION */
    bool needs_them;             /* whether it does nothing without */
    /* At bind: whether the buffers and the scratch hold what the sizes say. */
    bool (*fits)(const Arguments *arguments);
    /* Without the GIL: a status, zero for success; else the op says what it means. */
    int (*run)(const Arguments *arguments);
};

enum Element { FLOAT, DOUBLE, COMPLEX_FLOAT, COMPLEX_DOUBLE };

enum Element element_of(const Type *type);
/* Whether so many matrices of so many elements each, none of them negative, are in so many bytes. */
bool matrices_fit(int64_t bytes, const Type *type, int64_t matrices, int64_t rows, int64_t columns);

/* A product of two matrices that lie in larger ones: c = op(a) op(b), or what c is already and that, if `add`.
 * Rows are so many elements apart. */
typedef struct {
    enum Element element;        /* FLOAT or DOUBLE */
    bool transpose_a, transpose_b, add;
    int64_t m, n, k, row_a, row_b, row_c;
    const void *a, *b;
    void *c;
} Matrices;

int multiply_matrices(const Matrices *given);

extern const RoutineKind gemm_kind, cholesky_kind, solve_triangular_kind, solve_kind, lu_kind, exchange_kind, lu_solve_kind,
    inverse_kind, lu_inverse_kind, slogdet_kind, qr_kind, eigh_kind, svd_kind, eig_kind, sparse_dot_kind,
    sparse_dot_transposed_kind, sampled_dot_kind, convolution_kind, sort_kind, argsort_kind, select_kind, cumulate_kind,
    search_kind, device_gemm_kind, device_convolution_kind;

#endif
