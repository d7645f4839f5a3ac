/* Going through the instructions of a bound program. */
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

static int run_instruction(Workspace *workspace, int index)
{
    const Machine *machine = workspace->machine;
    const Instruction *instruction = &machine->instructions[index];
    const Binding *binding = workspace->binding;
    void **slots = workspace->slots;
    switch (instruction->code) {
    case LAUNCH:
        return instruction->launch.in_order
            ? run_in_order(workspace, &instruction->launch, &binding->plans[index])
            : run_launch(workspace, &instruction->launch, &binding->plans[index]);
    case ROUTINE:
        return routine_run(&instruction->routine, workspace, &binding->plans[index]);
    case COPY:
        memmove(slots[instruction->copy.target], slots[instruction->copy.source],
                (size_t)binding->bytes[instruction->copy.source]);
        return 0;
    case CALL:
        return run_call(workspace->function, workspace, &instruction->call, index) < 0 ? RAISED : 0;
    case LOOP:
        return run_loop(workspace, index);
    default:
        return -1;               /* a RESIZE is a step of its own */
    }
}

int run_range(Workspace *workspace, int begin, int end)
{
    const Instruction *instructions = workspace->machine->instructions;
    for (int i = begin; i < end; i++) {
        bool loop = instructions[i].code == LOOP;
        bool timed = workspace->timings != NULL && !loop; /* the instructions in a loop are timed each */
        int64_t start = timed ? clock_nanoseconds() : 0;
        int status = run_instruction(workspace, i);
        if (timed)
            workspace->timings[i] += clock_nanoseconds() - start;
        if (status != 0) {
            if (!loop)
                workspace->failed = i;
            return status;
        }
        if (loop)
            i = instructions[i].loop->end - 1;
    }
    return 0;
}

/* A stretch without Python; the GIL is released when there is work to pay for that. */
static int run_stretch(Function *function, Workspace *workspace, Step step, int64_t work)
{
    PyThreadState *released = work > RELEASE_WORK && !step.python ? PyEval_SaveThread() : NULL;
    int status = run_range(workspace, step.begin, step.end);
    if (released != NULL)
        PyEval_RestoreThread(released);
    if (status == 0)
        return 0;
    if (status == RAISED)
        return -1;
    PyObject *step_number = workspace->failed_step < 0 ? Py_NewRef(Py_None)
                                                       : PyLong_FromLongLong(workspace->failed_step);
    return function_fail(function, "kernel", workspace->failed,
                         Py_BuildValue("(iNN)", status, step_number, given_arrays(workspace)));
}

static int run_python(Function *function, Workspace *workspace, int index)
{
    const Instruction *instruction = &workspace->machine->instructions[index];
    int64_t start = workspace->timings == NULL ? 0 : clock_nanoseconds();
    int failed = instruction->code == CALL
        ? run_call(function, workspace, &instruction->call, index)
        : workspace_enter_segment(function, workspace, instruction->resize.segment);
    if (workspace->timings != NULL)
        workspace->timings[index] += clock_nanoseconds() - start;
    return failed;
}

int run_program(Function *function, Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    for (int s = 0; s < machine->step_count; s++) {
        Step step = machine->steps[s];
        enum Opcode code = machine->instructions[step.begin].code;
        int failed = code == CALL || code == RESIZE
            ? run_python(function, workspace, step.begin)
            : run_stretch(function, workspace, step, workspace->binding->step_work[s]);
        if (failed)
            return -1;
    }
    return 0;
}
