extern "C" __global__ void __launch_bounds__(256, 1) argmax(const float *__restrict__ b0, long *__restrict__ b1, float *__restrict__ b2, long *__restrict__ b3, long s0, long s1, long s2, long shares, long stage) {
  const int group = s0, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < s1 * shares; at += gridDim.x * (long)rows) {
    const long row = quotient(at, shares);
    const long i0 = row;
    const long length = s2;
    const long share = (length + shares - 1) / shares, begin = (at - row * shares) * share;
    const long end = begin + share < length ? begin + share : length;
    Found<float> a0 = {-__builtin_inff(), 9223372036854775807L};
    if (stage <= 0) {
      #pragma unroll 4
      for (long part = begin + lane; part < end; part += group) {
        const long i1 = part;
        const float v0 = b0[(i1 + s2 * i0)];
        a0 = [](Found<float> x, Found<float> y) -> Found<float> { return (y.value > x.value || y.value != y.value) && x.value == x.value || ((x.value == y.value || (x.value != x.value && y.value != y.value)) && y.place < x.place) ? y : x; }(a0, {v0, part});
      }
    }
    if (stage > 0 && lane < shares) {
      a0.value = b2[row * shares + lane];
      a0.place = b3[row * shares + lane];
    }
    a0 = over_group<256>(a0, group, [](Found<float> x, Found<float> y) -> Found<float> { return (y.value > x.value || y.value != y.value) && x.value == x.value || ((x.value == y.value || (x.value != x.value && y.value != y.value)) && y.place < x.place) ? y : x; });
    if (shares > 1 && stage == 0) {
      if (lane == 0) b2[at] = a0.value;
      if (lane == 0) b3[at] = a0.place;
      continue;
    }
    if (lane == 0 && at == row * shares) {
      b1[i0] = a0.place;
    }
  }
}
SYMTENSOR_KERNEL(argmax, 1)
