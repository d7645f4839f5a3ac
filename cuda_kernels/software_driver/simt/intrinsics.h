// CUDA's functions beyond <math.h>. The fast ones are as exact here as their slow counterparts.
#pragma once

#define SIMT_SAME(type) \
    inline type min(type a, type b) { return b < a ? b : a; } \
    inline type max(type a, type b) { return a < b ? b : a; }
SIMT_SAME(int)
SIMT_SAME(unsigned)
SIMT_SAME(long)
SIMT_SAME(unsigned long)
SIMT_SAME(long long)
SIMT_SAME(unsigned long long)
#undef SIMT_SAME
inline unsigned min(int a, unsigned b) { return min(unsigned(a), b); }
inline unsigned min(unsigned a, int b) { return min(a, unsigned(b)); }
inline unsigned max(int a, unsigned b) { return max(unsigned(a), b); }
inline unsigned max(unsigned a, int b) { return max(a, unsigned(b)); }
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return ::fmin(a, b); }
inline double max(double a, double b) { return ::fmax(a, b); }
inline double min(float a, double b) { return ::fmin(double(a), b); }
inline double min(double a, float b) { return ::fmin(a, double(b)); }
inline double max(float a, double b) { return ::fmax(double(a), b); }
inline double max(double a, float b) { return ::fmax(a, double(b)); }
inline long long llmin(long long a, long long b) { return min(a, b); }
inline long long llmax(long long a, long long b) { return max(a, b); }
inline unsigned umin(unsigned a, unsigned b) { return min(a, b); }
inline unsigned umax(unsigned a, unsigned b) { return max(a, b); }

// -- bits -------------------------------------------------------------------------------------------------------------

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz(unsigned(x)) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)(x)) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
    x = (x >> 1 & 0x55555555u) | (x & 0x55555555u) << 1;
    x = (x >> 2 & 0x33333333u) | (x & 0x33333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0fu) | (x & 0x0f0f0f0fu) << 4;
    return __builtin_bswap32(x);
}
inline unsigned long long __brevll(unsigned long long x) {
    return (unsigned long long)(__brev(unsigned(x))) << 32 | __brev(unsigned(x >> 32));
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
    unsigned long long bytes = (unsigned long long)(y) << 32 | x;
    unsigned result = 0;
    for (int i = 0; i < 4; i++) result |= unsigned(bytes >> 8 * (selector >> 4 * i & 7) & 0xff) << 8 * i;
    return result;
}
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    return unsigned(((unsigned long long)(high) << 32 | low) << (shift & 31) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return unsigned(((unsigned long long)(high) << 32 | low) >> (shift & 31));
}
inline int __mul24(int a, int b) { return int(unsigned(a << 8 >> 8) * unsigned(b << 8 >> 8)); }
inline unsigned __umul24(unsigned a, unsigned b) { return (a & 0xffffffu) * (b & 0xffffffu); }
inline int __mulhi(int a, int b) { return int((long long)(a) * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned((unsigned long long)(a) * b >> 32); }
inline long long __mul64hi(long long a, long long b) { return (long long)((__int128)(a) * b >> 64); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)((unsigned __int128)(a) * b >> 64);
}
inline unsigned __sad(int a, int b, unsigned c) { return c + unsigned(a < b ? b - a : a - b); }
inline unsigned __usad(unsigned a, unsigned b, unsigned c) { return c + (a < b ? b - a : a - b); }
inline int __hadd(int a, int b) { return int(((long long)(a) + b) >> 1); }
inline int __rhadd(int a, int b) { return int(((long long)(a) + b + 1) >> 1); }

namespace simt {
template <typename To, typename From> inline To same_bits(From value) {
    static_assert(sizeof(To) == sizeof(From), "values of one size");
    To result;
    __builtin_memcpy(&result, &value, sizeof(To));
    return result;
}
// A conversion that keeps to the range of its result, and makes 0 of NaN, as the device's do.
template <typename To, typename From> inline To clamped(From x, To least, To most) {
    if (!(x == x)) return 0;
    if (x <= From(least)) return least;
    if (x >= From(most)) return most;
    return To(x);
}
}  // namespace simt

inline int __float_as_int(float x) { return simt::same_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return simt::same_bits<unsigned>(x); }
inline float __int_as_float(int x) { return simt::same_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return simt::same_bits<float>(x); }
inline long long __double_as_longlong(double x) { return simt::same_bits<long long>(x); }
inline double __longlong_as_double(long long x) { return simt::same_bits<double>(x); }
inline int __double2loint(double x) { return int(__double_as_longlong(x)); }
inline int __double2hiint(double x) { return int(__double_as_longlong(x) >> 32); }
inline double __hiloint2double(int high, int low) {
    return __longlong_as_double((long long)((unsigned long long)(unsigned(high)) << 32 | unsigned(low)));
}

// -- conversions ------------------------------------------------------------------------------------------------------

