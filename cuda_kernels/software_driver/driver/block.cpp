// Running a block: a plain loop over its threads, or, where they meet at barriers or exchange values in a warp, a
// fiber for each. In the mode shuffled, warps and threads take turns in an order of chance.
#include "shadow.h"

#include <cstring>

__thread simt::Thread simt_thread __attribute__((tls_model("initial-exec"), visibility("default")));

namespace software {

thread_local Worker *worker = nullptr;

uint3 thread_index(const Launch &launch, unsigned number) {
    const uint3 &size = launch.threads;
    return {number % size.x, number / size.x % size.y, number / (size.x * size.y)};
}

void set_thread(Worker &worker, unsigned number) {
    worker.thread_number = number;
    simt_thread.thread = thread_index(*worker.launch, number);
    simt_thread.lane = number % simt::warp_size;
}

std::string where(const Worker &worker) {
    const uint3 &block = simt_thread.block, &thread = simt_thread.thread;
    return format("kernel %s, block (%u, %u, %u), thread (%u, %u, %u)", worker.launch->function->kernel->name, block.x,
                  block.y, block.z, thread.x, thread.y, thread.z);
}

void leave_kernel(CUresult code, std::string text) {
    worker->fault.code = code;
    worker->fault.text = std::move(text);
    siglongjmp(worker->escape, 1);
}

namespace {

std::string place_text(const simt::Place &place) {
    const char *name = strrchr(place.file, '/');
    return format("%s:%u", name ? name + 1 : place.file, place.line);
}

bool same(const simt::Place &a, const simt::Place &b) { return a.line == b.line && !strcmp(a.file, b.file); }

// Threads of the block that live have all arrived: they must be at one barrier.
void complete_barrier() {
    const Fiber *first = nullptr;
    for (Fiber &fiber : worker->fibers) {
        if (fiber.state != State::at_barrier) continue;
        if (!first) first = &fiber;
        if (same(first->place, fiber.place)) continue;
        leave_kernel(CUDA_ERROR_LAUNCH_FAILED,
                     format("divergent barrier: thread %u waits at %s, thread %u at %s, in %s", first->number,
                            place_text(first->place).c_str(), fiber.number, place_text(fiber.place).c_str(),
                            where(*worker).c_str()));
    }
    for (Fiber &fiber : worker->fibers) {
        if (fiber.state != State::at_barrier) continue;
        fiber.state = State::ready;
        fiber.result = worker->votes_of_predicate;
        fiber.barriers++;
    }
    worker->arrived = worker->votes_of_predicate = 0;
}

Fiber *warp_of(const Fiber &fiber) { return &worker->fibers[fiber.number / simt::warp_size * simt::warp_size]; }

unsigned lanes_in(const Fiber *warp) {
    size_t first = size_t(warp - worker->fibers.data()), left = worker->fibers.size() - first;
    return left < simt::warp_size ? unsigned(left) : simt::warp_size;
}

// The lanes of a mask that exist and live.
unsigned present(const Fiber *warp, unsigned mask) {
    unsigned lanes = 0;
    for (unsigned lane = 0; lane < lanes_in(warp); lane++) {
        if (mask >> lane & 1 && warp[lane].state != State::done) lanes |= 1u << lane;
    }
    return lanes;
}

unsigned long long reduced(simt::Vote vote, unsigned long long a, unsigned long long b) {
    auto x = unsigned(a), y = unsigned(b);
    switch (vote) {
    case simt::Vote::add: return x + y;
    case simt::Vote::least: return x < y ? x : y;
    case simt::Vote::greatest: return x > y ? x : y;
    case simt::Vote::least_signed: return unsigned(int(x) < int(y) ? x : y);
    case simt::Vote::greatest_signed: return unsigned(int(x) > int(y) ? x : y);
    case simt::Vote::conjunction: return x & y;
    case simt::Vote::disjunction: return x | y;
    default: return x ^ y;
    }
}

unsigned equal_lanes(const Fiber *warp, unsigned lanes, unsigned long long value) {
    unsigned equal = 0;
    for (unsigned lane = 0; lane < simt::warp_size; lane++) {
        if (lanes >> lane & 1 && warp[lane].value == value) equal |= 1u << lane;
    }
    return equal;
}

unsigned long long answer_for(const Fiber *warp, const Fiber &fiber, unsigned lanes) {
    unsigned long long answer = 0;
    switch (fiber.vote) {
    case simt::Vote::sync:
        return lanes;
    case simt::Vote::shuffle:
        return lanes >> fiber.source & 1 ? warp[fiber.source].value : fiber.value;
    case simt::Vote::ballot:
        for (unsigned lane = 0; lane < simt::warp_size; lane++)
            answer |= (lanes >> lane & 1 && warp[lane].value ? 1ull : 0ull) << lane;
        return answer;
    case simt::Vote::match_any:
        return equal_lanes(warp, lanes, fiber.value);
    case simt::Vote::match_all:
        return equal_lanes(warp, lanes, fiber.value) == lanes ? lanes : 0;
    default: {
        bool first = true;
        for (unsigned lane = 0; lane < simt::warp_size; lane++) {
            if (!(lanes >> lane & 1)) continue;
            answer = first ? warp[lane].value : reduced(fiber.vote, answer, warp[lane].value);
            first = false;
        }
        return answer;
    }
    }
}

// Ends the warp operation that `mask` names when all its lanes have come to it.
void try_vote(Fiber *warp, unsigned mask, simt::Vote vote) {
    unsigned lanes = present(warp, mask);
    for (unsigned lane = 0; lane < simt::warp_size; lane++) {
        if (!(lanes >> lane & 1)) continue;
        const Fiber &fiber = warp[lane];
        if (fiber.state != State::at_vote || fiber.mask != mask || fiber.vote != vote) return;
    }
    for (unsigned lane = 0; lane < simt::warp_size; lane++) {
        if (lanes >> lane & 1) warp[lane].answer = answer_for(warp, warp[lane], lanes);
    }
    for (unsigned lane = 0; lane < simt::warp_size; lane++) {
        if (!(lanes >> lane & 1)) continue;
        warp[lane].state = State::ready;
        warp[lane].votes++;
    }
}

// Gives way until what the fiber waits for has come.
void wait(Fiber &fiber) {
    while (fiber.state != State::ready) switch_to(&fiber.position, worker->scheduler);
}

void needs_fiber(const char *what) {
    if (!worker || !worker->inside) abort();
    if (!worker->running)
        leave_kernel(CUDA_ERROR_LAUNCH_FAILED, std::string(what) + " in a kernel registered as using none, in "
                     + where(*worker));
}

void fiber_main() {
    Fiber &fiber = *worker->running;
    worker->launch->function->kernel->thread(worker->launch->arguments.data());
    fiber.state = State::done;
    worker->alive--;
    if (worker->alive && worker->arrived == worker->alive) complete_barrier();
    Fiber *warp = warp_of(fiber);
    for (unsigned lane = 0; lane < lanes_in(warp); lane++) {
        if (warp[lane].state == State::at_vote) try_vote(warp, warp[lane].mask, warp[lane].vote);
    }
    switch_to(&fiber.position, worker->scheduler);
    abort();
}

std::string waiting_places() {
    std::map<std::string, unsigned> places;
    for (const Fiber &fiber : worker->fibers) {
        if (fiber.state == State::at_barrier) places["the barrier at " + place_text(fiber.place)]++;
        if (fiber.state == State::at_vote) places[format("a warp operation of the lanes 0x%08x", fiber.mask)]++;
    }
    std::string text;
    for (const auto &[place, count] : places)
        text += format("%s%u thread%s at %s", text.empty() ? "" : ", ", count, count == 1 ? "" : "s", place.c_str());
    return text;
}

}  // namespace

void Worker::resume(Fiber &fiber) {
    running = &fiber;
    thread_number = fiber.number;
    simt_thread.thread = fiber.thread;
    simt_thread.lane = fiber.number % simt::warp_size;
    simt_thread.fiber = &fiber;
    switch_to(&scheduler, fiber.position);
    running = nullptr;
}

// Runs the lanes of a warp until none can go on; whether any did.
bool Worker::run_warp(unsigned first, const std::vector<unsigned> *lanes) {
    bool any = false, again = true;
    auto count = unsigned(fibers.size()) - first;
    if (count > simt::warp_size) count = simt::warp_size;
    while (again) {
        again = false;
        for (unsigned i = 0; i < simt::warp_size; i++) {
            unsigned lane = lanes ? (*lanes)[i] : i;
            if (lane >= count || fibers[first + lane].state != State::ready) continue;
            yielded = false;
            resume(fibers[first + lane]);
            any = true;
            again |= !yielded;  // who gave way waits for another warp, perhaps
        }
    }
    return any;
}

void Worker::run_fibers() {
    unsigned count = launch->thread_count();
    if (!stacks || stacks->count() < count) stacks.reset(new Stacks(count));
    fibers.assign(count, Fiber{});
    for (unsigned i = 0; i < count; i++) {
        fibers[i].number = i;
        fibers[i].thread = thread_index(*launch, i);
        fibers[i].position = first_position(stacks->stack(i), stacks->bytes(), fiber_main);
    }
    alive = count, arrived = votes_of_predicate = 0;
    unsigned warps = (count + simt::warp_size - 1) / simt::warp_size;
    bool shuffled = context->mode == Mode::shuffled;
    while (alive) {
        bool any = false;
        if (shuffled) order = random.permutation(warps);
        for (unsigned i = 0; i < warps; i++) {
            std::vector<unsigned> lanes;
            if (shuffled) lanes = random.permutation(simt::warp_size);
            any |= run_warp((shuffled ? order[i] : i) * simt::warp_size, shuffled ? &lanes : nullptr);
        }
        if (!any && alive)
            leave_kernel(CUDA_ERROR_LAUNCH_FAILED, "deadlock: " + waiting_places() + ", in " + where(*this));
    }
    simt_thread.fiber = nullptr;
}

void Worker::run_loop() {
    const simt::Kernel &kernel = *launch->function->kernel;
    if (context->mode == Mode::fast || context->mode == Mode::guard) return kernel.loop(launch->arguments.data());
    unsigned count = launch->thread_count();
    if (context->mode == Mode::shuffled) order = random.permutation(count);
    for (unsigned i = 0; i < count; i++) {
        set_thread(*this, context->mode == Mode::shuffled ? order[i] : i);
        kernel.thread(launch->arguments.data());
    }
}

// What shared memory holds at first is not to be relied on: ones, which are NaN in an array of floats.
void Worker::fill_shared() {
    char *behind = shared.dynamic + dynamic_capacity;
    memset(shared.begin, 0xff, size_t(shared.dynamic - shared.begin));
    memset(shared.dynamic, 0xff, launch->dynamic_shared);
    if (shared.end > behind) memset(behind, 0xff, size_t(shared.end - behind));
}

void Worker::run_block(size_t number) {
    const uint3 &blocks = launch->blocks;
    block_number = number;
    simt_thread.block = {unsigned(number % blocks.x), unsigned(number / blocks.x % blocks.y),
                         unsigned(number / blocks.x / blocks.y)};
    simt_thread.blocks = blocks;
    simt_thread.threads = launch->threads;
    simt_thread.thread = {0, 0, 0};
    simt_thread.lane = 0;
    simt_thread.fiber = nullptr;
    running = nullptr;
    if (context->mode != Mode::fast) fill_shared();
    if (checker) checker->begin_block();
    if (launch->function->kernel->uses_barriers) run_fibers();
    else run_loop();
    if (checker) checker->end_block();
}

}  // namespace software

