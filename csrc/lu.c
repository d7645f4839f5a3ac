/* What LAPACK computes from a factorisation with exchanges: factors, solutions, inverses and determinants, each for a
 * batch of matrices, square but for the factors themselves.
 *
 * LAPACK sees the transpose, a' = p l u, so that a = u' l' p' for a row-major matrix: a lower triangle, an upper one
 * with ones on its diagonal, and exchanged columns. The right sides need not be transposed for it.
 */
#include "linear.h"

#include <math.h>

#define BLOCK 64                 /* rows that LAPACK works on at once, at most */

typedef void (*Getrf)(const int *, const int *, void *, const int *, int *, int *);
typedef void (*Getri)(const int *, void *, const int *, const int *, void *, const int *, int *);

/* The factors in the place of a matrix, the exchanges to `exchanged`; 0, or 1 if it is singular. */
static int factor(const Task *task, char *matrix, int *exchanged)
{
    int info = 0;
    ((Getrf)library[SGETRF + task->element])(&task->m, &task->m, matrix, &task->m, exchanged, &info);
    return info != 0;
}

static void exchange_rows(const Task *task, char *right, int64_t i, int64_t j)
{
    int64_t bytes = (int64_t)task->n * task->itemsize;
    char *one = right + i * bytes, *other = right + j * bytes, kept[256];
    for (int64_t done = 0; i != j && done < bytes; done += sizeof(kept)) {
        int64_t part = smaller(bytes - done, sizeof(kept));
        memcpy(kept, one + done, part);
        memcpy(one + done, other + done, part);
        memcpy(other + done, kept, part);
    }
}

/* The solution from factors, whose exchanges count from 1, in the place of the right side. */
static void solve_from(const Task *task, const char *factors, const int *exchanged, char *right, bool transposed)
{
    if (transposed) {            /* a' = p l u */
        for (int64_t i = 0; i < task->m; i++)
            exchange_rows(task, right, i, exchanged[i] - 1);
        solve_triangle(task, factors, right, (struct Triangle){.lower = false, .unit = true, .transposed = true});
        solve_triangle(task, factors, right, (struct Triangle){.lower = true, .transposed = true});
        return;
    }
    solve_triangle(task, factors, right, (struct Triangle){.lower = true});
    solve_triangle(task, factors, right, (struct Triangle){.lower = false, .unit = true});
    for (int64_t i = task->m - 1; i >= 0; i--)
        exchange_rows(task, right, i, exchanged[i] - 1);
}

static void counted_from_one(const int *exchanged, int *own, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        own[i] = (exchanged[i] < 0 ? 0 : exchanged[i] >= n ? (int)n - 1 : exchanged[i]) + 1;
}

/* The inverse from factors, in their place. */
static int invert(const Task *task, char *factors, const int *exchanged, char *space)
{
    int info = 0, size = task->m <= INT_MAX / BLOCK ? task->m * BLOCK : INT_MAX;
    ((Getri)library[SGETRI + task->element])(&task->m, factors, &task->m, exchanged, space, &size, &info);
    return info != 0;
}

#define GETRF SGETRF, DGETRF, CGETRF, ZGETRF
#define GETRI SGETRI, DGETRI, CGETRI, ZGETRI
#define TRSM STRSM, DTRSM, CTRSM, ZTRSM

static const enum LibraryFunction factor_functions[] = {GETRF, NO_FUNCTION};
static const enum LibraryFunction inverse_functions[] = {GETRF, GETRI, NO_FUNCTION};
static const enum LibraryFunction solve_functions[] = {GETRF, TRSM, NO_FUNCTION};
static const enum LibraryFunction triangle_functions[] = {TRSM, NO_FUNCTION};
static const enum LibraryFunction getri_functions[] = {GETRI, NO_FUNCTION};

/* Solutions x of op(a) x = b, in the place of b; sizes n, columns, batch. With ONE, one matrix is meant for the whole
 * batch. Scratch holds the factors of a and the exchanged rows. A singular matrix is a failure. */

enum { SQUARE_TRANSPOSED, SQUARE_ONE };

