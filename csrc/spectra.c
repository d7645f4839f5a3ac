/* Orthogonal factors by LAPACK, each for a batch of matrices: QR factors, eigenvectors of symmetric matrices, singular
 * vectors; and eigenvectors of general ones. */
#include "linear.h"

#include <math.h>

#define BLOCK 64                 /* rows that LAPACK works on at once, at most */

static int as_int(int64_t size)
{
    return (int)smaller(size, INT_MAX);
}

/* So many real numbers that LAPACK works with beside complex ones, counted in these; it needs none beside real ones. */
static int64_t as_items(const Type *type, int64_t parts)
{
    return type->kind == 'c' ? parts / 2 + parts % 2 : 0;
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
    if (task->flags[QR_VECTORS])
        set_identity(task, at[1], task->m, qr_columns(task->flags, task->m, task->n));
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

static const enum LibraryFunction qr_functions[] = {SGELQF, DGELQF, CGELQF, ZGELQF, SORGLQ, DORGLQ, CUNGLQ,
                                                    ZUNGLQ, NO_FUNCTION};

const RoutineKind qr_kind = {
    .name = "qr", .least_inputs = 1, .most_inputs = 1, .outputs = 2, .least_outputs = 1, .sizes = 3, .flags = 2,
    .kinds = "fc", .functions = qr_functions, .needs_them = true, .fits = qr_fits, .run = run_qr};

/* Eigenvalues, and with VECTORS eigenvectors, of symmetric or Hermitian matrices of which the LOWER triangle is read, or
 * the upper; sizes n, batch. That an iteration does not end is a failure. */

enum { EIGEN_LOWER, EIGEN_VECTORS };

typedef void (*Syevd)(const char *, const char *, const int *, void *, const int *, void *, void *, const int *, int *,
                      const int *, int *);
typedef void (*Heevd)(const char *, const char *, const int *, void *, const int *, void *, void *, const int *, void *,
                      const int *, int *, const int *, int *);

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
    char *parts = space + (int64_t)size * task->itemsize;
    const char *wanted = vectors ? "V" : "N", *triangle = task->flags[EIGEN_LOWER] ? "L" : "U";
    exchange_axes(at[0], matrix, n, n, task->itemsize);
    if (parts_of(task) == 1)
        ((Syevd)library[SSYEVD + task->element])(wanted, triangle, &task->m, matrix, &task->m, at[1], space, &size,
                                                 (int *)parts, &integers, &info);
    else
        ((Heevd)library[SSYEVD + task->element])(wanted, triangle, &task->m, matrix, &task->m, at[1], space, &size,
                                                 parts, &size, (int *)(parts + (int64_t)size * part_size(task)),
                                                 &integers, &info);
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
    task.strides[1] = n * part_size(&task);
    return run_batch(&task, batch, multiply_saturating(10 * n * n, n));
}

static bool eigh_fits(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], batch = arguments->sizes[1];
    bool vectors = arguments->flags[EIGEN_VECTORS];
    const Type *type = arguments->types;
    int64_t space = eigen_space(n, vectors), items = add_saturating(space, vectors ? 0 : n * n);
    return arguments->output_count == (vectors ? 2 : 1) && n <= (INT_MAX - 3) / 5 && is_part_of(type + 1, type)
        && (!vectors || are_alike(type, type + 2))
        && matrices_fit(arguments->bytes[0], type, batch, n, n)
        && matrices_fit(arguments->bytes[1], type + 1, batch, n, 1)
        && (!vectors || matrices_fit(arguments->bytes[2], type, batch, n, n))
        && scratch_holds(arguments, type, add_saturating(items, as_items(type, space)), 3 + 5 * n);
}

static const enum LibraryFunction eigh_functions[] = {SSYEVD, DSYEVD, CHEEVD, ZHEEVD, NO_FUNCTION};

const RoutineKind eigh_kind = {
    .name = "eigh", .least_inputs = 1, .most_inputs = 1, .outputs = 2, .least_outputs = 1, .sizes = 2, .flags = 2,
    .kinds = "fc", .any_kind = true, .functions = eigh_functions, .needs_them = true, .fits = eigh_fits,
    .run = run_eigh};

/* Singular values of m by n matrices; with VECTORS u, s, v' in this order, u and v' square with FULL. Sizes m, n,
 * batch. That an iteration does not end is a failure. */

enum { SINGULAR_VECTORS, SINGULAR_FULL };

typedef void (*Gesdd)(const char *, const int *, const int *, void *, const int *, void *, void *, const int *, void *,
                      const int *, void *, const int *, int *, int *);
