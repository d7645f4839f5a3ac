/* What follows from a decoded program: what belongs to its segments, the lives of its buffers, its results. */
#include "core.h"

int unsound_item(const char *what, int index, const char *problem)
{
    PyErr_Format(PyExc_ValueError, "%s %d %s", what, index, problem);
    return -1;
}

int collect(Machine *machine, Numbers *list, int count, bool (*belongs)(const Machine *, int, int), int segment)
{
    list->count = 0;
    for (int i = 0; i < count; i++)
        list->count += belongs(machine, i, segment);
    list->items = pool_take(&machine->pool, list->count, sizeof(int));
    if (list->items == NULL)
        return -1;
    for (int i = 0, next = 0; i < count; i++)
        if (belongs(machine, i, segment))
            list->items[next++] = i;
    return 0;
}

static bool is_shaped_in(const Machine *machine, int buffer, int segment)
{
    return machine->buffers[buffer].segment == segment;
}

static bool is_check_of(const Machine *machine, int check, int segment)
{
    return machine->checks[check].segment == segment;
}

static bool is_arena_of(const Machine *machine, int buffer, int segment)
{
    return machine->buffers[buffer].kind == BUFFER_ARENA && machine->buffers[buffer].segment == segment;
}

static bool is_output_of(const Machine *machine, int buffer, int segment)
{
    return machine->buffers[buffer].kind == BUFFER_OUTPUT && machine->buffers[buffer].segment == segment;
}

static bool is_alias(const Machine *machine, int buffer)
{
    return machine->buffers[buffer].kind == BUFFER_ALIAS;
}

static bool is_arena_alias_of(const Machine *machine, int buffer, int segment)
{
    return is_alias(machine, buffer) && is_arena_of(machine, machine->buffers[buffer].root, segment);
}

static bool is_call_alias_of(const Machine *machine, int buffer, int segment)
{
    const Buffer *root = &machine->buffers[machine->buffers[buffer].root];
    bool given = root->kind == BUFFER_INPUT || root->kind == BUFFER_SHARED;
    return is_alias(machine, buffer)
        && ((given && segment == 0) || (root->kind == BUFFER_OUTPUT && root->segment == segment));
}

static bool is_dynamic_alias(const Machine *machine, int buffer, int segment)
{
    (void)segment;
    return is_alias(machine, buffer) && machine->buffers[machine->buffers[buffer].root].kind == BUFFER_DYNAMIC;
}

static bool is_of_kind(const Machine *machine, int buffer, int kind)
{
    return machine->buffers[buffer].kind == (enum BufferKind)kind;
}

static bool is_constant(const Machine *machine, int buffer, int segment)
{
    (void)segment;
    return machine->buffers[machine->buffers[buffer].root].kind == BUFFER_CONSTANT;
}

/* Roots: the sizes that are read, not computed. Dimensions that no size reads are watched, since a
 * binding holds good only as long as they stay. */

static bool is_root_code(int code)
{
    return code != CODE_CONSTANT && code < CODE_ADD;
}

static bool is_evaluated_in(const Machine *machine, int size, int segment)
{
    return machine->size_segments[size] == segment && !is_root_code(machine->sizes[size].code);
}

static int list_roots(Machine *machine)
{
    machine->roots = pool_take(&machine->pool, machine->size_count, sizeof(Root));
    if (machine->roots == NULL)
        return -1;
    for (int s = 0; s < machine->segment_count; s++) {
        Segment *segment = &machine->segments[s];
        segment->root_begin = machine->root_count;
        for (int i = 0; i < machine->size_count; i++)
            if (machine->size_segments[i] == s && is_root_code(machine->sizes[i].code))
                machine->roots[machine->root_count++] = (Root){i, machine->sizes[i]};
        segment->root_end = machine->root_count;
    }
    return 0;
}

static bool is_root(const Machine *machine, const SizeEntry *entry)
{
    for (int i = 0; i < machine->root_count; i++) {
        const SizeEntry *root = &machine->roots[i].entry;
        if (root->code == entry->code && root->a == entry->a && root->b == entry->b)
            return true;
    }
    return false;
}

