/* Going through the instructions of a bound program: step by step, and in the branches that are taken. */
#include "core.h"

#include <time.h>

static int64_t clock_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int run_launch(Workspace *workspace, const Launch *launch, const LaunchPlan *plan)
{
    if (plan->units <= 0)
        return 0;
    void **pointers = workspace->pointers;
    const int *numbers = launch->buffers.items;
    for (int i = 0; i < launch->buffers.count; i++)
        pointers[i] = workspace->slots[numbers[i]];
    const int64_t *sizes = workspace->binding->given_sizes + launch->first_size;
    char *scratch = plan->scratch > 0 ? workspace->scratch->data : NULL;
    if (plan->threads == 1)
        return launch->kernel(pointers, sizes, 0, plan->units, scratch);
    return parallel_for(launch->kernel, pointers, sizes, plan->units, plan->threads, scratch, plan->scratch);
}

int copy_buffer(Workspace *workspace, int target, int source)
{
    const Buffer *buffers = workspace->machine->buffers;
    int64_t bytes = workspace->binding->bytes[source];
    if (workspace->machine->device_count > 0)
        return run_copy(workspace, buffers[target].device, workspace->slots[target], buffers[source].device,
                        workspace->slots[source], bytes);
    memmove(workspace->slots[target], workspace->slots[source], (size_t)bytes);
    return 0;
}

/* The device an instruction runs on; 0 if it runs on the processor, which needs what was to come from devices. */
static int device_of(const Machine *machine, const Instruction *instruction)
{
    const Buffer *buffers = machine->buffers;
    switch (instruction->code) {
    case LAUNCH: return instruction->launch.device;
    case ROUTINE: return instruction->routine.device;
    case COPY: {
        int target = buffers[instruction->copy.target].device;
        return target > 0 ? target : buffers[instruction->copy.source].device;
    }
    default: return 0;
    }
}

/* The side that is taken: a status. */
static int find_side(Workspace *workspace, const Branch *branch, const Part **side)
{
    bool truth;
    int status = 0;
    if (workspace->machine->buffers[branch->condition].told) {
        memcpy(&truth, workspace->slots[branch->condition], sizeof(truth));
    } else {
        status = workspace->expecting ? settle_devices(workspace) : 0;
        if (status == 0)
            status = read_truth(workspace, branch->condition, &truth);
    }
    if (status == 0)
        *side = &branch->sides[truth ? 0 : 1];
    return status;
}

/* A branch in a stretch, where no step of the program is chosen: a status. */
static int run_branch(Workspace *workspace, const Branch *branch)
{
    const Part *side;
    int around = workspace->segment;
    int status = find_side(workspace, branch, &side);
    if (status == 0)
        status = workspace_enter_side(workspace, side->segment);
    if (status == 0)
        status = run_range(workspace, side->begin, side->end);
    workspace->segment = around;
    return status;
}

static int run_instruction(Workspace *workspace, int index)
{
    const Machine *machine = workspace->machine;
    const Instruction *instruction = &machine->instructions[index];
    const Binding *binding = workspace->binding;
    switch (instruction->code) {
    case LAUNCH:
        if (instruction->launch.device > 0)
            return run_device_launch(workspace, &instruction->launch, &binding->plans[index]);
        return instruction->launch.in_order
            ? run_in_order(workspace, &instruction->launch, &binding->plans[index])
            : run_launch(workspace, &instruction->launch, &binding->plans[index]);
    case ROUTINE:
        return routine_run(&instruction->routine, workspace, &binding->plans[index]);
    case COPY:
        return copy_buffer(workspace, instruction->copy.target, instruction->copy.source);
    case CALL:
        return run_call(workspace->function, workspace, &instruction->call, index) < 0 ? RAISED : 0;
    case LOOP:
        return run_loop(workspace, index);
    case BRANCH:
        return run_branch(workspace, instruction->branch);
    default:
        return -1;               /* a RESIZE is a step of its own */
    }
}

/* An instruction, with the time it takes: that of a device is between two events. */
static int run_timed(Workspace *workspace, int index)
{
    int device = device_of(workspace->machine, &workspace->machine->instructions[index]);
    int64_t start = device > 0 ? device_time(workspace, device, false) : clock_nanoseconds();
    int status = run_instruction(workspace, index);
    workspace->timings[index] += device > 0 ? device_time(workspace, device, true) : clock_nanoseconds() - start;
    return status;
}