#define SIMT_TO_INTEGERS(from, prefix) \
    SIMT_TO_INTEGER(from, int, prefix##2int, INT_MIN, INT_MAX) \
    SIMT_TO_INTEGER(from, unsigned, prefix##2uint, 0, UINT_MAX) \
    SIMT_TO_INTEGER(from, long long, prefix##2ll, LLONG_MIN, LLONG_MAX) \
    SIMT_TO_INTEGER(from, unsigned long long, prefix##2ull, 0, ULLONG_MAX)
#define SIMT_TO_INTEGER(from, to, name, least, most) \
    inline to name##_rn(from x) { return simt::clamped<to>(nearbyint(x), least, most); } \
    inline to name##_rz(from x) { return simt::clamped<to>(trunc(x), least, most); } \
    inline to name##_ru(from x) { return simt::clamped<to>(ceil(x), least, most); } \
    inline to name##_rd(from x) { return simt::clamped<to>(floor(x), least, most); }
SIMT_TO_INTEGERS(float, __float)
SIMT_TO_INTEGERS(double, __double)
#undef SIMT_TO_INTEGER
#undef SIMT_TO_INTEGERS
#define SIMT_FROM_INTEGER(from, name) \
    inline float __##name##2float_rn(from x) { return float(x); } \
    inline double __##name##2double_rn(from x) { return double(x); }
SIMT_FROM_INTEGER(int, int)
SIMT_FROM_INTEGER(unsigned, uint)
SIMT_FROM_INTEGER(long long, ll)
SIMT_FROM_INTEGER(unsigned long long, ull)
#undef SIMT_FROM_INTEGER
inline float __double2float_rn(double x) { return float(x); }

// -- arithmetic with its rounding named, and the fast functions ---------------------------------------------------

inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fsqrt_rn(float x) { return sqrtf(x); }
inline float __frcp_rn(float x) { return 1 / x; }
inline float __frsqrt_rn(float x) { return float(1 / sqrt(double(x))); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dsub_rn(double a, double b) { return a - b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }
inline double __dsqrt_rn(double x) { return sqrt(x); }
inline double __drcp_rn(double x) { return 1 / x; }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1) : 0; }  // NaN becomes 0
inline float __fdividef(float a, float b) { return a / b; }
inline float fdividef(float a, float b) { return a / b; }
inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return powf(10, x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __log10f(float x) { return log10f(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanf(float x) { return tanf(x); }
inline float __tanhf(float x) { return tanhf(x); }
inline void __sincosf(float x, float *s, float *c) { *s = sinf(x), *c = cosf(x); }

// -- functions that <math.h> lacks --------------------------------------------------------------------------------

inline double rsqrt(double x) { return 1 / sqrt(x); }
inline float rsqrtf(float x) { return float(1 / sqrt(double(x))); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline double rcbrt(double x) { return 1 / cbrt(x); }
inline float rcbrtf(float x) { return float(1 / cbrt(double(x))); }
inline double sinpi(double x) { return sin(M_PI * fmod(x, 2.0)); }
inline double cospi(double x) { return cos(M_PI * fmod(x, 2.0)); }
inline float sinpif(float x) { return float(sinpi(double(x))); }
inline float cospif(float x) { return float(cospi(double(x))); }
inline void sincos(float x, float *s, float *c) { *s = sinf(x), *c = cosf(x); }
inline void sincospi(double x, double *s, double *c) { *s = sinpi(x), *c = cospi(x); }
inline void sincospif(float x, float *s, float *c) { *s = sinpif(x), *c = cospif(x); }
inline double normcdf(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }
inline float normcdff(float x) { return float(normcdf(double(x))); }
inline double rhypot(double x, double y) { return 1 / hypot(x, y); }
inline float rhypotf(float x, float y) { return float(rhypot(double(x), double(y))); }
inline double norm3d(double x, double y, double z) { return sqrt(x * x + y * y + z * z); }
inline float norm3df(float x, float y, float z) { return float(norm3d(x, y, z)); }

namespace simt {
// The inverse of erf: an approximation good to three digits, then Newton's steps.
inline double inverse_erf(double y) {
    if (y <= -1 || y >= 1) return y == 1 ? INFINITY : y == -1 ? -INFINITY : NAN;
    double logarithm = log1p(-y * y), a = 2 / (M_PI * 0.147) + logarithm / 2;
    double x = copysign(sqrt(sqrt(a * a - logarithm / 0.147) - a), y);
    for (int step = 0; step < 3; step++) {
        double error = fabs(y) < 0.5 ? erf(x) - y : copysign((1 - fabs(y)) - erfc(fabs(x)), y);
        x -= error / (M_2_SQRTPI * exp(-x * x));
    }
    return x;
}
}  // namespace simt
inline double erfinv(double y) { return simt::inverse_erf(y); }
inline float erfinvf(float y) { return float(simt::inverse_erf(double(y))); }

// -- loads and stores with a hint about caches --------------------------------------------------------------------

template <typename T> SIMT_INLINE T __ldg(const T *address) { return *address; }
template <typename T> SIMT_INLINE T __ldcg(const T *address) { return *address; }
template <typename T> SIMT_INLINE T __ldca(const T *address) { return *address; }
template <typename T> SIMT_INLINE T __ldcs(const T *address) { return *address; }
template <typename T> SIMT_INLINE T __ldlu(const T *address) { return *address; }
template <typename T> SIMT_INLINE T __ldcv(const T *address) { return *const_cast<const volatile T *>(address); }
template <typename T> SIMT_INLINE void __stwb(T *address, T value) { *address = value; }
template <typename T> SIMT_INLINE void __stcg(T *address, T value) { *address = value; }
template <typename T> SIMT_INLINE void __stcs(T *address, T value) { *address = value; }
template <typename T> SIMT_INLINE void __stwt(T *address, T value) { *address = value; }

// Time stands still here: what it measures would say nothing about a GPU.
inline long long clock64() { return 0; }
#define clock() clock64()
