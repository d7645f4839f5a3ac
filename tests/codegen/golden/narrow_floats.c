int broadcast(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  float16 *restrict b0 = buffers[0];
  const long s0 = sizes[0];
  int status = 0;
  const long first = begin * 64, stop = end * 64;
  const long last = s0 < stop ? s0 : stop;
  #pragma omp simd
  for (long i0 = first; i0 < last; ++i0) {
    b0[i0] = narrow_float16(0.0f);
  }
  return status;
}

int wrap_index(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const long *restrict b0 = buffers[0];
  long *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  int status = 0;
  const long v0 = s0;
  const long first = begin * 64, stop = end * 64;
  const long last = s1 < stop ? s1 : stop;
  #pragma omp simd reduction(|:status)
  for (long i0 = first; i0 < last; ++i0) {
    const long v1 = b0[i0];
    const long v2 = wrap_index(v1, v0, &status);
    b1[i0] = v2;
  }
  return status;
}

int scatter_add(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  float16 *restrict b0 = buffers[0];
  const long *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  int status = 0;
  const long first = begin * 64, stop = end * 64;
  const long last = s0 < stop ? s0 : stop;
  for (long i1 = 0; i1 < s1; ++i1) {
    #pragma omp simd
    for (long i0 = first; i0 < last; ++i0) {
      const long v0 = b1[i1];
      b0[(i0 + s0 * v0)] = narrow_float16(wide_float16(b0[(i0 + s0 * v0)]) + wide_float16(narrow_float16(1.0f)));
    }
  }
  return status;
}

int exp_mul_add_lt_cast_sum(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float16 *restrict b0 = buffers[0];
  float16 *restrict b1 = buffers[1];
  float16 *restrict b2 = buffers[2];
  long *restrict b3 = buffers[3];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  const long s2 = sizes[2];
  const long s3 = sizes[3];
  const long s4 = sizes[4];
  const long s5 = sizes[5];
  const long s6 = sizes[6];
  const long s7 = sizes[7];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    const long block = unit % s1, first = block * 4096;
    const long columns = s0 - first < 4096 ? s0 - first : 4096;
    const long i0 = (unit / s1);
    long total0[4096], part0[4096];
    for (long c = 0; c < columns; ++c) total0[c] = 0;
    for (long rows = 0; rows < ((0 < (s5 * i0 + s4 * i0 + s3) ? 0 : (s5 * i0 + s4 * i0 + s3)) + s2); rows += 128) {
      const long stop = ((0 < (s5 * i0 + s4 * i0 + s3) ? 0 : (s5 * i0 + s4 * i0 + s3)) + s2) - rows < 128 ? ((0 < (s5 * i0 + s4 * i0 + s3) ? 0 : (s5 * i0 + s4 * i0 + s3)) + s2) : rows + 128;
      for (long c = 0; c < columns; ++c) part0[c] = 0;
      long i2 = rows;
      for (; i2 + 4 <= stop; i2 += 4) {
        #pragma omp simd
        for (long c = 0; c < columns; ++c) {
          const long i1 = first + c;
          {
            const float16 v1 = b0[(i1 + s0 * i2 + s7 * i0 + s6 * i0)];
            const float v2 = wide_float16(v1);
            const float v3 = exp_float32(v2);
            const float v4 = (v3 * v2);
            const float v5 = (v4 + 1.0f);
            const float16 v6 = narrow_float16(v5);
            const float v7 = wide_float16(v6);
            const _Bool v8 = (v2 < v7);
            const long v9 = v8 ? 1 : 0;
            const float16 v10 = b1[(i1 + s0 * i2 + s7 * i0 + s6 * i0)];
            const float v11 = wide_float16(v10);
            const float v12 = (v11 * v2);
            const float v13 = (v12 * v3);
            const float v14 = (v11 * v3);
            const float v15 = (v14 + v13);
            const float16 v16 = narrow_float16(v15);
            part0[c] = part0[c] + v9;
            b1[(i1 + s0 * i2 + s7 * i0 + s6 * i0)] = v6;
            b2[(i1 + s0 * i2 + s7 * i0 + s6 * i0)] = v16;
          }
          {
            const float16 v1 = b0[(i1 + s0 * (i2 + 1) + s7 * i0 + s6 * i0)];
            const float v2 = wide_float16(v1);
            const float v3 = exp_float32(v2);
            const float v4 = (v3 * v2);
            const float v5 = (v4 + 1.0f);
            const float16 v6 = narrow_float16(v5);
            const float v7 = wide_float16(v6);
            const _Bool v8 = (v2 < v7);
            const long v9 = v8 ? 1 : 0;
            const float16 v10 = b1[(i1 + s0 * (i2 + 1) + s7 * i0 + s6 * i0)];
            const float v11 = wide_float16(v10);
            const float v12 = (v11 * v2);
            const float v13 = (v12 * v3);
            const float v14 = (v11 * v3);
            const float v15 = (v14 + v13);
            const float16 v16 = narrow_float16(v15);
            part0[c] = part0[c] + v9;
            b1[(i1 + s0 * (i2 + 1) + s7 * i0 + s6 * i0)] = v6;
            b2[(i1 + s0 * (i2 + 1) + s7 * i0 + s6 * i0)] = v16;
          }
          {
            const float16 v1 = b0[(i1 + s0 * (i2 + 2) + s7 * i0 + s6 * i0)];
            const float v2 = wide_float16(v1);
            const float v3 = exp_float32(v2);
            const float v4 = (v3 * v2);
            const float v5 = (v4 + 1.0f);
            const float16 v6 = narrow_float16(v5);
            const float v7 = wide_float16(v6);
            const _Bool v8 = (v2 < v7);
            const long v9 = v8 ? 1 : 0;
            const float16 v10 = b1[(i1 + s0 * (i2 + 2) + s7 * i0 + s6 * i0)];
            const float v11 = wide_float16(v10);
            const float v12 = (v11 * v2);
            const float v13 = (v12 * v3);
            const float v14 = (v11 * v3);
            const float v15 = (v14 + v13);
            const float16 v16 = narrow_float16(v15);
            part0[c] = part0[c] + v9;
            b1[(i1 + s0 * (i2 + 2) + s7 * i0 + s6 * i0)] = v6;
            b2[(i1 + s0 * (i2 + 2) + s7 * i0 + s6 * i0)] = v16;
          }
          {
            const float16 v1 = b0[(i1 + s0 * (i2 + 3) + s7 * i0 + s6 * i0)];
            const float v2 = wide_float16(v1);
            const float v3 = exp_float32(v2);
            const float v4 = (v3 * v2);
            const float v5 = (v4 + 1.0f);
            const float16 v6 = narrow_float16(v5);
            const float v7 = wide_float16(v6);
            const _Bool v8 = (v2 < v7);
            const long v9 = v8 ? 1 : 0;
            const float16 v10 = b1[(i1 + s0 * (i2 + 3) + s7 * i0 + s6 * i0)];
            const float v11 = wide_float16(v10);
            const float v12 = (v11 * v2);
            const float v13 = (v12 * v3);
            const float v14 = (v11 * v3);
            const float v15 = (v14 + v13);
            const float16 v16 = narrow_float16(v15);
            part0[c] = part0[c] + v9;
            b1[(i1 + s0 * (i2 + 3) + s7 * i0 + s6 * i0)] = v6;
            b2[(i1 + s0 * (i2 + 3) + s7 * i0 + s6 * i0)] = v16;
          }
        }
      }
      for (; i2 < stop; ++i2) {
        #pragma omp simd
        for (long c = 0; c < columns; ++c) {
          const long i1 = first + c;
          const float16 v1 = b0[(i1 + s0 * i2 + s7 * i0 + s6 * i0)];
          const float v2 = wide_float16(v1);
          const float v3 = exp_float32(v2);
          const float v4 = (v3 * v2);
          const float v5 = (v4 + 1.0f);
          const float16 v6 = narrow_float16(v5);
          const float v7 = wide_float16(v6);
          const _Bool v8 = (v2 < v7);
          const long v9 = v8 ? 1 : 0;
          const float16 v10 = b1[(i1 + s0 * i2 + s7 * i0 + s6 * i0)];
          const float v11 = wide_float16(v10);
          const float v12 = (v11 * v2);
          const float v13 = (v12 * v3);
          const float v14 = (v11 * v3);
          const float v15 = (v14 + v13);
          const float16 v16 = narrow_float16(v15);
          part0[c] = part0[c] + v9;
          b1[(i1 + s0 * i2 + s7 * i0 + s6 * i0)] = v6;
          b2[(i1 + s0 * i2 + s7 * i0 + s6 * i0)] = v16;
        }
      }
      for (long c = 0; c < columns; ++c) total0[c] = total0[c] + part0[c];
    }
    for (long c = 0; c < columns; ++c) {
      const long i1 = first + c;
      b3[(i1 + s0 * i0)] = total0[c];
    }
  }
  return status;
}

