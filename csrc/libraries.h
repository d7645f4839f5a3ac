/* Functions of BLAS, LAPACK, oneDNN and cuBLAS. A new one takes a line here and one in libraries.c. */
#ifndef SYMTENSOR_LIBRARIES_H
#define SYMTENSOR_LIBRARIES_H

#include "core.h"

/* Those for float32 and float64 stand next to each other, in this order; then complex64 and complex128. */
enum LibraryFunction {
    DNNL_SGEMM, SGEMM, DGEMM, CGEMM, ZGEMM, SGEMV, DGEMV, STRSM, DTRSM, CTRSM, ZTRSM,
    SPOTRF, DPOTRF, SGETRF, DGETRF, CGETRF, ZGETRF, SGETRI, DGETRI, CGETRI, ZGETRI,
    SGELQF, DGELQF, SORGLQ, DORGLQ, SSYEVD, DSYEVD, SGESDD, DGESDD,
    DNNL_ENGINE, DNNL_STREAM, DNNL_LAYOUT, DNNL_ANY_LAYOUT, DNNL_FORGET_LAYOUT, DNNL_SAME_LAYOUT, DNNL_LAYOUT_BYTES,
    DNNL_FORWARD, DNNL_BACKWARD_IMAGES, DNNL_BACKWARD_FILTERS, DNNL_REORDER, DNNL_LAYOUT_OF, DNNL_FORGET_DESCRIPTION,
    DNNL_ATTRIBUTES, DNNL_SCRATCHPAD_MODE, DNNL_PRIMITIVE, DNNL_FORGET_PRIMITIVE, DNNL_MEMORY, DNNL_FORGET_MEMORY,
    DNNL_EXECUTE, CUBLAS_CREATE, CUBLAS_STREAM, CUBLAS_POINTERS, CUBLAS_SGEMM, CUBLAS_DGEMM, CUBLAS_SGEMM_BATCH,
    CUBLAS_DGEMM_BATCH, CUBLAS_GEMM_BATCH, GET_THREADS, SET_THREADS, LIBRARY_FUNCTIONS, NO_FUNCTION = -1
};

typedef struct {
    const char *library, *function;
} LibraryName;

typedef void (*AnyFunction)(void);

extern const LibraryName library_names[LIBRARY_FUNCTIONS];
extern AnyFunction library[LIBRARY_FUNCTIONS];

/* Have BLAS keep to so many threads; what to give back afterwards. Its threads and ours get in each other's way:
 * while ours divide the work, it has one. */
int blas_threads_take(int threads);
void blas_threads_give(int before);

#endif
