/* What generated text calls and CUDA calls otherwise; GNU C++, which compiles for the software driver, knows it. */
#ifndef SYMTENSOR_SOFTWARE_DRIVER
inline float __builtin_inff() { return __int_as_float(0x7f800000); }
inline double __builtin_inf() { return __longlong_as_double(0x7ff0000000000000); }
inline float __builtin_nanf(const char *) { return __int_as_float(0x7fc00000); }
inline double __builtin_nan(const char *) { return __longlong_as_double(0x7ff8000000000000); }
inline float __builtin_copysignf(float x, float y) { return copysignf(x, y); }
inline double __builtin_copysign(double x, double y) { return copysign(x, y); }
inline float __builtin_floorf(float x) { return floorf(x); }
inline double __builtin_floor(double x) { return floor(x); }
inline float __builtin_fmodf(float x, float y) { return fmodf(x, y); }
inline double __builtin_fmod(double x, double y) { return fmod(x, y); }
inline double __builtin_fma(double x, double y, double z) { return fma(x, y, z); }
inline double __builtin_hypot(double x, double y) { return hypot(x, y); }
inline double __builtin_rint(double x) { return rint(x); }
inline double lgamma_r(double x, int *sign) {
  *sign = x < 0 && fmod(floor(x), 2.0) != 0 ? -1 : 1; /* of gamma(x) between its poles */
  return lgamma(x);
}
#define SYMTENSOR_KERNEL(name, uses_barriers) /* only the software driver asks */
#endif

/* The exponential of CUDA is right to 1 unit in the last place, as the one that processors inline. */
inline float exp_float32(float x) { return expf(x); }
inline double exp_float64(double x) { return exp(x); }

/* Of numbers of points, which are not negative: without the signs a division takes fewer registers. */
inline long quotient(long x, long y) { return (long)((unsigned long)x / (unsigned long)y); }
