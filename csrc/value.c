/* Values: the arrays that arguments, storages and results are, of NumPy on the processor, DeviceArrays on devices. */
#include "core.h"

static bool is_on_device(const PyObject *value)
{
    return Py_IS_TYPE((PyObject *)value, &DeviceArrayType);
}

Device *value_device(const PyObject *value)
{
    return is_on_device(value) ? ((const DeviceArray *)value)->memory->device : NULL;
}

void *value_data(const PyObject *value)
{
    return is_on_device(value) ? ((const DeviceArray *)value)->data : PyArray_DATA((PyArrayObject *)value);
}

const npy_intp *value_shape(const PyObject *value)
{
    return is_on_device(value) ? ((const DeviceArray *)value)->shape : PyArray_DIMS((PyArrayObject *)value);
}

int64_t value_bytes(const PyObject *value)
{
    if (!is_on_device(value))
        return PyArray_NBYTES((PyArrayObject *)value);
    const DeviceArray *array = (const DeviceArray *)value;
    int64_t bytes = array->type.itemsize;
    for (int axis = 0; axis < array->type.ndim; axis++)
        bytes *= array->shape[axis];
    return bytes;
}

bool value_is_of(const Type *type, const PyObject *value)
{
    return is_on_device(value) ? types_equal(type, &((const DeviceArray *)value)->type)
                               : type_matches(type, (PyArrayObject *)value);
}

Type value_type(const PyObject *value)
{
    if (is_on_device(value))
        return ((const DeviceArray *)value)->type;
    PyArray_Descr *descr = PyArray_DESCR((PyArrayObject *)value);
    return type_of(descr, PyArray_NDIM((PyArrayObject *)value));
}

/* Over memory that is there; steals `memory`. */
static PyObject *array_over(Block *memory, void *data, const Type *type, const npy_intp *shape)
{
    DeviceArray *array = PyObject_NewVar(DeviceArray, &DeviceArrayType, type->ndim);
    if (array == NULL) {
        Py_DECREF(memory);
        return NULL;
    }
    array->memory = memory;
    array->weak_references = NULL;
    array->type = *type;
    Py_INCREF(type->descr);
    array->data = data;
    memcpy(array->shape, shape, type->ndim * sizeof(npy_intp));
    return (PyObject *)array;
}

PyObject *value_new(Device *device, const Type *type, const npy_intp *shape)
{
    if (device == NULL) {
        Py_INCREF(type->descr);
        return PyArray_NewFromDescr(&PyArray_Type, type->descr, type->ndim, (npy_intp *)shape, NULL, NULL, 0, NULL);
    }
    int64_t bytes = type->itemsize;
    for (int axis = 0; axis < type->ndim; axis++)
        bytes = multiply_saturating(bytes, shape[axis]);
    Block *memory = block_new(device, bytes);
    return memory == NULL ? NULL : array_over(memory, memory->data, type, shape);
}

/* Wait for what comes to the processor. Others may run meanwhile if nothing can happen to the value then. */
static Status wait_for_copy(Device *device, bool release)
{
    if (!release)
        return device_wait(device);
    Status status;
    Py_BEGIN_ALLOW_THREADS
    status = device_wait(device);
    Py_END_ALLOW_THREADS
    return status;
}

static PyObject *copied(Device *device, PyObject *value, bool release)
{
    Type type = value_type(value);
    Device *from = value_device(value);
    PyObject *copy = value_new(device, &type, value_shape(value));
    if (copy == NULL || (device == NULL && from == NULL)) {
        if (copy != NULL)
            memcpy(value_data(copy), value_data(value), (size_t)value_bytes(value));
        return copy;
    }
    Device *one = device == NULL ? from : device;
    Status status = device_enter(one);
    if (status == 0) {
        status = device_copy(device, value_data(copy), from, value_data(value), value_bytes(value));
        if (status == 0 && device == NULL)
            status = wait_for_copy(from, release);
        device_leave();
    }
    if (status != 0) {
        Py_DECREF(copy);
        return device_raise(one, status, "a value was copied"), NULL;
    }
    return copy;
}