static int list_watched(Machine *machine)
{
    int axes = 0;
    for (int i = 0; i < machine->buffer_count; i++)
        axes += machine->buffers[i].type.ndim;
    machine->watched = pool_take(&machine->pool, axes, sizeof(Root));
    if (machine->watched == NULL)
        return -1;
    for (int i = 0; i < machine->buffer_count; i++) {
        const Buffer *buffer = &machine->buffers[i];
        if (buffer->kind != BUFFER_INPUT && buffer->kind != BUFFER_SHARED)
            continue;
        for (int axis = 0; axis < buffer->type.ndim; axis++) {
            int code = buffer->kind == BUFFER_INPUT ? CODE_INPUT_DIM : CODE_SHARED_DIM;
            SizeEntry entry = {code, buffer->source, axis};
            if (!is_root(machine, &entry))
                machine->watched[machine->watched_count++] = (Root){-1, entry};
        }
    }
    return 0;
}

/* The lives of a segment's ARENA buffers in time order; at one time, starts before ends. */

typedef struct {
    int64_t time;
    int event;
} Moment;

static int compare_moments(const void *left, const void *right)
{
    const Moment *a = left, *b = right;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    return a->event < b->event ? -1 : a->event > b->event;
}

static int order_lives(Machine *machine, Segment *segment)
{
    int count = segment->arena.count;
    Moment *moments = PyMem_Calloc(2 * (size_t)count + 1, sizeof(Moment));
    segment->events.items = pool_take(&machine->pool, 2 * (size_t)count, sizeof(int));
    if (moments == NULL || segment->events.items == NULL) {
        PyMem_Free(moments);
        PyErr_NoMemory();
        return -1;
    }
    for (int i = 0; i < count; i++) {
        const Buffer *buffer = &machine->buffers[segment->arena.items[i]];
        moments[2 * i] = (Moment){2 * (int64_t)buffer->first, segment->arena.items[i]};
        moments[2 * i + 1] = (Moment){2 * (int64_t)buffer->last + 1, ~segment->arena.items[i]};
    }
    qsort(moments, 2 * (size_t)count, sizeof(Moment), compare_moments);
    segment->events.count = 2 * count;
    for (int i = 0; i < 2 * count; i++)
        segment->events.items[i] = moments[i].event;
    PyMem_Free(moments);
    machine->arena_count = count > machine->arena_count ? count : machine->arena_count;
    return 0;
}

/* Buffers that stand for something given have its type. */
static int check_types(const Machine *machine)
{
    for (int i = 0; i < machine->buffer_count; i++) {
        const Buffer *buffer = &machine->buffers[i];
        const Type *given = NULL;
        if (buffer->kind == BUFFER_INPUT)
            given = &machine->arguments[buffer->source];
        else if (buffer->kind == BUFFER_SHARED)
            given = &machine->storage_types[buffer->source];
        bool same = given == NULL || types_equal(given, &buffer->type);
        if (buffer->kind == BUFFER_CONSTANT) {
            PyObject *constant = PyTuple_GET_ITEM(machine->constants, buffer->source);
            same = type_matches(&buffer->type, (PyArrayObject *)constant);
        }
        if (!same)
            return unsound_item("buffer", i, "has another type than what it stands for");
        if (buffer->device != machine->buffers[buffer->root].device)
            return unsound_item("buffer", i, "is on another device than the buffer it is an alias of");
        if (buffer->device > 0 && buffer->kind == BUFFER_DYNAMIC)
            return unsound_item("buffer", i, "is made by Python, and is not on a device");
    }
    return 0;
}

static int fill_segments(Machine *machine)
{
    int count = machine->buffer_count;
    for (int s = 0; s < machine->segment_count; s++) {
        Segment *segment = &machine->segments[s];
        if (collect(machine, &segment->sizes, machine->size_count, is_evaluated_in, s) < 0
            || collect(machine, &segment->checks, machine->check_count, is_check_of, s) < 0
            || collect(machine, &segment->buffers, count, is_shaped_in, s) < 0
            || collect(machine, &segment->arena, count, is_arena_of, s) < 0
            || collect(machine, &segment->arena_aliases, count, is_arena_alias_of, s) < 0
            || collect(machine, &segment->outputs, count, is_output_of, s) < 0
            || collect(machine, &segment->call_aliases, count, is_call_alias_of, s) < 0
            || order_lives(machine, segment) < 0)
            return -1;
    }
    if (collect(machine, &machine->inputs, count, is_of_kind, BUFFER_INPUT) < 0
        || collect(machine, &machine->shared, count, is_of_kind, BUFFER_SHARED) < 0
        || collect(machine, &machine->constant_buffers, count, is_constant, 0) < 0
        || collect(machine, &machine->dynamic, count, is_of_kind, BUFFER_DYNAMIC) < 0)
        return -1;
    return collect(machine, &machine->dynamic_aliases, count, is_dynamic_alias, 0);
}

