/* Matrix products: oneDNN and BLAS where their addresses are known, else a plain loop.
 *
 * Matrices are row-major. BLAS is column-major, where a row-major matrix is its own transpose: it computes
 * c' = op(b)' op(a)'.
 */
#include "core.h"

#include <complex.h>

#define SMALL (64 * 64 * 64)     /* multiplications up to which BLAS uses one thread, and beats oneDNN */

typedef int (*DnnlSgemm)(char, char, int64_t, int64_t, int64_t, float, const float *, int64_t, const float *, int64_t,
                         float, float *, int64_t);
typedef void (*BlasGemm)(const char *, const char *, const int *, const int *, const int *, const void *, const void *,
                         const int *, const void *, const int *, const void *, void *, const int *);
typedef void (*BlasGemv)(const char *, const int *, const int *, const void *, const void *, const int *, const void *,
                         const int *, const void *, void *, const int *);

enum Element { FLOAT, DOUBLE, COMPLEX_FLOAT, COMPLEX_DOUBLE };

static DnnlSgemm dnnl_sgemm;
static BlasGemm blas_gemm[4];
static BlasGemv blas_gemv[2];

int gemm_set_library(const char *name, void *address)
{
    const struct { const char *name; void *slot; } routines[] = {
        {"dnnl_sgemm", &dnnl_sgemm}, {"sgemm", &blas_gemm[FLOAT]}, {"dgemm", &blas_gemm[DOUBLE]},
        {"cgemm", &blas_gemm[COMPLEX_FLOAT]}, {"zgemm", &blas_gemm[COMPLEX_DOUBLE]}, {"sgemv", &blas_gemv[FLOAT]},
        {"dgemv", &blas_gemv[DOUBLE]}};
    for (size_t i = 0; i < sizeof(routines) / sizeof(routines[0]); i++)
        if (strcmp(name, routines[i].name) == 0) {
            memcpy(routines[i].slot, &address, sizeof(address));
            return 0;
        }
    return -1;
}

