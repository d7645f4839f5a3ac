// __half and __nv_bfloat16: kept as sixteen bits, computed in float and rounded to nearest even after each operation,
// as on the device.
#pragma once

namespace simt {

inline unsigned short half_bits(float value) {
    unsigned x = __float_as_uint(value), sign = x >> 16 & 0x8000u;
    x &= 0x7fffffffu;
    if (x > 0x7f800000u) return (unsigned short)(0x7fffu);           // NaN, as the device writes it
    if (x >= 0x47800000u) return (unsigned short)(sign | 0x7c00u);   // 65536 and more
    if (x < 0x38800000u) {                                           // below 2^-14: a multiple of 2^-24
        float multiple = nearbyintf(__uint_as_float(x) * 16777216.0f);
        return (unsigned short)(sign | unsigned(multiple));
    }
    unsigned rounded = x + 0xfffu + (x >> 13 & 1);
    return (unsigned short)(sign | (rounded - 0x38000000u) >> 13);   // a carry into the exponent is right
}

inline float half_value(unsigned short bits) {
    unsigned sign = unsigned(bits & 0x8000u) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3ffu;
    if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) return __uint_as_float(sign | __float_as_uint(float(fraction) * 0x1p-24f));
    return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
}

inline unsigned short bfloat_bits(float value) {
    unsigned x = __float_as_uint(value);
    if ((x & 0x7fffffffu) > 0x7f800000u) return (unsigned short)(0x7fffu);
    return (unsigned short)((x + 0x7fffu + (x >> 16 & 1)) >> 16);
}

inline float bfloat_value(unsigned short bits) { return __uint_as_float(unsigned(bits) << 16); }

// A double is first rounded to odd, so that the second rounding is right.
inline float to_odd(double value) {
    float rounded = float(value);
    if (double(rounded) == value || value != value || isinf(rounded)) return rounded;
    unsigned bits = __float_as_uint(rounded);
    if (!(bits & 1)) bits = fabs(double(rounded)) < fabs(value) ? bits + 1 : bits - 1;
    return __uint_as_float(bits);
}

}  // namespace simt

#define SIMT_SHORT_FLOAT(type, to_bits, to_value) \
    struct alignas(2) type { \
        unsigned short __x; \
        type() = default; \
        type(float x) : __x(simt::to_bits(x)) {} \
        type(double x) : __x(simt::to_bits(simt::to_odd(x))) {} \
        type(int x) : type(double(x)) {} \
        type(unsigned x) : type(double(x)) {} \
        type(long long x) : type(float(x)) {} \
        type(unsigned long long x) : type(float(x)) {} \
        operator float() const { return simt::to_value(__x); } \
        type &operator+=(type b) { return *this = type(float(*this) + float(b)); } \
        type &operator-=(type b) { return *this = type(float(*this) - float(b)); } \
        type &operator*=(type b) { return *this = type(float(*this) * float(b)); } \
        type &operator/=(type b) { return *this = type(float(*this) / float(b)); } \
    }; \
    inline type operator+(type a, type b) { return type(float(a) + float(b)); } \
    inline type operator-(type a, type b) { return type(float(a) - float(b)); } \
    inline type operator*(type a, type b) { return type(float(a) * float(b)); } \
    inline type operator/(type a, type b) { return type(float(a) / float(b)); } \
    inline type operator-(type a) { a.__x ^= 0x8000u; return a; } \
    inline bool operator==(type a, type b) { return float(a) == float(b); } \
    inline bool operator!=(type a, type b) { return float(a) != float(b); } \
    inline bool operator<(type a, type b) { return float(a) < float(b); } \
    inline bool operator<=(type a, type b) { return float(a) <= float(b); } \
    inline bool operator>(type a, type b) { return float(a) > float(b); } \
    inline bool operator>=(type a, type b) { return float(a) >= float(b); } \
    inline type __hadd(type a, type b) { return a + b; } \
    inline type __hsub(type a, type b) { return a - b; } \
    inline type __hmul(type a, type b) { return a * b; } \
    inline type __hdiv(type a, type b) { return a / b; } \
    inline type __hneg(type a) { return -a; } \
    inline type __habs(type a) { a.__x &= 0x7fffu; return a; } \
    inline type __hfma(type a, type b, type c) { return type(double(float(a)) * float(b) + float(c)); } \
    inline bool __heq(type a, type b) { return a == b; } \
    inline bool __hne(type a, type b) { return float(a) < float(b) || float(a) > float(b); } \
    inline bool __hlt(type a, type b) { return a < b; } \
    inline bool __hle(type a, type b) { return a <= b; } \
    inline bool __hgt(type a, type b) { return a > b; } \
    inline bool __hge(type a, type b) { return a >= b; } \
    inline bool __hisnan(type a) { return isnan(float(a)); } \
    inline int __hisinf(type a) { return isinf(float(a)) ? (float(a) > 0 ? 1 : -1) : 0; } \
    inline type __hmax(type a, type b) { return type(fmaxf(a, b)); } \
    inline type __hmin(type a, type b) { return type(fminf(a, b)); } \
    inline type hexp(type a) { return type(expf(a)); } \
    inline type hexp2(type a) { return type(exp2f(a)); } \
    inline type hlog(type a) { return type(logf(a)); } \
    inline type hlog2(type a) { return type(log2f(a)); } \
    inline type hlog10(type a) { return type(log10f(a)); } \
    inline type hsqrt(type a) { return type(sqrtf(a)); } \
    inline type hrsqrt(type a) { return type(rsqrtf(a)); } \
    inline type hrcp(type a) { return type(1 / float(a)); } \
    inline type hsin(type a) { return type(sinf(a)); } \
    inline type hcos(type a) { return type(cosf(a)); } \
    inline type htanh(type a) { return type(tanhf(a)); } \
    inline type hceil(type a) { return type(ceilf(a)); } \
    inline type hfloor(type a) { return type(floorf(a)); } \
    inline type htrunc(type a) { return type(truncf(a)); } \
    inline type hrint(type a) { return type(nearbyintf(a)); } \
    SIMT_INLINE type atomicAdd(type *address, type value) { \
        return simt::exchange_by(address, [=](type old) { return old + value; }); \
    }
