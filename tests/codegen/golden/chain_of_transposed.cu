extern "C" __global__ void __launch_bounds__(256, 1) exp_sub(const float *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, long s0, long s1, long s2) {
  const long whole = is_aligned(b0, 16) && is_aligned(b2, 16) && s0 % 4 == 0 ? s1 / 4 : 0;
  for (long at = blockIdx.x * 256L + threadIdx.x; at < whole; at += gridDim.x * (long)256) {
    const long rest1 = quotient(at * 4, s0);
    const long i1 = at * 4 - rest1 * s0;
    const long i0 = rest1;
    const Vector<float, 4> x0 = *(const Vector<float, 4> *)&b0[(i1 + s0 * i0)];
    Vector<float, 4> y0;
    #pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const float v1 = b1[(i0 + s2 * (i1 + lane))];
      const float v2 = exp_float32(v1);
      const float v3 = (v2 - x0.at[lane]);
      y0.at[lane] = v3;
    }
    *(Vector<float, 4> *)&b2[(i1 + s0 * i0)] = y0;
  }
  for (long at = whole * 4 + blockIdx.x * 256L + threadIdx.x; at < s1; at += gridDim.x * (long)256) {
    const long rest1 = quotient(at, s0);
    const long i1 = at - rest1 * s0;
    const long i0 = rest1;
    const float v0 = b0[(i1 + s0 * i0)];
    const float v1 = b1[(i0 + s2 * i1)];
    const float v2 = exp_float32(v1);
    const float v3 = (v2 - v0);
    b2[(i1 + s0 * i0)] = v3;
  }
}
SYMTENSOR_KERNEL(exp_sub, 0)
