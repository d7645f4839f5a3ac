/* Convolutions by cuDNN: queued on the device's stream. Needs no header of cuDNN.
 *
 * cuDNN is asked once for each convolution which algorithms it has. Those that are wanted are kept, the fastest first,
 * with the descriptors. What it has none for, it does not do: then our kernels do it, or it is an error.
 */
#include "convolution.h"

#include <limits.h>

#define KEPT 128                 /* convolutions */
#define CHOICES 16               /* algorithms for one */
#define MOST_AXES (SPATIAL_AXES + 2)

typedef int DnnStatus;           /* cudnnStatus_t: zero for success */
enum { NOT_SUPPORTED = 3000 };
enum { OF_FLOAT, OF_DOUBLE, OF_HALF, OF_BFLOAT = 9 }; /* cudnnDataType_t */
enum { CHANNELS_IN_FRONT, CHANNELS_LAST };            /* cudnnTensorFormat_t */
enum { CROSS_CORRELATION = 1 };                       /* cudnnConvolutionMode_t */
enum { DEFAULT_MATH, TENSOR_MATH, ROUNDING_MATH, EXACT_MATH }; /* cudnnMathType_t */
enum { DETERMINISTIC = 1 };                           /* cudnnDeterminism_t */

typedef struct {                 /* cudnnConvolutionFwdAlgoPerf_t, and those of gradients */
    int algorithm;
    DnnStatus status;
    float time;
    size_t bytes;
    int determinism, math, reserved[3];
} Proposal;

typedef DnnStatus (*Create)(void **made);
typedef DnnStatus (*Destroy)(void *descriptor);
typedef DnnStatus (*SetStream)(void *handle, void *stream);
typedef DnnStatus (*SetTensor)(void *descriptor, int type, int axes, const int *sizes, const int *strides);
typedef DnnStatus (*SetFilters)(void *descriptor, int type, int format, int axes, const int *sizes);
typedef DnnStatus (*SetConvolution)(void *descriptor, int axes, const int *low, const int *strides, const int *dilation,
                                    int mode, int type);
typedef DnnStatus (*SetNumber)(void *descriptor, int number);
typedef DnnStatus (*Propose)(void *handle, const void *first, const void *second, const void *convolution,
                             const void *result, int wanted, int *found, Proposal *proposals);
typedef DnnStatus (*Convolve)(void *handle, const void *alpha, const void *first, const void *first_data,
                              const void *second, const void *second_data, const void *convolution, int algorithm,
                              void *scratch, size_t scratch_bytes, const void *beta, const void *result,
                              void *result_data);

/* What is computed, and by which algorithms it may be. No bytes between, so that two are compared as they lie. */
typedef struct {
    Convolution convolution;
    Device *device;
    int64_t type;
    int64_t any_order, rounding; /* sums whose bits differ from run to run; operands of float32 rounded to TF32 */
    int64_t most_bytes;          /* for the work */
} Wanted;

typedef struct {
    Wanted wanted;
    void *factors[3], *convolution; /* descriptors */
    int count, used;             /* choices, and the one that was used last; -1 for none */
    Proposal choices[CHOICES];
} Prepared;

enum { OF, FILTERS_LAST, ANY_ORDER, ROUNDING, MEGABYTES };

static Prepared *prepared[KEPT];
static int next_place;

/* Whether the status says that this is not done, and not that something went wrong. */
static bool is_refusal(DnnStatus status)
{
    enum { ARCHITECTURE_8 = 6, NOT_SUPPORTED_8 = 9, PREREQUISITE_8 = 11, NO_MEMORY_8 = 2, NO_MEMORY = 4003,
           NO_DEVICE_MEMORY = 4004 }; /* before version 9 they had other numbers */
    return status / 1000 * 1000 == NOT_SUPPORTED || status == NO_MEMORY || status == NO_DEVICE_MEMORY
        || status == ARCHITECTURE_8 || status == NOT_SUPPORTED_8 || status == PREREQUISITE_8 || status == NO_MEMORY_8;
}

