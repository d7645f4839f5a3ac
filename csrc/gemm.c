/* Matrix products: oneDNN and BLAS where their addresses are known, else a plain loop.
 *
 * Matrices are row-major. BLAS is column-major, where a row-major matrix is its own transpose: it computes
 * c' = op(b)' op(a)'.
 */
#include "routines.h"

#include <complex.h>

#define SMALL (64 * 64 * 64)     /* multiplications up to which BLAS beats oneDNN */
#define BLOCK 16                 /* rows or columns of c that threads do not divide further */
#define WORK_RATE 32             /* multiplications done in the time of one element of work */
#define CALL_WORK 50             /* elements of work that calling a routine takes */

typedef int (*DnnlSgemm)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t,
                         float, float *, int64_t);
typedef void (*BlasGemm)(const char *, const char *, const int *, const int *, const int *, const void *, const void *,
                         const int *, const void *, const int *, const void *, void *, const int *);
typedef void (*BlasGemv)(const char *, const int *, const int *, const void *, const void *, const int *, const void *,
                         const int *, const void *, void *, const int *);

enum Method { PLAINLY, BY_BLAS, BY_VECTOR, BY_DNNL };

/* A batch of products of one shape. */
typedef struct {
    enum Method method;
    bool row_vector;             /* for BY_VECTOR: c is a row, not a column */
    enum Element element;
    int itemsize;
    bool transpose_a, transpose_b;
    int64_t m, n, k;
    int64_t row_a, row_b, row_c; /* elements from one stored row to the next */
    int64_t stride_a, stride_b, stride_c; /* elements from one matrix of the batch to the next */
    const char *a, *b;
    char *c;
    const void *alpha, *beta;
} Product;

/* The plain loop, one definition for each type of element. */
#define PLAIN_LOOP(name, element_type)                                                                       \
    static void name(const Product *product, const element_type *a, const element_type *b, element_type *c) \
    {                                                                                                        \
        element_type alpha = *(const element_type *)product->alpha, beta = *(const element_type *)product->beta; \
        int64_t a_row = product->transpose_a ? 1 : product->row_a;                                           \
        int64_t a_column = product->transpose_a ? product->row_a : 1;                                        \
        int64_t b_row = product->transpose_b ? 1 : product->row_b;                                           \
        int64_t b_column = product->transpose_b ? product->row_b : 1;                                        \
        for (int64_t i = 0; i < product->m; i++) {                                                           \
            element_type *row = c + i * product->row_c;                                                      \
            for (int64_t j = 0; j < product->n; j++)                                                         \
                row[j] = beta == 0 ? 0 : beta * row[j];                                                      \
            for (int64_t p = 0; p < product->k; p++) {                                                       \
                element_type factor = alpha * a[i * a_row + p * a_column];                                   \
                for (int64_t j = 0; j < product->n; j++)                                                     \
                    row[j] += factor * b[p * b_row + j * b_column];                                          \
            }                                                                                                \
        }                                                                                                    \
    }

PLAIN_LOOP(loop_float, float)
PLAIN_LOOP(loop_double, double)
PLAIN_LOOP(loop_complex_float, float complex)
PLAIN_LOOP(loop_complex_double, double complex)

static void multiply_plainly(const Product *product, const void *a, const void *b, void *c)
{
    switch (product->element) {
    case FLOAT: loop_float(product, a, b, c); break;
    case DOUBLE: loop_double(product, a, b, c); break;
    case COMPLEX_FLOAT: loop_complex_float(product, a, b, c); break;
    case COMPLEX_DOUBLE: loop_complex_double(product, a, b, c); break;
    }
}

static void multiply_by_blas(const Product *product, const void *a, const void *b, void *c)
{
    int m = (int)product->m, n = (int)product->n, k = (int)product->k;
    int row_a = (int)product->row_a, row_b = (int)product->row_b, row_c = (int)product->row_c;
    BlasGemm gemm = (BlasGemm)library[SGEMM + product->element];
    gemm(product->transpose_b ? "T" : "N", product->transpose_a ? "T" : "N", &n, &m, &k, product->alpha, b, &row_b,
         a, &row_a, product->beta, c, &row_c);
}

/* c has one row or one column, so it is a vector, and so is a or b; the other one is the matrix. */
static void multiply_by_vector(const Product *product, const void *a, const void *b, void *c)
{
    static const int one = 1;
    static const double one_double = 1;
    static const float one_float = 1;
    bool row = product->row_vector;
    const void *matrix = row ? b : a, *vector = row ? a : b;
    int k = (int)product->k, length = (int)(row ? product->n : product->m);
    int row_matrix = (int)(row ? product->row_b : product->row_a);
    /* As it is stored, the matrix is (length, k) to BLAS, or it is (k, length) and to be transposed. */
    bool as_stored = row ? !product->transpose_b : product->transpose_a;
    if (as_stored && row_matrix == 1) { /* a dot product, fastest as a row of k */
        as_stored = false;
        row_matrix = k;
    }
    const void *beta = product->beta;
    bool single = product->element == FLOAT;
    if (single ? *(const float *)beta == 0 : *(const double *)beta == 0) {
        memset(c, 0, (size_t)length * product->itemsize); /* gemv may scale what is there, NaN too */
        beta = single ? (const void *)&one_float : &one_double;
    }
    BlasGemv gemv = (BlasGemv)library[SGEMV + product->element];
    gemv(as_stored ? "N" : "T", as_stored ? &length : &k, as_stored ? &k : &length, product->alpha, matrix,
         &row_matrix, vector, &one, beta, c, &one);
}

