/* The Function type: the compiled function as Python sees it. */
#include "core.h"

#include <structmember.h>

int function_fail(Function *function, const char *kind, int64_t number, PyObject *data)
{
    if (data == NULL && PyErr_Occurred())
        return -1;
    PyObject *answer = PyObject_CallFunction(function->fail, "sLO", kind, (long long)number,
                                             data == NULL ? Py_None : data);
    Py_XDECREF(data);
    if (answer != NULL) {
        Py_DECREF(answer);
        PyErr_Format(PyExc_RuntimeError, "a compiled function failed: %s %lld", kind, (long long)number);
    }
    return -1;
}

static PyObject *function_call(PyObject *self, PyObject *const *args, size_t nargsf, PyObject *keywords)
{
    Function *function = (Function *)self;
    Workspace *workspace = workspace_take(function);
    if (workspace == NULL)
        return NULL;
    function->call_count++;
    PyObject *wrapped = NULL;
    if (arguments_read(function, workspace, args, PyVectorcall_NARGS(nargsf), keywords) == 0
        && storages_acquire(function, workspace) == 0) {
        if (open_devices(function, workspace) == 0) {
            if (arguments_bring(function, workspace) == 0 && workspace_bind(function, workspace) == 0
                && run_program(function, workspace) == 0)
                wrapped = results_finish(function, workspace);
            close_devices(workspace);
        }
        storages_release(function->machine);
    }
    workspace_give(function, workspace);
    return wrapped;
}

/* Life. */

static int check_wrap(const Machine *machine, PyObject *wrap)
{
    bool is_text = PyUnicode_Check(wrap);
    bool single = is_text && PyUnicode_CompareWithASCIIString(wrap, "single") == 0;
    bool list = is_text && PyUnicode_CompareWithASCIIString(wrap, "list") == 0;
    if (wrap == Py_None || list || (single && machine->returned == 1)
        || (PyTuple_Check(wrap) && PyTuple_GET_SIZE(wrap) == machine->returned))
        return 0;
    PyErr_Format(PyExc_ValueError, "wrap is None, 'single', 'list' or a tuple of keys for the %d results, not %R",
                 machine->returned, wrap);
    return -1;
}

static PyObject *function_new(PyTypeObject *type, PyObject *args, PyObject *keywords)
{
    static char *names[] = {"machine", "convert", "fail", "wrap", NULL};
    Machine *machine;
    PyObject *convert, *fail, *wrap;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O!OOO:Function", names, &MachineType, &machine, &convert, &fail,
                                     &wrap)
        || check_wrap(machine, wrap) < 0)
        return NULL;
    Function *function = (Function *)type->tp_alloc(type, 0);
    if (function == NULL)
        return NULL;
    function->machine = (Machine *)Py_NewRef((PyObject *)machine);
    function->convert = Py_NewRef(convert);
    function->fail = Py_NewRef(fail);
    function->wrap = Py_NewRef(wrap);
    function->single = PyUnicode_Check(wrap) && PyUnicode_CompareWithASCIIString(wrap, "single") == 0;
    function->recycle = true;
    function->vectorcall = function_call;
    function->recyclers = PyMem_Calloc(machine->result_count + machine->update_count + 1, sizeof(Recycler));
    function->timings = PyMem_Calloc(machine->instruction_count + 1, sizeof(int64_t));
    if (function->recyclers == NULL || function->timings == NULL) {
        Py_DECREF(function);
        return PyErr_NoMemory();
    }
    return (PyObject *)function;
}

/* There is no tp_clear: these never change, so a cycle goes through something else that can be cleared. */
static int function_traverse(PyObject *self, visitproc visit, void *arg)
{
    Function *function = (Function *)self;
    Py_VISIT(function->machine);
    Py_VISIT(function->convert);
    Py_VISIT(function->fail);
    Py_VISIT(function->wrap);
    return 0;
}

static PyObject *function_release(PyObject *self, PyObject *unused)
{
    (void)unused;
    Function *function = (Function *)self;
    while (function->idle != NULL) {
        Workspace *workspace = function->idle;
        function->idle = workspace->next;
        workspace_free(function, workspace);
    }
    if (function->recyclers != NULL)
        recyclers_clear(function);
    Py_RETURN_NONE;
}

