// CUDA for g++: what the text of a kernel needs to be compiled for the software driver. It stands before the text by
// -include, so that the text is the one that NVRTC or nvcc compiles.
//
//   __shared__ variables are thread-local: each worker of the driver runs one block at a time.
//   Dynamic shared memory is the array simt_dynamic_shared, under the names the linker is given by --defsym.
//   A line SYMTENSOR_KERNEL(name, uses_barriers) behind the text registers a kernel.
#pragma once

#define __CUDA_ARCH__ 800
#define __CUDACC__ 1
#define __CUDACC_VER_MAJOR__ 11  // the last with references to textures
#define __CUDACC_VER_MINOR__ 0

#ifdef SIMT_SCAN  // to find kernels by their words, not to compile them
#else

#include "module.h"

#include <float.h>
#include <limits.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SYMTENSOR_SOFTWARE_DRIVER 1

#define __global__
#define __device__
#define __host__
#define __constant__
#define __managed__
#define __shared__ thread_local
#define __grid_constant__
#define __launch_bounds__(...)
#define __maxnreg__(...)
#define __cluster_dims__(...)
#define SIMT_INLINE inline __attribute__((always_inline))
#define __forceinline__ SIMT_INLINE
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#ifndef __restrict__
#define __restrict__ __restrict
#endif

#define threadIdx (simt_thread.thread)
#define blockIdx (simt_thread.block)
#define blockDim (simt_thread.threads)
#define gridDim (simt_thread.blocks)
constexpr int warpSize = int(simt::warp_size);

extern "C" { extern __thread char simt_dynamic_shared[]; }

#include "vector_types.h"

#include "threads.h"

#include "atomics.h"

#include "intrinsics.h"

#include "half.h"

#include "textures.h"

#if defined SIMT_CHECKED || defined SIMT_LOCKSTEP
#include "instrumented.h"
#endif

#include "registration.h"

#endif