/* A batch of products of one shape. */
typedef struct {
    enum Element element;
    int itemsize;
    bool transpose_a, transpose_b;
    int64_t m, n, k;
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
        int64_t m = product->m, n = product->n, k = product->k;                                              \
        int64_t a_row = product->transpose_a ? 1 : k, a_column = product->transpose_a ? m : 1;               \
        int64_t b_row = product->transpose_b ? 1 : n, b_column = product->transpose_b ? k : 1;               \
        for (int64_t i = 0; i < m; i++) {                                                                    \
            element_type *row = c + i * n;                                                                   \
            for (int64_t j = 0; j < n; j++)                                                                  \
                row[j] = beta == 0 ? 0 : beta * row[j];                                                      \
            for (int64_t p = 0; p < k; p++) {                                                                \
                element_type factor = alpha * a[i * a_row + p * a_column];                                   \
                for (int64_t j = 0; j < n; j++)                                                              \
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
    int row_of_a = product->transpose_a ? m : k, row_of_b = product->transpose_b ? k : n;
    blas_gemm[product->element](product->transpose_b ? "T" : "N", product->transpose_a ? "T" : "N", &n, &m, &k,
                                product->alpha, b, &row_of_b, a, &row_of_a, product->beta, c, &n);
}

/* One of the matrices is a vector, and so is c. The other one, as BLAS sees it, has `rows` and `columns`. */
static void multiply_by_vector(const Product *product, const void *a, const void *b, void *c)
{
    static const int one = 1;
    static const double one_double = 1;
    static const float one_float = 1;
    bool left = product->m == 1; /* the vector is a */
    const void *matrix = left ? b : a, *vector = left ? a : b;
    bool stored_transposed = left ? product->transpose_b : product->transpose_a;
    int length = (int)product->k, other = (int)(left ? product->n : product->m);
    /* Stored (length, other) in rows, it is (other, length) to BLAS: what is wanted, unless transposed. */
    bool as_wanted = left ? !stored_transposed : stored_transposed;
    int rows = as_wanted ? other : length, columns = as_wanted ? length : other;
    const void *beta = product->beta;
    bool single = product->element == FLOAT;
    if (single ? *(const float *)beta == 0 : *(const double *)beta == 0) {
        memset(c, 0, (size_t)other * product->itemsize); /* gemv may scale what is there, NaN too */
        beta = single ? (const void *)&one_float : &one_double;
    }
    blas_gemv[product->element](as_wanted ? "N" : "T", &rows, &columns, product->alpha, matrix, &rows, vector, &one,
                                beta, c, &one);
}

static int multiply_by_dnnl(const Product *product, const void *a, const void *b, void *c)
{
    int64_t row_of_a = product->transpose_a ? product->m : product->k;
    int64_t row_of_b = product->transpose_b ? product->k : product->n;
    int before = threads_lend();
    int status = dnnl_sgemm(product->transpose_a ? 'T' : 'N', product->transpose_b ? 'T' : 'N', product->m, product->n,
                            product->k, *(const float *)product->alpha, a, row_of_a, b, row_of_b,
                            *(const float *)product->beta, c, product->n);
    threads_take_back(before);
    return status;
}

static int64_t multiplications(const Product *product)
{
    return multiply_saturating(multiply_saturating(product->m, product->n), product->k);
}

/* One product of the batch, by whatever does it fastest. */
static int multiply(const Product *product, int64_t index)
{
    const char *a = product->a + index * product->stride_a * product->itemsize;
    const char *b = product->b + index * product->stride_b * product->itemsize;
    char *c = product->c + index * product->stride_c * product->itemsize;
    bool blas_counts = product->k > 0 && product->m <= INT_MAX && product->n <= INT_MAX && product->k <= INT_MAX;
    bool vector = (product->m == 1 || product->n == 1) && product->element <= DOUBLE;
    if (vector && blas_counts && blas_gemv[product->element] != NULL)
        multiply_by_vector(product, a, b, c);
    else if (product->element == FLOAT && dnnl_sgemm != NULL && multiplications(product) > SMALL)
        return multiply_by_dnnl(product, a, b, c);
    else if (blas_counts && blas_gemm[product->element] != NULL)
        multiply_by_blas(product, a, b, c);
    else
        multiply_plainly(product, a, b, c);
    return 0;
}

/* Products begin..end of a batch; a kernel, so that a parallel-for can run it. */
static int multiply_chunk(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes;
    (void)scratch;
    int status = 0;
    for (int64_t i = begin; i < end && status == 0; i++)
        status = multiply(buffers[0], i);
    return status;
}

int gemm_run(const Gemm *gemm, const Type *type, void *const *slots, const int64_t *sizes)
{
    int64_t batch = sizes[gemm->batch];
    Product product = {
        element_of(type), type->itemsize, gemm->transpose_a, gemm->transpose_b,
        sizes[gemm->m], sizes[gemm->n], sizes[gemm->k],
        sizes[gemm->stride_a], sizes[gemm->stride_b], sizes[gemm->stride_c],
        slots[gemm->a], slots[gemm->b], slots[gemm->c], slots[gemm->alpha], slots[gemm->beta]};
    if (product.m <= 0 || product.n <= 0 || batch <= 0)
        return 0;
    if (batch == 1)
        return multiply(&product, 0);
    bool one_matrix = !product.transpose_a && product.stride_a == product.m * product.k && product.stride_b == 0
        && product.stride_c == product.m * product.n;
    if (one_matrix) {            /* the same b for all: one product with more rows */
        product.m *= batch;
        return multiply(&product, 0);
    }
    /* Large products use threads of their own, and one after the other lest the two kinds get in each other's way. */
    int64_t each = multiplications(&product);
    int threads = each <= SMALL ? threads_for(multiply_saturating(each, batch), batch) : 1;
    void *buffers[] = {&product};
    if (threads == 1)
        return multiply_chunk(buffers, NULL, 0, batch, NULL);
    return parallel_for(multiply_chunk, buffers, NULL, batch, threads, NULL, 0);
}
