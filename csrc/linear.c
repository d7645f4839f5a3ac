/* Linear algebra of LAPACK: Cholesky factors and solutions, each for a batch of matrices of one shape. */
#include "linear.h"

#include <math.h>

#define SHARED_SIZE 512          /* rows from which BLAS divides the work on one matrix */
#define WORK_RATE 8              /* multiplications done in the time of one element of work */
#define CALL_WORK 50             /* elements of work that calling a routine takes */
#define TILE 16                  /* rows and columns whose exchange stays in the nearest cache */

void take_several(Task *task, int (*several)(const Task *task, char *const *at, int count))
{
    if (task->m > SMALL || task->n > SMALL || task->element > DOUBLE)
        return;
    task->several = several;
    task->small = small_kernels(task->element == FLOAT);
}

int64_t stride_of(const Task *task, int buffer)
{
    return task->strides[buffer] / task->itemsize;
}

/* A kernel for a parallel-for: matrices begin..end of the batch, or so many groups of several. */
static int run_part(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes;
    const Task *task = buffers[0];
    int status = 0, buffers_used = task->arguments->input_count + task->arguments->output_count;
    int64_t group = task->several != NULL ? task->small->lanes : 1;
    for (int64_t i = begin * group; i < smaller(end * group, task->batch) && status == 0; i += group) {
        char *at[ROUTINE_BUFFERS];
        for (int buffer = 0; buffer < buffers_used; buffer++)
            at[buffer] = (char *)task->arguments->buffers[buffer] + i * task->strides[buffer];
        status = task->several != NULL ? task->several(task, at, (int)smaller(group, task->batch - i))
                                       : task->work(task, at, scratch);
    }
    return status;
}

int run_batch(Task *task, int64_t batch, int64_t multiplications)
{
    const Arguments *arguments = task->arguments;
    void *buffers[] = {task};
    int64_t group = task->several != NULL ? task->small->lanes : 1, units = (batch + group - 1) / group;
    task->batch = batch;
    int64_t one = multiplications / WORK_RATE + CALL_WORK;
    bool shared = task->m >= SHARED_SIZE;
    int threads = shared ? 1 : threads_for(multiply_saturating(one, batch), units);
    threads = threads < arguments->threads ? threads : arguments->threads;
    int before = blas_threads_take(shared ? arguments->threads : 1);
    int status = threads > 1 ? parallel_for(run_part, buffers, NULL, units, threads, arguments->scratch,
                                            arguments->scratch_bytes)
                             : run_part(buffers, NULL, 0, units, arguments->scratch);
    blas_threads_give(before);
    return status;
}

Task task_of(const Arguments *arguments, int64_t m, int64_t n)
{
    return (Task){.arguments = arguments, .flags = arguments->flags, .element = element_of(arguments->types),
                  .itemsize = arguments->types->itemsize, .m = (int)m, .n = (int)n};
}

bool is_single(const Task *task)
{
    return task->element == FLOAT || task->element == COMPLEX_FLOAT;
}

int parts_of(const Task *task)
{
    return task->element > DOUBLE ? 2 : 1;
}

int part_size(const Task *task)
{
    return task->itemsize / parts_of(task);
}

bool is_part_of(const Type *part, const Type *type)
{
    return part->kind == 'f' && part->itemsize == (type->kind == 'c' ? type->itemsize / 2 : type->itemsize);
}

bool are_alike(const Type *one, const Type *other)
{
    return one->kind == other->kind && one->itemsize == other->itemsize;
}

void set_identity(const Task *task, char *matrix, int64_t rows, int64_t columns)
{
    memset(matrix, 0, rows * columns * task->itemsize);
    for (int64_t i = 0; i < smaller(rows, columns); i++) {
        int64_t place = i * (columns + 1) * parts_of(task);
        if (is_single(task))
            ((float *)matrix)[place] = 1;
        else
            ((double *)matrix)[place] = 1;
    }
}

bool counts_in_int(int64_t m, int64_t n)
{
    return m <= INT_MAX && n <= INT_MAX;
}

int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

bool scratch_holds(const Arguments *arguments, const Type *type, int64_t items, int64_t integers)
{
    int64_t bytes = add_saturating(multiply_saturating(items, type->itemsize),
                                   multiply_saturating(integers, sizeof(int)));
    return bytes <= arguments->scratch_bytes;
}

