/* The C runtime of symtensor: the virtual machine that runs a Program (symtensor/lower/program.py).
 *
 * Machine    a Program decoded and validated once, constant from then on          reader.c decode.c
 *                                                                                 decode_instructions.c segments.c
 *                                                                                 analyse.c check.c machine.c
 * Binding    what one tuple of root sizes fixes: sizes, arena offsets, threads    bind.c layout.c
 * Workspace  what one call in flight owns: arenas, pointers, references           workspace.c
 * Function   the Python callable: arguments, results, updates, a pool of          function.c argument.c result.c
 *            workspaces
 * Storage    the array of a shared variable, with the lock of its writers         storage.c
 * Device     memory and queued work of a device, and arrays that are there        device.c staging.c queue.c value.c
 *                                                                                 dlpack.c
 *
 * run.c goes through the instructions, branches among them, loop.c through the steps of loops; call.c calls Python;
 * parallel.c spreads chunks over threads; pool.c holds memory freed all at once.
 *
 * routines.c has the table of routines: of libraries, whose functions libraries.c finds (gemm.c, convolution.c,
 * convolution_dnnl.c, linear.c, lu.c, spectra.c; device_gemm.c and device_convolution.c on devices), and of our own
 * (small.c, sparse.c, cumulate.c; sort.c, select.c and search.c, on the keys of keys.c, radix.c and network.c).
 *
 * Functions that return int return 0, or -1 with a Python exception set, unless a comment says otherwise.
 */
#ifndef SYMTENSOR_CORE_H
#define SYMTENSOR_CORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#define NPY_NO_DEPRECATED_API NPY_1_7_API_VERSION
#define PY_ARRAY_UNIQUE_SYMBOL symtensor_numpy_api
#ifndef SYMTENSOR_MODULE
#define NO_IMPORT_ARRAY
#endif
#include <numpy/arrayobject.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"

#define ALIGNMENT 64             /* of arenas, the buffers in them, and scratch */
#define DEVICE_ALIGNMENT 256     /* of arenas on devices, and the buffers in them */
#define BINDINGS 8               /* remembered by each workspace */
#define RELEASE_WORK 20000       /* elements of work from which the GIL is released */
#define PARALLEL_WORK 20000      /* elements of work from which a launch may use more than one thread */
#define THREAD_WORK 10000        /* elements of work each thread should have at least */

/* Memory freed all at once. */

typedef struct {
    struct Chunk *chunks;
    char *next;
    size_t left;
} Pool;

void *pool_take(Pool *pool, size_t count, size_t size); /* zeroed; NULL with MemoryError set */
void pool_free(Pool *pool);

/* The program. */

typedef int (*Kernel)(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch);

typedef struct {
    int count;
    int *items;
} Numbers;

enum SizeCode {
    CODE_CONSTANT, CODE_INPUT_DIM, CODE_SHARED_DIM, CODE_INPUT_VALUE, CODE_SHARED_VALUE, CODE_DATA_VALUE,
    CODE_DATA_DIM, CODE_ADD, CODE_MUL, CODE_FLOORDIV, CODE_MOD, CODE_MIN, CODE_MAX, SIZE_CODES
};

typedef struct {
    int code;
    int64_t a, b;
} SizeEntry;

typedef struct {
    int size;                    /* its number in the table, or -1 for a dimension that is only watched */
    SizeEntry entry;
} Root;

enum Compare { COMPARE_EQUAL, COMPARE_LESS_EQUAL };

typedef struct {
    int left, right;
    enum Compare compare;
    int segment;                 /* the one that makes both known */
} Check;

#define BFLOAT 'B'               /* bfloat16, which NumPy knows as a dtype of users of kind V */

typedef struct {
    PyArray_Descr *descr;        /* owned by the machine */
    char kind;                   /* NumPy's letter, b i u f c, or BFLOAT */
    int itemsize;
    int ndim;
} Type;

enum BufferKind {
    BUFFER_INPUT, BUFFER_SHARED, BUFFER_CONSTANT, BUFFER_ARENA, BUFFER_OUTPUT, BUFFER_DYNAMIC, BUFFER_ALIAS,
    BUFFER_MOVING, BUFFER_KINDS
};

typedef struct {
    enum BufferKind kind;
    int source;
    int device;                  /* 0: the processor, n: Machine.devices[n - 1] */
    int root;                    /* the buffer whose memory this is: itself unless an ALIAS */
    Type type;
    int *shape;
    int first, last;             /* of the instructions that need it; -1 where that is no matter */
    int segment;                 /* the segment from which its shape is known */
    bool told;                   /* what a routine tells on the processor: it never comes from a device */
} Buffer;

