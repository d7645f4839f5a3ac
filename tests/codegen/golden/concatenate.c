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
  wake_nothing();
  long everywhere = 9223372036854775807;
  __asm__("" : "+r"(everywhere));
  const long v0 = s0;
  const long v5 = s1;
  for (long row = begin / s3; row * s3 < end; ++row) {
    const long start = row * s3, stop = (end - start) * 64;
    const long first = start < begin ? (begin - start) * 64 : 0;
    const long last = s2 < stop ? s2 : stop;
    const long i0 = row;
    for (long left = first, right; left < last; left = right) {
      right = last - left < 1024 ? last : left + 1024;
      _Bool g0;
      {
        if (left < s0 && s0 < right) right = s0;
        const long v1 = left;
        const _Bool v2 = (v1 < v0);
        g0 = v2;
      }
      const float *q1 = g0 ? &b0[(left + s0 * i0)] : (const float *)(nothing + 8192);
      _Bool g2;
      {
        if (left < s0 && s0 < right) right = s0;
        if (left < s2 && s2 < right) right = s2;
        const long v6 = (left + s4);
        const _Bool v7 = (v6 < v5);
        const _Bool v9 = (v6 >= 0);
        const _Bool v10 = (v9 & v7);
        g2 = v10;
      }
      const float *q3 = g2 ? &b1[(left + s1 * i0 + s4)] : (const float *)(nothing + 8192);
      #pragma omp simd
      for (long i1 = left; i1 < right; ++i1) {
        const float w3 = q1[i1 - left];
        const float w11 = q3[i1 - left];
        const float v12 = (w11 * 2.0f);
        const float v13 = ((i1 < everywhere * g2) ? v12 : w3);
        b2[(i1 + s0 * i0 + s1 * i0)] = v13;
      }
    }
  }
  return status;
}
