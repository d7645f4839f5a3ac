/* Binding: everything that follows from the roots of a segment, done once for each tuple of their values. */
#include "core.h"

#define STEP_WORK 50             /* elements of work that a step of a loop costs besides its instructions */

/* No buffer may come near the end of int64: sums of a few must not overflow. */
#define LARGEST_BUFFER (INT64_MAX / 4)

static int64_t floor_divide(int64_t a, int64_t b)
{
    if (b == 0)
        return 0;
    if (b == -1)
        return a == INT64_MIN ? INT64_MAX : -a;
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static int64_t modulo(int64_t a, int64_t b)
{
    if (b == 0 || b == -1)
        return 0;
    int64_t rest = a % b;
    return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}

static void evaluate_sizes(const SizeEntry *entries, int64_t *sizes, const Numbers *wanted)
{
    for (int item = 0; item < wanted->count; item++) {
        int i = wanted->items[item];
        int64_t a = entries[i].a, b = entries[i].b;
        switch (entries[i].code) {
        case CODE_CONSTANT: sizes[i] = a; break;
        case CODE_ADD: sizes[i] = add_saturating(sizes[a], sizes[b]); break;
        case CODE_MUL: sizes[i] = multiply_saturating(sizes[a], sizes[b]); break;
        case CODE_FLOORDIV: sizes[i] = floor_divide(sizes[a], sizes[b]); break;
        case CODE_MOD: sizes[i] = modulo(sizes[a], sizes[b]); break;
        case CODE_MIN: sizes[i] = sizes[a] < sizes[b] ? sizes[a] : sizes[b]; break;
        case CODE_MAX: sizes[i] = sizes[a] > sizes[b] ? sizes[a] : sizes[b]; break;
        }
    }
}

static int run_checks(Function *function, const Segment *segment, const int64_t *sizes)
{
    for (int i = 0; i < segment->checks.count; i++) {
        int number = segment->checks.items[i];
        const Check *check = &function->machine->checks[number];
        int64_t left = sizes[check->left], right = sizes[check->right];
        if (check->compare == COMPARE_EQUAL ? left != right : left > right)
            return function_fail(function, "size", number, Py_BuildValue("(LL)", (long long)left, (long long)right));
    }
    return 0;
}

/* The bytes of each buffer whose shape is known now. */
static int measure_buffers(Function *function, const Segment *segment, Binding *binding)
{
    const Machine *machine = function->machine;
    for (int i = 0; i < segment->buffers.count; i++) {
        int number = segment->buffers.items[i];
        const Buffer *buffer = &machine->buffers[number];
        int64_t bytes = buffer->type.itemsize;
        bool empty = false;
        for (int axis = 0; axis < buffer->type.ndim; axis++) {
            int64_t dimension = binding->sizes[buffer->shape[axis]];
            if (dimension < 0)
                return function_fail(function, "negative", number, PyLong_FromLongLong(dimension));
            empty |= dimension == 0;
            bytes = multiply_saturating(bytes, dimension == 0 ? 1 : dimension);
        }
        if (bytes > LARGEST_BUFFER && !empty)
            return function_fail(function, "overflow", number, NULL);
        binding->bytes[number] = empty ? 0 : bytes;
    }
    return 0;
}

/* A defect of the compiler, caught before it touches memory. */
static int inconsistent(const char *what, int number, const char *problem)
{
    PyErr_Format(PyExc_RuntimeError, "inconsistent program: %s %d %s", what, number, problem);
    return -1;
}

static int check_aliases(const Machine *machine, const Segment *segment, const Binding *binding)
{
    for (int i = 0; i < segment->buffers.count; i++) {
        int number = segment->buffers.items[i], root = machine->buffers[number].root;
        if (root != number && binding->bytes[number] > binding->bytes[root])
            return inconsistent("buffer", number, "is larger than the buffer it is an alias of");
    }
    return 0;
}

/* The values of the sizes an instruction is given. */
static void give_sizes(Binding *binding, const Numbers *numbers, int first)
{
    for (int i = 0; i < numbers->count; i++)
        binding->given_sizes[first + i] = binding->sizes[numbers->items[i]];
}

static void plan_scratch(Binding *binding, LaunchPlan *plan, int64_t scratch)
{
    plan->scratch = scratch <= 0 ? 0 : add_saturating(scratch, ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    int64_t total = multiply_saturating(plan->scratch, plan->threads);
    if (plan->units > 0 && total > binding->scratch_bytes)
        binding->scratch_bytes = total;
}

static int64_t plan_launch(const Launch *launch, Binding *binding, LaunchPlan *plan)
{
    int64_t work = binding->sizes[launch->work];
    plan->units = binding->sizes[launch->units];
    give_sizes(binding, &launch->sizes, launch->first_size);
    if (launch->device > 0) {
        plan->scratch = binding->sizes[launch->scratch]; /* a block's, which the device has */
        return work;
    }
    plan->threads = threads_for(work, plan->units);
    plan_scratch(binding, plan, binding->sizes[launch->scratch]);
    return work;
}

static int64_t plan_routine(const Routine *routine, Binding *binding, LaunchPlan *plan)
{
    plan->units = 1;             /* it divides its work itself */
    plan->threads = threads_get();
    plan_scratch(binding, plan, binding->sizes[routine->scratch]);
    give_sizes(binding, &routine->sizes, routine->first_size);
    return binding->sizes[routine->work];
}

/* Plans for an instruction; its work, or -1 when it is inconsistent. */
static int64_t plan_instruction(const Machine *machine, Binding *binding, int index)
{
    const Instruction *instruction = &machine->instructions[index];
    int64_t work = 0;
    switch (instruction->code) {
    case LAUNCH:
        work = plan_launch(&instruction->launch, binding, &binding->plans[index]);
        if (instruction->launch.device > 0 && binding->plans[index].units > INT32_MAX)
            return inconsistent("instruction", index, "is a launch of more blocks than a device takes");
        break;
    case COPY:
        work = binding->bytes[instruction->copy.source] / 8;
        if (!needs_python(machine, instruction)
            && binding->bytes[instruction->copy.source] != binding->bytes[instruction->copy.target])
            return inconsistent("instruction", index, "copies to a buffer of another size");
        break;
    case ROUTINE:
        work = plan_routine(&instruction->routine, binding, &binding->plans[index]);
        if (!routine_fits(&instruction->routine, binding, &binding->plans[index]))
            return inconsistent("instruction", index, "is a Routine for more than its buffers hold");
        break;
    default: break;
    }
    return work < 0 ? 0 : work;
}

/* About the work of instructions that may not be run, as far as it is known. */
static int64_t guess_work(const Machine *machine, const Binding *binding, int begin, int end)
{
    int64_t total = STEP_WORK;
    for (int i = begin; i < end; i++) {
        const Instruction *instruction = &machine->instructions[i];
        int64_t work = 0;
        if (instruction->code == LAUNCH)
            work = binding->sizes[instruction->launch.work];
        else if (instruction->code == ROUTINE)
            work = binding->sizes[instruction->routine.work];
        total = add_saturating(total, work < 0 ? 0 : work);
    }
    return total;
}

/* Plans for a stretch of instructions; their work, or -1. */
static int64_t plan_range(const Machine *machine, Binding *binding, int begin, int end)
{
    int64_t total = 0;
    for (int i = begin; i < end; i++) {
        int64_t work;
        if (machine->instructions[i].code == BRANCH) {
            work = guess_work(machine, binding, i + 1, instruction_end(machine, i));
            i = instruction_end(machine, i) - 1; /* its sides are segments, planned when they are taken */
        } else if (machine->instructions[i].code == LOOP) {
            const Loop *loop = machine->instructions[i].loop;
            int64_t steps = binding->sizes[loop->steps];
            if (!loop_fits(machine, loop, binding))
                return inconsistent("instruction", i, "is a Loop for more than its buffers hold");
            work = plan_range(machine, binding, i + 1, loop->end);
            work = work < 0 ? -1 : multiply_saturating(steps > 0 ? steps : 0, add_saturating(work, STEP_WORK));
            i = loop->end - 1;
        } else {
            work = plan_instruction(machine, binding, i);
        }
        if (work < 0)
            return -1;
        total = add_saturating(total, work);
    }
    return total;
}

static int plan_steps(const Machine *machine, const Segment *segment, Binding *binding)
{
    for (int s = segment->step_begin; s < segment->step_end; s++) {
        binding->step_work[s] = plan_range(machine, binding, machine->steps[s].begin, machine->steps[s].end);
        if (binding->step_work[s] < 0)
            return -1;
    }
    return 0;
}

int bind_segment(Function *function, Binding *binding, Layout *layout, int number)
{
    const Machine *machine = function->machine;
    const Segment *segment = &machine->segments[number];
    evaluate_sizes(machine->sizes, binding->sizes, &segment->sizes);
    if (run_checks(function, segment, binding->sizes) < 0 || measure_buffers(function, segment, binding) < 0
        || check_aliases(machine, segment, binding) < 0)
        return -1;
    int unplaced = layout_segment(layout, machine, binding, number);
    if (unplaced >= 0)
        return function_fail(function, "overflow", unplaced, NULL);
    if (number == 0)
        binding->scratch_bytes = 0;
    return plan_steps(machine, segment, binding);
}

Binding *binding_new(const Machine *machine)
{
    Pool pool = {NULL, NULL, 0};
    Binding *binding = pool_take(&pool, 1, sizeof(Binding));
    if (binding == NULL)
        return NULL;
    size_t word = sizeof(int64_t);
    binding->key = pool_take(&pool, machine->root_count + machine->watched_count + 1, word);
    binding->sizes = pool_take(&pool, machine->size_count, word);
    binding->bound = pool_take(&pool, machine->segment_count, sizeof(bool));
    binding->bytes = pool_take(&pool, machine->buffer_count, word);
    binding->offsets = pool_take(&pool, machine->buffer_count, word);
    binding->given_sizes = pool_take(&pool, machine->given_size_count, word);
    binding->step_work = pool_take(&pool, machine->step_count, word);
    binding->arena_bytes = pool_take(&pool, machine->segment_count * (machine->device_count + 1), word);
    binding->plans = pool_take(&pool, machine->instruction_count, sizeof(LaunchPlan));
    binding->pool = pool;
    if (binding->key == NULL || binding->sizes == NULL || binding->bound == NULL || binding->bytes == NULL || binding->offsets == NULL
        || binding->given_sizes == NULL || binding->step_work == NULL || binding->arena_bytes == NULL
        || binding->plans == NULL) {
        pool_free(&pool);
        return NULL;
    }
    return binding;
}

void binding_free(Binding *binding)
{
    Pool pool = binding->pool;   /* the binding lies in its own pool */
    pool_free(&pool);
}
