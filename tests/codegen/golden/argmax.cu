extern "C" __global__ void __launch_bounds__(256, 1) argmax(const float *__restrict__ b0, long *__restrict__ b1, long s0, long s1, long s2) {
  const int group = s0, rows = 256 / group, lane = threadIdx.x % group;
  for (long at = blockIdx.x * (long)rows + threadIdx.x / group; at < s1; at += gridDim.x * (long)rows) {
    const long i0 = at;
    Found<float> a0 = {-__builtin_inff(), 9223372036854775807L};
    for (long part = lane; part < s2; part += group) {
      const long i1 = part;
      const float v0 = b0[(i1 + s2 * i0)];
      a0 = [](Found<float> x, Found<float> y) -> Found<float> { return (y.value > x.value || y.value != y.value) && x.value == x.value || ((x.value == y.value || (x.value != x.value && y.value != y.value)) && y.place < x.place) ? y : x; }(a0, {v0, part});
    }
    a0 = over_group<256>(a0, group, [](Found<float> x, Found<float> y) -> Found<float> { return (y.value > x.value || y.value != y.value) && x.value == x.value || ((x.value == y.value || (x.value != x.value && y.value != y.value)) && y.place < x.place) ? y : x; });
    if (lane == 0) {
      b1[i0] = a0.place;
    }
  }
}
SYMTENSOR_KERNEL(argmax, 1)
