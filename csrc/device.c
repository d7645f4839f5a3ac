/* The Device type: a context of the driver, its one stream, and the memory taken from it. */
#include "core.h"

#include <structmember.h>

#define SMALL_PIECE 512
#define LARGE_PIECE (1 << 20)
#define OUT_OF_MEMORY 2          /* CUDA_ERROR_OUT_OF_MEMORY */
#define DEVICE_ORDINAL 9         /* CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL */

Driver driver;

/* The driver's entry points, given as a dict of addresses. */
PyObject *driver_set(PyObject *module, PyObject *addresses)
{
    (void)module;
    static const struct { const char *name; size_t place; } entries[] = {
#define DRIVER_ENTRY(name, parameters) {#name, offsetof(Driver, name)},
        DRIVER_ENTRIES(DRIVER_ENTRY)
#undef DRIVER_ENTRY
    };
    const size_t count = sizeof(entries) / sizeof(entries[0]);
    if (addresses == Py_None) {
        PyObject *names = PyTuple_New((Py_ssize_t)count);
        for (size_t i = 0; names != NULL && i < count; i++)
            PyTuple_SET_ITEM(names, (Py_ssize_t)i, PyUnicode_FromString(entries[i].name));
        return names;
    }
    for (size_t i = 0; i < count; i++) {
        PyObject *value = PyMapping_GetItemString(addresses, entries[i].name);
        void *address = value == NULL ? NULL : PyLong_AsVoidPtr(value);
        Py_XDECREF(value);
        if (address == NULL) {
            if (!PyErr_Occurred())
                PyErr_Format(PyExc_ValueError, "the driver has no %s", entries[i].name);
            return NULL;
        }
        memcpy((char *)&driver + entries[i].place, &address, sizeof(address));
    }
    Py_RETURN_NONE;
}

const char *device_error_name(Status status)
{
    const char *name = NULL;
    if (driver.cuGetErrorName == NULL || driver.cuGetErrorName(status, &name) != 0 || name == NULL)
        return "an unknown error";
    return name;
}

int device_raise(const Device *device, Status status, const char *doing)
{
    if (status == OUT_OF_MEMORY)
        PyErr_Format(PyExc_MemoryError, "%U has no memory left while %s", device->name, doing);
    else
        PyErr_Format(PyExc_RuntimeError, "%U: %s while %s", device->name, device_error_name(status), doing);
    return -1;
}

/* Contexts. */

Status device_enter(Device *device)
{
    return driver.cuCtxPushCurrent_v2(device->context);
}

void device_leave(void)
{
    void *context;
    driver.cuCtxPopCurrent_v2(&context);
}

Status device_use(Device *device)
{
    return driver.cuCtxSetCurrent(device->context);
}

/* Memory. Sizes are rounded, so that pieces fit again: those of medium size to an eighth of their power of two. */

static int64_t rounded(int64_t bytes)
{
    int64_t step = SMALL_PIECE;
    while (step < LARGE_PIECE / 4 && step * 8 < bytes)
        step *= 2;
    return (bytes + step - 1) / step * step;
}

/* The smallest unused piece that holds so much and is not much larger; -1 if there is none. */
static int find_piece(const Device *device, int64_t bytes)
{
    int best = -1;
    for (int i = 0; i < device->unused_count; i++) {
        int64_t room = device->unused[i].bytes;
        if (room >= bytes && room <= bytes + bytes / 4 && (best < 0 || room < device->unused[best].bytes))
            best = i;
    }
    return best;
}

/* Who waits for its turn gives up the GIL meanwhile: the thread whose turn it is may need it. */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

void device_work_begin(void)
{
    if (pthread_mutex_trylock(&turn) == 0)
        return;
    PyThreadState *held = PyGILState_Check() ? PyEval_SaveThread() : NULL;
    pthread_mutex_lock(&turn);
    if (held != NULL)
        PyEval_RestoreThread(held);
}

void device_work_end(void)
{
    pthread_mutex_unlock(&turn);
}

static void give_scratch(Device *device)
{
    if (device->scratch.bytes > 0)
        device_give(device, device->scratch.address, device->scratch.bytes);
    device->scratch = (Piece){0, 0};
}

