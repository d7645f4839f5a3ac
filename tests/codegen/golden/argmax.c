int argmax(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const float *restrict b0 = buffers[0];
  long *restrict b1 = buffers[1];
  const long s0 = sizes[0];
  int status = 0;
  for (long unit = begin; unit < end; ++unit) {
    const long i0 = unit;
    float a0 = -__builtin_inff();
    long at0 = 0;
    for (long i1 = 0; i1 < s0; ++i1) {
      const float v0 = b0[(i1 + s0 * i0)];
      if ((v0 > a0 || v0 != v0) && a0 == a0 || i1 == 0) { a0 = v0; at0 = i1; }
    }
    b1[i0] = at0;
  }
  return status;
}
