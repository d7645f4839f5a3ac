/* The Storage type: the array of a shared variable, and the lock of those who write it.
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

/* An array modified in place must have its memory for itself: nobody else may see it change. */
static int make_exclusive(Storage *storage)
{
    PyArrayObject *array = storage->array;
    if (Py_REFCNT(array) == 1 && PyArray_BASE(array) == NULL && PyArray_CHKFLAGS(array, NPY_ARRAY_OWNDATA))
        return 0;
    PyArrayObject *copy = (PyArrayObject *)PyArray_NewCopy(array, NPY_CORDER);
    if (copy == NULL)
        return -1;
    storage->array = copy;
    Py_DECREF(array);
    return 0;
}

static int take_array(const Machine *machine, Workspace *workspace, int number)
{
    Storage *storage = (Storage *)PyTuple_GET_ITEM(machine->storages, number);
    if (!type_matches(&machine->storage_types[number], storage->array)) {
        PyErr_Format(PyExc_TypeError, "storage %d holds an array of another dtype or rank than the program expects",
                     number);
        return -1;
    }
    if (machine->access[number] == ACCESS_MODIFY) {
        if (make_exclusive(storage) < 0)
            return -1;
        storage->modified_in_place = true;
    }
    Py_INCREF(storage->array);
    workspace->shared[number] = storage->array;
    return 0;
}

/* Lock the storages the program writes and take a reference to the array of each. */
int storages_acquire(const Machine *machine, Workspace *workspace)
{
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
        if (take_array(machine, workspace, i) < 0) {
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

static PyArrayObject *check_array(PyObject *value)
{
    if (value != NULL && PyArray_CheckExact(value) && PyArray_ISCARRAY((PyArrayObject *)value))
        return (PyArrayObject *)value;
    PyErr_SetString(PyExc_TypeError, "a Storage holds a C-contiguous, aligned, writeable ndarray in native byte order");
    return NULL;
}

static PyObject *storage_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"array", NULL};
    PyObject *value;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O:Storage", names, &value))
        return NULL;
    PyArrayObject *array = check_array(value);
    Storage *storage = array == NULL ? NULL : (Storage *)type->tp_alloc(type, 0);
    if (storage == NULL)
        return NULL;
    Py_INCREF(array);
    storage->array = array;
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
    Py_XDECREF(storage->array);
    if (storage->lock != NULL)
        PyThread_free_lock(storage->lock);
    Py_TYPE(self)->tp_free(self);
}

static PyObject *storage_get_array(PyObject *self, void *closure)
{
    (void)closure;
    Storage *storage = (Storage *)self;
    bool mine = storage->owner == PyThread_get_thread_ident();
    if (storage->modified_in_place && !mine && wait_for(storage) < 0)
        return NULL;
    Py_INCREF(storage->array);
    return (PyObject *)storage->array;
}

static int storage_set_array(PyObject *self, PyObject *value, void *closure)
{
    (void)closure;
    PyArrayObject *array = check_array(value);
    if (array == NULL)
        return -1;
    PyArrayObject *before = ((Storage *)self)->array;
    Py_INCREF(array);
    ((Storage *)self)->array = array;
    Py_DECREF(before);
    return 0;
}

static PyGetSetDef storage_attributes[] = {
    {"array", storage_get_array, storage_set_array, "The array held: C-contiguous, aligned, writeable.", NULL},
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
