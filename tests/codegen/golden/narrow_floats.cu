extern "C" __global__ void __launch_bounds__(256, 1) broadcast(float16 *__restrict__ b0, long s0) {
  const long whole = is_aligned(b0, 16) ? s0 / 8 : 0;
  for (long at = blockIdx.x * 256L + threadIdx.x; at < whole; at += gridDim.x * (long)256) {
    const long i0 = at * 8;
    Vector<float16, 8> y0;
    #pragma unroll
    for (int lane = 0; lane < 8; ++lane) {
      y0.at[lane] = narrow_float16(0.0f);
    }
    *(Vector<float16, 8> *)&b0[i0] = y0;
  }
  for (long at = whole * 8 + blockIdx.x * 256L + threadIdx.x; at < s0; at += gridDim.x * (long)256) {
    const long i0 = at;
    b0[i0] = narrow_float16(0.0f);
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

extern "C" __global__ void __launch_bounds__(256, 1) scatter_add(float16 *__restrict__ b0, const long *__restrict__ b1, long s0, long s1) {
  for (long at = blockIdx.x * 256L + threadIdx.x; at < s0; at += gridDim.x * (long)256) {
    const long i0 = at;
    for (long i1 = 0; i1 < s1; ++i1) {
      const long v0 = b1[i1];
      b0[(i0 + s0 * v0)] = narrow_float16(wide_float16(b0[(i0 + s0 * v0)]) + wide_float16(narrow_float16(1.0f)));
    }
  }
}
SYMTENSOR_KERNEL(scatter_add, 0)

extern "C" __global__ void __launch_bounds__(256, 1) exp_mul_add_lt_cast_sum(const float16 *__restrict__ b0, float16 *__restrict__ b1, float16 *__restrict__ b2, long *__restrict__ b3, long s0, long s1, long s2, long s3, long s4) {
  for (long at = blockIdx.x; at < s1; at += gridDim.x) {
    const long rest1 = quotient(at, s2);
    const long block = at - rest1 * s2;
    const long i0 = rest1;
    const long i1 = block * 32 + threadIdx.x % 32;
    long a0 = 0;
    if (i1 < s0) {
      for (long part = threadIdx.x / 32; part < ((0 < ((-512) * i0 + s3) ? 0 : ((-512) * i0 + s3)) + 512); part += 8) {
        const long i2 = part;
        const float16 v1 = b0[(i1 + s4 * i0 + s0 * i2)];
        const float v2 = wide_float16(v1);
        const float v3 = exp_float32(v2);
        const float v4 = (v3 * v2);
        const float v5 = (v4 + 1.0f);
        const float16 v6 = narrow_float16(v5);
        const float v7 = wide_float16(v6);
        const unsigned char v8 = (v2 < v7);
        const long v9 = v8 ? 1 : 0;
        const float16 v10 = b1[(i1 + s4 * i0 + s0 * i2)];
        const float v11 = wide_float16(v10);
        const float v12 = (v11 * v2);
        const float v13 = (v12 * v3);
        const float v14 = (v11 * v3);
        const float v15 = (v14 + v13);
        const float16 v16 = narrow_float16(v15);
        a0 = (unsigned long)a0 + (unsigned long)v9;
        b1[(i1 + s4 * i0 + s0 * i2)] = v6;
        b2[(i1 + s4 * i0 + s0 * i2)] = v16;
      }
    }
    a0 = over_columns<256>(a0, 32, [](long x, long y) -> long { return (unsigned long)x + (unsigned long)y; });
    if (threadIdx.x < 32 && i1 < s0) {
      b3[(i1 + s0 * i0)] = a0;
    }
  }
}
SYMTENSOR_KERNEL(exp_mul_add_lt_cast_sum, 1)

extern "C" __global__ void __launch_bounds__(256, 1) exp_mul_add_lt_cast_sum_total(const long *__restrict__ b0, long *__restrict__ b1, long s0, long s1, long s2) {
  for (long at = blockIdx.x; at < s1; at += gridDim.x) {
    const long block = at;
    const long i0 = block * 32 + threadIdx.x % 32;
    long a0 = 0;
    if (i0 < s0) {
      for (long part = threadIdx.x / 32; part < s2; part += 8) {
        const long i1 = part;
        const long v0 = b0[(i0 + s0 * i1)];
        a0 = (unsigned long)a0 + (unsigned long)v0;
      }
    }
    a0 = over_columns<256>(a0, 32, [](long x, long y) -> long { return (unsigned long)x + (unsigned long)y; });
    if (threadIdx.x < 32 && i0 < s0) {
      b1[i0] = a0;
    }
  }
}
SYMTENSOR_KERNEL(exp_mul_add_lt_cast_sum_total, 1)
