/* Convolutions by oneDNN. Images and output keep their layout, channels last, but for large gradients by filters; the
 * filters' layout is oneDNN's choice. What has another layout is reordered in each call, which costs little. Making a
 * primitive takes milliseconds, so they are kept. */
#include "convolution.h"

#define KEPT 256                 /* primitives */
#define MOST_AXES (SPATIAL_AXES + 3)
#define CACHED (1 << 20)         /* bytes of an image that the caches of a core hold */
#define WORTH_BLOCKS 160         /* operations for each byte of an image and its output that pay for reordering them */

/* Numbers of oneDNN's interface. */
enum { CPU = 1, IN_ORDER = 1, FLOAT32 = 3, ANY = 1, DIRECT = 1, TRAINING = 64 };
enum { SCRATCHPAD_LAYOUT = 136 };
enum { BY_USER = 1 };            /* whose the scratchpad is: primitives run in several threads at once */
enum { ARG_FROM = 1, ARG_TO = 17, ARG_SCRATCHPAD = 80 };

/* Of each factor: the query for its layout and the argument that it is, as itself and as what a gradient is of or by. */
static const struct { int layout, argument; } NUMBERS[3][2] = {
    [IMAGES] = {{129, 1}, {130, 129}}, [FILTERS] = {{131, 33}, {132, 161}}, [OUTPUT] = {{133, 17}, {134, 145}}};

typedef struct { int argument; void *memory; } Operand;
typedef int (*CreateEngine)(void **, int, size_t);
typedef int (*CreateStream)(void **, void *, unsigned);
typedef int (*CreateLayout)(void **, int, const int64_t *, int, const int64_t *);
typedef int (*CreateAnyLayout)(void **, int, const int64_t *, int, int);
typedef int (*Forget)(void *);
typedef int (*SameLayout)(const void *, const void *);
typedef size_t (*LayoutBytes)(const void *);
typedef int (*DescribeForward)(void **, void *, int, int, const void *, const void *, const void *, const void *,
                               const int64_t *, const int64_t *, const int64_t *, const int64_t *, const void *);
typedef int (*DescribeImages)(void **, void *, int, const void *, const void *, const void *, const int64_t *,
                              const int64_t *, const int64_t *, const int64_t *, const void *, const void *);
typedef int (*DescribeFilters)(void **, void *, int, const void *, const void *, const void *, const void *,
                               const int64_t *, const int64_t *, const int64_t *, const int64_t *, const void *,
                               const void *);
typedef int (*DescribeReorder)(void **, const void *, void *, const void *, void *, const void *);
typedef const void *(*LayoutOf)(const void *, int, int);
typedef int (*CreateAttributes)(void **);
typedef int (*SetScratchpadMode)(void *, int);
typedef int (*CreatePrimitive)(void **, const void *);
typedef int (*CreateMemory)(void **, const void *, void *, void *);
typedef int (*Execute)(const void *, void *, int, const Operand *);

/* A factor in two layouts, and the primitive that reorders it to what is needed; NULL if they are one. */
typedef struct {
    void *dense;                 /* the caller's layout */
    const void *chosen;          /* oneDNN's, held by the description of the convolution */
    void *description, *reorder;
    const void *scratchpad;      /* the layout of the reorder's */
    int64_t offset;              /* in the memory that a call borrows */
} Place;

/* A primitive for one convolution, on so many threads; NULL if oneDNN does not do it. */
typedef struct {
    Convolution convolution;
    int threads;
    void *primitive, *description;
    const void *scratchpad;      /* its layout */
    Place places[3];             /* of each factor */
    int64_t reordered_bytes;     /* of all factors that are reordered */
    int64_t scratchpad_bytes;    /* as many as any primitive needs */
    int users;                   /* calls that run now */
} Prepared;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Prepared *prepared[KEPT];
static int next_place;
static void *engine, *stream, *attributes;

