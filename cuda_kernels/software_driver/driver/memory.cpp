// Memory: each device has a range of addresses of its own, in which every allocation lies between pages that nobody
// may touch. In the modes guard and check it ends at such a page, is filled with ones, may be touched only while a
// copy or kernel runs, and its addresses are not given out again while others are left.
#include "driver.h"

#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace software {

std::map<char *, Allocation> allocations;

namespace {

constexpr size_t page = 4096;
constexpr size_t alignment = 256, guarded_alignment = 16;
constexpr size_t arena_bytes = size_t(1) << 40;

size_t rounded(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }

bool careful(const Context &context) { return context.mode == Mode::guard || context.mode == Mode::check; }

char *reserved(size_t bytes, int protection) {
    void *address = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED) fail(CUDA_ERROR_OUT_OF_MEMORY, "%zu bytes of addresses", bytes);
    return static_cast<char *>(address);
}

void protect(char *address, size_t bytes, int protection) {
    if (mprotect(address, bytes, protection))
        fail(CUDA_ERROR_OPERATING_SYSTEM, "mprotect of %zu bytes: too many allocations?", bytes);
}

// Pages for an allocation, with one beyond that stays closed.
char *pages_for(Device &device, size_t bytes, bool fresh) {
    if (!device.arena) {
        device.arena_bytes = arena_bytes;
        device.arena = reserved(arena_bytes, PROT_NONE);
        device.arena_next = page;
    }
    auto found = device.free_ranges.lower_bound(bytes);
    bool exhausted = device.arena_next + bytes + page > device.arena_bytes;
    char *address;
    if (found != device.free_ranges.end() && found->first == bytes && (!fresh || exhausted)) {
        address = found->second;
        device.free_ranges.erase(found);
    } else {
        if (exhausted) fail(CUDA_ERROR_OUT_OF_MEMORY, "addresses of device %d", device.number);
        address = device.arena + device.arena_next;
        device.arena_next += bytes + page;
    }
    protect(address, bytes, PROT_READ | PROT_WRITE);
    return address;
}

}  // namespace

Allocation *nearest_allocation(const void *address) {
    auto next = allocations.upper_bound(static_cast<char *>(const_cast<void *>(address)));
    return next == allocations.begin() ? nullptr : &std::prev(next)->second;
}

Allocation *allocation_of(const void *address) {
    Allocation *found = nearest_allocation(address);
    return found && address < found->address + (found->size ? found->size : 1) ? found : nullptr;
}

Allocation &allocate(Context &context, size_t bytes, bool managed) {
    if (!bytes) fail(CUDA_ERROR_INVALID_VALUE, "an allocation of no bytes");
    Device &device = device_of(context.device);
    if (bytes > settings.memory || device.used + bytes > settings.memory)
        fail(CUDA_ERROR_OUT_OF_MEMORY, "%zu bytes are asked for, %zu of %zu of device %d are in use", bytes,
             device.used, settings.memory, device.number);
    size_t whole = rounded(bytes, page);
    char *pages = pages_for(device, whole, careful(context));
    size_t slack = careful(context) ? whole - rounded(bytes, guarded_alignment) : 0;
    if (context.mode != Mode::fast) memset(pages, 0xff, whole);
    device.used += bytes;
    Allocation made{pages + slack, bytes, pages, whole, device.number, managed, &context};
    Allocation &kept = allocations.emplace(made.address, made).first->second;
    if (is_protected(kept)) protect(kept.pages, kept.page_bytes, PROT_NONE);
    return kept;
}

Allocation &allocate_host(size_t bytes) {
    if (!bytes) fail(CUDA_ERROR_INVALID_VALUE, "an allocation of no bytes");
    size_t whole = rounded(bytes, page);
    char *pages = reserved(whole, PROT_READ | PROT_WRITE);
    return allocations.emplace(pages, Allocation{pages, bytes, pages, whole, -1}).first->second;
}