static int solve_square(const Task *task, char *const *at, void *scratch)
{
    int64_t bytes = (int64_t)task->m * task->m * task->itemsize;
    char *factors = scratch;
    int *exchanged = (int *)(factors + bytes);
    memcpy(factors, at[0], bytes);
    if (factor(task, factors, exchanged) != 0)
        return 1;
    solve_from(task, factors, exchanged, at[1], task->flags[SQUARE_TRANSPOSED]);
    return 0;
}

static int solve_several(const Task *task, char *const *at, int count)
{
    return task->small->solve(at[0], stride_of(task, 0), at[1], stride_of(task, 1), count, task->m, task->n,
                              task->flags[SQUARE_TRANSPOSED]);
}

static bool nothing_to_solve(const Arguments *arguments)
{
    return arguments->sizes[0] == 0 || arguments->sizes[1] == 0 || arguments->sizes[2] == 0;
}

static int run_solve(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], columns = arguments->sizes[1];
    if (nothing_to_solve(arguments))
        return 0;
    Task task = task_of(arguments, n, columns);
    task.work = solve_square;
    task.strides[0] = arguments->flags[SQUARE_ONE] ? 0 : n * n * task.itemsize;
    task.strides[1] = n * columns * task.itemsize;
    take_several(&task, solve_several);
    return run_batch(&task, arguments->sizes[2], multiply_saturating(n * n, n + columns));
}

static bool solve_fits(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], columns = arguments->sizes[1], batch = arguments->sizes[2];
    const Type *type = arguments->types;
    return counts_in_int(n, columns) && matrices_fit(arguments->bytes[1], type, batch, n, columns)
        && matrices_fit(arguments->bytes[0], type, arguments->flags[SQUARE_ONE] ? 1 : batch, n, n)
        && (nothing_to_solve(arguments) || scratch_holds(arguments, type, n * n, n));
}

const RoutineKind solve_kind = {
    .name = "solve", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 3, .flags = 2, .kinds = "fc",
    .functions = solve_functions, .needs_them = true, .fits = solve_fits, .run = run_solve};

/* Factors in the place of m by n matrices, and which columns were exchanged, counted from 0; sizes m, n, batch. */

static int factor_one(const Task *task, char *const *at, void *scratch)
{
    (void)scratch;
    int info = 0, *exchanged = (int *)at[1];
    ((Getrf)library[SGETRF + task->element])(&task->n, &task->m, at[0], &task->n, exchanged, &info);
    for (int64_t i = 0; i < smaller(task->m, task->n); i++)
        exchanged[i] -= 1;
    return 0;
}

static int run_lu(const Arguments *arguments)
{
    int64_t m = arguments->sizes[0], n = arguments->sizes[1], inner = smaller(m, n), batch = arguments->sizes[2];
    if (inner == 0 || batch == 0)
        return 0;
    Task task = task_of(arguments, m, n);
    task.work = factor_one;
    task.strides[0] = m * n * task.itemsize;
    task.strides[1] = inner * sizeof(int);
    return run_batch(&task, batch, multiply_saturating(m * n, inner));
}

static bool lu_fits(const Arguments *arguments)
{
    int64_t m = arguments->sizes[0], n = arguments->sizes[1], batch = arguments->sizes[2];
    return counts_in_int(m, n) && matrices_fit(arguments->bytes[0], arguments->types, batch, m, n)
        && matrices_fit(arguments->bytes[1], arguments->types + 1, batch, smaller(m, n), 1);
}

const RoutineKind lu_kind = {
    .name = "lu", .least_inputs = 0, .most_inputs = 0, .outputs = 2, .sizes = 3, .flags = 0, .kinds = "fc",
    .positions = 1 << 1, .functions = factor_functions, .needs_them = true, .fits = lu_fits, .run = run_lu};

/* Rows of right sides exchanged as factors say, from the last exchange on, or with FORWARD from the first, in their
 * place; sizes m, columns, exchanges, batch. */

enum { EXCHANGE_FORWARD };

static int exchange_one(const Task *task, char *const *at, void *scratch)
{
    (void)scratch;
    const int *exchanged = (const int *)at[0];
    int64_t count = task->arguments->sizes[2];
    for (int64_t step = 0; step < count; step++) {
        int64_t i = task->flags[EXCHANGE_FORWARD] ? step : count - 1 - step;
        if (exchanged[i] >= 0 && exchanged[i] < task->m)
            exchange_rows(task, at[1], i, exchanged[i]);
    }
    return 0;
}

