int square_sum(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
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
            const float v1 = (v0 * v0);
            part0[c] = part0[c] + v1;
          }
          {
            const float v0 = b0[(i1 + s0 * (i2 + 1) + s7 * i0 + s6 * i0)];
            const float v1 = (v0 * v0);
            part0[c] = part0[c] + v1;
          }
          {
            const float v0 = b0[(i1 + s0 * (i2 + 2) + s7 * i0 + s6 * i0)];
            const float v1 = (v0 * v0);
            part0[c] = part0[c] + v1;
          }
          {
            const float v0 = b0[(i1 + s0 * (i2 + 3) + s7 * i0 + s6 * i0)];
            const float v1 = (v0 * v0);
            part0[c] = part0[c] + v1;
          }
        }
      }
      for (; i2 < stop; ++i2) {
        #pragma omp simd
        for (long c = 0; c < columns; ++c) {
          const long i1 = first + c;
          const float v0 = b0[(i1 + s0 * i2 + s7 * i0 + s6 * i0)];
          const float v1 = (v0 * v0);
          part0[c] = part0[c] + v1;
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

int square_sum_total(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  float *restrict b1 = buffers[1];
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
      b1[i0] = total0[c];
    }
  }
  return status;
}
