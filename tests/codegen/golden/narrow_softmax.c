int max_sub_exp_sum_true_div(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float16 *restrict b0 = buffers[0];
  float16 *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    const long i0 = unit;
    float a0 = -__builtin_inff();
    int nan0 = 0;
    #pragma omp simd reduction(max:a0) reduction(|:nan0)
    for (long i1 = 0; i1 < s0; ++i1) {
      const float16 v0 = b0[(i1 + s0 * i0)];
      const float v1 = wide_float16(v0);
      a0 = v1 > a0 ? v1 : a0;
      nan0 |= v1 != v1;
    }
    if (nan0) a0 = __builtin_nanf("");
    double a1 = 0;
    for (long part = 0; part < s0; part += 4096) {
      const long stop = s0 - part < 4096 ? s0 : part + 4096;
      float p1 = 0;
      #pragma omp simd reduction(+:p1)
      for (long i1 = part; i1 < stop; ++i1) {
        const float16 v0 = b0[(i1 + s0 * i0)];
        const float v1 = wide_float16(v0);
        const float v3 = (v1 - a0);
        const float v4 = exp_float32(v3);
        p1 = p1 + v4;
        ((float *)((char *)scratch + 0))[i1] = v4;
      }
      a1 += p1;
    }
    #pragma omp simd
    for (long i1 = 0; i1 < s0; ++i1) {
      const float k0 = ((float *)((char *)scratch + 0))[i1];
      const float v6 = (k0 / (float)a1);
      const float16 v7 = narrow_float16(v6);
      b1[(i1 + s0 * i0)] = v7;
    }
  }
  return status;
}
