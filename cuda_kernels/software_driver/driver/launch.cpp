// Launches: the arguments of a kernel, the blocks of its grid spread over workers, and the entries that start them.
#include "shadow.h"
#include "fault.h"

#include <atomic>
#include <cstdarg>
#include <cstring>
#include <thread>

namespace software {

namespace {

constexpr size_t threads_worth_a_worker = 1024;
std::atomic<uint32_t> launches{0};

int workers_for(const Context &context, const Launch &launch) {
    if (context.mode == Mode::check) return 1;
    size_t most = settings.workers ? size_t(settings.workers) : std::thread::hardware_concurrency();
    size_t worth = launch.block_count() * launch.thread_count() / threads_worth_a_worker;
    most = std::min({most, launch.block_count(), worth});
    return most < 1 ? 1 : int(most);
}

struct Grid {
    Grid(Context &context, Launch &launch) : context(context), launch(launch) {}
    Context &context;
    Launch &launch;
    std::vector<unsigned> order;     // of blocks, in the mode shuffled
    std::atomic<size_t> next{0};
    std::atomic<bool> failed{false};
    std::mutex lock;
    Fault fault;

    void work(int number) {
        thread_local Worker own;
        worker = &own;
        own.launch = &launch;
        own.context = &context;
        own.random.state = context.random.state + uint64_t(number);
        own.shared = shared_of_worker(*launch.function->module);
        own.dynamic_capacity = launch.function->module->symbols.at("simt_dynamic_shared").size;
        own.fault = Fault{};
        own.checker = context.mode == Mode::check ? std::make_shared<Checker>() : nullptr;
        if (own.checker) own.checker->begin_launch();
        FaultGuard guard(own, settings.seconds);
        if (sigsetjmp(own.escape, 1) == 0) {
            run_blocks(own);
            own.inside = false;
        } else {
            own.inside = false;
            keep(own);
        }
        simt_thread.fiber = nullptr;
        own.running = nullptr;
        worker = nullptr;
    }

    void run_blocks(Worker &own) {
        try {
            own.inside = true;
            for (size_t i; !failed && (i = next++) < launch.block_count();) own.run_block(order.empty() ? i : order[i]);
        } catch (const Failure &failure) {  // of the driver itself: no memory for stacks, perhaps
            own.fault.code = failure.code;
            own.fault.text = failure.text;
            keep(own);
        }
    }

    void keep(Worker &own) {
        std::lock_guard<std::mutex> held(lock);
        if (failed.exchange(true)) return;
        explain_fault(own);
        fault = own.fault;
    }
};

// Copies the arguments, so that the launch may be later than the call.
void take_arguments(Launch &launch, void **pointers, const char *packed, size_t packed_bytes) {
    const simt::Kernel &kernel = *launch.function->kernel;
    std::vector<size_t> offsets;
    size_t end = 0;
    for (unsigned i = 0; i < kernel.parameter_count; i++) {
        const simt::Parameter &parameter = kernel.parameters[i];
        size_t at = (end + parameter.alignment - 1) / parameter.alignment * parameter.alignment;
        offsets.push_back(at);
        end = at + parameter.size;
    }
    if (!pointers && end > packed_bytes)
        fail(CUDA_ERROR_INVALID_VALUE, "%s takes %u arguments of %zu bytes in all; %zu bytes were given", kernel.name,
             kernel.parameter_count, end, packed_bytes);
    launch.values.resize(end + 16);  // room to align
    auto base = reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(launch.values.data()) + 15) & ~uintptr_t(15));
    for (unsigned i = 0; i < kernel.parameter_count; i++) {
        if (pointers && !pointers[i]) fail(CUDA_ERROR_INVALID_VALUE, "argument %u of %s is missing", i, kernel.name);
        memcpy(base + offsets[i], pointers ? pointers[i] : packed + offsets[i], kernel.parameters[i].size);
        launch.arguments.push_back(base + offsets[i]);
    }
}

void check_sizes(const Function &function, uint3 blocks, uint3 threads, size_t shared) {
    const char *name = function.kernel->name;
    if (!blocks.x || !blocks.y || !blocks.z || blocks.x > 0x7fffffff || blocks.y > 65535 || blocks.z > 65535)
        fail(CUDA_ERROR_INVALID_VALUE, "a grid of (%u, %u, %u) blocks for %s", blocks.x, blocks.y, blocks.z, name);
    bool large = threads.x > 1024 || threads.y > 1024 || threads.z > 64
        || size_t(threads.x) * threads.y * threads.z > 1024;
    if (!threads.x || !threads.y || !threads.z || large)
        fail(CUDA_ERROR_INVALID_VALUE, "a block of (%u, %u, %u) threads for %s; the most is 1024", threads.x, threads.y,
             threads.z, name);
    if (shared > function.most_dynamic_shared)
        fail(CUDA_ERROR_INVALID_VALUE, "%zu bytes of dynamic shared memory for %s, of which %zu are allowed; "
             "cuFuncSetAttribute allows more", shared, name, function.most_dynamic_shared);
}