/* Dimensions and strides of a factor with `axes` spatial axes, the last ones; how many there are. */
static int shape_of(const Convolution *convolution, enum Factor factor, int axes, int64_t *sizes, int64_t *strides)
{
    int first = SPATIAL_AXES - axes, grouped = factor == FILTERS && convolution->groups > 1, count = grouped + 2 + axes;
    int64_t channels = convolution->groups * convolution->channels, filters = convolution->groups * convolution->filters;
    if (grouped)
        sizes[0] = convolution->groups;
    sizes[grouped] = factor == FILTERS ? convolution->filters : convolution->batch;
    sizes[grouped + 1] = factor == FILTERS ? convolution->channels : factor == IMAGES ? channels : filters;
    for (int i = 0; i < axes; i++) {
        const Axis *axis = &convolution->axes[first + i];
        sizes[grouped + 2 + i] = factor == FILTERS ? axis->kernel : factor == IMAGES ? axis->image : axis->output;
    }
    bool last = factor != FILTERS || convolution->filters_last;
    int64_t stride = last ? sizes[grouped + 1] : 1;
    for (int i = count - 1; i >= grouped + 2; i--) {
        strides[i] = stride;
        stride *= sizes[i];
    }
    strides[grouped + 1] = last ? 1 : stride;
    stride *= last ? 1 : sizes[grouped + 1];
    for (int i = grouped; i >= 0; i--) {
        strides[i] = stride;
        stride *= sizes[i];
    }
    return count;
}

static bool is_one(const Axis *axis)
{
    return axis->image == 1 && axis->kernel == 1 && axis->output == 1 && axis->low == 0;
}

static void *create_primitive(const void *description)
{
    void *primitive = NULL;
    return ((CreatePrimitive)library[DNNL_PRIMITIVE])(&primitive, description) == 0 ? primitive : NULL;
}

static void forget(enum LibraryFunction function, void *object)
{
    if (object != NULL)
        ((Forget)library[function])(object);
}

/* What oneDNN says of a convolution, given the layouts of the factors; NULL if it does not do it. */
static void *describe(const Convolution *convolution, int axes, void *const layouts[3])
{
    int64_t strides[SPATIAL_AXES], dilation[SPATIAL_AXES], low[SPATIAL_AXES], high[SPATIAL_AXES];
    for (int i = 0; i < axes; i++) {
        const Axis *axis = &convolution->axes[SPATIAL_AXES - axes + i];
        strides[i] = axis->stride;
        dilation[i] = axis->dilation - 1;
        low[i] = axis->low;
        high[i] = (axis->output - 1) * axis->stride + (axis->kernel - 1) * axis->dilation + 1 - axis->image - axis->low;
        if (low[i] < 0)
            return NULL;
    }
    void *forward = NULL, *backward = NULL;
    if (((DescribeForward)library[DNNL_FORWARD])(&forward, engine, TRAINING, DIRECT, layouts[IMAGES], layouts[FILTERS],
                                                 NULL, layouts[OUTPUT], strides, dilation, low, high, attributes)
        != 0)
        return NULL;
    int status = 0;
    if (convolution->of == IMAGES)
        status = ((DescribeImages)library[DNNL_BACKWARD_IMAGES])(
            &backward, engine, DIRECT, layouts[IMAGES], layouts[FILTERS], layouts[OUTPUT], strides, dilation, low, high,
            forward, attributes);
    else if (convolution->of == FILTERS)
        status = ((DescribeFilters)library[DNNL_BACKWARD_FILTERS])(
            &backward, engine, DIRECT, layouts[IMAGES], layouts[FILTERS], NULL, layouts[OUTPUT], strides, dilation, low,
            high, forward, attributes);
    else
        return forward;
    forget(DNNL_FORGET_DESCRIPTION, forward);
    return status == 0 ? backward : NULL;
}

/* Whether images and output are better reordered into blocks of channels. Several passes over an image are made, each
 * for a few of its channels, so that it is read in pieces; that is slow where caches do not hold it. The arithmetic for
 * each byte must pay for the reorder. */
static bool is_blocked(const Convolution *convolution)
{
    int64_t pixels[3] = {1, 1, 1};
    for (int i = 0; i < SPATIAL_AXES; i++) {
        pixels[IMAGES] *= convolution->axes[i].image;
        pixels[FILTERS] *= convolution->axes[i].kernel;
        pixels[OUTPUT] *= convolution->axes[i].output;
    }
    int64_t image = 4 * pixels[IMAGES] * convolution->groups * convolution->channels;
    int64_t output = 4 * pixels[OUTPUT] * convolution->groups * convolution->filters;
    int64_t work = output / 2 * pixels[FILTERS] * convolution->channels;
    return convolution->of == FILTERS && (image > CACHED || output > CACHED) && work >= WORTH_BLOCKS * (image + output);
}

