inline void mul_sub_and_square_0(const float *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, long s0, const long block_x, const long grid_x) {
  const long whole = is_aligned(b0, 16) && is_aligned(b1, 16) && is_aligned(b2, 16) ? s0 / 4 : 0;
  for (long at = block_x * 256L + threadIdx.x; at < whole; at += grid_x * (long)256) {
    const long i0 = at * 4;
    const Vector<float, 4> x0 = *(const Vector<float, 4> *)&b0[i0];
    const Vector<float, 4> x1 = *(const Vector<float, 4> *)&b1[i0];
    Vector<float, 4> y0;
    #pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const float v2 = (0.1f * x0.at[lane]);
      const float v4 = (x1.at[lane] - v2);
      y0.at[lane] = v4;
    }
    *(Vector<float, 4> *)&b2[i0] = y0;
  }
  for (long at = whole * 4 + block_x * 256L + threadIdx.x; at < s0; at += grid_x * (long)256) {
    const long i0 = at;
    const float v0 = b0[i0];
    const float v2 = (0.1f * v0);
    const float v3 = b1[i0];
    const float v4 = (v3 - v2);
    b2[i0] = v4;
  }
}
inline void mul_sub_and_square_1(const float *__restrict__ b0, float *__restrict__ b1, long s0, const long block_x, const long grid_x) {
  const long whole = is_aligned(b0, 16) && is_aligned(b1, 16) ? s0 / 4 : 0;
  for (long at = block_x * 256L + threadIdx.x; at < whole; at += grid_x * (long)256) {
    const long i0 = at * 4;
    const Vector<float, 4> x0 = *(const Vector<float, 4> *)&b0[i0];
    Vector<float, 4> y0;
    #pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const float v1 = (x0.at[lane] * x0.at[lane]);
      y0.at[lane] = v1;
    }
    *(Vector<float, 4> *)&b1[i0] = y0;
  }
  for (long at = whole * 4 + block_x * 256L + threadIdx.x; at < s0; at += grid_x * (long)256) {
    const long i0 = at;
    const float v0 = b0[i0];
    const float v1 = (v0 * v0);
    b1[i0] = v1;
  }
}
extern "C" __global__ void __launch_bounds__(256, 4) mul_sub_and_square(const float *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, const float *__restrict__ b3, const float *__restrict__ b4, float *__restrict__ b5, const float *__restrict__ b6, float *__restrict__ b7, long s0, long s1, long s2, long s3, long s4, long s5) {
  long block = blockIdx.x;
  if (block < s3 + s4) {
    const float *p0 = b0;
    const float *p1 = b1;
    float *p2 = b2;
    long p3 = s0;
    long blocks = s3;
    if (block >= blocks) { block -= blocks; p0 = b3; p1 = b4; p2 = b5; p3 = s1; blocks = s4; }
    return mul_sub_and_square_0(p0, p1, p2, p3, block, blocks);
  }
  block -= s3 + s4;
  {
    const float *p0 = b6;
    float *p1 = b7;
    long p2 = s2;
    long blocks = s5;
    return mul_sub_and_square_1(p0, p1, p2, block, blocks);
  }
}
SYMTENSOR_KERNEL(mul_sub_and_square, 0)
