// Arrays, and the references of textures and surfaces to them or to plain memory. An array is laid out in rows; a
// texture is a variable of its module, of type simt::Image, which is filled here.
#include "driver.h"

#include <set>

namespace software {

namespace {

std::set<Array *> arrays;

size_t bytes_of_format(unsigned format) {
    switch (format) {
    case 0x01: case 0x08: return 1;
    case 0x02: case 0x09: case 0x10: return 2;
    case 0x03: case 0x0a: case 0x20: return 4;
    default: fail(CUDA_ERROR_INVALID_VALUE, "format 0x%x of an array", format);
    }
}

Array &checked(CUarray array) {
    if (!arrays.count(array)) fail(CUDA_ERROR_INVALID_HANDLE, "no such array, or it was destroyed");
    return *array;
}

Array *made(Context &context, const CUDA_ARRAY3D_DESCRIPTOR &shape) {
    if (!shape.Width) fail(CUDA_ERROR_INVALID_VALUE, "an array without width");
    if (shape.NumChannels != 1 && shape.NumChannels != 2 && shape.NumChannels != 4)
        fail(CUDA_ERROR_INVALID_VALUE, "an array of %u channels; there can be 1, 2 or 4", shape.NumChannels);
    auto array = std::make_unique<Array>();
    array->shape = shape;
    array->element = bytes_of_format(shape.Format) * shape.NumChannels;
    array->memory = &allocate(context, array->pitch() * array->height() * array->depth(), false);
    arrays.insert(array.get());
    return array.release();
}

void bind_array(Texture &texture, Array &array) {
    texture.array = &array;
    simt::Image &image = *texture.image;
    image.data = array.memory->address;
    image.width = unsigned(array.shape.Width), image.height = unsigned(array.height());
    image.depth = unsigned(array.depth());
    image.element = unsigned(array.element), image.pitch = array.pitch();
    image.format = texture.format = array.shape.Format;
    image.channels = texture.channels = array.shape.NumChannels;
}

void bind_memory(Texture &texture, CUdeviceptr address, size_t width, size_t height, size_t pitch) {
    texture.array = nullptr;
    simt::Image &image = *texture.image;
    image.data = reinterpret_cast<char *>(address);
    image.width = unsigned(width), image.height = unsigned(height), image.depth = 1;
    image.element = unsigned(bytes_of_format(texture.format) * texture.channels);
    image.pitch = pitch ? pitch : width * image.element;
    image.format = texture.format, image.channels = texture.channels;
}

Texture *texture_of(Module &module, const char *name) {
    auto &kept = module.textures[name];
    if (!kept) {
        auto found = module.symbols.find(name);
        if (found == module.symbols.end() || found->second.size < sizeof(simt::Image)) {
            module.textures.erase(name);
            fail(CUDA_ERROR_NOT_FOUND, "the module has no texture or surface %s", name);
        }
        kept.reset(new Texture);
        kept->image = reinterpret_cast<simt::Image *>(found->second.address);
    }
    return kept.get();
}

}  // namespace
}  // namespace software

using namespace software;

API cuArray3DCreate_v2(CUarray *array, const CUDA_ARRAY3D_DESCRIPTOR *shape) {
    return working("cuArray3DCreate", [&](Context &context) { *array = made(context, *shape); });
}

API cuArrayCreate_v2(CUarray *array, const CUDA_ARRAY_DESCRIPTOR *shape) {
    CUDA_ARRAY3D_DESCRIPTOR whole{shape->Width, shape->Height, 0, shape->Format, shape->NumChannels, 0};
    return cuArray3DCreate_v2(array, &whole);
}

API cuArrayDestroy(CUarray array) {
    return working("cuArrayDestroy", [&](Context &context) {
        finish_all(context);
        release(*checked(array).memory);
        arrays.erase(array);
        delete array;
    });
}

API cuArray3DGetDescriptor_v2(CUDA_ARRAY3D_DESCRIPTOR *shape, CUarray array) {
    return working("cuArray3DGetDescriptor", [&](Context &) { *shape = checked(array).shape; });
}

API cuArrayGetDescriptor_v2(CUDA_ARRAY_DESCRIPTOR *shape, CUarray array) {
    return working("cuArrayGetDescriptor", [&](Context &) {
        const CUDA_ARRAY3D_DESCRIPTOR &whole = checked(array).shape;
        *shape = {whole.Width, whole.Height, whole.Format, whole.NumChannels};
    });
}

// -- texture references -----------------------------------------------------------------------------------------------