static const void *scratchpad_of(Prepared *own, const void *description)
{
    const void *layout = ((LayoutOf)library[DNNL_LAYOUT_OF])(description, SCRATCHPAD_LAYOUT, 0);
    int64_t bytes = (int64_t)((LayoutBytes)library[DNNL_LAYOUT_BYTES])(layout);
    own->scratchpad_bytes = bytes > own->scratchpad_bytes ? bytes : own->scratchpad_bytes;
    return layout;
}

/* Whether a factor is named by oneDNN as a gradient: what is computed, or, for a gradient, the output. */
static bool is_gradient(const Convolution *convolution, int factor)
{
    return factor == OUTPUT ? convolution->of != OUTPUT : convolution->of == factor;
}

/* Find what layout a factor is to have, and how it comes by it: whether that can be done. */
static bool prepare_place(Prepared *own, int factor)
{
    Place *place = &own->places[factor];
    bool back = own->convolution.of == factor;
    place->chosen = ((LayoutOf)library[DNNL_LAYOUT_OF])(
        own->description, NUMBERS[factor][is_gradient(&own->convolution, factor)].layout, 0);
    if (((SameLayout)library[DNNL_SAME_LAYOUT])(place->dense, place->chosen))
        return true;
    if (((DescribeReorder)library[DNNL_REORDER])(&place->description, back ? place->chosen : place->dense, engine,
                                                 back ? place->dense : place->chosen, engine, attributes) != 0)
        return false;
    place->reorder = create_primitive(place->description);
    if (place->reorder == NULL)
        return false;
    place->scratchpad = scratchpad_of(own, place->description);
    place->offset = own->reordered_bytes;
    own->reordered_bytes += ((int64_t)((LayoutBytes)library[DNNL_LAYOUT_BYTES])(place->chosen) + 63) / 64 * 64;
    return true;
}

/* The layouts and primitives for a convolution. */
static Prepared *prepare(const Convolution *convolution, int threads)
{
    Prepared *own = calloc(1, sizeof(*own));
    if (own == NULL)
        return NULL;
    own->convolution = *convolution;
    own->threads = threads;
    int axes = SPATIAL_AXES;
    while (axes > 2 && is_one(&convolution->axes[SPATIAL_AXES - axes]))
        axes--;
    int64_t sizes[MOST_AXES], strides[MOST_AXES];
    void *any[3] = {NULL, NULL, NULL}, *wanted[3];
    int status = 0;
    for (int factor = 0; factor < 3 && status == 0; factor++) {
        int count = shape_of(convolution, factor, axes, sizes, strides);
        status = ((CreateLayout)library[DNNL_LAYOUT])(&own->places[factor].dense, count, sizes, FLOAT32, strides);
        if (status == 0 && (factor == FILTERS || is_blocked(convolution)))
            status = ((CreateAnyLayout)library[DNNL_ANY_LAYOUT])(&any[factor], count, sizes, FLOAT32, ANY);
        wanted[factor] = any[factor] != NULL ? any[factor] : own->places[factor].dense;
    }
    if (status == 0)
        own->description = describe(convolution, axes, wanted);
    bool done = own->description != NULL;
    for (int factor = 0; factor < 3; factor++) {
        done = done && prepare_place(own, factor);
        forget(DNNL_FORGET_LAYOUT, any[factor]);
    }
    if (done) {
        own->scratchpad = scratchpad_of(own, own->description);
        own->primitive = create_primitive(own->description);
    }
    return own;
}

static void discard(Prepared *own)
{
    if (own == NULL)
        return;
    forget(DNNL_FORGET_PRIMITIVE, own->primitive);
    forget(DNNL_FORGET_DESCRIPTION, own->description);
    for (int factor = 0; factor < 3; factor++) {
        forget(DNNL_FORGET_PRIMITIVE, own->places[factor].reorder);
        forget(DNNL_FORGET_DESCRIPTION, own->places[factor].description);
        forget(DNNL_FORGET_LAYOUT, own->places[factor].dense);
    }
    free(own);
}

static bool is_for(const Prepared *own, const Convolution *convolution, int threads)
{
    return own != NULL && own->threads == threads && memcmp(&own->convolution, convolution, sizeof(*convolution)) == 0;
}