static void release_unused(Device *device)
{
    if (pthread_mutex_trylock(&turn) == 0) { /* else it is in use */
        give_scratch(device);
        pthread_mutex_unlock(&turn);
    }
    if (device->unused_count == 0)
        return;
    driver.cuStreamSynchronize(device->stream); /* what is queued may still use it */
    for (int i = 0; i < device->unused_count; i++)
        driver.cuMemFree_v2(device->unused[i].address);
    device->unused_count = 0;
    device->unused_bytes = 0;
}

static Address allocate(Device *device, int64_t bytes)
{
    Address address = 0;
    if (device->limit > 0 && device->held_bytes + device->unused_bytes + bytes > device->limit)
        return 0;
    return driver.cuMemAlloc_v2(&address, (size_t)bytes) == 0 ? address : 0;
}

Address device_take(Device *device, int64_t *bytes)
{
    Address address = 0;
    if (*bytes > INT64_MAX / 2)
        return 0;
    *bytes = rounded(*bytes);
    int found = find_piece(device, *bytes);
    if (found >= 0) {
        address = device->unused[found].address;
        *bytes = device->unused[found].bytes;
        device->unused_bytes -= *bytes;
        device->unused[found] = device->unused[--device->unused_count];
    } else if (device_enter(device) == 0) {
        address = allocate(device, *bytes);
        if (address == 0) {
            release_unused(device);
            address = allocate(device, *bytes);
        }
        device_leave();
    }
    if (address != 0) {
        device->held_bytes += *bytes;
        if (device->held_bytes > device->peak_bytes)
            device->peak_bytes = device->held_bytes;
    }
    return address;
}

void device_give(Device *device, Address address, int64_t bytes)
{
    device->held_bytes -= bytes;
    if (device->unused_count == device->unused_room) {
        int room = 2 * device->unused_room + 16;
        Piece *pieces = PyMem_RawRealloc(device->unused, room * sizeof(Piece));
        if (pieces == NULL)
            return;              /* lost to this process */
        device->unused = pieces;
        device->unused_room = room;
    }
    device->unused[device->unused_count++] = (Piece){address, bytes};
    device->unused_bytes += bytes;
}

Address device_scratch(Device *device, int64_t bytes)
{
    if (device->scratch.bytes >= bytes)
        return device->scratch.address;
    PyGILState_STATE state = PyGILState_Ensure();
    give_scratch(device);
    Piece piece = {.bytes = bytes};
    piece.address = device_take(device, &piece.bytes);
    if (piece.address != 0)
        device->scratch = piece;
    PyGILState_Release(state);
    return piece.address;
}

/* Work. */

/* The copy waits for what the source's device was asked to do before, and that device's later work for the copy. */
static Status copy_between(Device *to, void *target, Device *from, const void *source, int64_t bytes)
{
    Status status = device_use(from);
    if (status == 0)
        status = driver.cuEventRecord(from->event, from->stream);
    if (status == 0)
        status = device_use(to);
    if (status == 0)
        status = driver.cuStreamWaitEvent(to->stream, from->event, 0);
    if (status == 0)
        status = driver.cuMemcpyPeerAsync((Address)(uintptr_t)target, to->context, (Address)(uintptr_t)source,
                                          from->context, (size_t)bytes, to->stream);
    if (status == 0)
        status = driver.cuEventRecord(to->event, to->stream);
    if (status == 0)
        status = device_use(from);
    return status == 0 ? driver.cuStreamWaitEvent(from->stream, to->event, 0) : status;
}

Status device_copy(Device *to, void *target, Device *from, const void *source, int64_t bytes)
{
    if (bytes == 0)
        return 0;
    if (to == NULL && from == NULL) {
        memmove(target, source, (size_t)bytes);
        return 0;
    }
    if (to != NULL && from != NULL && to != from)
        return copy_between(to, target, from, source, bytes);
    Device *device = to != NULL ? to : from;
    Status status = device_use(device);
    if (status != 0)
        return status;
    if (to == NULL)
        return driver.cuMemcpyDtoHAsync_v2(target, (Address)(uintptr_t)source, (size_t)bytes, device->stream);
    if (from == NULL)
        return staging_upload(device, (Address)(uintptr_t)target, source, bytes);
    return driver.cuMemcpyDtoDAsync_v2((Address)(uintptr_t)target, (Address)(uintptr_t)source, (size_t)bytes,
                                       device->stream);
}

