/* Workspaces: what one call in flight owns. They are kept for later calls, so a call allocates nothing. */
#include "core.h"

#ifdef __linux__
#include <sys/mman.h>
#endif

#define HUGE_PAGE (2 << 20)
#define LARGE_ARENA (64 << 20)   /* bytes from which an arena far too large is given up ... */
#define PATIENCE 16              /* ... after so many calls that needed less than a quarter */

static char nothing[ALIGNMENT];  /* where empty buffers lie */

/* Blocks: memory that arrays over it keep alive. */

static void *take_memory(int64_t bytes)
{
    size_t alignment = bytes >= 2 * HUGE_PAGE ? HUGE_PAGE : ALIGNMENT;
    void *data = NULL;
    if (bytes < INT64_MAX - HUGE_PAGE)
        data = aligned_alloc(alignment, ((size_t)bytes + alignment - 1) / alignment * alignment);
#ifdef MADV_HUGEPAGE
    if (alignment == HUGE_PAGE && data != NULL)
        madvise(data, (size_t)bytes, MADV_HUGEPAGE);
#endif
    return data;
}

Block *block_over(Device *device, PyObject *owner, void *data)
{
    Block *block = PyObject_New(Block, &BlockType);
    if (block == NULL)
        return NULL;
    block->bytes = 0;
    block->data = data;
    block->device = (Device *)Py_XNewRef((PyObject *)device);
    block->owner = Py_XNewRef(owner);
    return block;
}

Block *block_new(Device *device, int64_t bytes)
{
    Block *block = block_over(device, NULL, nothing);
    if (block == NULL)
        return NULL;
    int64_t taken = bytes;
    if (device == NULL)
        block->data = take_memory(bytes);
    else if (bytes > 0)
        block->data = (void *)(uintptr_t)device_take(device, &taken);
    if (block->data == NULL) {
        Py_DECREF(block);
        PyErr_NoMemory();
        return NULL;
    }
    block->bytes = taken;
    return block;
}

static void block_dealloc(PyObject *self)
{
    Block *block = (Block *)self;
    if (block->device == NULL)
        free(block->data);
    else if (block->bytes > 0 && block->data != NULL)
        device_give(block->device, (Address)(uintptr_t)block->data, block->bytes);
    Py_XDECREF(block->device);
    Py_XDECREF(block->owner);
    PyObject_Free(self);
}

PyTypeObject BlockType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "symtensor._core.Block",
    .tp_basicsize = sizeof(Block),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "Memory of a workspace, kept alive by the arrays over it.",
    .tp_dealloc = block_dealloc,
};

static void drop_block(Function *function, Block **block)
{
    if (*block != NULL)
        function->workspace_bytes -= (*block)->bytes;
    Py_CLEAR(*block);
}

/* Make the block hold `bytes`, on the processor or a device. Sets `fresh` when it is a new one. */
static int fit_block(Function *function, Block **block, int place, int64_t bytes, int *oversized, bool *fresh)
{
    int64_t room = *block == NULL ? 0 : (*block)->bytes;
    *oversized = room > LARGE_ARENA && room / 4 > bytes ? *oversized + 1 : 0;
    if (room >= bytes && *oversized < PATIENCE)
        return 0;
    *oversized = 0;
    *fresh = true;
    drop_block(function, block);
    if (bytes == 0)
        return 0;
    *block = block_new(place > 0 ? function->machine->devices[place - 1] : NULL, bytes);
    if (*block == NULL) {
        PyErr_Clear();
        return function_fail(function, "memory", place, PyLong_FromLongLong(bytes));
    }
    function->workspace_bytes += (*block)->bytes;
    return 0;
}

/* Making, taking and giving back. */

static int arena_places(const Machine *machine)
{
    return machine->depth_count * (machine->device_count + 1);
}

static int allocate_lists(Workspace *workspace, Pool *pool)
{
    const Machine *machine = workspace->machine;
    const size_t pointer = sizeof(void *);
    struct { void *list; int count; size_t size; } lists[] = {
        {&workspace->arenas, arena_places(machine), pointer},
        {&workspace->placed, machine->segment_count, pointer},
        {&workspace->oversized, arena_places(machine) + 1, sizeof(int)},
        {&workspace->statuses, machine->device_count, pointer},
        {&workspace->status_values, machine->status_count, sizeof(int)},
        {&workspace->parameters, machine->pointer_count, pointer},
        {&workspace->constants, machine->device_count > 0 ? machine->buffer_count : 0, pointer},
        {&workspace->slots, machine->buffer_count, pointer},
        {&workspace->pointers, machine->pointer_count, pointer},
        {&workspace->made, machine->most_carries, pointer},
        {&workspace->key, machine->root_count + machine->watched_count + 1, sizeof(int64_t)},
        {&workspace->timing_space, machine->instruction_count, sizeof(int64_t)},
        {&workspace->arguments, machine->argument_count, pointer},
        {&workspace->brought, machine->argument_count, pointer},
        {&workspace->argument_data, machine->argument_count, pointer},
        {&workspace->scalars, machine->argument_count, sizeof(Scalar)},
        {&workspace->shared, machine->storage_count, pointer},
        {&workspace->dynamic, machine->buffer_count, pointer},
        {&workspace->results, machine->result_count, pointer},
        {&workspace->updates, machine->update_count, pointer},
    };
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        void *list = pool_take(pool, lists[i].count, lists[i].size);
        if (list == NULL)
            return -1;
        memcpy(lists[i].list, &list, sizeof(list));
    }
    return 0;
}

