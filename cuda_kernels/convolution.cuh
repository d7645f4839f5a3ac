#ifndef SYMTENSOR_CONVOLUTION
#define SYMTENSOR_CONVOLUTION
/* The op Convolution: the sum of output[n, o, f] * filters[f, c, k] * images[n, o * stride + k * dilation - low, c], or
 * what it is for each element of one of the three factors. Each of the three is a product of matrices whose elements
 * are found by their indices: panels of `product_tile` that gather, where no matrix is ever made.
 *
 *   result    rows     columns  steps
 *   output    (n, o)   f        (k, c)
 *   images    (n, i)   c        (k, f)
 *   filters   f        (c, k)   (n, o)
 *
 * Where filters have their channels last, as [f, k, c], LAST is true, and their columns are (k, c).
 * What depends on the row or column alone is found once, and what depends on the step once a panel. */

struct Axis {
  int image, kernel, out, stride, dilation, low;
};

/* A place in three spatial axes, and the offset of what goes with it. */
struct Spot {
  long offset;
  int at[3];
};

struct Convolution {
  long batch, groups, channels, filters; /* channels and filters of a group */
  Axis axes[3];

  long taps() const { return (long)axes[0].kernel * axes[1].kernel * axes[2].kernel; }
  long outs() const { return (long)axes[0].out * axes[1].out * axes[2].out; }
  long pixels() const { return (long)axes[0].image * axes[1].image * axes[2].image; }

  /* Numbers of places by axis, of which the last moves fastest; what is left of the number. */
  template <int Axis::*SIZE> long unravel(unsigned long number, int (&at)[3]) const {
    for (int axis = 2; axis >= 0; --axis) {
      const int size = axes[axis].*SIZE;
      const unsigned long rest = number / (unsigned long)size;
      at[axis] = int(number - rest * size);
      number = rest;
    }
    return (long)number;
  }

  /* The pixel under place o of the output, of image n; and what tap k of a filter adds to it. */
  Spot under(long place) const {
    Spot spot;
    const long image = unravel<&Axis::out>(place, spot.at);
    spot.offset = image * pixels() * groups * channels;
    for (int axis = 0; axis < 3; ++axis) spot.at[axis] = spot.at[axis] * axes[axis].stride - axes[axis].low;
    return spot;
  }
  Spot tap(long number, long offset) const {
    Spot spot;
    spot.offset = offset;
    unravel<&Axis::kernel>(number, spot.at);
    for (int axis = 0; axis < 3; ++axis) spot.at[axis] *= axes[axis].dilation;
    return spot;
  }

  template <class T> T pixel(const T *images, const Spot &place, const Spot &tap) const {
    long number = 0;
    for (int axis = 0; axis < 3; ++axis) {
      const int at = place.at[axis] + tap.at[axis];
      if (at < 0 || at >= axes[axis].image) return T(0);
      number = number * axes[axis].image + at;
    }
    return images[number * groups * channels + place.offset + tap.offset];
  }
};

/* The panel of a source: `place` and `step` say of a row or column, and of a step, what `at` needs. */
template <class T, int EXTENT, class Source> struct Gathered {
  using Shared = NumberPanel<typename Computed<T>::Number, EXTENT, 1024 / EXTENT>;
  static constexpr int STEPS = Shared::STEPS, APART = 256 / STEPS, EACH = EXTENT / APART;
  Source source;
  typename Source::Place spots[EACH];
  int places;
  long begin;
  T carried[EACH];

  Gathered(Source source, long first, long extent, long begin)
      : source(source), places(int(extent - first < EXTENT ? extent - first : EXTENT) - outer()), begin(begin) {
#pragma unroll
    for (int i = 0; i < EACH; ++i)
      if (i * APART < places) spots[i] = source.place(first + outer() + i * APART);
  }

  static int inner() { return threadIdx.x % STEPS; }
  static int outer() { return threadIdx.x / STEPS; }

  void load(int left) {
    const bool is_step = inner() < left;
    typename Source::Place step{};
    if (is_step) step = source.step(begin + inner());
#pragma unroll
    for (int i = 0; i < EACH; ++i) carried[i] = is_step && i * APART < places ? source.at(spots[i], step) : T(0);
    begin += STEPS;
  }

  void store(Shared &shared) const {
#pragma unroll
    for (int i = 0; i < EACH; ++i) shared.at[inner()][outer() + i * APART] = carried[i];
  }
};

/* Pixels by place in the output and (k, c); or by (c, k), or (k, c), and place in the output. */
template <class T> struct Pixels {
  using Place = Spot;
  const T *images;
  const Convolution &sizes;
  Spot place(long number) const { return sizes.under(number); }
  Spot step(long number) const { return sizes.tap(number / sizes.channels, number % sizes.channels); }
  T at(const Spot &place, const Spot &tap) const { return sizes.pixel(images, place, tap); }
};
template <class T, bool LAST> struct PixelsOfFilters {
  using Place = Spot;
  const T *images;
  const Convolution &sizes;
  Spot place(long number) const {
    return LAST ? sizes.tap(number / sizes.channels, number % sizes.channels)
                : sizes.tap(number % sizes.taps(), number / sizes.taps());
  }
  Spot step(long number) const { return sizes.under(number); }
  T at(const Spot &tap, const Spot &place) const { return sizes.pixel(images, place, tap); }
};

