int scan_mul_add_tanh(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  float *restrict b1 = buffers[1];
  const float *restrict b2 = buffers[2];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  const long s2 = sizes[2];
  const long from = sizes[3];
  const long to = sizes[4];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    const long block = unit % s0, first = block * 4096;
    const long points = s1 - first < 4096 ? s1 - first : 4096;
    float c0[4096];
    if (from == 0) {
      #pragma omp simd
      for (long c = 0; c < points; ++c) {
        const long i0 = first + c;
        const float v7 = b2[i0];
        c0[c] = v7;
      }
    }
    else {
      const long i1 = from;
      #pragma omp simd
      for (long c = 0; c < points; ++c) {
        const long i0 = first + c;
        const float v6 = b1[(i0 + s1 * i1 + s2)];
        c0[c] = v6;
      }
    }
    for (long i1 = from; i1 < to; ++i1) {
      #pragma omp simd
      for (long c = 0; c < points; ++c) {
        const long i0 = first + c;
        const float k0 = c0[c];
        const float v2 = (0.5f * k0);
        const float v3 = b0[(i0 + s1 * i1)];
        const float v4 = (v3 + v2);
        const float v5 = tanhf(v4);
        b1[(i0 + s1 * i1)] = v5;
        c0[c] = v5;
      }
    }
  }
  return status;
}

int mul(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  float *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  int status = 0;
  const long first = begin * 64, stop = end * 64;
  const long last = s0 < stop ? s0 : stop;
  #pragma omp simd
  for (long i0 = first; i0 < last; ++i0) {
    const float v1 = b0[i0];
    const float v2 = (v1 * 2.0f);
    b1[i0] = v2;
  }
  return status;
}

int scan_add_square_sub_mul(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  const float *restrict b1 = buffers[1];
  float *restrict b2 = buffers[2];
  float *restrict b3 = buffers[3];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  const long s2 = sizes[2];
  const long s3 = sizes[3];
  const long from = sizes[4];
  const long to = sizes[5];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    const long block = unit % s0, first = block * 4096;
    const long points = s1 - first < 4096 ? s1 - first : 4096;
    float c0[4096];
    if (from == 0) {
      #pragma omp simd
      for (long c = 0; c < points; ++c) {
        const long i0 = first + c;
        c0[c] = 0.0f;
      }
    }
    else {
      const long i1 = from;
      #pragma omp simd
      for (long c = 0; c < points; ++c) {
        const long i0 = first + c;
        const float v10 = b2[i0];
        c0[c] = v10;
      }
    }
    for (long i1 = from; i1 < to; ++i1) {
      #pragma omp simd
      for (long c = 0; c < points; ++c) {
        const long i0 = first + c;
        const float k0 = c0[c];
        const float v1 = b0[(i0 + s3 * i1 + s2)];
        const float v2 = (v1 * v1);
        const float v4 = (1.0f - v2);
        const float v5 = b1[(i0 + s3 * i1 + s2)];
        const float v7 = (k0 + v5);
        const float v8 = (v7 * v4);
        const float v9 = (v8 * 0.5f);
        b3[(i0 + s3 * i1 + s2)] = v8;
        c0[c] = v9;
      }
    }
    #pragma omp simd
    for (long c = 0; c < points; ++c) {
      const long i0 = first + c;
      b2[i0] = c0[c];
    }
  }
  return status;
}
