#ifndef SYMTENSOR_SCAN
#define SYMTENSOR_SCAN
/* The op Cumulate: running sums and products along an axis. Long rows are divided into tiles, or parts, whose totals are
 * found first; then the totals before each; then all running totals. The order is always the same. */

constexpr int SCAN_BLOCK = 256, SCAN_EACH = 8, SCAN_TILE = SCAN_BLOCK * SCAN_EACH;

/* Totals are kept in the type Wide; of integers it has no sign, since it wraps around. */

struct Sum {
  template <class T> static T none() { return T(0); }
  template <class T> T operator()(T x, T y) const { return x + y; }
};

struct Product {
  template <class T> static T none() { return T(1); }
  template <class T> T operator()(T x, T y) const { return x * y; }
};

/* The total of what the lanes of a warp have up to a thread's, with its own. */
template <class Combine, class T> T upto_in_warp(T value, Combine combine) {
  for (int distance = 1; distance < 32; distance *= 2) {
    const T other = __shfl_up_sync(0xffffffffu, value, distance);
    if (int(threadIdx.x % 32) >= distance) value = combine(other, value);
  }
  return value;
}

/* What is before a thread's value in its block, and the total of all. */
template <class Combine, class T> T before_in_block(T value, T &total, Combine combine) {
  __shared__ T warps[SCAN_BLOCK / 32];
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const T upto = upto_in_warp(value, combine);
  T before = __shfl_up_sync(0xffffffffu, upto, 1), warps_before = Combine::template none<T>();
  if (lane == 0) before = Combine::template none<T>();
  __syncthreads(); /* what was there before may still be read */
  if (lane == 31) warps[warp] = upto;
  __syncthreads();
  total = Combine::template none<T>();
  for (int other = 0; other < SCAN_BLOCK / 32; ++other) {
    if (other == warp) warps_before = total;
    total = combine(total, warps[other]);
  }
  return combine(warps_before, before);
}

/* Running totals of `count` elements at most SCAN_TILE, each thread's beside each other; what is before the next tile. */
template <class Combine, class T, class Result, class Wide>
Wide scan_tile(const T *x, Result *y, long count, Wide before, Combine combine) {
  Wide upto[SCAN_EACH], sum = Combine::template none<Wide>(), total;
  const int first = threadIdx.x * SCAN_EACH;
#pragma unroll
  for (int i = 0; i < SCAN_EACH; ++i) {
    if (first + i < count) sum = combine(sum, Wide(x[first + i]));
    upto[i] = sum;
  }
  const Wide own = combine(before, before_in_block(sum, total, combine));
#pragma unroll
  for (int i = 0; i < SCAN_EACH; ++i)
    if (y && first + i < count) y[first + i] = Result(combine(own, upto[i]));
  return combine(before, total);
}

inline long tile_count(long n, long tile) { return n - tile * SCAN_TILE < SCAN_TILE ? n - tile * SCAN_TILE : SCAN_TILE; }

/* The total of a block's tile of the rows of n elements. */
template <class Combine, class T, class Wide> void tile_totals(const T *x, Wide *totals, long n) {
  const long tiles = (n + SCAN_TILE - 1) / SCAN_TILE, row = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const Wide total = scan_tile(x + row * n + tile * SCAN_TILE, (T *)nullptr, tile_count(n, tile),
                               Combine::template none<Wide>(), Combine());
  if (threadIdx.x == 0) totals[blockIdx.x] = total;
}

/* A block's row of n totals becomes running totals. */
template <class Combine, class Wide> void scan_totals(Wide *totals, long n) {
  Wide *row = totals + blockIdx.x * n, before = Combine::template none<Wide>();
  for (long tile = 0; tile * SCAN_TILE < n; ++tile)
    before = scan_tile(row + tile * SCAN_TILE, row + tile * SCAN_TILE, tile_count(n, tile), before, Combine());
}

/* The running totals of a block's tile. */
template <class Combine, class T, class Result, class Wide>
void scan_tiles(const T *x, const Wide *totals, Result *y, long n) {
  const long tiles = (n + SCAN_TILE - 1) / SCAN_TILE, row = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const long place = row * n + tile * SCAN_TILE;
  scan_tile(x + place, y + place, tile_count(n, tile), tile ? totals[blockIdx.x - 1] : Combine::template none<Wide>(),
            Combine());
}

/* The same where elements of a row are `inner` apart: a thread for part of a row, of `step` elements. */
struct ColumnPart {
  long part, place, count; /* of how many elements, the first of which is at `place` */
  ColumnPart(long at, long n, long inner, long step) {
    const long parts = (n + step - 1) / step, column = at % inner, number = at / inner;
    part = number % parts;
    place = (number / parts * n + part * step) * inner + column;
    count = n - part * step < step ? n - part * step : step;
  }
};

template <class Combine, class T, class Wide>
void column_totals(const T *x, Wide *totals, long threads, long n, long inner, long step) {
  const long at = blockIdx.x * (long)SCAN_BLOCK + threadIdx.x;
  if (at >= threads) return;
  const ColumnPart own(at, n, inner, step);
  Wide total = Combine::template none<Wide>();
  for (long i = 0; i < own.count; ++i) total = Combine()(total, Wide(x[own.place + i * inner]));
  totals[at] = total;
}

template <class Combine, class Wide>
void scan_column_totals(Wide *totals, long threads, long parts, long inner) {
  const long at = blockIdx.x * (long)SCAN_BLOCK + threadIdx.x;
  if (at >= threads) return;
  Wide *own = totals + at / inner * parts * inner + at % inner, total = Combine::template none<Wide>();
  for (long part = 0; part < parts; ++part) own[part * inner] = total = Combine()(total, own[part * inner]);
}

template <class Combine, class T, class Result, class Wide>
void scan_columns(const T *x, const Wide *totals, Result *y, long threads, long n, long inner, long step) {
  const long at = blockIdx.x * (long)SCAN_BLOCK + threadIdx.x;
  if (at >= threads) return;
  const ColumnPart own(at, n, inner, step);
  Wide total = own.part ? totals[at - inner] : Combine::template none<Wide>();
  for (long i = 0; i < own.count; ++i) {
    total = Combine()(total, Wide(x[own.place + i * inner]));
    y[own.place + i * inner] = Result(total);
  }
}
#endif
