/* Linear algebra of LAPACK: factors and solutions, each for a batch of matrices of one shape.
 *
 * Matrices are row-major. LAPACK is column-major, where a row-major matrix is its own transpose, and its lower
 * triangle the upper one.
 */
#include "routines.h"

#include <math.h>

#define SHARED_SIZE 512          /* rows from which BLAS divides the work on one matrix */
#define WORK_RATE 8              /* multiplications done in the time of one element of work */
#define CALL_WORK 50             /* elements of work that calling a routine takes */

/* What is done to each matrix of a batch. */
typedef struct Task {
    int (*work)(const struct Task *task, char *matrix, char *result, void *scratch); /* a status */
    enum Element element;
    const int *flags;
    int n, columns;              /* the matrix is n by n, the result n by columns */
    int64_t stride, result_stride; /* in bytes */
    char *matrices, *results;
} Task;

/* A kernel for a parallel-for: matrices begin..end of the batch. */
static int run_part(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes;
    const Task *task = buffers[0];
    int status = 0;
    for (int64_t i = begin; i < end && status == 0; i++)
        status = task->work(task, task->matrices + i * task->stride, task->results + i * task->result_stride, scratch);
    return status;
}

/* One matrix at a time where BLAS does better to divide it; else our threads divide the batch. */
static int run_batch(const Arguments *arguments, Task *task, int64_t batch)
{
    void *buffers[] = {task};
    int64_t one = multiply_saturating((int64_t)task->n * task->n, task->columns) / WORK_RATE + CALL_WORK;
    bool shared = task->n >= SHARED_SIZE;
    int threads = shared ? 1 : threads_for(multiply_saturating(one, batch), batch);
    threads = threads < arguments->threads ? threads : arguments->threads;
    int before = blas_threads_take(shared ? arguments->threads : 1);
    int status = threads > 1 ? parallel_for(run_part, buffers, NULL, batch, threads, arguments->scratch,
                                            arguments->scratch_bytes)
                             : run_part(buffers, NULL, 0, batch, arguments->scratch);
    blas_threads_give(before);
    return status;
}

static bool counts_in_int(int64_t n, int64_t columns)
{
    return n <= INT_MAX && columns <= INT_MAX;
}

/* Cholesky factors, in the place of the matrices; sizes n, batch. What is above the diagonal (below, for an upper
 * factor) is not read, and becomes zero. A matrix that is not positive definite is a failure, or NaN if so wished. */

enum { CHOLESKY_LOWER, CHOLESKY_NAN };

typedef void (*Potrf)(const char *, const int *, void *, const int *, int *);

#define FACTOR_FINISHED(name, type)                                              \
    static void name(type *matrix, int n, bool lower, bool failed)               \
    {                                                                            \
        for (int64_t i = 0; i < n; i++) {                                        \
            int64_t begin = failed ? 0 : lower ? i + 1 : 0, end = failed || lower ? n : i; \
            for (int64_t j = begin; j < end; j++)                                \
                matrix[i * n + j] = failed ? NAN : 0;                            \
        }                                                                        \
    }

FACTOR_FINISHED(finish_float, float)
FACTOR_FINISHED(finish_double, double)

static int factor(const Task *task, char *matrix, char *result, void *scratch)
{
    (void)matrix;
    (void)scratch;
    bool lower = task->flags[CHOLESKY_LOWER];
    int info = 0;
    ((Potrf)library[SPOTRF + task->element])(lower ? "U" : "L", &task->n, result, &task->n, &info);
    if (info != 0 && !task->flags[CHOLESKY_NAN])
        return 1;
    if (task->element == FLOAT)
        finish_float((float *)result, task->n, lower, info != 0);
    else
        finish_double((double *)result, task->n, lower, info != 0);
    return 0;
}

static int run_cholesky(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], batch = arguments->sizes[1], bytes = n * n * arguments->types->itemsize;
    if (n == 0 || batch == 0)
        return 0;
    Task task = {.work = factor, .element = element_of(arguments->types), .flags = arguments->flags, .n = (int)n,
                 .columns = (int)n, .result_stride = bytes, .results = arguments->buffers[0]};
    return run_batch(arguments, &task, batch);
}

static bool cholesky_fits(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0];
    return counts_in_int(n, n) && matrices_fit(arguments->bytes[0], arguments->types, arguments->sizes[1], n, n);
}

static const enum LibraryFunction cholesky_functions[] = {SPOTRF, DPOTRF, NO_FUNCTION};

const RoutineKind cholesky_kind = {
    .name = "cholesky", .least_inputs = 0, .most_inputs = 0, .outputs = 1, .sizes = 2, .flags = 2, .kinds = "f",
    .functions = cholesky_functions, .needs_them = true, .fits = cholesky_fits, .run = run_cholesky};

/* Solutions x of op(a) x = b with a triangle a, in the place of b; sizes n, columns, batch. With the flag ONE,
 * one matrix is meant for the whole batch. A zero on the diagonal is a failure. */

enum { TRIANGLE_LOWER, TRIANGLE_TRANSPOSED, TRIANGLE_UNIT, TRIANGLE_ONE };

typedef void (*Trsm)(const char *, const char *, const char *, const char *, const int *, const int *, const void *,
                     const void *, const int *, void *, const int *);

static bool has_zero(const Task *task, const char *matrix)
{
    for (int64_t i = 0, step = task->n + 1; i < task->n; i++)
        if (task->element == FLOAT ? ((const float *)matrix)[i * step] == 0 : ((const double *)matrix)[i * step] == 0)
            return true;
    return false;
}

