/* What a program asks of devices: launches, copies, and waiting for what comes back. */
#include "core.h"

static Device *device_at(const Machine *machine, int number)
{
    return number == 0 ? NULL : machine->devices[number - 1];
}

static int refused(Workspace *workspace, Status status)
{
    if (status == 0)
        return 0;
    workspace->error = status;
    return DRIVER_FAILED;
}

/* Before a storage is written in place nothing may have failed: it could not be undone. */
static int check_before(Workspace *workspace, bool commits)
{
    return commits && workspace->unchecked ? settle_devices(workspace) : 0;
}

int run_device_launch(Workspace *workspace, const Launch *launch, const LaunchPlan *plan)
{
    if (plan->units <= 0)
        return 0;
    int status = check_before(workspace, launch->commits);
    if (status != 0)
        return status;
    Device *device = device_at(workspace->machine, launch->device);
    void **next = workspace->parameters;
    for (int i = 0; i < launch->buffers.count; i++)
        *next++ = &workspace->slots[launch->buffers.items[i]];
    for (int i = 0; i < launch->sizes.count; i++)
        *next++ = &workspace->binding->given_sizes[launch->first_size + i];
    int *own = NULL;
    if (launch->status >= 0) {
        own = (int *)workspace->statuses[launch->device - 1]->data + launch->status;
        *next = &own;
        workspace->unchecked = true;
    }
    Status error = device_use(device);
    if (error == 0)
        error = driver.cuLaunchKernel(launch->handle, (unsigned)plan->units, 1, 1, (unsigned)launch->block, 1, 1,
                                      (unsigned)plan->scratch, device->stream, workspace->parameters, NULL);
    if (error == 0 && device->synchronous)
        error = driver.cuStreamSynchronize(device->stream);
    return refused(workspace, error);
}

int open_device_routine(Workspace *workspace, const Routine *routine)
{
    int status = check_before(workspace, routine->commits);
    return status != 0 ? status : refused(workspace, device_use(device_at(workspace->machine, routine->device)));
}

int run_copy(Workspace *workspace, int to, void *target, int from, const void *source, int64_t bytes)
{
    const Machine *machine = workspace->machine;
    if (to == 0 && from != 0 && bytes > 0) {
        Device *device = device_at(machine, from);
        Status error = device_use(device);
        workspace->expecting = true;
        if (error == 0)
            error = staging_download(device, &workspace->arrivals, target, (Address)(uintptr_t)source, bytes);
        return refused(workspace, error);
    }
    int status = from == 0 && workspace->expecting ? settle_devices(workspace) : 0; /* the source may be on its way */
    if (status != 0)
        return status;
    return refused(workspace, device_copy(device_at(machine, to), target, device_at(machine, from), source, bytes));
}

static int first_failed(const Workspace *workspace, int device)
{
    const Machine *machine = workspace->machine;
    for (int i = 0; i < machine->status_count; i++) {
        const Launch *launch = &machine->instructions[machine->status_of[i]].launch;
        if (launch->device == device && workspace->status_values[i] != 0)
            return machine->status_of[i];
    }
    return -1;
}

int settle_devices(Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    bool check = workspace->unchecked;
    workspace->expecting = workspace->unchecked = false;
    int failed = -1;
    for (int number = 1; number <= machine->device_count; number++) {
        Device *device = device_at(machine, number);
        Status error = 0;
        if (check)
            error = device_copy(NULL, workspace->status_values, device, workspace->statuses[number - 1]->data,
                                machine->status_count * (int64_t)sizeof(int));
        if (error == 0)
            error = device_wait(device);
        if (error != 0) {
            workspace->failed = -1; /* any of those that were waited for */
            return refused(workspace, error);
        }
        int own = check ? first_failed(workspace, number) : -1;
        failed = own >= 0 && (failed < 0 || own < failed) ? own : failed;
    }
    arrivals_end(&workspace->arrivals, true);
    if (failed < 0)
        return 0;
    workspace->failed = failed;
    workspace->late = true;
    return workspace->status_values[machine->instructions[failed].launch.status];
}