typedef void (*ComplexGesdd)(const char *, const int *, const int *, void *, const int *, void *, void *, const int *,
                             void *, const int *, void *, const int *, void *, int *, int *);

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

static int64_t singular_parts(int64_t m, int64_t n, bool vectors)
{
    int64_t inner = smaller(m, n);
    return multiply_saturating(inner, vectors ? add_saturating(7, 2 * (m + n) + 4 * inner) : 7);
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
    char *parts = space + (int64_t)size * itemsize, *values = at[vectors ? 2 : 1];
    exchange_axes(at[0], matrix, m, n, task->itemsize);
    const char *wanted = !vectors ? "N" : flags[SINGULAR_FULL] ? "A" : "S";
    if (parts_of(task) == 1)
        ((Gesdd)library[SGESDD + task->element])(wanted, &task->m, &task->n, matrix, &task->m, values, left, &task->m,
                                                 right, &right_rows, space, &size, (int *)parts, &info);
    else
        ((ComplexGesdd)library[SGESDD + task->element])(
            wanted, &task->m, &task->n, matrix, &task->m, values, left, &task->m, right, &right_rows, space, &size,
            parts, (int *)(parts + singular_parts(m, n, vectors) * part_size(task)), &info);
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
    if (vectors)
        set_identity(task, at[task->m > task->n ? 1 : 3], size, size);
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
    task.strides[vectors ? 2 : 1] = sizes.inner * part_size(&task);
    task.strides[3] = sizes.right * n * task.itemsize;
    return run_batch(&task, arguments->sizes[2], multiply_saturating(m * n, 20 * sizes.inner));
}

static bool svd_fits(const Arguments *arguments)
{
    int64_t m = arguments->sizes[0], n = arguments->sizes[1], batch = arguments->sizes[2];
    SingularSizes sizes = singular_sizes(arguments->flags, m, n);
    bool vectors = arguments->flags[SINGULAR_VECTORS];
    const Type *type = arguments->types;
    const Type *values = type + (vectors ? 2 : 1);
    const int64_t *bytes = arguments->bytes;
    return arguments->output_count == (vectors ? 3 : 1) && counts_in_int(m, n) && is_part_of(values, type)
        && matrices_fit(bytes[0], type, batch, m, n)
        && matrices_fit(bytes[vectors ? 2 : 1], values, batch, sizes.inner, 1)
        && (!vectors || (are_alike(type, type + 1) && are_alike(type, type + 3)
                         && matrices_fit(bytes[1], type, batch, m, sizes.left)
                         && matrices_fit(bytes[3], type, batch, sizes.right, n)))
        && scratch_holds(arguments, type, add_saturating(singular_items(arguments->flags, m, n),
                                                         as_items(type, singular_parts(m, n, vectors))),
                         8 * sizes.inner);
}

static const enum LibraryFunction svd_functions[] = {SGESDD, DGESDD, CGESDD, ZGESDD, NO_FUNCTION};

const RoutineKind svd_kind = {
    .name = "svd", .least_inputs = 1, .most_inputs = 1, .outputs = 3, .least_outputs = 1, .sizes = 3, .flags = 2,
    .kinds = "fc", .any_kind = true, .functions = svd_functions, .needs_them = true, .fits = svd_fits, .run = run_svd};

/* Eigenvalues, and with VECTORS unit eigenvectors, of square matrices: complex numbers, of real matrices too. Sizes n,
 * batch. That an iteration does not end is a failure; so is a matrix that is not finite, with which it might not. */

enum { GENERAL_VECTORS };

typedef void (*Geev)(const char *, const char *, const int *, void *, const int *, void *, void *, void *, const int *,
                     void *, const int *, void *, const int *, int *);
typedef void (*ComplexGeev)(const char *, const char *, const int *, void *, const int *, void *, void *, const int *,
                            void *, const int *, void *, const int *, void *, int *);

/* From what LAPACK gives for real matrices: real and imaginary parts of the values, and a vector in a column, or those of
 * a conjugate pair in two. */
#define GENERAL(name, type)                                                                            \
    static bool name##_are_finite(const type *numbers, int64_t count)                                  \
    {                                                                                                  \
        for (int64_t i = 0; i < count; i++)                                                            \
            if (!isfinite(numbers[i]))                                                                 \
                return false;                                                                          \
        return true;                                                                                   \
    }                                                                                                  \
    static void name##_values(const type *parts, int64_t n, type *w)                                   \
    {                                                                                                  \
        for (int64_t i = 0; i < 2 * n; i++)                                                            \
            w[i] = parts[i / 2 + (i % 2) * n];                                                         \
    }                                                                                                  \
    static void name##_vectors(const type *parts, const type *columns, int64_t n, type *v)             \
    {                                                                                                  \
        for (int64_t j = 0; j < n; j++) {                                                              \
            type side = parts[n + j] > 0 ? 1 : parts[n + j] < 0 && j > 0 ? -1 : 0;                     \
            const type *real = columns + (side < 0 ? j - 1 : j) * n, *other = real + n;                \
            for (int64_t i = 0; i < n; i++) {                                                          \
                v[2 * (i * n + j)] = real[i];                                                          \
                v[2 * (i * n + j) + 1] = side != 0 ? side * other[i] : 0;                              \
            }                                                                                          \
        }                                                                                              \
    }