static int run_exchange(const Arguments *arguments)
{
    int64_t m = arguments->sizes[0], n = arguments->sizes[1], count = arguments->sizes[2];
    Task task = task_of(arguments, m, n);
    task.itemsize = arguments->types[1].itemsize;
    task.work = exchange_one;
    task.strides[0] = count * sizeof(int);
    task.strides[1] = m * n * task.itemsize;
    return run_batch(&task, arguments->sizes[3], multiply_saturating(count, n));
}

static bool exchange_fits(const Arguments *arguments)
{
    int64_t m = arguments->sizes[0], n = arguments->sizes[1], count = arguments->sizes[2], batch = arguments->sizes[3];
    return counts_in_int(m, n) && count <= m && matrices_fit(arguments->bytes[0], arguments->types, batch, count, 1)
        && matrices_fit(arguments->bytes[1], arguments->types + 1, batch, m, n);
}

static const enum LibraryFunction no_functions[] = {NO_FUNCTION};

const RoutineKind exchange_kind = {
    .name = "exchange", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 4, .flags = 1, .kinds = "biufc",
    .any_width = true, .positions = 1 << 0, .functions = no_functions, .fits = exchange_fits, .run = run_exchange};

/* Solutions from factors and exchanges, in the place of the right sides; sizes n, columns, batch. A zero on the
 * diagonal is a failure. */

static int solve_factored(const Task *task, char *const *at, void *scratch)
{
    if (has_zero(task, at[0]))
        return 1;
    counted_from_one((const int *)at[1], scratch, task->m);
    solve_from(task, at[0], scratch, at[2], task->flags[SQUARE_TRANSPOSED]);
    return 0;
}

static int run_lu_solve(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], columns = arguments->sizes[1];
    if (nothing_to_solve(arguments))
        return 0;
    Task task = task_of(arguments, n, columns);
    task.work = solve_factored;
    task.strides[0] = n * n * task.itemsize;
    task.strides[1] = n * sizeof(int);
    task.strides[2] = n * columns * task.itemsize;
    return run_batch(&task, arguments->sizes[2], multiply_saturating(n * n, columns));
}

static bool lu_solve_fits(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], columns = arguments->sizes[1], batch = arguments->sizes[2];
    const Type *type = arguments->types;
    return counts_in_int(n, columns) && matrices_fit(arguments->bytes[0], type, batch, n, n)
        && matrices_fit(arguments->bytes[1], type + 1, batch, n, 1)
        && matrices_fit(arguments->bytes[2], type, batch, n, columns) && scratch_holds(arguments, type, 0, n);
}

const RoutineKind lu_solve_kind = {
    .name = "lu_solve", .least_inputs = 2, .most_inputs = 2, .outputs = 1, .sizes = 3, .flags = 1, .kinds = "fc",
    .positions = 1 << 1, .functions = triangle_functions, .needs_them = true, .fits = lu_solve_fits,
    .run = run_lu_solve};

/* Inverses in the place of the matrices, or in that of their factors with the exchanges given; sizes n, batch. A
 * singular matrix is a failure. */

static int invert_one(const Task *task, char *const *at, void *scratch)
{
    int64_t bytes = (int64_t)task->m * BLOCK * task->itemsize;
    int *exchanged = (int *)((char *)scratch + bytes);
    bool factored = task->arguments->input_count == 1;
    char *matrix = at[factored ? 1 : 0];
    if (factored)
        counted_from_one((const int *)at[0], exchanged, task->m);
    else if (factor(task, matrix, exchanged) != 0)
        return 1;
    return invert(task, matrix, exchanged, scratch);
}

static int invert_several(const Task *task, char *const *at, int count)
{
    return task->small->invert(at[0], stride_of(task, 0), count, task->m);
}

static int run_inverse(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], batch = arguments->sizes[1];
    if (n == 0 || batch == 0)
        return 0;
    Task task = task_of(arguments, n, n);
    task.element = element_of(&arguments->types[arguments->input_count]);
    task.itemsize = arguments->types[arguments->input_count].itemsize;
    task.work = invert_one;
    task.strides[arguments->input_count] = n * n * task.itemsize;
    if (arguments->input_count == 1)
        task.strides[0] = n * sizeof(int);
    else
        take_several(&task, invert_several);
    return run_batch(&task, batch, multiply_saturating(2 * n * n, n));
}