static Workspace *workspace_new(const Machine *machine)
{
    Pool pool = {NULL, NULL, 0};
    Workspace *workspace = pool_take(&pool, 1, sizeof(Workspace));
    if (workspace == NULL)
        return NULL;
    workspace->machine = machine;
    workspace->layout = layout_new(machine);
    int failed = workspace->layout == NULL || allocate_lists(workspace, &pool) < 0;
    if (failed) {
        if (workspace->layout != NULL)
            layout_free(workspace->layout);
        pool_free(&pool);
        return NULL;
    }
    workspace->pool = pool;
    return workspace;
}

/* Constants are where they are for the workspace's whole life, on devices in memory of their own. */
static int place_constants(Function *function, Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    for (int i = 0; i < machine->constant_buffers.count; i++) {
        int number = machine->constant_buffers.items[i], root = machine->buffers[number].root;
        int device = machine->buffers[root].device;
        PyObject *constant = PyTuple_GET_ITEM(machine->constants, machine->buffers[root].source);
        if (device > 0 && workspace->constants[root] == NULL) {
            workspace->constants[root] = value_copy(machine->devices[device - 1], constant);
            if (workspace->constants[root] == NULL && PyErr_ExceptionMatches(PyExc_MemoryError)) {
                PyErr_Clear();
                return function_fail(function, "memory", device,
                                     PyLong_FromLongLong(PyArray_NBYTES((PyArrayObject *)constant)));
            }
        }
        PyObject *value = device > 0 ? workspace->constants[root] : constant;
        if (value == NULL)
            return -1;
        workspace->slots[number] = value_data(value);
    }
    return 0;
}

void workspace_free(Function *function, Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    for (int i = 0; i < arena_places(machine); i++)
        drop_block(function, &workspace->arenas[i]);
    drop_block(function, &workspace->scratch);
    for (int i = 0; i < machine->device_count; i++)
        Py_CLEAR(workspace->statuses[i]);
    for (int i = 0; machine->device_count > 0 && i < machine->buffer_count; i++)
        Py_CLEAR(workspace->constants[i]);
    for (int i = 0; i < 2; i++)
        if (workspace->timer[i] != NULL)
            driver.cuEventDestroy_v2(workspace->timer[i]);
    for (int i = 0; i < workspace->binding_count; i++)
        binding_free(workspace->bindings[i]);
    PyMem_RawFree(workspace->arrivals.items);
    layout_free(workspace->layout);
    Pool pool = workspace->pool; /* the workspace lies in its own pool */
    pool_free(&pool);
}

Workspace *workspace_take(Function *function)
{
    Workspace *workspace = function->idle;
    if (workspace == NULL) {
        workspace = workspace_new(function->machine);
        if (workspace != NULL && place_constants(function, workspace) < 0) {
            workspace_free(function, workspace);
            return NULL;
        }
    } else {
        function->idle = workspace->next;
    }
    if (workspace != NULL) {
        workspace->function = function;
        workspace->failed_step = -1;
    }
    if (workspace != NULL)
        workspace->timings = function->profile ? workspace->timing_space : NULL;
    return workspace;
}

void workspace_give(Function *function, Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    for (int i = 0; i < machine->storage_count; i++)
        Py_CLEAR(workspace->shared[i]);
    for (int i = 0; i < machine->result_count; i++)
        Py_CLEAR(workspace->results[i]);
    for (int i = 0; i < machine->update_count; i++)
        Py_CLEAR(workspace->updates[i]);
    for (int i = 0; i < machine->dynamic.count; i++)
        Py_CLEAR(workspace->dynamic[machine->dynamic.items[i]]);
    for (int i = 0; machine->device_count > 0 && i < machine->argument_count; i++)
        Py_CLEAR(workspace->brought[i]);
    Py_CLEAR(workspace->converted);
    if (workspace->timings != NULL) {
        for (int i = 0; i < machine->instruction_count; i++)
            function->timings[i] += workspace->timings[i];
        memset(workspace->timings, 0, machine->instruction_count * sizeof(int64_t));
    }
    workspace->next = function->idle;
    function->idle = workspace;
}

