int sum_true_div_sub_square_add_mul(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  const float *restrict b1 = buffers[1];
  float *restrict b2 = buffers[2];
  float *restrict b3 = buffers[3];
  const long s0 = sizes[0];
  int status = 0;
  const long v1 = s0;
  const float v2 = (float)v1;
  for (long unit = begin; unit < end; ++unit) {
    const long i0 = unit;
    double a0 = 0;
    for (long part = 0; part < s0; part += 4096) {
      const long stop = s0 - part < 4096 ? s0 : part + 4096;
      float p0 = 0;
      #pragma omp simd reduction(+:p0)
      for (long i1 = part; i1 < stop; ++i1) {
        const float v0 = b0[(i1 + s0 * i0)];
        p0 = p0 + v0;
      }
      a0 += p0;
    }
    const float v4 = ((float)a0 / v2);
    double a1 = 0;
    for (long part = 0; part < s0; part += 4096) {
      const long stop = s0 - part < 4096 ? s0 : part + 4096;
      float p1 = 0;
      #pragma omp simd reduction(+:p1)
      for (long i1 = part; i1 < stop; ++i1) {
        const float v0 = b0[(i1 + s0 * i0)];
        const float v5 = (v0 - v4);
        const float v6 = (v5 * v5);
        p1 = p1 + v6;
      }
      a1 += p1;
    }
    const float v9 = ((float)a1 / v2);
    const float v10 = (v9 + 1e-05f);
    double a2 = 0;
    for (long part = 0; part < s0; part += 4096) {
      const long stop = s0 - part < 4096 ? s0 : part + 4096;
      float p2 = 0;
      #pragma omp simd reduction(+:p2)
      for (long i1 = part; i1 < stop; ++i1) {
        const float v0 = b0[(i1 + s0 * i0)];
        const float v5 = (v0 - v4);
        const float v6 = (v5 * v5);
        const float v11 = b1[i1];
        const float v12 = (v11 * v11);
        const float v13 = (v12 / v10);
        const float v14 = (v6 * v13);
        const float v25 = (v6 / v10);
        p2 = p2 + v14;
        b3[(i1 + s0 * i0)] = v25;
      }
      a2 += p2;
    }
    const float v17 = ((float)a2 / v10);
    const float v18 = (v17 / v2);
    double a3 = 0;
    for (long part = 0; part < s0; part += 4096) {
      const long stop = s0 - part < 4096 ? s0 : part + 4096;
      float p3 = 0;
      #pragma omp simd reduction(+:p3)
      for (long i1 = part; i1 < stop; ++i1) {
        const float v0 = b0[(i1 + s0 * i0)];
        const float v5 = (v0 - v4);
        const float v11 = b1[i1];
        const float v12 = (v11 * v11);
        const float v13 = (v12 / v10);
        const float v19 = (v13 - v18);
        const float v20 = (v19 * v5);
        const float v21 = (v20 * 2.0f);
        p3 = p3 + v21;
      }
      a3 += p3;
    }
    const float v23 = ((float)a3 / v2);
    #pragma omp simd
    for (long i1 = 0; i1 < s0; ++i1) {
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
  return status;
}

int sum_mul(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  float *restrict b1 = buffers[1];
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
    float total0[4096], part0[4096];
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
            const float v0 = b0[(i1 + s0 * i2 + s7 * i0 + s6 * i0)];
            part0[c] = part0[c] + v0;
          }
          {
            const float v0 = b0[(i1 + s0 * (i2 + 1) + s7 * i0 + s6 * i0)];
            part0[c] = part0[c] + v0;
          }
          {
            const float v0 = b0[(i1 + s0 * (i2 + 2) + s7 * i0 + s6 * i0)];
            part0[c] = part0[c] + v0;
          }
          {
            const float v0 = b0[(i1 + s0 * (i2 + 3) + s7 * i0 + s6 * i0)];
            part0[c] = part0[c] + v0;
          }
        }
      }
      for (; i2 < stop; ++i2) {
        #pragma omp simd
        for (long c = 0; c < columns; ++c) {
          const long i1 = first + c;
          const float v0 = b0[(i1 + s0 * i2 + s7 * i0 + s6 * i0)];
          part0[c] = part0[c] + v0;
        }
      }
      for (long c = 0; c < columns; ++c) total0[c] = total0[c] + part0[c];
    }
    for (long c = 0; c < columns; ++c) {
      const long i1 = first + c;
      b1[(i1 + s0 * i0)] = total0[c];
    }
  }
  return status;
}

int sum_mul_total(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  const float *restrict b1 = buffers[1];
  float *restrict b2 = buffers[2];
  const long s0 = sizes[0];
  const long s1 = sizes[1];
  const long s2 = sizes[2];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    const long block = unit % s1, first = block * 4096;
    const long columns = s0 - first < 4096 ? s0 - first : 4096;
    float total0[4096], part0[4096];
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
            const float v0 = b0[(i0 + s0 * i1)];
            part0[c] = part0[c] + v0;
          }
          {
            const float v0 = b0[(i0 + s0 * (i1 + 1))];
            part0[c] = part0[c] + v0;
          }
          {
            const float v0 = b0[(i0 + s0 * (i1 + 2))];
            part0[c] = part0[c] + v0;
          }
          {
            const float v0 = b0[(i0 + s0 * (i1 + 3))];
            part0[c] = part0[c] + v0;
          }
        }
      }
      for (; i1 < stop; ++i1) {
        #pragma omp simd
        for (long c = 0; c < columns; ++c) {
          const long i0 = first + c;
          const float v0 = b0[(i0 + s0 * i1)];
          part0[c] = part0[c] + v0;
        }
      }
      for (long c = 0; c < columns; ++c) total0[c] = total0[c] + part0[c];
    }
    for (long c = 0; c < columns; ++c) {
      const long i0 = first + c;
      const float v2 = b1[i0];
      const float v4 = (total0[c] * v2);
      const float v5 = (v4 * 2.0f);
      b2[i0] = v5;
    }
  }
  return status;
}