Status device_wait(Device *device)
{
    Status status = device_use(device);
    return status == 0 ? driver.cuStreamSynchronize(device->stream) : status;
}

/* The type. */

static int make_stream(Device *device)
{
    Status status = device_enter(device);
    if (status != 0)
        return device_raise(device, status, "its context was entered");
    status = driver.cuStreamCreate(&device->stream, 0);
    if (status == 0)
        status = driver.cuEventCreate(&device->event, 2); /* without times */
    device_leave();
    return status == 0 ? 0 : device_raise(device, status, "a stream was made");
}

static PyObject *device_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"name", "ordinal", "context", NULL};
    PyObject *name, *context;
    int ordinal;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "UiO!:Device", names, &name, &ordinal, &PyLong_Type, &context))
        return NULL;
    if (driver.cuCtxPushCurrent_v2 == NULL) {
        PyErr_SetString(PyExc_RuntimeError, "set_driver must be called first");
        return NULL;
    }
    Device *device = (Device *)type->tp_alloc(type, 0);
    if (device == NULL)
        return NULL;
    device->name = Py_NewRef(name);
    device->ordinal = ordinal;
    device->context = PyLong_AsVoidPtr(context);
    device->staging = staging_new();
    if (device->staging == NULL)
        PyErr_NoMemory();
    if (device->staging == NULL || make_stream(device) < 0)
        Py_CLEAR(device);
    return (PyObject *)device;
}

/* Devices live as long as the process: the driver may be gone before the last of them, so nothing is given back. */
static void device_dealloc(PyObject *self)
{
    Device *device = (Device *)self;
    Py_XDECREF(device->name);
    PyMem_RawFree(device->unused);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *device_synchronize(PyObject *self, PyObject *unused)
{
    (void)unused;
    Device *device = (Device *)self;
    Status status;
    Py_BEGIN_ALLOW_THREADS
    status = device_enter(device);
    if (status == 0) {
        status = driver.cuStreamSynchronize(device->stream);
        device_leave();
    }
    Py_END_ALLOW_THREADS
    if (status != 0)
        return device_raise(device, status, "its work was waited for"), NULL;
    Py_RETURN_NONE;
}

/* load(module) loads the bytes of a module for as long as the process lives; its handle. */
static PyObject *device_load(PyObject *self, PyObject *data)
{
    Device *device = (Device *)self;
    if (!PyBytes_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "a module is given as bytes");
        return NULL;
    }
    void *module = NULL;
    Status status = device_enter(device);
    if (status == 0) {
        status = driver.cuModuleLoadData(&module, PyBytes_AS_STRING(data));
        device_leave();
    }
    if (status != 0)
        return device_raise(device, status, "kernels were loaded"), NULL;
    return PyLong_FromVoidPtr(module);
}

static PyObject *device_kernel(PyObject *self, PyObject *args)
{
    Device *device = (Device *)self;
    PyObject *module;
    const char *name;
    if (!PyArg_ParseTuple(args, "O!s:kernel", &PyLong_Type, &module, &name))
        return NULL;
    void *kernel = NULL;
    Status status = device_enter(device);
    if (status == 0) {
        status = driver.cuModuleGetFunction(&kernel, PyLong_AsVoidPtr(module), name);
        device_leave();
    }
    if (status != 0)
        return device_raise(device, status, "a kernel was looked for"), NULL;
    return PyLong_FromVoidPtr(kernel);
}

/* Have its later work wait for what another library has queued on a stream of its own. */
static PyObject *device_wait_for(PyObject *self, PyObject *stream)
{
    Device *device = (Device *)self;
    long long handle = PyLong_AsLongLong(stream);
    if (handle == -1 && PyErr_Occurred())
        return NULL;
    Status status = device_enter(device);
    if (status == 0) {
        status = driver.cuEventRecord(device->event, (void *)(intptr_t)handle);
        if (status == 0)
            status = driver.cuStreamWaitEvent(device->stream, device->event, 0);
        device_leave();
    }
    if (status != 0)
        return device_raise(device, status, "another stream was waited for"), NULL;
    Py_RETURN_NONE;
}

