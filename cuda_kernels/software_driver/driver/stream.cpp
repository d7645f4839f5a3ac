// Streams and events. An operation knows those it comes after. In the mode fast it runs as it is enqueued; in the
// others as late as a program without a missing synchronisation allows: when something waits for it, and where several
// are waited for in an order that differs between seeds.
#include "driver.h"

#include <algorithm>
#include <chrono>
#include <set>

namespace software {

namespace {

std::set<Event *> events;

double milliseconds() {
    auto now = std::chrono::steady_clock::now().time_since_epoch();
    return std::chrono::duration<double, std::milli>(now).count();
}

void execute(Context &context, Operation &operation) {
    if (context.broken != CUDA_SUCCESS) throw Failure{context.broken, context.broken_text};
    operation.done = true;
    auto run = std::move(operation.run);
    operation.run = nullptr;
    operation.after.clear();
    try {
        if (run) run();
    } catch (const Failure &failure) {
        context.broken = failure.code;
        context.broken_text = failure.text;
        throw;
    }
    operation.finished = milliseconds();
}

// The operations that `work` comes after and that have not run, with `work` itself, in some order that is allowed.
std::vector<Work> needed(const Work &work) {
    std::vector<Work> order;
    std::set<Operation *> seen;
    std::vector<std::pair<Work, bool>> pending{{work, false}};
    while (!pending.empty()) {
        auto [each, left] = pending.back();
        pending.pop_back();
        if (left) {
            order.push_back(each);
        } else if (each && !each->done && seen.insert(each.get()).second) {
            pending.emplace_back(each, true);
            for (const Work &before : each->after) pending.emplace_back(before, false);
        }
    }
    return order;
}

void forget_done(Stream &stream) {
    auto &pending = stream.pending;
    pending.erase(std::remove_if(pending.begin(), pending.end(), [](const Work &work) { return work->done; }),
                  pending.end());
}

Event &checked(CUevent event) {
    if (!events.count(event)) fail(CUDA_ERROR_INVALID_HANDLE, "no such event, or it was destroyed");
    return *event;
}

}  // namespace

bool deferred(const Context &context) { return context.mode != Mode::fast; }

Stream &stream_of(Context &context, CUstream handle) {
    auto value = reinterpret_cast<uintptr_t>(handle);
    if (value <= 2) return *context.null_stream;  // the default stream, and its two other names
    auto &streams = context.streams;
    if (std::find(streams.begin(), streams.end(), handle) == streams.end())
        fail(CUDA_ERROR_INVALID_HANDLE, "no such stream in this context, or it was destroyed");
    return *handle;
}

// The null stream waits for all streams that are not non-blocking, and these for it.
Work enqueue(Context &context, CUstream handle, std::function<void()> run) {
    Stream &stream = stream_of(context, handle);
    auto work = std::make_shared<Operation>();
    work->run = std::move(run);
    work->after = std::move(stream.waits);
    stream.waits.clear();
    if (stream.last) work->after.push_back(stream.last);
    bool is_null = &stream == context.null_stream.get();
    for (Stream *other : context.streams) {
        bool ordered = is_null ? !(other->flags & CU_STREAM_NON_BLOCKING) : other == context.null_stream.get();
        if (ordered && !(stream.flags & CU_STREAM_NON_BLOCKING) && other->last) work->after.push_back(other->last);
    }
    stream.last = work;
    if (deferred(context)) stream.pending.push_back(work);
    if (!deferred(context)) finish(context, work);
    return work;
}

void finish(Context &context, const Work &work) {
    if (!work) return;
    for (const Work &each : needed(work)) {
        if (!each->done) execute(context, *each);
    }
}

void finish_stream(Stream &stream) {
    finish(*stream.context, stream.last);
    for (const Work &wait : stream.waits) finish(*stream.context, wait);
    forget_done(stream);
}

void finish_all(Context &context) {
    for (unsigned index : context.random.permutation(context.streams.size())) finish_stream(*context.streams[index]);
    for (Stream *stream : context.streams) forget_done(*stream);
}

void run_now(Context &context, const std::function<void()> &run) {
    finish(context, enqueue(context, nullptr, run));
    forget_done(*context.null_stream);
}

}  // namespace software

using namespace software;

API cuStreamCreateWithPriority(CUstream *stream, unsigned flags, int priority) {
    return working("cuStreamCreate", [&](Context &context) {
        if (flags & ~CU_STREAM_NON_BLOCKING) fail(CUDA_ERROR_INVALID_VALUE, "flags %u of a stream", flags);
        context.owned_streams.emplace_back(new Stream(&context, flags, priority));
        *stream = context.owned_streams.back().get();
        context.streams.push_back(*stream);
    });
}
API cuStreamCreate(CUstream *stream, unsigned flags) { return cuStreamCreateWithPriority(stream, flags, 0); }

