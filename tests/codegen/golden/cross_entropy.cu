extern "C" __global__ void __launch_bounds__(256, 1) wrap_index_gather_max_sub_exp_sum_log_true_div_mul_eq_switch(const float *__restrict__ b0, const long *__restrict__ b1, float *__restrict__ b2, float *__restrict__ b3, float *__restrict__ b4, float *__restrict__ b5, long s0, long s1, long s2, long shares, long stage, int *failed) {
  int status = 0;
  const long v6 = s0;
  const long v13 = s1;
  const float v14 = (float)v13;
  const float v16 = ((-1.0f) / v14);
  const float v20 = (-v16);
  const int group = s2, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < s1 * shares; at += gridDim.x * (long)rows) {
    const long row = quotient(at, shares);
    const long i0 = row;
    const long v7 = b1[i0];
    const long v8 = wrap_index(v7, v6, &status);
    const float v9 = b0[(v8 + s0 * i0)];
    const long length = s0;
    const long share = (length + shares - 1) / shares, begin = (at - row * shares) * share;
    const long end = begin + share < length ? begin + share : length;
    float a0 = -__builtin_inff();
    if (stage <= 0) {
      #pragma unroll 4
      for (long part = begin + lane; part < end; part += group) {
        const long i1 = part;
        const float v0 = b0[(i1 + s0 * i0)];
        a0 = (v0 > a0) | (v0 != v0) ? v0 : a0;
      }
    }
    if (stage > 0 && lane < shares) {
      a0 = b4[row * shares + lane];
    }
    a0 = over_group<256>(a0, group, [](float x, float y) -> float { return (y > x) | (y != y) ? y : x; });
    if (shares > 1 && stage == 0) {
      if (lane == 0) b4[at] = a0;
      continue;
    }
    const float v10 = (v9 - a0);
    float a1 = 0;
    if (stage <= 1) {
      #pragma unroll 4
      for (long part = begin + lane; part < end; part += group) {
        const long i1 = part;
        const float v0 = b0[(i1 + s0 * i0)];
        const float v2 = (v0 - a0);
        const float v3 = exp_float32(v2);
        a1 = a1 + v3;
      }
    }
    if (stage > 1 && lane < shares) {
      a1 = b5[row * shares + lane];
    }
    a1 = over_group<256>(a1, group, [](float x, float y) -> float { return x + y; });
    if (shares > 1 && stage == 1) {
      if (lane == 0) b5[at] = a1;
      continue;
    }
    const float v5 = logf(a1);
    const float v11 = (v10 - v5);
    const float v21 = (v20 / a1);
    #pragma unroll 4
    for (long part = begin + lane; part < end; part += group) {
      const long i1 = part;
      const float v0 = b0[(i1 + s0 * i0)];
      const float v2 = (v0 - a0);
      const float v3 = exp_float32(v2);
      const long v17 = i1;
      const unsigned char v18 = (v17 == v8);
      const float v19 = (v18 ? v16 : 0.0f);
      const float v22 = (v21 * v3);
      const float v23 = (v22 + v19);
      b3[(i1 + s0 * i0)] = v23;
    }
    if (lane == 0 && at == row * shares) {
      b2[i0] = v11;
    }
  }
  if (status) atomicExch(failed, 1);
}
SYMTENSOR_KERNEL(wrap_index_gather_max_sub_exp_sum_log_true_div_mul_eq_switch, 1)

extern "C" __global__ void __launch_bounds__(256, 1) sum_true_div_neg(const float *__restrict__ b0, float *__restrict__ b1, long s0, long s1, long s2) {
  const int group = s0, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < s1; at += gridDim.x * (long)rows) {
    const long i0 = at;
    float a0 = 0;
    for (long part = lane; part < ((0 < ((-8192) * i0 + s2) ? 0 : ((-8192) * i0 + s2)) + 8192); part += group) {
      const long i1 = part;
      const float v0 = b0[(8192 * i0 + i1)];
      a0 = a0 + v0;
    }
    a0 = over_group<256>(a0, group, [](float x, float y) -> float { return x + y; });
    if (lane == 0) {
      b1[i0] = a0;
    }
  }
}
SYMTENSOR_KERNEL(sum_true_div_neg, 1)

extern "C" __global__ void __launch_bounds__(256, 1) sum_true_div_neg_total(const float *__restrict__ b0, float *__restrict__ b1, long s0, long s1, long s2) {
  const long v1 = s0;
  const float v2 = (float)v1;
  const int group = s1, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < 1; at += gridDim.x * (long)rows) {
    float a0 = 0;
    for (long part = lane; part < s2; part += group) {
      const long i0 = part;
      const float v0 = b0[i0];
      a0 = a0 + v0;
    }
    a0 = over_group<256>(a0, group, [](float x, float y) -> float { return x + y; });
    const float v4 = (a0 / v2);
    const float v5 = (-v4);
    if (lane == 0) {
      b1[0] = v5;
    }
  }
}
SYMTENSOR_KERNEL(sum_true_div_neg_total, 1)
