// Texture and surface references, of one to three dimensions and layered: variables that the driver fills.
#pragma once

enum cudaTextureReadMode { cudaReadModeElementType = 0, cudaReadModeNormalizedFloat = 1 };
enum cudaSurfaceBoundaryMode { cudaBoundaryModeZero = 0, cudaBoundaryModeClamp = 1, cudaBoundaryModeTrap = 2 };
constexpr int cudaTextureType1D = 1, cudaTextureType2D = 2, cudaTextureType3D = 3, cudaTextureType1DLayered = 0xf1,
              cudaTextureType2DLayered = 0xf2;
constexpr int cudaSurfaceType1D = 1, cudaSurfaceType2D = 2, cudaSurfaceType3D = 3, cudaSurfaceType1DLayered = 0xf1,
              cudaSurfaceType2DLayered = 0xf2;

template <typename T, int dimension = 1, enum cudaTextureReadMode mode = cudaReadModeElementType>
struct texture { simt::Image image; };
template <typename T = void, int dimension = 1> struct surface { simt::Image image; };

namespace simt {

// The element a coordinate names on an axis of `size`, or -1 for one that is zero.
inline int placed(int at, unsigned size, unsigned beyond) {
    auto n = int(size);
    if (at >= 0 && at < n) return at;
    if (beyond == 3) return -1;
    if (beyond == 1) return at < 0 ? 0 : n - 1;
    int period = beyond == 2 ? 2 * n : n, inside = ((at % period) + period) % period;
    return inside < n ? inside : period - 1 - inside;
}

inline char *element(const Image &image, int x, int y, int z) {
    return image.data + ((unsigned long)(z)*image.height + (unsigned long)(y)) * image.pitch
        + (unsigned long)(x)*image.element;
}

template <typename T> inline T fetch(const Image &image, int x, int y, int z) {
    int at[3] = {placed(x, image.width, image.beyond[0]), placed(y, image.height, image.beyond[1]),
                 placed(z, image.depth, image.beyond[2])};
    if (at[0] < 0 || at[1] < 0 || at[2] < 0) return T{};
    return *reinterpret_cast<const T *>(element(image, at[0], at[1], at[2]));
}

inline int index_on(const Image &image, float x, unsigned size) {
    return int(floorf(image.normalized ? x * float(size) : x));
}

inline float lerp(float a, float b, float t) { return a + (b - a) * t; }
inline float4 lerp(float4 a, float4 b, float t) {
    return {lerp(a.x, b.x, t), lerp(a.y, b.y, t), lerp(a.z, b.z, t), lerp(a.w, b.w, t)};
}
inline float2 lerp(float2 a, float2 b, float t) { return {lerp(a.x, b.x, t), lerp(a.y, b.y, t)}; }
template <typename T> inline T lerp(T a, T, float) { return a; }  // only floats are filtered

template <typename T> inline T sample(const Image &image, float x, float y, float z) {
    if (!image.linear)
        return fetch<T>(image, index_on(image, x, image.width), index_on(image, y, image.height),
                        index_on(image, z, image.depth));
    float at[3] = {(image.normalized ? x * float(image.width) : x) - 0.5f,
                   (image.normalized ? y * float(image.height) : y) - 0.5f,
                   (image.normalized ? z * float(image.depth) : z) - 0.5f};
    int low[3];
    float part[3];
    for (int axis = 0; axis < 3; axis++) {
        low[axis] = int(floorf(at[axis]));
        part[axis] = at[axis] - floorf(at[axis]);
    }
    T planes[2];
    for (int k = 0; k < 2; k++) {
        T rows[2];
        for (int j = 0; j < 2; j++)
            rows[j] = lerp(fetch<T>(image, low[0], low[1] + j, low[2] + k),
                           fetch<T>(image, low[0] + 1, low[1] + j, low[2] + k), part[0]);
        planes[k] = lerp(rows[0], rows[1], part[1]);
    }
    return lerp(planes[0], planes[1], part[2]);
}

template <typename T> inline bool find(const Image &image, int bytes, int y, int z, int boundary, char *&address) {
    int x = bytes / int(sizeof(T));
    bool inside = bytes >= 0 && x < int(image.width * image.element / sizeof(T)) && y >= 0 && y < int(image.height)
        && z >= 0 && z < int(image.depth);
    if (!inside && boundary == cudaBoundaryModeTrap) simt_fail(719, "beyond a surface", __FILE__, __LINE__);
    if (!inside && boundary == cudaBoundaryModeZero) return false;
    x = placed(x, unsigned(image.width * image.element / sizeof(T)), 1);
    address = element(image, 0, placed(y, image.height, 1), placed(z, image.depth, 1)) + (unsigned long)(x) * sizeof(T);
    return true;
}

template <typename T> inline void surface_read(T *value, const Image &image, int x, int y, int z, int boundary) {
    char *address;
    *value = find<T>(image, x, y, z, boundary, address) ? *reinterpret_cast<T *>(address) : T{};
}

template <typename T> inline void surface_write(T value, const Image &image, int x, int y, int z, int boundary) {
    char *address;
    if (find<T>(image, x, y, z, boundary, address)) *reinterpret_cast<T *>(address) = value;
}

}  // namespace simt

template <typename T, enum cudaTextureReadMode mode>
inline T tex1Dfetch(const texture<T, 1, mode> &from, int x) {
    bool inside = x >= 0 && unsigned(x) < from.image.width;
    return inside ? *reinterpret_cast<const T *>(simt::element(from.image, x, 0, 0)) : T{};
}
template <typename T, enum cudaTextureReadMode mode> inline T tex1D(const texture<T, 1, mode> &from, float x) {
    return simt::sample<T>(from.image, x, 0.5f, 0.5f);
}
template <typename T, enum cudaTextureReadMode mode>
inline T tex2D(const texture<T, 2, mode> &from, float x, float y) {
    return simt::sample<T>(from.image, x, y, 0.5f);
}
template <typename T, enum cudaTextureReadMode mode>
inline T tex3D(const texture<T, 3, mode> &from, float x, float y, float z) {
    return simt::sample<T>(from.image, x, y, z);
}
template <typename T, enum cudaTextureReadMode mode>
inline T tex2DLayered(const texture<T, cudaTextureType2DLayered, mode> &from, float x, float y, int layer) {
    return simt::sample<T>(from.image, x, y, float(layer) + 0.5f);
}

#define SIMT_SURFACE(name, kind, indices, x, y, z) \
    template <typename T, typename S> \
    inline void name##read(T *value, const surface<S, kind> &from, SIMT_ARGUMENTS indices, int boundary = 2) { \
        simt::surface_read(value, from.image, x, y, z, boundary); \
    } \
    template <typename T, typename S> \
    inline void name##write(T value, const surface<S, kind> &to, SIMT_ARGUMENTS indices, int boundary = 2) { \
        simt::surface_write(value, to.image, x, y, z, boundary); \
    }
#define SIMT_ARGUMENTS(...) __VA_ARGS__
SIMT_SURFACE(surf1D, 1, (int x), x, 0, 0)
SIMT_SURFACE(surf2D, 2, (int x, int y), x, y, 0)
SIMT_SURFACE(surf3D, 3, (int x, int y, int z), x, y, z)
SIMT_SURFACE(surf2DLayered, cudaSurfaceType2DLayered, (int x, int y, int z), x, y, z)
#undef SIMT_SURFACE
#undef SIMT_ARGUMENTS
