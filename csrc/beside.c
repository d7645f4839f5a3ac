/* Rows sorted side by side (beside.h), compiled for vectors that every processor has, and for longer ones. */
#include "order.h"

#include <string.h>

#if defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)
#pragma GCC optimize("O3")       /* loops over lanes become vectors; where each access is checked, that takes minutes */
#endif

#define KEY uint32_t
#define INTEGER int32_t
#define LANES_ARE 4
#define LEVELS 3
#define NAME(name) name##_32_plain
#include "beside.h"

#define KEY uint64_t
#define INTEGER int64_t
#define LANES_ARE 2
#define LEVELS 3
#define NAME(name) name##_64_plain
#include "beside.h"

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LONGER
#pragma GCC push_options
#pragma GCC target("avx2")
#define KEY uint32_t
#define INTEGER int32_t
#define LANES_ARE 8
#define LEVELS 3
#define NAME(name) name##_32_long
#include "beside.h"

#define KEY uint64_t
#define INTEGER int64_t
#define LANES_ARE 4
#define LEVELS 3
#define NAME(name) name##_64_long
#include "beside.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#define KEY uint32_t
#define INTEGER int32_t
#define LANES_ARE 16
#define LEVELS 4
#define NAME(name) name##_32_longest
#include "beside.h"

#define KEY uint64_t
#define INTEGER int64_t
#define LANES_ARE 8
#define LEVELS 4
#define NAME(name) name##_64_longest
#include "beside.h"
#pragma GCC pop_options
#endif

const BesideKernels *beside_kernels(bool wide)
{
#ifdef LONGER
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512vl"))
        return wide ? &kernels_64_longest : &kernels_32_longest;
    if (__builtin_cpu_supports("avx2"))
        return wide ? &kernels_64_long : &kernels_32_long;
#endif
    return wide ? &kernels_64_plain : &kernels_32_plain;
}
