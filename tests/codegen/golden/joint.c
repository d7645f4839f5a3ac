int mul_sub(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  const float *restrict b1 = buffers[1];
  float *restrict b2 = buffers[2];
  const long s0 = sizes[0];
  int status = 0;
  const long first = begin * 64, stop = end * 64;
  const long last = s0 < stop ? s0 : stop;
  #pragma omp simd
  for (long i0 = first; i0 < last; ++i0) {
    const float v0 = b0[i0];
    const float v2 = (0.1f * v0);
    const float v3 = b1[i0];
    const float v4 = (v3 - v2);
    b2[i0] = v4;
  }
  return status;
}

int square(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  float *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  int status = 0;
  const long first = begin * 64, stop = end * 64;
  const long last = s0 < stop ? s0 : stop;
  #pragma omp simd
  for (long i0 = first; i0 < last; ++i0) {
    const float v0 = b0[i0];
    const float v1 = (v0 * v0);
    b1[i0] = v1;
  }
  return status;
}