static int multiply_by_dnnl(const Product *product, const void *a, const void *b, void *c)
{
    DnnlSgemm gemm = (DnnlSgemm)library[DNNL_SGEMM];
    int before = threads_lend(1);
    int status = gemm(product->transpose_a ? 'T' : 'N', product->transpose_b ? 'T' : 'N', product->m, product->n,
                      product->k, *(const float *)product->alpha, a, product->row_a, b, product->row_b,
                      *(const float *)product->beta, c, product->row_c);
    threads_take_back(before, 1);
    return status;
}

static int64_t multiplications(const Product *product)
{
    return multiply_saturating(multiply_saturating(product->m, product->n), product->k);
}

/* What does it fastest among what there is. BLAS counts in int. */
static enum Method choose_method(const Product *product)
{
    bool blas_counts = product->k > 0 && product->m <= INT_MAX && product->n <= INT_MAX && product->k <= INT_MAX;
    bool vector = (product->m == 1 || product->n == 1) && product->element <= DOUBLE;
    if (vector && blas_counts && library[SGEMV + product->element] != NULL)
        return BY_VECTOR;
    if (product->element == FLOAT && library[DNNL_SGEMM] != NULL && multiplications(product) > SMALL)
        return BY_DNNL;
    return blas_counts && library[SGEMM + product->element] != NULL ? BY_BLAS : PLAINLY;
}

/* One product of the batch. */
static int multiply(const Product *product, int64_t index)
{
    const char *a = product->a + index * product->stride_a * product->itemsize;
    const char *b = product->b + index * product->stride_b * product->itemsize;
    char *c = product->c + index * product->stride_c * product->itemsize;
    switch (product->method) {
    case BY_DNNL: return multiply_by_dnnl(product, a, b, c);
    case BY_VECTOR: multiply_by_vector(product, a, b, c); break;
    case BY_BLAS: multiply_by_blas(product, a, b, c); break;
    case PLAINLY: multiply_plainly(product, a, b, c); break;
    }
    return 0;
}

/* Kernels for a parallel-for; buffers[0] is the Product. Products begin..end of a batch: */
static int multiply_batch(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes;
    (void)scratch;
    int status = 0;
    for (int64_t i = begin; i < end && status == 0; i++)
        status = multiply(buffers[0], i);
    return status;
}

/* Whether threads share the rows of c among them, not its columns. oneDNN's sums differ with the number of rows. */
static bool divides_rows(const Product *product)
{
    return product->m >= product->n && product->method != BY_DNNL;
}

/* Blocks begin..end of the rows or columns of c: */
static int multiply_blocks(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes;
    (void)scratch;
    Product part = *(const Product *)buffers[0];
    bool by_rows = divides_rows(&part);
    int64_t total = by_rows ? part.m : part.n, first = begin * BLOCK;
    int64_t count = end * BLOCK < total ? end * BLOCK - first : total - first;
    if (by_rows) {
        part.m = count;
        part.a += first * (part.transpose_a ? 1 : part.row_a) * part.itemsize;
        part.c += first * part.row_c * part.itemsize;
    } else {
        part.n = count;
        part.b += first * (part.transpose_b ? part.row_b : 1) * part.itemsize;
        part.c += first * part.itemsize;
    }
    return multiply(&part, 0);
}

static int64_t work_of(const Product *product)
{
    return multiplications(product) / WORK_RATE + CALL_WORK;
}

static int run_one(Product *product)
{
    void *buffers[] = {product};
    int64_t blocks = ((divides_rows(product) ? product->m : product->n) + BLOCK - 1) / BLOCK;
    int threads = threads_for(work_of(product), blocks);
    return threads > 1 ? parallel_for(multiply_blocks, buffers, NULL, blocks, threads, NULL, 0) : multiply(product, 0);
}

static int run_all(Product *product, int64_t batch)
{
    void *buffers[] = {product};
    int threads = threads_for(multiply_saturating(work_of(product), batch), batch);
    if (threads > 1 && batch >= threads_get())
        return parallel_for(multiply_batch, buffers, NULL, batch, threads, NULL, 0);
    int status = 0;
    Product one = *product;
    for (int64_t i = 0; i < batch && status == 0; i++) {
        one.a = product->a + i * product->stride_a * product->itemsize;
        one.b = product->b + i * product->stride_b * product->itemsize;
        one.c = product->c + i * product->stride_c * product->itemsize;
        status = run_one(&one);
    }
    return status;
}

