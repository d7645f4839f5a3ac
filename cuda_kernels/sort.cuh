#ifndef SYMTENSOR_SORT
#define SYMTENSOR_SORT
/* The ops Sort, Argsort and Select, and Search.
 *
 * Rows of at most SORT_TILE elements are sorted in shared memory, a block for each. Longer ones are sorted by eight bits
 * of their keys at a time, the lowest first: each pass counts how many elements of each tile have which digit, finds
 * where those go, and moves them; it keeps the order of equal digits. Where only the first few are wanted, those of each
 * tile are found first, and only they are sorted.
 */

constexpr int SORT_BLOCK = 256, SORT_WARPS = SORT_BLOCK / 32, SORT_EACH = 8, SORT_TILE = SORT_BLOCK * SORT_EACH;

/* Unsigned integers that are in order as elements are: equal elements have one key, so have all NaNs, the largest. */
inline unsigned key_of(unsigned char x) { return x; }
inline unsigned key_of(signed char x) { return (unsigned char)(x ^ 0x80); }
inline unsigned key_of(unsigned short x) { return x; }
inline unsigned key_of(short x) { return (unsigned short)(x ^ 0x8000); }
inline unsigned key_of(unsigned x) { return x; }
inline unsigned key_of(int x) { return (unsigned)x ^ 0x80000000u; }
inline unsigned long key_of(unsigned long x) { return x; }
inline unsigned long key_of(long x) { return (unsigned long)x ^ 0x8000000000000000ul; }
inline unsigned key_of(float x) {
  const unsigned bits = (unsigned)__float_as_int(x);
  return x != x ? ~0u : x == 0 ? 0x80000000u : bits >> 31 ? ~bits : bits | 0x80000000u;
}
inline unsigned long key_of(double x) {
  const unsigned long bits = (unsigned long)__double_as_longlong(x);
  return x != x ? ~0ul : x == 0 ? 0x8000000000000000ul : bits >> 63 ? ~bits : bits | 0x8000000000000000ul;
}

template <class Narrow> unsigned narrow_key(Narrow x) {
  const float value = x;
  return value != value ? 0xffffu : value == 0 ? 0x8000u : x.bits >> 15 ? ~x.bits & 0xffffu : x.bits | 0x8000u;
}

inline unsigned key_of(float16 x) { return narrow_key(x); }
inline unsigned key_of(bfloat16 x) { return narrow_key(x); }

/* Where element i of a row lies; elements are `inner` apart, and so many rows side by side. */
inline long row_place(long row, long i, long n, long inner) { return (row / inner * n + i) * inner + row % inner; }

/* A tile of keys and places of a row in shared memory. */
template <class Key> struct SortTile {
  Key keys[SORT_TILE];
  unsigned places[SORT_TILE];

  /* `count` elements of a row from `first` on, and up to `size` what is behind all of them. */
  template <class T> void load(const T *x, long row, long first, long count, int size, long n, long inner, Key flip) {
    for (int i = threadIdx.x; i < size; i += SORT_BLOCK) {
      keys[i] = i < count ? Key(key_of(x[row_place(row, first + i, n, inner)]) ^ flip) : ~Key(0);
      places[i] = i < count ? unsigned(first + i) : ~0u;
    }
  }

  bool is_before(int i, int j) const { return keys[i] < keys[j] || (keys[i] == keys[j] && places[i] < places[j]); }

  void exchange(int i, int j) {
    const Key key = keys[i];
    const unsigned place = places[i];
    keys[i] = keys[j], places[i] = places[j];
    keys[j] = key, places[j] = place;
  }

  /* A bitonic network over `size` elements, a power of two. */
  void sort(int size) {
    for (int run = 2; run <= size; run *= 2)
      for (int apart = run / 2; apart > 0; apart /= 2) {
        __syncthreads();
        for (int pair = threadIdx.x; pair < size / 2; pair += SORT_BLOCK) {
          const int i = 2 * pair - (pair & (apart - 1)), j = i + apart;
          if (is_before(j, i) == ((i & run) == 0)) exchange(i, j);
        }
      }
    __syncthreads();
  }
};

inline int power_of_two(long n) {
  int size = 1;
  while (size < n) size *= 2;
  return size;
}

/* What is written of a row in order: places, or the elements there. */
inline void put_sorted(const void *, long *y, long to, long, long, long, unsigned place) { y[to] = place; }
template <class T> struct Elements {
  T *at;
};
template <class T>
void put_sorted(const T *x, Elements<T> y, long to, long row, long n, long inner, unsigned place) {
  y.at[to] = x[row_place(row, place, n, inner)];
}

/* The first `wanted` of each short row, a block for a row. */
template <class T, class Result>
void sort_short_rows(const T *x, Result y, long n, long inner, long wanted, long flip) {
  using Key = decltype(key_of(T()));
  __shared__ SortTile<Key> tile;
  const int size = power_of_two(n);
  const long row = blockIdx.x;
  tile.load(x, row, 0, n, size, n, inner, Key(flip));
  tile.sort(size);
  for (int i = threadIdx.x; i < wanted; i += SORT_BLOCK)
    put_sorted(x, y, row_place(row, i, wanted, inner), row, n, inner, tile.places[i]);
}

/* Keys and places of all elements, row by row. */
template <class T, class Key>
void take_keys(const T *x, Key *keys, unsigned *places, long count, long n, long inner, long flip) {
  for (long at = blockIdx.x * (long)SORT_BLOCK + threadIdx.x; at < count; at += gridDim.x * (long)SORT_BLOCK) {
    keys[at] = Key(key_of(x[row_place(at / n, at % n, n, inner)]) ^ Key(flip));
    places[at] = unsigned(at % n);
  }
}

