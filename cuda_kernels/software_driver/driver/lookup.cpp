// The driver's entries by name, as programs that were linked with no driver ask for them.
#include "driver.h"

#include <dlfcn.h>

using namespace software;

// The newest of the versions of an entry, as cuda.h of CUDA 13 names it.
API cuGetProcAddress_v2(const char *name, void **entry_point, int, uint64_t, int *status) {
    return call("cuGetProcAddress", [&] {
        static const Dl_info own = [] {
            Dl_info info{};
            dladdr(reinterpret_cast<void *>(&cuGetProcAddress_v2), &info);
            return info;
        }();
        static void *const library = dlopen(own.dli_fname, RTLD_NOW | RTLD_NOLOAD);
        *entry_point = nullptr;
        for (const char *version : {"_v4", "_v3", "_v2", ""}) {
            if (!*entry_point) *entry_point = dlsym(library, (std::string(name) + version).c_str());
        }
        if (status) *status = *entry_point ? 0 : 1;  // found, or not in this driver
        if (!*entry_point) fail(CUDA_ERROR_NOT_FOUND, "the driver has no entry %s", name);
    });
}
API cuGetProcAddress(const char *name, void **entry_point, int version, uint64_t flags) {
    return cuGetProcAddress_v2(name, entry_point, version, flags, nullptr);
}