/* What a loop reads and writes itself, wherever it is. */

int read_truth(Workspace *workspace, int number, bool *truth)
{
    int device = workspace->machine->buffers[number].device;
    *truth = false;
    int status = run_copy(workspace, 0, truth, device, workspace->slots[number], sizeof(bool));
    return status != 0 || device == 0 ? status : settle_devices(workspace);
}

int fill_words(Workspace *workspace, int number, int64_t value)
{
    Device *device = device_at(workspace->machine, workspace->machine->buffers[number].device);
    void *slot = workspace->slots[number];
    if (device == NULL) {
        memcpy(slot, &value, sizeof(value));
        return 0;
    }
    Status error = device_use(device);
    for (int half = 0; half < 2 && error == 0; half++) /* not a copy: `value` is gone before the device gets to it */
        error = driver.cuMemsetD32Async((Address)(uintptr_t)slot + 4 * half, (unsigned)(value >> 32 * half), 1,
                                        device->stream);
    return refused(workspace, error);
}

int fill_zero(Workspace *workspace, int number, int64_t offset, int64_t bytes)
{
    Device *device = device_at(workspace->machine, workspace->machine->buffers[number].device);
    char *start = (char *)workspace->slots[number] + offset;
    if (device == NULL) {
        memset(start, 0, (size_t)bytes);
        return 0;
    }
    Status error = device_use(device);
    if (error == 0 && bytes > 0)
        error = driver.cuMemsetD8Async((Address)(uintptr_t)start, 0, (size_t)bytes, device->stream);
    return refused(workspace, error);
}

/* The time of an instruction that is queued: it alone is waited for, between two events. */
int64_t device_time(Workspace *workspace, int number, bool after)
{
    Device *device = device_at(workspace->machine, number);
    float milliseconds = 0;
    if (device_use(device) != 0)
        return 0;
    if (workspace->timer[after] == NULL && driver.cuEventCreate(&workspace->timer[after], 0) != 0)
        return 0;
    if (driver.cuEventRecord(workspace->timer[after], device->stream) != 0 || !after)
        return 0;
    if (driver.cuEventSynchronize(workspace->timer[1]) == 0)
        driver.cuEventElapsedTime(&milliseconds, workspace->timer[0], workspace->timer[1]);
    return (int64_t)(milliseconds * 1e6f);
}

/* Statuses are zero when a call starts. */
static int clear_statuses(Function *function, Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    int64_t bytes = machine->status_count * (int64_t)sizeof(int);
    for (int number = 1; number <= machine->device_count; number++) {
        Device *device = device_at(machine, number);
        Block **block = &workspace->statuses[number - 1];
        if (*block == NULL)
            *block = block_new(device, bytes);
        if (*block == NULL) {
            PyErr_Clear();
            return function_fail(function, "memory", number, PyLong_FromLongLong(bytes));
        }
        Status error = device_use(device);
        if (error == 0)
            error = driver.cuMemsetD32Async((Address)(uintptr_t)(*block)->data, 0, machine->status_count,
                                            device->stream);
        if (error != 0)
            return device_raise(device, error, "a call began");
    }
    return 0;
}

int open_devices(Function *function, Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    workspace->expecting = workspace->unchecked = workspace->late = false;
    if (machine->device_count == 0)
        return 0;
    Status error = device_enter(machine->devices[0]);
    if (error != 0)
        return device_raise(machine->devices[0], error, "a call began");
    if (machine->status_count > 0 && clear_statuses(function, workspace) < 0) {
        device_leave();
        return -1;
    }
    return 0;
}

void close_devices(Workspace *workspace)
{
    const Machine *machine = workspace->machine;
    for (int number = 1; workspace->expecting && number <= machine->device_count; number++)
        device_wait(device_at(machine, number)); /* a call that failed: nothing may still come to its arrays */
    arrivals_end(&workspace->arrivals, false);
    if (machine->device_count > 0)
        device_leave();
}
