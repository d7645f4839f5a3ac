int max(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const double *restrict b0 = buffers[0];
  double *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    const long i0 = unit;
    double a0 = -__builtin_inf();
    int nan0 = 0;
    #pragma omp simd reduction(max:a0) reduction(|:nan0)
    for (long i1 = 0; i1 < s0; ++i1) {
      const double v0 = b0[(i1 + s0 * i0)];
      a0 = v0 > a0 ? v0 : a0;
      nan0 |= v0 != v0;
    }
    if (nan0) a0 = __builtin_nan("");
    b1[i0] = a0;
  }
  return status;
}
