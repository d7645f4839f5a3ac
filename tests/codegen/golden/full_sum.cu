extern "C" __global__ void __launch_bounds__(256, 1) sum(const float *__restrict__ b0, float *__restrict__ b1, long s0, long s1, long s2, long s3) {
  const int group = s0, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < s1; at += gridDim.x * (long)rows) {
    const long i0 = at;
    float a0 = 0;
    for (long part = lane; part < (((-8192) * i0 < s3 ? (-8192) * i0 : s3) + s2); part += group) {
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
SYMTENSOR_KERNEL(sum, 1)

extern "C" __global__ void __launch_bounds__(256, 1) sum_total(const float *__restrict__ b0, float *__restrict__ b1, long s0, long s1) {
  const int group = s0, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < 1; at += gridDim.x * (long)rows) {
    float a0 = 0;
    for (long part = lane; part < s1; part += group) {
      const long i0 = part;
      const float v0 = b0[i0];
      a0 = a0 + v0;
    }
    a0 = over_group<256>(a0, group, [](float x, float y) -> float { return x + y; });
    if (lane == 0) {
      b1[0] = a0;
    }
  }
}
SYMTENSOR_KERNEL(sum_total, 1)
