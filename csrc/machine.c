/* The Machine type: a program made ready to run. */
#include "core.h"

int64_t read_integer(const Type *type, const void *data)
{
    Scalar value = {.int64 = 0};
    memcpy(&value, data, type->itemsize);
    bool is_signed = type->kind == 'i';
    switch (type->itemsize) {
    case 1: return is_signed ? value.int8 : (int64_t)(uint8_t)value.int8;
    case 2: return is_signed ? value.int16 : (int64_t)(uint16_t)value.int16;
    case 4: return is_signed ? value.int32 : (int64_t)(uint32_t)value.int32;
    default: return !is_signed && value.int64 < 0 ? INT64_MAX : value.int64;
    }
}

/* There is no tp_clear: these never change, so a cycle goes through something else that can be cleared. */
static int machine_traverse(PyObject *self, visitproc visit, void *arg)
{
    Machine *machine = (Machine *)self;
    Py_VISIT(machine->constants);
    Py_VISIT(machine->storages);
    Py_VISIT(machine->callables);
    return 0;
}

static void release_types(Type *types, int count)
{
    for (int i = 0; i < count; i++)
        Py_XDECREF(types[i].descr);
}

static void machine_dealloc(PyObject *self)
{
    Machine *machine = (Machine *)self;
    PyObject_GC_UnTrack(self);
    if (machine->arguments != NULL)
        release_types(machine->arguments, machine->argument_count);
    if (machine->storage_types != NULL)
        release_types(machine->storage_types, machine->storage_count);
    for (int i = 0; machine->buffers != NULL && i < machine->buffer_count; i++)
        Py_XDECREF(machine->buffers[i].type.descr);
    for (int i = 0; i < machine->device_count; i++)
        Py_XDECREF(machine->devices[i]);
    Py_CLEAR(machine->names);
    Py_CLEAR(machine->constants);
    Py_CLEAR(machine->storages);
    Py_CLEAR(machine->callables);
    pool_free(&machine->pool);
    Py_TYPE(self)->tp_free(self);
}

/* The tuples the machine keeps: constants, storages, callables. */
static int keep_tuples(Machine *machine, PyObject *program, PyObject *storages, PyObject *callables)
{
    PyObject *constants = PyObject_GetAttrString(program, "constants");
    if (constants == NULL)
        return -1;
    machine->constants = PySequence_Tuple(constants);
    Py_DECREF(constants);
    machine->storages = PySequence_Tuple(storages);
    machine->callables = PySequence_Tuple(callables);
    if (machine->constants == NULL || machine->storages == NULL || machine->callables == NULL)
        return -1;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(machine->storages); i++)
        if (!PyObject_TypeCheck(PyTuple_GET_ITEM(machine->storages, i), &StorageType)) {
            PyErr_Format(PyExc_TypeError, "storages[%zd] is not a Storage", i);
            return -1;
        }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(machine->callables); i++)
        if (!PyCallable_Check(PyTuple_GET_ITEM(machine->callables, i))) {
            PyErr_Format(PyExc_TypeError, "callables[%zd] is not callable", i);
            return -1;
        }
    return 0;
}

/* A Device for each name in the program. */
static int keep_devices(Machine *machine, PyObject *program, PyObject *devices)
{
    PyObject *names = PyObject_GetAttrString(program, "devices");
    Py_ssize_t count = names == NULL ? -1 : PySequence_Size(names);
    Py_XDECREF(names);
    PyObject *given = count < 0 ? NULL : PySequence_Tuple(devices);
    if (given == NULL)
        return -1;
    machine->devices = pool_take(&machine->pool, count, sizeof(Device *));
    bool fits = machine->devices != NULL && PyTuple_GET_SIZE(given) == count;
    for (Py_ssize_t i = 0; fits && i < count; i++) {
        PyObject *device = PyTuple_GET_ITEM(given, i);
        fits = PyObject_TypeCheck(device, &DeviceType);
        if (fits)
            machine->devices[machine->device_count++] = (Device *)Py_NewRef(device);
    }
    if (!fits && !PyErr_Occurred())
        PyErr_Format(PyExc_ValueError, "the program needs %zd Devices", count);
    Py_DECREF(given);
    return fits ? 0 : -1;
}

static int machine_build(Machine *machine, PyObject *program, PyObject *addresses)
{
    if (decode_program(machine, program, addresses) < 0)
        return -1;
    if (PyTuple_GET_SIZE(machine->storages) != machine->storage_count) {
        PyErr_Format(PyExc_ValueError, "the program has %d storages, not %zd", machine->storage_count,
                     PyTuple_GET_SIZE(machine->storages));
        return -1;
    }
    return analyse_program(machine);
}

static PyObject *machine_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"program", "kernels", "storages", "callables", "devices", NULL};
    PyObject *program, *kernels, *storages, *callables, *devices = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "OOOO|O:Machine", names, &program, &kernels, &storages, &callables,
                                     &devices))
        return NULL;
    Machine *machine = (Machine *)type->tp_alloc(type, 0);
    if (machine == NULL)
        return NULL;
    PyObject *addresses = PySequence_Tuple(kernels), *none = PyTuple_New(0);
    int failed = addresses == NULL || none == NULL || keep_tuples(machine, program, storages, callables) < 0
        || keep_devices(machine, program, devices == NULL ? none : devices) < 0
        || machine_build(machine, program, addresses) < 0;
    Py_XDECREF(addresses);
    Py_XDECREF(none);
    if (failed)
        Py_CLEAR(machine);
    return (PyObject *)machine;
}

static PyObject *machine_roots(PyObject *self, void *closure)
{
    (void)closure;
    Machine *machine = (Machine *)self;
    PyObject *roots = PyTuple_New(machine->root_count);
    for (int i = 0; roots != NULL && i < machine->root_count; i++) {
        const SizeEntry *entry = &machine->roots[i].entry;
        PyObject *root = Py_BuildValue("(iLL)", entry->code, (long long)entry->a, (long long)entry->b);
        if (root == NULL)
            Py_CLEAR(roots);
        else
            PyTuple_SET_ITEM(roots, i, root);
    }
    return roots;
}

static PyGetSetDef machine_attributes[] = {
    {"roots", machine_roots, NULL, "The size entries (code, a, b) that are read, not computed, in order.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

PyTypeObject MachineType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "symtensor._core.Machine",
    .tp_basicsize = sizeof(Machine),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Machine(program, kernels, storages, callables, devices=())\n--\n\n"
              "A Program made ready to run: `kernels` are addresses, or handles of the driver; there is a Device for\n"
              "each of the program's. Raises ValueError for an unsound program.",
    .tp_new = machine_new,
    .tp_dealloc = machine_dealloc,
    .tp_traverse = machine_traverse,
    .tp_getset = machine_attributes,
};