enum Opcode { LAUNCH, ROUTINE, COPY, CALL, RESIZE, LOOP, BRANCH, OPCODES };

typedef struct {
    Kernel kernel;               /* of a processor, or */
    void *handle;                /* that of a device */
    Numbers buffers, sizes;
    int units, work, scratch;
    int first_size;              /* where its size arguments begin in Binding.given_sizes */
    bool in_order;               /* its last two sizes are rounds, and may be divided into stretches */
    int device;
    int block;                   /* threads of a block on a device */
    int status;                  /* which of its device's statuses it writes; -1 if it cannot fail */
    bool commits;                /* writes a storage in place */
} Launch;

typedef struct RoutineKind RoutineKind;

typedef struct {
    const RoutineKind *kind;
    Numbers inputs, outputs, sizes, flags;
    const Type *types;           /* of its inputs, then of its outputs */
    int work, scratch;
    int first_size;              /* as for a Launch */
    int device;                  /* that of its buffers; 0 for the processor */
    bool commits;                /* as for a Launch */
} Routine;

typedef struct {
    int source, target;
} Copy;

typedef struct {
    PyObject *callable;          /* borrowed from Machine.callables */
    Numbers inputs, outputs;
} Call;

typedef struct {
    Numbers sizes;               /* the roots read here */
    int segment;
} Resize;

/* In step t, `own` is row t of `source`. */
typedef struct {
    int own, source;
    bool written;
} LoopRow;

/* `own` is `first` in the first step, then what the step before left in `new`. The memory of `new` takes turns with
 * that of `spares`. The last value is copied to `final`, if that is not `own` itself. */
typedef struct {
    int own, first, new, final;
    Numbers spares;
} LoopCarry;

typedef struct {
    int end;                     /* its steps are the instructions after it, up to this one */
    int steps;                   /* a size */
    bool backwards;
    bool python;                 /* its steps call Python */
    int row_count, carry_count;
    LoopRow *rows;
    LoopCarry *carries;
    Numbers stop, count;         /* at most one buffer each: a bool that ends the loop; the number of steps done */
    Numbers aliases;             /* of what moves */
} Loop;

/* The instructions that run one after the other: of the whole program, or of one side of a branch. */
typedef struct {
    int begin, end;
    int step_begin, step_end;
    int segment;                 /* the one that starts with it */
} Part;

typedef struct {
    int condition;
    Part sides[2];               /* if it holds, and if not */
    Numbers checks[2];           /* those that concern a side alone */
    Numbers outputs;
} Branch;

typedef struct {
    enum Opcode code;
    union {
        Launch launch;
        Routine routine;
        Copy copy;
        Call call;
        Resize resize;
        Loop *loop;
        Branch *branch;
    };
} Instruction;

/* A stretch of instructions that needs no Python, a loop that calls Python, a BRANCH that chooses among steps, or a
 * single instruction for which Python is needed. */
typedef struct {
    int begin, end;
    bool python, branch;
} Step;

/* What becomes known at one moment: sizes, and what follows from them. The first segment starts with the call, each
 * other one at a Resize or with one side of a branch. It is in force to the end of the part it stands in; all that
 * start meanwhile are numbered after it. */
typedef struct {
    int parent;                  /* the one in force where it starts; -1 for the first */
    int depth;                   /* how many are in force then: segments of one depth, never alive at once, share memory */
    bool side;                   /* starts with a side of a branch */
    int inner_end;               /* those numbered after it, up to this one, start while it is in force */
    int begin, end;              /* the instructions up to the next Resize, or the end of the part */
    int root_begin, root_end;
    int step_begin, step_end;
    Numbers sizes;               /* all but the roots */
    Numbers checks;
    Numbers buffers;             /* all whose shape becomes known here */
    Numbers events;              /* the lives of its ARENA buffers in time order: b starts, ~b has ended */
    Numbers arena;               /* ARENA buffers */
    Numbers arena_aliases;       /* aliases of those */
    Numbers outputs;             /* OUTPUT buffers */
    Numbers call_aliases;        /* aliases of memory that differs from call to call */
} Segment;

enum ResultMode { RESULT_OWN, RESULT_DYNAMIC, RESULT_COPY };

typedef struct {
    int buffer;
    enum ResultMode mode;
    bool moved;                  /* its array becomes a storage's */
} Result;

