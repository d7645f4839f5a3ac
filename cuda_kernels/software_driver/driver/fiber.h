// Fibers: threads of a block that give way to each other at barriers, on one thread of the host.
#pragma once
#include <cstddef>

namespace software {

// Where a fiber that gave way goes on: its stack pointer, or its ucontext.
using Position = void *;

// Leaves this position in `from` and goes on at `to`.
void switch_to(Position *from, Position to);

// The position of a fiber that begins with entry(), which must not return.
Position first_position(char *stack, size_t bytes, void (*entry)());

// Stacks for the fibers of a worker's blocks, each above a page that nobody may touch; kept from block to block.
class Stacks {
public:
    explicit Stacks(size_t count);
    ~Stacks();
    char *stack(size_t index) const { return pages + index * stride + guard; }
    size_t bytes() const { return stride - guard; }
    size_t count() const { return number; }
    bool holds(const void *address) const { return address >= pages && address < pages + stride * number; }

private:
    static constexpr size_t guard = 4096, stride = guard + (252 << 10);
    size_t number;
    char *pages;
};

}  // namespace software
