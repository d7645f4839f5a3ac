/* Orthogonal factors by LAPACK, each for a batch of matrices: QR factors, eigenvectors of symmetric matrices, singular
 * vectors. */
#include "linear.h"

#define BLOCK 64                 /* rows that LAPACK works on at once, at most */

static int as_int(int64_t size)
{
    return (int)smaller(size, INT_MAX);
}

/* QR factors q, r of m by n matrices a; without VECTORS, r alone. The columns of q are min(m, n), with COMPLETE m.
 * Sizes m, n, batch. LAPACK sees a' = r' q', and its routine for that gives the numbers that the one for a would. */

enum { QR_VECTORS, QR_COMPLETE };

typedef void (*Gelqf)(const int *, const int *, void *, const int *, void *, void *, const int *, int *);
typedef void (*Orglq)(const int *, const int *, const int *, void *, const int *, const void *, void *, const int *,
                      int *);

static int64_t qr_columns(const int *flags, int64_t m, int64_t n)
{
    return flags[QR_COMPLETE] ? m : smaller(m, n);
}

/* How long the rows of the matrix in scratch are: room for a, and for q. */
static int64_t qr_length(const int *flags, int64_t m, int64_t n)
{
    int64_t columns = qr_columns(flags, m, n);
    return columns > n ? columns : n;
}

static int64_t qr_space(int64_t m, int64_t n)
{
    return multiply_saturating(m > n ? m : n, BLOCK);
}

static void copy_r(const Task *task, const char *matrix, int64_t length, char *r)
{
    int64_t rows = qr_columns(task->flags, task->m, task->n), n = task->n, itemsize = task->itemsize;
    for (int64_t i = 0; i < rows; i++) {
        int64_t below = smaller(i, n);
        memset(r + i * n * itemsize, 0, below * itemsize);
        memcpy(r + (i * n + below) * itemsize, matrix + (i * length + below) * itemsize, (n - below) * itemsize);
    }
}

static int factor_qr(const Task *task, char *const *at, void *scratch)
{
    int64_t itemsize = task->itemsize, length = qr_length(task->flags, task->m, task->n);
    int inner = (int)smaller(task->m, task->n), columns = (int)qr_columns(task->flags, task->m, task->n), info = 0;
    int leading = (int)length, size = as_int(qr_space(task->m, task->n));
    bool vectors = task->flags[QR_VECTORS];
    char *matrix = scratch, *scales = matrix + task->m * length * itemsize, *space = scales + inner * itemsize;
    for (int64_t i = 0; i < task->m; i++)
        memcpy(matrix + i * length * itemsize, at[0] + i * task->n * itemsize, task->n * itemsize);
    ((Gelqf)library[SGELQF + task->element])(&task->n, &task->m, matrix, &leading, scales, space, &size, &info);
    copy_r(task, matrix, length, at[vectors ? 2 : 1]);
    if (!vectors)
        return info != 0;
    ((Orglq)library[SORGLQ + task->element])(&columns, &task->m, &inner, matrix, &leading, scales, space, &size, &info);
    for (int64_t i = 0; i < task->m; i++)
        memcpy(at[1] + i * columns * itemsize, matrix + i * length * itemsize, columns * itemsize);
    return info != 0;
}

/* Without elements in a, r is empty or zeros, and q the first columns of the identity. */
static int factor_nothing(const Task *task, char *const *at, void *scratch)
{
    (void)scratch;
    int64_t columns = qr_columns(task->flags, task->m, task->n);
    for (int64_t i = 0; task->flags[QR_VECTORS] && i < task->m * columns; i++) {
        bool diagonal = i / columns == i % columns;
        if (task->element == FLOAT)
            ((float *)at[1])[i] = diagonal;
        else
            ((double *)at[1])[i] = diagonal;
    }
    return 0;
}

static int run_qr(const Arguments *arguments)
{
    int64_t m = arguments->sizes[0], n = arguments->sizes[1], columns = qr_columns(arguments->flags, m, n);
    Task task = task_of(arguments, m, n);
    task.work = m == 0 || n == 0 ? factor_nothing : factor_qr;
    task.strides[0] = m * n * task.itemsize;
    task.strides[1] = m * columns * task.itemsize;
    task.strides[arguments->flags[QR_VECTORS] ? 2 : 1] = columns * n * task.itemsize;
    return run_batch(&task, arguments->sizes[2], multiply_saturating(m * n, 4 * columns));
}

