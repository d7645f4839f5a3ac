// Atomic functions. Blocks run on several threads of the host, so that these are the host's atomic operations.
#pragma once

namespace simt {

#if defined SIMT_CHECKED || defined SIMT_LOCKSTEP
#define SIMT_ATOMIC __attribute__((noinline, no_sanitize("thread")))
#else
#define SIMT_ATOMIC inline
#endif

#ifdef SIMT_CHECKED  // told to the driver as one access
template <typename T> inline void touched(T *address) {
    simt_access(address, sizeof(T), access_write | access_atomic, __builtin_return_address(0));
}
#else
template <typename T> inline void touched(T *) {}
#endif

template <unsigned> struct Word;
template <> struct Word<2> { using type = unsigned short; };
template <> struct Word<4> { using type = unsigned; };
template <> struct Word<8> { using type = unsigned long long; };

// *address = change(*address), by compare and swap; what was there before is returned.
template <typename T, typename Change> SIMT_ATOMIC T exchange_by(T *address, Change change) {
    using Bits = typename Word<sizeof(T)>::type;
    touched(address);
    auto bits = reinterpret_cast<Bits *>(address);
    Bits seen = __atomic_load_n(bits, __ATOMIC_RELAXED);
    for (;;) {
        T old = of_bits<T>(seen);
        Bits wanted = Bits(bits_of<T>(change(old)));
        if (__atomic_compare_exchange_n(bits, &seen, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return old;
    }
}

}  // namespace simt

#define SIMT_INTEGER(X, ...) X(int, __VA_ARGS__) X(unsigned, __VA_ARGS__) X(unsigned long long, __VA_ARGS__) \
    X(long long, __VA_ARGS__) X(unsigned long, __VA_ARGS__)
#define SIMT_ATOMICS(type, name, result) \
    SIMT_INLINE type name(type *address, type value) { \
        return simt::exchange_by(address, [=](type old) -> type { return result; }); \
    }
#define SIMT_ALL_SUFFIXES(X, name, result) \
    X(SIMT_ATOMICS, name, result) X(SIMT_ATOMICS, name##_block, result) X(SIMT_ATOMICS, name##_system, result)
#define SIMT_NUMBERS(X, ...) SIMT_INTEGER(X, __VA_ARGS__) X(float, __VA_ARGS__) X(double, __VA_ARGS__)

SIMT_ALL_SUFFIXES(SIMT_NUMBERS, atomicAdd, old + value)
SIMT_ALL_SUFFIXES(SIMT_INTEGER, atomicSub, old - value)
SIMT_ALL_SUFFIXES(SIMT_NUMBERS, atomicExch, value)
SIMT_ALL_SUFFIXES(SIMT_INTEGER, atomicMin, old < value ? old : value)
SIMT_ALL_SUFFIXES(SIMT_INTEGER, atomicMax, old > value ? old : value)
SIMT_ALL_SUFFIXES(SIMT_INTEGER, atomicAnd, old & value)
SIMT_ALL_SUFFIXES(SIMT_INTEGER, atomicOr, old | value)
SIMT_ALL_SUFFIXES(SIMT_INTEGER, atomicXor, old ^ value)
SIMT_ATOMICS(unsigned, atomicInc, old >= value ? 0 : old + 1)
SIMT_ATOMICS(unsigned, atomicDec, old == 0 || old > value ? value : old - 1)

#define SIMT_SWAPS(type, name) \
    SIMT_INLINE type name(type *address, type compare, type value) { \
        return simt::exchange_by(address, [=](type old) -> type { return old == compare ? value : old; }); \
    }
SIMT_INTEGER(SIMT_SWAPS, atomicCAS)
SIMT_INTEGER(SIMT_SWAPS, atomicCAS_block)
SIMT_INTEGER(SIMT_SWAPS, atomicCAS_system)
SIMT_SWAPS(unsigned short, atomicCAS)
#undef SIMT_SWAPS
#undef SIMT_ATOMICS
#undef SIMT_NUMBERS
#undef SIMT_INTEGER
#undef SIMT_ALL_SUFFIXES