PyObject *value_copy(Device *device, PyObject *value)
{
    return copied(device, value, false);
}

/* Nobody else may see it change: the value has its memory for itself. */
bool value_is_exclusive(PyObject *value)
{
    if (Py_REFCNT(value) != 1)
        return false;
    if (is_on_device(value))
        return Py_REFCNT(((DeviceArray *)value)->memory) == 1 && ((DeviceArray *)value)->memory->owner == NULL;
    PyArrayObject *array = (PyArrayObject *)value;
    return PyArray_BASE(array) == NULL && PyArray_CHKFLAGS(array, NPY_ARRAY_OWNDATA);
}

/* The type. */

static PyObject *array_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    (void)type;
    static char *names[] = {"device", "value", NULL};
    Device *device;
    PyObject *value;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!O:DeviceArray", names, &DeviceType, &device, &value))
        return NULL;
    if (is_on_device(value))
        return value_copy(device, value);
    PyObject *array = PyArray_FROM_OF(value, NPY_ARRAY_CARRAY_RO);
    PyObject *copy = array == NULL ? NULL : value_copy(device, array);
    Py_XDECREF(array);
    return copy;
}

/* over(device, owner, address, dtype, shape): memory of another library's, kept alive by its owner. */
static PyObject *array_over_foreign(PyObject *class, PyObject *args)
{
    (void)class;
    Device *device;
    PyObject *owner, *shape;
    unsigned long long address;
    PyArray_Descr *descr = NULL;
    PyArray_Dims dims = {NULL, 0};
    if (!PyArg_ParseTuple(args, "O!OKO&O:over", &DeviceType, &device, &owner, &address, PyArray_DescrConverter, &descr,
                          &shape))
        return NULL;
    PyObject *made = NULL;
    if (PyArray_IntpConverter(shape, &dims) != NPY_FAIL) {
        Type type = type_of(descr, dims.len);
        Block *memory = block_over(device, owner, (void *)(uintptr_t)address);
        made = memory == NULL ? NULL : array_over(memory, memory->data, &type, dims.ptr);
        PyDimMem_FREE(dims.ptr);
    }
    Py_DECREF(descr);
    return made;
}

static void array_dealloc(PyObject *self)
{
    DeviceArray *array = (DeviceArray *)self;
    if (array->weak_references != NULL)
        PyObject_ClearWeakRefs(self);
    Py_DECREF(array->type.descr);
    Py_DECREF(array->memory);
    PyObject_Free(self);
}

static PyObject *array_to_numpy(PyObject *self, PyObject *unused)
{
    (void)unused;
    return copied(NULL, self, true);
}

/* __array__(dtype=None, copy=None) */
static PyObject *array_as_numpy(PyObject *self, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"dtype", "copy", NULL};
    PyObject *dtype = Py_None, *copy = Py_None;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "|OO:__array__", names, &dtype, &copy))
        return NULL;
    if (copy == Py_False) {
        PyErr_SetString(PyExc_ValueError, "an array on a device cannot be seen by NumPy without a copy");
        return NULL;
    }
    PyObject *array = copied(NULL, self, true);
    if (array == NULL || dtype == Py_None)
        return array;
    PyObject *cast = PyObject_CallMethod(array, "astype", "O", dtype);
    Py_DECREF(array);
    return cast;
}

static PyObject *shape_tuple(const DeviceArray *array)
{
    PyObject *shape = PyTuple_New(array->type.ndim);
    for (int axis = 0; shape != NULL && axis < array->type.ndim; axis++)
        PyTuple_SET_ITEM(shape, axis, PyLong_FromSsize_t(array->shape[axis]));
    return shape;
}

static PyObject *array_get_shape(PyObject *self, void *closure)
{
    (void)closure;
    return shape_tuple((DeviceArray *)self);
}

static PyObject *array_get_dtype(PyObject *self, void *closure)
{
    (void)closure;
    return Py_NewRef((PyObject *)((DeviceArray *)self)->type.descr);
}

static PyObject *array_get_ndim(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLong(((DeviceArray *)self)->type.ndim);
}