static bool qr_fits(const Arguments *arguments)
{
    int64_t m = arguments->sizes[0], n = arguments->sizes[1], batch = arguments->sizes[2];
    int64_t columns = qr_columns(arguments->flags, m, n), length = qr_length(arguments->flags, m, n);
    bool vectors = arguments->flags[QR_VECTORS];
    const Type *type = arguments->types;
    return arguments->output_count == (vectors ? 2 : 1) && counts_in_int(m, n)
        && matrices_fit(arguments->bytes[0], type, batch, m, n)
        && (!vectors || matrices_fit(arguments->bytes[1], type, batch, m, columns))
        && matrices_fit(arguments->bytes[vectors ? 2 : 1], type, batch, columns, n)
        && scratch_holds(arguments, type,
                         add_saturating(multiply_saturating(m, length) + smaller(m, n), qr_space(m, n)), 0);
}

static const enum LibraryFunction qr_functions[] = {SGELQF, DGELQF, SORGLQ, DORGLQ, NO_FUNCTION};

const RoutineKind qr_kind = {
    .name = "qr", .least_inputs = 1, .most_inputs = 1, .outputs = 2, .least_outputs = 1, .sizes = 3, .flags = 2,
    .kinds = "f", .functions = qr_functions, .needs_them = true, .fits = qr_fits, .run = run_qr};

/* Eigenvalues, and with VECTORS eigenvectors, of symmetric matrices of which the LOWER triangle is read, or the upper;
 * sizes n, batch. That an iteration does not end is a failure. */

enum { EIGEN_LOWER, EIGEN_VECTORS };

typedef void (*Syevd)(const char *, const char *, const int *, void *, const int *, void *, void *, const int *, int *,
                      const int *, int *);

static int64_t eigen_space(int64_t n, bool vectors)
{
    return 1 + multiply_saturating(n, add_saturating(6 + BLOCK, vectors ? multiply_saturating(2, n) : 0));
}

static int find_eigen(const Task *task, char *const *at, void *scratch)
{
    bool vectors = task->flags[EIGEN_VECTORS];
    int64_t n = task->m, bytes = n * n * task->itemsize;
    char *matrix = vectors ? at[2] : scratch, *space = (char *)scratch + (vectors ? 0 : bytes);
    int size = as_int(eigen_space(n, vectors)), integers = 3 + 5 * task->m, info = 0;
    int *integer_space = (int *)(space + (int64_t)size * task->itemsize);
    exchange_axes(at[0], matrix, n, n, task->itemsize);
    ((Syevd)library[SSYEVD + task->element])(vectors ? "V" : "N", task->flags[EIGEN_LOWER] ? "L" : "U", &task->m,
                                             matrix, &task->m, at[1], space, &size, integer_space, &integers, &info);
    if (vectors)
        exchange_in_place(matrix, n, task->itemsize);
    return info != 0;
}

static int run_eigh(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], batch = arguments->sizes[1];
    if (n == 0 || batch == 0)
        return 0;
    Task task = task_of(arguments, n, n);
    task.work = find_eigen;
    task.strides[0] = task.strides[2] = n * n * task.itemsize;
    task.strides[1] = n * task.itemsize;
    return run_batch(&task, batch, multiply_saturating(10 * n * n, n));
}

static bool eigh_fits(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], batch = arguments->sizes[1];
    bool vectors = arguments->flags[EIGEN_VECTORS];
    const Type *type = arguments->types;
    return arguments->output_count == (vectors ? 2 : 1) && n <= (INT_MAX - 3) / 5
        && matrices_fit(arguments->bytes[0], type, batch, n, n) && matrices_fit(arguments->bytes[1], type, batch, n, 1)
        && (!vectors || matrices_fit(arguments->bytes[2], type, batch, n, n))
        && scratch_holds(arguments, type, add_saturating(eigen_space(n, vectors), vectors ? 0 : n * n), 3 + 5 * n);
}

static const enum LibraryFunction eigh_functions[] = {SSYEVD, DSYEVD, NO_FUNCTION};

const RoutineKind eigh_kind = {
    .name = "eigh", .least_inputs = 1, .most_inputs = 1, .outputs = 2, .least_outputs = 1, .sizes = 2, .flags = 2,
    .kinds = "f", .functions = eigh_functions, .needs_them = true, .fits = eigh_fits, .run = run_eigh};

/* Singular values of m by n matrices; with VECTORS u, s, v' in this order, u and v' square with FULL. Sizes m, n,
 * batch. That an iteration does not end is a failure. */

enum { SINGULAR_VECTORS, SINGULAR_FULL };

typedef void (*Gesdd)(const char *, const int *, const int *, void *, const int *, void *, void *, const int *, void *,
                      const int *, void *, const int *, int *, int *);

typedef struct {
    int64_t inner, left, right;  /* singular values, columns of u, rows of v' */
} SingularSizes;

static SingularSizes singular_sizes(const int *flags, int64_t m, int64_t n)
{
    int64_t inner = smaller(m, n);
    bool full = flags[SINGULAR_FULL];
    return (SingularSizes){inner, full ? m : inner, full ? n : inner};
}