static bool is_one(const Axis *axis)
{
    return axis->image == 1 && axis->kernel == 1 && axis->output == 1 && axis->low == 0;
}

/* cuDNN has two spatial axes at least. */
static int count_axes(const Convolution *convolution)
{
    int axes = SPATIAL_AXES;
    while (axes > 2 && is_one(&convolution->axes[SPATIAL_AXES - axes]))
        axes--;
    return axes;
}

/* Whether cuDNN has a word for it: as many zeros in front of an image as behind, as far as filters reach, no size that
 * is zero, and numbers that fit in an int. */
static bool is_expressible(const Convolution *convolution)
{
    int64_t channels = multiply_saturating(convolution->groups, convolution->channels);
    int64_t filters = multiply_saturating(convolution->groups, convolution->filters);
    int64_t images = multiply_saturating(convolution->batch, channels), weights = multiply_saturating(filters, channels);
    int64_t output = multiply_saturating(convolution->batch, filters);
    for (int i = 0; i < SPATIAL_AXES; i++) {
        const Axis *axis = &convolution->axes[i];
        const int64_t numbers[] = {axis->image, axis->kernel, axis->output, axis->stride, axis->dilation, axis->low};
        for (int n = 0; n < 6; n++)
            if (numbers[n] < 0 || numbers[n] > INT_MAX)
                return false;
        int64_t span = axis->image + 2 * axis->low - (axis->kernel - 1) * axis->dilation - 1;
        if (span < 0 || span / axis->stride + 1 != axis->output)
            return false;
        images = multiply_saturating(images, axis->image);
        weights = multiply_saturating(weights, axis->kernel);
        output = multiply_saturating(output, axis->output);
    }
    return images > 0 && weights > 0 && output > 0 && images <= INT_MAX && weights <= INT_MAX && output <= INT_MAX;
}

/* Descriptors. */

static DnnStatus describe_tensor(void *descriptor, const Convolution *convolution, enum Factor factor, int type, int axes)
{
    int sizes[MOST_AXES], strides[MOST_AXES];
    sizes[0] = (int)convolution->batch;
    sizes[1] = (int)(convolution->groups * (factor == IMAGES ? convolution->channels : convolution->filters));
    int stride = sizes[1];
    for (int i = axes - 1; i >= 0; i--) {
        const Axis *axis = &convolution->axes[SPATIAL_AXES - axes + i];
        sizes[2 + i] = (int)(factor == IMAGES ? axis->image : axis->output);
        strides[2 + i] = stride;
        stride *= sizes[2 + i];
    }
    strides[0] = stride;
    strides[1] = 1;
    return ((SetTensor)library[CUDNN_SET_TENSOR])(descriptor, type, axes + 2, sizes, strides);
}

/* Filters of one channel or one place lie as if their channels were last. In float64 cuDNN does not know these. */
static DnnStatus describe_filters(void *descriptor, const Convolution *convolution, int type, int axes)
{
    int sizes[MOST_AXES];
    int64_t places = 1;
    sizes[0] = (int)(convolution->groups * convolution->filters);
    sizes[1] = (int)convolution->channels;
    for (int i = 0; i < axes; i++) {
        sizes[2 + i] = (int)convolution->axes[SPATIAL_AXES - axes + i].kernel;
        places *= sizes[2 + i];
    }
    bool last = convolution->filters_last || (type != OF_DOUBLE && (places == 1 || convolution->channels == 1));
    return ((SetFilters)library[CUDNN_SET_FILTERS])(descriptor, type, last ? CHANNELS_LAST : CHANNELS_IN_FRONT, axes + 2,
                                                    sizes);
}

static bool is_narrow(const Wanted *wanted)
{
    return wanted->type == OF_HALF || wanted->type == OF_BFLOAT;
}

/* Narrow floats are added up in float32, by tensor cores; float32 is not rounded unless that is wanted. */
static int math_of(const Wanted *wanted)
{
    return is_narrow(wanted) ? TENSOR_MATH : wanted->type == OF_FLOAT && !wanted->rounding ? EXACT_MATH : DEFAULT_MATH;
}

