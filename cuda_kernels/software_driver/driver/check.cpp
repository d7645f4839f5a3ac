// The mode check: each access of a kernel to memory is held against those before it. Two accesses to a byte, one of
// them a write and not both atomic, are a race unless one thread does both, or a barrier of the block or a warp
// operation of the warp lies between; of different blocks, unless the later has by an atomic operation seen what the
// earlier published after a fence.
#include "shadow.h"

#include <algorithm>
#include <cstring>
#include <pthread.h>
#include <sys/mman.h>

namespace software {

namespace {

constexpr size_t unit = 4;              // bytes of a cell
constexpr size_t measured_blocks = 4;   // of a launch: the others cost memory as these do

struct Target {
    Cell *cells = nullptr;      // null: not watched
    size_t offset = 0;          // of the access in what the cells describe
    bool shared = false;
    std::string name() const {
        return shared ? format("byte %zu of shared memory", offset) : format("byte %zu of an allocation", offset);
    }
};

bool on_stack(const void *address) {
    static thread_local std::pair<char *, char *> own;
    if (!own.first) {
        pthread_attr_t attributes;
        void *begin;
        size_t bytes;
        pthread_getattr_np(pthread_self(), &attributes);
        pthread_attr_getstack(&attributes, &begin, &bytes);
        pthread_attr_destroy(&attributes);
        own = {static_cast<char *>(begin), static_cast<char *>(begin) + bytes};
    }
    return (address >= own.first && address < own.second) || (worker->stacks && worker->stacks->holds(address));
}

// The cells of a module's variables; those of a module that is gone are used by the next at its place.
bool find_variable(const void *address, Target &target) {
    static std::map<char *, std::vector<Cell>> cells;
    for (const auto &[begin, end] : worker->launch->function->module->segments) {
        if (address < begin || address >= end) continue;
        auto &own = cells[begin];
        own.resize(std::max(own.size(), size_t(end - begin) / unit + 2));
        target = {own.data(), size_t(static_cast<const char *>(address) - begin), false};
        return true;
    }
    return false;
}

const char *verb(unsigned kind) {
    if (kind & simt::access_atomic) return "changes";
    return kind & simt::access_write ? "writes" : "reads";
}

uint32_t place_of(const void *at) {
    return uint32_t(static_cast<const char *>(at) - worker->launch->function->module->base - 1);
}

[[noreturn]] void refuse(CUresult code, const char *kind, const std::string &what, uint32_t place) {
    std::string text = what + ", at " + line_of(place) + ", in " + where(*worker);
    report(kind, text, place);
    leave_kernel(code, text);
}

Record now(uint32_t place, unsigned kind) {
    Record record;
    const Fiber *fiber = worker->running;
    record.launch = worker->launch->number;
    record.block = uint32_t(worker->block_number);
    record.place = place;
    record.thread = uint16_t(worker->thread_number);
    record.barriers = fiber ? uint16_t(fiber->barriers) : 0;
    record.votes = fiber ? uint16_t(fiber->votes) : 0;
    record.atomic = (kind & simt::access_atomic) != 0;
    return record;
}

std::string thread_text(unsigned number) {
    uint3 thread = thread_index(*worker->launch, number);
    return format("thread (%u, %u, %u)", thread.x, thread.y, thread.z);
}

std::string block_text() {
    const uint3 &block = simt_thread.block;
    return format("kernel %s, block (%u, %u, %u)", worker->launch->function->kernel->name, block.x, block.y, block.z);
}

// Whether what `earlier` says was surely finished before `later`, or belongs to another launch.
bool ordered(const Record &earlier, const Record &later) {
    if (earlier.launch != later.launch) return true;
    if (earlier.block != later.block) return worker->checker->acquired.count(earlier.block) != 0;
    if (earlier.thread == later.thread || earlier.barriers != later.barriers) return true;
    bool one_warp = earlier.thread / simt::warp_size == later.thread / simt::warp_size;
    return one_warp && earlier.votes < later.votes;
}

void hold_against(const Record &earlier, bool earlier_wrote, const Record &later, unsigned kind, const Target &target) {
    if (!earlier.launch || ordered(earlier, later) || (earlier.atomic && later.atomic)) return;
    bool same_block = earlier.block == later.block;
    std::string other = thread_text(earlier.thread);
    if (!same_block) other += format(" of block %u", earlier.block);
    uint64_t key = (uint64_t(earlier.place) << 32 | later.place) ^ (same_block ? 1ull << 63 : 0);
    report("race", format("%s %s at %s what %s %s at %s, with %s between: %s, in %s", thread_text(later.thread).c_str(),
                          verb(kind), line_of(later.place).c_str(), other.c_str(),
                          earlier.atomic ? "changed" : earlier_wrote ? "wrote" : "read",
                          line_of(earlier.place).c_str(), same_block ? "no barrier" : "no order of blocks",
                          target.name().c_str(), block_text().c_str()), key);
}

void touch(Cell &cell, const Record &record, unsigned kind, const Target &target) {
    bool writes = kind & simt::access_write, reads = !writes || kind & simt::access_atomic;
    bool fresh = cell.write.launch != record.launch || cell.write.block != record.block;
    if (target.shared && reads && fresh)
        report("uninitialised", format("%s reads at %s what no thread of its block has written: %s, in %s",
                                       thread_text(record.thread).c_str(), line_of(record.place).c_str(),
                                       target.name().c_str(), block_text().c_str()), record.place);
    if (!(target.shared && fresh)) hold_against(cell.write, true, record, kind, target);
    if (writes) {
        for (const Record &read : cell.reads) {
            if (!target.shared || read.block == record.block) hold_against(read, false, record, kind, target);
        }
        cell.write = record;
    } else {
        if (cell.reads[0].thread != record.thread) cell.reads[1] = cell.reads[0];
        cell.reads[0] = record;
    }
}

void touch_bytes(Cell &cell, size_t first, size_t count, const Record &record, unsigned kind, const Target &target) {
    auto &parts = worker->checker->parts;
    if (cell.launch_of_parts != record.launch) cell.parts = 0;
    if (count == unit && !cell.parts) return touch(cell, record, kind, target);
    if (!cell.parts) {
        Parts made;
        for (Cell &part : made.of) part = cell;
        parts.push_back(made);
        cell.parts = uint32_t(parts.size() - 1);
        cell.launch_of_parts = record.launch;
    }
    for (size_t i = first; i < first + count; i++) touch(parts[cell.parts].of[i], record, kind, target);
}

Cell *cells_of(Allocation &allocation) {
    if (!allocation.shadow) {
        allocation.shadow_bytes = (allocation.size + unit - 1) / unit * sizeof(Cell);
        allocation.shadow = mmap(nullptr, allocation.shadow_bytes, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (allocation.shadow == MAP_FAILED) allocation.shadow = nullptr;
    }
    return static_cast<Cell *>(allocation.shadow);
}

Target shared_target(const void *address, size_t size, unsigned kind, uint32_t place) {
    const Shared &shared = worker->shared;
    auto at = static_cast<const char *>(address);
    size_t used = worker->launch->dynamic_shared;
    if (at >= shared.dynamic && at < shared.dynamic + worker->dynamic_capacity && at + size > shared.dynamic + used)
        refuse(CUDA_ERROR_ILLEGAL_ADDRESS, "out of bounds",
               format("it %s %zu bytes at byte %zu of the %zu bytes of dynamic shared memory", verb(kind), size,
                      size_t(at - shared.dynamic), used), place);
    return {worker->checker->shared.data(), size_t(at - shared.begin), true};
}

// Memory of another device is reached only where the context was given access to it.
void refuse_peer(const Allocation &allocation, uint32_t place) {
    const Context &context = *worker->context;
    if (allocation.device < 0 || allocation.device == context.device) return;
    if (std::count(context.peers.begin(), context.peers.end(), allocation.device)) return;
    refuse(CUDA_ERROR_ILLEGAL_ADDRESS, "foreign memory",
           format("it touches memory of device %d, to which no access was enabled", allocation.device), place);
}

Target target_of(const void *address, size_t size, unsigned kind, uint32_t place) {
    const Shared &shared = worker->shared;
    if (address >= shared.begin && address < shared.end) return shared_target(address, size, kind, place);
    auto at = static_cast<const char *>(address);
    Allocation *found = nearest_allocation(address);
    if (found && at < found->address + found->size + 4096 && at < found->pages + found->page_bytes + 4096) {
        size_t offset = size_t(at - found->address);
        refuse_peer(*found, place);
        if (offset + size <= found->size) return {cells_of(*found), offset, false};
        refuse(CUDA_ERROR_ILLEGAL_ADDRESS, "out of bounds",
               format("it %s %zu bytes at byte %zu of an allocation of %zu bytes", verb(kind), size, offset,
                      found->size), place);
    }
    Target variable;
    if (on_stack(address) || find_variable(address, variable)) return variable;
    auto next = allocations.upper_bound(const_cast<char *>(at));
    if (next != allocations.end() && next->first - at < 4096)
        refuse(CUDA_ERROR_ILLEGAL_ADDRESS, "out of bounds",
               format("it %s %zu bytes %zu bytes before an allocation of %zu bytes", verb(kind), size,
                      size_t(next->first - at), next->second.size), place);
    refuse(CUDA_ERROR_ILLEGAL_ADDRESS, "foreign memory",
           format("it %s %zu bytes at %p, which is no memory of the device", verb(kind), size, address), place);
}

}  // namespace

void Checker::begin_launch() {
    released.clear();
    parts.resize(1);
    shared.assign(size_t(worker->shared.end - worker->shared.begin) / unit + 2, Cell{});
}

void Checker::begin_block() {
    acquired.clear();
    fenced = false;
}

void Checker::end_block() {
    for (const auto &[key, request] : requests) {
        auto kind = unsigned(key >> 62);
        add_request(kind & 1, kind & 2, uint32_t(key), request);
    }
    requests.clear();
    visits.clear();
}

void Checker::access(const void *address, size_t size, unsigned kind, const void *at) {
    uint32_t place = place_of(at);
    Target target = target_of(address, size, kind, place);
    bool power = size == 2 || size == 4 || size == 8 || size == 16;
    if (power && target.cells && reinterpret_cast<uintptr_t>(address) % size)
        refuse(CUDA_ERROR_MISALIGNED_ADDRESS, "misaligned",
               format("it %s %zu bytes at %p, which is no multiple of %zu", verb(kind), size, address, size), place);
    if (!target.cells) return;
    if (kind & simt::access_atomic) {
        auto &blocks = released[address];
        acquired.insert(blocks.begin(), blocks.end());
        if (fenced) blocks.insert(uint32_t(worker->block_number));
    }
    Record record = now(place, kind);
    for (size_t byte = target.offset; byte < target.offset + size;) {
        size_t first = byte % unit, count = std::min(unit - first, target.offset + size - byte);
        touch_bytes(target.cells[byte / unit], first, count, record, kind, target);
        byte += count;
    }
    if (worker->block_number >= measured_blocks) return;
    unsigned visit = visits[uint64_t(place) << 16 | worker->thread_number]++;
    bool writes = kind & simt::access_write;
    uint64_t warp = worker->thread_number / simt::warp_size;
    uint64_t key = uint64_t((writes ? 2 : 0) | (target.shared ? 1 : 0)) << 62 | (visit & 0x1ffffffull) << 37 | warp << 32
        | place;
    requests[key].touched.emplace_back(reinterpret_cast<uintptr_t>(address), unsigned(size));
}

}  // namespace software

using namespace software;

#define RUNTIME extern "C" __attribute__((visibility("default")))

RUNTIME void simt_access(const void *address, unsigned long size, unsigned access, const void *at) {
    auto own = reinterpret_cast<const char *>(&simt_thread);
    if (!worker || !worker->inside || !worker->checker) return;
    if (address >= own && address < own + sizeof simt_thread) return;  // threadIdx and others
    worker->checker->access(address, size, access, at);
}

RUNTIME void simt_fence() {
    if (worker && worker->checker) worker->checker->fenced = true;
}