/* To LAPACK, x' op(a)' = b'. */
static int solve_triangle(const Task *task, char *matrix, char *result, void *scratch)
{
    (void)scratch;
    static const float one_float = 1;
    static const double one_double = 1;
    const int *flags = task->flags;
    if (!flags[TRIANGLE_UNIT] && has_zero(task, matrix))
        return 1;
    ((Trsm)library[STRSM + task->element])(
        "R", flags[TRIANGLE_LOWER] ? "U" : "L", flags[TRIANGLE_TRANSPOSED] ? "T" : "N",
        flags[TRIANGLE_UNIT] ? "U" : "N", &task->columns, &task->n,
        task->element == FLOAT ? (const void *)&one_float : &one_double, matrix, &task->n, result, &task->columns);
    return 0;
}

/* The task of solving: input the matrices (`one` for the whole batch), output the right sides that become solutions. */
static Task solving_task(const Arguments *arguments, bool one)
{
    int64_t n = arguments->sizes[0], columns = arguments->sizes[1], itemsize = arguments->types->itemsize;
    return (Task){.element = element_of(arguments->types), .flags = arguments->flags, .n = (int)n,
                  .columns = (int)columns, .stride = one ? 0 : n * n * itemsize,
                  .result_stride = n * columns * itemsize, .matrices = arguments->buffers[0], .results = arguments->buffers[1]};
}

static bool nothing_to_solve(const Arguments *arguments)
{
    return arguments->sizes[0] == 0 || arguments->sizes[1] == 0 || arguments->sizes[2] == 0;
}

static int run_solve_triangular(const Arguments *arguments)
{
    if (nothing_to_solve(arguments))
        return 0;
    Task task = solving_task(arguments, arguments->flags[TRIANGLE_ONE]);
    task.work = solve_triangle;
    return run_batch(arguments, &task, arguments->sizes[2]);
}

static bool solving_fits(const Arguments *arguments, bool one)
{
    int64_t n = arguments->sizes[0], columns = arguments->sizes[1], batch = arguments->sizes[2];
    const Type *type = arguments->types;
    return counts_in_int(n, columns) && matrices_fit(arguments->bytes[0], type, one ? 1 : batch, n, n)
        && matrices_fit(arguments->bytes[1], type, batch, n, columns);
}

static bool triangular_fits(const Arguments *arguments)
{
    return solving_fits(arguments, arguments->flags[TRIANGLE_ONE]);
}

static const enum LibraryFunction triangular_functions[] = {STRSM, DTRSM, NO_FUNCTION};

const RoutineKind solve_triangular_kind = {
    .name = "solve_triangular", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 3, .flags = 4,
    .kinds = "f", .functions = triangular_functions, .needs_them = true, .fits = triangular_fits,
    .run = run_solve_triangular};

/* Solutions x of op(a) x = b, in the place of b; sizes n, columns, batch. Scratch holds the factors of a, the right
 * side in LAPACK's order, and the exchanged rows. A singular matrix is a failure. */

enum { SQUARE_TRANSPOSED, SQUARE_ONE };

typedef void (*Getrf)(const int *, const int *, void *, const int *, int *, int *);
typedef void (*Getrs)(const char *, const int *, const int *, const void *, const int *, const int *, void *,
                      const int *, int *);

static int64_t square_scratch(int64_t n, int64_t columns, int itemsize)
{
    return add_saturating(multiply_saturating(multiply_saturating(n, add_saturating(n, columns)), itemsize),
                          multiply_saturating(n, sizeof(int)));
}

static void exchange_axes(const char *from, char *to, int64_t rows, int64_t columns, int itemsize)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            memcpy(to + (j * rows + i) * itemsize, from + (i * columns + j) * itemsize, itemsize);
}

static int solve_square(const Task *task, char *matrix, char *result, void *scratch)
{
    int64_t n = task->n, columns = task->columns;
    int itemsize = task->element == FLOAT ? sizeof(float) : sizeof(double), info = 0;
    char *factors = scratch, *right = factors + n * n * itemsize;
    int *exchanged = (int *)(right + n * columns * itemsize);
    memcpy(factors, matrix, n * n * itemsize);
    ((Getrf)library[SGETRF + task->element])(&task->n, &task->n, factors, &task->n, exchanged, &info);
    if (info != 0)
        return 1;
    exchange_axes(result, right, n, columns, itemsize);
    ((Getrs)library[SGETRS + task->element])(task->flags[SQUARE_TRANSPOSED] ? "N" : "T", &task->n, &task->columns,
                                             factors, &task->n, exchanged, right, &task->n, &info);
    exchange_axes(right, result, columns, n, itemsize);
    return 0;
}

static int run_solve(const Arguments *arguments)
{
    if (nothing_to_solve(arguments))
        return 0;
    Task task = solving_task(arguments, arguments->flags[SQUARE_ONE]);
    task.work = solve_square;
    return run_batch(arguments, &task, arguments->sizes[2]);
}

static bool square_fits(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], columns = arguments->sizes[1];
    return solving_fits(arguments, arguments->flags[SQUARE_ONE])
        && (nothing_to_solve(arguments)
            || square_scratch(n, columns, arguments->types->itemsize) <= arguments->scratch_bytes);
}

static const enum LibraryFunction square_functions[] = {
    SGETRF, DGETRF, SGETRS, DGETRS, NO_FUNCTION};

const RoutineKind solve_kind = {
    .name = "solve", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 3, .flags = 2, .kinds = "f",
    .functions = square_functions, .needs_them = true, .fits = square_fits, .run = run_solve};
