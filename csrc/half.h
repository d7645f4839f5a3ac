/* Numbers of 16 bits, float16 and bfloat16: what they are as floats, and floats rounded to the nearest of them, to an
 * even one of two. */
#ifndef SYMTENSOR_HALF_H
#define SYMTENSOR_HALF_H

#include <stdint.h>
#include <string.h>

#define HALF_INLINE static inline __attribute__((always_inline))

HALF_INLINE float float_of_bits(uint32_t bits)
{
    float value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

HALF_INLINE uint32_t bits_of_float(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

HALF_INLINE float half_value(uint16_t half)
{
    uint32_t size = (uint32_t)(half & 0x7fff) << 13, sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t bits = bits_of_float(float_of_bits(size) * 0x1p112f); /* the exponents count from another number */
    return float_of_bits((size >= 0x7c00u << 13 ? size | 0x7f800000u : bits) | sign);
}

HALF_INLINE uint16_t half_bits(float value)
{
    uint32_t bits = bits_of_float(value), size = bits & 0x7fffffffu;
    uint32_t normal = (size - (112u << 23) + 0xfff + (size >> 13 & 1)) >> 13;
    uint32_t small = bits_of_float(float_of_bits(size) + 0.5f) - 0x3f000000u; /* 0.5 has bits down to 2**-24 */
    uint32_t half = size < 0x38800000u ? small : size >= 0x477ff000u ? 0x7c00u : normal;
    return (uint16_t)((size > 0x7f800000u ? 0x7e00u : half) | (bits >> 16 & 0x8000u));
}

HALF_INLINE float bfloat_value(uint16_t bfloat)
{
    return float_of_bits((uint32_t)bfloat << 16);
}

HALF_INLINE uint16_t bfloat_bits(float value)
{
    uint32_t bits = bits_of_float(value), rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? bits >> 16 | 0x40u : rounded);
}

#endif