static void function_dealloc(PyObject *self)
{
    Function *function = (Function *)self;
    PyObject_GC_UnTrack(self);
    Py_DECREF(function_release(self, NULL));
    Py_DECREF(function->machine);
    Py_DECREF(function->convert);
    Py_DECREF(function->fail);
    Py_DECREF(function->wrap);
    PyMem_Free(function->recyclers);
    PyMem_Free(function->timings);
    Py_TYPE(self)->tp_free(self);
}

/* A subclass written in Python is called as fast; from Python 3.12 on that is so without help. */
static PyObject *function_init_subclass(PyObject *class, PyObject *unused)
{
    (void)unused;
    PyTypeObject *type = (PyTypeObject *)class;
    if (type->tp_call == PyVectorcall_Call)
        type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    Py_RETURN_NONE;
}

/* Methods and attributes. */

static int64_t bytes_at(const Machine *machine, const Binding *binding, int result, int place)
{
    int buffer = machine->results[result].buffer;
    return machine->buffers[buffer].device == place ? binding->bytes[buffer] : 0;
}

/* What a call takes on the processor, place 0, or on a device. */
static int64_t total_bytes(const Machine *machine, Binding *binding, int place)
{
    int64_t total = place == 0 ? binding->scratch_bytes : machine->status_count * (int64_t)sizeof(int);
    for (int depth = 0; depth < machine->depth_count; depth++) {
        int64_t most = 0;        /* segments of one depth share memory */
        for (int i = 0; i < machine->segment_count; i++)
            if (machine->segments[i].depth == depth && *arena_bytes(machine, binding, i, place) > most)
                most = *arena_bytes(machine, binding, i, place);
        total = add_saturating(total, most);
    }
    for (int i = 0; i < machine->result_count; i++)
        total = add_saturating(total, bytes_at(machine, binding, i, place));
    for (int i = 0; i < machine->update_count; i++)
        if (machine->updates[i].copy)
            total = add_saturating(total, bytes_at(machine, binding, machine->updates[i].result, place));
    return total;
}

static int read_root_sizes(const Machine *machine, Binding *binding, PyObject *values)
{
    if (PyTuple_GET_SIZE(values) != machine->root_count) {
        PyErr_Format(PyExc_ValueError, "there are %d roots, not %zd", machine->root_count, PyTuple_GET_SIZE(values));
        return -1;
    }
    for (int i = 0; i < machine->root_count; i++) {
        int64_t value = PyLong_AsLongLong(PyTuple_GET_ITEM(values, i));
        if (value == -1 && PyErr_Occurred())
            return -1;
        binding->sizes[machine->roots[i].size] = value;
    }
    return 0;
}

/* Bind all segments; sides of branches that cannot be taken with these sizes need nothing. */
static int bind_all(Function *function, Binding *binding, Layout *layout)
{
    const Machine *machine = function->machine;
    for (int i = 0; i < machine->segment_count; i++) {
        if (bind_segment(function, binding, layout, i) == 0)
            continue;
        while (i >= 0 && !machine->segments[i].side)
            i = machine->segments[i].parent;
        if (i < 0)
            return -1;
        PyErr_Clear();
        for (int place = 0; place <= machine->device_count; place++)
            *arena_bytes(machine, binding, i, place) = 0;
        i = machine->segments[i].inner_end - 1;
    }
    return 0;
}

static PyObject *function_peak_bytes(PyObject *self, PyObject *args)
{
    Function *function = (Function *)self;
    const Machine *machine = function->machine;
    PyObject *sizes;
    int place = 0;
    if (!PyArg_ParseTuple(args, "O|i:peak_bytes", &sizes, &place))
        return NULL;
    if (place < 0 || place > machine->device_count)
        return PyErr_Format(PyExc_ValueError, "there are %d devices, not %d", machine->device_count, place);
    PyObject *values = PySequence_Tuple(sizes);
    if (values == NULL)
        return NULL;
    Binding *binding = binding_new(machine);
    Layout *layout = layout_new(machine);
    int failed = binding == NULL || layout == NULL || read_root_sizes(machine, binding, values) < 0
        || bind_all(function, binding, layout) < 0;
    PyObject *bytes = failed ? NULL : PyLong_FromLongLong(total_bytes(machine, binding, place));
    Py_DECREF(values);
    if (binding != NULL)
        binding_free(binding);
    if (layout != NULL)
        layout_free(layout);
    return bytes;
}

