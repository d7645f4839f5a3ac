/* Devices: memory, work that is queued and done later, and arrays that stay there. Needs no header of CUDA.
 *
 * All work of a device is queued on one stream, in the order in which it is asked for: then memory can be used again as
 * soon as nobody holds it, and calls that follow one another need not wait. A Device is used with the GIL held, but
 * for `device_use` and what queues work.
 */
#ifndef SYMTENSOR_DEVICE_H
#define SYMTENSOR_DEVICE_H

#include <Python.h>
#include <stdbool.h>
#include <stdint.h>

typedef int Status;              /* CUresult: zero for success */
typedef uint64_t Address;        /* CUdeviceptr */

/* The entry points of the driver, by the names under which they are looked up: X(name, parameters). */
#define DRIVER_ENTRIES(X) \
    X(cuCtxPushCurrent_v2, (void *context)) \
    X(cuCtxPopCurrent_v2, (void **context)) \
    X(cuCtxSetCurrent, (void *context)) \
    X(cuStreamCreate, (void **stream, unsigned flags)) \
    X(cuStreamSynchronize, (void *stream)) \
    X(cuStreamWaitEvent, (void *stream, void *event, unsigned flags)) \
    X(cuEventCreate, (void **event, unsigned flags)) \
    X(cuEventRecord, (void *event, void *stream)) \
    X(cuEventSynchronize, (void *event)) \
    X(cuEventElapsedTime, (float *milliseconds, void *start, void *end)) \
    X(cuEventDestroy_v2, (void *event)) \
    X(cuMemAlloc_v2, (Address *address, size_t bytes)) \
    X(cuMemFree_v2, (Address address)) \
    X(cuMemHostAlloc, (void **address, size_t bytes, unsigned flags)) \
    X(cuMemFreeHost, (void *address)) \
    X(cuMemGetInfo_v2, (size_t *left, size_t *total)) \
    X(cuMemcpyHtoDAsync_v2, (Address target, const void *source, size_t bytes, void *stream)) \
    X(cuMemcpyDtoHAsync_v2, (void *target, Address source, size_t bytes, void *stream)) \
    X(cuMemcpyDtoDAsync_v2, (Address target, Address source, size_t bytes, void *stream)) \
    X(cuMemcpyPeerAsync, (Address target, void *to, Address source, void *from, size_t bytes, void *stream)) \
    X(cuMemsetD8Async, (Address target, unsigned char value, size_t bytes, void *stream)) \
    X(cuMemsetD32Async, (Address target, unsigned value, size_t count, void *stream)) \
    X(cuPointerGetAttribute, (void *value, int attribute, Address address)) \
    X(cuModuleLoadData, (void **module, const void *data)) \
    X(cuModuleGetFunction, (void **kernel, void *module, const char *name)) \
    X(cuGetErrorName, (Status status, const char **name)) \
    X(cuLaunchKernel, (void *kernel, unsigned blocks, unsigned blocks_y, unsigned blocks_z, unsigned threads, \
                       unsigned threads_y, unsigned threads_z, unsigned shared_bytes, void *stream, void **parameters, \
                       void **extra))

typedef struct {
#define DRIVER_FIELD(name, parameters) Status (*name) parameters;
    DRIVER_ENTRIES(DRIVER_FIELD)
#undef DRIVER_FIELD
} Driver;

extern Driver driver;

typedef struct {
    Address address;
    int64_t bytes;
} Piece;

typedef struct Staging Staging;

typedef struct {
    PyObject_HEAD
    PyObject *name;
    int ordinal;                 /* the driver's number of it */
    Staging *staging;            /* memory of the processor, on the way there and back */
    void *blas, *dnn;            /* handles of cuBLAS and cuDNN, made when first needed */
    int dnn_refusal;             /* the status with which that failed, once it has */
    Piece scratch;               /* memory that libraries work in, kept for the next call of one */
    void *context, *stream, *event; /* the event orders its work and that of other devices */
    Piece *unused;               /* memory that nobody holds, to be used again */
    int unused_count, unused_room;
    int64_t held_bytes, unused_bytes, peak_bytes;
    int64_t limit;               /* bytes beyond which nothing more is taken; 0: what the device has */
    bool synchronous;            /* wait for each kernel, so that an error is that of the kernel */
} Device;

extern PyTypeObject DeviceType;

/* Make the device's context current, that of NULL included; restored by whoever called device_enter before. */
Status device_enter(Device *device);
void device_leave(void);
Status device_use(Device *device);

/* Memory of a device; 0 when there is none left. */
Address device_take(Device *device, int64_t *bytes);
void device_give(Device *device, Address address, int64_t bytes);

/* Handles of libraries, and scratch, are used by one thread at a time: this one, in between. */
void device_work_begin(void);
void device_work_end(void);
/* So many bytes of scratch, with the GIL or without; 0 when there are none left. All work is done in the order in which
 * it is queued, so that all may have the same. */
Address device_scratch(Device *device, int64_t bytes);

/* Queue a copy between places, each a device or NULL for the processor. Memory of the processor may be changed when
 * this returns, and holds what was copied there after `device_wait`. */
Status device_copy(Device *to, void *target, Device *from, const void *source, int64_t bytes);
Status device_wait(Device *device);

/* What was queued to come to the processor, and is there once its device was waited for. */
typedef struct {
    Device *device;
    void *staged, *target;
    int64_t bytes;
} Arrival;

typedef struct {
    Arrival *items;
    int count, room;
} Arrivals;

Staging *staging_new(void);      /* NULL if there is no memory */
int64_t staging_bytes(const Staging *staging);
void staging_trim(Staging *staging);
/* Queue a copy, in the current context. The source may be changed afterwards; what was expected is at its target when it
 * was delivered, or given up, by `arrivals_end`. */
Status staging_upload(Device *device, Address target, const char *source, int64_t bytes);
Status staging_download(Device *device, Arrivals *arrivals, void *target, Address source, int64_t bytes);
void arrivals_end(Arrivals *arrivals, bool deliver);

/* Raise what a status means. Returns -1. */
int device_raise(const Device *device, Status status, const char *doing);
const char *device_error_name(Status status);

PyObject *dlpack_export(PyObject *array, PyObject *args, PyObject *keywords);
PyObject *dlpack_device(PyObject *array, PyObject *unused);

PyObject *driver_set(PyObject *module, PyObject *addresses);
/* A list of what cuDNN was asked for on a device, see `told` in device_convolution.c. */
PyObject *device_convolutions(PyObject *module, PyObject *device);

#endif