static int64_t singular_space(int64_t m, int64_t n, bool vectors)
{
    int64_t inner = smaller(m, n), own = multiply_saturating(4 * inner, inner);
    return add_saturating(multiply_saturating(m + n, BLOCK + 10), vectors ? own : 0);
}

static int64_t singular_items(const int *flags, int64_t m, int64_t n)
{
    SingularSizes sizes = singular_sizes(flags, m, n);
    bool vectors = flags[SINGULAR_VECTORS];
    int64_t left = multiply_saturating(m, sizes.left), right = multiply_saturating(n, sizes.right);
    int64_t kept = add_saturating(multiply_saturating(m, n), vectors ? add_saturating(left, right) : 0);
    return add_saturating(kept, singular_space(m, n, vectors));
}

static int find_singular(const Task *task, char *const *at, void *scratch)
{
    const int *flags = task->flags;
    bool vectors = flags[SINGULAR_VECTORS];
    int64_t m = task->m, n = task->n, itemsize = task->itemsize;
    SingularSizes sizes = singular_sizes(flags, m, n);
    char *matrix = scratch, *left = matrix + m * n * itemsize;
    char *right = left + (vectors ? m * sizes.left : 0) * itemsize;
    char *space = right + (vectors ? n * sizes.right : 0) * itemsize;
    int size = as_int(singular_space(m, n, vectors)), right_rows = (int)sizes.right, info = 0;
    int *integers = (int *)(space + (int64_t)size * itemsize);
    exchange_axes(at[0], matrix, m, n, task->itemsize);
    const char *wanted = !vectors ? "N" : flags[SINGULAR_FULL] ? "A" : "S";
    ((Gesdd)library[SGESDD + task->element])(wanted, &task->m, &task->n, matrix, &task->m, at[vectors ? 2 : 1], left,
                                             &task->m, right, &right_rows, space, &size, integers, &info);
    if (vectors) {
        exchange_axes(left, at[1], sizes.left, m, task->itemsize);
        exchange_axes(right, at[3], n, sizes.right, task->itemsize);
    }
    return info != 0;
}

static int no_singular(const Task *task, char *const *at, void *scratch)
{
    (void)scratch;
    bool vectors = task->flags[SINGULAR_VECTORS] && task->flags[SINGULAR_FULL];
    int64_t size = task->m > task->n ? task->m : task->n;
    char *square = at[task->m > task->n ? 1 : 3 * vectors];
    for (int64_t i = 0; vectors && i < size * size; i++) {
        if (task->element == FLOAT)
            ((float *)square)[i] = i % (size + 1) == 0;
        else
            ((double *)square)[i] = i % (size + 1) == 0;
    }
    return 0;
}

static int run_svd(const Arguments *arguments)
{
    int64_t m = arguments->sizes[0], n = arguments->sizes[1];
    SingularSizes sizes = singular_sizes(arguments->flags, m, n);
    bool vectors = arguments->flags[SINGULAR_VECTORS];
    Task task = task_of(arguments, m, n);
    task.work = m == 0 || n == 0 ? no_singular : find_singular;
    task.strides[0] = m * n * task.itemsize;
    task.strides[1] = m * sizes.left * task.itemsize;
    task.strides[vectors ? 2 : 1] = sizes.inner * task.itemsize;
    task.strides[3] = sizes.right * n * task.itemsize;
    return run_batch(&task, arguments->sizes[2], multiply_saturating(m * n, 20 * sizes.inner));
}

static bool svd_fits(const Arguments *arguments)
{
    int64_t m = arguments->sizes[0], n = arguments->sizes[1], batch = arguments->sizes[2];
    SingularSizes sizes = singular_sizes(arguments->flags, m, n);
    bool vectors = arguments->flags[SINGULAR_VECTORS];
    const Type *type = arguments->types;
    const int64_t *bytes = arguments->bytes;
    return arguments->output_count == (vectors ? 3 : 1) && counts_in_int(m, n)
        && matrices_fit(bytes[0], type, batch, m, n)
        && matrices_fit(bytes[vectors ? 2 : 1], type, batch, sizes.inner, 1)
        && (!vectors || (matrices_fit(bytes[1], type, batch, m, sizes.left)
                         && matrices_fit(bytes[3], type, batch, sizes.right, n)))
        && scratch_holds(arguments, type, singular_items(arguments->flags, m, n), 8 * sizes.inner);
}

static const enum LibraryFunction svd_functions[] = {SGESDD, DGESDD, NO_FUNCTION};

const RoutineKind svd_kind = {
    .name = "svd", .least_inputs = 1, .most_inputs = 1, .outputs = 3, .least_outputs = 1, .sizes = 3, .flags = 2,
    .kinds = "f", .functions = svd_functions, .needs_them = true, .fits = svd_fits, .run = run_svd};