API cuModuleGetTexRef(CUtexref *texture, CUmodule module, const char *name) {
    return working("cuModuleGetTexRef", [&](Context &) { *texture = texture_of(*module, name); });
}
API cuModuleGetSurfRef(CUsurfref *surface, CUmodule module, const char *name) {
    return working("cuModuleGetSurfRef", [&](Context &) { *surface = texture_of(*module, name); });
}
API cuTexRefCreate(CUtexref *texture) {
    return working("cuTexRefCreate", [&](Context &) { *texture = new Texture; });
}
API cuTexRefDestroy(CUtexref texture) {
    return working("cuTexRefDestroy", [&](Context &) { delete texture; });
}

API cuTexRefSetArray(CUtexref texture, CUarray array, unsigned) {
    return working("cuTexRefSetArray", [&](Context &) { bind_array(*texture, checked(array)); });
}
API cuSurfRefSetArray(CUsurfref surface, CUarray array, unsigned) {
    return working("cuSurfRefSetArray", [&](Context &) { bind_array(*surface, checked(array)); });
}
static CUresult bound_array(CUarray *array, CUtexref texture) {
    return working("cuTexRefGetArray", [&](Context &) {
        if (!texture->array) fail(CUDA_ERROR_INVALID_VALUE, "no array is bound to it");
        *array = texture->array;
    });
}
API cuTexRefGetArray(CUarray *array, CUtexref texture) { return bound_array(array, texture); }
API cuSurfRefGetArray(CUarray *array, CUsurfref surface) { return bound_array(array, surface); }

API cuTexRefSetAddress_v2(size_t *offset, CUtexref texture, CUdeviceptr address, size_t bytes) {
    return working("cuTexRefSetAddress", [&](Context &) {
        if (offset) *offset = 0;
        bind_memory(*texture, address, bytes / (bytes_of_format(texture->format) * texture->channels), 1, 0);
    });
}

API cuTexRefSetAddress2D_v3(CUtexref texture, const CUDA_ARRAY_DESCRIPTOR *shape, CUdeviceptr address, size_t pitch) {
    return working("cuTexRefSetAddress2D", [&](Context &) {
        texture->format = shape->Format, texture->channels = shape->NumChannels;
        bind_memory(*texture, address, shape->Width, shape->Height, pitch);
    });
}

API cuTexRefGetAddress_v2(CUdeviceptr *address, CUtexref texture) {
    return working("cuTexRefGetAddress", [&](Context &) {
        *address = reinterpret_cast<CUdeviceptr>(texture->image->data);
    });
}

API cuTexRefSetFormat(CUtexref texture, unsigned format, int channels) {
    return working("cuTexRefSetFormat", [&](Context &) {
        bytes_of_format(format);
        texture->format = format, texture->channels = unsigned(channels);
    });
}
API cuTexRefGetFormat(unsigned *format, int *channels, CUtexref texture) {
    return working("cuTexRefGetFormat", [&](Context &) {
        *format = texture->format, *channels = int(texture->channels);
    });
}

API cuTexRefSetFlags(CUtexref texture, unsigned flags) {
    return working("cuTexRefSetFlags", [&](Context &) {
        texture->flags = flags;
        texture->image->normalized = (flags & CU_TRSF_NORMALIZED_COORDINATES) != 0;
    });
}
API cuTexRefGetFlags(unsigned *flags, CUtexref texture) {
    return working("cuTexRefGetFlags", [&](Context &) { *flags = texture->flags; });
}
API cuTexRefSetFilterMode(CUtexref texture, unsigned mode) {
    return working("cuTexRefSetFilterMode", [&](Context &) { texture->image->linear = mode; });
}
API cuTexRefGetFilterMode(unsigned *mode, CUtexref texture) {
    return working("cuTexRefGetFilterMode", [&](Context &) { *mode = texture->image->linear; });
}
API cuTexRefSetAddressMode(CUtexref texture, int axis, unsigned mode) {
    return working("cuTexRefSetAddressMode", [&](Context &) {
        if (axis < 0 || axis > 2 || mode > 3) fail(CUDA_ERROR_INVALID_VALUE, "address mode %u of axis %d", mode, axis);
        texture->image->beyond[axis] = mode;
    });
}
API cuTexRefGetAddressMode(unsigned *mode, CUtexref texture, int axis) {
    return working("cuTexRefGetAddressMode", [&](Context &) {
        if (axis < 0 || axis > 2) fail(CUDA_ERROR_INVALID_VALUE, "axis %d", axis);
        *mode = texture->image->beyond[axis];
    });
}
