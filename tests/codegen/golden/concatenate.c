int join(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  const float *restrict b1 = buffers[1];
  float *restrict b2 = buffers[2];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  const long s2 = sizes[2];
  const long s3 = sizes[3];
  const long s4 = sizes[4];
  int status = 0;
  const long v0 = s0;
  const long v5 = s1;
  for (long row = begin / s3; row * s3 < end; ++row) {
    const long start = row * s3, stop = (end - start) * 64;
    const long first = start < begin ? (begin - start) * 64 : 0;
    const long last = s2 < stop ? s2 : stop;
    const long i0 = row;
    #pragma omp simd
    for (long i1 = first; i1 < last; ++i1) {
      const long v1 = i1;
      const _Bool v2 = (v1 < v0);
      const float v3 = v2 ? b0[(i1 + s0 * i0)] : 0;
      const long v6 = (i1 + s4);
      const _Bool v7 = (v6 < v5);
      const _Bool v9 = (v6 >= 0);
      const _Bool v10 = (v9 & v7);
      const float v11 = v10 ? b1[(i1 + s1 * i0 + s4)] : 0;
      const float v12 = (v11 * 2.0f);
      const float v13 = (v10 ? v12 : v3);
      b2[(i1 + s0 * i0 + s1 * i0)] = v13;
    }
  }
  return status;
}