SIMT_SHORT_FLOAT(__half, half_bits, half_value)
SIMT_SHORT_FLOAT(__nv_bfloat16, bfloat_bits, bfloat_value)
#undef SIMT_SHORT_FLOAT
using half = __half;
using nv_bfloat16 = __nv_bfloat16;

inline __half __float2half(float x) { return __half(x); }
inline __half __float2half_rn(float x) { return __half(x); }
inline __half __double2half(double x) { return __half(x); }
inline float __half2float(__half x) { return float(x); }
inline __half __int2half_rn(int x) { return __half(x); }
inline int __half2int_rn(__half x) { return __float2int_rn(float(x)); }
inline int __half2int_rz(__half x) { return __float2int_rz(float(x)); }
inline unsigned short __half_as_ushort(__half x) { return x.__x; }
inline short __half_as_short(__half x) { return short(x.__x); }
inline __half __ushort_as_half(unsigned short bits) { __half x; x.__x = bits; return x; }
inline __nv_bfloat16 __float2bfloat16(float x) { return __nv_bfloat16(x); }
inline __nv_bfloat16 __float2bfloat16_rn(float x) { return __nv_bfloat16(x); }
inline __nv_bfloat16 __double2bfloat16(double x) { return __nv_bfloat16(x); }
inline float __bfloat162float(__nv_bfloat16 x) { return float(x); }
inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) { return x.__x; }
inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) { __nv_bfloat16 x; x.__x = bits; return x; }

// -- pairs ------------------------------------------------------------------------------------------------------------

#define SIMT_PAIR(pair, type) \
    struct alignas(4) pair { type x, y; }; \
    inline pair operator+(pair a, pair b) { return {a.x + b.x, a.y + b.y}; } \
    inline pair operator-(pair a, pair b) { return {a.x - b.x, a.y - b.y}; } \
    inline pair operator*(pair a, pair b) { return {a.x * b.x, a.y * b.y}; } \
    inline pair operator/(pair a, pair b) { return {a.x / b.x, a.y / b.y}; } \
    inline pair __hadd2(pair a, pair b) { return a + b; } \
    inline pair __hsub2(pair a, pair b) { return a - b; } \
    inline pair __hmul2(pair a, pair b) { return a * b; } \
    inline pair __hfma2(pair a, pair b, pair c) { return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)}; }
SIMT_PAIR(__half2, __half)
SIMT_PAIR(__nv_bfloat162, __nv_bfloat16)
#undef SIMT_PAIR
using half2 = __half2;
using nv_bfloat162 = __nv_bfloat162;
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
inline __half2 make_half2(__half x, __half y) { return {x, y}; }
inline __half2 __floats2half2_rn(float x, float y) { return {__half(x), __half(y)}; }
inline __half2 __float2half2_rn(float x) { return {__half(x), __half(x)}; }
inline __half2 __half2half2(__half x) { return {x, x}; }
inline __half __low2half(__half2 a) { return a.x; }
inline __half __high2half(__half2 a) { return a.y; }
inline float __low2float(__half2 a) { return float(a.x); }
inline float __high2float(__half2 a) { return float(a.y); }
inline float2 __half22float2(__half2 a) { return {float(a.x), float(a.y)}; }
inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) { return {__nv_bfloat16(x), __nv_bfloat16(y)}; }
inline float2 __bfloat1622float2(__nv_bfloat162 a) { return {float(a.x), float(a.y)}; }