/* Loops: which buffers move with them, and whether they call Python. */

static bool moves_with(const Loop *loop, int buffer)
{
    for (int i = 0; i < loop->row_count; i++)
        if (loop->rows[i].own == buffer)
            return true;
    for (int i = 0; i < loop->carry_count; i++) {
        const LoopCarry *carry = &loop->carries[i];
        if (carry->own == buffer || carry->new == buffer)
            return true;
        for (int j = 0; j < carry->spares.count; j++)
            if (carry->spares.items[j] == buffer)
                return true;
    }
    return false;
}

static bool is_alias_in_loop(const Machine *machine, int buffer, int index)
{
    return is_alias(machine, buffer) && moves_with(machine->instructions[index].loop, machine->buffers[buffer].root);
}

static int analyse_loops(Machine *machine)
{
    for (int i = 0; i < machine->instruction_count; i++) {
        if (machine->instructions[i].code != LOOP)
            continue;
        Loop *loop = machine->instructions[i].loop;
        for (int j = i + 1; j < loop->end; j++)
            loop->python |= machine->instructions[j].code != BRANCH && needs_python(machine, &machine->instructions[j]);
        if (collect(machine, &loop->aliases, machine->buffer_count, is_alias_in_loop, i) < 0)
            return -1;
    }
    return 0;
}

/* Results and updates. */

static int check_results(Machine *machine)
{
    for (int i = 0; i < machine->buffer_count; i++)
        if (machine->buffers[i].kind == BUFFER_OUTPUT && machine->results[machine->buffers[i].source].buffer != i)
            return unsound_item("buffer", i, "is not the result it says");
    for (int r = 0; r < machine->result_count; r++) {
        const Buffer *buffer = &machine->buffers[machine->results[r].buffer];
        const Buffer *root = &machine->buffers[buffer->root];
        bool taken = false;
        for (int earlier = 0; earlier < r; earlier++)
            taken |= machine->results[earlier].buffer == machine->results[r].buffer;
        machine->results[r].mode = RESULT_COPY;
        if (buffer->kind == BUFFER_OUTPUT && buffer->source == r)
            machine->results[r].mode = RESULT_OWN;
        else if (buffer->kind == BUFFER_DYNAMIC && !taken)
            machine->results[r].mode = RESULT_DYNAMIC;
        else if (root->kind == BUFFER_ARENA && root->last != machine->instruction_count - 1)
            return unsound_item("result", r, "is in an ARENA buffer that does not live to the end");
    }
    for (int u = 0; u < machine->update_count; u++) {
        Update *update = &machine->updates[u];
        const Type *result = &machine->buffers[machine->results[update->result].buffer].type;
        const Type *storage = &machine->storage_types[update->storage];
        if (!types_equal(result, storage))
            return unsound_item("update", u, "has a result of another type than its storage");
        update->copy = update->result < machine->returned;
        for (int earlier = 0; earlier < u; earlier++)
            update->copy |= machine->updates[earlier].result == update->result;
        machine->results[update->result].moved |= !update->copy;
    }
    return 0;
}

static int order_storages(Machine *machine)
{
    int count = machine->storage_count;
    machine->storage_order = pool_take(&machine->pool, count, sizeof(int));
    if (machine->storage_order == NULL)
        return -1;
    for (int i = 0; i < count; i++) {
        PyObject *storage = PyTuple_GET_ITEM(machine->storages, i);
        machine->locks |= machine->access[i] != ACCESS_READ;
        int place = i;
        for (; place > 0; place--) {
            PyObject *before = PyTuple_GET_ITEM(machine->storages, machine->storage_order[place - 1]);
            if (before == storage)
                return unsound_item("storage", i, "is the same object as another one");
            if ((uintptr_t)before < (uintptr_t)storage)
                break;
            machine->storage_order[place] = machine->storage_order[place - 1];
        }
        machine->storage_order[place] = i;
    }
    return 0;
}

int analyse_program(Machine *machine)
{
    if (check_types(machine) < 0 || find_segments(machine) < 0)
        return -1;
    if (list_roots(machine) < 0 || list_watched(machine) < 0 || fill_segments(machine) < 0
        || analyse_loops(machine) < 0 || list_steps(machine) < 0 || check_results(machine) < 0
        || order_storages(machine) < 0)
        return -1;
    return check_instructions(machine);
}