/* Roots and the binding that belongs to them. */

static int64_t read_root(const Workspace *workspace, const SizeEntry *entry)
{
    const Machine *machine = workspace->machine;
    switch (entry->code) {
    case CODE_INPUT_DIM: return value_shape(workspace->arguments[entry->a])[entry->b];
    case CODE_SHARED_DIM: return value_shape(workspace->shared[entry->a])[entry->b];
    case CODE_DATA_DIM: return PyArray_DIM(workspace->dynamic[entry->a], (int)entry->b);
    case CODE_INPUT_VALUE: return read_integer(&machine->arguments[entry->a], workspace->argument_data[entry->a]);
    case CODE_SHARED_VALUE:
        return read_integer(&machine->storage_types[entry->a], value_data(workspace->shared[entry->a]));
    default: return read_integer(&machine->buffers[entry->a].type, workspace->slots[entry->a]);
    }
}

/* The key: roots of the first segment, watched dimensions, the number of threads. Returns its length. */
static int read_key(Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    int64_t *key = workspace->key;
    for (int i = 0; i < machine->segments[0].root_end; i++)
        *key++ = read_root(workspace, &machine->roots[i].entry);
    for (int i = 0; i < machine->watched_count; i++)
        *key++ = read_root(workspace, &machine->watched[i].entry);
    *key++ = threads_get();
    return (int)(key - workspace->key);
}

static void move_to_front(Workspace *workspace, int place)
{
    Binding *binding = workspace->bindings[place];
    for (; place > 0; place--)
        workspace->bindings[place] = workspace->bindings[place - 1];
    workspace->bindings[0] = binding;
}

/* The binding for the key at the front, with nothing bound when it is not one remembered. */
static Binding *find_binding(Workspace *workspace, int key_length)
{
    size_t bytes = key_length * sizeof(int64_t);
    for (int i = 0; i < workspace->binding_count; i++) {
        Binding *binding = workspace->bindings[i];
        if (binding->bound[0] && memcmp(binding->key, workspace->key, bytes) == 0) {
            if (i > 0)
                move_to_front(workspace, i);
            return binding;
        }
    }
    if (workspace->binding_count < BINDINGS) {
        Binding *binding = binding_new(workspace->machine);
        if (binding == NULL)
            return NULL;
        workspace->bindings[workspace->binding_count++] = binding;
    }
    move_to_front(workspace, workspace->binding_count - 1);
    workspace->bindings[0]->bound[0] = false;
    memcpy(workspace->bindings[0]->key, workspace->key, bytes);
    return workspace->bindings[0];
}

static PyObject *array_given(const Workspace *workspace, const Buffer *buffer, int number)
{
    switch (buffer->kind) {
    case BUFFER_INPUT: return workspace->arguments[buffer->source];
    case BUFFER_SHARED: return workspace->shared[buffer->source];
    case BUFFER_CONSTANT: return PyTuple_GET_ITEM(workspace->machine->constants, buffer->source);
    case BUFFER_DYNAMIC: return (PyObject *)workspace->dynamic[number];
    default: return NULL;
    }
}

/* The arrays given have the shapes the program derived; only a defect of the compiler makes them differ. */
static int check_shapes(const Workspace *workspace, const Segment *segment)
{
    for (int i = 0; i < segment->buffers.count; i++) {
        int number = segment->buffers.items[i];
        const Buffer *buffer = &workspace->machine->buffers[number];
        PyObject *array = array_given(workspace, buffer, number);
        if (array != NULL && !shape_matches(workspace->binding, buffer, value_shape(array))) {
            PyErr_Format(PyExc_RuntimeError, "inconsistent program: buffer %d has another shape than its array",
                         number);
            return -1;
        }
    }
    return 0;
}

/* Bind a segment; those that start while it is in force have to be bound anew too. */
static int bind_anew(Function *function, Workspace *workspace, int number)
{
    Binding *binding = workspace->binding;
    for (int i = number; i < workspace->machine->segments[number].inner_end; i++) {
        binding->bound[i] = false;
        if (workspace->placed[i] == binding)
            workspace->placed[i] = NULL;
    }
    if (bind_segment(function, binding, workspace->layout, number) < 0
        || check_shapes(workspace, &workspace->machine->segments[number]) < 0)
        return -1;
    binding->bound[number] = true;
    return 0;
}

/* Slots: where each buffer is in this call. */

