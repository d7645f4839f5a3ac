/* What threads do together: reductions by fixed trees, whose bits are the same from run to run. */

/* A value and where it was found. */
template <class T> struct Found {
  T value;
  long place;
};

template <class T> T from_lane(T value, int lane) { return __shfl_sync(0xffffffffu, value, lane); }
template <class T> Found<T> from_lane(Found<T> found, int lane) {
  return {from_lane(found.value, lane), from_lane(found.place, lane)};
}

/* The values of a group of threads combined, for each of them: groups are one thread, a warp, or a block of THREADS. */
template <int THREADS, class T, class Combine> T over_group(T value, int group, Combine combine) {
  if (group == 1) return value;
  for (int distance = 16; distance; distance /= 2)
    value = combine(value, from_lane(value, (threadIdx.x + distance) % 32));
  if (group == 32) return from_lane(value, 0); /* lanes may differ in the sign of a zero */
  __shared__ T warps[THREADS / 32];
  __syncthreads(); /* what was there before may still be read */
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  value = warps[0];
  for (int warp = 1; warp < THREADS / 32; ++warp) value = combine(value, warps[warp]);
  return value;
}

/* The values of the threads of a block that lie `apart` in it combined, for the first `apart` threads. */
template <int THREADS, class T, class Combine> T over_columns(T value, int apart, Combine combine) {
  __shared__ T values[THREADS];
  __syncthreads();
  values[threadIdx.x] = value;
  __syncthreads();
  if (threadIdx.x >= apart) return value;
  for (int other = threadIdx.x + apart; other < THREADS; other += apart) value = combine(value, values[other]);
  return value;
}
