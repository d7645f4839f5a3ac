"""Narrow floats in C: what is kept in 16 bits becomes a float32, and a float32 is rounded to what is kept.

Kernels compute in float32 and round once, when they store (docs/decisions/060). Compilers know no vector instructions
for the conversions of scalars in a loop, but for integer arithmetic they do, so it is written in that: without
branches, and the same on every processor. Runs of neighbours (`codegen.cpu.runs`) are converted by the vector
instructions that there are for float16.

>>> "float wide_float16(float16 kept)" in conversions()
True
"""

from __future__ import annotations

__all__ = ["conversions"]

_TEXT = """
typedef unsigned short float16, bfloat16;
typedef float Singles8 __attribute__((vector_size(32), aligned(4), may_alias));
typedef float Singles16 __attribute__((vector_size(64), aligned(4), may_alias));
typedef short Shorts8 __attribute__((vector_size(16), aligned(2), may_alias));
typedef short Shorts16 __attribute__((vector_size(32), aligned(2), may_alias));
static inline __attribute__((always_inline)) float wide_float16(float16 kept) {
  unsigned int bits = (unsigned int)(short)kept << 13 & 0x8fffe000u;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  value *= 0x1p112f;  /* the exponents begin 112 apart; this is exact for subnormals, too */
  __builtin_memcpy(&bits, &value, sizeof value);
  bits |= (bits & 0x7fffffff) >= 0x47800000 ? 0x7f800000 : 0;  /* infinity and NaN */
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
static inline __attribute__((always_inline)) float16 narrow_float16(float value) {
  unsigned int bits, ones;
  __builtin_memcpy(&bits, &value, sizeof value);
  const unsigned int size = bits & 0x7fffffff, finite = size < 0x47800000 ? size : 0x47800000;
  const unsigned int rounded = (finite + 0xfff + (finite >> 13 & 1) - 0x38000000) >> 13;
  const float subnormal = __builtin_fabsf(value) + 0.5f;  /* its last bit counts what that of subnormals does */
  __builtin_memcpy(&ones, &subnormal, sizeof value);
  const unsigned int number = size < 0x38800000 ? ones - 0x3f000000 : rounded;
  return (float16)((bits >> 16 & 0x8000) | (size > 0x7f800000 ? 0x7e00 | (size >> 13 & 0x3ff) : number));
}
/* Runs of them, by the vector instructions of the processor that the compiler has no scalar loop for. */
static inline __attribute__((always_inline)) void widen_float16(float *restrict to, const float16 *restrict from,
                                                                long n) {
  long i = 0;
#if defined __AVX512F__ && !defined __clang__
  for (; i + 16 <= n; i += 16)
    *(Singles16 *)(to + i) = __builtin_ia32_vcvtph2ps512_mask(*(const Shorts16 *)(from + i), (Singles16){0}, -1, 4);
#elif defined __F16C__ && !defined __clang__
  for (; i + 8 <= n; i += 8) *(Singles8 *)(to + i) = __builtin_ia32_vcvtph2ps256(*(const Shorts8 *)(from + i));
#endif
  for (; i < n; ++i) to[i] = wide_float16(from[i]);
}
static inline __attribute__((always_inline)) void narrow_to_float16(float16 *restrict to, const float *restrict from,
                                                                    long n) {
  long i = 0;
#if defined __AVX512F__ && !defined __clang__
  for (; i + 16 <= n; i += 16)
    *(Shorts16 *)(to + i) = __builtin_ia32_vcvtps2ph512_mask(*(const Singles16 *)(from + i), 0, (Shorts16){0}, -1);
#elif defined __F16C__ && !defined __clang__
  for (; i + 8 <= n; i += 8) *(Shorts8 *)(to + i) = __builtin_ia32_vcvtps2ph256(*(const Singles8 *)(from + i), 0);
#endif
  for (; i < n; ++i) to[i] = narrow_float16(from[i]);
}
/* The upper half of a float32. */
static inline __attribute__((always_inline)) float wide_bfloat16(bfloat16 kept) {
  const unsigned int bits = (unsigned int)kept << 16;
  float value;
  __builtin_memcpy(&value, &bits, sizeof value);
  return value;
}
static inline __attribute__((always_inline)) bfloat16 narrow_bfloat16(float value) {
  unsigned int bits;
  __builtin_memcpy(&bits, &value, sizeof bits);
  const unsigned int rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return (bfloat16)((bits & 0x7fffffff) > 0x7f800000 ? bits >> 16 | 0x40 : rounded);
}
/* The processor's own instruction takes subnormals for zeros. */
static inline __attribute__((always_inline)) void widen_bfloat16(float *restrict to, const bfloat16 *restrict from,
                                                                 long n) {
  for (long i = 0; i < n; ++i) to[i] = wide_bfloat16(from[i]);
}
static inline __attribute__((always_inline)) void narrow_to_bfloat16(bfloat16 *restrict to, const float *restrict from,
                                                                     long n) {
  for (long i = 0; i < n; ++i) to[i] = narrow_bfloat16(from[i]);
}
/* A float64 that is not a float32 as a neighbour whose last bit is set: then it is rounded once in all. */
static inline __attribute__((always_inline)) float odd_float32(double value) {
  float single = (float)value;
  unsigned int bits;
  const double back = single;
  __builtin_memcpy(&bits, &single, sizeof bits);
  bits = (bits - (__builtin_fabs(back) > __builtin_fabs(value))) | (back != value);
  __builtin_memcpy(&single, &bits, sizeof bits);
  return single;
}
"""


def conversions() -> str:
    """The functions `wide_float16`, `narrow_float16`, the same for runs and for bfloat16, and `odd_float32`."""
    return _TEXT
