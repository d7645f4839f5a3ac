/* Matrix products: oneDNN and BLAS where their addresses are known, else a plain loop.
 *
 * Matrices are row-major. BLAS is column-major, where a row-major matrix is its own transpose: it computes
 * c' = op(b)' op(a)'.
 */
#include "core.h"

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

typedef int (*GetThreads)(void);
typedef void (*SetThreads)(int);

enum Element { FLOAT, DOUBLE, COMPLEX_FLOAT, COMPLEX_DOUBLE };

static DnnlSgemm dnnl_sgemm;
static BlasGemm blas_gemm[4];
static BlasGemv blas_gemv[2];
static GetThreads blas_get_threads;
static SetThreads blas_set_threads;

int gemm_set_library(const char *name, void *address)
{
    const struct { const char *name; void *slot; } routines[] = {
        {"dnnl_sgemm", &dnnl_sgemm}, {"sgemm", &blas_gemm[FLOAT]}, {"dgemm", &blas_gemm[DOUBLE]},
        {"cgemm", &blas_gemm[COMPLEX_FLOAT]}, {"zgemm", &blas_gemm[COMPLEX_DOUBLE]}, {"sgemv", &blas_gemv[FLOAT]},
        {"dgemv", &blas_gemv[DOUBLE]}, {"get_threads", &blas_get_threads}, {"set_threads", &blas_set_threads}};
    for (size_t i = 0; i < sizeof(routines) / sizeof(routines[0]); i++)
        if (strcmp(name, routines[i].name) == 0) {
            memcpy(routines[i].slot, &address, sizeof(address));
            return 0;
        }
    return -1;
}

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

bool gemm_takes(const Type *type)
{
    return (type->kind == 'f' && type->itemsize >= 4) || type->kind == 'c';
}

static enum Element element_of(const Type *type)
{
    bool single = type->itemsize == (type->kind == 'c' ? 8 : 4);
    return (type->kind == 'c' ? COMPLEX_FLOAT : FLOAT) + (single ? 0 : 1);
}

static bool matrices_fit(int64_t bytes, int itemsize, int64_t rows, int64_t columns, int64_t batch, int64_t stride)
{
    if (rows <= 0 || columns <= 0 || batch <= 0)
        return true;
    int64_t last = multiply_saturating(batch - 1, stride);
    int64_t elements = add_saturating(last, multiply_saturating(rows, columns));
    return stride >= 0 && elements <= bytes / itemsize;
}

bool gemm_fits(const Machine *machine, const Gemm *gemm, const Binding *binding)
{
    const int64_t *sizes = binding->sizes, *bytes = binding->bytes;
    int64_t m = sizes[gemm->m], n = sizes[gemm->n], k = sizes[gemm->k], batch = sizes[gemm->batch];
    int itemsize = machine->buffers[gemm->c].type.itemsize;
    if (m <= 0 || n <= 0 || batch <= 0)
        return true;
    bool apart = batch == 1 || sizes[gemm->stride_c] >= multiply_saturating(m, n);
    return apart && bytes[gemm->alpha] >= itemsize && bytes[gemm->beta] >= itemsize
        && matrices_fit(bytes[gemm->a], itemsize, m, k, batch, sizes[gemm->stride_a])
        && matrices_fit(bytes[gemm->b], itemsize, k, n, batch, sizes[gemm->stride_b])
        && matrices_fit(bytes[gemm->c], itemsize, m, n, batch, sizes[gemm->stride_c]);
}

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
    blas_gemm[product->element](product->transpose_b ? "T" : "N", product->transpose_a ? "T" : "N", &n, &m, &k,
                                product->alpha, b, &row_b, a, &row_a, product->beta, c, &row_c);
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
    blas_gemv[product->element](as_stored ? "N" : "T", as_stored ? &length : &k, as_stored ? &k : &length,
                                product->alpha, matrix, &row_matrix, vector, &one, beta, c, &one);
}

