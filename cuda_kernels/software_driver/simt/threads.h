// Barriers, fences, and what the lanes of a warp do together.
#pragma once

#define __syncthreads() ((void)simt_barrier(__FILE__, __LINE__, 0))
#define __syncthreads_count(predicate) int(simt_barrier(__FILE__, __LINE__, (predicate) ? 1 : 0))
#define __syncthreads_or(predicate) int(simt_barrier(__FILE__, __LINE__, (predicate) ? 1 : 0) != 0)
#define __syncthreads_and(predicate) int(simt_barrier(__FILE__, __LINE__, (predicate) ? 0 : 1) == 0)

inline void __syncwarp(unsigned mask = 0xffffffffu) { simt_warp(simt::Vote::sync, mask, 0, 0); }
inline unsigned __activemask() { return simt_active_mask(); }

inline void __threadfence() { simt_fence(); }
inline void __threadfence_block() { simt_fence(); }
inline void __threadfence_system() { simt_fence(); }
inline void __nanosleep(unsigned) { simt_yield(); }

namespace simt {

template <typename T> inline unsigned long long bits_of(T value) {
    static_assert(sizeof(T) <= 8, "lanes exchange values of up to eight bytes");
    unsigned long long bits = 0;
    __builtin_memcpy(&bits, &value, sizeof(T));
    return bits;
}

template <typename T> inline T of_bits(unsigned long long bits) {
    T value;
    __builtin_memcpy(&value, &bits, sizeof(T));
    return value;
}

template <typename T> inline T shuffle(unsigned mask, T value, unsigned source) {
    return of_bits<T>(simt_warp(Vote::shuffle, mask, bits_of(value), source));
}

inline unsigned first_of_segment(int width) { return simt_thread.lane & ~unsigned(width - 1); }

}  // namespace simt

template <typename T> inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
    return simt::shuffle(mask, value, simt::first_of_segment(width) + (unsigned(source) & unsigned(width - 1)));
}
template <typename T> inline T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    unsigned first = simt::first_of_segment(width), lane = simt_thread.lane;
    return simt::shuffle(mask, value, lane - first >= delta ? lane - delta : lane);
}
template <typename T> inline T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    unsigned behind = simt::first_of_segment(width) + unsigned(width), lane = simt_thread.lane;
    return simt::shuffle(mask, value, lane + delta < behind ? lane + delta : lane);
}
template <typename T> inline T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32) {
    unsigned behind = simt::first_of_segment(width) + unsigned(width), other = simt_thread.lane ^ unsigned(lanes);
    return simt::shuffle(mask, value, other < behind ? other : simt_thread.lane);
}

inline unsigned __ballot_sync(unsigned mask, int predicate) {
    return unsigned(simt_warp(simt::Vote::ballot, mask, predicate != 0, 0));
}
inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }
template <typename T> inline unsigned __match_any_sync(unsigned mask, T value) {
    return unsigned(simt_warp(simt::Vote::match_any, mask, simt::bits_of(value), 0));
}
template <typename T> inline unsigned __match_all_sync(unsigned mask, T value, int *all) {
    unsigned lanes = unsigned(simt_warp(simt::Vote::match_all, mask, simt::bits_of(value), 0));
    *all = lanes != 0;
    return lanes;
}

#define SIMT_REDUCE(name, type, vote) \
    inline type name(unsigned mask, type value) { return type(simt_warp(simt::Vote::vote, mask, unsigned(value), 0)); }
SIMT_REDUCE(__reduce_add_sync, unsigned, add)
SIMT_REDUCE(__reduce_add_sync, int, add)
SIMT_REDUCE(__reduce_min_sync, unsigned, least)
SIMT_REDUCE(__reduce_min_sync, int, least_signed)
SIMT_REDUCE(__reduce_max_sync, unsigned, greatest)
SIMT_REDUCE(__reduce_max_sync, int, greatest_signed)
SIMT_REDUCE(__reduce_and_sync, unsigned, conjunction)
SIMT_REDUCE(__reduce_or_sync, unsigned, disjunction)
SIMT_REDUCE(__reduce_xor_sync, unsigned, exclusive)
#undef SIMT_REDUCE

// -- ends of a thread's work ------------------------------------------------------------------------------------------

#define printf simt_printf
#define __trap() simt_fail(719, "__trap", __FILE__, __LINE__)
#undef assert
#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
#define assert(condition) ((condition) ? (void)0 : simt_fail(710, "assertion " #condition, __FILE__, __LINE__))
#endif
