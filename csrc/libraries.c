/* Where functions of libraries are. Python finds them and says so; 0 is for one that is not there. */
#include "libraries.h"

const LibraryName library_names[LIBRARY_FUNCTIONS] = {
    [DNNL_SGEMM] = {"onednn", "dnnl_sgemm"},
    [SGEMM] = {"blas", "sgemm"}, [DGEMM] = {"blas", "dgemm"}, [CGEMM] = {"blas", "cgemm"}, [ZGEMM] = {"blas", "zgemm"},
    [SGEMV] = {"blas", "sgemv"}, [DGEMV] = {"blas", "dgemv"},
    [STRSM] = {"blas", "strsm"}, [DTRSM] = {"blas", "dtrsm"}, [CTRSM] = {"blas", "ctrsm"}, [ZTRSM] = {"blas", "ztrsm"},
    [SPOTRF] = {"lapack", "spotrf"}, [DPOTRF] = {"lapack", "dpotrf"},
    [CPOTRF] = {"lapack", "cpotrf"}, [ZPOTRF] = {"lapack", "zpotrf"},
    [SGETRF] = {"lapack", "sgetrf"}, [DGETRF] = {"lapack", "dgetrf"},
    [CGETRF] = {"lapack", "cgetrf"}, [ZGETRF] = {"lapack", "zgetrf"},
    [SGETRI] = {"lapack", "sgetri"}, [DGETRI] = {"lapack", "dgetri"},
    [CGETRI] = {"lapack", "cgetri"}, [ZGETRI] = {"lapack", "zgetri"},
    [SGELQF] = {"lapack", "sgelqf"}, [DGELQF] = {"lapack", "dgelqf"},
    [CGELQF] = {"lapack", "cgelqf"}, [ZGELQF] = {"lapack", "zgelqf"},
    [SORGLQ] = {"lapack", "sorglq"}, [DORGLQ] = {"lapack", "dorglq"},
    [CUNGLQ] = {"lapack", "cunglq"}, [ZUNGLQ] = {"lapack", "zunglq"},
    [SSYEVD] = {"lapack", "ssyevd"}, [DSYEVD] = {"lapack", "dsyevd"},
    [CHEEVD] = {"lapack", "cheevd"}, [ZHEEVD] = {"lapack", "zheevd"},
    [SGESDD] = {"lapack", "sgesdd"}, [DGESDD] = {"lapack", "dgesdd"},
    [CGESDD] = {"lapack", "cgesdd"}, [ZGESDD] = {"lapack", "zgesdd"},
    [SGEEV] = {"lapack", "sgeev"}, [DGEEV] = {"lapack", "dgeev"},
    [CGEEV] = {"lapack", "cgeev"}, [ZGEEV] = {"lapack", "zgeev"},
    [DNNL_ENGINE] = {"onednn", "dnnl_engine_create"}, [DNNL_STREAM] = {"onednn", "dnnl_stream_create"},
    [DNNL_LAYOUT] = {"onednn", "dnnl_memory_desc_create_with_strides"},
    [DNNL_ANY_LAYOUT] = {"onednn", "dnnl_memory_desc_create_with_tag"},
    [DNNL_FORGET_LAYOUT] = {"onednn", "dnnl_memory_desc_destroy"},
    [DNNL_SAME_LAYOUT] = {"onednn", "dnnl_memory_desc_equal"},
    [DNNL_LAYOUT_BYTES] = {"onednn", "dnnl_memory_desc_get_size"},
    [DNNL_FORWARD] = {"onednn", "dnnl_convolution_forward_primitive_desc_create"},
    [DNNL_BACKWARD_IMAGES] = {"onednn", "dnnl_convolution_backward_data_primitive_desc_create"},
    [DNNL_BACKWARD_FILTERS] = {"onednn", "dnnl_convolution_backward_weights_primitive_desc_create"},
    [DNNL_REORDER] = {"onednn", "dnnl_reorder_primitive_desc_create"},
    [DNNL_LAYOUT_OF] = {"onednn", "dnnl_primitive_desc_query_md"},
    [DNNL_FORGET_DESCRIPTION] = {"onednn", "dnnl_primitive_desc_destroy"},
    [DNNL_ATTRIBUTES] = {"onednn", "dnnl_primitive_attr_create"},
    [DNNL_SCRATCHPAD_MODE] = {"onednn", "dnnl_primitive_attr_set_scratchpad_mode"},
    [DNNL_PRIMITIVE] = {"onednn", "dnnl_primitive_create"},
    [DNNL_FORGET_PRIMITIVE] = {"onednn", "dnnl_primitive_destroy"},
    [CUBLAS_CREATE] = {"cublas", "cublasCreate_v2"}, [CUBLAS_STREAM] = {"cublas", "cublasSetStream_v2"},
    [CUBLAS_POINTERS] = {"cublas", "cublasSetPointerMode_v2"},
    [CUBLAS_SGEMM] = {"cublas", "cublasSgemm_v2"}, [CUBLAS_DGEMM] = {"cublas", "cublasDgemm_v2"},
    [CUBLAS_SGEMM_BATCH] = {"cublas", "cublasSgemmStridedBatched"},
    [CUBLAS_DGEMM_BATCH] = {"cublas", "cublasDgemmStridedBatched"},
    [CUBLAS_GEMM_BATCH] = {"cublas", "cublasGemmStridedBatchedEx"},
    [CUDNN_CREATE] = {"cudnn", "cudnnCreate"}, [CUDNN_STREAM] = {"cudnn", "cudnnSetStream"},
    [CUDNN_TENSOR] = {"cudnn", "cudnnCreateTensorDescriptor"},
    [CUDNN_FORGET_TENSOR] = {"cudnn", "cudnnDestroyTensorDescriptor"},
    [CUDNN_SET_TENSOR] = {"cudnn", "cudnnSetTensorNdDescriptor"},
    [CUDNN_FILTERS] = {"cudnn", "cudnnCreateFilterDescriptor"},
    [CUDNN_FORGET_FILTERS] = {"cudnn", "cudnnDestroyFilterDescriptor"},
    [CUDNN_SET_FILTERS] = {"cudnn", "cudnnSetFilterNdDescriptor"},
    [CUDNN_CONVOLUTION] = {"cudnn", "cudnnCreateConvolutionDescriptor"},
    [CUDNN_FORGET_CONVOLUTION] = {"cudnn", "cudnnDestroyConvolutionDescriptor"},
    [CUDNN_SET_CONVOLUTION] = {"cudnn", "cudnnSetConvolutionNdDescriptor"},
    [CUDNN_SET_GROUPS] = {"cudnn", "cudnnSetConvolutionGroupCount"},
    [CUDNN_SET_MATH] = {"cudnn", "cudnnSetConvolutionMathType"},
    [CUDNN_PROPOSE_OUTPUT] = {"cudnn", "cudnnGetConvolutionForwardAlgorithm_v7"},
    [CUDNN_PROPOSE_IMAGES] = {"cudnn", "cudnnGetConvolutionBackwardDataAlgorithm_v7"},
    [CUDNN_PROPOSE_FILTERS] = {"cudnn", "cudnnGetConvolutionBackwardFilterAlgorithm_v7"},
    [CUDNN_CONVOLVE] = {"cudnn", "cudnnConvolutionForward"},
    [CUDNN_CONVOLVE_IMAGES] = {"cudnn", "cudnnConvolutionBackwardData"},
    [CUDNN_CONVOLVE_FILTERS] = {"cudnn", "cudnnConvolutionBackwardFilter"},
    [DNNL_MEMORY] = {"onednn", "dnnl_memory_create"}, [DNNL_FORGET_MEMORY] = {"onednn", "dnnl_memory_destroy"},
    [DNNL_EXECUTE] = {"onednn", "dnnl_primitive_execute"},
    [GET_THREADS] = {"openblas", "get_num_threads"}, [SET_THREADS] = {"openblas", "set_num_threads"},
};

AnyFunction library[LIBRARY_FUNCTIONS];

int library_set(const char *name, void *address)
{
    for (int i = 0; i < LIBRARY_FUNCTIONS; i++)
        if (strcmp(name, library_names[i].function) == 0) {
            memcpy(&library[i], &address, sizeof(address));
            return 0;
        }
    return -1;
}

typedef int (*GetThreads)(void);
typedef void (*SetThreads)(int);

int blas_threads_take(int threads)
{
    if (library[GET_THREADS] == NULL || library[SET_THREADS] == NULL)
        return 0;
    int before = ((GetThreads)library[GET_THREADS])();
    if (before == threads)
        return 0;
    ((SetThreads)library[SET_THREADS])(threads);
    return before;
}

void blas_threads_give(int before)
{
    if (before > 0)
        ((SetThreads)library[SET_THREADS])(before);
}
