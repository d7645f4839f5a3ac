// What a compiled module and the driver know of each other: the state of the running thread, a module's table of
// kernels, and the functions of the driver that kernels call. The header of every module, and of the driver.
#pragma once

struct uint3 { unsigned x, y, z; };

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
    constexpr dim3(uint3 v) : x(v.x), y(v.y), z(v.z) {}
    operator uint3() const { return {x, y, z}; }
};

namespace simt {

constexpr unsigned abi_version = 1;
constexpr unsigned warp_size = 32;
constexpr unsigned most_dynamic_shared = 166912;  // of a block, as on compute capability 8.0

// The thread that a worker runs now. Each worker has one, in its thread-local storage; the driver changes it.
struct Thread {
    uint3 thread, block;
    uint3 threads, blocks;  // blockDim, gridDim
    unsigned lane;
    void *fiber;  // null where threads run as a plain loop
};

struct Parameter { unsigned size, alignment; };

// One kernel of a module. `thread` runs one thread, `loop` all threads of a block, in order.
struct Kernel {
    const char *name;
    void *function;
    void (*thread)(void **arguments);
    void (*loop)(void **arguments);
    const Parameter *parameters;
    unsigned parameter_count;
    unsigned uses_barriers;
};

struct ModuleTable {
    unsigned abi;
    unsigned checked;  // compiled for check mode
    const Kernel *begin, *end;
    char *(*dynamic_shared)();  // the calling worker's dynamic shared memory
};

// What lanes of a warp do together; see `simt_warp`.
enum class Vote : unsigned { sync, shuffle, ballot, match_any, match_all, add, least, greatest, least_signed,
                             greatest_signed, conjunction, disjunction, exclusive };

// What an access of check mode is.
enum Access : unsigned { access_read = 0, access_write = 1, access_atomic = 2, access_volatile = 4 };

// What a texture or surface reads: the driver fills it when one is bound.
struct Image {
    char *data;
    unsigned width, height, depth;   // in elements; height and depth of what has fewer dimensions are 1
    unsigned element;                // bytes
    unsigned long pitch;
    unsigned format, channels;
    unsigned normalized, linear;     // coordinates; filtering
    unsigned beyond[3];              // of each axis: 0 wraps, 1 clamps, 2 mirrors, 3 is zero
};

struct Place { const char *file; unsigned line; };

}  // namespace simt

extern "C" {
extern __thread simt::Thread simt_thread __attribute__((tls_model("initial-exec")));

// All threads of the block arrive; the number of those whose predicate is true is returned in all of them.
unsigned simt_barrier(const char *file, unsigned line, unsigned predicate);
// The lanes of `mask` arrive, each with a value; what each gets depends on the vote: of a shuffle the value of lane
// `source`, of a ballot the lanes whose value is not zero.
unsigned long long simt_warp(simt::Vote vote, unsigned mask, unsigned long long value, unsigned source);
unsigned simt_active_mask();
void simt_fence();                                   // __threadfence
void simt_yield();                                   // __nanosleep, and spinning
void simt_lockstep(int writing);                     // before an access to what is volatile
void simt_access(const void *address, unsigned long size, unsigned access, const void *at);
[[noreturn]] void simt_fail(unsigned code, const char *text, const char *file, unsigned line);
int simt_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
}
