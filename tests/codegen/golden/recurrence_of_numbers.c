int scan_add(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  double *restrict b0 = buffers[0];
  const long from = sizes[0];
  const long to = sizes[1];
  int status = 0;
  double c0;
  double c1;
  if (from == 0) {
    c0 = 1.0;
    c1 = 1.0;
  }
  else {
    const long i0 = from;
    const double v1 = b0[(i0 + -2)];
    const double v5 = b0[(i0 + -1)];
    c0 = v5;
    c1 = v1;
  }
  for (long i0 = from; i0 < to; ++i0) {
    const double k0 = c0;
    const double k1 = c1;
    const double v4 = (k1 + k0);
    b0[i0] = v4;
    c0 = v4;
    c1 = k0;
  }
  return status;
}
