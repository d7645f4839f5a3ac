/* Whether each instruction finds its buffers alive, of known shape and, if it writes them, writable. */
#include "core.h"

typedef struct {
    const Machine *machine;
    bool *made;                  /* of each DYNAMIC buffer: a Call before made it */
    int index, segment;          /* of the instruction being checked */
    int end;                     /* of the innermost loop or side of a branch around it, or of the program */
    bool in_loop;
} Checker;

static int check_stretch(Checker *checker, int begin, int end);

static int unsound(const Checker *checker, int buffer, const char *problem)
{
    PyErr_Format(PyExc_ValueError, "instruction %d: buffer %d %s", checker->index, buffer, problem);
    return -1;
}

/* Whether what a segment makes known is known where the instruction stands. */
static bool is_known(const Checker *checker, int segment)
{
    return segment_holds(checker->machine, segment, checker->segment);
}

static int check_size(const Checker *checker, int size)
{
    if (is_known(checker, checker->machine->size_segments[size]))
        return 0;
    PyErr_Format(PyExc_ValueError, "instruction %d: size %d is not known yet", checker->index, size);
    return -1;
}

/* The buffer is alive, and its shape is known unless only Python will see it. */
static int check_alive(const Checker *checker, int number, bool shaped)
{
    const Buffer *buffer = &checker->machine->buffers[number];
    const Buffer *root = &checker->machine->buffers[buffer->root];
    if (root->kind == BUFFER_DYNAMIC && !checker->made[buffer->root])
        return unsound(checker, number, "has not been made yet");
    bool limited = root->kind == BUFFER_ARENA || root->kind == BUFFER_MOVING;
    if (limited && (checker->index < root->first || checker->index > root->last))
        return unsound(checker, number, "is used outside its life");
    if ((shaped || root != buffer) && !is_known(checker, buffer->segment))
        return unsound(checker, number, "has a shape that is not known yet");
    if (root->kind != BUFFER_DYNAMIC && !is_known(checker, root->segment))
        return unsound(checker, number, "has no memory yet");
    return 0;
}

static int check_read(const Checker *checker, int number)
{
    return check_alive(checker, number, true);
}

static int check_written(const Checker *checker, int number)
{
    const Buffer *root = &checker->machine->buffers[checker->machine->buffers[number].root];
    if (root->kind == BUFFER_INPUT || root->kind == BUFFER_CONSTANT)
        return unsound(checker, number, "must not be written");
    if (root->kind == BUFFER_MOVING)
        return root->source == checker->machine->buffers[number].root
            ? unsound(checker, number, "is what a step was given and must not be written")
            : check_alive(checker, number, true) < 0 ? -1 : check_written(checker, root->source);
    if (root->kind == BUFFER_SHARED && checker->machine->access[root->source] != ACCESS_MODIFY)
        return unsound(checker, number, "is written but its storage is not in `written`");
    return check_alive(checker, number, true);
}

/* An instruction finds a buffer on the device it runs on. */
static int check_place(const Checker *checker, int number, int device)
{
    return checker->machine->buffers[number].device == device ? 0 : unsound(checker, number, "is on another device");
}

static int check_launch(const Checker *checker, const Launch *launch)
{
    for (int i = 0; i < launch->buffers.count; i++)
        if (check_read(checker, launch->buffers.items[i]) < 0
            || check_place(checker, launch->buffers.items[i], launch->device) < 0)
            return -1;
    for (int i = 0; i < launch->sizes.count; i++)
        if (check_size(checker, launch->sizes.items[i]) < 0)
            return -1;
    if (check_size(checker, launch->units) < 0 || check_size(checker, launch->work) < 0)
        return -1;
    return check_size(checker, launch->scratch);
}

static int check_routine(const Checker *checker, const Routine *routine)
{
    for (int i = 0; i < routine->inputs.count; i++)
        if (check_read(checker, routine->inputs.items[i]) < 0 || check_place(checker, routine->inputs.items[i], routine_device_of(routine, i)) < 0)
            return -1;
    for (int i = 0; i < routine->sizes.count; i++)
        if (check_size(checker, routine->sizes.items[i]) < 0)
            return -1;
    if (check_size(checker, routine->work) < 0 || check_size(checker, routine->scratch) < 0)
        return -1;
    for (int i = 0; i < routine->outputs.count; i++)
        if (check_written(checker, routine->outputs.items[i]) < 0
            || check_place(checker, routine->outputs.items[i],
                           routine_device_of(routine, routine->inputs.count + i)) < 0)
            return -1;
    return 0;
}

