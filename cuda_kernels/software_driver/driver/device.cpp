// Devices, and the settings of the driver: what it is asked to be before cuInit, and what it says it is.
#include "driver.h"

#include <cstdlib>
#include <cstring>
#include <thread>

namespace software {

std::vector<Device> devices;

namespace {

const char *const mode_names[] = {"fast", "shuffled", "guard", "check"};

bool set(const char *name, const char *value) {
    std::string key = name;
    if (key == "mode") {
        for (int mode = 0; mode < 4; mode++) {
            if (!strcmp(value, mode_names[mode])) {
                settings.mode = Mode(mode);
                return true;
            }
        }
        return false;
    }
    char *end;
    double number = strtod(value, &end);
    if (end == value || *end || number < 0) return false;
    if (key == "devices") settings.devices = int(number);
    else if (key == "memory") settings.memory = size_t(number);
    else if (key == "workers") settings.workers = int(number);
    else if (key == "seed") settings.seed = uint64_t(number);
    else if (key == "seconds") settings.seconds = number;
    else return false;
    return true;
}

Settings from_environment() {
    for (const char *name : {"mode", "devices", "memory", "workers", "seed", "seconds"}) {
        std::string variable = "SYMTENSOR_SOFTWARE_";
        for (const char *letter = name; *letter; letter++) variable += char(*letter - 'a' + 'A');
        const char *value = getenv(variable.c_str());
        if (value && *value && !set(name, value)) fprintf(stderr, "%s does not take '%s'\n", variable.c_str(), value);
    }
    return settings;
}

}  // namespace

Settings settings;
static const Settings settings_of_environment = from_environment();

const char *mode_name(Mode mode) { return mode_names[int(mode)]; }

uint64_t Random::next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

std::vector<unsigned> Random::permutation(size_t n) {
    std::vector<unsigned> order(n);
    for (size_t i = 0; i < n; i++) {
        size_t j = below(i + 1);
        order[i] = order[j];
        order[j] = unsigned(i);
    }
    return order;
}

Device &device_of(int number) {
    if (number < 0 || size_t(number) >= devices.size())
        fail(CUDA_ERROR_INVALID_DEVICE, "device %d of %zu", number, devices.size());
    return devices[number];
}

}  // namespace software

using namespace software;

// Settings of contexts made from now on: mode, devices (before cuInit), memory, workers, seed, seconds.
extern "C" __attribute__((visibility("default"))) int symtensor_driver_set(const char *name, const char *value) {
    return set(name, value);
}

API cuDriverGetVersion(int *version) { *version = 13000; return CUDA_SUCCESS; }

API cuDeviceGetCount(int *count) {
    return entry("cuDeviceGetCount", [&] { *count = int(devices.size()); });
}

API cuDeviceGet(CUdevice *device, int ordinal) {
    return entry("cuDeviceGet", [&] { *device = device_of(ordinal).number; });
}

API cuDeviceGetName(char *name, int length, CUdevice device) {
    return entry("cuDeviceGetName", [&] {
        device_of(device);
        snprintf(name, size_t(length), "software CUDA device %d", device);
    });
}

API cuDeviceGetUuid_v2(char *uuid, CUdevice device) {
    return entry("cuDeviceGetUuid", [&] {
        device_of(device);
        memcpy(uuid, "symtensor device", 16);
        uuid[15] = char(device);
    });
}
API cuDeviceGetUuid(char *uuid, CUdevice device) { return cuDeviceGetUuid_v2(uuid, device); }

API cuDeviceTotalMem_v2(size_t *bytes, CUdevice device) {
    return entry("cuDeviceTotalMem", [&] { device_of(device); *bytes = settings.memory; });
}

API cuDeviceComputeCapability(int *major, int *minor, CUdevice device) {
    return entry("cuDeviceComputeCapability", [&] { device_of(device); *major = 8; *minor = 0; });
}

API cuDeviceGetPCIBusId(char *id, int length, CUdevice device) {
    return entry("cuDeviceGetPCIBusId", [&] {
        device_of(device);
        snprintf(id, size_t(length), "0000:%02x:00.0", device + 1);
    });
}

API cuDeviceGetByPCIBusId(CUdevice *device, const char *id) {
    return entry("cuDeviceGetByPCIBusId", [&] {
        unsigned domain, bus, slot;
        if (sscanf(id, "%x:%x:%x", &domain, &bus, &slot) != 3 || domain || slot || bus < 1 || bus > devices.size())
            fail(CUDA_ERROR_INVALID_DEVICE, "no device has the PCI address %s", id);
        *device = int(bus) - 1;
    });
}

API cuDeviceCanAccessPeer(int *can, CUdevice device, CUdevice peer) {
    return entry("cuDeviceCanAccessPeer", [&] {
        device_of(device);
        device_of(peer);
        *can = device != peer;
    });
}

API cuDeviceGetAttribute(int *value, int attribute, CUdevice device) {
    return entry("cuDeviceGetAttribute", [&] {
        device_of(device);
        switch (attribute) {
        case 1: *value = 1024; break;               // threads of a block
        case 2: case 3: *value = 1024; break;       // its sizes
        case 4: *value = 64; break;
        case 5: *value = 0x7fffffff; break;         // sizes of a grid
        case 6: case 7: *value = 65535; break;
        case 8: *value = 48 << 10; break;           // shared memory of a block
        case 9: *value = 64 << 10; break;           // constant memory
        case 10: *value = simt::warp_size; break;
        case 11: *value = 0x7fffffff; break;        // pitch
        case 12: case 82: *value = 65536; break;    // registers
        case 13: case 36: *value = 1000000; break;  // clocks, kHz
        case 14: *value = 512; break;               // alignment of textures
        case 16: *value = int(std::thread::hardware_concurrency()); break;
        case 15: case 19: case 31: case 32 + 9: case 83: case 99: *value = 1; break;  // overlap, mapped, concurrent,
                                                                                       // unified, managed, register
        case 33: *value = device + 1; break;        // PCI bus
        case 37: *value = 64; break;                // bits of the memory bus
        case 38: *value = 1 << 20; break;           // second-level cache
        case 39: *value = 2048; break;              // threads of a multiprocessor
        case 40: *value = 1; break;                 // engines for copies
        case 21: case 22: case 23: case 55: case 56: case 57: case 69: *value = 65536; break;  // sizes of textures
        case 24: case 25: case 26: case 58: case 59: case 60: *value = 4096; break;
        case 51: *value = 32; break;                // alignment of a texture's pitch
        case 75: *value = 8; break;                 // compute capability
        case 76: *value = 0; break;
        case 81: *value = 164 << 10; break;         // shared memory of a multiprocessor
        case 97: *value = simt::most_dynamic_shared; break;
        case 106: *value = 32; break;               // blocks of a multiprocessor
        case 111: *value = 1024; break;             // shared memory that the system keeps
        default:
            if (attribute < 1 || attribute > 200) fail(CUDA_ERROR_INVALID_VALUE, "device attribute %d", attribute);
            *value = 0;                             // what this device cannot do
        }
    });
}
