int wrap_index_gather_max_sub_exp_sum_log_true_div_mul_eq_switch(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  const long *restrict b1 = buffers[1];
  float *restrict b2 = buffers[2];
  float *restrict b3 = buffers[3];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  int status = 0;
  const long v6 = s0;
  const long v13 = s1;
  const float v14 = (float)v13;
  const float v16 = ((-1.0f) / v14);
  const float v20 = (-v16);
  for (long unit = begin; unit < end; ++unit) {
    const long i0 = unit;
    const long v7 = b1[i0];
    const long v8 = wrap_index(v7, v6, &status);
    const float v9 = b0[(v8 + s0 * i0)];
    float a0 = -__builtin_inff();
    int nan0 = 0;
    #pragma omp simd reduction(|:status) reduction(max:a0) reduction(|:nan0)
    for (long i1 = 0; i1 < s0; ++i1) {
      const float v0 = b0[(i1 + s0 * i0)];
      a0 = v0 > a0 ? v0 : a0;
      nan0 |= v0 != v0;
    }
    if (nan0) a0 = __builtin_nanf("");
    const float v10 = (v9 - a0);
    double a1 = 0;
    for (long part = 0; part < s0; part += 4096) {
      const long stop = s0 - part < 4096 ? s0 : part + 4096;
      float p1 = 0;
      #pragma omp simd reduction(|:status) reduction(+:p1)
      for (long i1 = part; i1 < stop; ++i1) {
        const float v0 = b0[(i1 + s0 * i0)];
        const float v2 = (v0 - a0);
        const float v3 = exp_float32(v2);
        p1 = p1 + v3;
        ((float *)((char *)scratch + 0))[i1] = v3;
      }
      a1 += p1;
    }
    const float v5 = logf((float)a1);
    const float v11 = (v10 - v5);
    const float v21 = (v20 / (float)a1);
    #pragma omp simd reduction(|:status)
    for (long i1 = 0; i1 < s0; ++i1) {
      const float k0 = ((float *)((char *)scratch + 0))[i1];
      const long v17 = i1;
      const _Bool v18 = (v17 == v8);
      const float v19 = (v18 ? v16 : 0.0f);
      const float v22 = (v21 * k0);
      const float v23 = (v22 + v19);
      b3[(i1 + s0 * i0)] = v23;
    }
    b2[i0] = v11;
  }
  return status;
}

int sum_true_div_neg(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  float *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    const long i0 = unit;
    double a0 = 0;
    for (long part = 0; part < ((0 < ((-16384) * i0 + s0) ? 0 : ((-16384) * i0 + s0)) + 16384); part += 4096) {
      const long stop = ((0 < ((-16384) * i0 + s0) ? 0 : ((-16384) * i0 + s0)) + 16384) - part < 4096 ? ((0 < ((-16384) * i0 + s0) ? 0 : ((-16384) * i0 + s0)) + 16384) : part + 4096;
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

int sum_true_div_neg_total(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  float *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  int status = 0;
  const long v1 = s0;
  const float v2 = (float)v1;
  for (long unit = begin; unit < end; ++unit) {
    double a0 = 0;
    for (long part = 0; part < s1; part += 4096) {
      const long stop = s1 - part < 4096 ? s1 : part + 4096;
      float p0 = 0;
      #pragma omp simd reduction(+:p0)
      for (long i0 = part; i0 < stop; ++i0) {
        const float v0 = b0[i0];
        p0 = p0 + v0;
      }
      a0 += p0;
    }
    const float v4 = ((float)a0 / v2);
    const float v5 = (-v4);
    b1[0] = v5;
  }
  return status;
}
