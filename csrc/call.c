/* Calling Python: arrays over the buffers a callable reads, and its results put where they belong. */
#include "core.h"

/* The object that keeps a buffer's memory alive, borrowed; NULL for a scalar argument. */
static PyObject *memory_owner(const Workspace *workspace, int number)
{
    const Machine *machine = workspace->machine;
    const Buffer *buffer = &machine->buffers[number];
    switch (buffer->kind) {
    case BUFFER_INPUT: return workspace->arguments[buffer->source];
    case BUFFER_SHARED: return workspace->shared[buffer->source];
    case BUFFER_CONSTANT: return PyTuple_GET_ITEM(machine->constants, buffer->source);
    case BUFFER_OUTPUT: return workspace->results[buffer->source];
    case BUFFER_DYNAMIC: return (PyObject *)workspace->dynamic[number];
    case BUFFER_MOVING: return NULL;
    default:
        return (PyObject *)workspace->arenas[machine->segments[buffer->segment].depth * (machine->device_count + 1)];
    }
}

/* An array over the buffer's memory, or a copy when nothing keeps that memory alive. */
static PyArrayObject *view_of_buffer(const Workspace *workspace, int number, PyObject *owner)
{
    const Buffer *buffer = &workspace->machine->buffers[number];
    npy_intp shape[NPY_MAXDIMS];
    buffer_shape(workspace->binding, buffer, shape);
    bool empty = workspace->binding->bytes[number] == 0;
    void *data = owner == NULL || empty ? NULL : workspace->slots[number];
    int flags = data == NULL ? 0 : NPY_ARRAY_CARRAY; /* without data any flag means the order of Fortran */
    Py_INCREF(buffer->type.descr);
    PyArrayObject *array = (PyArrayObject *)PyArray_NewFromDescr(
        &PyArray_Type, buffer->type.descr, buffer->type.ndim, shape, NULL, data, flags, NULL);
    if (array == NULL)
        return NULL;
    if (data == NULL) {
        memcpy(PyArray_DATA(array), workspace->slots[number], (size_t)workspace->binding->bytes[number]);
        return array;
    }
    Py_INCREF(owner);
    if (PyArray_SetBaseObject(array, owner) < 0)
        Py_CLEAR(array);
    return array;
}

static PyArrayObject *input_array(const Workspace *workspace, int number)
{
    int root = workspace->machine->buffers[number].root;
    PyObject *owner = memory_owner(workspace, root);
    if (root != number || owner == NULL || !PyArray_Check(owner))
        return view_of_buffer(workspace, number, owner);
    Py_INCREF(owner);
    return (PyArrayObject *)owner;
}

/* An argument as an array; a number is kept as such, and only for the length of the call. */
static PyObject *argument_array(const Workspace *workspace, int number)
{
    PyObject *array = workspace->arguments[number];
    if (array != NULL)
        return value_device(array) == NULL ? Py_NewRef(array) : value_copy(NULL, array);
    const Type *type = &workspace->machine->arguments[number];
    Py_INCREF(type->descr);
    array = PyArray_NewFromDescr(&PyArray_Type, type->descr, 0, NULL, NULL, NULL, 0, NULL);
    if (array != NULL)
        memcpy(PyArray_DATA((PyArrayObject *)array), &workspace->scalars[number], type->itemsize);
    return array;
}

static PyObject *shared_array(const Workspace *workspace, int number)
{
    PyObject *value = workspace->shared[number];
    return value_device(value) == NULL ? Py_NewRef(value) : value_copy(NULL, value);
}

PyObject *given_arrays(const Workspace *workspace)
{
    int arguments = workspace->machine->argument_count, storages = workspace->machine->storage_count;
    PyObject *arrays = PyTuple_New(arguments + storages);
    for (int i = 0; arrays != NULL && i < arguments + storages; i++) {
        PyObject *array = i < arguments ? argument_array(workspace, i) : shared_array(workspace, i - arguments);
        if (array == NULL)
            Py_CLEAR(arrays);
        else
            PyTuple_SET_ITEM(arrays, i, array);
    }
    return arrays;
}

static int refuse_result(Function *function, int index, int position, const char *what)
{
    return function_fail(function, "call", index, Py_BuildValue("(is)", position, what));
}

/* Copy what the callable returned to memory that is there already. */
static int copy_in(Function *function, Workspace *workspace, int index, int position, int number, PyObject *values)
{
    const Buffer *buffer = &workspace->machine->buffers[number];
    PyArrayObject *array = (PyArrayObject *)PyArray_FROM_OF(PyTuple_GET_ITEM(values, position), NPY_ARRAY_CARRAY_RO);
    if (array == NULL)
        return -1;
    int failed = 0;
    if (!type_matches(&buffer->type, array))
        failed = refuse_result(function, index, position, "an array of another dtype or rank");
    else if (!shape_matches(workspace->binding, buffer, PyArray_DIMS(array)))
        failed = refuse_result(function, index, position, "an array of another shape");
    else
        memmove(workspace->slots[number], PyArray_DATA(array), (size_t)workspace->binding->bytes[number]);
    Py_DECREF(array);
    return failed;
}