static void fill_given_slots(Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    for (int i = 0; i < machine->inputs.count; i++) {
        int number = machine->inputs.items[i];
        workspace->slots[number] = workspace->argument_data[machine->buffers[number].source];
    }
    for (int i = 0; i < machine->shared.count; i++) {
        int number = machine->shared.items[i];
        workspace->slots[number] = value_data(workspace->shared[machine->buffers[number].source]);
    }
}

static void fill_aliases(Workspace *workspace, const Numbers *aliases)
{
    for (int i = 0; i < aliases->count; i++) {
        int number = aliases->items[i];
        workspace->slots[number] = workspace->slots[workspace->machine->buffers[number].root];
    }
}

static void place_arena(Workspace *workspace, int number)
{
    const Segment *segment = &workspace->machine->segments[number];
    Block **arenas = &workspace->arenas[segment->depth * (workspace->machine->device_count + 1)];
    for (int i = 0; i < segment->arena.count; i++) {
        int buffer = segment->arena.items[i];
        const Block *arena = arenas[workspace->machine->buffers[buffer].device];
        workspace->slots[buffer] = (arena == NULL ? nothing : (char *)arena->data) + workspace->binding->offsets[buffer];
    }
    fill_aliases(workspace, &segment->arena_aliases);
    workspace->placed[number] = workspace->binding;
}

static int make_outputs(Function *function, Workspace *workspace, const Segment *segment)
{
    for (int i = 0; i < segment->outputs.count; i++) {
        int number = segment->outputs.items[i];
        const Buffer *buffer = &workspace->machine->buffers[number];
        PyObject *array = result_array(function, workspace->binding, buffer->source, number);
        if (array == NULL)
            return -1;
        workspace->results[buffer->source] = array;
        workspace->slots[number] = value_data(array);
    }
    return 0;
}

/* Memory and slots for a segment that is bound. */
static int open_segment(Function *function, Workspace *workspace, int number)
{
    const Machine *machine = workspace->machine;
    const Segment *segment = &machine->segments[number];
    Binding *binding = workspace->binding;
    workspace->segment = number;
    bool fresh = false, fresh_scratch = false;
    int failed = 0;
    for (int place = 0; place <= machine->device_count && !failed; place++) {
        int arena = segment->depth * (machine->device_count + 1) + place;
        failed = fit_block(function, &workspace->arenas[arena], place, *arena_bytes(machine, binding, number, place),
                           &workspace->oversized[arena], &fresh);
    }
    for (int i = 0; i < machine->segment_count && fresh; i++)
        if (machine->segments[i].depth == segment->depth)
            workspace->placed[i] = NULL;
    if (failed || fit_block(function, &workspace->scratch, 0, binding->scratch_bytes,
                            &workspace->oversized[arena_places(machine)], &fresh_scratch) < 0)
        return -1;
    if (workspace->placed[number] != binding)
        place_arena(workspace, number);
    if (make_outputs(function, workspace, segment) < 0)
        return -1;
    fill_aliases(workspace, &segment->call_aliases);
    return 0;
}

int workspace_bind(Function *function, Workspace *workspace)
{
    workspace->binding = find_binding(workspace, read_key(workspace));
    if (workspace->binding == NULL)
        return -1;
    if (!workspace->binding->bound[0]) {
        const Machine *machine = workspace->machine;
        for (int i = 0; i < machine->segments[0].root_end; i++)
            workspace->binding->sizes[machine->roots[i].size] = workspace->key[i];
        function->bind_count++;
        if (bind_anew(function, workspace, 0) < 0)
            return -1;
    }
    fill_given_slots(workspace);
    return open_segment(function, workspace, 0);
}

int workspace_enter_segment(Function *function, Workspace *workspace, int number)
{
    const Segment *segment = &workspace->machine->segments[number];
    Binding *binding = workspace->binding;
    bool same = binding->bound[number];
    for (int i = segment->root_begin; i < segment->root_end; i++) {
        const Root *root = &workspace->machine->roots[i];
        int64_t value = read_root(workspace, &root->entry);
        same &= value == binding->sizes[root->size];
        binding->sizes[root->size] = value;
    }
    if (!same && bind_anew(function, workspace, number) < 0)
        return -1;
    return open_segment(function, workspace, number);
}

int workspace_enter_side(Workspace *workspace, int number)
{
    if (workspace->binding->bound[number] && workspace->placed[number] == workspace->binding) {
        workspace->segment = number;
        return 0;
    }
    PyGILState_STATE state = PyGILState_Ensure();
    int failed = workspace_enter_segment(workspace->function, workspace, number);
    PyGILState_Release(state);
    return failed ? RAISED : 0;
}
