/* The Storage type: the array of a shared variable, and the lock of those who write it.
 *
 * The value is on the processor or on a device: where a program wanted it last, to change it or for the first time. A
 * program that reads it elsewhere gets a copy, kept as long as the value stays as it is.
 *
 * A call that replaces or modifies storages holds their locks, taken in the order of their addresses. A call
 * that only reads one holds a reference to its array, which is enough while others replace it; it waits
 * only while another call modifies the array in place. Fields change only with the GIL held.
 */
#include "core.h"

static int lock_storage(Storage *storage)
{
    unsigned long thread = PyThread_get_thread_ident();
    if (storage->owner == thread) {
        PyErr_SetString(PyExc_RuntimeError, "a compiled function was called again by Python code it runs itself,"
                                            " while it updates a shared variable");
        return -1;
    }
    PyLockStatus status = PyThread_acquire_lock_timed(storage->lock, 0, 0);
    while (status != PY_LOCK_ACQUIRED) {
        Py_BEGIN_ALLOW_THREADS
        status = PyThread_acquire_lock_timed(storage->lock, -1, 1);
        Py_END_ALLOW_THREADS
        if (status != PY_LOCK_ACQUIRED && PyErr_CheckSignals() < 0)
            return -1;
    }
    storage->owner = thread;
    return 0;
}

static void unlock_storage(Storage *storage)
{
    storage->owner = 0;
    storage->modified_in_place = false;
    PyThread_release_lock(storage->lock);
}

static Storage *storage_at(const Machine *machine, int place)
{
    return (Storage *)PyTuple_GET_ITEM(machine->storages, machine->storage_order[place]);
}

static enum Access access_at(const Machine *machine, int place)
{
    return machine->access[machine->storage_order[place]];
}

static void unlock_first(const Machine *machine, int count)
{
    for (int i = 0; i < count; i++)
        if (access_at(machine, i) != ACCESS_READ)
            unlock_storage(storage_at(machine, i));
}

static int lock_written(const Machine *machine)
{
    for (int i = 0; i < machine->storage_count; i++)
        if (access_at(machine, i) != ACCESS_READ && lock_storage(storage_at(machine, i)) < 0) {
            unlock_first(machine, i);
            return -1;
        }
    return 0;
}

/* A storage this program reads and another call is modifying. */
static Storage *find_unsettled(const Machine *machine)
{
    for (int i = 0; i < machine->storage_count; i++)
        if (access_at(machine, i) == ACCESS_READ && storage_at(machine, i)->modified_in_place)
            return storage_at(machine, i);
    return NULL;
}

/* Until the call that modifies the array has ended. */
static int wait_for(Storage *storage)
{
    Py_INCREF(storage);
    int failed = lock_storage(storage);
    if (!failed)
        unlock_storage(storage);
    Py_DECREF(storage);
    return failed;
}

/* Have the value, or a copy of it, on a device or the processor. */
static int bring(Storage *storage, Device *device)
{
    if (value_device(storage->value) == device)
        return 0;
    if (storage->mirror != NULL && value_device(storage->mirror) == device)
        return 0;
    PyObject *copy = value_copy(device, storage->value);
    if (copy == NULL)
        return -1;
    Py_XSETREF(storage->mirror, copy);
    return 0;
}

/* The value is where it was brought to; what it was before is a copy of it. */
static void settle_at(Storage *storage, Device *device)
{
    if (value_device(storage->value) != device) {
        PyObject *before = storage->value;
        storage->value = storage->mirror;
        storage->mirror = before;
    }
}

/* An array modified in place must have its memory for itself: nobody else may see it change. */
static int make_exclusive(Storage *storage)
{
    Py_CLEAR(storage->mirror);
    if (value_is_exclusive(storage->value))
        return 0;
    PyObject *copy = value_copy(value_device(storage->value), storage->value);
    if (copy == NULL)
        return -1;
    Py_SETREF(storage->value, copy);
    return 0;
}

