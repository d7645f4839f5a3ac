extern "C" __global__ void __launch_bounds__(256, 1) floor_div_mod_maximum_add(const int *__restrict__ b0, const int *__restrict__ b1, int *__restrict__ b2, long s0) {
  const long whole = is_aligned(b0, 16) && is_aligned(b1, 16) && is_aligned(b2, 16) ? s0 / 4 : 0;
  for (long at = blockIdx.x * 256L + threadIdx.x; at < whole; at += gridDim.x * (long)256) {
    const long i0 = at * 4;
    const Vector<int, 4> x0 = *(const Vector<int, 4> *)&b0[i0];
    const Vector<int, 4> x1 = *(const Vector<int, 4> *)&b1[i0];
    Vector<int, 4> y0;
    #pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const int v2 = (x1.at[lane] > x0.at[lane] ? x1.at[lane] : x0.at[lane]);
      const int v4 = floor_div_int32(x1.at[lane], x0.at[lane]);
      const int v5 = modulo_int32(v4, 7);
      const int v6 = ((unsigned int)v5 + (unsigned int)v2);
      y0.at[lane] = v6;
    }
    *(Vector<int, 4> *)&b2[i0] = y0;
  }
  for (long at = whole * 4 + blockIdx.x * 256L + threadIdx.x; at < s0; at += gridDim.x * (long)256) {
    const long i0 = at;
    const int v0 = b0[i0];
    const int v1 = b1[i0];
    const int v2 = (v1 > v0 ? v1 : v0);
    const int v4 = floor_div_int32(v1, v0);
    const int v5 = modulo_int32(v4, 7);
    const int v6 = ((unsigned int)v5 + (unsigned int)v2);
    b2[i0] = v6;
  }
}
SYMTENSOR_KERNEL(floor_div_mod_maximum_add, 0)
