extern "C" __global__ void __launch_bounds__(256, 1) gather_mul(const long *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, long s0, long s1, long s2, int *failed) {
  int status = 0;
  const long v1 = s0;
  const long whole = is_aligned(b1, 16) && is_aligned(b2, 16) && s1 % 4 == 0 ? s2 / 4 : 0;
  for (long at = blockIdx.x * 256L + threadIdx.x; at < whole; at += gridDim.x * (long)256) {
    const long rest1 = quotient(at * 4, s1);
    const long i1 = at * 4 - rest1 * s1;
    const long i0 = rest1;
    const long v2 = b0[i0];
    const long v3 = wrap_index(v2, v1, &status);
    const Vector<float, 4> x0 = *(const Vector<float, 4> *)&b1[(i1 + s1 * v3)];
    Vector<float, 4> y0;
    #pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const float v5 = (x0.at[lane] * 2.0f);
      y0.at[lane] = v5;
    }
    *(Vector<float, 4> *)&b2[(i1 + s1 * i0)] = y0;
  }
  for (long at = whole * 4 + blockIdx.x * 256L + threadIdx.x; at < s2; at += gridDim.x * (long)256) {
    const long rest1 = quotient(at, s1);
    const long i1 = at - rest1 * s1;
    const long i0 = rest1;
    const long v2 = b0[i0];
    const long v3 = wrap_index(v2, v1, &status);
    const float v4 = b1[(i1 + s1 * v3)];
    const float v5 = (v4 * 2.0f);
    b2[(i1 + s1 * i0)] = v5;
  }
  if (status) atomicExch(failed, 1);
}
SYMTENSOR_KERNEL(gather_mul, 0)
