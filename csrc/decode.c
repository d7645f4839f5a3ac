/* Reading the Python Program: every attribute is read once, here, and every number checked. */
#include "decode.h"

Type type_of(PyArray_Descr *descr, int ndim)
{
    int itemsize = (int)PyDataType_ELSIZE(descr);
    const char *name = strrchr(descr->typeobj->tp_name, '.'), *own = name == NULL ? descr->typeobj->tp_name : name + 1;
    bool bfloat = PyTypeNum_ISUSERDEF(descr->type_num) && itemsize == 2 && strcmp(own, "bfloat16") == 0;
    return (Type){descr, bfloat ? BFLOAT : descr->kind, itemsize, ndim};
}

static int type_from_name(Type *type, PyObject *name, int ndim)
{
    PyArray_Descr *descr = NULL;
    if (PyArray_DescrConverter(name, &descr) == NPY_FAIL)
        return -1;
    *type = type_of(descr, ndim);
    int largest = type->kind == 'c' ? 16 : 8;
    if (strchr("biufBc", type->kind) == NULL || type->itemsize > largest || !PyArray_ISNBO(descr->byteorder)) {
        PyErr_Format(PyExc_ValueError, "dtype %S is not one of the numbers that kernels know", name);
        return -1;
    }
    return 0;
}

bool type_matches(const Type *type, PyArrayObject *array)
{
    PyArray_Descr *descr = PyArray_DESCR(array);
    return PyArray_NDIM(array) == type->ndim && (descr == type->descr || PyArray_EquivTypes(descr, type->descr));
}

bool types_equal(const Type *left, const Type *right)
{
    return left->kind == right->kind && left->itemsize == right->itemsize && left->ndim == right->ndim;
}

static int read_type(const Reader *reader, PyObject *object, int ndim, Type *type)
{
    if (ndim > NPY_MAXDIMS)
        return refuse(reader, "shape", "has too many dimensions");
    PyObject *name = PyObject_GetAttrString(object, "dtype");
    if (name == NULL)
        return -1;
    int failed = type_from_name(type, name, ndim);
    Py_DECREF(name);
    return failed;
}

/* An Argument, of the arguments or of the storages. */
static int read_argument(const Reader *reader, PyObject *item)
{
    int ndim;
    if (read_number(reader, item, "ndim", NPY_MAXDIMS + 1, &ndim) < 0)
        return -1;
    return read_type(reader, item, ndim, (Type *)reader->array + reader->index);
}

/* The names of the arguments, interned as the keywords of calls are. */
static int read_names(Machine *machine, PyObject *arguments)
{
    machine->names = PyTuple_New(PyTuple_GET_SIZE(arguments));
    for (Py_ssize_t i = 0; machine->names != NULL && i < PyTuple_GET_SIZE(arguments); i++) {
        PyObject *name = PyObject_GetAttrString(PyTuple_GET_ITEM(arguments, i), "name");
        if (name == NULL)
            return -1;
        if (PyUnicode_CheckExact(name))
            PyUnicode_InternInPlace(&name);
        PyTuple_SET_ITEM(machine->names, i, name);
    }
    return machine->names == NULL ? -1 : 0;
}

static int read_constant(const Reader *reader, PyObject *item)
{
    if (!PyArray_CheckExact(item) || !PyArray_ISCARRAY_RO((PyArrayObject *)item))
        return refuse(reader, "value", "is not a C-contiguous, aligned array in native byte order");
    return 0;
}

/* What a size entry may refer to: an argument, a storage, a buffer, or sizes before it. */
static int64_t operand_limit(const Machine *machine, int code, int64_t index)
{
    switch (code) {
    case CODE_INPUT_DIM: case CODE_INPUT_VALUE: return machine->argument_count;
    case CODE_SHARED_DIM: case CODE_SHARED_VALUE: return machine->storage_count;
    case CODE_DATA_VALUE: case CODE_DATA_DIM: return machine->buffer_count;
    default: return index;
    }
}

static int read_size(const Reader *reader, PyObject *item)
{
    const Machine *machine = reader->machine;
    SizeEntry *entry = &machine->sizes[reader->index];
    if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 3)
        return refuse(reader, "entry", "is not a tuple (code, a, b)");
    int64_t code = 0;
    if (check_number(reader, "code", PyTuple_GET_ITEM(item, 0), 0, SIZE_CODES - 1, &code) < 0)
        return -1;
    entry->code = (int)code;
    int64_t low = 0, high = operand_limit(machine, entry->code, reader->index) - 1;
    if (code == CODE_CONSTANT) {
        low = INT64_MIN;
        high = INT64_MAX;
    }
    if (check_number(reader, "a", PyTuple_GET_ITEM(item, 1), low, high, &entry->a) < 0)
        return -1;
    high = code >= CODE_ADD ? reader->index - 1 : NPY_MAXDIMS;
    return check_number(reader, "b", PyTuple_GET_ITEM(item, 2), 0, high, &entry->b);
}

