// Contexts: each thread's stack of them, primary ones, and limits.
#include "driver.h"

#include <algorithm>
#include <set>

namespace software {

namespace {

thread_local std::vector<Context *> stack;
std::set<Context *> contexts;  // all that live

Context &checked(Context *context) {
    if (!contexts.count(context)) fail(CUDA_ERROR_INVALID_CONTEXT, "no such context, or it was destroyed");
    return *context;
}

Context *made(int device, unsigned flags) {
    auto *context = new Context;
    context->device = device_of(device).number;
    context->mode = settings.mode;
    context->flags = flags;
    context->random.state = settings.seed;
    context->null_stream.reset(new Stream(context));
    context->streams.push_back(context->null_stream.get());
    contexts.insert(context);
    return context;
}

void destroy(Context *context) {
    try {
        if (context->broken == CUDA_SUCCESS) finish_all(*context);
    } catch (const Failure &) {
        // What a context's last operations did wrong ends with it.
    }
    release_memory_of(*context);
    contexts.erase(context);
    auto &others = stack;
    others.erase(std::remove(others.begin(), others.end(), context), others.end());
    for (auto &device : devices) {
        if (device.primary == context) device.primary = nullptr;
    }
    delete context;
}

}  // namespace

Context::~Context() {
    for (Module *module : modules) delete module;
}

Context *current_or_null() {
    return stack.empty() || !contexts.count(stack.back()) ? nullptr : stack.back();
}

Context &current() {
    if (stack.empty()) fail(CUDA_ERROR_INVALID_CONTEXT, "this thread has no current context");
    if (!contexts.count(stack.back())) fail(CUDA_ERROR_CONTEXT_IS_DESTROYED, "the current context was destroyed");
    return *stack.back();
}

void make_current(Context *context) {
    if (!stack.empty()) stack.pop_back();
    if (context) stack.push_back(context);
}

}  // namespace software

using namespace software;

API cuCtxCreate_v2(CUcontext *context, unsigned flags, CUdevice device) {
    return entry("cuCtxCreate", [&] { stack.push_back(*context = made(device, flags)); });
}
API cuCtxCreate_v4(CUcontext *context, void *parameters, unsigned flags, CUdevice device) {
    return parameters ? entry("cuCtxCreate", [] { fail(CUDA_ERROR_NOT_SUPPORTED, "parameters of cuCtxCreate"); })
                      : cuCtxCreate_v2(context, flags, device);
}
API cuCtxCreate_v3(CUcontext *context, void *parameters, int count, unsigned flags, CUdevice device) {
    return cuCtxCreate_v4(context, count ? parameters : nullptr, flags, device);
}

API cuCtxDestroy_v2(CUcontext context) {
    return entry("cuCtxDestroy", [&] { destroy(&checked(context)); });
}

API cuCtxAttach(CUcontext *context, unsigned) {
    return entry("cuCtxAttach", [&] { *context = &current(); (*context)->references++; });
}

API cuCtxDetach(CUcontext context) {
    return entry("cuCtxDetach", [&] {
        if (--checked(context).references == 0) destroy(context);
    });
}

API cuCtxPushCurrent_v2(CUcontext context) {
    return entry("cuCtxPushCurrent", [&] { stack.push_back(&checked(context)); });
}

API cuCtxPopCurrent_v2(CUcontext *context) {
    return entry("cuCtxPopCurrent", [&] {
        if (stack.empty()) fail(CUDA_ERROR_INVALID_CONTEXT, "this thread has no current context");
        if (context) *context = stack.back();
        stack.pop_back();
    });
}

API cuCtxSetCurrent(CUcontext context) {
    return entry("cuCtxSetCurrent", [&] { make_current(context ? &checked(context) : nullptr); });
}

API cuCtxGetCurrent(CUcontext *context) {
    return entry("cuCtxGetCurrent", [&] { *context = stack.empty() ? nullptr : stack.back(); });
}

API cuCtxGetDevice(CUdevice *device) {
    return entry("cuCtxGetDevice", [&] { *device = current().device; });
}

API cuCtxGetFlags(unsigned *flags) {
    return entry("cuCtxGetFlags", [&] { *flags = current().flags; });
}

API cuCtxGetId(CUcontext context, unsigned long long *id) {
    return entry("cuCtxGetId", [&] { *id = reinterpret_cast<uintptr_t>(context ? &checked(context) : &current()); });
}

