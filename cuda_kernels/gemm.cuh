#ifndef SYMTENSOR_GEMM
#define SYMTENSOR_GEMM
/* alpha a b + beta c for a batch of matrices by rows: the ops MatMul and Gemm. Without scalars, a b.
 *
 * A block of 256 threads computes a tile of c, `Panel`s of a and b at a time. Panels lie in shared memory, so that an
 * element is read from global memory once for a tile; while one is multiplied, the next is on its way in registers. A
 * thread has a part of the tile in registers: 8 or 4 rows and columns, in fours that lie 64 apart, so that threads of
 * a warp read neighbours in shared memory. */

/* Panels in shared memory: EXTENT rows of a, or columns of b, and K steps of the sum. Numbers are added as they lie there;
 * tensor cores want neighbours along the steps, and lines so far apart that 8 of them are in different banks. */
template <class Wide, int EXTENT, int K> struct NumberPanel {
  static constexpr int LINES = EXTENT, STEPS = K;
  using Number = Wide;
  Wide at[K][EXTENT + 4];
  Wide &place(int line, int step) { return at[step][line]; }
};
template <class T, int EXTENT, int K> struct PairPanel {
  static constexpr int LINES = EXTENT, STEPS = K, STRIDE = K + 8;
  using Number = float;
  alignas(4) T at[EXTENT][STRIDE];
  T &place(int line, int step) { return at[line][step]; }
};

/* What fills a panel from a matrix; `ALONG`: neighbours in memory are along the extent. Each thread carries elements
 * that lie in one row or column of the panel. */
template <class T, class Kept, bool ALONG> struct Panel {
  using Shared = Kept;
  static constexpr int EXTENT = Kept::LINES, K = Kept::STEPS, STEPS = K, INNER = ALONG ? EXTENT : K;
  static constexpr int APART = 256 / INNER, EACH = EXTENT * K / 256;
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
      shared.place(ALONG ? inner() : outer() + i * APART, ALONG ? outer() + i * APART : inner()) = carried[i];
  }
};

/* How far a thread's `i`-th row of a tile, or column, is from its first. */
inline int tile_place(int i) { return i / 4 * 64 + i % 4; }

/* A thread's part of a tile, added in registers. */
template <class Wide, int TILE, int K> struct NumberSums {
  static constexpr int EACH = TILE / 16, UNROLLED = 16 / EACH; /* more would spill registers */
  Wide sum[EACH][EACH] = {};
  static int row() { return threadIdx.x / 16 * 4; }
  static int column() { return threadIdx.x % 16 * 4; }

  template <class Rows, class Columns> void add(const Rows &rows, const Columns &columns) {
#pragma unroll UNROLLED
    for (int step = 0; step < K; ++step) {
      Wide left[EACH], right[EACH];
#pragma unroll
      for (int i = 0; i < EACH; ++i) left[i] = rows.at[step][row() + tile_place(i)];
#pragma unroll
      for (int j = 0; j < EACH; ++j) right[j] = columns.at[step][column() + tile_place(j)];
#pragma unroll
      for (int i = 0; i < EACH; ++i)
#pragma unroll
        for (int j = 0; j < EACH; ++j) sum[i][j] += left[i] * right[j];
    }
  }

  /* Call `take` with each sum, its row and column, from `row()` and `column()` on. */
  template <class Take> void each(Take take) const {
#pragma unroll
    for (int i = 0; i < EACH; ++i)
#pragma unroll
      for (int j = 0; j < EACH; ++j) take(tile_place(i), tile_place(j), sum[i][j]);
  }
};

/* A warp's part of a tile, added by tensor cores: warps are 2 down and 4 across. */
template <class T, int TILE, int K> struct TensorSums {
  static constexpr int DOWN = TILE / 2 / 16, ACROSS = TILE / 4 / 8;
  SumFragment sum[DOWN][ACROSS] = {};
  static int warp_row() { return threadIdx.x / 128 * (TILE / 2); }
  static int warp_column() { return threadIdx.x / 32 % 4 * (TILE / 4); }
  static int row() { return warp_row() + SumFragment::row(0); }
  static int column() { return warp_column() + SumFragment::column(0); }

  template <class Rows, class Columns> void add(const Rows &rows, const Columns &columns) {
#pragma unroll
    for (int step = 0; step < K; step += 16) {
      RightFragment<T> right[ACROSS];
#pragma unroll
      for (int j = 0; j < ACROSS; ++j)
        right[j] = RightFragment<T>(&columns.at[warp_column() + j * 8][step], Columns::STRIDE);
#pragma unroll
      for (int i = 0; i < DOWN; ++i) {
        const LeftFragment<T> left(&rows.at[warp_row() + i * 16][step], Rows::STRIDE);
#pragma unroll
        for (int j = 0; j < ACROSS; ++j) multiply_add(sum[i][j], left, right[j]);
      }
    }
  }

  template <class Take> void each(Take take) const {
#pragma unroll
    for (int i = 0; i < DOWN; ++i)
#pragma unroll
      for (int j = 0; j < ACROSS; ++j)
#pragma unroll
        for (int part = 0; part < 4; ++part)
          take(i * 16 + part / 2 * 8, j * 8 + part % 2, sum[i][j].at[part]);
  }
};

/* A tile of the product of `next_rows` and `next_columns`, which are panels, over `k` steps, to c[0], c[1]... by rows
 * that lie `stride` apart, up to `m` rows and `n` columns. */