static DnnStatus describe_convolution(void *descriptor, const Wanted *wanted, int axes)
{
    int low[SPATIAL_AXES], strides[SPATIAL_AXES], dilation[SPATIAL_AXES];
    for (int i = 0; i < axes; i++) {
        const Axis *axis = &wanted->convolution.axes[SPATIAL_AXES - axes + i];
        low[i] = (int)axis->low;
        strides[i] = (int)axis->stride;
        dilation[i] = (int)axis->dilation;
    }
    int computed = wanted->type == OF_DOUBLE ? OF_DOUBLE : OF_FLOAT;
    DnnStatus status = ((SetConvolution)library[CUDNN_SET_CONVOLUTION])(descriptor, axes, low, strides, dilation,
                                                                        CROSS_CORRELATION, computed);
    if (status == 0)
        status = ((SetNumber)library[CUDNN_SET_GROUPS])(descriptor, (int)wanted->convolution.groups);
    if (status == 0)
        status = ((SetNumber)library[CUDNN_SET_MATH])(descriptor, math_of(wanted));
    return status;
}

static DnnStatus describe(Prepared *own)
{
    const Convolution *convolution = &own->wanted.convolution;
    int axes = count_axes(convolution), type = (int)own->wanted.type;
    DnnStatus status = 0;
    for (int factor = 0; factor < 3 && status == 0; factor++)
        status = ((Create)library[factor == FILTERS ? CUDNN_FILTERS : CUDNN_TENSOR])(&own->factors[factor]);
    if (status == 0)
        status = ((Create)library[CUDNN_CONVOLUTION])(&own->convolution);
    if (status == 0)
        status = describe_tensor(own->factors[IMAGES], convolution, IMAGES, type, axes);
    if (status == 0)
        status = describe_filters(own->factors[FILTERS], convolution, type, axes);
    if (status == 0)
        status = describe_tensor(own->factors[OUTPUT], convolution, OUTPUT, type, axes);
    return status == 0 ? describe_convolution(own->convolution, &own->wanted, axes) : status;
}

static void discard(Prepared *own)
{
    if (own == NULL)
        return;
    for (int factor = 0; factor < 3; factor++)
        if (own->factors[factor] != NULL)
            ((Destroy)library[factor == FILTERS ? CUDNN_FORGET_FILTERS : CUDNN_FORGET_TENSOR])(own->factors[factor]);
    if (own->convolution != NULL)
        ((Destroy)library[CUDNN_FORGET_CONVOLUTION])(own->convolution);
    free(own);
}

/* Algorithms. */

static bool is_wanted(const Wanted *wanted, const Proposal *proposal)
{
    bool rounds = proposal->math == TENSOR_MATH || proposal->math == ROUNDING_MATH;
    return proposal->status == 0 && (int64_t)proposal->bytes <= wanted->most_bytes
        && (proposal->determinism == DETERMINISTIC || wanted->any_order)
        && (!rounds || wanted->type != OF_FLOAT || wanted->rounding);
}

static void factors_of(const Convolution *convolution, int order[3])
{
    for (int factor = 0, next = 0; factor < 3; factor++)
        order[factor == convolution->of ? 2 : next++] = factor;
}

static DnnStatus choose(Prepared *own)
{
    static const enum LibraryFunction functions[] = {
        [IMAGES] = CUDNN_PROPOSE_IMAGES, [FILTERS] = CUDNN_PROPOSE_FILTERS, [OUTPUT] = CUDNN_PROPOSE_OUTPUT};
    Proposal proposals[CHOICES];
    const Wanted *wanted = &own->wanted;
    int found = 0, order[3];
    factors_of(&wanted->convolution, order);
    void *const *factors = own->factors;
    DnnStatus status = ((Propose)library[functions[wanted->convolution.of]])(
        wanted->device->dnn, factors[order[0]], factors[order[1]], own->convolution, factors[order[2]], CHOICES, &found,
        proposals);
    for (int i = 0; i < found && status == 0; i++)
        if (is_wanted(wanted, &proposals[i]))
            own->choices[own->count++] = proposals[i];
    return status;
}

