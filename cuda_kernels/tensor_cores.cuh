#ifndef SYMTENSOR_TENSOR_CORES
#define SYMTENSOR_TENSOR_CORES
/* Products of small matrices by the tensor cores of a warp: of narrow floats, added in float. Tensor cores have multiplied
 * float16 since sm_75, bfloat16 since sm_80.
 *
 * A fragment is a matrix spread over the 32 lanes. A lane has pairs of elements that are neighbours along the steps of
 * the sum, of row (or column) `fragment_line()` and of the one 8 after it. The 8 lines and 4 pairs of steps of all lanes
 * are a quarter, or a half, of a fragment. */

#if defined(SYMTENSOR_SOFTWARE_DRIVER) || __CUDA_ARCH__ >= 800
constexpr bool TENSOR_CORES_KNOW_BFLOAT16 = true;
#else
constexpr bool TENSOR_CORES_KNOW_BFLOAT16 = false;
#endif
template <class T> struct ByTensorCores {
  static constexpr bool IS_KNOWN = false;
};
template <> struct ByTensorCores<float16> {
  static constexpr bool IS_KNOWN = true;
};
template <> struct ByTensorCores<bfloat16> {
  static constexpr bool IS_KNOWN = TENSOR_CORES_KNOW_BFLOAT16;
};

inline int fragment_line() { return threadIdx.x % 32 / 4; }
inline int fragment_step() { return threadIdx.x % 4 * 2; }

/* Two neighbours, of which the first is at an even place. */
template <class T> unsigned pair_at(const T *from) {
#ifdef SYMTENSOR_SOFTWARE_DRIVER
  return from[0].bits | (unsigned)from[1].bits << 16;
#else
  return *reinterpret_cast<const unsigned *>(from);
#endif
}

/* 16 rows and 16 steps: rows l and l + 8 at steps s and s + 1, then both at steps s + 8 and s + 9. */
template <class T> struct LeftFragment {
  unsigned pairs[4];
  LeftFragment() = default;
  LeftFragment(const T *rows, int stride) {
    rows += fragment_line() * stride + fragment_step();
#pragma unroll
    for (int i = 0; i < 4; ++i) pairs[i] = pair_at(rows + i % 2 * 8 * stride + i / 2 * 8);
  }
};

/* 16 steps and 8 columns, which lie in memory one after the other: column l at steps s and s + 1, s + 8 and s + 9. */
template <class T> struct RightFragment {
  unsigned pairs[2];
  RightFragment() = default;
  RightFragment(const T *columns, int stride) {
    columns += fragment_line() * stride + fragment_step();
#pragma unroll
    for (int i = 0; i < 2; ++i) pairs[i] = pair_at(columns + i * 8);
  }
};

/* 16 rows and 8 columns of the result. */
struct SumFragment {
  float at[4];
  static int row(int i) { return fragment_line() + i / 2 * 8; }
  static int column(int i) { return fragment_step() + i % 2; }
};

/* sums += left right. All lanes of a warp do this together. */
#ifdef SYMTENSOR_SOFTWARE_DRIVER
template <class T>
void multiply_add(SumFragment &sums, const LeftFragment<T> &left, const RightFragment<T> &right) {
  for (int pair = 0; pair < 8; ++pair) { /* lane pair % 4 of each line has it */
    const int owner = pair % 4, half = pair / 4;
    for (int i = 0; i < 4; ++i) {
      const unsigned x = __shfl_sync(0xffffffffu, left.pairs[half * 2 + i / 2], fragment_line() * 4 + owner);
      const unsigned y = __shfl_sync(0xffffffffu, right.pairs[half], SumFragment::column(i) * 4 + owner);
      sums.at[i] += T::value((unsigned short)x) * T::value((unsigned short)y);
      sums.at[i] += T::value((unsigned short)(x >> 16)) * T::value((unsigned short)(y >> 16));
    }
  }
}
#elif __CUDA_ARCH__ >= 800
#define SYMTENSOR_MULTIPLY_ADD(type, name)                                                                               \
  inline void multiply_add(SumFragment &sums, const LeftFragment<type> &left, const RightFragment<type> &right) {        \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." name "." name ".f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "     \
                 "{%8, %9}, {%0, %1, %2, %3};"                                                                           \
                 : "+f"(sums.at[0]), "+f"(sums.at[1]), "+f"(sums.at[2]), "+f"(sums.at[3])                                \
                 : "r"(left.pairs[0]), "r"(left.pairs[1]), "r"(left.pairs[2]), "r"(left.pairs[3]), "r"(right.pairs[0]),  \
                   "r"(right.pairs[1]));                                                                                 \
  }
SYMTENSOR_MULTIPLY_ADD(float16, "f16")
SYMTENSOR_MULTIPLY_ADD(bfloat16, "bf16")
#undef SYMTENSOR_MULTIPLY_ADD
#else /* 8 steps at once */
inline void multiply_add(SumFragment &sums, const LeftFragment<float16> &left, const RightFragment<float16> &right) {
#pragma unroll
  for (int half = 0; half < 2; ++half)
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
                 : "+f"(sums.at[0]), "+f"(sums.at[1]), "+f"(sums.at[2]), "+f"(sums.at[3])
                 : "r"(left.pairs[half * 2]), "r"(left.pairs[half * 2 + 1]), "r"(right.pairs[half]));
}
#endif
#endif