typedef struct {
    int result, storage;
    bool copy;                   /* the result's array goes elsewhere too: the storage gets a copy */
} Update;

enum Access { ACCESS_READ, ACCESS_REPLACE, ACCESS_MODIFY };

typedef struct Storage Storage;

typedef struct {
    PyObject_HEAD
    Pool pool;
    PyObject *constants, *storages, *callables; /* tuples */
    PyObject *names;             /* of the arguments, a tuple of interned strings */
    int argument_count, storage_count, constant_count, size_count, root_count, watched_count, check_count;
    int buffer_count, instruction_count, result_count, update_count, written_count, returned, segment_count;
    int step_count, given_size_count, pointer_count, arena_count, most_carries, depth_count, device_count, status_count;
    Device **devices;            /* owned */
    int *status_of;              /* the instruction that writes each status */
    Type *arguments, *storage_types;
    enum Access *access;         /* of each storage */
    int *storage_order;          /* storages by address: the order in which locks are taken */
    int *storage_places;         /* the device of each, 0 for the processor */
    int *argument_places;        /* the same of arguments */
    bool locks;                  /* some storage is written */
    SizeEntry *sizes;
    int *size_segments;          /* from which each size is known */
    Root *roots, *watched;
    Check *checks;
    Buffer *buffers;
    Instruction *instructions;
    Part whole;
    Segment *segments;
    Step *steps;
    Result *results;
    Update *updates;
    Numbers inputs, shared, constant_buffers, dynamic, dynamic_aliases; /* buffers */
} Machine;

extern PyTypeObject MachineType;

int decode_program(Machine *machine, PyObject *program, PyObject *addresses);
int unsound_item(const char *what, int index, const char *problem); /* sets ValueError; returns -1 */
/* The items of 0..count that belong to a segment. */
int collect(Machine *machine, Numbers *list, int count, bool (*belongs)(const Machine *, int, int), int segment);
int find_segments(Machine *machine);
int list_steps(Machine *machine);
/* Whether what a segment makes known is known while another is in force. */
bool segment_holds(const Machine *machine, int segment, int current);
bool needs_python(const Machine *machine, const Instruction *instruction);
/* The end of what begins with an instruction: of a loop's or a branch's, or of itself. */
int instruction_end(const Machine *machine, int index);
int analyse_program(Machine *machine);
int check_instructions(const Machine *machine);
Type type_of(PyArray_Descr *descr, int ndim); /* borrows it */
bool types_equal(const Type *left, const Type *right);
bool type_matches(const Type *type, PyArrayObject *array); /* dtype and rank */
int64_t read_integer(const Type *type, const void *data);

/* Bindings. */

typedef struct {
    int64_t units;
    int64_t scratch;             /* bytes for each thread */
    int threads;
} LaunchPlan;

typedef struct {
    Pool pool;
    bool *bound;                 /* the segments that hold good */
    int64_t *key, *sizes;
    int64_t *bytes, *offsets;    /* of each buffer */
    int64_t *given_sizes;        /* those that launches and routines are given */
    int64_t *step_work;
    int64_t *arena_bytes;        /* of each segment, for the processor and each device */
    int64_t scratch_bytes;
    LaunchPlan *plans;           /* of each instruction */
} Binding;

typedef struct Function Function;
typedef struct Layout Layout;

Binding *binding_new(const Machine *machine);
void binding_free(Binding *binding);
/* Everything about a segment that follows from its roots, which are in binding->sizes already. */
int bind_segment(Function *function, Binding *binding, Layout *layout, int segment);

/* The packing of arenas; a Layout is the space this works in. */
Layout *layout_new(const Machine *machine);
void layout_free(Layout *layout);
/* The bytes of a segment's arena on the processor or a device. */
static inline int64_t *arena_bytes(const Machine *machine, Binding *binding, int segment, int device)
{
    return &binding->arena_bytes[segment * (machine->device_count + 1) + device];
}

/* Offsets for the segment's ARENA buffers. Returns -1, or the number of a buffer that no longer fits in int64. */
int layout_segment(Layout *layout, const Machine *machine, Binding *binding, int segment);

/* Workspaces. */

typedef struct {
    PyObject_HEAD
    int64_t bytes;
    void *data;
    Device *device;              /* NULL for the processor */
    PyObject *owner;             /* who keeps the memory alive, if it is another library's */
} Block;

extern PyTypeObject BlockType;

Block *block_new(Device *device, int64_t bytes); /* NULL with MemoryError set */
Block *block_over(Device *device, PyObject *owner, void *data);

