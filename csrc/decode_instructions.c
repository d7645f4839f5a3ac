/* Reading the instructions of a Program. */
#include "decode.h"

/* Where a launch runs, and what that asks of it. */
static int read_place(const Reader *reader, PyObject *item, Launch *launch)
{
    Machine *machine = reader->machine;
    bool fails;
    if (read_number(reader, item, "block", 1025, &launch->block) < 0 || read_flag(item, "fails", &fails) < 0
        || read_flag(item, "commits", &launch->commits) < 0)
        return -1;
    launch->status = -1;
    launch->device = launch->buffers.count > 0 ? machine->buffers[launch->buffers.items[0]].device : 0;
    if ((launch->device > 0) != (launch->block > 0))
        return refuse(reader, "block", "is for launches on devices, and needed there");
    if (launch->device > 0 && fails) {
        launch->status = machine->status_count++;
        machine->status_of[launch->status] = (int)reader->index;
    }
    return 0;
}

static int read_launch(const Reader *reader, PyObject *item, Launch *launch)
{
    Machine *machine = reader->machine;
    int kernel;
    if (read_number(reader, item, "kernel", (int)PyTuple_GET_SIZE(reader->addresses), &kernel) < 0
        || read_numbers(reader, item, "buffers", machine->buffer_count, &launch->buffers) < 0
        || read_numbers(reader, item, "sizes", machine->size_count, &launch->sizes) < 0
        || read_number(reader, item, "units", machine->size_count, &launch->units) < 0
        || read_number(reader, item, "work", machine->size_count, &launch->work) < 0
        || read_number(reader, item, "scratch", machine->size_count, &launch->scratch) < 0
        || read_flag(item, "in_order", &launch->in_order) < 0)
        return -1;
    if (launch->in_order && launch->sizes.count < 2)
        return refuse(reader, "sizes", "has no bounds of rounds");
    void *address = PyLong_AsVoidPtr(PyTuple_GET_ITEM(reader->addresses, kernel));
    if (address == NULL)
        return PyErr_Occurred() ? -1 : refuse(reader, "kernel", "its address is 0");
    memcpy(&launch->kernel, &address, sizeof(address));
    launch->handle = address;
    launch->first_size = machine->given_size_count;
    machine->given_size_count += launch->sizes.count;
    int parameters = launch->buffers.count + launch->sizes.count + 1;
    if (parameters > machine->pointer_count)
        machine->pointer_count = parameters;
    return read_place(reader, item, launch);
}

static int read_copy(const Reader *reader, PyObject *item, Copy *copy)
{
    if (read_number(reader, item, "source", reader->machine->buffer_count, &copy->source) < 0)
        return -1;
    return read_number(reader, item, "target", reader->machine->buffer_count, &copy->target);
}

static int read_call(const Reader *reader, PyObject *item, Call *call)
{
    const Machine *machine = reader->machine;
    int callable;
    if (read_number(reader, item, "callable", (int)PyTuple_GET_SIZE(machine->callables), &callable) < 0
        || read_numbers(reader, item, "inputs", machine->buffer_count, &call->inputs) < 0)
        return -1;
    call->callable = PyTuple_GET_ITEM(machine->callables, callable);
    return read_numbers(reader, item, "outputs", machine->buffer_count, &call->outputs);
}

static int read_resize(const Reader *reader, PyObject *item, Resize *resize)
{
    return read_numbers(reader, item, "sizes", reader->machine->size_count, &resize->sizes);
}

/* The objects of a sequence that is an attribute: `array` gets room for them. */
static PyObject *read_objects(const Reader *reader, PyObject *item, const char *attribute, size_t size, void *array,
                              int *count)
{
    PyObject *value = PyObject_GetAttrString(item, attribute);
    PyObject *objects = value == NULL ? NULL : PySequence_Tuple(value);
    Py_XDECREF(value);
    if (objects == NULL)
        return NULL;
    *count = (int)PyTuple_GET_SIZE(objects);
    void *room = pool_take(&reader->machine->pool, *count, size);
    memcpy(array, &room, sizeof(room));
    if (room == NULL)
        Py_CLEAR(objects);
    return objects;
}

static int read_rows(const Reader *reader, PyObject *item, Loop *loop)
{
    int limit = reader->machine->buffer_count, failed = 0;
    PyObject *rows = read_objects(reader, item, "rows", sizeof(LoopRow), &loop->rows, &loop->row_count);
    if (rows == NULL)
        return -1;
    for (int i = 0; i < loop->row_count && !failed; i++) {
        PyObject *row = PyTuple_GET_ITEM(rows, i);
        failed = read_number(reader, row, "own", limit, &loop->rows[i].own) < 0
            || read_number(reader, row, "source", limit, &loop->rows[i].source) < 0
            || read_flag(row, "written", &loop->rows[i].written) < 0;
    }
    Py_DECREF(rows);
    return failed ? -1 : 0;
}