/* The primitive for a convolution, made if it is new; `give` gives it back. NULL if there is no memory. */
static Prepared *take(const Convolution *convolution, int threads)
{
    pthread_mutex_lock(&lock);
    Prepared *own = NULL;
    for (int i = 0; i < KEPT && own == NULL; i++)
        if (is_for(prepared[i], convolution, threads))
            own = prepared[i];
    if (engine == NULL && ((CreateEngine)library[DNNL_ENGINE])(&engine, CPU, 0) == 0
        && ((CreateAttributes)library[DNNL_ATTRIBUTES])(&attributes) == 0
        && ((SetScratchpadMode)library[DNNL_SCRATCHPAD_MODE])(attributes, BY_USER) == 0)
        ((CreateStream)library[DNNL_STREAM])(&stream, engine, IN_ORDER);
    if (own == NULL && stream != NULL) {
        own = prepare(convolution, threads);
        int tries = 0;
        while (prepared[next_place] != NULL && prepared[next_place]->users > 0 && tries++ < KEPT)
            next_place = (next_place + 1) % KEPT;
        if (own != NULL && tries <= KEPT) {
            discard(prepared[next_place]);
            prepared[next_place] = own;
            next_place = (next_place + 1) % KEPT;
        }
    }
    if (own != NULL)
        own->users++;
    pthread_mutex_unlock(&lock);
    return own;
}

static void give(Prepared *own)
{
    pthread_mutex_lock(&lock);
    own->users--;
    pthread_mutex_unlock(&lock);
}

static bool execute(const void *primitive, int count, Operand *operands)
{
    bool ready = true;
    for (int i = 0; i < count; i++)
        ready = ready && operands[i].memory != NULL;
    bool done = ready && ((Execute)library[DNNL_EXECUTE])(primitive, stream, count, operands) == 0;
    for (int i = 0; i < count; i++)
        forget(DNNL_FORGET_MEMORY, operands[i].memory);
    return done;
}

static void *memory_at(const void *layout, void *data)
{
    void *memory = NULL;
    return ((CreateMemory)library[DNNL_MEMORY])(&memory, layout, engine, data) == 0 ? memory : NULL;
}

static bool reorder(const Place *place, const void *from, void *source, const void *to, void *target, void *scratchpad)
{
    Operand operands[] = {{ARG_FROM, memory_at(from, source)}, {ARG_TO, memory_at(to, target)},
                          {ARG_SCRATCHPAD, memory_at(place->scratchpad, scratchpad)}};
    return execute(place->reorder, 3, operands);
}

static bool run(const Prepared *own, void *const factors[3])
{
    const Convolution *convolution = &own->convolution;
    char *spare = spare_take(own->reordered_bytes + own->scratchpad_bytes + 64);
    char *scratchpad = spare + own->reordered_bytes;
    if (spare == NULL)
        return false;
    bool done = true;
    Operand operands[4] = {[3] = {ARG_SCRATCHPAD, memory_at(own->scratchpad, scratchpad)}};
    for (int factor = 0; factor < 3; factor++) {
        const Place *place = &own->places[factor];
        void *data = place->reorder == NULL ? factors[factor] : spare + place->offset;
        if (place->reorder != NULL && factor != convolution->of)
            done = done && reorder(place, place->dense, factors[factor], place->chosen, data, scratchpad);
        operands[factor] = (Operand){NUMBERS[factor][is_gradient(convolution, factor)].argument,
                                     memory_at(place->chosen, data)};
    }
    done = execute(own->primitive, 4, operands) && done;
    const Place *result = &own->places[convolution->of];
    if (done && result->reorder != NULL)
        done = reorder(result, result->chosen, spare + result->offset, result->dense, factors[convolution->of],
                       scratchpad);
    spare_give(spare);
    return done;
}

bool convolve_by_dnnl(const Convolution *convolution, void *const factors[3], int threads)
{
    for (int function = DNNL_ENGINE; function <= DNNL_EXECUTE; function++)
        if (library[function] == NULL)
            return false;
    /* A sum over the batch would be divided among threads, and its bits would depend on how many there are. */
    int own_threads = convolution->of == FILTERS ? 1 : threads, before = threads_lend(own_threads);
    Prepared *own = take(convolution, own_threads);
    bool done = own != NULL && own->primitive != NULL && run(own, factors);
    if (own != NULL)
        give(own);
    threads_take_back(before, own_threads);
    return done;
}
