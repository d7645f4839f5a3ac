// What g++ -fsanitize=thread calls at each access to memory; no sanitizer's library is linked. In the mode check every
// access is told to the driver. With SIMT_LOCKSTEP, for text from before CUDA 9 that relies on the lanes of a warp
// running in step, accesses to volatile variables keep the lanes in step, and all others are let pass.
#pragma once

#define SIMT_HOOK extern "C" __attribute__((no_sanitize("thread"), noinline, used, visibility("hidden")))

#ifdef SIMT_CHECKED
#define SIMT_TOLD(address, size, kind) simt_access(address, size, kind, __builtin_return_address(0))
#else
#define SIMT_TOLD(address, size, kind) ((void)(address), (void)(size))
#endif

#define SIMT_PLAIN(size) \
    SIMT_HOOK void __tsan_read##size(void *at) { SIMT_TOLD(at, size, simt::access_read); } \
    SIMT_HOOK void __tsan_write##size(void *at) { SIMT_TOLD(at, size, simt::access_write); } \
    SIMT_HOOK void __tsan_unaligned_read##size(void *at) { SIMT_TOLD(at, size, simt::access_read); } \
    SIMT_HOOK void __tsan_unaligned_write##size(void *at) { SIMT_TOLD(at, size, simt::access_write); } \
    SIMT_HOOK void __tsan_volatile_read##size(void *at) { \
        simt_lockstep(0); \
        SIMT_TOLD(at, size, simt::access_read | simt::access_volatile); \
    } \
    SIMT_HOOK void __tsan_volatile_write##size(void *at) { \
        simt_lockstep(1); \
        SIMT_TOLD(at, size, simt::access_write | simt::access_volatile); \
    }
SIMT_PLAIN(1)
SIMT_PLAIN(2)
SIMT_PLAIN(4)
SIMT_PLAIN(8)
SIMT_PLAIN(16)
#undef SIMT_PLAIN

SIMT_HOOK void __tsan_read_range(void *at, long size) { SIMT_TOLD(at, size, simt::access_read); }
SIMT_HOOK void __tsan_write_range(void *at, long size) { SIMT_TOLD(at, size, simt::access_write); }
SIMT_HOOK void __tsan_vptr_update(void *, void *) {}
SIMT_HOOK void __tsan_vptr_read(void *) {}
SIMT_HOOK void __tsan_init() {}
SIMT_HOOK void __tsan_func_entry(void *) {}
SIMT_HOOK void __tsan_func_exit(void *) {}

// What g++ -fsanitize=alignment,bounds calls in the mode check, for a vector that is not aligned to its size and an index
// beyond an array whose length is known.
#ifdef SIMT_CHECKED
namespace simt {
struct SourcePlace { const char *file; unsigned line, column; };
struct Misaligned { SourcePlace place; void *type; unsigned char alignment, kind; };
struct Beyond { SourcePlace place; void *array, *index; };
}  // namespace simt

SIMT_HOOK void __ubsan_handle_type_mismatch_v1(void *misaligned, void *) {
    const simt::SourcePlace &place = static_cast<simt::Misaligned *>(misaligned)->place;
    simt_fail(716, "an access to what is not aligned to its size", place.file, place.line);
}
SIMT_HOOK void __ubsan_handle_out_of_bounds(void *beyond, void *) {
    const simt::SourcePlace &place = static_cast<simt::Beyond *>(beyond)->place;
    simt_fail(700, "an index beyond its array", place.file, place.line);
}
#endif
