/* Small matrices several at a time (lanes.h), compiled for vectors that every processor has, and for longer ones. */
#include "small.h"

#include <math.h>
#include <string.h>

#define INLINE inline __attribute__((always_inline))

#define TYPE double
#define INTEGER int64_t
#define NAME(name) name##_double_plain
#define LANES_ARE 2
#define SQRT sqrt
#define LOG log
#define SIZE fabs
#include "lanes.h"

#define TYPE float
#define INTEGER int32_t
#define NAME(name) name##_float_plain
#define LANES_ARE 4
#define SQRT sqrtf
#define LOG logf
#define SIZE fabsf
#include "lanes.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LONGER
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define TYPE double
#define INTEGER int64_t
#define NAME(name) name##_double_long
#define LANES_ARE 4
#define SQRT sqrt
#define LOG log
#define SIZE fabs
#include "lanes.h"

#define TYPE float
#define INTEGER int32_t
#define NAME(name) name##_float_long
#define LANES_ARE 8
#define SQRT sqrtf
#define LOG logf
#define SIZE fabsf
#include "lanes.h"
#pragma GCC pop_options
#endif

const SmallKernels *small_kernels(bool single)
{
#ifdef LONGER
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return single ? &kernels_float_long : &kernels_double_long;
#endif
    return single ? &kernels_float_plain : &kernels_double_plain;
}