GENERAL(float, float)
GENERAL(double, double)

static bool is_finite(const Task *task, const char *matrix)
{
    int64_t count = (int64_t)task->m * task->m * parts_of(task);
    return is_single(task) ? float_are_finite((const float *)matrix, count)
                           : double_are_finite((const double *)matrix, count);
}

static int64_t general_space(int64_t n)
{
    return multiply_saturating(n, 2 * BLOCK + 6);
}

/* A copy of the matrix, vectors in columns, both parts of the values, and room to work. */
static int64_t general_items(int64_t n)
{
    return add_saturating(multiply_saturating(2 * n, n), add_saturating(2 * n, general_space(n)));
}

static int find_general(const Task *task, char *const *at, void *scratch)
{
    bool vectors = task->flags[GENERAL_VECTORS], is_real = parts_of(task) == 1;
    int64_t n = task->m, bytes = n * n * task->itemsize;
    char *matrix = scratch, *columns = matrix + bytes, *parts = columns + bytes;
    char *other_parts = parts + n * task->itemsize, *space = other_parts + n * task->itemsize;
    int size = as_int(general_space(n)), info = 0;
    const char *wanted = vectors ? "V" : "N";
    if (!is_finite(task, at[0]))
        return 1;
    exchange_axes(at[0], matrix, n, n, task->itemsize);
    if (is_real)
        ((Geev)library[SGEEV + task->element])("N", wanted, &task->m, matrix, &task->m, parts, other_parts, columns,
                                               &task->m, columns, &task->m, space, &size, &info);
    else
        ((ComplexGeev)library[SGEEV + task->element])("N", wanted, &task->m, matrix, &task->m, at[1], columns, &task->m,
                                                      columns, &task->m, space, &size, parts, &info);
    if (is_real && is_single(task))
        float_values((const float *)parts, n, (float *)at[1]);
    else if (is_real)
        double_values((const double *)parts, n, (double *)at[1]);
    if (vectors && !is_real)
        exchange_axes(columns, at[2], n, n, task->itemsize);
    else if (vectors && is_single(task))
        float_vectors((const float *)parts, (const float *)columns, n, (float *)at[2]);
    else if (vectors)
        double_vectors((const double *)parts, (const double *)columns, n, (double *)at[2]);
    return info != 0;
}

static int run_eig(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], batch = arguments->sizes[1];
    if (n == 0 || batch == 0)
        return 0;
    Task task = task_of(arguments, n, n);
    task.work = find_general;
    task.strides[0] = n * n * task.itemsize;
    task.strides[1] = n * 2 * part_size(&task);
    task.strides[2] = n * task.strides[1];
    return run_batch(&task, batch, multiply_saturating(25 * n * n, n));
}

static bool eig_fits(const Arguments *arguments)
{
    int64_t n = arguments->sizes[0], batch = arguments->sizes[1];
    bool vectors = arguments->flags[GENERAL_VECTORS];
    const Type *type = arguments->types, *values = type + 1, *made = type + 2;
    bool match = values->kind == 'c' && (type->kind == 'c' ? are_alike(type, values) : is_part_of(type, values));
    return arguments->output_count == (vectors ? 2 : 1) && match && counts_in_int(n, n)
        && matrices_fit(arguments->bytes[0], type, batch, n, n)
        && matrices_fit(arguments->bytes[1], values, batch, n, 1)
        && (!vectors || (are_alike(values, made) && matrices_fit(arguments->bytes[2], made, batch, n, n)))
        && scratch_holds(arguments, type, general_items(n), 0);
}

static const enum LibraryFunction eig_functions[] = {SGEEV, DGEEV, CGEEV, ZGEEV, NO_FUNCTION};

const RoutineKind eig_kind = {
    .name = "eig", .least_inputs = 1, .most_inputs = 1, .outputs = 2, .least_outputs = 1, .sizes = 2, .flags = 1,
    .kinds = "fc", .any_kind = true, .functions = eig_functions, .needs_them = true, .fits = eig_fits, .run = run_eig};
