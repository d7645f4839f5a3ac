extern "C" __global__ void __launch_bounds__(256, 1) max(const double *__restrict__ b0, double *__restrict__ b1, long s0, long s1, long s2) {
  const int group = s0, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < s1; at += gridDim.x * (long)rows) {
    const long i0 = at;
    double a0 = -__builtin_inf();
    for (long part = lane; part < s2; part += group) {
      const long i1 = part;
      const double v0 = b0[(i1 + s2 * i0)];
      a0 = (v0 > a0) | (v0 != v0) ? v0 : a0;
    }
    a0 = over_group<256>(a0, group, [](double x, double y) -> double { return (y > x) | (y != y) ? y : x; });
    if (lane == 0) {
      b1[i0] = a0;
    }
  }
}
SYMTENSOR_KERNEL(max, 1)
