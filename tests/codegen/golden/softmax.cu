extern "C" __global__ void __launch_bounds__(256, 1) max_sub_exp_sum_true_div(const float *__restrict__ b0, float *__restrict__ b1, float *__restrict__ b2, float *__restrict__ b3, long s0, long s1, long s2, long shares, long stage) {
  const int group = s0, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < s1 * shares; at += gridDim.x * (long)rows) {
    const long row = quotient(at, shares);
    const long i0 = row;
    const long length = s2;
    const long share = (length + shares - 1) / shares, begin = (at - row * shares) * share;
    const long end = begin + share < length ? begin + share : length;
    float a0 = -__builtin_inff();
    if (stage <= 0) {
      #pragma unroll 4
      for (long part = begin + lane; part < end; part += group) {
        const long i1 = part;
        const float v0 = b0[(i1 + s2 * i0)];
        a0 = (v0 > a0) | (v0 != v0) ? v0 : a0;
      }
    }
    if (stage > 0 && lane < shares) {
      a0 = b2[row * shares + lane];
    }
    a0 = over_group<256>(a0, group, [](float x, float y) -> float { return (y > x) | (y != y) ? y : x; });
    if (shares > 1 && stage == 0) {
      if (lane == 0) b2[at] = a0;
      continue;
    }
    float a1 = 0;
    if (stage <= 1) {
      #pragma unroll 4
      for (long part = begin + lane; part < end; part += group) {
        const long i1 = part;
        const float v0 = b0[(i1 + s2 * i0)];
        const float v2 = (v0 - a0);
        const float v3 = exp_float32(v2);
        a1 = a1 + v3;
      }
    }
    if (stage > 1 && lane < shares) {
      a1 = b3[row * shares + lane];
    }
    a1 = over_group<256>(a1, group, [](float x, float y) -> float { return x + y; });
    if (shares > 1 && stage == 1) {
      if (lane == 0) b3[at] = a1;
      continue;
    }
    #pragma unroll 4
    for (long part = begin + lane; part < end; part += group) {
      const long i1 = part;
      const float v0 = b0[(i1 + s2 * i0)];
      const float v2 = (v0 - a0);
      const float v3 = exp_float32(v2);
      const float v5 = (v3 / a1);
      b1[(i1 + s2 * i0)] = v5;
    }
  }
}
SYMTENSOR_KERNEL(max_sub_exp_sum_true_div, 1)