static int check_moving(const Checker *checker, const Loop *loop, int number)
{
    const Buffer *buffer = &checker->machine->buffers[number];
    if (buffer->kind != BUFFER_MOVING)
        return unsound(checker, number, "does not move");
    bool inside = buffer->first >= checker->index && buffer->last < loop->end;
    return inside ? check_alive(checker, number, true) : unsound(checker, number, "moves outside its loop");
}

static int check_loop_buffers(const Checker *checker, const Loop *loop)
{
    for (int i = 0; i < loop->row_count; i++) {
        LoopRow row = loop->rows[i];
        if (check_moving(checker, loop, row.own) < 0 || check_read(checker, row.source) < 0
            || check_place(checker, row.own, checker->machine->buffers[row.source].device) < 0
            || (row.written && check_written(checker, row.source) < 0))
            return -1;
        if (!row.written && checker->machine->buffers[row.own].source != row.own)
            return unsound(checker, row.own, "may not be written, but says where it is");
        if (row.written && checker->machine->buffers[row.own].source != row.source)
            return unsound(checker, row.own, "is written elsewhere than it says");
    }
    for (int i = 0; i < loop->carry_count; i++) {
        const LoopCarry *carry = &loop->carries[i];
        int device = checker->machine->buffers[carry->own].device;
        if (check_moving(checker, loop, carry->own) < 0 || check_read(checker, carry->first) < 0
            || check_read(checker, carry->new) < 0 || check_place(checker, carry->first, device) < 0
            || check_place(checker, carry->new, device) < 0
            || (carry->final != carry->own && check_written(checker, carry->final) < 0))
            return -1;
        for (int j = 0; j < carry->spares.count; j++)
            if (check_written(checker, carry->spares.items[j]) < 0 || check_written(checker, carry->new) < 0
                || check_place(checker, carry->spares.items[j], device) < 0)
                return -1;
    }
    return 0;
}

static int check_loop(Checker *checker, const Loop *loop)
{
    if (check_size(checker, loop->steps) < 0 || check_loop_buffers(checker, loop) < 0)
        return -1;
    for (int i = 0; i < loop->count.count; i++)
        if (check_written(checker, loop->count.items[i]) < 0)
            return -1;
    bool around = checker->in_loop;
    checker->in_loop = true;
    int failed = check_stretch(checker, checker->index + 1, loop->end);
    checker->in_loop = around;
    return failed;
}

/* A DYNAMIC buffer gets its memory here. */
static int check_made(const Checker *checker, int number)
{
    if (checker->in_loop)
        return unsound(checker, number, "is made anew in each step of a loop");
    checker->made[number] = true;
    return 0;
}

static int check_call(Checker *checker, const Call *call)
{
    for (int i = 0; i < call->inputs.count; i++)
        if (check_alive(checker, call->inputs.items[i], false) < 0
            || check_place(checker, call->inputs.items[i], 0) < 0)
            return -1;
    for (int i = 0; i < call->outputs.count; i++) {
        int number = call->outputs.items[i];
        if (check_place(checker, number, 0) < 0)
            return -1;
        bool dynamic = checker->machine->buffers[number].kind == BUFFER_DYNAMIC;
        if ((dynamic ? check_made : check_written)(checker, number) < 0)
            return -1;
    }
    return 0;
}

/* What the sizes of a segment read has been made. */
static int check_resize(const Checker *checker)
{
    const Segment *segment = &checker->machine->segments[checker->segment];
    for (int i = segment->root_begin; i < segment->root_end; i++) {
        const SizeEntry *entry = &checker->machine->roots[i].entry;
        bool data = entry->code == CODE_DATA_VALUE || entry->code == CODE_DATA_DIM;
        if (data && (check_alive(checker, (int)entry->a, false) < 0 || check_place(checker, (int)entry->a, 0) < 0))
            return -1;
    }
    return 0;
}

