/* Segments: what of a program becomes known at one moment; and the steps in which its parts are run. */
#include "core.h"

int instruction_end(const Machine *machine, int index)
{
    const Instruction *instruction = &machine->instructions[index];
    switch (instruction->code) {
    case LOOP: return instruction->loop->end;
    case BRANCH: return instruction->branch->sides[1].end;
    default: return index + 1;
    }
}

bool segment_holds(const Machine *machine, int segment, int current)
{
    return segment <= current && current < machine->segments[segment].inner_end;
}

/* The one of two segments in which what both make known is known; -1 if there is no such. */
static int later_of(const Machine *machine, int one, int other)
{
    int first = one < other ? one : other, second = one < other ? other : one;
    return segment_holds(machine, first, second) ? second : -1;
}

/* Which there are. */

static int add_segment(Machine *machine, int parent, int begin, int end)
{
    int number = machine->segment_count++;
    int depth = parent < 0 ? 0 : machine->segments[parent].depth + 1;
    machine->segments[number] = (Segment){.parent = parent, .depth = depth, .begin = begin, .end = end};
    if (depth >= machine->depth_count)
        machine->depth_count = depth + 1;
    return number;
}

/* The segments that start in a part, and in the branches in it. `part_of` is told the part of each instruction. */
static int number_segments(Machine *machine, Part *part, int parent, Part **part_of)
{
    int segment = part->segment = add_segment(machine, parent, part->begin, part->end);
    machine->segments[segment].side = parent >= 0;
    for (int i = part->begin; i < part->end; i++) {
        Instruction *instruction = &machine->instructions[i];
        part_of[i] = part;
        if (instruction->code == RESIZE) {
            machine->segments[segment].end = i;
            segment = instruction->resize.segment = add_segment(machine, segment, i, part->end);
        }
        if (instruction->code != BRANCH)
            continue;
        Part *sides = instruction->branch->sides;
        if (sides[1].end > part->end)
            return unsound_item("instruction", i, "ends after the branch around it");
        for (int side = 0; side < 2; side++)
            if (number_segments(machine, &sides[side], segment, part_of) < 0)
                return -1;
        i = sides[1].end - 1;
    }
    return 0;
}

static void find_inner(Machine *machine)
{
    for (int s = machine->segment_count - 1; s >= 0; s--) {
        Segment *segment = &machine->segments[s];
        if (segment->inner_end <= s)
            segment->inner_end = s + 1;
        if (s > 0 && machine->segments[segment->parent].inner_end < segment->inner_end)
            machine->segments[segment->parent].inner_end = segment->inner_end;
    }
}

/* What belongs to which: each thing to the segment that makes the last of what it needs known. */

static bool is_data(const SizeEntry *entry)
{
    return entry->code == CODE_DATA_VALUE || entry->code == CODE_DATA_DIM;
}

static int check_size(const Machine *machine, int index)
{
    const SizeEntry *entry = &machine->sizes[index];
    const Type *type;
    switch (entry->code) {
    case CODE_INPUT_DIM: case CODE_INPUT_VALUE: type = &machine->arguments[entry->a]; break;
    case CODE_SHARED_DIM: case CODE_SHARED_VALUE: type = &machine->storage_types[entry->a]; break;
    case CODE_DATA_VALUE: case CODE_DATA_DIM: type = &machine->buffers[entry->a].type; break;
    default: return 0;
    }
    if ((entry->code == CODE_INPUT_VALUE && machine->argument_places[entry->a] > 0)
        || (entry->code == CODE_SHARED_VALUE && machine->storage_places[entry->a] > 0))
        return unsound_item("size", index, "is a value on a device");
    if (is_data(entry) && machine->size_segments[index] == 0)
        return unsound_item("size", index, "depends on data but is in no Resize");
    if (entry->code == CODE_DATA_DIM && machine->buffers[entry->a].kind != BUFFER_DYNAMIC)
        return unsound_item("size", index, "is a dimension of a buffer that is not DYNAMIC");
    bool dimension = entry->code == CODE_INPUT_DIM || entry->code == CODE_SHARED_DIM || entry->code == CODE_DATA_DIM;
    if (dimension ? entry->b >= type->ndim : type->ndim > 0 || strchr("biu", type->kind) == NULL)
        return unsound_item("size", index, dimension ? "is an axis out of range" : "is not a 0-d integer");
    return 0;
}

static int place_roots(Machine *machine)
{
    for (int i = 0; i < machine->instruction_count; i++) {
        const Resize *resize = &machine->instructions[i].resize;
        if (machine->instructions[i].code != RESIZE)
            continue;
        for (int j = 0; j < resize->sizes.count; j++) {
            int size = resize->sizes.items[j];
            if (!is_data(&machine->sizes[size]))
                return unsound_item("size", size, "is in a Resize but does not depend on data");
            if (machine->size_segments[size] > 0)
                return unsound_item("size", size, "is in two Resizes");
            machine->size_segments[size] = resize->segment;
        }
    }
    return 0;
}

static int place_sizes(Machine *machine)
{
    machine->size_segments = pool_take(&machine->pool, machine->size_count, sizeof(int));
    if (machine->size_segments == NULL || place_roots(machine) < 0)
        return -1;
    for (int i = 0; i < machine->size_count; i++) {
        const SizeEntry *entry = &machine->sizes[i];
        if (check_size(machine, i) < 0)
            return -1;
        if (entry->code < CODE_ADD)
            continue;
        int segment = later_of(machine, machine->size_segments[entry->a], machine->size_segments[entry->b]);
        if (segment < 0)
            return unsound_item("size", i, "is computed from what is never known at once");
        machine->size_segments[i] = segment;
    }
    return 0;
}

