int floor_div_mod_maximum_add(void *const *buffers, const long *sizes, long begin, long end, void *scratch) {
  const int *restrict b0 = buffers[0];
  const int *restrict b1 = buffers[1];
  int *restrict b2 = buffers[2];
  const long s0 = sizes[0];
  int status = 0;
  const long first = begin * 64, stop = end * 64;
  const long last = s0 < stop ? s0 : stop;
  #pragma omp simd
  for (long i0 = first; i0 < last; ++i0) {
    const int v0 = b0[i0];
    const int v1 = b1[i0];
    const int v2 = (v1 > v0 ? v1 : v0);
    const int v4 = floor_div_int32(v1, v0);
    const int v5 = modulo_int32(v4, 7);
    const int v6 = (v5 + v2);
    b2[i0] = v6;
  }
  return status;
}
