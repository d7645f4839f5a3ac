int exp_sub(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  const float *restrict b1 = buffers[1];
  float *restrict b2 = buffers[2];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  int status = 0;
  for (long unit = begin; unit < end;) {
    const long row = unit / s0, first = unit - row * s0;
    const long last = s0 - first < end - unit ? s0 : first + (end - unit);
    const long i0 = row;
    #pragma omp simd
    for (long i1 = first; i1 < last; ++i1) {
      const float v0 = b0[(i1 + s0 * i0)];
      const float v1 = b1[(i0 + s1 * i1)];
      const float v2 = expf(v1);
      const float v3 = (v2 - v0);
      b2[(i1 + s0 * i0)] = v3;
    }
    unit += last - first;
  }
  return status;
}