static int read_carries(const Reader *reader, PyObject *item, Loop *loop)
{
    int limit = reader->machine->buffer_count, failed = 0;
    PyObject *carries = read_objects(reader, item, "carries", sizeof(LoopCarry), &loop->carries, &loop->carry_count);
    if (carries == NULL)
        return -1;
    for (int i = 0; i < loop->carry_count && !failed; i++) {
        PyObject *object = PyTuple_GET_ITEM(carries, i);
        LoopCarry *carry = &loop->carries[i];
        failed = read_number(reader, object, "own", limit, &carry->own) < 0
            || read_number(reader, object, "first", limit, &carry->first) < 0
            || read_number(reader, object, "new", limit, &carry->new) < 0
            || read_number(reader, object, "final", limit, &carry->final) < 0
            || read_numbers(reader, object, "spares", limit, &carry->spares) < 0;
    }
    Py_DECREF(carries);
    if (loop->carry_count > reader->machine->most_carries)
        reader->machine->most_carries = loop->carry_count;
    return failed ? -1 : 0;
}

static int read_loop(const Reader *reader, PyObject *item, Loop **made)
{
    Machine *machine = reader->machine;
    Loop *loop = *made = pool_take(&machine->pool, 1, sizeof(Loop));
    if (loop == NULL || read_number(reader, item, "end", machine->instruction_count + 1, &loop->end) < 0
        || read_number(reader, item, "steps", machine->size_count, &loop->steps) < 0
        || read_flag(item, "backwards", &loop->backwards) < 0 || read_rows(reader, item, loop) < 0
        || read_carries(reader, item, loop) < 0
        || read_numbers(reader, item, "stop", machine->buffer_count, &loop->stop) < 0
        || read_numbers(reader, item, "count", machine->buffer_count, &loop->count) < 0)
        return -1;
    if (loop->end <= reader->index)
        return refuse(reader, "end", "is before the loop");
    return loop->stop.count <= 1 && loop->count.count <= 1 ? 0 : refuse(reader, "stop", "is more than one buffer");
}

static int read_side(const Reader *reader, PyObject *item, const char *attribute, Part *side, Numbers *checks)
{
    PyObject *object = PyObject_GetAttrString(item, attribute);
    int failed = object == NULL
        || read_number(reader, object, "end", reader->machine->instruction_count + 1, &side->end) < 0
        || read_numbers(reader, object, "checks", reader->machine->check_count, checks) < 0;
    Py_XDECREF(object);
    if (failed)
        return -1;
    return side->end >= side->begin ? 0 : refuse(reader, attribute, "ends before it begins");
}

static int read_branch(const Reader *reader, PyObject *item, Branch **made)
{
    Machine *machine = reader->machine;
    Branch *branch = *made = pool_take(&machine->pool, 1, sizeof(Branch));
    if (branch == NULL || read_number(reader, item, "condition", machine->buffer_count, &branch->condition) < 0
        || read_numbers(reader, item, "outputs", machine->buffer_count, &branch->outputs) < 0)
        return -1;
    branch->sides[0].begin = (int)reader->index + 1;
    if (read_side(reader, item, "then", &branch->sides[0], &branch->checks[0]) < 0)
        return -1;
    branch->sides[1].begin = branch->sides[0].end;
    return read_side(reader, item, "otherwise", &branch->sides[1], &branch->checks[1]);
}

int read_instruction(const Reader *reader, PyObject *item)
{
    Instruction *instruction = &reader->machine->instructions[reader->index];
    const char *name = strrchr(Py_TYPE(item)->tp_name, '.');
    name = name == NULL ? Py_TYPE(item)->tp_name : name + 1;
    static const char *const names[OPCODES] = {
        [LAUNCH] = "Launch", [ROUTINE] = "Routine", [COPY] = "Copy", [CALL] = "Call", [RESIZE] = "Resize",
        [LOOP] = "Loop", [BRANCH] = "Branch"};
    int code = 0;
    while (code < OPCODES && strcmp(name, names[code]) != 0)
        code++;
    instruction->code = (enum Opcode)code;
    switch (code) {
    case LAUNCH: return read_launch(reader, item, &instruction->launch);
    case ROUTINE: return routine_read(reader, item, &instruction->routine);
    case COPY: return read_copy(reader, item, &instruction->copy);
    case CALL: return read_call(reader, item, &instruction->call);
    case RESIZE: return read_resize(reader, item, &instruction->resize);
    case LOOP: return read_loop(reader, item, &instruction->loop);
    case BRANCH: return read_branch(reader, item, &instruction->branch);
    default: return refuse(reader, name, "is not an instruction");
    }
}
