/* The routines there are, by the names that ops give them. */
#include "routines.h"
#include "decode.h"

static const RoutineKind *const routine_kinds[] = {
    &gemm_kind, &cholesky_kind, &solve_triangular_kind, &solve_kind, &lu_kind, &exchange_kind, &lu_solve_kind,
    &inverse_kind, &lu_inverse_kind, &slogdet_kind, &qr_kind, &eigh_kind, &svd_kind, &eig_kind, &sparse_dot_kind,
    &sparse_dot_transposed_kind, &sampled_dot_kind, &convolution_kind, &sort_kind, &argsort_kind, &select_kind,
    &cumulate_kind, &search_kind, &device_gemm_kind, &device_convolution_kind};

#define KINDS (int)(sizeof(routine_kinds) / sizeof(routine_kinds[0]))

enum Element element_of(const Type *type)
{
    bool single = type->itemsize == (type->kind == 'c' ? 8 : 4);
    return (type->kind == 'c' ? COMPLEX_FLOAT : FLOAT) + (single ? 0 : 1);
}

bool matrices_fit(int64_t bytes, const Type *type, int64_t matrices, int64_t rows, int64_t columns)
{
    if (matrices < 0 || rows < 0 || columns < 0)
        return false;
    return multiply_saturating(matrices, multiply_saturating(rows, columns)) <= bytes / type->itemsize;
}

/* Decoding: every number is checked here, once. */

static const RoutineKind *find_kind(const Reader *reader, PyObject *item)
{
    PyObject *name = PyObject_GetAttrString(item, "name");
    if (name == NULL)
        return NULL;
    const RoutineKind *found = NULL;
    for (int i = 0; i < KINDS && found == NULL; i++)
        if (PyUnicode_Check(name) && PyUnicode_CompareWithASCIIString(name, routine_kinds[i]->name) == 0)
            found = routine_kinds[i];
    if (found == NULL)
        PyErr_Format(PyExc_ValueError, "%s %zd: no routine is called %S", reader->what, reader->index, name);
    Py_DECREF(name);
    return found;
}

static int read_counted(const Reader *reader, PyObject *item, const char *attribute, int limit, int least, int most,
                        Numbers *numbers)
{
    if (read_numbers(reader, item, attribute, limit, numbers) < 0)
        return -1;
    if (numbers->count < least || numbers->count > most)
        return refuse(reader, attribute, "are not as many as the routine takes");
    return 0;
}

/* Whether the routine takes a buffer of this type; `own` is that of the first that holds no positions: all of these have
 * one dtype. */
static bool is_taken(const RoutineKind *kind, int number, const Type *type, const Type **own)
{
    if (kind->truths >> number & 1)
        return type->kind == 'b';
    if ((kind->positions | kind->long_positions) >> number & 1)
        return type->kind == 'i' && type->itemsize == (kind->positions >> number & 1 ? 4 : 8);
    if (*own == NULL)
        *own = type;
    return strchr(kind->kinds, type->kind) != NULL && (kind->any_width || type->itemsize >= 4)
        && (kind->any_kind || (type->kind == (*own)->kind && type->itemsize == (*own)->itemsize));
}

static int read_types(const Reader *reader, Routine *routine)
{
    Type *types = pool_take(&reader->machine->pool, routine->inputs.count + routine->outputs.count, sizeof(Type));
    if (types == NULL)
        return -1;
    routine->types = types;
    const Type *own = NULL;
    const Numbers *const lists[] = {&routine->inputs, &routine->outputs};
    for (int list = 0, next = 0; list < 2; list++)
        for (int i = 0; i < lists[list]->count; i++, next++) {
            Buffer *buffer = &reader->machine->buffers[lists[list]->items[i]];
            types[next] = buffer->type;
            buffer->told |= routine->kind->truths >> next & 1;
            if (!is_taken(routine->kind, next, &types[next], &own))
                return refuse(reader, list == 0 ? "inputs" : "outputs", "have the wrong dtype");
        }
    return 0;
}