/* What is known of a convolution, found out if it is new. What cuDNN has no descriptors or algorithms for has no
 * choices; a status for what went wrong. */
static DnnStatus prepare(const Wanted *wanted, Prepared **made)
{
    for (int i = 0; i < KEPT; i++)
        if (prepared[i] != NULL && memcmp(&prepared[i]->wanted, wanted, sizeof(*wanted)) == 0) {
            *made = prepared[i];
            return 0;
        }
    Prepared *own = calloc(1, sizeof(*own));
    if (own == NULL)
        return NOT_SUPPORTED;
    own->wanted = *wanted;
    own->used = -1;
    DnnStatus status = is_expressible(&wanted->convolution) ? describe(own) : NOT_SUPPORTED;
    if (status == 0)
        status = choose(own);
    if (status != 0 && !is_refusal(status)) {
        discard(own);
        return status;
    }
    discard(prepared[next_place]);
    *made = prepared[next_place] = own;
    next_place = (next_place + 1) % KEPT;
    return 0;
}

/* Running. */

static DnnStatus open_handle(Device *device)
{
    if (device->dnn != NULL || device->dnn_refusal != 0)
        return device->dnn_refusal;
    void *handle = NULL;
    DnnStatus status = ((Create)library[CUDNN_CREATE])(&handle);
    if (status == 0)
        status = ((SetStream)library[CUDNN_STREAM])(handle, device->stream);
    device->dnn = status == 0 ? handle : NULL;
    device->dnn_refusal = status;
    return status;
}

static DnnStatus try_choice(const Prepared *own, const Proposal *choice, void *const *buffers)
{
    static const enum LibraryFunction functions[] = {
        [IMAGES] = CUDNN_CONVOLVE_IMAGES, [FILTERS] = CUDNN_CONVOLVE_FILTERS, [OUTPUT] = CUDNN_CONVOLVE};
    static const double one = 1, zero = 0;
    static const float float_one = 1, float_zero = 0;
    const Wanted *wanted = &own->wanted;
    bool wide = wanted->type == OF_DOUBLE;
    Address scratch = choice->bytes > 0 ? device_scratch(wanted->device, (int64_t)choice->bytes) : 0;
    if (choice->bytes > 0 && scratch == 0)
        return NOT_SUPPORTED;    /* there is no memory for it: another one may need less */
    int order[3], math = is_narrow(wanted) || wanted->rounding ? choice->math : math_of(wanted);
    factors_of(&wanted->convolution, order);
    DnnStatus status = ((SetNumber)library[CUDNN_SET_MATH])(own->convolution, math);
    if (status != 0)
        return status;
    return ((Convolve)library[functions[wanted->convolution.of]])(
        wanted->device->dnn, wide ? (const void *)&one : &float_one, own->factors[order[0]], buffers[0],
        own->factors[order[1]], buffers[1], own->convolution, choice->algorithm, (void *)(uintptr_t)scratch, choice->bytes,
        wide ? (const void *)&zero : &float_zero, own->factors[order[2]], buffers[2]);
}

static DnnStatus convolve(const Wanted *wanted, void *const *buffers)
{
    Prepared *own = NULL;
    DnnStatus status = prepare(wanted, &own);
    if (status != 0)
        return status;
    own->used = -1;
    for (int i = 0; i < own->count; i++) {
        status = try_choice(own, &own->choices[i], buffers);
        if (status == 0)
            own->used = i;
        if (!is_refusal(status))
            return status;
    }
    return NOT_SUPPORTED;
}