int run_range(Workspace *workspace, int begin, int end)
{
    const Machine *machine = workspace->machine;
    for (int i = begin; i < end; i++) {
        enum Opcode code = machine->instructions[i].code;
        bool whole = code != LOOP && code != BRANCH; /* the instructions in these are timed, and named in errors, each */
        bool timed = workspace->timings != NULL && whole;
        int status = 0;
        if (workspace->expecting && whole && device_of(machine, &machine->instructions[i]) == 0)
            status = settle_devices(workspace);
        if (status == 0)
            status = timed ? run_timed(workspace, i) : run_instruction(workspace, i);
        else
            return status;
        if (status != 0) {
            if (whole)
                workspace->failed = i;
            return status;
        }
        i = instruction_end(machine, i) - 1;
    }
    return 0;
}

/* Raise what a status says. */
static int fail(Function *function, Workspace *workspace, int status)
{
    if (status == RAISED)
        return -1;
    if (status == DRIVER_FAILED)
        return function_fail(function, "device", workspace->failed,
                             Py_BuildValue("(is)", workspace->error, device_error_name(workspace->error)));
    PyObject *step_number = workspace->failed_step < 0 || workspace->late ? Py_NewRef(Py_None)
                                                       : PyLong_FromLongLong(workspace->failed_step);
    return function_fail(function, "kernel", workspace->failed,
                         Py_BuildValue("(iNN)", status, step_number, given_arrays(workspace)));
}

/* A stretch without Python; the GIL is released when there is work to pay for that. */
static int run_stretch(Function *function, Workspace *workspace, Step step, int64_t work)
{
    bool release = (work > RELEASE_WORK || workspace->machine->device_count > 0) && !step.python;
    PyThreadState *released = release ? PyEval_SaveThread() : NULL;
    int status = run_range(workspace, step.begin, step.end);
    if (released != NULL)
        PyEval_RestoreThread(released);
    return status == 0 ? 0 : fail(function, workspace, status);
}

/* What was asked of devices is done as far as Python is to see it. */
static int settle(Function *function, Workspace *workspace)
{
    if (!workspace->expecting && !workspace->unchecked)
        return 0;
    int status;
    Py_BEGIN_ALLOW_THREADS
    status = settle_devices(workspace);
    Py_END_ALLOW_THREADS
    return status == 0 ? 0 : fail(function, workspace, status);
}

static int run_python(Function *function, Workspace *workspace, int index)
{
    const Instruction *instruction = &workspace->machine->instructions[index];
    int64_t start = workspace->timings == NULL ? 0 : clock_nanoseconds();
    if (settle(function, workspace) < 0)
        return -1;
    int failed = -1;
    switch (instruction->code) {
    case CALL: failed = run_call(function, workspace, &instruction->call, index); break;
    case RESIZE: failed = workspace_enter_segment(function, workspace, instruction->resize.segment); break;
    default: failed = run_keep(workspace, &instruction->copy);
    }
    if (workspace->timings != NULL)
        workspace->timings[index] += clock_nanoseconds() - start;
    return failed;
}

static int run_part(Function *function, Workspace *workspace, const Part *part);

static int run_side(Function *function, Workspace *workspace, const Branch *branch)
{
    const Part *side;
    int around = workspace->segment;
    PyThreadState *released = workspace->machine->device_count > 0 ? PyEval_SaveThread() : NULL; /* it may wait */
    int status = find_side(workspace, branch, &side);
    if (released != NULL)
        PyEval_RestoreThread(released);
    if (status == 0)
        status = workspace_enter_side(workspace, side->segment);
    if (status != 0)
        return fail(function, workspace, status);
    int failed = run_part(function, workspace, side);
    workspace->segment = around;
    return failed;
}

static int run_part(Function *function, Workspace *workspace, const Part *part)
{
    const Machine *machine = workspace->machine;
    for (int s = part->step_begin; s < part->step_end; s++) {
        Step step = machine->steps[s];
        const Instruction *instruction = &machine->instructions[step.begin];
        int failed;
        if (step.branch)
            failed = run_side(function, workspace, instruction->branch);
        else if (needs_python(machine, instruction))
            failed = run_python(function, workspace, step.begin);
        else
            failed = run_stretch(function, workspace, step, workspace->binding->step_work[s]);
        if (failed)
            return -1;
    }
    return 0;
}

int run_program(Function *function, Workspace *workspace)
{
    return run_part(function, workspace, &workspace->machine->whole) < 0 ? -1 : settle(function, workspace);
}
