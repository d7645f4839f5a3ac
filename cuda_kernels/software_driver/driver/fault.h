// Signals raised by a kernel become errors of its launch.
#pragma once
#include "block.h"

#include <csignal>
#include <ctime>

namespace software {

// While one lives, faults of the kernels that the calling thread runs end the launch and not the process.
class FaultGuard {
public:
    FaultGuard(Worker &worker, double seconds);
    ~FaultGuard();

private:
    std::vector<char> signal_stack;
    stack_t old_stack{};
    timer_t timer{};
    bool timed = false;
};

// Completes worker.fault after a kernel was left, in words.
void explain_fault(Worker &worker);

}  // namespace software