static PyObject *function_timings(PyObject *self, void *closure)
{
    (void)closure;
    Function *function = (Function *)self;
    int count = function->machine->instruction_count;
    PyObject *list = PyList_New(count);
    for (int i = 0; list != NULL && i < count; i++) {
        PyObject *time = PyLong_FromLongLong(function->timings[i]);
        if (time == NULL)
            Py_CLEAR(list);
        else
            PyList_SET_ITEM(list, i, time);
    }
    return list;
}

static PyObject *function_get_profile(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((Function *)self)->profile);
}

static int function_set_profile(PyObject *self, PyObject *value, void *closure)
{
    (void)closure;
    Function *function = (Function *)self;
    int truth = value == NULL ? 0 : PyObject_IsTrue(value);
    if (truth < 0)
        return -1;
    if (truth)
        memset(function->timings, 0, function->machine->instruction_count * sizeof(int64_t));
    function->profile = truth;
    return 0;
}

static PyObject *function_get_recycle(PyObject *self, void *closure)
{
    (void)closure;
    return PyBool_FromLong(((Function *)self)->recycle);
}

static int function_set_recycle(PyObject *self, PyObject *value, void *closure)
{
    (void)closure;
    Function *function = (Function *)self;
    int truth = value == NULL ? 0 : PyObject_IsTrue(value);
    if (truth < 0)
        return -1;
    function->recycle = truth;
    if (!truth)
        recyclers_clear(function);
    return 0;
}

static PyGetSetDef function_attributes[] = {
    {"recycle", function_get_recycle, function_set_recycle,
     "Whether result arrays that nobody else holds any more are used again.", NULL},
    {"profile", function_get_profile, function_set_profile,
     "Whether the time of each instruction is added up; setting it starts from zero.", NULL},
    {"timings", function_timings, NULL, "Nanoseconds spent in each instruction while profiling.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

static PyMemberDef function_members[] = {
    {"machine", T_OBJECT, offsetof(Function, machine), READONLY, "The Machine that is run."},
    {"call_count", T_LONGLONG, offsetof(Function, call_count), READONLY, "Calls begun."},
    {"bind_count", T_LONGLONG, offsetof(Function, bind_count), READONLY, "Bindings made for new sizes."},
    {"workspace_bytes", T_LONGLONG, offsetof(Function, workspace_bytes), READONLY, "Bytes of arenas and scratch."},
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(Function, vectorcall), READONLY, NULL},
    {NULL, 0, 0, 0, NULL}};

static PyMethodDef function_methods[] = {
    {"peak_bytes", function_peak_bytes, METH_VARARGS,
     "peak_bytes(root_sizes, place=0)\n--\n\n"
     "Bytes a call takes for these values of `machine.roots`, arenas, scratch and results: on the processor, or on a\n"
     "device by number."},
    {"release", function_release, METH_NOARGS, "release()\n--\n\nFree idle workspaces and recycled arrays."},
    {"__init_subclass__", function_init_subclass, METH_NOARGS | METH_CLASS, NULL},
    {NULL, NULL, 0, NULL}};

PyTypeObject FunctionType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "symtensor._core.Function",
    .tp_basicsize = sizeof(Function),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_doc = "Function(machine, convert, fail, wrap)\n--\n\n"
              "A compiled function.\n\n"
              "convert(args, kwargs or None) makes a tuple of arrays of the right types out of other arguments;\n"
              "fail(kind, number, data) raises the error for a failure found while running, or again an exception\n"
              "that a callable raised; wrap says what a call returns: None, 'single', 'list', or a tuple of keys for a dict.",
    .tp_new = function_new,
    .tp_dealloc = function_dealloc,
    .tp_traverse = function_traverse,
    .tp_call = PyVectorcall_Call,
    .tp_vectorcall_offset = offsetof(Function, vectorcall),
    .tp_methods = function_methods,
    .tp_members = function_members,
    .tp_getset = function_attributes,
};
