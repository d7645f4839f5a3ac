/* Results: arrays made anew or used again, handed to the caller and to the storages they update. */
#include "core.h"

void buffer_shape(const Binding *binding, const Buffer *buffer, npy_intp *shape)
{
    for (int axis = 0; axis < buffer->type.ndim; axis++)
        shape[axis] = binding->sizes[buffer->shape[axis]];
}

bool shape_matches(const Binding *binding, const Buffer *buffer, const npy_intp *shape)
{
    for (int axis = 0; axis < buffer->type.ndim; axis++)
        if (shape[axis] != binding->sizes[buffer->shape[axis]])
            return false;
    return true;
}

/* Recycling: memory fresh from the system costs more to touch first than most kernels take. The last two
 * arrays handed out are remembered, since a loop `y = f(x)` still holds the last one when it calls again. */

static bool is_forgotten(PyArrayObject *array)
{
    const int needed = NPY_ARRAY_CARRAY | NPY_ARRAY_OWNDATA;
    return Py_REFCNT(array) == 1 && PyArray_CHKFLAGS(array, needed) && PyArray_BASE(array) == NULL
        && *PyObject_GET_WEAKREFS_LISTPTR((PyObject *)array) == NULL;
}

static PyArrayObject *take_recycled(Recycler *recycler, const Binding *binding, const Buffer *buffer)
{
    for (int i = 0; i < 2; i++) {
        PyArrayObject *array = recycler->arrays[i];
        if (array != NULL && is_forgotten(array) && type_matches(&buffer->type, array)
            && shape_matches(binding, buffer, PyArray_DIMS(array))) {
            recycler->arrays[i] = NULL;
            return array;
        }
    }
    return NULL;
}

static void remember(Function *function, int number, PyObject *value)
{
    Recycler *recycler = &function->recyclers[number];
    if (!function->recycle || !PyArray_CheckExact(value))
        return;
    PyArrayObject *array = (PyArrayObject *)value;
    PyArrayObject *oldest = recycler->arrays[1];
    if (recycler->arrays[0] != NULL) {
        recycler->arrays[1] = recycler->arrays[0];
        Py_XDECREF(oldest);
    }
    Py_INCREF(array);
    recycler->arrays[0] = array;
}

void recyclers_clear(Function *function)
{
    const Machine *machine = function->machine;
    for (int i = 0; i < machine->result_count + machine->update_count; i++) {
        Py_CLEAR(function->recyclers[i].arrays[0]);
        Py_CLEAR(function->recyclers[i].arrays[1]);
    }
}

PyObject *result_array(Function *function, const Binding *binding, int recycler, int number)
{
    const Machine *machine = function->machine;
    const Buffer *buffer = &machine->buffers[number];
    Device *device = buffer->device > 0 ? machine->devices[buffer->device - 1] : NULL;
    PyArrayObject *array = device == NULL ? take_recycled(&function->recyclers[recycler], binding, buffer) : NULL;
    if (array != NULL)
        return (PyObject *)array;
    npy_intp shape[NPY_MAXDIMS];
    buffer_shape(binding, buffer, shape);
    PyObject *value = value_new(device, &buffer->type, shape);
    if (value == NULL && PyErr_ExceptionMatches(PyExc_MemoryError)) {
        PyErr_Clear();
        function_fail(function, "memory", buffer->device, PyLong_FromLongLong(binding->bytes[number]));
    }
    return value;
}

/* A copy of the buffer's value for a result or a storage. */
static PyObject *copied_out(Function *function, Workspace *workspace, int recycler, int number, void *data)
{
    int device = function->machine->buffers[number].device;
    PyObject *value = result_array(function, workspace->binding, recycler, number);
    if (value != NULL
        && run_copy(workspace, device, value_data(value), device, data, workspace->binding->bytes[number]) != 0) {
        Py_CLEAR(value);
        device_raise(function->machine->devices[device - 1], workspace->error, "a result was copied");
    }
    return value;
}

/* Results that have no array of their own yet get one. */
static int collect_results(Function *function, Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    for (int r = 0; r < machine->result_count; r++) {
        int number = machine->results[r].buffer;
        if (machine->results[r].mode == RESULT_DYNAMIC) {
            workspace->results[r] = Py_NewRef((PyObject *)workspace->dynamic[number]);
        } else if (machine->results[r].mode == RESULT_COPY) {
            workspace->results[r] = copied_out(function, workspace, r, number, workspace->slots[number]);
            if (workspace->results[r] == NULL)
                return -1;
        }
    }
    return 0;
}

/* The array for a storage: the result's own, or a copy where that one goes elsewhere too. */
static PyObject *update_array(Function *function, Workspace *workspace, int number)
{
    const Machine *machine = workspace->machine;
    const Update *update = &machine->updates[number];
    PyObject *result = workspace->results[update->result];
    if (!update->copy)
        return Py_NewRef(result);
    int buffer = machine->results[update->result].buffer;
    return copied_out(function, workspace, machine->result_count + number, buffer, value_data(result));
}

static int collect_updates(Function *function, Workspace *workspace)
{
    for (int u = 0; u < workspace->machine->update_count; u++) {
        workspace->updates[u] = update_array(function, workspace, u);
        if (workspace->updates[u] == NULL)
            return -1;
    }
    return 0;
}

/* What the caller gets. */
static PyObject *wrap_results(Function *function, const Workspace *workspace)
{
    PyObject *wrap = function->wrap;
    int count = workspace->machine->returned;
    if (wrap == Py_None)
        Py_RETURN_NONE;
    if (function->single)
        return Py_NewRef(workspace->results[0]);
    bool keyed = PyTuple_Check(wrap);
    PyObject *wrapped = keyed ? PyDict_New() : PyList_New(count);
    for (int i = 0; wrapped != NULL && i < count; i++) {
        PyObject *result = workspace->results[i];
        if (!keyed) {
            PyList_SET_ITEM(wrapped, i, Py_NewRef(result));
        } else if (PyDict_SetItem(wrapped, PyTuple_GET_ITEM(wrap, i), result) < 0) {
            Py_CLEAR(wrapped);
        }
    }
    return wrapped;
}

/* Give the storages their new arrays; the old ones are used again next time unless somebody holds them. */
static void apply_updates(Function *function, Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    for (int u = 0; u < machine->update_count; u++) {
        const Update *update = &machine->updates[u];
        Storage *storage = (Storage *)PyTuple_GET_ITEM(machine->storages, update->storage);
        PyObject *before = storage->value;
        storage->value = workspace->updates[u];
        workspace->updates[u] = NULL;
        Py_CLEAR(workspace->shared[update->storage]);
        Py_CLEAR(storage->mirror);
        if (value_device(before) == NULL && is_forgotten((PyArrayObject *)before))
            remember(function, update->copy ? machine->result_count + u : update->result, before);
        Py_DECREF(before);
    }
}

PyObject *results_finish(Function *function, Workspace *workspace)
{
    if (collect_results(function, workspace) < 0 || collect_updates(function, workspace) < 0)
        return NULL;
    PyObject *wrapped = wrap_results(function, workspace);
    if (wrapped == NULL)
        return NULL;
    const Machine *machine = workspace->machine;
    for (int r = 0; r < machine->result_count; r++)
        if (machine->results[r].mode != RESULT_DYNAMIC && !machine->results[r].moved)
            remember(function, r, workspace->results[r]);
    apply_updates(function, workspace);
    return wrapped;
}