#define EXCHANGES(name, type)                                                                          \
    static void name(const type *from, type *to, int64_t rows, int64_t columns)                        \
    {                                                                                                  \
        for (int64_t top = 0; top < rows; top += TILE)                                                 \
            for (int64_t left = 0; left < columns; left += TILE)                                       \
                for (int64_t i = top; i < smaller(top + TILE, rows); i++)                              \
                    for (int64_t j = left; j < smaller(left + TILE, columns); j++)                     \
                        to[j * rows + i] = from[i * columns + j];                                      \
    }                                                                                                  \
    static void name##_in_place(type *matrix, int64_t n)                                               \
    {                                                                                                  \
        for (int64_t top = 0; top < n; top += TILE)                                                    \
            for (int64_t left = 0; left <= top; left += TILE)                                          \
                for (int64_t i = top; i < smaller(top + TILE, n); i++)                                 \
                    for (int64_t j = left; j < smaller(left + TILE, i); j++) {                         \
                        type kept = matrix[i * n + j];                                                 \
                        matrix[i * n + j] = matrix[j * n + i];                                         \
                        matrix[j * n + i] = kept;                                                      \
                    }                                                                                  \
    }

typedef struct {
    double parts[2];
} Pair;

EXCHANGES(exchange_float, float)
EXCHANGES(exchange_double, double)
EXCHANGES(exchange_pair, Pair)

void exchange_axes(const char *from, char *to, int64_t rows, int64_t columns, int itemsize)
{
    if (itemsize == sizeof(float))
        exchange_float((const float *)from, (float *)to, rows, columns);
    else if (itemsize == sizeof(Pair))
        exchange_pair((const Pair *)from, (Pair *)to, rows, columns);
    else
        exchange_double((const double *)from, (double *)to, rows, columns);
}

void exchange_in_place(char *matrix, int64_t n, int itemsize)
{
    if (itemsize == sizeof(float))
        exchange_float_in_place((float *)matrix, n);
    else if (itemsize == sizeof(Pair))
        exchange_pair_in_place((Pair *)matrix, n);
    else
        exchange_double_in_place((double *)matrix, n);
}

/* Cholesky factors, in the place of the matrices; sizes n, batch. What is above the diagonal (below, for an upper
 * factor) is not read, and becomes zero. A matrix that is not positive definite is a failure, or NaN if so wished; so
 * is one that is not finite, of which LAPACK says nothing: then neither is the diagonal of what it makes.
 *
 * Of complex numbers LAPACK sees the conjugate of a Hermitian matrix, and its factor u is the transpose of l. */

enum { CHOLESKY_LOWER, CHOLESKY_NAN };

typedef void (*Potrf)(const char *, const int *, void *, const int *, int *);

#define FACTOR_FINISHED(name, type)                                              \
    static bool name##_is_finite(const type *matrix, int64_t n, int parts)       \
    {                                                                            \
        for (int64_t i = 0; i < n; i++)                                          \
            if (!isfinite(matrix[i * (n + 1) * parts]))                          \
                return false;                                                    \
        return true;                                                             \
    }                                                                            \
    static void name(type *matrix, int64_t n, int parts, bool lower, bool failed) \
    {                                                                            \
        for (int64_t i = 0; i < n; i++) {                                        \
            int64_t begin = failed ? 0 : lower ? i + 1 : 0, end = failed || lower ? n : i; \
            for (int64_t j = begin * parts; j < end * parts; j++)                \
                matrix[i * n * parts + j] = failed ? NAN : 0;                    \
        }                                                                        \
    }

FACTOR_FINISHED(finish_float, float)
FACTOR_FINISHED(finish_double, double)

static int factor(const Task *task, char *const *at, void *scratch)
{
    (void)scratch;
    char *result = at[0];
    bool lower = task->flags[CHOLESKY_LOWER], single = is_single(task);
    int info = 0, parts = parts_of(task);
    ((Potrf)library[SPOTRF + task->element])(lower ? "U" : "L", &task->n, result, &task->n, &info);
    bool failed = info != 0 || !(single ? finish_float_is_finite((float *)result, task->n, parts)
                                        : finish_double_is_finite((double *)result, task->n, parts));
    if (failed && !task->flags[CHOLESKY_NAN])
        return 1;
    if (single)
        finish_float((float *)result, task->n, parts, lower, failed);
    else
        finish_double((double *)result, task->n, parts, lower, failed);
    return 0;
}

static int factor_several(const Task *task, char *const *at, int count)
{
    return task->small->factor(at[0], stride_of(task, 0), count, task->n, task->flags[CHOLESKY_LOWER],
                               task->flags[CHOLESKY_NAN]);
}