static int multiply_by_dnnl(const Product *product, const void *a, const void *b, void *c)
{
    int before = threads_lend();
    int status = dnnl_sgemm(product->transpose_a ? 'T' : 'N', product->transpose_b ? 'T' : 'N', product->m, product->n,
                            product->k, *(const float *)product->alpha, a, product->row_a, b, product->row_b,
                            *(const float *)product->beta, c, product->row_c);
    threads_take_back(before);
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
    if (vector && blas_counts && blas_gemv[product->element] != NULL)
        return BY_VECTOR;
    if (product->element == FLOAT && dnnl_sgemm != NULL && multiplications(product) > SMALL)
        return BY_DNNL;
    return blas_counts && blas_gemm[product->element] != NULL ? BY_BLAS : PLAINLY;
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

/* Blocks begin..end of the rows of c, or of its columns where there are more of those: */
static int multiply_blocks(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes;
    (void)scratch;
    Product part = *(const Product *)buffers[0];
    bool by_rows = part.m >= part.n;
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

/* BLAS is kept to one thread while ours divide the work: threads of two kinds get in each other's way. */
static int run_product(Product *product, int64_t batch)
{
    int64_t longest = product->m > product->n ? product->m : product->n;
    int64_t work = multiplications(product) / WORK_RATE + CALL_WORK;
    void *buffers[] = {product};
    if (batch == 1) {
        int threads = product->method == BY_DNNL ? 1 : threads_for(work, (longest + BLOCK - 1) / BLOCK);
        if (threads > 1)
            return parallel_for(multiply_blocks, buffers, NULL, (longest + BLOCK - 1) / BLOCK, threads, NULL, 0);
        return multiply(product, 0);
    }
    int threads = threads_for(multiply_saturating(work, batch), batch);
    if (threads > 1 && batch >= threads_get())
        return parallel_for(multiply_batch, buffers, NULL, batch, threads, NULL, 0);
    int status = 0;
    Product one = *product;
    for (int64_t i = 0; i < batch && status == 0; i++) {
        one.a = product->a + i * product->stride_a * product->itemsize;
        one.b = product->b + i * product->stride_b * product->itemsize;
        one.c = product->c + i * product->stride_c * product->itemsize;
        status = run_product(&one, 1);
    }
    return status;
}

int gemm_run(const Gemm *gemm, const Type *type, void *const *slots, const int64_t *sizes)
{
    int64_t m = sizes[gemm->m], n = sizes[gemm->n], k = sizes[gemm->k], batch = sizes[gemm->batch];
    if (m <= 0 || n <= 0 || batch <= 0)
        return 0;
    Product product = {
        .element = element_of(type), .itemsize = type->itemsize,
        .transpose_a = gemm->transpose_a, .transpose_b = gemm->transpose_b, .m = m, .n = n, .k = k < 0 ? 0 : k,
        .row_a = gemm->transpose_a ? m : k, .row_b = gemm->transpose_b ? k : n, .row_c = n,
        .stride_a = sizes[gemm->stride_a], .stride_b = sizes[gemm->stride_b], .stride_c = sizes[gemm->stride_c],
        .a = slots[gemm->a], .b = slots[gemm->b], .c = slots[gemm->c],
        .alpha = slots[gemm->alpha], .beta = slots[gemm->beta]};
    bool same_b = !product.transpose_a && product.stride_a == m * k && product.stride_b == 0
        && product.stride_c == m * n;
    if (same_b) {                /* one product with more rows */
        product.m *= batch;
        batch = 1;
    }
    product.method = choose_method(&product);
    product.row_vector = product.m == 1;
    bool blas = product.method == BY_BLAS || product.method == BY_VECTOR;
    int threads = blas && blas_get_threads != NULL && blas_set_threads != NULL ? blas_get_threads() : 1;
    if (threads > 1)
        blas_set_threads(1);
    int status = run_product(&product, batch);
    if (threads > 1)
        blas_set_threads(threads);
    return status;
}
