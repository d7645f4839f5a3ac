int sum(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  float *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    const long i0 = unit;
    double a0 = 0;
    for (long part = 0; part < (((-16384) * i0 < s1 ? (-16384) * i0 : s1) + s0); part += 4096) {
      const long stop = (((-16384) * i0 < s1 ? (-16384) * i0 : s1) + s0) - part < 4096 ? (((-16384) * i0 < s1 ? (-16384) * i0 : s1) + s0) : part + 4096;
      float p0 = 0;
      #pragma omp simd reduction(+:p0)
      for (long i1 = part; i1 < stop; ++i1) {
        const float v0 = b0[(16384 * i0 + i1)];
        p0 = p0 + v0;
      }
      a0 += p0;
    }
    b1[i0] = (float)a0;
  }
  return status;
}

int sum_total(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  float *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    double a0 = 0;
    for (long part = 0; part < s0; part += 4096) {
      const long stop = s0 - part < 4096 ? s0 : part + 4096;
      float p0 = 0;
      #pragma omp simd reduction(+:p0)
      for (long i0 = part; i0 < stop; ++i0) {
        const float v0 = b0[i0];
        p0 = p0 + v0;
      }
      a0 += p0;
    }
    b1[0] = (float)a0;
  }
  return status;
}