typedef struct {
    PyObject_VAR_HEAD
    PyObject *weak_references;
    Block *memory;
    void *data;
    Type type;
    npy_intp shape[];
} DeviceArray;

extern PyTypeObject DeviceArrayType;

/* Values: arrays of NumPy, or DeviceArrays. */
Device *value_device(const PyObject *value);  /* NULL for the processor */
void *value_data(const PyObject *value);
const npy_intp *value_shape(const PyObject *value);
int64_t value_bytes(const PyObject *value);
bool value_is_of(const Type *type, const PyObject *value); /* dtype and rank */
PyObject *value_new(Device *device, const Type *type, const npy_intp *shape);
PyObject *value_copy(Device *device, PyObject *value); /* waits, with the GIL, for what comes to the processor */
bool value_is_exclusive(PyObject *value);

typedef union {
    int8_t int8;
    int16_t int16;
    int32_t int32;
    int64_t int64;
    float floats[2];
    double doubles[2];
} Scalar;

typedef struct Workspace {
    struct Workspace *next;
    Pool pool;
    const Machine *machine;
    Layout *layout;
    Binding *bindings[BINDINGS]; /* the one used last first */
    int binding_count;
    Binding *binding;            /* of the call in flight */
    Block **arenas;              /* of the segments of each depth, for the processor and each device */
    int *oversized;              /* times in a row that far less than the arena was needed */
    const Binding **placed;      /* of each segment: the binding whose offsets the slots hold */
    Block *scratch;
    void **slots;                /* of each buffer */
    void **pointers;             /* those of the launch being run */
    void **made;                 /* what the step of a loop made of its carried values */
    int64_t *key;
    int64_t *timings;            /* of each instruction in this call; NULL unless profiling */
    int64_t *timing_space;
    int segment;                 /* the one entered last */
    PyObject **constants;        /* those on devices, by buffer; owned */
    Block **statuses;            /* of each device: what its kernels that can fail write */
    int *status_values;          /* the same on the processor */
    void **parameters;           /* of the kernel of a device being launched */
    Arrivals arrivals;           /* what is copied to the processor */
    bool expecting;              /* something a device copies to the processor may not be there yet */
    bool unchecked;              /* a kernel that can fail was launched, and its status not looked at */
    bool late;                   /* a failure was found after its step of a loop, which is not known then */
    void *timer[2];              /* events around an instruction of a device */
    Status error;                /* of the driver */
    int failed;                  /* the instruction that failed */
    int64_t failed_step;         /* in which step of a loop; -1 outside of loops */
    struct Function *function;   /* whose call is in flight */
    PyObject **arguments;        /* borrowed from the caller; NULL for a scalar */
    PyObject **brought;          /* those brought to a device; owned */
    void **argument_data;
    Scalar *scalars;
    PyObject *converted;         /* what `convert` returned */
    PyArrayObject **dynamic;     /* owned, as those below */
    PyObject **shared, **results, **updates;
} Workspace;

Workspace *workspace_take(Function *function);
void workspace_give(Function *function, Workspace *workspace);
void workspace_free(Function *function, Workspace *workspace);
int workspace_bind(Function *function, Workspace *workspace);
int workspace_enter_segment(Function *function, Workspace *workspace, int segment);
/* Have the sizes and the memory of a side of a branch: a status. Also without the GIL. */
int workspace_enter_side(Workspace *workspace, int segment);

/* Storages. */

struct Storage {
    PyObject_HEAD
    PyObject *value;             /* an array of NumPy, or one on a device */
    PyObject *mirror;            /* the same elsewhere, or NULL */
    PyThread_type_lock lock;     /* held by the call that writes */
    unsigned long owner;         /* the thread of that call, 0 when none */
    bool modified_in_place;      /* by that call */
};

extern PyTypeObject StorageType;

int storages_acquire(Function *function, Workspace *workspace);
void storages_release(const Machine *machine);


/* The callable. */

typedef struct {
    PyArrayObject *arrays[2];    /* the newest first; of NumPy, since devices recycle memory themselves */
} Recycler;

struct Function {
    PyObject_HEAD
    vectorcallfunc vectorcall;
    Machine *machine;
    PyObject *convert, *fail, *wrap;
    Workspace *idle;
    Recycler *recyclers;         /* one for each result, then one for each update */
    int64_t *timings;
    int64_t call_count, bind_count, workspace_bytes;
    bool single;                 /* wrap is "single" */
    bool recycle, profile;
};

