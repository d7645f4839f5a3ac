extern "C" __global__ void __launch_bounds__(256, 1) scan_mul_add_tanh(const float *__restrict__ b0, float *__restrict__ b1, const float *__restrict__ b2, long s0, long s1, long from, long to) {
  for (long at = blockIdx.x * 256L + threadIdx.x; at < s0; at += gridDim.x * (long)256) {
    const long i0 = at;
    float c0;
    if (from == 0) {
      const float v7 = b2[i0];
      c0 = v7;
    }
    else {
      const long i1 = from;
      const float v6 = b1[(i0 + s0 * i1 + s1)];
      c0 = v6;
    }
    for (long i1 = from; i1 < to; ++i1) {
      const float k0 = c0;
      const float v2 = (0.5f * k0);
      const float v3 = b0[(i0 + s0 * i1)];
      const float v4 = (v3 + v2);
      const float v5 = tanhf(v4);
      b1[(i0 + s0 * i1)] = v5;
      c0 = v5;
    }
  }
}
SYMTENSOR_KERNEL(scan_mul_add_tanh, 0)

extern "C" __global__ void __launch_bounds__(256, 1) mul(const float *__restrict__ b0, float *__restrict__ b1, long s0) {
  const long whole = is_aligned(b0, 16) && is_aligned(b1, 16) ? s0 / 4 : 0;
  for (long at = blockIdx.x * 256L + threadIdx.x; at < whole; at += gridDim.x * (long)256) {
    const long i0 = at * 4;
    const Vector<float, 4> x0 = *(const Vector<float, 4> *)&b0[i0];
    Vector<float, 4> y0;
    #pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const float v2 = (x0.at[lane] * 2.0f);
      y0.at[lane] = v2;
    }
    *(Vector<float, 4> *)&b1[i0] = y0;
  }
  for (long at = whole * 4 + blockIdx.x * 256L + threadIdx.x; at < s0; at += gridDim.x * (long)256) {
    const long i0 = at;
    const float v1 = b0[i0];
    const float v2 = (v1 * 2.0f);
    b1[i0] = v2;
  }
}
SYMTENSOR_KERNEL(mul, 0)

extern "C" __global__ void __launch_bounds__(256, 1) scan_add_square_sub_mul(const float *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, float *__restrict__ b3, long s0, long s1, long s2, long from, long to) {
  for (long at = blockIdx.x * 256L + threadIdx.x; at < s0; at += gridDim.x * (long)256) {
    const long i0 = at;
    float c0;
    if (from == 0) {
      c0 = 0.0f;
    }
    else {
      const long i1 = from;
      const float v10 = b2[i0];
      c0 = v10;
    }
    for (long i1 = from; i1 < to; ++i1) {
      const float k0 = c0;
      const float v1 = b0[(i0 + s2 * i1 + s1)];
      const float v2 = (v1 * v1);
      const float v4 = (1.0f - v2);
      const float v5 = b1[(i0 + s2 * i1 + s1)];
      const float v7 = (k0 + v5);
      const float v8 = (v7 * v4);
      const float v9 = (v8 * 0.5f);
      b3[(i0 + s2 * i1 + s1)] = v8;
      c0 = v9;
    }
    b2[i0] = c0;
  }
}
SYMTENSOR_KERNEL(scan_add_square_sub_mul, 0)
