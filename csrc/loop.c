/* Loops: instructions run once for each step, over buffers that move from step to step. */
#include "core.h"

#include <time.h>

#define BETWEEN_CHECKS 20000000  /* nanoseconds between looks for a signal such as Ctrl-C */

static int64_t clock_nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* When to look for signals: after so many steps, so that it costs nothing beside them. */
typedef struct {
    int64_t steps, left, last;
} Watch;

static int look_for_signals(void)
{
    PyGILState_STATE state = PyGILState_Ensure();
    int failed = PyErr_CheckSignals();
    PyGILState_Release(state);
    return failed ? RAISED : 0;
}

static int watch(Watch *watch)
{
    if (--watch->left > 0)
        return 0;
    int64_t now = clock_nanoseconds(), passed = now - watch->last;
    if (passed < BETWEEN_CHECKS / 2 && watch->steps < INT32_MAX)
        watch->steps *= 2;
    else if (passed > BETWEEN_CHECKS && watch->steps > 1)
        watch->steps /= 2;
    watch->left = watch->steps;
    watch->last = now;
    return look_for_signals();
}

static void refresh_aliases(Workspace *workspace, const Loop *loop)
{
    for (int i = 0; i < loop->aliases.count; i++) {
        int number = loop->aliases.items[i];
        workspace->slots[number] = workspace->slots[workspace->machine->buffers[number].root];
    }
}

static void begin(Workspace *workspace, const Loop *loop, int64_t steps)
{
    void **slots = workspace->slots;
    const int64_t *bytes = workspace->binding->bytes;
    for (int i = 0; i < loop->carry_count; i++)
        slots[loop->carries[i].own] = slots[loop->carries[i].first];
    int64_t start = loop->backwards && steps > 0 ? steps - 1 : 0;
    for (int i = 0; i < loop->row_count; i++) {
        LoopRow row = loop->rows[i];
        slots[row.own] = (char *)slots[row.source] + start * bytes[row.own];
    }
    refresh_aliases(workspace, loop);
}

/* What a step made becomes what the next one is given; then the memory of new values takes turns. */
static void advance(Workspace *workspace, const Loop *loop)
{
    void **slots = workspace->slots, **made = workspace->made;
    const int64_t *bytes = workspace->binding->bytes;
    for (int i = 0; i < loop->carry_count; i++)
        made[i] = slots[loop->carries[i].new];
    for (int i = 0; i < loop->carry_count; i++) {
        const LoopCarry *carry = &loop->carries[i];
        slots[carry->own] = made[i];
        for (int spare = 0, place = carry->new; spare < carry->spares.count; place = carry->spares.items[spare++]) {
            void *next = slots[carry->spares.items[spare]];
            slots[carry->spares.items[spare]] = slots[place];
            slots[place] = next;
        }
    }
    for (int i = 0; i < loop->row_count; i++) {
        int64_t size = bytes[loop->rows[i].own];
        slots[loop->rows[i].own] = (char *)slots[loop->rows[i].own] + (loop->backwards ? -size : size);
    }
    refresh_aliases(workspace, loop);
}

/* The last carried values, the number of steps done, and zeros in rows that no step has made. */
static int finish(Workspace *workspace, const Loop *loop, int64_t steps, int64_t done)
{
    const int64_t *bytes = workspace->binding->bytes;
    for (int i = 0; i < loop->carry_count; i++) {
        const LoopCarry *carry = &loop->carries[i];
        int status = carry->final == carry->own ? 0 : copy_buffer(workspace, carry->final, carry->own);
        if (status != 0)
            return status;
    }
    for (int i = 0; i < loop->count.count; i++) {
        int status = fill_words(workspace, loop->count.items[i], done);
        if (status != 0)
            return status;
    }
    for (int i = 0; i < loop->row_count && done < steps; i++) {
        LoopRow row = loop->rows[i];
        int64_t size = bytes[row.own];
        int status = row.written ? fill_zero(workspace, row.source, done * size, (steps - done) * size) : 0;
        if (status != 0)
            return status;
    }
    return 0;
}

int run_loop(Workspace *workspace, int index)
{
    const Loop *loop = workspace->machine->instructions[index].loop;
    int64_t steps = workspace->binding->sizes[loop->steps], done = 0;
    Watch signals = {1, 1, clock_nanoseconds()};
    begin(workspace, loop, steps);
    bool stop = false;
    while (done < steps && !stop) {
        int status = run_range(workspace, index + 1, loop->end);
        if (status == 0)
            status = watch(&signals);
        if (status != 0) {
            if (workspace->failed_step < 0)
                workspace->failed_step = loop->backwards ? steps - 1 - done : done;
            return status;
        }
        status = loop->stop.count > 0 ? read_truth(workspace, loop->stop.items[0], &stop) : 0;
        if (status != 0)
            return status;
        done++;
        advance(workspace, loop);
    }
    return finish(workspace, loop, steps, done);
}

/* Launches whose rounds run in order: in stretches, so that signals are looked for between them. */

#define SHORTEST 64              /* rounds of the first stretch, if there are so many */
#define STRETCH_WORK 1000000     /* elements of work of the first stretch */
#define NO_MORE (-1)             /* the status of a kernel that wants no more rounds */

int run_in_order(Workspace *workspace, const Launch *launch, const LaunchPlan *plan)
{
    const Binding *binding = workspace->binding;
    int64_t *bounds = binding->given_sizes + launch->first_size + launch->sizes.count - 2;
    int64_t rounds = bounds[1], work = binding->sizes[launch->work], last = clock_nanoseconds();
    int64_t stretch = multiply_saturating(rounds, STRETCH_WORK) / (work > 0 ? work : 1);
    int status = 0;
    for (int64_t from = 0; status == 0 && (from < rounds || from == 0); from = bounds[1]) {
        stretch = stretch < SHORTEST ? SHORTEST : stretch;
        bounds[0] = from;
        bounds[1] = stretch < rounds - from ? from + stretch : rounds;
        status = run_launch(workspace, launch, plan);
        if (status != 0 || bounds[1] >= rounds)
            break;
        int64_t now = clock_nanoseconds(), passed = now - last;
        if (passed < BETWEEN_CHECKS / 2)
            stretch = multiply_saturating(stretch, 2);
        else if (passed > BETWEEN_CHECKS)
            stretch /= 2;
        last = now;
        status = look_for_signals();
    }
    bounds[0] = 0;
    bounds[1] = rounds;
    return status == NO_MORE ? 0 : status;
}

/* Whether what a loop goes through is as long as it says. */
bool loop_fits(const Machine *machine, const Loop *loop, const Binding *binding)
{
    const int64_t *bytes = binding->bytes;
    int64_t steps = binding->sizes[loop->steps];
    for (int i = 0; i < loop->row_count; i++)
        if (steps > 0 && multiply_saturating(steps, bytes[loop->rows[i].own]) > bytes[loop->rows[i].source])
            return false;
    for (int i = 0; i < loop->carry_count; i++) {
        const LoopCarry *carry = &loop->carries[i];
        int64_t size = bytes[carry->own];
        if (bytes[carry->first] != size || bytes[carry->new] != size || bytes[carry->final] != size)
            return false;
        for (int j = 0; j < carry->spares.count; j++)
            if (bytes[carry->spares.items[j]] != size)
                return false;
    }
    for (int i = 0; i < loop->count.count; i++)
        if (bytes[loop->count.items[i]] != (int64_t)sizeof(int64_t))
            return false;
    return loop->stop.count == 0 || bytes[loop->stop.items[0]] == machine->buffers[loop->stop.items[0]].type.itemsize;
}
