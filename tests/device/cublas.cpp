// A stand-in for cuBLAS over the software driver: it checks what it is given, waits for the stream, and computes.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

extern "C" {
typedef uint64_t Address;
int cuStreamSynchronize(void *stream);
int cuMemcpyDtoH_v2(void *target, Address source, size_t bytes);
int cuMemcpyHtoD_v2(Address target, const void *source, size_t bytes);

struct Handle { void *stream; int mode; };
char standin_calls[4096];  // the functions called, for tests to read
int standin_fails;         // what products return, for tests to set

static int note(const char *name) {
  std::strncat(standin_calls, name, sizeof(standin_calls) - std::strlen(standin_calls) - 2);
  std::strcat(standin_calls, " ");
  return 0;
}
int cublasCreate_v2(void **handle) { *handle = new Handle{nullptr, 0}; return note("create"); }
int cublasSetStream_v2(void *handle, void *stream) { ((Handle *)handle)->stream = stream; return 0; }
int cublasSetPointerMode_v2(void *handle, int mode) { ((Handle *)handle)->mode = mode; return 0; }
}

static float widened(uint16_t half) {
  _Float16 value;
  std::memcpy(&value, &half, 2);
  return (float)value;
}

template <class T> struct Number { static double read(T x) { return x; } static T made(double x) { return (T)x; } };
template <> struct Number<uint16_t> {
  static double read(uint16_t x) { return widened(x); }
  static uint16_t made(double x) { _Float16 half = (_Float16)x; uint16_t bits; std::memcpy(&bits, &half, 2); return bits; }
};

struct Bfloat { uint16_t bits; };
template <> struct Number<Bfloat> {
  static double read(Bfloat x) {
    const uint32_t bits = (uint32_t)x.bits << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
  }
  static Bfloat made(double x) {
    const float value = (float)x;
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    return {(uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
  }
};

template <class T> std::vector<T> fetched(const void *source, size_t count) {
  std::vector<T> values(count);
  if (count && cuMemcpyDtoH_v2(values.data(), (Address)(uintptr_t)source, count * sizeof(T))) std::fprintf(stderr, "read\n");
  return values;
}

// Columns lie together: element (i, j) of a matrix is at i + j * row.
template <class T, class Scale> int product(Handle *handle, int ta, int tb, int m, int n, int k, const Scale *alpha,
                                            const T *a, int row_a, long long step_a, const T *b, int row_b,
                                            long long step_b, const Scale *beta, T *c, int row_c, long long step_c, int batch) {
  if (standin_fails) return standin_fails;
  if (!handle->stream || m < 1 || n < 1 || k < 0 || row_a < (ta ? k : m) || row_a < 1 || row_b < (tb ? n : k) || row_b < 1 ||
      row_c < m)
    return 7;
  if (cuStreamSynchronize(handle->stream)) return 14;
  Scale x, y;
  if (handle->mode == 1) { x = fetched<Scale>(alpha, 1)[0]; y = fetched<Scale>(beta, 1)[0]; } else { x = *alpha; y = *beta; }
  for (int one = 0; one < batch; ++one) {
    auto left = fetched<T>(a + one * step_a, (size_t)m * k), right = fetched<T>(b + one * step_b, (size_t)k * n);
    auto result = y != 0 ? fetched<T>(c + one * step_c, (size_t)m * n) : std::vector<T>((size_t)m * n);
    for (int j = 0; j < n; ++j)
      for (int i = 0; i < m; ++i) {
        double sum = 0;
        for (int l = 0; l < k; ++l)
          sum += Number<T>::read(left[ta ? l + (size_t)i * row_a : i + (size_t)l * row_a]) *
                 Number<T>::read(right[tb ? j + (size_t)l * row_b : l + (size_t)j * row_b]);
        T &place = result[i + (size_t)j * row_c];
        place = Number<T>::made(x * sum + (y != 0 ? y * Number<T>::read(place) : 0));
      }
    if (cuMemcpyHtoD_v2((Address)(uintptr_t)(c + one * step_c), result.data(), result.size() * sizeof(T))) return 14;
  }
  return 0;
}

#define GEMM(letter, T)                                                                                                \
  extern "C" int cublas##letter##gemm_v2(void *h, int ta, int tb, int m, int n, int k, const T *alpha, const T *a,     \
                                         int ra, const T *b, int rb, const T *beta, T *c, int rc) {                    \
    note(#letter "gemm");                                                                                              \
    return product<T, T>((Handle *)h, ta, tb, m, n, k, alpha, a, ra, 0, b, rb, 0, beta, c, rc, 0, 1);                  \
  }                                                                                                                    \
  extern "C" int cublas##letter##gemmStridedBatched(void *h, int ta, int tb, int m, int n, int k, const T *alpha,      \
                                                    const T *a, int ra, long long sa, const T *b, int rb, long long sb, \
                                                    const T *beta, T *c, int rc, long long sc, int batch) {            \
    note(#letter "gemmStridedBatched");                                                                                \
    return product<T, T>((Handle *)h, ta, tb, m, n, k, alpha, a, ra, sa, b, rb, sb, beta, c, rc, sc, batch);           \
  }
GEMM(S, float)
GEMM(D, double)

extern "C" int cublasGemmStridedBatchedEx(void *h, int ta, int tb, int m, int n, int k, const float *alpha, const void *a,
                                          int type_a, int ra, long long sa, const void *b, int type_b, int rb, long long sb,
                                          const float *beta, void *c, int type_c, int rc, long long sc, int batch,
                                          int compute, int algorithm) {
  note("GemmStridedBatchedEx");
  if ((type_a != 2 && type_a != 14) || type_b != type_a || type_c != type_a || compute != 68 || algorithm != -1) return 7;
  if (type_a == 14)
    return product<Bfloat, float>((Handle *)h, ta, tb, m, n, k, alpha, (const Bfloat *)a, ra, sa, (const Bfloat *)b, rb, sb,
                                  beta, (Bfloat *)c, rc, sc, batch);
  return product<uint16_t, float>((Handle *)h, ta, tb, m, n, k, alpha, (const uint16_t *)a, ra, sa, (const uint16_t *)b, rb,
                                  sb, beta, (uint16_t *)c, rc, sc, batch);
}
