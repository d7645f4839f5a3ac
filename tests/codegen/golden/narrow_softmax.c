int max_sub_exp_sum_true_div(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float16 *restrict b0 = buffers[0];
  float16 *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    const long i0 = unit;
    float a0 = -__builtin_inff();
    int nan0 = 0;
    for (long run = 0; run < s0; run += 256) {
      const long limit = s0 - run < 256 ? s0 : run + 256;
      float w0[256];
      widen_float16(w0, &b0[(run + s0 * i0)], limit - run);
      #pragma omp simd reduction(max:a0) reduction(|:nan0)
      for (long i1 = run; i1 < limit; ++i1) {
        a0 = w0[i1 - run] > a0 ? w0[i1 - run] : a0;
        nan0 |= w0[i1 - run] != w0[i1 - run];
      }
    }
    if (nan0) a0 = __builtin_nanf("");
    double a1 = 0;
    for (long part = 0; part < s0; part += 4096) {
      const long stop = s0 - part < 4096 ? s0 : part + 4096;
      float p1 = 0;
      for (long run = part; run < stop; run += 256) {
        const long limit = stop - run < 256 ? stop : run + 256;
        float w0[256];
        widen_float16(w0, &b0[(run + s0 * i0)], limit - run);
        #pragma omp simd reduction(+:p1)
        for (long i1 = run; i1 < limit; ++i1) {
          const float v3 = (w0[i1 - run] - a0);
          const float v4 = exp_float32(v3);
          p1 = p1 + v4;
          ((float *)((char *)scratch + 0))[i1] = v4;
        }
      }
      a1 += p1;
    }
    for (long run = 0; run < s0; run += 256) {
      const long limit = s0 - run < 256 ? s0 : run + 256;
      float n0[256];
      #pragma omp simd
      for (long i1 = run; i1 < limit; ++i1) {
        const float k0 = ((float *)((char *)scratch + 0))[i1];
        const float v6 = (k0 / (float)a1);
        n0[i1 - run] = v6;
      }
      narrow_to_float16(&b1[(run + s0 * i0)], n0, limit - run);
    }
  }
  return status;
}
