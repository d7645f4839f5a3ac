/* Arrays of devices for other libraries, by DLPack: the same memory, kept alive as long as they use it. */
#include "core.h"

#define DLPACK_CUDA 2
#define UNUSED "dltensor"        /* the name of a capsule that nobody has taken over yet */

enum DLPackKind { DLPACK_INTEGER, DLPACK_UNSIGNED, DLPACK_FLOAT, DLPACK_BFLOAT = 4, DLPACK_COMPLEX, DLPACK_BOOL };

typedef struct Shared {
    void *data;
    struct {
        int32_t type, number;
    } device;
    int32_t ndim;
    struct {
        uint8_t kind, bits;
        uint16_t lanes;
    } dtype;
    int64_t *shape, *strides;
    uint64_t offset;
    void *owner;                 /* the DeviceArray */
    void (*release)(struct Shared *shared);
    int64_t sizes[];
} Shared;

static void release(Shared *shared)
{
    PyGILState_STATE state = PyGILState_Ensure();
    Py_DECREF((PyObject *)shared->owner);
    PyMem_Free(shared);
    PyGILState_Release(state);
}

static void release_unused(PyObject *capsule)
{
    if (PyCapsule_IsValid(capsule, UNUSED))
        release(PyCapsule_GetPointer(capsule, UNUSED));
}

static uint8_t kind_of(char kind)
{
    switch (kind) {
    case 'i': return DLPACK_INTEGER;
    case 'u': return DLPACK_UNSIGNED;
    case 'f': return DLPACK_FLOAT;
    case BFLOAT: return DLPACK_BFLOAT;
    case 'c': return DLPACK_COMPLEX;
    default: return DLPACK_BOOL;
    }
}

/* Have a stream of the consumer's wait for what is queued: -1 for none, None or 1 for the default stream. */
static int order_stream(Device *device, PyObject *stream)
{
    long long handle = stream == Py_None ? 1 : PyLong_AsLongLong(stream);
    if (handle == -1)
        return PyErr_Occurred() ? -1 : 0;
    Status status = device_enter(device);
    if (status == 0) {
        status = driver.cuEventRecord(device->event, device->stream);
        if (status == 0)
            status = driver.cuStreamWaitEvent((void *)(intptr_t)handle, device->event, 0);
        device_leave();
    }
    return status == 0 ? 0 : device_raise(device, status, "a stream was made to wait");
}

/* __dlpack__(stream=None, ...) */
PyObject *dlpack_export(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"stream", "max_version", "dl_device", "copy", NULL};
    PyObject *stream = Py_None, *version = Py_None, *device = Py_None, *copy = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|$OOOO:__dlpack__", names, &stream, &version, &device, &copy))
        return NULL;
    if (copy == Py_True) {
        PyErr_SetString(PyExc_BufferError, "the array is shared, not copied");
        return NULL;
    }
    DeviceArray *array = (DeviceArray *)self;
    int ndim = array->type.ndim;
    if (order_stream(array->memory->device, stream) < 0)
        return NULL;
    Shared *shared = PyMem_Calloc(1, sizeof(Shared) + 2 * ndim * sizeof(int64_t));
    if (shared == NULL)
        return PyErr_NoMemory();
    shared->data = array->data;
    shared->device.type = DLPACK_CUDA;
    shared->device.number = array->memory->device->ordinal;
    shared->ndim = ndim;
    shared->dtype.kind = kind_of(array->type.kind);
    shared->dtype.bits = (uint8_t)(8 * array->type.itemsize);
    shared->dtype.lanes = 1;
    shared->shape = shared->sizes;
    shared->strides = shared->sizes + ndim;
    int64_t stride = 1;
    for (int axis = ndim - 1; axis >= 0; axis--) {
        shared->shape[axis] = array->shape[axis];
        shared->strides[axis] = stride;
        stride *= array->shape[axis];
    }
    shared->owner = Py_NewRef(self);
    shared->release = release;
    PyObject *capsule = PyCapsule_New(shared, UNUSED, release_unused);
    if (capsule == NULL)
        release(shared);
    return capsule;
}

PyObject *dlpack_device(PyObject *self, PyObject *unused)
{
    (void)unused;
    return Py_BuildValue("(ii)", DLPACK_CUDA, ((DeviceArray *)self)->memory->device->ordinal);
}