extern PyTypeObject FunctionType;

/* Call `fail`, which raises; steals `data`, where NULL stands for None. Returns -1. */
int function_fail(Function *function, const char *kind, int64_t number, PyObject *data);

/* Bring arguments to the devices where they are wanted. */
int arguments_bring(Function *function, Workspace *workspace);
int arguments_read(Function *function, Workspace *workspace, PyObject *const *args, Py_ssize_t count,
                   PyObject *keywords);
/* An array for the result in buffer `number`, one handed out before if `recycler` has one nobody holds any more. */
PyObject *result_array(Function *function, const Binding *binding, int recycler, int number);
PyObject *results_finish(Function *function, Workspace *workspace);
void recyclers_clear(Function *function);
void buffer_shape(const Binding *binding, const Buffer *buffer, npy_intp *shape);
bool shape_matches(const Binding *binding, const Buffer *buffer, const npy_intp *shape);

/* Running. */

int run_program(Function *function, Workspace *workspace);
#define RAISED INT_MIN           /* the status of what has set a Python exception */
#define DRIVER_FAILED (INT_MIN + 1) /* that of what the driver refused, with Workspace.error */
/* Instructions begin..end, none of them RESIZE: a status, zero for success. Without the GIL if none needs Python. */
int run_range(Workspace *workspace, int begin, int end);
int run_loop(Workspace *workspace, int index);
int run_launch(Workspace *workspace, const Launch *launch, const LaunchPlan *plan);
int run_in_order(Workspace *workspace, const Launch *launch, const LaunchPlan *plan);
/* Devices: a launch; a copy between buffers, and between any places; what was asked of devices is done, their kernels did
 * not fail and what they copy to the processor is there. Each returns a status. */
/* Before a routine queues work on its device. */
int open_device_routine(Workspace *workspace, const Routine *routine);
int run_device_launch(Workspace *workspace, const Launch *launch, const LaunchPlan *plan);
int copy_buffer(Workspace *workspace, int target, int source);
int run_copy(Workspace *workspace, int to, void *target, int from, const void *source, int64_t bytes);
int settle_devices(Workspace *workspace);
/* A bool in a buffer, for which a device is waited for; an int64 to a buffer; zeros to a part of one. */
int read_truth(Workspace *workspace, int number, bool *truth);
int fill_words(Workspace *workspace, int number, int64_t value);
int fill_zero(Workspace *workspace, int number, int64_t offset, int64_t bytes);
/* Before and after an instruction whose time is taken. */
int64_t device_time(Workspace *workspace, int device, bool after);
int open_devices(Function *function, Workspace *workspace); /* at the start of a call */
void close_devices(Workspace *workspace);
bool loop_fits(const Machine *machine, const Loop *loop, const Binding *binding);
/* What the call was given: an array for each argument and each storage, a tuple. */
PyObject *given_arrays(const Workspace *workspace);
int run_call(Function *function, Workspace *workspace, const Call *call, int index);
/* Have a DYNAMIC buffer hold the value of another. */
int run_keep(Workspace *workspace, const Copy *copy);

/* Work on several threads: a status, zero for success. */
int parallel_for(Kernel kernel, void *const *buffers, const int64_t *sizes, int64_t units, int threads,
                 char *scratch, int64_t scratch_bytes);
int threads_for(int64_t work, int64_t units);
int threads_get(void);
void threads_set(int threads);
/* Have a library that uses OpenMP keep to so many threads; returns what to give back afterwards. */
int threads_lend(int threads);
void threads_take_back(int before, int threads);
void threads_prepare_for_forks(void);

/* Routines of libraries. */
int routine_device_of(const Routine *routine, int number); /* where a buffer is: its inputs, then its outputs */
bool routine_fits(const Routine *routine, const Binding *binding, const LaunchPlan *plan);
int routine_run(const Routine *routine, Workspace *workspace, const LaunchPlan *plan); /* a status, zero for success */
PyObject *routines_describe(void);
int library_set(const char *name, void *address);

static inline int64_t add_saturating(int64_t a, int64_t b)
{
    int64_t sum;
    return __builtin_add_overflow(a, b, &sum) ? (a < 0 ? INT64_MIN : INT64_MAX) : sum;
}

static inline int64_t multiply_saturating(int64_t a, int64_t b)
{
    int64_t product;
    return __builtin_mul_overflow(a, b, &product) ? ((a < 0) != (b < 0) ? INT64_MIN : INT64_MAX) : product;
}

#endif
