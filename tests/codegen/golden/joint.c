int mul_sub_and_square_0(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  const float *restrict b1 = buffers[1];
  float *restrict b2 = buffers[2];
  const long s0 = sizes[0];
  int status = 0;
  const long first = begin * 64, stop = end * 64;
  const long last = s0 < stop ? s0 : stop;
  #pragma omp simd
  for (long i0 = first; i0 < last; ++i0) {
    const float v0 = b0[i0];
    const float v2 = (0.1f * v0);
    const float v3 = b1[i0];
    const float v4 = (v3 - v2);
    b2[i0] = v4;
  }
  return status;
}

int mul_sub_and_square_1(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  float *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  int status = 0;
  const long first = begin * 64, stop = end * 64;
  const long last = s0 < stop ? s0 : stop;
  #pragma omp simd
  for (long i0 = first; i0 < last; ++i0) {
    const float v0 = b0[i0];
    const float v1 = (v0 * v0);
    b1[i0] = v1;
  }
  return status;
}

int mul_sub_and_square(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  static const struct { int (*run)(void *const *, const long *, long, long, void *); int buffer, size; }
    parts[] = {{mul_sub_and_square_0, 0, 0}, {mul_sub_and_square_0, 3, 1}, {mul_sub_and_square_1, 6, 2}};
  int status = 0;
  for (int part = 0; part < 3 && end > 0; ++part) {
    const long units = sizes[3 + part];
    if (begin < units)
      status |= parts[part].run(buffers + parts[part].buffer, sizes + parts[part].size,
                                begin > 0 ? begin : 0, end < units ? end : units, scratch);
    begin -= units;
    end -= units;
  }
  return status;
}
