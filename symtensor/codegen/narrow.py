"""Narrow floats in C: what is kept in 16 bits becomes a float32, and a float32 is rounded to what is kept.

Kernels compute in float32 and round once, when they store (docs/decisions/060). Compilers know no vector instructions
for the conversions of scalars, but for integer arithmetic they do, so it is written in that: without branches, and the
same on every processor.

>>> "float wide_float16(float16 kept)" in conversions()
True
"""

from __future__ import annotations

__all__ = ["conversions"]

_TEXT = """
typedef unsigned short float16;
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
  return (float16)((bits >> 16 & 0x8000) | (size > 0x7f800000 ? 0x7e00 : number));
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
    """The functions `wide_float16`, `narrow_float16` and `odd_float32`."""
    return _TEXT
