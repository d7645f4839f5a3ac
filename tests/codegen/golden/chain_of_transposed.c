int exp_sub(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  const float *restrict b1 = buffers[1];
  float *restrict b2 = buffers[2];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  const long s2 = sizes[2];
  int status = 0;
  for (long row = begin / s1; row * s1 < end; ++row) {
    const long start = row * s1, stop = (end - start) * 64;
    const long first = start < begin ? (begin - start) * 64 : 0;
    const long last = s0 < stop ? s0 : stop;
    const long i0 = row;
    #pragma omp simd
    for (long i1 = first; i1 < last; ++i1) {
      const float v0 = b0[(i1 + s0 * i0)];
      const float v1 = b1[(i0 + s2 * i1)];
      const float v2 = exp_float32(v1);
      const float v3 = (v2 - v0);
      b2[(i1 + s0 * i0)] = v3;
    }
  }
  return status;
}