/* The output by pixel and (k, f): at the place whose tap k lies on the pixel, if there is one. */
template <class T> struct Outputs {
  using Place = Spot;
  const T *output;
  const Convolution &sizes;
  Spot place(long number) const {
    Spot spot;
    spot.offset = sizes.unravel<&Axis::image>(number, spot.at) * sizes.outs() * sizes.groups * sizes.filters;
    for (int axis = 0; axis < 3; ++axis) spot.at[axis] += sizes.axes[axis].low;
    return spot;
  }
  Spot step(long number) const { return sizes.tap(number / sizes.filters, number % sizes.filters); }
  T at(const Spot &place, const Spot &tap) const {
    long number = 0;
    for (int axis = 0; axis < 3; ++axis) {
      const int from = place.at[axis] - tap.at[axis], stride = sizes.axes[axis].stride, out = from / stride;
      if (from < 0 || out * stride != from || out >= sizes.axes[axis].out) return T(0);
      number = number * sizes.axes[axis].out + out;
    }
    return output[number * sizes.groups * sizes.filters + place.offset + tap.offset];
  }
};

/* Elements whose offset is that of the place and that of the step. */
template <class T> struct Apart {
  using Place = long;
  const T *from;
  long place_apart, step_apart, inner, inner_apart; /* a step is a number of `inner` ones, each so far apart, and more */
  long place(long number) const { return number * place_apart; }
  long step(long number) const { return number / inner * step_apart + number % inner * inner_apart; }
  T at(long place, long step) const { return from[place + step]; }
};

/* Which tile of a result of `m` rows and `n` columns a block computes, of which group, and which part of the steps. */
template <int TILE> struct Work {
  long row, column, group, part;
  Work(long m, long n, long groups) {
    const long down = (m + TILE - 1) / TILE, across = (n + TILE - 1) / TILE, tile = blockIdx.x % (down * across);
    const long number = blockIdx.x / (down * across);
    row = tile / across * TILE, column = tile % across * TILE;
    group = number % groups, part = number / groups;
  }
};

template <class T, bool LAST> void convolve(const T *images, const T *filters, T *output, const Convolution &sizes) {
  const long m = sizes.batch * sizes.outs(), n = sizes.filters, c = sizes.channels, taps = sizes.taps();
  const Work<64> work(m, n, sizes.groups);
  const Pixels<T> pixels{images + work.group * c, sizes};
  const Apart<T> weights{filters + work.group * n * c * taps, c * taps, LAST ? c : 1, c, LAST ? 1 : taps};
  product_tile<64>(Gathered<T, 64, Pixels<T>>(pixels, work.row, m, 0),
                   Gathered<T, 64, Apart<T>>(weights, work.column, n, 0), taps * c,
                   output + (work.row * sizes.groups + work.group) * n + work.column, sizes.groups * n, m - work.row,
                   n - work.column, (const T *)nullptr, (const T *)nullptr);
}

template <class T, bool LAST>
void convolve_images(const T *filters, const T *output, T *images, const Convolution &sizes) {
  const long m = sizes.batch * sizes.pixels(), n = sizes.channels, f = sizes.filters, taps = sizes.taps();
  const Work<64> work(m, n, sizes.groups);
  const Outputs<T> outputs{output + work.group * f, sizes};
  const Apart<T> weights{filters + work.group * f * n * taps, LAST ? 1 : taps, LAST ? n : 1, f, n * taps};
  product_tile<64>(Gathered<T, 64, Outputs<T>>(outputs, work.row, m, 0),
                   Gathered<T, 64, Apart<T>>(weights, work.column, n, 0), taps * f,
                   images + (work.row * sizes.groups + work.group) * n + work.column, sizes.groups * n, m - work.row,
                   n - work.column, (const T *)nullptr, (const T *)nullptr);
}

/* Part of the sum for each filter: of `part` steps. Another kernel adds the parts. */
template <class T, bool LAST>
void convolve_filters(const T *images, const T *output, typename Computed<T>::Number *filters, const Convolution &sizes,
                      long part) {
  using Wide = typename Computed<T>::Number;
  const long m = sizes.filters, n = sizes.channels * sizes.taps(), steps = sizes.batch * sizes.outs();
  const Work<64> work(m, n, sizes.groups);
  const long begin = work.part * part, left = steps - begin < part ? steps - begin : part;
  const Apart<T> outputs{output + work.group * m, 1, sizes.groups * m, 1, 0};
  const PixelsOfFilters<T, LAST> pixels{images + work.group * sizes.channels, sizes};
  Wide *place = filters + ((work.part * sizes.groups + work.group) * m + work.row) * n + work.column;
  product_tile<64>(Gathered<T, 64, Apart<T>>(outputs, work.row, m, begin),
                   Gathered<T, 64, PixelsOfFilters<T, LAST>>(pixels, work.column, n, begin), left, place, n, m - work.row,
                   n - work.column, (const Wide *)nullptr, (const Wide *)nullptr);
}
#endif
