// Copies and fills. What is asynchronous on a GPU is so here, in the modes that defer: a copy to or from pinned memory
// reads or writes it when the stream comes to it; one from pageable memory has taken its bytes when the call returns,
// and one to pageable memory is finished then.
#include "driver.h"

#include <cstring>

namespace software {

namespace {

char *pointer(CUdeviceptr address) { return reinterpret_cast<char *>(address); }

// -- boxes: rows of rows of bytes ---------------------------------------------------------------------------------

struct Box {
    char *begin;  // of the first byte copied
    size_t pitch, slice;
    size_t bytes(const CUDA_MEMCPY3D &copy) const {
        return (copy.Depth - 1) * slice + (copy.Height - 1) * pitch + copy.WidthInBytes;
    }
};

// The kind of memory an address of kind "unified" belongs to.
unsigned kind_of(unsigned kind, const void *address) {
    if (kind != CU_MEMORYTYPE_UNIFIED) return kind;
    Allocation *found = allocation_of(address);
    return found && found->device >= 0 ? CU_MEMORYTYPE_DEVICE : CU_MEMORYTYPE_HOST;
}

Box box(const char *what, unsigned kind, const void *host, CUdeviceptr device, CUarray array, size_t pitch,
        size_t height, size_t x, size_t y, size_t z, const CUDA_MEMCPY3D &copy) {
    char *begin;
    if (kind == CU_MEMORYTYPE_ARRAY) {
        if (x + copy.WidthInBytes > array->pitch() || y + copy.Height > array->height()
            || z + copy.Depth > array->depth())
            fail(CUDA_ERROR_INVALID_VALUE, "%s: beyond the array", what);
        begin = array->memory->address, pitch = array->pitch(), height = array->height();
    } else {
        begin = kind == CU_MEMORYTYPE_DEVICE || !host ? pointer(device) : static_cast<char *>(const_cast<void *>(host));
        if (!pitch) pitch = copy.WidthInBytes;
        if (!height) height = copy.Height;
        if (pitch < copy.WidthInBytes) fail(CUDA_ERROR_INVALID_VALUE, "%s: rows longer than their pitch", what);
    }
    Box made{begin + z * pitch * height + y * pitch + x, pitch, pitch * height};
    if (kind == CU_MEMORYTYPE_DEVICE) check_range(made.begin, made.bytes(copy), what);
    return made;
}

void move_rows(const Box &to, const Box &from, const CUDA_MEMCPY3D &copy) {
    for (size_t z = 0; z < copy.Depth; z++) {
        for (size_t y = 0; y < copy.Height; y++)
            memmove(to.begin + z * to.slice + y * to.pitch, from.begin + z * from.slice + y * from.pitch,
                    copy.WidthInBytes);
    }
}

void copy_box(Context &context, const CUDA_MEMCPY3D &asked, CUstream stream, bool asynchronous) {
    CUDA_MEMCPY3D copy = asked;
    if (!copy.WidthInBytes || !copy.Height || !copy.Depth) return;
    unsigned from_kind = kind_of(copy.srcMemoryType, copy.srcHost ? copy.srcHost : pointer(copy.srcDevice));
    unsigned to_kind = kind_of(copy.dstMemoryType, copy.dstHost ? copy.dstHost : pointer(copy.dstDevice));
    Box from = box("source of a copy", from_kind, copy.srcHost, copy.srcDevice, copy.srcArray, copy.srcPitch,
                   copy.srcHeight, copy.srcXInBytes, copy.srcY, copy.srcZ, copy);
    Box to = box("destination of a copy", to_kind, copy.dstHost, copy.dstDevice, copy.dstArray, copy.dstPitch,
                 copy.dstHeight, copy.dstXInBytes, copy.dstY, copy.dstZ, copy);
    bool pageable_from = from_kind == CU_MEMORYTYPE_HOST && !is_pinned(from.begin, from.bytes(copy));
    bool pageable_to = to_kind == CU_MEMORYTYPE_HOST && !is_pinned(to.begin, to.bytes(copy));
    std::shared_ptr<std::vector<char>> taken;
    if (asynchronous && pageable_from && deferred(context)) {
        taken = std::make_shared<std::vector<char>>(from.begin, from.begin + from.bytes(copy));
        from.begin = taken->data();
    }
    auto run = [=] {
        Opened opened{from.begin, to.begin};
        move_rows(to, from, copy);
        (void)taken;
    };
    if (!asynchronous) return run_now(context, run);
    Work work = enqueue(context, stream, run);
    if (pageable_to) finish(context, work);
}

CUDA_MEMCPY3D flat(unsigned to_kind, const void *to, unsigned from_kind, const void *from, size_t bytes) {
    CUDA_MEMCPY3D copy{};
    copy.srcMemoryType = from_kind, copy.srcHost = from, copy.srcDevice = reinterpret_cast<CUdeviceptr>(from);
    copy.dstMemoryType = to_kind, copy.dstHost = const_cast<void *>(to);
    copy.dstDevice = reinterpret_cast<CUdeviceptr>(to);
    copy.WidthInBytes = bytes, copy.Height = copy.Depth = 1;
    return copy;
}

CUDA_MEMCPY3D of_2d(const CUDA_MEMCPY2D &c) {
    CUDA_MEMCPY3D copy{};
    copy.srcXInBytes = c.srcXInBytes, copy.srcY = c.srcY, copy.srcMemoryType = c.srcMemoryType;
    copy.srcHost = c.srcHost, copy.srcDevice = c.srcDevice, copy.srcArray = c.srcArray, copy.srcPitch = c.srcPitch;
    copy.dstXInBytes = c.dstXInBytes, copy.dstY = c.dstY, copy.dstMemoryType = c.dstMemoryType;
    copy.dstHost = c.dstHost, copy.dstDevice = c.dstDevice, copy.dstArray = c.dstArray, copy.dstPitch = c.dstPitch;
    copy.WidthInBytes = c.WidthInBytes, copy.Height = c.Height, copy.Depth = 1;
    return copy;
}

CUresult copy_flat(const char *name, unsigned to_kind, const void *to, unsigned from_kind, const void *from,
                   size_t bytes, CUstream stream = nullptr, bool asynchronous = false) {
    return working(name, [&](Context &context) {
        copy_box(context, flat(to_kind, to, from_kind, from, bytes), stream, asynchronous);
    });
}

// -- fills --------------------------------------------------------------------------------------------------------

template <typename Value>
CUresult fill(const char *name, CUdeviceptr address, size_t pitch, Value value, size_t width, size_t height,
              CUstream stream, bool asynchronous) {
    return working(name, [&](Context &context) {
        if (!width || !height) return;
        if (address % sizeof(Value)) fail(CUDA_ERROR_INVALID_VALUE, "%s: the address is not aligned", name);
        check_range(pointer(address), (height - 1) * pitch + width * sizeof(Value), name);
        auto run = [=] {
            Opened opened{pointer(address)};
            for (size_t row = 0; row < height; row++) {
                auto values = reinterpret_cast<Value *>(pointer(address) + row * pitch);
                for (size_t column = 0; column < width; column++) values[column] = value;
            }
        };
        // On a GPU a fill of device memory returns before it is done, also where its name does not say so.
        enqueue(context, asynchronous ? stream : nullptr, run);
    });
}

}  // namespace
}  // namespace software

