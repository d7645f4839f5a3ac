// Signals raised by a kernel become errors of its launch: a bad address error 700, a division by zero 719, and a
// launch that takes too long 702. Handlers are installed while kernels run, and no longer.
#include "fault.h"

#include <cstring>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

namespace software {

namespace {

constexpr int caught[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL};
constexpr size_t signal_stack_bytes = 64 << 10;
std::mutex handlers_lock;
int handlers_users = 0;
struct sigaction old_actions[4], old_timeout;

int timeout_signal() { return SIGRTMIN + 7; }

// What the handler found; put into words after the kernel was left.
thread_local struct { int signal; void *address; void *instruction; } raised;

void *instruction_of(void *context) {
#if defined(__x86_64__)
    return reinterpret_cast<void *>(static_cast<ucontext_t *>(context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return reinterpret_cast<void *>(static_cast<ucontext_t *>(context)->uc_mcontext.pc);
#else
    (void)context;
    return nullptr;
#endif
}

void handle(int signal, siginfo_t *info, void *context) {
    if (worker && worker->inside) {
        worker->inside = false;
        raised = {signal, info->si_addr, instruction_of(context)};
        siglongjmp(worker->escape, 1);
    }
    if (signal == timeout_signal()) return;
    // Not a kernel's: back to what was there before, where the instruction raises it again.
    for (int i = 0; i < 4; i++) {
        if (caught[i] == signal) sigaction(signal, &old_actions[i], nullptr);
    }
}

void install() {
    std::lock_guard<std::mutex> held(handlers_lock);
    if (handlers_users++) return;
    struct sigaction action {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (int i = 0; i < 4; i++) sigaction(caught[i], &action, &old_actions[i]);
    sigaction(timeout_signal(), &action, &old_timeout);
}

void remove() {
    std::lock_guard<std::mutex> held(handlers_lock);
    if (--handlers_users) return;
    for (int i = 0; i < 4; i++) sigaction(caught[i], &old_actions[i], nullptr);
    sigaction(timeout_signal(), &old_timeout, nullptr);
}

std::string address_text(const void *address) {
    auto at = static_cast<const char *>(address);
    const Allocation *before = nearest_allocation(address);
    if (before && at < before->address + before->size)
        return format("%p, byte %zu of an allocation of %zu bytes", address, size_t(at - before->address), before->size);
    auto next = allocations.upper_bound(const_cast<char *>(at));
    constexpr size_t near = 1 << 20;
    size_t behind = before ? size_t(at - before->address - before->size) : near;
    size_t ahead = next != allocations.end() ? size_t(next->first - at) : near;
    if (behind < near && behind <= ahead)
        return format("%p, %zu bytes behind an allocation of %zu bytes", address, behind, before->size);
    if (ahead < near) return format("%p, %zu bytes before an allocation of %zu bytes", address, ahead, next->second.size);
    return format("%p, which is in no allocation", address);
}

}  // namespace

FaultGuard::FaultGuard(Worker &, double seconds) {
    install();
    signal_stack.resize(signal_stack_bytes);
    stack_t stack{};
    stack.ss_sp = signal_stack.data();
    stack.ss_size = signal_stack.size();
    sigaltstack(&stack, &old_stack);
    if (seconds <= 0) return;
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = timeout_signal();
    event._sigev_un._tid = pid_t(syscall(SYS_gettid));
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer)) return;  // time on a busy machine does not count
    timed = true;
    itimerspec limit{};
    limit.it_value.tv_sec = time_t(seconds);
    limit.it_value.tv_nsec = long((seconds - double(limit.it_value.tv_sec)) * 1e9);
    timer_settime(timer, 0, &limit, nullptr);
}

FaultGuard::~FaultGuard() {
    if (timed) timer_delete(timer);
    sigaltstack(&old_stack, nullptr);
    remove();
}

void explain_fault(Worker &worker) {
    Fault &fault = worker.fault;
    if (fault.code != CUDA_SUCCESS) return;
    std::string place = where(worker);
    std::string line = source_line(*worker.launch->function->module, raised.instruction);
    if (!line.empty()) place += ", " + line;
    if (raised.signal == timeout_signal()) {
        fault.code = CUDA_ERROR_LAUNCH_TIMEOUT;
        fault.text = format("it ran for more than %g s, in %s", settings.seconds, place.c_str());
    } else if (raised.signal == SIGFPE) {
        fault.code = CUDA_ERROR_LAUNCH_FAILED;
        fault.text = "an integer was divided by zero, in " + place;
    } else if (raised.signal == SIGILL) {
        fault.code = CUDA_ERROR_ILLEGAL_INSTRUCTION;
        fault.text = "in " + place;
    } else if (worker.stacks && worker.stacks->holds(raised.address)) {
        fault.code = CUDA_ERROR_LAUNCH_FAILED;
        fault.text = format("local variables of more than %zu bytes, in %s", worker.stacks->bytes(), place.c_str());
    } else {
        fault.code = CUDA_ERROR_ILLEGAL_ADDRESS;
        fault.text = "at " + address_text(raised.address) + ", in " + place;
    }
}

}  // namespace software