int multiply_matrices(const Matrices *given)
{
    static const double numbers[] = {0, 1};
    static const float float_numbers[] = {0, 1};
    bool single = given->element == FLOAT;
    Product product = {
        .element = given->element, .itemsize = single ? 4 : 8,
        .transpose_a = given->transpose_a, .transpose_b = given->transpose_b, .m = given->m, .n = given->n, .k = given->k,
        .row_a = given->row_a, .row_b = given->row_b, .row_c = given->row_c, .a = given->a, .b = given->b, .c = given->c,
        .alpha = single ? (const void *)&float_numbers[1] : &numbers[1],
        .beta = single ? (const void *)&float_numbers[given->add] : &numbers[given->add]};
    /* As vectors, matrices would have to be dense. */
    bool blas_counts = product.k > 0 && product.m <= INT_MAX && product.n <= INT_MAX && product.k <= INT_MAX;
    product.method = single && library[DNNL_SGEMM] != NULL && multiplications(&product) > SMALL ? BY_DNNL
                     : blas_counts && library[SGEMM + product.element] != NULL ? BY_BLAS : PLAINLY;
    int before = product.method == BY_BLAS ? blas_threads_take(1) : 0;
    int status = run_one(&product);
    blas_threads_give(before);
    return status;
}

enum GemmSize { M, N, K, BATCH };
enum GemmFlag { TRANSPOSE_A, TRANSPOSE_B, ONE_A, ONE_B };

/* c[i] = alpha op(a[i]) op(b[i]) + beta c[i]; inputs a, b, and alpha, beta, which are 1 and 0 if not given; output c.
 * op(a) is (m, k), op(b) is (k, n). With a flag ONE_, all matrices of the batch are one. */
static int run(const Arguments *arguments)
{
    static const double ones[] = {1, 0}, zeros[] = {0, 0};
    static const float float_ones[] = {1, 0};
    const int64_t *sizes = arguments->sizes;
    const int *flags = arguments->flags;
    void *const *buffers = arguments->buffers;
    int64_t m = sizes[M], n = sizes[N], k = sizes[K], batch = sizes[BATCH];
    if (m <= 0 || n <= 0 || batch <= 0)
        return 0;
    bool scaled = arguments->input_count == 4;
    enum Element element = element_of(arguments->types);
    const void *one = element == FLOAT || element == COMPLEX_FLOAT ? (const void *)float_ones : ones;
    Product product = {
        .element = element, .itemsize = arguments->types->itemsize,
        .transpose_a = flags[TRANSPOSE_A], .transpose_b = flags[TRANSPOSE_B], .m = m, .n = n, .k = k,
        .row_a = flags[TRANSPOSE_A] ? m : k, .row_b = flags[TRANSPOSE_B] ? k : n, .row_c = n,
        .stride_a = flags[ONE_A] ? 0 : m * k, .stride_b = flags[ONE_B] ? 0 : k * n, .stride_c = m * n,
        .a = buffers[0], .b = buffers[1], .c = buffers[arguments->input_count],
        .alpha = scaled ? buffers[2] : one, .beta = scaled ? buffers[3] : zeros};
    if (flags[ONE_B] && !flags[ONE_A] && !flags[TRANSPOSE_A]) { /* one product with more rows */
        product.m *= batch;
        batch = 1;
    }
    product.method = choose_method(&product);
    product.row_vector = product.m == 1;
    bool blas = product.method == BY_BLAS || product.method == BY_VECTOR;
    int before = blas ? blas_threads_take(1) : 0;
    int status = run_all(&product, batch);
    blas_threads_give(before);
    return status;
}

static bool fits(const Arguments *arguments)
{
    const int64_t *sizes = arguments->sizes, *bytes = arguments->bytes;
    const int *flags = arguments->flags;
    const Type *type = arguments->types;
    int64_t m = sizes[M], n = sizes[N], k = sizes[K], batch = sizes[BATCH];
    for (int i = 2; i < arguments->input_count; i++)
        if (bytes[i] < type->itemsize)
            return false;
    return (arguments->input_count != 3) && matrices_fit(bytes[0], type, flags[ONE_A] ? 1 : batch, m, k)
        && matrices_fit(bytes[1], type, flags[ONE_B] ? 1 : batch, k, n)
        && matrices_fit(bytes[arguments->input_count], type, batch, m, n);
}

static const enum LibraryFunction functions[] = {
    DNNL_SGEMM, SGEMM, DGEMM, CGEMM, ZGEMM, SGEMV, DGEMV, NO_FUNCTION};

const RoutineKind gemm_kind = {
    .name = "gemm", .least_inputs = 2, .most_inputs = 4, .outputs = 1, .sizes = 4, .flags = 4, .kinds = "fc",
    .functions = functions, .fits = fits, .run = run};