static PyObject *array_get_bytes(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLongLong(value_bytes(self));
}

static PyObject *array_get_size(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromLongLong(value_bytes(self) / ((DeviceArray *)self)->type.itemsize);
}

static PyObject *array_get_device(PyObject *self, void *closure)
{
    (void)closure;
    return Py_NewRef((PyObject *)((DeviceArray *)self)->memory->device);
}

static PyObject *array_get_address(PyObject *self, void *closure)
{
    (void)closure;
    return PyLong_FromVoidPtr(value_bytes(self) == 0 ? NULL : ((DeviceArray *)self)->data);
}

/* CUDA Array Interface, version 3: others wait for our stream before they use the memory. */
static PyObject *array_interface(PyObject *self, void *closure)
{
    DeviceArray *array = (DeviceArray *)self;
    PyObject *text = PyObject_GetAttrString((PyObject *)array->type.descr, "str");
    PyObject *address = array_get_address(self, closure);
    if (text == NULL || address == NULL) {
        Py_XDECREF(text);
        Py_XDECREF(address);
        return NULL;
    }
    return Py_BuildValue("{sNsNs(NO)sOsisN}", "shape", shape_tuple(array), "typestr", text, "data", address, Py_False,
                         "strides", Py_None, "version", 3, "stream",
                         PyLong_FromVoidPtr(array->memory->device->stream));
}

static PyObject *array_repr(PyObject *self)
{
    PyObject *shape = shape_tuple((DeviceArray *)self);
    if (shape == NULL)
        return NULL;
    DeviceArray *array = (DeviceArray *)self;
    PyObject *text = PyUnicode_FromFormat("<%s%c%d %S on %U>", array->type.kind == BFLOAT ? "b" : "",
                                          array->type.kind == BFLOAT ? 'f' : array->type.kind,
                                          8 * array->type.itemsize, shape,
                                          array->memory->device->name);
    Py_DECREF(shape);
    return text;
}

static PyGetSetDef array_attributes[] = {
    {"shape", array_get_shape, NULL, "The sizes.", NULL},
    {"dtype", array_get_dtype, NULL, "NumPy's dtype of the elements.", NULL},
    {"ndim", array_get_ndim, NULL, "The number of axes.", NULL},
    {"size", array_get_size, NULL, "The number of elements.", NULL},
    {"nbytes", array_get_bytes, NULL, "The bytes of the elements.", NULL},
    {"device", array_get_device, NULL, "The Device it is on.", NULL},
    {"gpudata", array_get_address, NULL, "The address on the device, as PyCUDA calls it.", NULL},
    {"__cuda_array_interface__", array_interface, NULL, "The same memory for other libraries.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMethodDef array_methods[] = {
    {"get", array_to_numpy, METH_NOARGS, "get()\n--\n\nThe elements as an array of NumPy."},
    {"over", array_over_foreign, METH_VARARGS | METH_STATIC,
     "over(device, owner, address, dtype, shape)\n--\n\nContiguous memory of another library, which `owner` keeps alive."},
    {"__dlpack__", (PyCFunction)(void (*)(void))dlpack_export, METH_VARARGS | METH_KEYWORDS, NULL},
    {"__dlpack_device__", dlpack_device, METH_NOARGS, NULL},
    {"__array__", (PyCFunction)(void (*)(void))array_as_numpy, METH_VARARGS | METH_KEYWORDS, NULL},
    {NULL, NULL, 0, NULL}};

PyTypeObject DeviceArrayType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "symtensor._core.DeviceArray",
    .tp_basicsize = sizeof(DeviceArray),
    .tp_itemsize = sizeof(npy_intp),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "DeviceArray(device, value)\n--\n\n"
              "A contiguous array on a device, made of an array of NumPy or of one on any device.",
    .tp_new = array_new,
    .tp_dealloc = array_dealloc,
    .tp_repr = array_repr,
    .tp_weaklistoffset = offsetof(DeviceArray, weak_references),
    .tp_methods = array_methods,
    .tp_getset = array_attributes,
};