static int run(const Arguments *arguments)
{
    const int *flags = arguments->flags;
    const Type *type = arguments->types;
    int narrow = type->kind == BFLOAT ? OF_BFLOAT : OF_HALF;
    Wanted wanted = {.convolution = convolution_of(arguments), .device = arguments->device,
                     .type = type->itemsize == 8 ? OF_DOUBLE : type->itemsize == 4 ? OF_FLOAT : narrow,
                     .any_order = flags[ANY_ORDER], .rounding = flags[ROUNDING],
                     .most_bytes = (int64_t)flags[MEGABYTES] << 20};
    device_work_begin();
    DnnStatus status = open_handle(arguments->device);
    bool refused = status != 0;  /* it does not work here at all */
    if (!refused) {
        status = convolve(&wanted, arguments->buffers);
        refused = is_refusal(status);
    }
    device_work_end();
    if (arguments->output_count == 1)
        return status;
    bool done = status == 0;
    memcpy(arguments->buffers[3], &done, sizeof(done));
    return refused ? 0 : status;
}

static bool fits(const Arguments *arguments)
{
    return convolution_kind.fits(arguments) && (arguments->output_count == 1 || arguments->bytes[3] >= 1);
}

/* What is known of a convolution: its dtype, its numbers, and of what was used last the algorithm, math and
 * bytes; None if our kernels did it. */
static PyObject *told(const Prepared *own)
{
    const int64_t *numbers = &own->wanted.convolution.of;
    const int count = (int)(sizeof(own->wanted.convolution) / sizeof(*numbers));
    PyObject *sizes = PyTuple_New(count);
    for (int n = 0; sizes != NULL && n < count; n++)
        PyTuple_SET_ITEM(sizes, n, PyLong_FromLongLong(numbers[n]));
    const Proposal *used = own->used < 0 ? NULL : &own->choices[own->used];
    PyObject *choice = used == NULL ? Py_NewRef(Py_None)
                                    : Py_BuildValue("(iin)", used->algorithm, used->math, (Py_ssize_t)used->bytes);
    static const char *const names[] = {
        [OF_FLOAT] = "float32", [OF_DOUBLE] = "float64", [OF_HALF] = "float16", [OF_BFLOAT] = "bfloat16"};
    return Py_BuildValue("(sNN)", names[own->wanted.type], sizes, choice);
}

PyObject *device_convolutions(PyObject *module, PyObject *device)
{
    (void)module;
    Prepared *copies = PyMem_Calloc(KEPT, sizeof(Prepared));
    if (copies == NULL)
        return PyErr_NoMemory();
    int count = 0;
    device_work_begin();
    for (int i = 0; i < KEPT; i++)
        if (prepared[i] != NULL && (PyObject *)prepared[i]->wanted.device == device)
            copies[count++] = *prepared[i];
    device_work_end();
    PyObject *all = PyList_New(0);
    for (int i = 0; i < count && all != NULL; i++) {
        PyObject *entry = told(&copies[i]);
        if (entry == NULL || PyList_Append(all, entry) < 0)
            Py_CLEAR(all);
        Py_XDECREF(entry);
    }
    PyMem_Free(copies);
    return all;
}

static const enum LibraryFunction functions[] = {
    CUDNN_CREATE, CUDNN_STREAM, CUDNN_TENSOR, CUDNN_FORGET_TENSOR, CUDNN_SET_TENSOR, CUDNN_FILTERS, CUDNN_FORGET_FILTERS,
    CUDNN_SET_FILTERS, CUDNN_CONVOLUTION, CUDNN_FORGET_CONVOLUTION, CUDNN_SET_CONVOLUTION, CUDNN_SET_GROUPS,
    CUDNN_SET_MATH, CUDNN_PROPOSE_OUTPUT, CUDNN_PROPOSE_IMAGES, CUDNN_PROPOSE_FILTERS, CUDNN_CONVOLVE,
    CUDNN_CONVOLVE_IMAGES, CUDNN_CONVOLVE_FILTERS, NO_FUNCTION};

const RoutineKind device_convolution_kind = {
    .name = "device_convolution", .least_inputs = 2, .most_inputs = 2, .least_outputs = 1, .outputs = 2,
    .sizes = 4 + 6 * SPATIAL_AXES, .flags = 5, .kinds = "fB", .any_width = true, .truths = 1 << 3, .on_device = true,
    .functions = functions, .needs_them = true, .fits = fits, .run = run};