static int run_cholesky(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], batch = arguments->sizes[1], bytes = n * n * arguments->types->itemsize;
    if (n == 0 || batch == 0)
        return 0;
    Task task = task_of(arguments, n, n);
    task.work = factor;
    task.strides[0] = bytes;
    take_several(&task, factor_several);
    return run_batch(&task, batch, multiply_saturating(n * n, n));
}

static bool cholesky_fits(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0];
    return counts_in_int(n, n) && matrices_fit(arguments->bytes[0], arguments->types, arguments->sizes[1], n, n);
}

static const enum LibraryFunction cholesky_functions[] = {SPOTRF, DPOTRF, CPOTRF, ZPOTRF, NO_FUNCTION};

const RoutineKind cholesky_kind = {
    .name = "cholesky", .least_inputs = 0, .most_inputs = 0, .outputs = 1, .sizes = 2, .flags = 2, .kinds = "fc",
    .functions = cholesky_functions, .needs_them = true, .fits = cholesky_fits, .run = run_cholesky};

/* Solutions x of op(a) x = b with a triangle a, in the place of b; sizes n, columns, batch. With the flag ONE,
 * one matrix is meant for the whole batch. A zero on the diagonal is a failure. */

enum { TRIANGLE_LOWER, TRIANGLE_TRANSPOSED, TRIANGLE_UNIT, TRIANGLE_ONE };

typedef void (*Trsm)(const char *, const char *, const char *, const char *, const int *, const int *, const void *,
                     const void *, const int *, void *, const int *);

bool has_zero(const Task *task, const char *matrix)
{
    bool single = is_single(task);
    int parts = parts_of(task);
    for (int64_t i = 0, step = task->m + 1; i < task->m; i++) {
        bool zero = true;
        for (int64_t part = i * step * parts; zero && part < (i * step + 1) * parts; part++)
            zero = single ? ((const float *)matrix)[part] == 0 : ((const double *)matrix)[part] == 0;
        if (zero)
            return true;
    }
    return false;
}

/* To LAPACK, x' op(a)' = b'. */
void solve_triangle(const Task *task, const char *matrix, char *right, struct Triangle triangle)
{
    static const float one_float[2] = {1};    /* as a real number and as a complex one */
    static const double one_double[2] = {1};
    bool single = is_single(task);
    ((Trsm)library[STRSM + task->element])(
        "R", triangle.lower ? "U" : "L", triangle.transposed ? "T" : "N", triangle.unit ? "U" : "N", &task->n, &task->m,
        single ? (const void *)one_float : one_double, matrix, &task->m, right, &task->n);
}

static struct Triangle triangle_of(const int *flags)
{
    return (struct Triangle){.lower = flags[TRIANGLE_LOWER], .unit = flags[TRIANGLE_UNIT],
                             .transposed = flags[TRIANGLE_TRANSPOSED]};
}

static int solve_one_triangle(const Task *task, char *const *at, void *scratch)
{
    (void)scratch;
    const int *flags = task->flags;
    if (!flags[TRIANGLE_UNIT] && has_zero(task, at[0]))
        return 1;
    solve_triangle(task, at[0], at[1], triangle_of(flags));
    return 0;
}

static int solve_several_triangles(const Task *task, char *const *at, int count)
{
    return task->small->solve_triangles(at[0], stride_of(task, 0), at[1], stride_of(task, 1), count, task->m, task->n,
                                        triangle_of(task->flags));
}

static int run_solve_triangular(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], columns = arguments->sizes[1], batch = arguments->sizes[2];
    if (n == 0 || columns == 0 || batch == 0)
        return 0;
    Task task = task_of(arguments, n, columns);
    task.work = solve_one_triangle;
    task.strides[0] = arguments->flags[TRIANGLE_ONE] ? 0 : n * n * task.itemsize;
    task.strides[1] = n * columns * task.itemsize;
    take_several(&task, solve_several_triangles);
    return run_batch(&task, batch, multiply_saturating(n * n, columns));
}

static bool triangular_fits(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], columns = arguments->sizes[1], batch = arguments->sizes[2];
    const Type *type = arguments->types;
    return counts_in_int(n, columns) && matrices_fit(arguments->bytes[1], type, batch, n, columns)
        && matrices_fit(arguments->bytes[0], type, arguments->flags[TRIANGLE_ONE] ? 1 : batch, n, n);
}

static const enum LibraryFunction triangular_functions[] = {STRSM, DTRSM, CTRSM, ZTRSM, NO_FUNCTION};

const RoutineKind solve_triangular_kind = {
    .name = "solve_triangular", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 3, .flags = 4,
    .kinds = "fc", .functions = triangular_functions, .needs_them = true, .fits = triangular_fits,
    .run = run_solve_triangular};