static int read_check(const Reader *reader, PyObject *item)
{
    const Machine *machine = reader->machine;
    Check *check = &machine->checks[reader->index];
    if (read_number(reader, item, "left", machine->size_count, &check->left) < 0
        || read_number(reader, item, "right", machine->size_count, &check->right) < 0)
        return -1;
    PyObject *compare = PyObject_GetAttrString(item, "compare");
    if (compare == NULL)
        return -1;
    bool text = PyUnicode_Check(compare);
    bool equal = text && PyUnicode_CompareWithASCIIString(compare, "eq") == 0;
    bool at_most = text && PyUnicode_CompareWithASCIIString(compare, "le") == 0;
    Py_DECREF(compare);
    check->compare = equal ? COMPARE_EQUAL : COMPARE_LESS_EQUAL;
    return equal || at_most ? 0 : refuse(reader, "compare", "is not 'eq' or 'le'");
}

/* How many things the `source` of each kind of buffer counts; -1 where it means nothing. */
static int source_limit(const Machine *machine, enum BufferKind kind, Py_ssize_t index)
{
    switch (kind) {
    case BUFFER_INPUT: return machine->argument_count;
    case BUFFER_SHARED: return machine->storage_count;
    case BUFFER_CONSTANT: return machine->constant_count;
    case BUFFER_OUTPUT: return machine->result_count;
    case BUFFER_ALIAS: return (int)index;
    case BUFFER_MOVING: return (int)machine->buffer_count;
    default: return -1;
    }
}

/* The first or last instruction that needs a buffer; for an ALIAS it may be -1. */
static int read_moment(const Reader *reader, PyObject *item, const char *attribute, const Buffer *buffer, int *moment)
{
    PyObject *value = PyObject_GetAttrString(item, attribute);
    if (value == NULL)
        return -1;
    int64_t low = buffer->kind == BUFFER_ALIAS ? -1 : 0, number = 0;
    int failed = check_number(reader, attribute, value, low, reader->machine->instruction_count - 1, &number);
    *moment = (int)number;
    Py_DECREF(value);
    return failed;
}

static int read_life(const Reader *reader, PyObject *item, Buffer *buffer)
{
    if (read_moment(reader, item, "first", buffer, &buffer->first) < 0
        || read_moment(reader, item, "last", buffer, &buffer->last) < 0)
        return -1;
    return buffer->first <= buffer->last ? 0 : refuse(reader, "last", "is before first");
}

static int read_buffer(const Reader *reader, PyObject *item)
{
    const Machine *machine = reader->machine;
    Buffer *buffer = &machine->buffers[reader->index];
    int kind;
    Numbers shape;
    if (read_number(reader, item, "kind", BUFFER_KINDS, &kind) < 0
        || read_numbers(reader, item, "shape", machine->size_count, &shape) < 0
        || read_type(reader, item, shape.count, &buffer->type) < 0)
        return -1;
    if (read_number(reader, item, "device", machine->device_count + 1, &buffer->device) < 0)
        return -1;
    buffer->kind = (enum BufferKind)kind;
    buffer->shape = shape.items;
    buffer->root = (int)reader->index;
    buffer->first = buffer->last = -1;
    if (kind == BUFFER_ARENA)
        return read_life(reader, item, buffer);
    if ((kind == BUFFER_MOVING || kind == BUFFER_ALIAS) && read_life(reader, item, buffer) < 0)
        return -1;
    int limit = source_limit(machine, buffer->kind, reader->index);
    if (limit >= 0 && read_number(reader, item, "source", limit, &buffer->source) < 0)
        return -1;
    if (kind == BUFFER_INPUT)
        machine->argument_places[buffer->source] = buffer->device;
    if (kind == BUFFER_SHARED)
        machine->storage_places[buffer->source] = buffer->device;
    if (kind == BUFFER_ALIAS)
        buffer->root = machine->buffers[buffer->source].root;
    return 0;
}

static int read_result(const Reader *reader, PyObject *item)
{
    int64_t buffer = 0;
    int failed = check_number(reader, "buffer", item, 0, reader->machine->buffer_count - 1, &buffer);
    reader->machine->results[reader->index].buffer = (int)buffer;
    return failed;
}

static int read_update(const Reader *reader, PyObject *item)
{
    const Machine *machine = reader->machine;
    int64_t result = 0, storage = 0;
    if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 2)
        return refuse(reader, "entry", "is not a pair (result, storage)");
    if (check_number(reader, "result", PyTuple_GET_ITEM(item, 0), 0, machine->result_count - 1, &result) < 0
        || check_number(reader, "storage", PyTuple_GET_ITEM(item, 1), 0, machine->storage_count - 1, &storage) < 0)
        return -1;
    machine->updates[reader->index] = (Update){(int)result, (int)storage, false};
    if (machine->access[storage] == ACCESS_REPLACE)
        return refuse(reader, "storage", "has two updates");
    machine->access[storage] = ACCESS_REPLACE;
    return 0;
}

