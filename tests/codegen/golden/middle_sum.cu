extern "C" __global__ void __launch_bounds__(256, 1) sum(const float *__restrict__ b0, float *__restrict__ b1, long s0, long s1, long s2, long s3, long s4) {
  for (long at = blockIdx.x; at < s1; at += gridDim.x) {
    const long rest1 = quotient(at, s2);
    const long block = at - rest1 * s2;
    const long i0 = rest1;
    const long i1 = block * 32 + threadIdx.x % 32;
    float a0 = 0;
    if (i1 < s0) {
      for (long part = threadIdx.x / 32; part < s3; part += 8) {
        const long i2 = part;
        const float v0 = b0[(i1 + s0 * i2 + s4 * i0)];
        a0 = a0 + v0;
      }
    }
    a0 = over_columns<256>(a0, 32, [](float x, float y) -> float { return x + y; });
    if (threadIdx.x < 32 && i1 < s0) {
      b1[(i1 + s0 * i0)] = a0;
    }
  }
}
SYMTENSOR_KERNEL(sum, 1)