static int check_copy(const Checker *checker, const Copy *copy)
{
    const Buffer *source = &checker->machine->buffers[copy->source], *target = &checker->machine->buffers[copy->target];
    if (check_read(checker, copy->source) < 0)
        return -1;
    if (target->kind != BUFFER_DYNAMIC)
        return check_written(checker, copy->target);
    return types_equal(&source->type, &target->type) ? check_made(checker, copy->target)
                                                     : unsound(checker, copy->target, "is not of the type it is given");
}

static int check_sides(Checker *checker, const Branch *branch, bool *made_before, bool *made_in_one)
{
    int count = checker->machine->buffer_count, around = checker->segment;
    memcpy(made_before, checker->made, (size_t)count);
    for (int side = 0; side < 2; side++) {
        const Part *part = &branch->sides[side];
        checker->segment = part->segment;
        if (check_stretch(checker, part->begin, part->end) < 0)
            return -1;
        if (side == 0) {
            memcpy(made_in_one, checker->made, (size_t)count);
            memcpy(checker->made, made_before, (size_t)count);
        }
    }
    for (int i = 0; i < count; i++)
        checker->made[i] &= made_in_one[i];
    checker->segment = around;
    return 0;
}

/* A DYNAMIC buffer is there after a branch if both sides made it. */
static int check_branch(Checker *checker, const Branch *branch)
{
    const Type *condition = &checker->machine->buffers[branch->condition].type;
    if (check_read(checker, branch->condition) < 0)
        return -1;
    if (condition->kind != 'b' || condition->ndim > 0)
        return unsound(checker, branch->condition, "is no condition: it is not a 0-d bool");
    for (int i = 0; i < branch->outputs.count; i++) {
        int number = branch->outputs.items[i];
        if (checker->machine->buffers[number].kind != BUFFER_DYNAMIC && check_written(checker, number) < 0)
            return -1;
    }
    bool *made = PyMem_Calloc(2 * (size_t)checker->machine->buffer_count + 1, sizeof(bool));
    if (made == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    int failed = check_sides(checker, branch, made, made + checker->machine->buffer_count);
    PyMem_Free(made);
    return failed;
}

static int check_instruction(Checker *checker, const Instruction *instruction)
{
    if (instruction->code == RESIZE && checker->in_loop) {
        PyErr_Format(PyExc_ValueError, "instruction %d: a Resize in a loop", checker->index);
        return -1;
    }
    switch (instruction->code) {
    case LAUNCH: return check_launch(checker, &instruction->launch);
    case ROUTINE: return check_routine(checker, &instruction->routine);
    case CALL: return check_call(checker, &instruction->call);
    case COPY: return check_copy(checker, &instruction->copy);
    case LOOP: return check_loop(checker, instruction->loop);
    case BRANCH: return check_branch(checker, instruction->branch);
    case RESIZE:
        checker->segment = instruction->resize.segment;
        return check_resize(checker);
    case OPCODES: break;
    }
    return 0;
}

/* The instructions of a loop, of a side of a branch, or of the program; the index is the last one's then. */
static int check_stretch(Checker *checker, int begin, int end)
{
    int around = checker->end;
    if (end > around) {
        PyErr_Format(PyExc_ValueError, "instruction %d: ends after the loop around it", checker->index);
        return -1;
    }
    checker->end = end;
    for (checker->index = begin; checker->index < end; checker->index++)
        if (check_instruction(checker, &checker->machine->instructions[checker->index]) < 0)
            return -1;
    checker->index = end - 1;
    checker->end = around;
    return 0;
}

/* Results are there at the end. */
static int check_end(Checker *checker)
{
    for (int i = 0; i < checker->machine->result_count; i++) {
        int number = checker->machine->results[i].buffer;
        bool dynamic = checker->machine->buffers[number].kind == BUFFER_DYNAMIC;
        if (check_alive(checker, number, !dynamic) < 0)
            return -1;
    }
    return 0;
}

int check_instructions(const Machine *machine)
{
    Checker checker = {.machine = machine, .made = PyMem_Calloc(machine->buffer_count + 1, sizeof(bool)),
                       .end = machine->instruction_count};
    if (checker.made == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    int failed = check_stretch(&checker, 0, machine->instruction_count) < 0 || check_end(&checker) < 0;
    PyMem_Free(checker.made);
    return failed ? -1 : 0;
}
