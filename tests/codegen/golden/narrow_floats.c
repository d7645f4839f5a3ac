int broadcast(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  float16 *restrict b0 = buffers[0];
  const long s0 = sizes[0];
  int status = 0;
  const long first = begin * 64, stop = end * 64;
  const long last = s0 < stop ? s0 : stop;
  for (long run = first; run < last; run += 256) {
    const long limit = last - run < 256 ? last : run + 256;
    #pragma omp simd
    for (long i0 = run; i0 < limit; ++i0) {
      b0[i0] = narrow_float16(0.0f);
    }
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
        for (long run = 0; run < columns; run += 256) {
          const long limit = columns - run < 256 ? columns : run + 256;
          float w0[256], w1[256], w2[256], w3[256], w4[256], w5[256], w6[256], w7[256], n0[256], n1[256], n2[256], n3[256], n4[256], n5[256], n6[256], n7[256];
          widen_float16(w0, &b0[((first + run) + s0 * i2 + s7 * i0 + s6 * i0)], limit - run);
          widen_float16(w1, &b1[((first + run) + s0 * i2 + s7 * i0 + s6 * i0)], limit - run);
          widen_float16(w2, &b0[((first + run) + s0 * (i2 + 1) + s7 * i0 + s6 * i0)], limit - run);
          widen_float16(w3, &b1[((first + run) + s0 * (i2 + 1) + s7 * i0 + s6 * i0)], limit - run);
          widen_float16(w4, &b0[((first + run) + s0 * (i2 + 2) + s7 * i0 + s6 * i0)], limit - run);
          widen_float16(w5, &b1[((first + run) + s0 * (i2 + 2) + s7 * i0 + s6 * i0)], limit - run);
          widen_float16(w6, &b0[((first + run) + s0 * (i2 + 3) + s7 * i0 + s6 * i0)], limit - run);
          widen_float16(w7, &b1[((first + run) + s0 * (i2 + 3) + s7 * i0 + s6 * i0)], limit - run);
          #pragma omp simd
          for (long c = run; c < limit; ++c) {
            const long i1 = first + c;
            {
              const float v3 = exp_float32(w0[c - run]);
              const float v4 = (v3 * w0[c - run]);
              const float v5 = (v4 + 1.0f);
              const float v7 = wide_float16(narrow_float16(v5));
              const _Bool v8 = (w0[c - run] < v7);
              const long v9 = v8 ? 1 : 0;
              const float v12 = (w1[c - run] * w0[c - run]);
              const float v13 = (v12 * v3);
              const float v14 = (w1[c - run] * v3);
              const float v15 = (v14 + v13);
              part0[c] = part0[c] + v9;
              n0[c - run] = v5;
              n1[c - run] = v15;
            }
            {
              const float v3 = exp_float32(w2[c - run]);
              const float v4 = (v3 * w2[c - run]);
              const float v5 = (v4 + 1.0f);
              const float v7 = wide_float16(narrow_float16(v5));
              const _Bool v8 = (w2[c - run] < v7);
              const long v9 = v8 ? 1 : 0;
              const float v12 = (w3[c - run] * w2[c - run]);
              const float v13 = (v12 * v3);
              const float v14 = (w3[c - run] * v3);
              const float v15 = (v14 + v13);
              part0[c] = part0[c] + v9;
              n2[c - run] = v5;
              n3[c - run] = v15;
            }
            {
              const float v3 = exp_float32(w4[c - run]);
              const float v4 = (v3 * w4[c - run]);
              const float v5 = (v4 + 1.0f);
              const float v7 = wide_float16(narrow_float16(v5));
              const _Bool v8 = (w4[c - run] < v7);
              const long v9 = v8 ? 1 : 0;
              const float v12 = (w5[c - run] * w4[c - run]);
              const float v13 = (v12 * v3);
              const float v14 = (w5[c - run] * v3);
              const float v15 = (v14 + v13);
              part0[c] = part0[c] + v9;
              n4[c - run] = v5;
              n5[c - run] = v15;
            }
            {
              const float v3 = exp_float32(w6[c - run]);
              const float v4 = (v3 * w6[c - run]);
              const float v5 = (v4 + 1.0f);
              const float v7 = wide_float16(narrow_float16(v5));
              const _Bool v8 = (w6[c - run] < v7);
              const long v9 = v8 ? 1 : 0;
              const float v12 = (w7[c - run] * w6[c - run]);
              const float v13 = (v12 * v3);
              const float v14 = (w7[c - run] * v3);
              const float v15 = (v14 + v13);
              part0[c] = part0[c] + v9;
              n6[c - run] = v5;
              n7[c - run] = v15;
            }
          }
          narrow_to_float16(&b1[((first + run) + s0 * i2 + s7 * i0 + s6 * i0)], n0, limit - run);
          narrow_to_float16(&b2[((first + run) + s0 * i2 + s7 * i0 + s6 * i0)], n1, limit - run);
          narrow_to_float16(&b1[((first + run) + s0 * (i2 + 1) + s7 * i0 + s6 * i0)], n2, limit - run);
          narrow_to_float16(&b2[((first + run) + s0 * (i2 + 1) + s7 * i0 + s6 * i0)], n3, limit - run);
          narrow_to_float16(&b1[((first + run) + s0 * (i2 + 2) + s7 * i0 + s6 * i0)], n4, limit - run);
          narrow_to_float16(&b2[((first + run) + s0 * (i2 + 2) + s7 * i0 + s6 * i0)], n5, limit - run);
          narrow_to_float16(&b1[((first + run) + s0 * (i2 + 3) + s7 * i0 + s6 * i0)], n6, limit - run);
          narrow_to_float16(&b2[((first + run) + s0 * (i2 + 3) + s7 * i0 + s6 * i0)], n7, limit - run);
        }
      }
      for (; i2 < stop; ++i2) {
        for (long run = 0; run < columns; run += 256) {
          const long limit = columns - run < 256 ? columns : run + 256;
          float w0[256], w1[256], n0[256], n1[256];
          widen_float16(w0, &b0[((first + run) + s0 * i2 + s7 * i0 + s6 * i0)], limit - run);
          widen_float16(w1, &b1[((first + run) + s0 * i2 + s7 * i0 + s6 * i0)], limit - run);
          #pragma omp simd
          for (long c = run; c < limit; ++c) {
            const long i1 = first + c;
            const float v3 = exp_float32(w0[c - run]);
            const float v4 = (v3 * w0[c - run]);
            const float v5 = (v4 + 1.0f);
            const float v7 = wide_float16(narrow_float16(v5));
            const _Bool v8 = (w0[c - run] < v7);
            const long v9 = v8 ? 1 : 0;
            const float v12 = (w1[c - run] * w0[c - run]);
            const float v13 = (v12 * v3);
            const float v14 = (w1[c - run] * v3);
            const float v15 = (v14 + v13);
            part0[c] = part0[c] + v9;
            n0[c - run] = v5;
            n1[c - run] = v15;
          }
          narrow_to_float16(&b1[((first + run) + s0 * i2 + s7 * i0 + s6 * i0)], n0, limit - run);
          narrow_to_float16(&b2[((first + run) + s0 * i2 + s7 * i0 + s6 * i0)], n1, limit - run);
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