using namespace software;

constexpr unsigned host = CU_MEMORYTYPE_HOST, device = CU_MEMORYTYPE_DEVICE, array = CU_MEMORYTYPE_ARRAY,
                   unified = CU_MEMORYTYPE_UNIFIED;

API cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t n) {
    return copy_flat("cuMemcpyHtoD", device, pointer(to), host, from, n);
}
API cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t n) {
    return copy_flat("cuMemcpyDtoH", host, to, device, pointer(from), n);
}
API cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t n) {
    return copy_flat("cuMemcpyDtoD", device, pointer(to), device, pointer(from), n);
}
API cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t n, CUstream stream) {
    return copy_flat("cuMemcpyHtoDAsync", device, pointer(to), host, from, n, stream, true);
}
API cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t n, CUstream stream) {
    return copy_flat("cuMemcpyDtoHAsync", host, to, device, pointer(from), n, stream, true);
}
API cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream stream) {
    return copy_flat("cuMemcpyDtoDAsync", device, pointer(to), device, pointer(from), n, stream, true);
}
API cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t n) {
    return copy_flat("cuMemcpy", unified, pointer(to), unified, pointer(from), n);
}
API cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t n, CUstream stream) {
    return copy_flat("cuMemcpyAsync", unified, pointer(to), unified, pointer(from), n, stream, true);
}
API cuMemcpyPeer(CUdeviceptr to, CUcontext, CUdeviceptr from, CUcontext, size_t n) {
    return copy_flat("cuMemcpyPeer", device, pointer(to), device, pointer(from), n);
}
API cuMemcpyPeerAsync(CUdeviceptr to, CUcontext, CUdeviceptr from, CUcontext, size_t n, CUstream stream) {
    return copy_flat("cuMemcpyPeerAsync", device, pointer(to), device, pointer(from), n, stream, true);
}

