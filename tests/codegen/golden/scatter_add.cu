extern "C" __global__ void __launch_bounds__(256, 1) broadcast(float *__restrict__ b0, long s0) {
  const long whole = is_aligned(b0, 16) ? s0 / 4 : 0;
  for (long at = blockIdx.x * 256L + threadIdx.x; at < whole; at += gridDim.x * (long)256) {
    const long i0 = at * 4;
    Vector<float, 4> y0;
    #pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      y0.at[lane] = 0.0f;
    }
    *(Vector<float, 4> *)&b0[i0] = y0;
  }
  for (long at = whole * 4 + blockIdx.x * 256L + threadIdx.x; at < s0; at += gridDim.x * (long)256) {
    const long i0 = at;
    b0[i0] = 0.0f;
  }
}
SYMTENSOR_KERNEL(broadcast, 0)

extern "C" __global__ void __launch_bounds__(256, 1) wrap_index(const long *__restrict__ b0, long *__restrict__ b1, long s0, long s1, int *failed) {
  int status = 0;
  const long v0 = s0;
  const long whole = is_aligned(b0, 16) && is_aligned(b1, 16) ? s1 / 2 : 0;
  for (long at = blockIdx.x * 256L + threadIdx.x; at < whole; at += gridDim.x * (long)256) {
    const long i0 = at * 2;
    const Vector<long, 2> x0 = *(const Vector<long, 2> *)&b0[i0];
    Vector<long, 2> y0;
    #pragma unroll
    for (int lane = 0; lane < 2; ++lane) {
      const long v2 = wrap_index(x0.at[lane], v0, &status);
      y0.at[lane] = v2;
    }
    *(Vector<long, 2> *)&b1[i0] = y0;
  }
  for (long at = whole * 2 + blockIdx.x * 256L + threadIdx.x; at < s1; at += gridDim.x * (long)256) {
    const long i0 = at;
    const long v1 = b0[i0];
    const long v2 = wrap_index(v1, v0, &status);
    b1[i0] = v2;
  }
  if (status) atomicExch(failed, 1);
}
SYMTENSOR_KERNEL(wrap_index, 0)

extern "C" __global__ void __launch_bounds__(256, 1) gather_mul(const long *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, long s0, long s1) {
  const long whole = is_aligned(b1, 16) && is_aligned(b2, 16) && s0 % 4 == 0 ? s1 / 4 : 0;
  for (long at = blockIdx.x * 256L + threadIdx.x; at < whole; at += gridDim.x * (long)256) {
    const long rest1 = quotient(at * 4, s0);
    const long i1 = at * 4 - rest1 * s0;
    const long i0 = rest1;
    const long v1 = b0[i0];
    const Vector<float, 4> x0 = *(const Vector<float, 4> *)&b1[(i1 + s0 * v1)];
    Vector<float, 4> y0;
    #pragma unroll
    for (int lane = 0; lane < 4; ++lane) {
      const float v3 = (x0.at[lane] * 2.0f);
      y0.at[lane] = v3;
    }
    *(Vector<float, 4> *)&b2[(i1 + s0 * i0)] = y0;
  }
  for (long at = whole * 4 + blockIdx.x * 256L + threadIdx.x; at < s1; at += gridDim.x * (long)256) {
    const long rest1 = quotient(at, s0);
    const long i1 = at - rest1 * s0;
    const long i0 = rest1;
    const long v1 = b0[i0];
    const float v2 = b1[(i1 + s0 * v1)];
    const float v3 = (v2 * 2.0f);
    b2[(i1 + s0 * i0)] = v3;
  }
}
SYMTENSOR_KERNEL(gather_mul, 0)

extern "C" __global__ void __launch_bounds__(256, 1) scatter_add(float *__restrict__ b0, const long *__restrict__ b1, const float *__restrict__ b2, long s0, long s1) {
  for (long at = blockIdx.x * 256L + threadIdx.x; at < s0; at += gridDim.x * (long)256) {
    const long i0 = at;
    for (long i1 = 0; i1 < s1; ++i1) {
      const long v0 = b1[i1];
      const float v1 = b2[(i0 + s0 * i1)];
      b0[(i0 + s0 * v0)] += v1;
    }
  }
}
SYMTENSOR_KERNEL(scatter_add, 0)
