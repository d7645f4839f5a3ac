/* The module symtensor._core. */
#define SYMTENSOR_MODULE
#include "core.h"

static PyObject *set_threads(PyObject *module, PyObject *value)
{
    (void)module;
    long threads = PyLong_AsLong(value);
    if (threads == -1 && PyErr_Occurred())
        return NULL;
    if (threads < 0 || threads > 1024) {
        PyErr_Format(PyExc_ValueError, "threads must be in 0..1024, not %ld", threads);
        return NULL;
    }
    threads_set((int)threads);
    Py_RETURN_NONE;
}

static PyObject *get_threads(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return PyLong_FromLong(threads_get());
}

static PyObject *set_library(PyObject *module, PyObject *args)
{
    (void)module;
    const char *name;
    PyObject *address;
    if (!PyArg_ParseTuple(args, "sO!:set_library", &name, &PyLong_Type, &address))
        return NULL;
    void *pointer = PyLong_AsVoidPtr(address);
    if (pointer == NULL && PyErr_Occurred())
        return NULL;
    if (library_set(name, pointer) < 0) {
        PyErr_Format(PyExc_ValueError, "no function of a library is called %s", name);
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *routines(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    return routines_describe();
}

static PyObject *capsule_address(PyObject *module, PyObject *capsule)
{
    (void)module;
    if (!PyCapsule_CheckExact(capsule)) {
        PyErr_SetString(PyExc_TypeError, "expected a capsule");
        return NULL;
    }
    void *pointer = PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule));
    return pointer == NULL ? NULL : PyLong_FromVoidPtr(pointer);
}

static PyMethodDef methods[] = {
    {"set_threads", set_threads, METH_O, "set_threads(n)\n--\n\nThreads a call may use; 0 for one for each core."},
    {"get_threads", get_threads, METH_NOARGS, "get_threads()\n--\n\nThreads a call may use."},
    {"set_library", set_library, METH_VARARGS,
     "set_library(name, address)\n--\n\n"
     "Where a function of a library is, 0 for nowhere."},
    {"routines", routines, METH_NOARGS,
     "routines()\n--\n\n"
     "For each routine the functions it may call, pairs (library, name), and whether it does nothing without."},
    {"set_driver", driver_set, METH_O,
     "set_driver(addresses)\n--\n\n"
     "Where the entry points of the driver of devices are, a dict; given None, their names."},
    {"device_convolutions", device_convolutions, METH_O,
     "device_convolutions(device)\n--\n\n"
     "What cuDNN was asked for on a device: bytes of an element, the numbers of the convolution, and what was used, if"
     " anything was: algorithm, math, bytes."},
    {"capsule_address", capsule_address, METH_O, "capsule_address(capsule)\n--\n\nThe pointer a capsule holds."},
    {NULL, NULL, 0, NULL}};

static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "symtensor._core",
    .m_doc = "The C runtime: machines that run Programs, and the functions that call them.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__core(void)
{
    import_array();
    if (PyType_Ready(&BlockType) < 0)
        return NULL;
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    if (PyModule_AddType(module, &StorageType) < 0 || PyModule_AddType(module, &MachineType) < 0
        || PyModule_AddType(module, &FunctionType) < 0 || PyModule_AddType(module, &DeviceType) < 0
        || PyModule_AddType(module, &DeviceArrayType) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    threads_set(0);
    threads_prepare_for_forks();
    return module;
}