API cuStreamDestroy_v2(CUstream handle) {
    return working("cuStreamDestroy", [&](Context &context) {
        Stream &stream = stream_of(context, handle);
        if (&stream == context.null_stream.get()) fail(CUDA_ERROR_INVALID_HANDLE, "the default stream");
        finish_stream(stream);
        auto &streams = context.streams;
        streams.erase(std::find(streams.begin(), streams.end(), &stream));
        auto &owned = context.owned_streams;
        owned.erase(std::find_if(owned.begin(), owned.end(), [&](auto &each) { return each.get() == &stream; }));
    });
}

API cuStreamSynchronize(CUstream handle) {
    return working("cuStreamSynchronize", [&](Context &context) { finish_stream(stream_of(context, handle)); });
}

// One operation runs with each query, so that polling ends.
API cuStreamQuery(CUstream handle) {
    return working("cuStreamQuery", [&](Context &context) {
        Stream &stream = stream_of(context, handle);
        forget_done(stream);
        if (stream.pending.empty()) return;
        finish(context, stream.pending.front());
        throw Failure{CUDA_ERROR_NOT_READY, ""};
    });
}

API cuStreamWaitEvent(CUstream handle, CUevent event, unsigned) {
    return working("cuStreamWaitEvent", [&](Context &context) {
        Stream &stream = stream_of(context, handle);
        if (checked(event).recorded) stream.waits.push_back(event->recorded);
    });
}

API cuStreamGetFlags(CUstream handle, unsigned *flags) {
    return working("cuStreamGetFlags", [&](Context &context) { *flags = stream_of(context, handle).flags; });
}
API cuStreamGetPriority(CUstream handle, int *priority) {
    return working("cuStreamGetPriority", [&](Context &context) { *priority = stream_of(context, handle).priority; });
}
API cuStreamGetCtx(CUstream handle, CUcontext *owner) {
    return working("cuStreamGetCtx", [&](Context &context) { *owner = stream_of(context, handle).context; });
}
API cuStreamIsCapturing(CUstream, int *status) { *status = 0; return CUDA_SUCCESS; }

// Managed memory is the host's and every stream's here: there is nothing to attach.
API cuStreamAttachMemAsync(CUstream handle, CUdeviceptr, size_t, unsigned) {
    return working("cuStreamAttachMemAsync", [&](Context &context) { stream_of(context, handle); });
}

API cuLaunchHostFunc(CUstream handle, void (*function)(void *), void *data) {
    return working("cuLaunchHostFunc", [&](Context &context) {
        enqueue(context, handle, [=] { function(data); });
    });
}

API cuStreamAddCallback(CUstream handle, void (*function)(CUstream, CUresult, void *), void *data, unsigned) {
    return working("cuStreamAddCallback", [&](Context &context) {
        enqueue(context, handle, [=] { function(handle, CUDA_SUCCESS, data); });
    });
}

// -- events -----------------------------------------------------------------------------------------------------------

API cuEventCreate(CUevent *event, unsigned flags) {
    return working("cuEventCreate", [&](Context &context) {
        *event = new Event(&context, flags);
        events.insert(*event);
    });
}

API cuEventDestroy_v2(CUevent event) {
    return entry("cuEventDestroy", [&] {
        checked(event);
        events.erase(event);
        delete event;
    });
}

API cuEventRecord(CUevent event, CUstream handle) {
    return working("cuEventRecord", [&](Context &context) {
        checked(event).recorded = enqueue(context, handle, nullptr);
    });
}
API cuEventRecordWithFlags(CUevent event, CUstream handle, unsigned) { return cuEventRecord(event, handle); }

API cuEventSynchronize(CUevent event) {
    return working("cuEventSynchronize", [&](Context &context) { finish(context, checked(event).recorded); });
}

API cuEventQuery(CUevent event) {
    return working("cuEventQuery", [&](Context &context) {
        Work work = checked(event).recorded;
        if (!work || work->done) return;
        auto order = needed(work);
        finish(context, order.front());
        throw Failure{CUDA_ERROR_NOT_READY, ""};
    });
}

API cuEventElapsedTime_v2(float *elapsed, CUevent begin, CUevent end) {
    return working("cuEventElapsedTime", [&](Context &) {
        Work first = checked(begin).recorded, last = checked(end).recorded;
        if ((begin->flags | end->flags) & CU_EVENT_DISABLE_TIMING)
            fail(CUDA_ERROR_INVALID_HANDLE, "an event made without timing");
        if (!first || !last) fail(CUDA_ERROR_INVALID_HANDLE, "an event that was not recorded");
        if (!first->done || !last->done) throw Failure{CUDA_ERROR_NOT_READY, ""};
        *elapsed = float(last->finished - first->finished);
    });
}
API cuEventElapsedTime(float *elapsed, CUevent begin, CUevent end) { return cuEventElapsedTime_v2(elapsed, begin, end); }

// -- profiling: nothing to start or stop ----------------------------------------------------------------------------

API cuProfilerInitialize(const char *, const char *, unsigned) { return CUDA_SUCCESS; }
API cuProfilerStart() { return CUDA_SUCCESS; }
API cuProfilerStop() { return CUDA_SUCCESS; }
