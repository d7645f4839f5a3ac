/* Narrow floats: kept in 16 bits, computed in float, rounded to nearest even where they are made of one. */
#ifndef SYMTENSOR_NARROW
#define SYMTENSOR_NARROW
#ifdef SYMTENSOR_SOFTWARE_DRIVER
inline float float16_value(unsigned short bits) { return simt::half_value(bits); }
inline unsigned short float16_bits(float value) { return simt::half_bits(value); }
inline float odd_float32(double value) { return simt::to_odd(value); }
#else
inline float float16_value(unsigned short bits) {
  float value;
  asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
  return value;
}
inline unsigned short float16_bits(float value) {
  unsigned short bits;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
}
/* A float64 that is not a float32 as a neighbour whose last bit is set: then it is rounded once in all. */
inline float odd_float32(double value) {
  const float down = __double2float_rz(value);
  return __int_as_float(__float_as_int(down) | (double(down) != value));
}
#endif

struct float16 {
  unsigned short bits;
  float16() = default;
  float16(float value) : bits(float16_bits(value)) {}
  operator float() const { return float16_value(bits); }
};
/* What numbers are computed in. */
template <class T> struct Computed {
  using Number = T;
};
template <> struct Computed<float16> {
  using Number = float;
};
inline float wide_float16(float16 kept) { return kept; }
inline float16 narrow_float16(float value) { return value; }
#endif