using namespace software;

#define RUNTIME extern "C" __attribute__((visibility("default")))

RUNTIME unsigned simt_barrier(const char *file, unsigned line, unsigned predicate) {
    needs_fiber("a barrier");
    Fiber &fiber = *worker->running;
    fiber.place = {file, line};
    fiber.state = State::at_barrier;
    worker->arrived++;
    worker->votes_of_predicate += predicate != 0;
    if (worker->arrived == worker->alive) complete_barrier();
    wait(fiber);
    return fiber.result;
}

RUNTIME unsigned long long simt_warp(simt::Vote vote, unsigned mask, unsigned long long value, unsigned source) {
    needs_fiber("a warp operation");
    Fiber &fiber = *worker->running;
    if (!(mask >> simt_thread.lane & 1))
        leave_kernel(CUDA_ERROR_LAUNCH_FAILED, format("a warp operation of the lanes 0x%08x by lane %u, which is not "
                     "among them, in %s", mask, simt_thread.lane, where(*worker).c_str()));
    fiber.vote = vote, fiber.mask = mask, fiber.value = value, fiber.source = source;
    fiber.state = State::at_vote;
    try_vote(warp_of(fiber), mask, vote);
    wait(fiber);
    return fiber.answer;
}

// Lanes run one at a time here, so that each is a group of its own, which the definition allows.
RUNTIME unsigned simt_active_mask() { return 1u << simt_thread.lane; }

RUNTIME void simt_yield() {
    if (!worker || !worker->running) return;
    worker->yielded = true;
    switch_to(&worker->running->position, worker->scheduler);
}

// All lanes of the warp that go on come here before one writes, and again before one reads what was written.
RUNTIME void simt_lockstep(int writing) {
    if (!worker || !worker->running) return;
    Fiber &fiber = *worker->running;
    if (!writing && !fiber.wrote_volatile) return;
    switch_to(&fiber.position, worker->scheduler);
    fiber.wrote_volatile = writing;
}