int exp_mul_add_lt_cast_sum_total(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const long *restrict b0 = buffers[0];
  long *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  const long s2 = sizes[2];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    const long block = unit % s1, first = block * 4096;
    const long columns = s0 - first < 4096 ? s0 - first : 4096;
    long total0[4096], part0[4096];
    for (long c = 0; c < columns; ++c) total0[c] = 0;
    for (long rows = 0; rows < s2; rows += 128) {
      const long stop = s2 - rows < 128 ? s2 : rows + 128;
      for (long c = 0; c < columns; ++c) part0[c] = 0;
      long i1 = rows;
      for (; i1 + 4 <= stop; i1 += 4) {
        #pragma omp simd
        for (long c = 0; c < columns; ++c) {
          const long i0 = first + c;
          {
            const long v0 = b0[(i0 + s0 * i1)];
            part0[c] = part0[c] + v0;
          }
          {
            const long v0 = b0[(i0 + s0 * (i1 + 1))];
            part0[c] = part0[c] + v0;
          }
          {
            const long v0 = b0[(i0 + s0 * (i1 + 2))];
            part0[c] = part0[c] + v0;
          }
          {
            const long v0 = b0[(i0 + s0 * (i1 + 3))];
            part0[c] = part0[c] + v0;
          }
        }
      }
      for (; i1 < stop; ++i1) {
        #pragma omp simd
        for (long c = 0; c < columns; ++c) {
          const long i0 = first + c;
          const long v0 = b0[(i0 + s0 * i1)];
          part0[c] = part0[c] + v0;
        }
      }
      for (long c = 0; c < columns; ++c) total0[c] = total0[c] + part0[c];
    }
    for (long c = 0; c < columns; ++c) {
      const long i0 = first + c;
      b1[i0] = total0[c];
    }
  }
  return status;
}
