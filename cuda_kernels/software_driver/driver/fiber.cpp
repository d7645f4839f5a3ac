// Switching between fibers: a few instructions on x86-64 and AArch64, ucontext elsewhere.
#include "fiber.h"

#include "driver.h"

#include <sys/mman.h>

#if defined(__x86_64__)

// What a call must keep: rbx, rbp, r12 to r15. The rounding mode is the same in all fibers.
asm(R"(
    .text
    .type symtensor_switch, @function
symtensor_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size symtensor_switch, . - symtensor_switch
)");
static constexpr int saved_words = 6;

#elif defined(__aarch64__)

// x19 to x30 and d8 to d15; the address to go on at is x30.
asm(R"(
    .text
    .type symtensor_switch, %function
symtensor_switch:
    sub sp, sp, #160
    stp x19, x20, [sp, #0]
    stp x21, x22, [sp, #16]
    stp x23, x24, [sp, #32]
    stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]
    stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    mov sp, x1
    ldp x19, x20, [sp, #0]
    ldp x21, x22, [sp, #16]
    ldp x23, x24, [sp, #32]
    ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]
    ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]
    ldp d10, d11, [sp, #112]
    ldp d12, d13, [sp, #128]
    ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
    .size symtensor_switch, . - symtensor_switch
)");

#else

#include <ucontext.h>

#endif

namespace software {

#if defined(__x86_64__) || defined(__aarch64__)

extern "C" void symtensor_switch(Position *from, Position to);

void switch_to(Position *from, Position to) { symtensor_switch(from, to); }

Position first_position(char *stack, size_t bytes, void (*entry)()) {
    auto top = reinterpret_cast<uintptr_t>(stack + bytes) & ~uintptr_t(15);
    auto words = reinterpret_cast<void **>(top);
#if defined(__x86_64__)
    *--words = nullptr;  // where entry() would return to: the stack is then aligned as after a call
    *--words = reinterpret_cast<void *>(entry);
    for (int i = 0; i < saved_words; i++) *--words = nullptr;
#else
    words -= 20;
    for (int i = 0; i < 20; i++) words[i] = nullptr;
    words[11] = reinterpret_cast<void *>(entry);
#endif
    return words;
}

#else

void switch_to(Position *from, Position to) {
    ucontext_t here;
    *from = &here;
    swapcontext(&here, static_cast<ucontext_t *>(to));
}

Position first_position(char *stack, size_t bytes, void (*entry)()) {
    auto context = reinterpret_cast<ucontext_t *>(stack);  // at the far end of the stack it describes
    getcontext(context);
    context->uc_stack.ss_sp = stack + sizeof *context;
    context->uc_stack.ss_size = bytes - sizeof *context;
    context->uc_link = nullptr;
    makecontext(context, entry, 0);
    return context;
}

#endif

Stacks::Stacks(size_t count) : number(count) {
    void *address = mmap(nullptr, stride * count, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (address == MAP_FAILED) fail(CUDA_ERROR_OUT_OF_MEMORY, "stacks for %zu threads", count);
    pages = static_cast<char *>(address);
    for (size_t i = 0; i < count; i++) mprotect(pages + i * stride, guard, PROT_NONE);
}

Stacks::~Stacks() { munmap(pages, stride * number); }

}  // namespace software