/* Those of the first `few` of each tile of a row, in order; a block for a tile. */
template <class T, class Key>
void take_first(const T *x, Key *keys, unsigned *places, long n, long inner, long few, long flip) {
  __shared__ SortTile<Key> tile;
  const long tiles = (n + SORT_TILE - 1) / SORT_TILE, row = blockIdx.x / tiles, first = blockIdx.x % tiles * SORT_TILE;
  tile.load(x, row, first, n - first, SORT_TILE, n, inner, Key(flip));
  tile.sort(SORT_TILE);
  for (int i = threadIdx.x; i < few; i += SORT_BLOCK) {
    keys[blockIdx.x * few + i] = tile.keys[i];
    places[blockIdx.x * few + i] = tile.places[i];
  }
}

template <class Key> int digit_of(Key key, long shift) { return int(key >> shift & 255); }

/* How often each digit comes in a block's tile of the rows of n keys: counts[row][digit][tile]. */
template <class Key> void count_digits(const Key *keys, unsigned *counts, long n, long shift) {
  __shared__ unsigned own[256];
  const long tiles = (n + SORT_TILE - 1) / SORT_TILE, row = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  own[threadIdx.x] = 0;
  __syncthreads();
  for (int i = 0; i < SORT_EACH; ++i) {
    const long place = tile * SORT_TILE + i * SORT_BLOCK + threadIdx.x;
    if (place < n) atomicAdd(&own[digit_of(keys[row * n + place], shift)], 1u);
  }
  __syncthreads();
  counts[(row * 256 + threadIdx.x) * tiles + tile] = own[threadIdx.x];
}

/* For each digit of a row how many there are in the tiles before; and in all. A warp for each. */
inline void add_counts(unsigned *counts, unsigned *totals, long tiles) {
  const int lane = threadIdx.x % 32;
  const long digit = blockIdx.x * (long)SORT_WARPS + threadIdx.x / 32;
  unsigned *own = counts + digit * tiles, before = 0;
#pragma unroll 4
  for (long first = 0; first < tiles; first += 32) {
    const bool is_own = first + lane < tiles;
    const unsigned count = is_own ? own[first + lane] : 0, upto = upto_in_warp(count, Sum());
    if (is_own) own[first + lane] = before + upto - count;
    before += __shfl_sync(0xffffffffu, upto, 31);
  }
  if (lane == 0) totals[digit] = before;
}

/* Put a block's tile where its digits go. Elements of a warp lie behind each other; equal digits keep their order. */
template <class Key>
void move_keys(const Key *keys, const unsigned *places, const unsigned *counts, const unsigned *totals, Key *new_keys,
               unsigned *new_places, long n, long shift) {
  __shared__ unsigned next[SORT_WARPS][256];
  const long tiles = (n + SORT_TILE - 1) / SORT_TILE, row = blockIdx.x / tiles, tile = blockIdx.x % tiles;
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const long first = tile * SORT_TILE + warp * (SORT_EACH * 32) + lane;
  for (int other = 0; other < SORT_WARPS; ++other) next[other][threadIdx.x] = 0;
  __syncthreads();
  Key own[SORT_EACH];
  unsigned rank[SORT_EACH];
#pragma unroll
  for (int i = 0; i < SORT_EACH; ++i) {
    const bool is_there = first + i * 32 < n;
    own[i] = is_there ? keys[row * n + first + i * 32] : Key(0);
    const int digit = is_there ? digit_of(own[i], shift) : 256;
    const unsigned equals = __match_any_sync(0xffffffffu, digit);
    const unsigned before = is_there ? next[warp][digit] : 0;
    __syncwarp();
    rank[i] = before + __popc(equals & ((1u << lane) - 1));
    if (is_there && rank[i] == before) next[warp][digit] = before + __popc(equals);
    __syncwarp();
  }
  __syncthreads();
  unsigned all, before = before_in_block(totals[row * 256 + threadIdx.x], all, Sum());
  before += counts[(row * 256 + threadIdx.x) * tiles + tile];
  for (int other = 0; other < SORT_WARPS; ++other) {
    const unsigned count = next[other][threadIdx.x];
    next[other][threadIdx.x] = before;
    before += count;
  }
  __syncthreads();
#pragma unroll
  for (int i = 0; i < SORT_EACH; ++i) {
    if (first + i * 32 >= n) continue;
    const long to = row * n + next[warp][digit_of(own[i], shift)] + rank[i];
    new_keys[to] = own[i];
    new_places[to] = places[row * n + first + i * 32];
  }
}

/* The first `wanted` of rows of `sorted` places each. */
template <class T, class Result>
void put_rows(const T *x, const unsigned *places, Result y, long count, long sorted, long n, long inner, long wanted) {
  for (long at = blockIdx.x * (long)SORT_BLOCK + threadIdx.x; at < count; at += gridDim.x * (long)SORT_BLOCK) {
    const long row = at / wanted, i = at % wanted;
    put_sorted(x, y, row_place(row, i, wanted, inner), row, n, inner, places[row * sorted + i]);
  }
}

/* How many of n ascending elements come before each value: those that are less, or with RIGHT not greater. */
template <bool RIGHT, class T> void search(const T *ascending, const T *values, long *y, long n, long count) {
  for (long at = blockIdx.x * (long)SORT_BLOCK + threadIdx.x; at < count; at += gridDim.x * (long)SORT_BLOCK) {
    const auto key = key_of(values[at]);
    long before = 0, left = n;
    while (left > 0) {
      const long half = left / 2;
      const auto middle = key_of(ascending[before + half]);
      const bool is_before = RIGHT ? middle <= key : middle < key;
      before = is_before ? before + half + 1 : before;
      left = is_before ? left - half - 1 : half;
    }
    y[at] = before;
  }
}
#endif