static int place_checks(Machine *machine)
{
    for (int i = 0; i < machine->instruction_count; i++) {
        if (machine->instructions[i].code != BRANCH)
            continue;
        const Branch *branch = machine->instructions[i].branch;
        for (int side = 0; side < 2; side++)
            for (int j = 0; j < branch->checks[side].count; j++)
                machine->checks[branch->checks[side].items[j]].segment = branch->sides[side].segment;
    }
    for (int i = 0; i < machine->check_count; i++) {
        Check *check = &machine->checks[i];
        for (int right = 0; right < 2 && check->segment >= 0; right++)
            check->segment = later_of(machine, check->segment,
                                      machine->size_segments[right ? check->right : check->left]);
        if (check->segment < 0)
            return unsound_item("check", i, "is of sizes that are never known at once");
    }
    return 0;
}

/* The segment that starts with the innermost part in which a buffer lives. */
static int home_of(const Machine *machine, const Buffer *buffer, Part *const *part_of)
{
    const Part *part = buffer->first < 0 ? &machine->whole : part_of[buffer->first];
    while (part->end <= buffer->last)
        part = part_of[part->begin - 1]; /* for a second side, that is in the first one, which ends sooner */
    return part->segment;
}

/* A buffer that lives in one side only belongs to that. An alias has no memory before the buffer it is an alias of. */
static int place_buffers(Machine *machine, Part *const *part_of)
{
    for (int i = 0; i < machine->buffer_count; i++) {
        Buffer *buffer = &machine->buffers[i];
        buffer->segment = home_of(machine, buffer, part_of);
        if (buffer->root != i)
            buffer->segment = later_of(machine, buffer->segment, machine->buffers[buffer->root].segment);
        for (int axis = 0; axis < buffer->type.ndim && buffer->segment >= 0; axis++)
            buffer->segment = later_of(machine, buffer->segment, machine->size_segments[buffer->shape[axis]]);
        if (buffer->segment < 0)
            return unsound_item("buffer", i, "has sizes that are never known at once");
    }
    return 0;
}

int find_segments(Machine *machine)
{
    int count = 1;
    for (int i = 0; i < machine->instruction_count; i++) {
        enum Opcode code = machine->instructions[i].code;
        count += code == BRANCH ? 2 : code == RESIZE;
    }
    machine->segments = pool_take(&machine->pool, count, sizeof(Segment));
    Part **part_of = PyMem_Calloc((size_t)machine->instruction_count + 1, sizeof(Part *));
    if (part_of == NULL)
        PyErr_NoMemory();
    machine->whole.end = machine->instruction_count;
    int failed = machine->segments == NULL || part_of == NULL
        || number_segments(machine, &machine->whole, -1, part_of) < 0;
    if (!failed) {
        find_inner(machine);
        failed = place_sizes(machine) < 0 || place_checks(machine) < 0 || place_buffers(machine, part_of) < 0;
    }
    PyMem_Free(part_of);
    return failed ? -1 : 0;
}

/* Steps. */

bool needs_python(const Machine *machine, const Instruction *instruction)
{
    switch (instruction->code) {
    case CALL: case RESIZE: return true;
    case COPY: return machine->buffers[instruction->copy.target].kind == BUFFER_DYNAMIC;
    default: return false;
    }
}

/* Whether what a routine told chooses between sides that are nothing but instructions without Python. */
static bool is_plain_branch(const Machine *machine, int index)
{
    const Branch *branch = machine->instructions[index].branch;
    bool plain = machine->buffers[branch->condition].told;
    for (int i = index + 1; i < branch->sides[1].end; i++) {
        enum Opcode code = machine->instructions[i].code;
        plain = plain && code != LOOP && code != BRANCH && !needs_python(machine, &machine->instructions[i]);
    }
    return plain;
}

static void list_part(Machine *machine, Part *part)
{
    Segment *segment = &machine->segments[part->segment];
    part->step_begin = segment->step_begin = machine->step_count;
    bool joined = false;
    for (int i = part->begin; i < part->end; i++) {
        const Instruction *instruction = &machine->instructions[i];
        if (instruction->code == RESIZE) {
            segment->step_end = machine->step_count;
            segment = &machine->segments[instruction->resize.segment];
            segment->step_begin = machine->step_count;
        }
        bool python = instruction->code == LOOP && instruction->loop->python;
        bool plain = instruction->code == BRANCH ? is_plain_branch(machine, i)
                                                 : !needs_python(machine, instruction) && !python;
        if (!plain || !joined)
            machine->steps[machine->step_count++] = (Step){i, i, python, !plain && instruction->code == BRANCH};
        i = instruction_end(machine, i) - 1;
        machine->steps[machine->step_count - 1].end = i + 1;
        joined = plain;
    }
    part->step_end = segment->step_end = machine->step_count;
}

int list_steps(Machine *machine)
{
    machine->steps = pool_take(&machine->pool, machine->instruction_count, sizeof(Step));
    if (machine->steps == NULL)
        return -1;
    list_part(machine, &machine->whole);
    for (int i = 0; i < machine->instruction_count; i++)
        for (int side = 0; side < 2 && machine->instructions[i].code == BRANCH; side++)
            list_part(machine, &machine->instructions[i].branch->sides[side]);
    return 0;
}