API cuCtxGetApiVersion(CUcontext context, unsigned *version) {
    return entry("cuCtxGetApiVersion", [&] {
        if (context) checked(context);
        *version = 13000;
    });
}

API cuCtxSynchronize() {
    return working("cuCtxSynchronize", [](Context &context) { finish_all(context); });
}

// -- limits and preferences: kept, without effect -----------------------------------------------------------------

API cuCtxGetLimit(size_t *value, int limit) {
    return working("cuCtxGetLimit", [&](Context &context) {
        if (limit < 0 || limit > 6) fail(CUDA_ERROR_INVALID_VALUE, "limit %d", limit);
        *value = context.limits[limit];
    });
}

API cuCtxSetLimit(int limit, size_t value) {
    return working("cuCtxSetLimit", [&](Context &context) {
        if (limit < 0 || limit > 6) fail(CUDA_ERROR_INVALID_VALUE, "limit %d", limit);
        context.limits[limit] = value;
    });
}

API cuCtxGetCacheConfig(unsigned *preference) {
    return working("cuCtxGetCacheConfig", [&](Context &context) { *preference = context.cache_preference; });
}
API cuCtxSetCacheConfig(unsigned preference) {
    return working("cuCtxSetCacheConfig", [&](Context &context) { context.cache_preference = preference; });
}
API cuCtxGetSharedMemConfig(unsigned *banks) {
    return working("cuCtxGetSharedMemConfig", [&](Context &context) { *banks = context.shared_banks; });
}
API cuCtxSetSharedMemConfig(unsigned banks) {
    return working("cuCtxSetSharedMemConfig", [&](Context &context) { context.shared_banks = banks; });
}

API cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    return working("cuCtxGetStreamPriorityRange", [&](Context &) { *least = *greatest = 0; });
}

// -- peers ----------------------------------------------------------------------------------------------------------

API cuCtxEnablePeerAccess(CUcontext peer, unsigned) {
    return working("cuCtxEnablePeerAccess", [&](Context &context) {
        int device = checked(peer).device;
        auto &peers = context.peers;
        if (device == context.device) fail(CUDA_ERROR_INVALID_DEVICE, "a device is no peer of itself");
        if (std::count(peers.begin(), peers.end(), device))
            fail(CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED, "to device %d", device);
        peers.push_back(device);
    });
}

API cuCtxDisablePeerAccess(CUcontext peer) {
    return working("cuCtxDisablePeerAccess", [&](Context &context) {
        auto &peers = context.peers;
        auto found = std::find(peers.begin(), peers.end(), checked(peer).device);
        if (found == peers.end()) fail(CUDA_ERROR_PEER_ACCESS_NOT_ENABLED, "to device %d", peer->device);
        peers.erase(found);
    });
}

// -- primary contexts -----------------------------------------------------------------------------------------------

API cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice number) {
    return entry("cuDevicePrimaryCtxRetain", [&] {
        Device &device = device_of(number);
        if (!device.primary) device.primary = made(number, 0);
        device.retained++;
        *context = device.primary;
    });
}

API cuDevicePrimaryCtxRelease_v2(CUdevice number) {
    return entry("cuDevicePrimaryCtxRelease", [&] {
        Device &device = device_of(number);
        if (!device.primary) fail(CUDA_ERROR_INVALID_CONTEXT, "device %d has no primary context", number);
        if (--device.retained == 0) destroy(device.primary);
    });
}
API cuDevicePrimaryCtxRelease(CUdevice number) { return cuDevicePrimaryCtxRelease_v2(number); }

API cuDevicePrimaryCtxReset_v2(CUdevice number) {
    return entry("cuDevicePrimaryCtxReset", [&] {
        Device &device = device_of(number);
        if (device.primary) destroy(device.primary);
        device.retained = 0;
    });
}
API cuDevicePrimaryCtxReset(CUdevice number) { return cuDevicePrimaryCtxReset_v2(number); }

API cuDevicePrimaryCtxGetState(CUdevice number, unsigned *flags, int *active) {
    return entry("cuDevicePrimaryCtxGetState", [&] {
        Device &device = device_of(number);
        *active = device.primary != nullptr;
        *flags = device.primary ? device.primary->flags : 0;
    });
}

API cuDevicePrimaryCtxSetFlags_v2(CUdevice number, unsigned) {
    return entry("cuDevicePrimaryCtxSetFlags", [&] { device_of(number); });
}
