// The table of a module's kernels.
#pragma once

namespace simt {

template <unsigned... I> struct Indices {};
template <unsigned N, unsigned... I> struct Count : Count<N - 1, N - 1, I...> {};
template <unsigned... I> struct Count<0, I...> { using type = Indices<I...>; };

template <typename T> struct Value { using type = T; };
template <typename T> struct Value<const T> { using type = T; };

// The driver hands arguments over in its own memory, which is no kernel's to be watched.
#define SIMT_UNWATCHED __attribute__((no_sanitize("thread")))

template <auto function> struct Entry;

// The parameters of a kernel, and how it is called with pointers to its arguments.
template <typename... P, void (*function)(P...)> struct Entry<function> {
    static constexpr unsigned count = sizeof...(P);
    static constexpr Parameter parameters[count + 1] = {{sizeof(P), alignof(P)}..., {0, 1}};

    template <unsigned... I>
    SIMT_UNWATCHED static void call(void **arguments, Indices<I...>) {
        (void)arguments;
        function(*static_cast<typename Value<P>::type *>(arguments[I])...);
    }

    SIMT_UNWATCHED static void thread(void **arguments) { call(arguments, typename Count<count>::type{}); }

    SIMT_UNWATCHED static void loop(void **arguments) {
        const uint3 size = simt_thread.threads;
        unsigned number = 0;
        for (unsigned z = 0; z < size.z; z++) {
            for (unsigned y = 0; y < size.y; y++) {
                for (unsigned x = 0; x < size.x; x++) {
                    simt_thread.thread = {x, y, z};
                    simt_thread.lane = number++ % warp_size;
                    thread(arguments);
                }
            }
        }
    }
};

SIMT_UNWATCHED inline char *dynamic_shared() { return simt_dynamic_shared; }

}  // namespace simt

extern "C" {
extern const simt::Kernel __start_simt_kernels[] __attribute__((weak, visibility("hidden")));
extern const simt::Kernel __stop_simt_kernels[] __attribute__((weak, visibility("hidden")));
__attribute__((used, visibility("default"))) extern const simt::ModuleTable simt_module;
#ifdef SIMT_CHECKED
#define SIMT_IS_CHECKED 1
#else
#define SIMT_IS_CHECKED 0
#endif
const simt::ModuleTable simt_module = {simt::abi_version, SIMT_IS_CHECKED, __start_simt_kernels, __stop_simt_kernels,
                                       simt::dynamic_shared};
}

#define SIMT_JOIN(a, b) SIMT_JOIN_(a, b)
#define SIMT_JOIN_(a, b) a##b
#define SYMTENSOR_KERNEL(name, barriers) \
    __attribute__((section("simt_kernels"), used, aligned(8))) \
    static const simt::Kernel SIMT_JOIN(simt_kernel_, __COUNTER__) = { \
        #name, reinterpret_cast<void *>(&name), simt::Entry<&name>::thread, simt::Entry<&name>::loop, \
        simt::Entry<&name>::parameters, simt::Entry<&name>::count, barriers};
