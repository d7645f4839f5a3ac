// Results: from failures thrown inside the driver to codes at its entries, and the texts of codes. The text of an
// error names what went wrong, since pycuda and others show what cuGetErrorString says.
#include "driver.h"

#include <cstdarg>
#include <cstdio>
#include <new>

namespace software {

namespace {

std::recursive_mutex driver_lock;
bool initialised = false;
thread_local CUresult last_code = CUDA_SUCCESS;
thread_local std::string last_text;

std::string formatted(const char *format, va_list arguments) {
    char text[2048];
    vsnprintf(text, sizeof text, format, arguments);
    return text;
}

}  // namespace

void fail(CUresult code, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    Failure failure{code, formatted(format, arguments)};
    va_end(arguments);
    throw failure;
}

std::string format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    std::string text = formatted(format, arguments);
    va_end(arguments);
    return text;
}

const char *result_text(CUresult code) {
    switch (code) {
#define TEXT(name, value, text) case name: return text;
        CUDA_RESULTS(TEXT)
#undef TEXT
    }
    return nullptr;
}

void remember(const char *name, const Failure &failure) noexcept {
    last_code = failure.code;
    const char *standard = result_text(failure.code);
    last_text = standard ? standard : "unknown error";
    if (!failure.text.empty()) last_text += ": " + failure.text;
    (void)name;
}

CUresult call(const char *name, const std::function<void()> &body) noexcept {
    std::lock_guard<std::recursive_mutex> lock(driver_lock);
    try {
        body();
        return CUDA_SUCCESS;
    } catch (const Failure &failure) {
        remember(name, failure);
        return failure.code;
    } catch (const std::bad_alloc &) {
        remember(name, {CUDA_ERROR_OUT_OF_MEMORY, "of the host"});
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
}

CUresult entry(const char *name, const std::function<void()> &body) noexcept {
    return call(name, [&] {
        if (!initialised) fail(CUDA_ERROR_NOT_INITIALIZED, "%s before cuInit", name);
        body();
    });
}

CUresult working(const char *name, const std::function<void(Context &)> &body) noexcept {
    return entry(name, [&] {
        Context &context = current();
        if (context.broken != CUDA_SUCCESS) throw Failure{context.broken, context.broken_text};
        body(context);
    });
}

}  // namespace software

using namespace software;

API cuInit(unsigned flags) {
    return call("cuInit", [&] {
        if (flags) fail(CUDA_ERROR_INVALID_VALUE, "cuInit takes no flags");
        if (settings.devices < 1) fail(CUDA_ERROR_NO_DEVICE, "the software driver was set to have no device");
        for (int number = int(devices.size()); number < settings.devices; number++) {
            devices.emplace_back();
            devices.back().number = number;
        }
        initialised = true;
    });
}

API cuGetErrorName(CUresult code, const char **name) {
    *name = nullptr;
    switch (code) {
#define NAME(id, value, text) case id: *name = #id; break;
        CUDA_RESULTS(NAME)
#undef NAME
    }
    return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

// The text of the calling thread's last failure, where it had this code: it says more than the standard one.
API cuGetErrorString(CUresult code, const char **text) {
    *text = code != CUDA_SUCCESS && code == last_code ? last_text.c_str() : result_text(code);
    return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

extern "C" __attribute__((visibility("default"))) void symtensor_driver_message(const char **text) {
    *text = last_text.c_str();
}
