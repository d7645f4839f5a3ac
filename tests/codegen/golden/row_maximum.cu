extern "C" __global__ void __launch_bounds__(256, 1) max(const double *__restrict__ b0, double *__restrict__ b1, double *__restrict__ b2, long s0, long s1, long s2, long shares, long stage) {
  const int group = s0, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < s1 * shares; at += gridDim.x * (long)rows) {
    const long row = quotient(at, shares);
    const long i0 = row;
    const long length = s2;
    const long share = (length + shares - 1) / shares, begin = (at - row * shares) * share;
    const long end = begin + share < length ? begin + share : length;
    double a0 = -__builtin_inf();
    if (stage <= 0) {
      #pragma unroll 4
      for (long part = begin + lane; part < end; part += group) {
        const long i1 = part;
        const double v0 = b0[(i1 + s2 * i0)];
        a0 = (v0 > a0) | (v0 != v0) ? v0 : a0;
      }
    }
    if (stage > 0 && lane < shares) {
      a0 = b2[row * shares + lane];
    }
    a0 = over_group<256>(a0, group, [](double x, double y) -> double { return (y > x) | (y != y) ? y : x; });
    if (shares > 1 && stage == 0) {
      if (lane == 0) b2[at] = a0;
      continue;
    }
    if (lane == 0 && at == row * shares) {
      b1[i0] = a0;
    }
  }
}
SYMTENSOR_KERNEL(max, 1)