static bool inverse_fits(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], batch = arguments->sizes[1];
    int last = arguments->input_count;
    bool exchanges_fit = last == 0 || matrices_fit(arguments->bytes[0], arguments->types, batch, n, 1);
    return counts_in_int(n, n) && exchanges_fit
        && matrices_fit(arguments->bytes[last], &arguments->types[last], batch, n, n)
        && scratch_holds(arguments, &arguments->types[last], multiply_saturating(n, BLOCK), n);
}

const RoutineKind inverse_kind = {
    .name = "inverse", .least_inputs = 0, .most_inputs = 0, .outputs = 1, .sizes = 2, .flags = 0, .kinds = "fc",
    .functions = inverse_functions, .needs_them = true, .fits = inverse_fits, .run = run_inverse};

const RoutineKind lu_inverse_kind = {
    .name = "lu_inverse", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 2, .flags = 0, .kinds = "fc",
    .positions = 1 << 0, .functions = getri_functions, .needs_them = true, .fits = inverse_fits, .run = run_inverse};

/* Signs of determinants and logarithms of their absolute values; sizes n, batch. With ONE, one matrix is meant for
 * the whole batch. Scratch holds factors and exchanges. */

enum { DETERMINANT_ONE };

#define DETERMINANT(name, type, absolute, logarithm)                                \
    static void name(const type *factors, const int *exchanged, int n, type *sign, type *value) \
    {                                                                               \
        type product = 1, sum = 0;                                                  \
        for (int64_t i = 0; i < n; i++) {                                           \
            type own = factors[i * (n + 1)];                                        \
            product *= exchanged[i] == i + 1 ? 1 : -1;                              \
            product *= own < 0 ? -1 : own != 0;                                     \
            sum += logarithm(absolute(own));                                        \
        }                                                                           \
        *sign = product;                                                            \
        *value = sum;                                                               \
    }

DETERMINANT(determinant_float, float, fabsf, logf)
DETERMINANT(determinant_double, double, fabs, log)

static int determine(const Task *task, char *const *at, void *scratch)
{
    int64_t bytes = (int64_t)task->m * task->m * task->itemsize;
    char *factors = scratch;
    int *exchanged = (int *)(factors + bytes);
    memcpy(factors, at[0], bytes);
    factor(task, factors, exchanged);
    if (task->element == FLOAT)
        determinant_float((float *)factors, exchanged, task->m, (float *)at[1], (float *)at[2]);
    else
        determinant_double((double *)factors, exchanged, task->m, (double *)at[1], (double *)at[2]);
    return 0;
}

static int determine_several(const Task *task, char *const *at, int count)
{
    task->small->determine(at[0], stride_of(task, 0), count, task->m, at[1], at[2]);
    return 0;
}

static int run_slogdet(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], batch = arguments->sizes[1];
    Task task = task_of(arguments, n, n);
    task.work = determine;
    task.strides[0] = arguments->flags[DETERMINANT_ONE] ? 0 : n * n * task.itemsize;
    task.strides[1] = task.strides[2] = task.itemsize;
    take_several(&task, determine_several);
    return run_batch(&task, batch, multiply_saturating(n * n, n));
}

static bool slogdet_fits(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], batch = arguments->sizes[1];
    const Type *type = arguments->types;
    return counts_in_int(n, n)
        && matrices_fit(arguments->bytes[0], type, arguments->flags[DETERMINANT_ONE] ? 1 : batch, n, n)
        && matrices_fit(arguments->bytes[1], type, batch, 1, 1) && matrices_fit(arguments->bytes[2], type, batch, 1, 1)
        && scratch_holds(arguments, type, n * n, n);
}

const RoutineKind slogdet_kind = {
    .name = "slogdet", .least_inputs = 1, .most_inputs = 1, .outputs = 2, .sizes = 2, .flags = 1, .kinds = "f",
    .functions = factor_functions, .needs_them = true, .fits = slogdet_fits, .run = run_slogdet};