int routine_read(const Reader *reader, PyObject *item, Routine *routine)
{
    Machine *machine = reader->machine;
    const RoutineKind *kind = routine->kind = find_kind(reader, item);
    if (kind == NULL)
        return -1;
    int outputs = kind->outputs, sizes = kind->sizes, flags = kind->flags;
    int least_outputs = kind->least_outputs > 0 ? kind->least_outputs : outputs;
    if (read_counted(reader, item, "inputs", machine->buffer_count, kind->least_inputs, kind->most_inputs,
                     &routine->inputs) < 0
        || read_counted(reader, item, "outputs", machine->buffer_count, least_outputs, outputs, &routine->outputs) < 0
        || read_counted(reader, item, "sizes", machine->size_count, sizes, sizes, &routine->sizes) < 0
        || read_counted(reader, item, "flags", INT_MAX, flags, flags, &routine->flags) < 0
        || read_number(reader, item, "work", machine->size_count, &routine->work) < 0
        || read_number(reader, item, "scratch", machine->size_count, &routine->scratch) < 0)
        return -1;
    routine->first_size = machine->given_size_count;
    machine->given_size_count += sizes;
    const Buffer *written = &machine->buffers[routine->outputs.items[0]];
    routine->device = kind->on_device ? written->device : 0;
    routine->commits = machine->buffers[written->root].kind == BUFFER_SHARED;
    if (kind->on_device && written->device == 0)
        return refuse(reader, "outputs", "are not on a device");
    return read_types(reader, routine);
}

/* Running. */

static Arguments arguments_of(const Routine *routine, const Binding *binding, const LaunchPlan *plan)
{
    return (Arguments){.input_count = routine->inputs.count, .output_count = routine->outputs.count,
                       .types = routine->types, .flags = routine->flags.items,
                       .sizes = binding->given_sizes + routine->first_size, .threads = plan->threads,
                       .scratch_bytes = plan->scratch};
}

bool routine_fits(const Routine *routine, const Binding *binding, const LaunchPlan *plan)
{
    int64_t bytes[ROUTINE_BUFFERS];
    int next = 0;
    for (int i = 0; i < routine->inputs.count; i++)
        bytes[next++] = binding->bytes[routine->inputs.items[i]];
    for (int i = 0; i < routine->outputs.count; i++)
        bytes[next++] = binding->bytes[routine->outputs.items[i]];
    Arguments arguments = arguments_of(routine, binding, plan);
    arguments.bytes = bytes;
    return routine->kind->fits(&arguments);
}

int routine_run(const Routine *routine, Workspace *workspace, const LaunchPlan *plan)
{
    void *buffers[ROUTINE_BUFFERS];
    int next = 0;
    for (int i = 0; i < routine->inputs.count; i++)
        buffers[next++] = workspace->slots[routine->inputs.items[i]];
    for (int i = 0; i < routine->outputs.count; i++)
        buffers[next++] = workspace->slots[routine->outputs.items[i]];
    Arguments arguments = arguments_of(routine, workspace->binding, plan);
    arguments.buffers = buffers;
    arguments.scratch = plan->scratch > 0 ? workspace->scratch->data : NULL;
    if (routine->device == 0)
        return routine->kind->run(&arguments);
    int status = open_device_routine(workspace, routine);
    arguments.device = workspace->machine->devices[routine->device - 1];
    return status != 0 ? status : routine->kind->run(&arguments);
}

int routine_device_of(const Routine *routine, int number)
{
    return routine->kind->truths >> number & 1 ? 0 : routine->device;
}

/* A dict: for each routine, the functions it may call as pairs (library, name), and whether it needs them. */
PyObject *routines_describe(void)
{
    PyObject *all = PyDict_New();
    for (int i = 0; i < KINDS && all != NULL; i++) {
        const RoutineKind *kind = routine_kinds[i];
        PyObject *functions = PyList_New(0);
        for (int f = 0; functions != NULL && kind->functions[f] != NO_FUNCTION; f++) {
            const LibraryName *name = &library_names[kind->functions[f]];
            PyObject *pair = Py_BuildValue("(ss)", name->library, name->function);
            if (pair == NULL || PyList_Append(functions, pair) < 0)
                Py_CLEAR(functions);
            Py_XDECREF(pair);
        }
        PyObject *entry = functions == NULL ? NULL : Py_BuildValue("(NO)", functions,
                                                                   kind->needs_them ? Py_True : Py_False);
        if (entry == NULL || PyDict_SetItemString(all, kind->name, entry) < 0)
            Py_CLEAR(all);
        Py_XDECREF(entry);
    }
    return all;
}
