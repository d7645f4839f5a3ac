int broadcast(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  float *restrict b0 = buffers[0];
  const long s0 = sizes[0];
  int status = 0;
  const long first = begin * 64, stop = end * 64;
  const long last = s0 < stop ? s0 : stop;
  #pragma omp simd
  for (long i0 = first; i0 < last; ++i0) {
    b0[i0] = 0.0f;
  }
  return status;
}

int wrap_index(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const long *restrict b0 = buffers[0];
  long *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  int status = 0;
  const long v0 = s0;
  const long first = begin * 64, stop = end * 64;
  const long last = s1 < stop ? s1 : stop;
  #pragma omp simd reduction(|:status)
  for (long i0 = first; i0 < last; ++i0) {
    const long v1 = b0[i0];
    const long v2 = wrap_index(v1, v0, &status);
    b1[i0] = v2;
  }
  return status;
}

int gather_mul(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const long *restrict b0 = buffers[0];
  const float *restrict b1 = buffers[1];
  float *restrict b2 = buffers[2];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  int status = 0;
  for (long row = begin / s1; row * s1 < end; ++row) {
    const long start = row * s1, stop = (end - start) * 64;
    const long first = start < begin ? (begin - start) * 64 : 0;
    const long last = s0 < stop ? s0 : stop;
    const long i0 = row;
    #pragma omp simd
    for (long i1 = first; i1 < last; ++i1) {
      const long v1 = b0[i0];
      const float v2 = b1[(i1 + s0 * v1)];
      const float v3 = (v2 * 2.0f);
      b2[(i1 + s0 * i0)] = v3;
    }
  }
  return status;
}

int scatter_add(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  float *restrict b0 = buffers[0];
  const long *restrict b1 = buffers[1];
  const float *restrict b2 = buffers[2];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  int status = 0;
  const long first = begin * 64, stop = end * 64;
  const long last = s0 < stop ? s0 : stop;
  for (long i1 = 0; i1 < s1; ++i1) {
    #pragma omp simd
    for (long i0 = first; i0 < last; ++i0) {
      const long v0 = b1[i1];
      const float v1 = b2[(i0 + s0 * i1)];
      b0[(i0 + s0 * v0)] += v1;
    }
  }
  return status;
}