/* Whether an address is of this device. */
static PyObject *device_holds(PyObject *self, PyObject *address)
{
    Device *device = (Device *)self;
    int ordinal = -1;
    Address wanted = (Address)PyLong_AsUnsignedLongLong(address);
    if (PyErr_Occurred())
        return NULL;
    if (device_enter(device) == 0) {
        if (driver.cuPointerGetAttribute(&ordinal, DEVICE_ORDINAL, wanted) != 0)
            ordinal = -1;
        device_leave();
    }
    return PyBool_FromLong(ordinal == device->ordinal);
}

static PyObject *device_trim(PyObject *self, PyObject *unused)
{
    (void)unused;
    Device *device = (Device *)self;
    if (device_enter(device) == 0) {
        release_unused(device);
        staging_trim(device->staging);
        device_leave();
    }
    Py_RETURN_NONE;
}

static PyObject *device_memory(PyObject *self, void *closure)
{
    (void)closure;
    Device *device = (Device *)self;
    size_t left = 0, total = 0;
    if (device_enter(device) == 0) {
        driver.cuMemGetInfo_v2(&left, &total);
        device_leave();
    }
    return Py_BuildValue("(nn)", (Py_ssize_t)left, (Py_ssize_t)total);
}

static PyObject *device_stream(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromVoidPtr(((Device *)self)->stream);
}

static PyObject *device_pinned(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLongLong(staging_bytes(((Device *)self)->staging));
}

static PyObject *device_repr(PyObject *self)
{
    return PyUnicode_FromFormat("<device %U>", ((Device *)self)->name);
}

static PyGetSetDef device_attributes[] = {
    {"memory", device_memory, NULL, "Bytes that are left on the device, and all it has.", NULL},
    {"pinned_bytes", device_pinned, NULL, "Bytes of the processor's memory through which values go there and back.", NULL},
    {"stream", device_stream, NULL, "The handle of the stream on which all its work is queued.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMemberDef device_members[] = {
    {"ordinal", T_INT, offsetof(Device, ordinal), READONLY, "The driver's number of it."},
    {"name", T_OBJECT, offsetof(Device, name), READONLY, "What programs call it."},
    {"held_bytes", T_LONGLONG, offsetof(Device, held_bytes), READONLY, "Bytes in use."},
    {"unused_bytes", T_LONGLONG, offsetof(Device, unused_bytes), READONLY, "Bytes kept to be used again."},
    {"peak_bytes", T_LONGLONG, offsetof(Device, peak_bytes), 0, "The most bytes in use so far; may be set back."},
    {"limit", T_LONGLONG, offsetof(Device, limit), 0, "Bytes beyond which none are taken; 0 for all there are."},
    {"synchronous", T_BOOL, offsetof(Device, synchronous), 0, "Whether each kernel is waited for."},
    {"dnn_refusal", T_INT, offsetof(Device, dnn_refusal), READONLY, "cuDNN's status if it did not start there, else 0."},
    {NULL, 0, 0, 0, NULL}};

static PyMethodDef device_methods[] = {
    {"synchronize", device_synchronize, METH_NOARGS, "synchronize()\n--\n\nWait for all its work."},
    {"load", device_load, METH_O, "load(module)\n--\n\nLoad the bytes of a module, for good; its handle."},
    {"kernel", device_kernel, METH_VARARGS, "kernel(module, name)\n--\n\nThe handle of a loaded module's kernel."},
    {"wait_for", device_wait_for, METH_O, "wait_for(stream)\n--\n\nWait for what is queued on another stream."},
    {"holds", device_holds, METH_O, "holds(address)\n--\n\nWhether memory at an address is this device's."},
    {"trim", device_trim, METH_NOARGS, "trim()\n--\n\nGive back memory that is kept to be used again."},
    {NULL, NULL, 0, NULL}};

PyTypeObject DeviceType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "symtensor._core.Device",
    .tp_basicsize = sizeof(Device),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "Device(name, ordinal, context)\n--\n\n"
              "A device: `context` is the address of a context of the driver, which must live as long as the process.",
    .tp_new = device_new,
    .tp_dealloc = device_dealloc,
    .tp_repr = device_repr,
    .tp_methods = device_methods,
    .tp_members = device_members,
    .tp_getset = device_attributes,
};
