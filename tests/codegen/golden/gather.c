int gather_mul(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const long *restrict b0 = buffers[0];
  const float *restrict b1 = buffers[1];
  float *restrict b2 = buffers[2];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  const long s2 = sizes[2];
  int status = 0;
  const long v1 = s0;
  for (long row = begin / s2; row * s2 < end; ++row) {
    const long start = row * s2, stop = (end - start) * 64;
    const long first = start < begin ? (begin - start) * 64 : 0;
    const long last = s1 < stop ? s1 : stop;
    const long i0 = row;
    #pragma omp simd reduction(|:status)
    for (long i1 = first; i1 < last; ++i1) {
      const long v2 = b0[i0];
      const long v3 = wrap_index(v2, v1, &status);
      const float v4 = b1[(i1 + s1 * v3)];
      const float v5 = (v4 * 2.0f);
      b2[(i1 + s1 * i0)] = v5;
    }
  }
  return status;
}