/* Nobody but the tuple it came in can reach the array's memory, and nobody but us that tuple. */
static bool is_exclusive(PyObject *values, PyObject *value)
{
    if (Py_REFCNT(values) != 1 || !PyArray_CheckExact(value) || Py_REFCNT(value) != 1)
        return false;
    PyArrayObject *array = (PyArrayObject *)value;
    return PyArray_BASE(array) == NULL && PyArray_CHKFLAGS(array, NPY_ARRAY_OWNDATA) && PyArray_ISCARRAY(array);
}

static void fill_dynamic_slots(Workspace *workspace, int number)
{
    const Machine *machine = workspace->machine;
    workspace->slots[number] = PyArray_DATA(workspace->dynamic[number]);
    for (int i = 0; i < machine->dynamic_aliases.count; i++) {
        int alias = machine->dynamic_aliases.items[i];
        if (machine->buffers[alias].root == number)
            workspace->slots[alias] = workspace->slots[number];
    }
}

/* Keep what the callable returned as the buffer: the array itself where nobody else has it, else a copy. */
static int keep(Function *function, Workspace *workspace, int index, int position, int number, PyObject *values)
{
    const Buffer *buffer = &workspace->machine->buffers[number];
    PyObject *value = PyTuple_GET_ITEM(values, position);
    bool as_it_is = is_exclusive(values, value) && type_matches(&buffer->type, (PyArrayObject *)value);
    PyArrayObject *array = (PyArrayObject *)PyArray_FROM_O(value);
    if (array == NULL)
        return -1;
    int failed = 0;
    if (PyArray_NDIM(array) != buffer->type.ndim)
        failed = refuse_result(function, index, position, "an array of another rank");
    else if (!PyArray_CanCastArrayTo(array, buffer->type.descr, NPY_SAME_KIND_CASTING))
        failed = refuse_result(function, index, position, "an array of another dtype");
    else if (buffer->segment <= workspace->segment
             && !shape_matches(workspace->binding, buffer, PyArray_DIMS(array)))
        failed = refuse_result(function, index, position, "an array of another shape");
    else if (!as_it_is) {
        Py_INCREF(buffer->type.descr);
        int flags = NPY_ARRAY_CARRAY | NPY_ARRAY_ENSURECOPY | NPY_ARRAY_ENSUREARRAY | NPY_ARRAY_FORCECAST;
        Py_SETREF(array, (PyArrayObject *)PyArray_FromArray(array, buffer->type.descr, flags));
        failed = array == NULL ? -1 : 0;
    }
    if (failed) {
        Py_XDECREF(array);
        return -1;
    }
    Py_XSETREF(workspace->dynamic[number], array);
    fill_dynamic_slots(workspace, number);
    return 0;
}

int run_keep(Workspace *workspace, const Copy *copy)
{
    PyArrayObject *array = view_of_buffer(workspace, copy->source, NULL);
    if (array == NULL)
        return -1;
    Py_XSETREF(workspace->dynamic[copy->target], array);
    fill_dynamic_slots(workspace, copy->target);
    return 0;
}

static int take_results(Function *function, Workspace *workspace, const Call *call, int index, PyObject *values)
{
    if (!PyTuple_Check(values) || PyTuple_GET_SIZE(values) != call->outputs.count)
        return refuse_result(function, index, -1, "not a tuple with a value for each output");
    for (int i = 0; i < call->outputs.count; i++) {
        int number = call->outputs.items[i];
        bool dynamic = workspace->machine->buffers[number].kind == BUFFER_DYNAMIC;
        if ((dynamic ? keep : copy_in)(function, workspace, index, i, number, values) < 0)
            return -1;
    }
    return 0;
}

/* Say of the exception that a callable raised where the user wrote what it computes. */
static int explain_exception(Function *function, int index)
{
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != NULL)
        PyException_SetTraceback(value, traceback);
    Py_XDECREF(type);
    Py_XDECREF(traceback);
    return function_fail(function, "exception", index, value);
}

int run_call(Function *function, Workspace *workspace, const Call *call, int index)
{
    PyObject *arguments = PyTuple_New(call->inputs.count);
    if (arguments == NULL)
        return -1;
    for (int i = 0; i < call->inputs.count; i++) {
        PyObject *array = (PyObject *)input_array(workspace, call->inputs.items[i]);
        if (array == NULL) {
            Py_DECREF(arguments);
            return -1;
        }
        PyTuple_SET_ITEM(arguments, i, array);
    }
    PyObject *values = PyObject_Call(call->callable, arguments, NULL);
    Py_DECREF(arguments);
    if (values == NULL)
        return explain_exception(function, index);
    int failed = take_results(function, workspace, call, index, values);
    Py_DECREF(values);
    return failed;
}