static int take_value(Function *function, Workspace *workspace, int number)
{
    const Machine *machine = function->machine;
    Storage *storage = (Storage *)PyTuple_GET_ITEM(machine->storages, number);
    Device *device = machine->storage_places[number] > 0 ? machine->devices[machine->storage_places[number] - 1] : NULL;
    if (!value_is_of(&machine->storage_types[number], storage->value)) {
        PyErr_Format(PyExc_TypeError, "storage %d holds an array of another dtype or rank than the program expects",
                     number);
        return -1;
    }
    bool modify = machine->access[number] == ACCESS_MODIFY;
    int failed = bring(storage, device);
    if (!failed && (modify || device != NULL))
        settle_at(storage, device);
    if (!failed && modify)
        failed = make_exclusive(storage);
    if (failed) {
        if (!PyErr_ExceptionMatches(PyExc_MemoryError))
            return -1;
        PyErr_Clear();
        return function_fail(function, "memory", machine->storage_places[number],
                             PyLong_FromLongLong(value_bytes(storage->value)));
    }
    storage->modified_in_place |= modify;
    PyObject *value = value_device(storage->value) == device ? storage->value : storage->mirror;
    workspace->shared[number] = Py_NewRef(value);
    return 0;
}

/* Lock the storages the program writes and take a reference to the array of each. */
int storages_acquire(Function *function, Workspace *workspace)
{
    const Machine *machine = function->machine;
    for (;;) {
        if (machine->locks && lock_written(machine) < 0)
            return -1;
        Storage *unsettled = find_unsettled(machine);
        if (unsettled == NULL)
            break;
        storages_release(machine); /* waiting with locks held could wait for ever */
        if (wait_for(unsettled) < 0)
            return -1;
    }
    for (int i = 0; i < machine->storage_count; i++)
        if (take_value(function, workspace, i) < 0) {
            storages_release(machine);
            return -1;
        }
    return 0;
}

void storages_release(const Machine *machine)
{
    if (machine->locks)
        unlock_first(machine, machine->storage_count);
}

/* The type. */

static PyObject *check_value(PyObject *value)
{
    if (value != NULL && PyArray_CheckExact(value) && PyArray_ISCARRAY((PyArrayObject *)value))
        return value;
    if (value != NULL && Py_IS_TYPE(value, &DeviceArrayType))
        return value;
    PyErr_SetString(PyExc_TypeError, "a Storage holds a C-contiguous, aligned, writeable ndarray in native byte order,"
                                     " or a DeviceArray");
    return NULL;
}

static PyObject *storage_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"array", NULL};
    PyObject *value;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O:Storage", names, &value))
        return NULL;
    Storage *storage = check_value(value) == NULL ? NULL : (Storage *)type->tp_alloc(type, 0);
    if (storage == NULL)
        return NULL;
    storage->value = Py_NewRef(value);
    storage->lock = PyThread_allocate_lock();
    if (storage->lock == NULL) {
        Py_DECREF(storage);
        return PyErr_NoMemory();
    }
    return (PyObject *)storage;
}

static void storage_dealloc(PyObject *self)
{
    Storage *storage = (Storage *)self;
    Py_XDECREF(storage->value);
    Py_XDECREF(storage->mirror);
    if (storage->lock != NULL)
        PyThread_free_lock(storage->lock);
    Py_TYPE(self)->tp_free(self);
}

static bool is_unsettled(Storage *storage)
{
    return storage->modified_in_place && storage->owner != PyThread_get_thread_ident();
}

static PyObject *storage_get_value(PyObject *self, void *closure)
{
    (void)closure;
    Storage *storage = (Storage *)self;
    if (is_unsettled(storage) && wait_for(storage) < 0)
        return NULL;
    return Py_NewRef(storage->value);
}

static int storage_set_value(PyObject *self, PyObject *value, void *closure)
{
    (void)closure;
    if (check_value(value) == NULL)
        return -1;
    Py_CLEAR(((Storage *)self)->mirror);
    Py_SETREF(((Storage *)self)->value, Py_NewRef(value));
    return 0;
}

/* The value as an array of NumPy. Where the value is one, it may be written to from now on: no copy is kept of it. */
static PyObject *storage_get_array(PyObject *self, void *closure)
{
    Storage *storage = (Storage *)self;
    PyObject *value = storage_get_value(self, closure);
    if (value == NULL || value_device(value) == NULL) {
        Py_CLEAR(storage->mirror);
        return value;
    }
    PyObject *copy = value_copy(NULL, value);
    Py_DECREF(value);
    return copy;
}

static PyGetSetDef storage_attributes[] = {
    {"array", storage_get_array, storage_set_value, "The array held: C-contiguous, aligned, writeable.", NULL},
    {"value", storage_get_value, storage_set_value, "The array held, where it is: of NumPy or a DeviceArray.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

PyTypeObject StorageType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "symtensor._core.Storage",
    .tp_basicsize = sizeof(Storage),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "Storage(array)\n--\n\nThe array of a shared variable.",
    .tp_new = storage_new,
    .tp_dealloc = storage_dealloc,
    .tp_getset = storage_attributes,
};
