extern "C" __global__ void __launch_bounds__(256, 1) sum_true_div_sub_square_add_mul(const float *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, float *__restrict__ b3, float *__restrict__ b4, float *__restrict__ b5, float *__restrict__ b6, float *__restrict__ b7, long s0, long s1, long s2, long shares, long stage) {
  const long v1 = s0;
  const float v2 = (float)v1;
  const int group = s1, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < s2 * shares; at += gridDim.x * (long)rows) {
    const long row = quotient(at, shares);
    const long i0 = row;
    const long length = s0;
    const long share = (length + shares - 1) / shares, begin = (at - row * shares) * share;
    const long end = begin + share < length ? begin + share : length;
    float a0 = 0;
    if (stage <= 0) {
      #pragma unroll 4
      for (long part = begin + lane; part < end; part += group) {
        const long i1 = part;
        const float v0 = b0[(i1 + s0 * i0)];
        a0 = a0 + v0;
      }
    }
    if (stage > 0 && lane < shares) {
      a0 = b4[row * shares + lane];
    }
    a0 = over_group<256>(a0, group, [](float x, float y) -> float { return x + y; });
    if (shares > 1 && stage == 0) {
      if (lane == 0) b4[at] = a0;
      continue;
    }
    const float v4 = (a0 / v2);
    float a1 = 0;
    if (stage <= 1) {
      #pragma unroll 4
      for (long part = begin + lane; part < end; part += group) {
        const long i1 = part;
        const float v0 = b0[(i1 + s0 * i0)];
        const float v5 = (v0 - v4);
        const float v6 = (v5 * v5);
        a1 = a1 + v6;
      }
    }
    if (stage > 1 && lane < shares) {
      a1 = b5[row * shares + lane];
    }
    a1 = over_group<256>(a1, group, [](float x, float y) -> float { return x + y; });
    if (shares > 1 && stage == 1) {
      if (lane == 0) b5[at] = a1;
      continue;
    }
    const float v9 = (a1 / v2);
    const float v10 = (v9 + 1e-05f);
    float a2 = 0;
    if (stage <= 2) {
      #pragma unroll 4
      for (long part = begin + lane; part < end; part += group) {
        const long i1 = part;
        const float v0 = b0[(i1 + s0 * i0)];
        const float v5 = (v0 - v4);
        const float v6 = (v5 * v5);
        const float v11 = b1[i1];
        const float v12 = (v11 * v11);
        const float v13 = (v12 / v10);
        const float v14 = (v6 * v13);
        const float v25 = (v6 / v10);
        a2 = a2 + v14;
        b3[(i1 + s0 * i0)] = v25;
      }
    }
    if (stage > 2 && lane < shares) {
      a2 = b6[row * shares + lane];
    }
    a2 = over_group<256>(a2, group, [](float x, float y) -> float { return x + y; });
    if (shares > 1 && stage == 2) {
      if (lane == 0) b6[at] = a2;
      continue;
    }
    const float v17 = (a2 / v10);
    const float v18 = (v17 / v2);
    float a3 = 0;
    if (stage <= 3) {
      #pragma unroll 4
      for (long part = begin + lane; part < end; part += group) {
        const long i1 = part;
        const float v0 = b0[(i1 + s0 * i0)];
        const float v5 = (v0 - v4);
        const float v11 = b1[i1];
        const float v12 = (v11 * v11);
        const float v13 = (v12 / v10);
        const float v19 = (v13 - v18);
        const float v20 = (v19 * v5);
        const float v21 = (v20 * 2.0f);
        a3 = a3 + v21;
      }
    }
    if (stage > 3 && lane < shares) {
      a3 = b7[row * shares + lane];
    }
    a3 = over_group<256>(a3, group, [](float x, float y) -> float { return x + y; });
    if (shares > 1 && stage == 3) {
      if (lane == 0) b7[at] = a3;
      continue;
    }
    const float v23 = (a3 / v2);
    #pragma unroll 4
    for (long part = begin + lane; part < end; part += group) {
      const long i1 = part;
      const float v0 = b0[(i1 + s0 * i0)];
      const float v5 = (v0 - v4);
      const float v11 = b1[i1];
      const float v12 = (v11 * v11);
      const float v13 = (v12 / v10);
      const float v19 = (v13 - v18);
      const float v20 = (v19 * v5);
      const float v21 = (v20 * 2.0f);
      const float v24 = (v21 - v23);
      b2[(i1 + s0 * i0)] = v24;
    }
  }
}
SYMTENSOR_KERNEL(sum_true_div_sub_square_add_mul, 1)

extern "C" __global__ void __launch_bounds__(256, 1) sum_mul(const float *__restrict__ b0, float *__restrict__ b1, long s0, long s1, long s2, long s3, long s4) {
  for (long at = blockIdx.x; at < s1; at += gridDim.x) {
    const long rest1 = quotient(at, s2);
    const long block = at - rest1 * s2;
    const long i0 = rest1;
    const long i1 = block * 32 + threadIdx.x % 32;
    float a0 = 0;
    if (i1 < s0) {
      for (long part = threadIdx.x / 32; part < ((0 < ((-512) * i0 + s3) ? 0 : ((-512) * i0 + s3)) + 512); part += 8) {
        const long i2 = part;
        const float v0 = b0[(i1 + s4 * i0 + s0 * i2)];
        a0 = a0 + v0;
      }
    }
    a0 = over_columns<256>(a0, 32, [](float x, float y) -> float { return x + y; });
    if (threadIdx.x < 32 && i1 < s0) {
      b1[(i1 + s0 * i0)] = a0;
    }
  }
}
SYMTENSOR_KERNEL(sum_mul, 1)

extern "C" __global__ void __launch_bounds__(256, 1) sum_mul_total(const float *__restrict__ b0, const float *__restrict__ b1, float *__restrict__ b2, long s0, long s1, long s2) {
  for (long at = blockIdx.x; at < s1; at += gridDim.x) {
    const long block = at;
    const long i0 = block * 32 + threadIdx.x % 32;
    float a0 = 0;
    if (i0 < s0) {
      for (long part = threadIdx.x / 32; part < s2; part += 8) {
        const long i1 = part;
        const float v0 = b0[(i0 + s0 * i1)];
        a0 = a0 + v0;
      }
    }
    a0 = over_columns<256>(a0, 32, [](float x, float y) -> float { return x + y; });
    if (threadIdx.x < 32 && i0 < s0) {
      const float v2 = b1[i0];
      const float v4 = (a0 * v2);
      const float v5 = (v4 * 2.0f);
      b2[i0] = v5;
    }
  }
}
SYMTENSOR_KERNEL(sum_mul_total, 1)
