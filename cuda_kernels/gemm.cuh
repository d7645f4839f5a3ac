#ifndef SYMTENSOR_GEMM
#define SYMTENSOR_GEMM
/* alpha a b + beta c for a batch of matrices by rows: the ops MatMul and Gemm. Without scalars, a b.
 *
 * A block of 256 threads computes a tile of c, `Panel`s of a and b at a time. Panels lie in shared memory, so that an
 * element is read from global memory once for a tile; while one is multiplied, the next is on its way in registers. A
 * thread has a part of the tile in registers: 8 or 4 rows and columns, in fours that lie 64 apart, so that threads of
 * a warp read neighbours in shared memory. */

/* EXTENT rows of a, or columns of b, and K steps of the sum; `ALONG`: neighbours in memory are along the extent. Each
 * thread carries elements that lie in one row or column of the panel. */
template <class T, class Wide, int EXTENT, int K, bool ALONG> struct Panel {
  static constexpr int STEPS = K, INNER = ALONG ? EXTENT : K, APART = 256 / INNER, EACH = EXTENT * K / 256;
  struct Shared {
    Wide at[K][EXTENT + 4];
  };
  const T *from;
  long stride;
  int places; /* of the matrix in the panel, from the first that the thread carries on */
  T carried[EACH];

  Panel(const T *matrix, long first, long extent, long depth)
      : from(matrix + (ALONG ? first + outer() * extent + inner() : (first + outer()) * depth + inner())),
        stride(ALONG ? extent : depth),
        places(int(extent - first < EXTENT ? extent - first : EXTENT) - (ALONG ? inner() : outer())) {}

  static int inner() { return threadIdx.x % INNER; }
  static int outer() { return threadIdx.x / INNER; }

  /* Fetch the elements of the next steps, of which there are `left`. */
  void load(int left) {
    const int steps = left - (ALONG ? outer() : inner());
    const T *here = from;
#pragma unroll
    for (int i = 0; i < EACH; ++i, here += APART * stride) {
      const bool inside = (ALONG ? 0 : i * APART) < places && (ALONG ? i * APART : 0) < steps;
      carried[i] = inside ? *here : T(0);
    }
    from = ALONG ? here : from + K;
  }

  void store(Shared &shared) const {
#pragma unroll
    for (int i = 0; i < EACH; ++i)
      shared.at[ALONG ? outer() + i * APART : inner()][ALONG ? inner() : outer() + i * APART] = carried[i];
  }
};

/* Which row of a tile, or column, a thread's `i`-th one is: `number` is the thread's place, 0 to 15. */
inline int tile_place(int number, int i) { return i / 4 * 64 + number * 4 + i % 4; }

/* A tile of the product of `next_rows` and `next_columns`, which are panels, over `k` steps, to c[0], c[1]... by rows
 * that lie `stride` apart, up to `m` rows and `n` columns. */
template <int TILE, class T, class Wide, class Rows, class Columns>
void product_tile(Rows next_rows, Columns next_columns, long k, T *c, long stride, long m, long n, const Wide *alpha,
                  const Wide *beta) {
  constexpr int K = Rows::STEPS, EACH = TILE / 16, UNROLLED = 16 / EACH; /* more would spill registers */
  __shared__ typename Rows::Shared rows;
  __shared__ typename Columns::Shared columns;
  const int down = threadIdx.x / 16, across = threadIdx.x % 16;
  Wide sum[EACH][EACH] = {};
  const int panels = k > 0 ? int((k + K - 1) / K) : 0, last = panels ? int(k - (panels - 1L) * K) : 0;
  next_rows.load(panels > 1 ? K : last);
  next_columns.load(panels > 1 ? K : last);
  for (int panel = 1; panel <= panels; ++panel) {
    __syncthreads();
    next_rows.store(rows);
    next_columns.store(columns);
    __syncthreads();
    if (panel < panels) {
      next_rows.load(panel + 1 < panels ? K : last);
      next_columns.load(panel + 1 < panels ? K : last);
    }
#pragma unroll UNROLLED
    for (int step = 0; step < K; ++step) {
      Wide left[EACH], right[EACH];
#pragma unroll
      for (int i = 0; i < EACH; ++i) left[i] = rows.at[step][tile_place(down, i)];
#pragma unroll
      for (int j = 0; j < EACH; ++j) right[j] = columns.at[step][tile_place(across, j)];
#pragma unroll
      for (int i = 0; i < EACH; ++i)
#pragma unroll
        for (int j = 0; j < EACH; ++j) sum[i][j] += left[i] * right[j];
    }
  }
  const Wide scale = alpha ? *alpha : Wide(1), keep = beta ? *beta : Wide(0);
  const int rows_left = int(m < TILE ? m : TILE) - down * 4, columns_left = int(n < TILE ? n : TILE) - across * 4;
  c += down * 4 * stride + across * 4;
#pragma unroll
  for (int i = 0; i < EACH; ++i)
#pragma unroll
    for (int j = 0; j < EACH; ++j) {
      if (tile_place(0, i) >= rows_left || tile_place(0, j) >= columns_left) continue;
      T &place = c[tile_place(0, i) * stride + tile_place(0, j)];
      place = keep == 0 ? scale * sum[i][j] : scale * sum[i][j] + keep * place;
    }
}

/* A block's tile of the batch: TILE by TILE elements of one c. `ONE_A`: one a is meant for the whole batch. */
template <class T, class Wide, int TILE, bool A_TRANSPOSED, bool B_TRANSPOSED, bool ONE_A, bool ONE_B>
void gemm(const T *a, const T *b, T *c, long m, long n, long k, const Wide *alpha, const Wide *beta) {
  const long down = (m + TILE - 1) / TILE, across = (n + TILE - 1) / TILE;
  const long tile = blockIdx.x % (down * across), number = blockIdx.x / (down * across);
  a += ONE_A ? 0 : number * m * k;
  b += ONE_B ? 0 : number * k * n;
  const long row = tile / across * TILE, column = tile % across * TILE;
  using Rows = Panel<T, Wide, TILE, 1024 / TILE, A_TRANSPOSED>;
  using Columns = Panel<T, Wide, TILE, 1024 / TILE, !B_TRANSPOSED>;
  product_tile<TILE>(Rows(a, row, m, k), Columns(b, column, n, k), k, c + number * m * n + row * n + column, n, m - row,
                     n - column, alpha, beta);
}
#endif