void release(Allocation &allocation) {
    if (allocation.shadow) munmap(allocation.shadow, allocation.shadow_bytes);
    if (allocation.device < 0) {
        if (allocation.pages) munmap(allocation.pages, allocation.page_bytes);
    } else {
        Device &device = devices[allocation.device];
        madvise(allocation.pages, allocation.page_bytes, MADV_DONTNEED);
        mprotect(allocation.pages, allocation.page_bytes, PROT_NONE);
        device.used -= allocation.size;
        device.free_ranges.emplace(allocation.page_bytes, allocation.pages);
    }
    allocations.erase(allocation.address);
}

void release_memory_of(Context &context) {
    for (auto each = allocations.begin(); each != allocations.end();) {
        Allocation &allocation = (each++)->second;
        if (allocation.owner == &context) release(allocation);
    }
}

bool is_pinned(const void *address, size_t bytes) {
    Allocation *found = allocation_of(address);
    return found && (found->device < 0 || found->managed)
        && static_cast<const char *>(address) + bytes <= found->address + found->size;
}

void check_range(const void *address, size_t bytes, const char *what) {
    Allocation *found = allocation_of(address);
    auto begin = static_cast<const char *>(address);
    if (found && begin + bytes <= found->address + found->size) return;
    for (const auto &segment : data_segments()) {
        if (begin >= segment.first && begin + bytes <= segment.second) return;
    }
    if (found)
        fail(CUDA_ERROR_INVALID_VALUE, "%s: %zu bytes at byte %zu of an allocation of %zu", what, bytes,
             size_t(begin - found->address), found->size);
    fail(CUDA_ERROR_INVALID_VALUE, "%s: %p is no address of a device's memory", what, address);
}

// -- protection -----------------------------------------------------------------------------------------------------

bool is_protected(const Allocation &allocation) {
    return allocation.device >= 0 && !allocation.managed && allocation.owner && careful(*allocation.owner);
}

Opened::Opened(bool everything) {
    if (!everything) return;
    for (auto &each : allocations) open(&each.second);
}

Opened::Opened(std::initializer_list<const void *> addresses) {
    for (const void *address : addresses) open(allocation_of(address));
}

void Opened::open(Allocation *allocation) {
    if (!allocation || !is_protected(*allocation)) return;
    protect(allocation->pages, allocation->page_bytes, PROT_READ | PROT_WRITE);
    opened.push_back(allocation);
}

Opened::~Opened() {
    for (Allocation *allocation : opened) mprotect(allocation->pages, allocation->page_bytes, PROT_NONE);
}

}  // namespace software

using namespace software;

namespace {

char *pointer(CUdeviceptr address) { return reinterpret_cast<char *>(address); }
CUdeviceptr number(const void *address) { return reinterpret_cast<CUdeviceptr>(address); }

Allocation &allocation_at(const void *address, bool host, CUresult code = CUDA_ERROR_INVALID_VALUE) {
    auto found = allocations.find(static_cast<char *>(const_cast<void *>(address)));
    if (found == allocations.end() || (found->second.device < 0) != host)
        fail(code, "%p is not the beginning of an allocation%s", address, host ? " of the host" : "");
    return found->second;
}

}  // namespace

API cuMemGetInfo_v2(size_t *unused, size_t *total) {
    return working("cuMemGetInfo", [&](Context &context) {
        *total = settings.memory;
        *unused = settings.memory - devices[context.device].used;
    });
}

API cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
    return working("cuMemAlloc", [&](Context &context) {
        Allocation &made = allocate(context, bytes, false);
        *address = number(made.address);
    });
}

API cuMemAllocManaged(CUdeviceptr *address, size_t bytes, unsigned) {
    return working("cuMemAllocManaged", [&](Context &context) {
        *address = number(allocate(context, bytes, true).address);
    });
}

API cuMemAllocPitch_v2(CUdeviceptr *address, size_t *pitch, size_t width, size_t height, unsigned) {
    return working("cuMemAllocPitch", [&](Context &context) {
        *pitch = (width + 511) / 512 * 512;
        *address = number(allocate(context, *pitch * height, false).address);
    });
}

API cuMemFree_v2(CUdeviceptr address) {
    return working("cuMemFree", [&](Context &context) {
        if (!address) return;
        Allocation &allocation = allocation_at(pointer(address), false);
        finish_all(context);
        release(allocation);
    });
}

API cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream) { return cuMemAlloc_v2(address, bytes); }

API cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
    return working("cuMemFreeAsync", [&](Context &context) {
        char *begin = allocation_at(pointer(address), false).address;
        enqueue(context, stream, [begin] {
            auto found = allocations.find(begin);
            if (found != allocations.end()) release(found->second);
        });
    });
}

API cuMemGetAddressRange_v2(CUdeviceptr *begin, size_t *bytes, CUdeviceptr address) {
    return working("cuMemGetAddressRange", [&](Context &) {
        Allocation *found = allocation_of(pointer(address));
        if (!found) fail(CUDA_ERROR_NOT_FOUND, "%p is no address of a device's memory", pointer(address));
        if (begin) *begin = number(found->address);
        if (bytes) *bytes = found->size;
    });
}

// -- memory of the host ---------------------------------------------------------------------------------------------

API cuMemHostAlloc(void **address, size_t bytes, unsigned flags) {
    return working("cuMemHostAlloc", [&](Context &context) {
        Allocation &made = allocate_host(bytes);
        made.flags = flags | CU_MEMHOSTALLOC_DEVICEMAP;
        made.owner = &context;
        *address = made.address;
    });
}

API cuMemAllocHost_v2(void **address, size_t bytes) { return cuMemHostAlloc(address, bytes, 0); }

API cuMemFreeHost(void *address) {
    return working("cuMemFreeHost", [&](Context &context) {
        Allocation &allocation = allocation_at(address, true);
        finish_all(context);
        release(allocation);
    });
}

API cuMemHostRegister_v2(void *address, size_t bytes, unsigned flags) {
    return working("cuMemHostRegister", [&](Context &context) {
        if (!bytes || !address) fail(CUDA_ERROR_INVALID_VALUE, "%zu bytes at %p", bytes, address);
        if (allocation_of(address)) fail(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "at %p", address);
        auto begin = static_cast<char *>(address);
        Allocation made{begin, bytes, nullptr, 0, -1};
        made.flags = flags | CU_MEMHOSTALLOC_DEVICEMAP;
        made.owner = &context;
        allocations.emplace(begin, made);
    });
}

API cuMemHostUnregister(void *address) {
    return working("cuMemHostUnregister", [&](Context &context) {
        Allocation &allocation = allocation_at(address, true, CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
        finish_all(context);
        release(allocation);
    });
}

API cuMemHostGetDevicePointer_v2(CUdeviceptr *device, void *address, unsigned) {
    return working("cuMemHostGetDevicePointer", [&](Context &) {
        if (!is_pinned(address, 1)) fail(CUDA_ERROR_INVALID_VALUE, "%p is no address of pinned memory", address);
        *device = number(address);
    });
}

API cuMemHostGetFlags(unsigned *flags, void *address) {
    return working("cuMemHostGetFlags", [&](Context &) { *flags = allocation_at(address, true).flags; });
}

// -- what an address is ---------------------------------------------------------------------------------------------

API cuPointerGetAttribute(void *data, int attribute, CUdeviceptr address) {
    return entry("cuPointerGetAttribute", [&] {
        Allocation *found = allocation_of(pointer(address));
        if (!found) fail(CUDA_ERROR_INVALID_VALUE, "%p is unknown to the driver", pointer(address));
        switch (attribute) {
        case 1: *static_cast<Context **>(data) = found->owner; break;
        case 2: *static_cast<unsigned *>(data) = found->device < 0 ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE; break;
        case 3: *static_cast<CUdeviceptr *>(data) = address; break;
        case 4:
            if (found->device >= 0 && !found->managed) fail(CUDA_ERROR_INVALID_VALUE, "the host cannot reach it");
            *static_cast<void **>(data) = pointer(address);
            break;
        case 8: *static_cast<unsigned *>(data) = found->managed; break;
        case 9: *static_cast<int *>(data) = found->device < 0 ? found->owner->device : found->device; break;
        case 11: *static_cast<CUdeviceptr *>(data) = number(found->address); break;
        case 12: *static_cast<size_t *>(data) = found->size; break;
        default: fail(CUDA_ERROR_NOT_SUPPORTED, "attribute %d of cuPointerGetAttribute", attribute);
        }
    });
}