static int read_written(const Reader *reader, PyObject *item)
{
    const Machine *machine = reader->machine;
    int64_t storage = 0;
    if (check_number(reader, "storage", item, 0, machine->storage_count - 1, &storage) < 0)
        return -1;
    machine->access[storage] = ACCESS_MODIFY;
    return 0;
}

/* The lists of a Program, in an order in which each refers only to those before it or to how long one is. */
static const struct {
    const char *attribute;
    int (*read)(const Reader *reader, PyObject *item);
    size_t item_size, count, array;  /* the last two: where in the machine */
} lists[] = {
    {"arguments", read_argument, sizeof(Type), offsetof(Machine, argument_count), offsetof(Machine, arguments)},
    {"storages", read_argument, sizeof(Type), offsetof(Machine, storage_count), offsetof(Machine, storage_types)},
    {"constants", read_constant, 0, offsetof(Machine, constant_count), 0},
    {"sizes", read_size, sizeof(SizeEntry), offsetof(Machine, size_count), offsetof(Machine, sizes)},
    {"checks", read_check, sizeof(Check), offsetof(Machine, check_count), offsetof(Machine, checks)},
    {"buffers", read_buffer, sizeof(Buffer), offsetof(Machine, buffer_count), offsetof(Machine, buffers)},
    {"instructions", read_instruction, sizeof(Instruction), offsetof(Machine, instruction_count),
     offsetof(Machine, instructions)},
    {"results", read_result, sizeof(Result), offsetof(Machine, result_count), offsetof(Machine, results)},
    {"updates", read_update, sizeof(Update), offsetof(Machine, update_count), offsetof(Machine, updates)},
    {"written", read_written, 0, offsetof(Machine, written_count), 0},
};

#define LISTS (int)(sizeof(lists) / sizeof(lists[0]))

/* The list as a tuple; the machine learns how long it is and gets room for it. */
static PyObject *take_list(Machine *machine, PyObject *program, int number)
{
    PyObject *value = PyObject_GetAttrString(program, lists[number].attribute);
    if (value == NULL)
        return NULL;
    PyObject *items = PySequence_Tuple(value);
    Py_DECREF(value);
    if (items == NULL)
        return NULL;
    if (PyTuple_GET_SIZE(items) > INT_MAX / 4) {
        PyErr_Format(PyExc_ValueError, "too many %s", lists[number].attribute);
        Py_CLEAR(items);
    } else {
        *(int *)((char *)machine + lists[number].count) = (int)PyTuple_GET_SIZE(items);
    }
    if (items != NULL && lists[number].item_size > 0) {
        void *array = pool_take(&machine->pool, PyTuple_GET_SIZE(items), lists[number].item_size);
        memcpy((char *)machine + lists[number].array, &array, sizeof(array));
        if (array == NULL)
            Py_CLEAR(items);
    }
    return items;
}

static int read_list(Machine *machine, PyObject *items, PyObject *addresses, int number)
{
    Reader reader = {machine, addresses, lists[number].attribute, 0, NULL};
    if (lists[number].item_size > 0)
        memcpy(&reader.array, (char *)machine + lists[number].array, sizeof(void *));
    for (; reader.index < PyTuple_GET_SIZE(items); reader.index++)
        if (lists[number].read(&reader, PyTuple_GET_ITEM(items, reader.index)) < 0)
            return -1;
    return 0;
}

int decode_program(Machine *machine, PyObject *program, PyObject *addresses)
{
    PyObject *items[LISTS] = {NULL};
    int failed = 0;
    for (int i = 0; i < LISTS && !failed; i++) {
        items[i] = take_list(machine, program, i);
        failed = items[i] == NULL ? -1 : 0;
    }
    if (!failed) {
        machine->access = pool_take(&machine->pool, machine->storage_count, sizeof(enum Access));
        machine->status_of = pool_take(&machine->pool, machine->instruction_count, sizeof(int));
        machine->storage_places = pool_take(&machine->pool, machine->storage_count, sizeof(int));
        machine->argument_places = pool_take(&machine->pool, machine->argument_count, sizeof(int));
        failed = machine->access == NULL || machine->status_of == NULL || machine->storage_places == NULL
            || machine->argument_places == NULL ? -1 : 0;
    }
    if (!failed)
        failed = read_names(machine, items[0]);
    for (int i = 0; i < LISTS && !failed; i++)
        failed = read_list(machine, items[i], addresses, i);
    Reader reader = {machine, addresses, "program", 0, NULL};
    if (!failed)
        failed = read_number(&reader, program, "returned", machine->result_count + 1, &machine->returned);
    for (int i = 0; i < LISTS; i++)
        Py_XDECREF(items[i]);
    return failed;
}