void start(Context &context, Function &function, uint3 blocks, uint3 threads, size_t shared, CUstream stream,
           void **pointers, const char *packed, size_t packed_bytes) {
    check_sizes(function, blocks, threads, shared);
    auto launch = std::make_shared<Launch>();
    launch->function = &function;
    launch->blocks = blocks, launch->threads = threads;
    launch->dynamic_shared = shared;
    take_arguments(*launch, pointers, packed, packed_bytes);
    enqueue(context, stream, [&context, launch] { run(context, *launch); });
}

}  // namespace

void run(Context &context, Launch &launch) {
    launch.number = ++launches;
    Opened opened(context.mode == Mode::guard || context.mode == Mode::check);
    Grid grid(context, launch);
    if (context.mode == Mode::shuffled) grid.order = context.random.permutation(launch.block_count());
    context.random.next();
    in_parallel(workers_for(context, launch), [&](int number) { grid.work(number); });
    if (grid.failed) throw Failure{grid.fault.code, grid.fault.text};
}

}  // namespace software

using namespace software;

API cuLaunchKernel(CUfunction function, unsigned bx, unsigned by, unsigned bz, unsigned tx, unsigned ty, unsigned tz,
                   unsigned shared, CUstream stream, void **pointers, void **extra) {
    return working("cuLaunchKernel", [&](Context &context) {
        const char *packed = nullptr;
        size_t packed_bytes = 0;
        for (void **each = extra; each && *each != CU_LAUNCH_PARAM_END; each += 2) {
            if (*each == CU_LAUNCH_PARAM_BUFFER_POINTER) packed = static_cast<const char *>(each[1]);
            else if (*each == CU_LAUNCH_PARAM_BUFFER_SIZE) packed_bytes = *static_cast<size_t *>(each[1]);
            else fail(CUDA_ERROR_INVALID_VALUE, "an unknown word among the extra parameters");
        }
        start(context, *function, {bx, by, bz}, {tx, ty, tz}, shared, stream, pointers, packed, packed_bytes);
    });
}

// -- the entries of before cuLaunchKernel -------------------------------------------------------------------------

API cuFuncSetBlockShape(CUfunction function, int x, int y, int z) {
    return working("cuFuncSetBlockShape", [&](Context &) {
        function->block = {unsigned(x), unsigned(y), unsigned(z)};
    });
}

API cuFuncSetSharedSize(CUfunction function, unsigned bytes) {
    return working("cuFuncSetSharedSize", [&](Context &) { function->shared = bytes; });
}

API cuParamSetSize(CUfunction function, unsigned bytes) {
    return working("cuParamSetSize", [&](Context &) { function->arguments.resize(bytes); });
}

API cuParamSetv(CUfunction function, int offset, void *value, unsigned bytes) {
    return working("cuParamSetv", [&](Context &) {
        if (function->arguments.size() < size_t(offset) + bytes) function->arguments.resize(size_t(offset) + bytes);
        memcpy(function->arguments.data() + offset, value, bytes);
    });
}
API cuParamSeti(CUfunction function, int offset, unsigned value) {
    return cuParamSetv(function, offset, &value, sizeof value);
}
API cuParamSetf(CUfunction function, int offset, float value) {
    return cuParamSetv(function, offset, &value, sizeof value);
}
API cuParamSetTexRef(CUfunction, int, CUtexref) { return CUDA_SUCCESS; }  // texture references are the module's

API cuLaunchGridAsync(CUfunction function, int width, int height, CUstream stream) {
    return working("cuLaunchGrid", [&](Context &context) {
        start(context, *function, {unsigned(width), unsigned(height), 1}, function->block, function->shared, stream,
              nullptr, function->arguments.data(), function->arguments.size());
    });
}
API cuLaunchGrid(CUfunction function, int width, int height) {
    return cuLaunchGridAsync(function, width, height, nullptr);
}
API cuLaunch(CUfunction function) { return cuLaunchGridAsync(function, 1, 1, nullptr); }

// -- what kernels call --------------------------------------------------------------------------------------------

extern "C" __attribute__((visibility("default"))) void simt_fail(unsigned code, const char *text, const char *file,
                                                                 unsigned line) {
    const char *name = strrchr(file, '/');
    std::string whole = format("%s, at %s:%u, in %s", text, name ? name + 1 : file, line, where(*worker).c_str());
    const char *kind = code == CUDA_ERROR_MISALIGNED_ADDRESS ? "misaligned"
        : code == CUDA_ERROR_ILLEGAL_ADDRESS ? "out of bounds" : "failed";
    if (worker->checker) report(kind, whole, uint64_t(line) << 32);
    leave_kernel(CUresult(code), whole);
}

extern "C" __attribute__((visibility("default"))) int simt_printf(const char *form, ...) {
    va_list arguments;
    va_start(arguments, form);
    worker->inside = false;  // stdio keeps a lock: no timeout may end this
    int length = vprintf(form, arguments);
    fflush(stdout);
    worker->inside = true;
    va_end(arguments);
    return length;
}
