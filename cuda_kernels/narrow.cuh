/* Narrow floats: kept in 16 bits, computed in float, rounded to nearest even where they are made of one. */
#ifndef SYMTENSOR_NARROW
#define SYMTENSOR_NARROW
#ifdef SYMTENSOR_SOFTWARE_DRIVER
inline float float16_value(unsigned short bits) { return simt::half_value(bits); }
inline unsigned short float16_bits(float value) { return simt::half_bits(value); }
inline float bfloat16_value(unsigned short bits) { return simt::bfloat_value(bits); }
inline unsigned short bfloat16_bits(float value) { return simt::bfloat_bits(value); }
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
inline float bfloat16_value(unsigned short bits) { return __int_as_float((int)((unsigned)bits << 16)); }
inline unsigned short bfloat16_bits(float value) {
#if __CUDA_ARCH__ >= 800
  unsigned short bits;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
  return bits;
#else
  const unsigned bits = (unsigned)__float_as_int(value);
  return (unsigned short)(value != value ? 0x7fffu : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
#endif
}
/* A float64 that is not a float32 as a neighbour whose last bit is set: then it is rounded once in all. */
inline float odd_float32(double value) {
  const float down = __double2float_rz(value);
  return __int_as_float(__float_as_int(down) | (double(down) != value));
}
#endif

/* What numbers are computed in. */
template <class T> struct Computed {
  using Number = T;
};

#define SYMTENSOR_NARROW_FLOAT(name)                                        \
  struct name {                                                             \
    unsigned short bits;                                                    \
    name() = default;                                                       \
    name(float value) : bits(name##_bits(value)) {}                         \
    operator float() const { return name##_value(bits); }                   \
    static float value(unsigned short bits) { return name##_value(bits); }  \
  };                                                                        \
  template <> struct Computed<name> {                                       \
    using Number = float;                                                   \
  };                                                                        \
  inline float wide_##name(name kept) { return kept; }                      \
  inline name narrow_##name(float value) { return value; }
SYMTENSOR_NARROW_FLOAT(float16)
SYMTENSOR_NARROW_FLOAT(bfloat16)
#undef SYMTENSOR_NARROW_FLOAT
#endif