// -- arrays -----------------------------------------------------------------------------------------------------------

static CUresult copy_array(const char *name, CUDA_MEMCPY3D copy, size_t to_offset, size_t from_offset) {
    return working(name, [&](Context &context) {
        if (copy.dstMemoryType == array) copy.dstXInBytes = to_offset;
        if (copy.srcMemoryType == array) copy.srcXInBytes = from_offset;
        copy_box(context, copy, nullptr, false);
    });
}

API cuMemcpyDtoA_v2(CUarray to, size_t offset, CUdeviceptr from, size_t n) {
    CUDA_MEMCPY3D copy = flat(array, nullptr, device, pointer(from), n);
    copy.dstArray = to;
    return copy_array("cuMemcpyDtoA", copy, offset, 0);
}
API cuMemcpyAtoD_v2(CUdeviceptr to, CUarray from, size_t offset, size_t n) {
    CUDA_MEMCPY3D copy = flat(device, pointer(to), array, nullptr, n);
    copy.srcArray = from;
    return copy_array("cuMemcpyAtoD", copy, 0, offset);
}
API cuMemcpyHtoA_v2(CUarray to, size_t offset, const void *from, size_t n) {
    CUDA_MEMCPY3D copy = flat(array, nullptr, host, from, n);
    copy.dstArray = to;
    return copy_array("cuMemcpyHtoA", copy, offset, 0);
}
API cuMemcpyAtoH_v2(void *to, CUarray from, size_t offset, size_t n) {
    CUDA_MEMCPY3D copy = flat(host, to, array, nullptr, n);
    copy.srcArray = from;
    return copy_array("cuMemcpyAtoH", copy, 0, offset);
}
API cuMemcpyAtoA_v2(CUarray to, size_t to_offset, CUarray from, size_t from_offset, size_t n) {
    CUDA_MEMCPY3D copy = flat(array, nullptr, array, nullptr, n);
    copy.dstArray = to, copy.srcArray = from;
    return copy_array("cuMemcpyAtoA", copy, to_offset, from_offset);
}

API cuMemcpy2D_v2(const CUDA_MEMCPY2D *copy) {
    return working("cuMemcpy2D", [&](Context &context) { copy_box(context, of_2d(*copy), nullptr, false); });
}
API cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *copy) { return cuMemcpy2D_v2(copy); }
API cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *copy, CUstream stream) {
    return working("cuMemcpy2DAsync", [&](Context &context) { copy_box(context, of_2d(*copy), stream, true); });
}
API cuMemcpy3D_v2(const CUDA_MEMCPY3D *copy) {
    return working("cuMemcpy3D", [&](Context &context) { copy_box(context, *copy, nullptr, false); });
}
API cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D *copy, CUstream stream) {
    return working("cuMemcpy3DAsync", [&](Context &context) { copy_box(context, *copy, stream, true); });
}
API cuMemcpy3DPeer(const CUDA_MEMCPY3D *copy) { return cuMemcpy3D_v2(copy); }
API cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D *copy, CUstream stream) { return cuMemcpy3DAsync_v2(copy, stream); }

// -- fills ------------------------------------------------------------------------------------------------------------

#define FILLS(bits, type) \
    API cuMemsetD##bits##_v2(CUdeviceptr at, type value, size_t n) { \
        return fill<type>("cuMemsetD" #bits, at, 0, value, n, 1, nullptr, false); \
    } \
    API cuMemsetD##bits##Async(CUdeviceptr at, type value, size_t n, CUstream stream) { \
        return fill<type>("cuMemsetD" #bits "Async", at, 0, value, n, 1, stream, true); \
    } \
    API cuMemsetD2D##bits##_v2(CUdeviceptr at, size_t pitch, type value, size_t width, size_t height) { \
        return fill<type>("cuMemsetD2D" #bits, at, pitch, value, width, height, nullptr, false); \
    } \
    API cuMemsetD2D##bits##Async(CUdeviceptr at, size_t pitch, type value, size_t width, size_t height, \
                                 CUstream stream) { \
        return fill<type>("cuMemsetD2D" #bits "Async", at, pitch, value, width, height, stream, true); \
    }
FILLS(8, unsigned char)
FILLS(16, unsigned short)
FILLS(32, unsigned)
