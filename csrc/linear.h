/* What the routines of linear algebra share: one task for each matrix of a batch.
 *
 * Matrices are row-major. LAPACK is column-major, where a row-major matrix is its own transpose, and its lower
 * triangle the upper one.
 */
#ifndef SYMTENSOR_LINEAR_H
#define SYMTENSOR_LINEAR_H

#include "routines.h"
#include "small.h"

/* What is done to each matrix of a batch. */
typedef struct Task {
    /* A status, for the buffers of one matrix. */
    int (*work)(const struct Task *task, char *const *at, void *scratch);
    /* The same for `count` matrices, the first of which are `at`: for small ones, as many as `small` has lanes. */
    int (*several)(const struct Task *task, char *const *at, int count);
    const SmallKernels *small;
    int64_t batch;
    const Arguments *arguments;
    const int *flags;
    enum Element element;
    int itemsize;
    int m, n;                    /* rows and columns of what is worked on */
    int64_t strides[ROUTINE_BUFFERS]; /* of each buffer, from matrix to matrix, in bytes */
} Task;

/* The task for arguments, without `work`; m and n must count in int. */
Task task_of(const Arguments *arguments, int64_t m, int64_t n);
/* Run a task for a batch of matrices, each of so many multiplications. One matrix at a time where BLAS does better to
 * divide it; else our threads divide the batch. */
int run_batch(Task *task, int64_t batch, int64_t multiplications);

/* Have small matrices be worked on several at a time. */
void take_several(Task *task, int (*several)(const Task *task, char *const *at, int count));
/* Elements from one matrix to the next in a buffer. */
int64_t stride_of(const Task *task, int buffer);

bool counts_in_int(int64_t m, int64_t n);
int64_t smaller(int64_t a, int64_t b);
/* Whether there is scratch for so many elements of a type, and for so many ints. */
bool scratch_holds(const Arguments *arguments, const Type *type, int64_t items, int64_t integers);

/* The solution of a triangular system of m rows, in the place of its right side of n columns. */
void solve_triangle(const Task *task, const char *matrix, char *right, struct Triangle triangle);
/* Whether one of the m elements on the diagonal is zero. */
bool has_zero(const Task *task, const char *matrix);

/* Whether numbers are of 32 bits, or of two parts of 32 bits each; how many parts a number has, and the bytes of one. */
bool is_single(const Task *task);
int parts_of(const Task *task);
int part_size(const Task *task);
/* Zeros, and ones on the diagonal. */
void set_identity(const Task *task, char *matrix, int64_t rows, int64_t columns);
/* Whether a type is that of the parts of another: itself, unless that is complex. */
bool is_part_of(const Type *part, const Type *type);
bool are_alike(const Type *one, const Type *other);

/* A row-major matrix as a column-major one, or back with rows and columns exchanged. */
void exchange_axes(const char *from, char *to, int64_t rows, int64_t columns, int itemsize);
void exchange_in_place(char *matrix, int64_t n, int itemsize);

#endif
