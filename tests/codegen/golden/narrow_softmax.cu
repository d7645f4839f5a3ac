extern "C" __global__ void __launch_bounds__(256, 1) max_sub_exp_sum_true_div(const float16 *__restrict__ b0, float16 *__restrict__ b1, long s0, long s1, long s2) {
  const int group = s0, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < s1; at += gridDim.x * (long)rows) {
    const long i0 = at;
    float a0 = -__builtin_inff();
    for (long part = lane; part < s2; part += group) {
      const long i1 = part;
      const float16 v0 = b0[(i1 + s2 * i0)];
      const float v1 = wide_float16(v0);
      a0 = (v1 > a0) | (v1 != v1) ? v1 : a0;
    }
    a0 = over_group<256>(a0, group, [](float x, float y) -> float { return (y > x) | (y != y) ? y : x; });
    float a1 = 0;
    for (long part = lane; part < s2; part += group) {
      const long i1 = part;
      const float16 v0 = b0[(i1 + s2 * i0)];
      const float v1 = wide_float16(v0);
      const float v3 = (v1 - a0);
      const float v4 = exp_float32(v3);
      a1 = a1 + v4;
    }
    a1 = over_group<256>(a1, group, [](float x, float y) -> float { return x + y; });
    for (long part = lane; part < s2; part += group) {
      const long i1 = part;
      const float16 v0 = b0[(i1 + s2 * i0)];
      const float v1 = wide_float16(v0);
      const float v3 = (v1 - a0);
      const float v4 = exp_float32(v3);
      const float v6 = (v4 / a1);
      const float16 v7 = narrow_float16(v6);
      b1[(i1 + s2 * i0)] = v7;
    }
  }
}
SYMTENSOR_KERNEL(max_sub_exp_sum_true_div, 1)
