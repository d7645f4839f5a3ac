// One block of threads as a worker runs it.
#pragma once
#include "driver.h"
#include "fiber.h"

#include <csetjmp>

namespace software {

enum class State : unsigned char { ready, at_barrier, at_vote, done };

struct Fiber {
    Position position = nullptr;
    State state = State::ready;
    bool wrote_volatile = false;        // since the lanes were last in step
    uint3 thread{};
    unsigned number = 0;
    simt::Place place{};                // of the barrier it waits at
    unsigned result = 0;                // of the barrier
    simt::Vote vote{};                  // of the warp operation it waits at
    unsigned mask = 0, source = 0;
    unsigned long long value = 0, answer = 0;
    unsigned barriers = 0, votes = 0;   // passed so far
};

struct Checker;

struct Fault {
    CUresult code = CUDA_SUCCESS;
    std::string text;
    const void *address = nullptr;  // of the instruction
};

// What a thread of the host needs to run blocks; one for each, kept.
struct Worker {
    Launch *launch = nullptr;
    Context *context = nullptr;
    size_t block_number = 0;
    Random random{1};
    Shared shared{};
    size_t dynamic_capacity = 0;
    std::vector<Fiber> fibers;
    std::unique_ptr<Stacks> stacks;
    Position scheduler = nullptr;
    Fiber *running = nullptr;
    unsigned thread_number = 0;  // of the running thread in its block
    unsigned alive = 0, arrived = 0, votes_of_predicate = 0;
    std::vector<unsigned> order;
    sigjmp_buf escape;
    bool yielded = false;
    std::shared_ptr<Checker> checker;  // in the mode check
    bool inside = false;      // a kernel: a signal is its fault
    Fault fault;

    void run_block(size_t number);

private:
    void fill_shared();
    void run_loop();
    void run_fibers();
    bool run_warp(unsigned first, const std::vector<unsigned> *order);
    void resume(Fiber &fiber);
};

extern thread_local Worker *worker;

std::string where(const Worker &worker);   // kernel, block and thread
uint3 thread_index(const Launch &launch, unsigned number);
[[noreturn]] void leave_kernel(CUresult code, std::string text);
void set_thread(Worker &worker, unsigned number);

}  // namespace software
