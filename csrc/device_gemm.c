/* Products of matrices by cuBLAS: queued on the device's stream. Needs no header of cuBLAS. */
#include "routines.h"

#include <limits.h>

typedef int BlasStatus;          /* cublasStatus_t: zero for success */
enum { NOT_TRANSPOSED, TRANSPOSED };           /* cublasOperation_t */
enum { ON_PROCESSOR, ON_DEVICE };              /* cublasPointerMode_t: where alpha and beta are */
enum { HALF = 2, BFLOAT16 = 14, ADDED_IN_FLOAT = 68, ANY_WAY = -1 }; /* cudaDataType, cublasComputeType_t, cublasGemmAlgo_t */

typedef BlasStatus (*Create)(void **handle);
typedef BlasStatus (*SetStream)(void *handle, void *stream);
typedef BlasStatus (*SetPointers)(void *handle, int mode);
typedef BlasStatus (*Gemm)(void *handle, int transpose_a, int transpose_b, int m, int n, int k, const void *alpha,
                           const void *a, int row_a, const void *b, int row_b, const void *beta, void *c, int row_c);
typedef BlasStatus (*GemmBatch)(void *handle, int transpose_a, int transpose_b, int m, int n, int k, const void *alpha,
                                const void *a, int row_a, long long stride_a, const void *b, int row_b,
                                long long stride_b, const void *beta, void *c, int row_c, long long stride_c,
                                int batch);
typedef BlasStatus (*GemmBatchOf)(void *handle, int transpose_a, int transpose_b, int m, int n, int k,
                                  const void *alpha, const void *a, int type_a, int row_a, long long stride_a,
                                  const void *b, int type_b, int row_b, long long stride_b, const void *beta, void *c,
                                  int type_c, int row_c, long long stride_c, int batch, int compute, int algorithm);

enum GemmSize { M, N, K, BATCH };
enum GemmFlag { TRANSPOSE_A, TRANSPOSE_B, ONE_A, ONE_B };

static BlasStatus open_handle(Device *device)
{
    if (device->blas != NULL)
        return 0;
    void *handle = NULL;
    BlasStatus status = ((Create)library[CUBLAS_CREATE])(&handle);
    if (status == 0)
        status = ((SetStream)library[CUBLAS_STREAM])(handle, device->stream);
    device->blas = status == 0 ? handle : NULL;
    return status;
}

static int at_least_one(int64_t size)
{
    return size > 0 ? (int)size : 1;
}

/* cuBLAS's matrices lie the other way: for it our product is that of b and a. */
static BlasStatus multiply(const Arguments *arguments, int64_t m, int64_t batch)
{
    static const double one = 1, zero = 0;
    static const float float_one = 1, float_zero = 0;
    const int64_t *sizes = arguments->sizes;
    const int *flags = arguments->flags;
    void *const *buffers = arguments->buffers;
    int64_t n = sizes[N], k = sizes[K];
    void *handle = arguments->device->blas, *c = buffers[arguments->input_count];
    bool scaled = arguments->input_count == 4, wide = arguments->types->itemsize == 8;
    BlasStatus status = ((SetPointers)library[CUBLAS_POINTERS])(handle, scaled ? ON_DEVICE : ON_PROCESSOR);
    if (status != 0)
        return status;
    const void *alpha = scaled ? buffers[2] : wide ? (const void *)&one : &float_one;
    const void *beta = scaled ? buffers[3] : wide ? (const void *)&zero : &float_zero;
    int row_a = at_least_one(flags[TRANSPOSE_A] ? m : k), row_b = at_least_one(flags[TRANSPOSE_B] ? k : n);
    int of_a = flags[TRANSPOSE_A] ? TRANSPOSED : NOT_TRANSPOSED, of_b = flags[TRANSPOSE_B] ? TRANSPOSED : NOT_TRANSPOSED;
    long long stride_a = flags[ONE_A] ? 0 : m * k, stride_b = flags[ONE_B] ? 0 : k * n, stride_c = m * n;
    int narrow = arguments->types->kind == BFLOAT ? BFLOAT16 : HALF;
    if (arguments->types->itemsize == 2)
        return ((GemmBatchOf)library[CUBLAS_GEMM_BATCH])(
            handle, of_b, of_a, (int)n, (int)m, (int)k, alpha, buffers[1], narrow, row_b, stride_b, buffers[0], narrow,
            row_a, stride_a, beta, c, narrow, (int)n, stride_c, (int)batch, ADDED_IN_FLOAT, ANY_WAY);
    if (batch == 1)
        return ((Gemm)library[wide ? CUBLAS_DGEMM : CUBLAS_SGEMM])(
            handle, of_b, of_a, (int)n, (int)m, (int)k, alpha, buffers[1], row_b, buffers[0], row_a, beta, c, (int)n);
    return ((GemmBatch)library[wide ? CUBLAS_DGEMM_BATCH : CUBLAS_SGEMM_BATCH])(
        handle, of_b, of_a, (int)n, (int)m, (int)k, alpha, buffers[1], row_b, stride_b, buffers[0], row_a, stride_a, beta,
        c, (int)n, stride_c, (int)batch);
}

/* As gemm is on the processor. */
static int run(const Arguments *arguments)
{
    const int64_t *sizes = arguments->sizes;
    const int *flags = arguments->flags;
    int64_t m = sizes[M], n = sizes[N], k = sizes[K], batch = sizes[BATCH];
    if (m <= 0 || n <= 0 || batch <= 0)
        return 0;
    if (flags[ONE_B] && !flags[ONE_A] && !flags[TRANSPOSE_A]) { /* one product with more rows */
        m *= batch;
        batch = 1;
    }
    if (m > INT_MAX || n > INT_MAX || k > INT_MAX || batch > INT_MAX)
        return 7;                /* CUBLAS_STATUS_INVALID_VALUE: it counts in int */
    device_work_begin();
    BlasStatus status = open_handle(arguments->device);
    if (status == 0)
        status = multiply(arguments, m, batch);
    device_work_end();
    return status;
}

static bool fits(const Arguments *arguments)
{
    return gemm_kind.fits(arguments);
}

static const enum LibraryFunction functions[] = {
    CUBLAS_CREATE, CUBLAS_STREAM, CUBLAS_POINTERS, CUBLAS_SGEMM, CUBLAS_DGEMM, CUBLAS_SGEMM_BATCH, CUBLAS_DGEMM_BATCH,
    CUBLAS_GEMM_BATCH, NO_FUNCTION};

const RoutineKind device_gemm_kind = {
    .name = "device_gemm", .least_inputs = 2, .most_inputs = 4, .outputs = 1, .sizes = 4, .flags = 4, .kinds = "fB",
    .any_width = true, .on_device = true, .functions = functions, .needs_them = true, .fits = fits, .run = run};