template <class Sums, class T, class Rows, class Columns>
void product_by(Rows next_rows, Columns next_columns, long k, T *c, long stride, long m, long n, const T *alpha,
                const T *beta) {
  constexpr int K = Rows::STEPS;
  using Wide = typename Rows::Shared::Number;
  __shared__ typename Rows::Shared rows;
  __shared__ typename Columns::Shared columns;
  Sums sums;
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
    sums.add(rows, columns);
  }
  const Wide scale = alpha ? Wide(*alpha) : Wide(1), keep = beta ? Wide(*beta) : Wide(0);
  const int rows_left = int(m < Rows::Shared::LINES ? m : Rows::Shared::LINES) - Sums::row();
  const int columns_left = int(n < Columns::Shared::LINES ? n : Columns::Shared::LINES) - Sums::column();
  c += Sums::row() * stride + Sums::column();
  sums.each([&](int row, int column, Wide sum) {
    if (row >= rows_left || column >= columns_left) return;
    T &place = c[row * stride + column];
    place = keep == 0 ? scale * sum : scale * sum + keep * Wide(place);
  });
}

/* The same, with numbers that are added as they are. */
template <int TILE, class T, class Rows, class Columns>
void product_tile(Rows next_rows, Columns next_columns, long k, T *c, long stride, long m, long n, const T *alpha,
                  const T *beta) {
  using Sums = NumberSums<typename Rows::Shared::Number, TILE, Rows::STEPS>;
  product_by<Sums>(next_rows, next_columns, k, c, stride, m, n, alpha, beta);
}

/* How T is multiplied: by tensor cores, if they know these numbers. */
template <class T, int TILE, bool = ByTensorCores<T>::IS_KNOWN> struct Multiplied {
  static constexpr int K = 1024 / TILE;
  using Wide = typename Computed<T>::Number;
  using Sums = NumberSums<Wide, TILE, K>;
  using Shared = NumberPanel<Wide, TILE, K>;
};
template <class T, int TILE> struct Multiplied<T, TILE, true> {
  static constexpr int K = 2048 / TILE;
  using Sums = TensorSums<T, TILE, K>;
  using Shared = PairPanel<T, TILE, K>;
};

/* A block's tile of the batch: TILE by TILE elements of one c. `ONE_A`: one a is meant for the whole batch. */
template <class T, int TILE, bool A_TRANSPOSED, bool B_TRANSPOSED, bool ONE_A, bool ONE_B>
void gemm(const T *a, const T *b, T *c, long m, long n, long k, const T *alpha, const T *beta) {
  using By = Multiplied<T, TILE>;
  using Shared = typename By::Shared;
  const long down = (m + TILE - 1) / TILE, across = (n + TILE - 1) / TILE;
  const long tile = blockIdx.x % (down * across), number = blockIdx.x / (down * across);
  a += ONE_A ? 0 : number * m * k;
  b += ONE_B ? 0 : number * k * n;
  const long row = tile / across * TILE, column = tile % across * TILE;
  product_by<typename By::Sums>(Panel<T, Shared, A_TRANSPOSED>(a, row, m, k),
                                Panel<T, Shared, !B_TRANSPOSED>(b, column, n, k), k,
                                c + number * m * n + row * n + column, n, m - row, n - column, alpha, beta);
}

/* Where m and n are small and k is long, k is divided: a block adds up `step` of its steps for a tile, without scalars,
 * to sums[number][part], each of m by n. */
template <class T, int TILE, bool A_TRANSPOSED, bool B_TRANSPOSED, bool ONE_A, bool ONE_B>
void gemm_part(const T *a, const T *b, typename Computed<T>::Number *sums, long m, long n, long k, long parts,
               long step) {
  using By = Multiplied<T, TILE>;
  using Shared = typename By::Shared;
  const typename Computed<T>::Number *none = nullptr;
  const long down = (m + TILE - 1) / TILE, across = (n + TILE - 1) / TILE;
  const long tile = blockIdx.x % (down * across), place = blockIdx.x / (down * across);
  const long number = place / parts, first = place % parts * step;
  a += (ONE_A ? 0 : number * m * k) + first * (A_TRANSPOSED ? m : 1);
  b += (ONE_B ? 0 : number * k * n) + first * (B_TRANSPOSED ? 1 : n);
  const long row = tile / across * TILE, column = tile % across * TILE;
  product_by<typename By::Sums>(Panel<T, Shared, A_TRANSPOSED>(a, row, m, k),
                                Panel<T, Shared, !B_TRANSPOSED>(b, column, n, k), k - first < step ? k - first : step,
                                sums + place * m * n + row * n + column, n, m - row, n - column, none, none);
}

/* The sums of all parts, always in the same order, for `count` elements of c, `each` of them in a matrix. */
template <class T, class Wide>
void gemm_total(const Wide *sums, T *c, long count, long each, long parts, const T *alpha, const T *beta) {
  const Wide scale = alpha ? Wide(*alpha) : Wide(1), keep = beta ? Wide(*beta) : Wide(0);
  for (long at = blockIdx.x * 256L + threadIdx.x; at < count; at += gridDim.x * 256L) {
    const Wide *from = sums + at / each * parts * each + at % each;
    Wide sum = 0;
#pragma unroll 4
    for (long part = 0; part < parts; ++part) sum += from[part * each];
    c[at] = keep == 0 ? scale * sum : scale * sum + keep * Wide(c[at]);
  }
}
#endif
