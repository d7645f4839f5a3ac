/* Convolutions and their gradients: by oneDNN where it does them, else by products of unfolded images and filters.
 *
 * Unfolded, an image is a matrix with a row for each place of the output, in which the filters' window of the image
 * stands: kernel places, for each the channels of a group. The filters stand in the same order, one in each row. Then
 * output = unfolded filters', unfolded = output filters, and filters = output' unfolded; what is computed for an
 * unfolded image is added up where it came from.
 */
#include "convolution.h"

#define UNFOLDED_BYTES (1 << 20) /* of an unfolded part of an image, so that it stays in cache */
#define LEAST_ROWS 16

/* Memory for a while. One block is kept; who comes while it is taken gets one of its own. */

static struct {
    pthread_mutex_t lock;
    char *memory;
    int64_t bytes;
    bool taken;
} kept = {.lock = PTHREAD_MUTEX_INITIALIZER};

char *spare_take(int64_t bytes)
{
    pthread_mutex_lock(&kept.lock);
    bool own = !kept.taken;
    if (own && kept.bytes < bytes) {
        free(kept.memory);
        kept.memory = NULL;
        kept.bytes = 0;
        if (posix_memalign((void **)&kept.memory, 64, (size_t)bytes) == 0)
            kept.bytes = bytes;
        else
            kept.memory = NULL;
    }
    char *memory = own ? kept.memory : NULL;
    kept.taken = kept.taken || memory != NULL;
    pthread_mutex_unlock(&kept.lock);
    if (memory == NULL && posix_memalign((void **)&memory, 64, (size_t)(bytes > 0 ? bytes : 64)) != 0)
        return NULL;
    return memory;
}

void spare_give(char *memory)
{
    pthread_mutex_lock(&kept.lock);
    if (memory == kept.memory && memory != NULL)
        kept.taken = false;
    else
        free(memory);
    pthread_mutex_unlock(&kept.lock);
}

/* Unfolding. */

typedef struct {
    const Convolution *convolution;
    enum Element element;
    int64_t itemsize;
    int64_t positions, places;   /* of the output, of the kernel */
    int64_t image_row, output_row; /* elements from one place of an image or of the output to the next */
    int64_t window;              /* elements in a row of the unfolded image */
    char *unfolded, *filters;    /* memory for them */
    int64_t rows;                /* of the unfolded image that are there at once */
} Unfolding;

static void add_all(enum Element element, char *target, const char *source, int64_t count)
{
    if (element == FLOAT)
        for (int64_t i = 0; i < count; i++)
            ((float *)target)[i] += ((const float *)source)[i];
    else
        for (int64_t i = 0; i < count; i++)
            ((double *)target)[i] += ((const double *)source)[i];
}

/* The places of the output are walked through with the numbers of the present one along each axis. */
static void next_position(const Convolution *convolution, int64_t position[SPATIAL_AXES])
{
    for (int i = SPATIAL_AXES - 1; i >= 0; i--) {
        if (++position[i] < convolution->axes[i].output)
            return;
        position[i] = 0;
    }
}

/* The window's places along an axis that are inside the image, and where the first place of the window is in it. */
static int64_t inside(const Axis *axis, int64_t position, int64_t *first, int64_t *stop)
{
    int64_t origin = position * axis->stride - axis->low, step = axis->dilation;
    *first = 0;
    *stop = axis->kernel;
    if (origin >= 0 && origin + (axis->kernel - 1) * step < axis->image)
        return origin; /* all of them, as nearly everywhere */
    *first = origin < 0 ? (-origin + step - 1) / step : 0;
    *stop = origin < axis->image ? (axis->image - origin + step - 1) / step : 0;
    *first = *first < axis->kernel ? *first : axis->kernel;
    *stop = *stop < axis->kernel ? *stop : axis->kernel;
    *stop = *stop > *first ? *stop : *first;
    return origin;
}

/* Elements of a window that lie along the last axis: read from the image, or added to it. */
static void unfold_line(const Unfolding *unfolding, char *image, char *own, int64_t count, bool back)
{
    int64_t channels = unfolding->convolution->channels, bytes = channels * unfolding->itemsize;
    int64_t step = unfolding->convolution->axes[SPATIAL_AXES - 1].dilation * unfolding->image_row * unfolding->itemsize;
    if (step == bytes) { /* they are neighbours, so that the line is one piece */
        channels *= count;
        bytes *= count;
        count = 1;
    }
    for (int64_t place = 0; place < count; place++, own += bytes, image += step)
        if (back)
            add_all(unfolding->element, image, own, channels);
        else
            memcpy(own, image, (size_t)bytes);
}

/* A row of the unfolded image. */
static void unfold_window(const Unfolding *unfolding, char *image, const int64_t *position, char *own, bool back)
{
    _Static_assert(SPATIAL_AXES == 3, "two loops and the lines in them");
    const Axis *axes = unfolding->convolution->axes;
    int64_t origin[SPATIAL_AXES], first[SPATIAL_AXES], stop[SPATIAL_AXES];
    int64_t bytes = unfolding->convolution->channels * unfolding->itemsize;
    bool whole = true, none = false;
    for (int i = 0; i < SPATIAL_AXES; i++) {
        origin[i] = inside(&axes[i], position[i], &first[i], &stop[i]);
        whole = whole && first[i] == 0 && stop[i] == axes[i].kernel;
        none = none || first[i] == stop[i];
    }
    if (!back && !whole)
        memset(own, 0, (size_t)(unfolding->window * unfolding->itemsize));
    for (int64_t i = first[0]; i < stop[0] && !none; i++)
        for (int64_t j = first[1]; j < stop[1]; j++) {
            int64_t line = (origin[0] + i * axes[0].dilation) * axes[1].image + origin[1] + j * axes[1].dilation;
            int64_t found = line * axes[2].image + origin[2] + first[2] * axes[2].dilation;
            int64_t place = (i * axes[1].kernel + j) * axes[2].kernel + first[2];
            unfold_line(unfolding, image + found * unfolding->image_row * unfolding->itemsize, own + place * bytes,
                        stop[2] - first[2], back);
        }
}

/* Rows first..first + count of the unfolded image, read from the image, or added to it. */
static void unfold(const Unfolding *unfolding, char *image, int64_t first, int64_t count, bool back)
{
    const Convolution *convolution = unfolding->convolution;
    int64_t row_bytes = unfolding->window * unfolding->itemsize, position[SPATIAL_AXES];
    for (int i = SPATIAL_AXES - 1; i >= 0; i--) {
        position[i] = first % convolution->axes[i].output;
        first /= convolution->axes[i].output;
    }
    for (int64_t row = 0; row < count; row++, next_position(convolution, position))
        unfold_window(unfolding, image, position, unfolding->unfolded + row * row_bytes, back);
}

/* The filters of a group, with their channels last, to memory of the unfolding; or back. */
static void turn_filters(const Unfolding *unfolding, char *filters, bool back)
{
    const Convolution *convolution = unfolding->convolution;
    int64_t channels = convolution->channels, places = unfolding->places, itemsize = unfolding->itemsize;
    if (convolution->filters_last) {
        size_t bytes = (size_t)(convolution->filters * channels * places * itemsize);
        memcpy(back ? filters : unfolding->filters, back ? unfolding->filters : filters, bytes);
        return;
    }
    for (int64_t filter = 0; filter < convolution->filters; filter++)
        for (int64_t channel = 0; channel < channels; channel++)
            for (int64_t place = 0; place < places; place++) {
                char *dense = filters + ((filter * channels + channel) * places + place) * itemsize;
                char *turned = unfolding->filters + ((filter * places + place) * channels + channel) * itemsize;
                memcpy(back ? dense : turned, back ? turned : dense, (size_t)itemsize);
            }
}

/* One image of one group: `image` and `output` are where its channels begin. */
static int convolve_image(const Unfolding *unfolding, char *image, char *output)
{
    const Convolution *convolution = unfolding->convolution;
    int64_t filters = convolution->filters, window = unfolding->window;
    int status = 0;
    for (int64_t first = 0; first < unfolding->positions && status == 0; first += unfolding->rows) {
        int64_t rest = unfolding->positions - first, count = rest < unfolding->rows ? rest : unfolding->rows;
        Matrices product = {.element = unfolding->element};
        char *rows = output + first * unfolding->output_row * unfolding->itemsize;
        if (convolution->of != IMAGES)
            unfold(unfolding, image, first, count, false);
        switch (convolution->of) {
        case OUTPUT:
            product = (Matrices){unfolding->element, false, true, false, count, filters, window, window, window,
                                 unfolding->output_row, unfolding->unfolded, unfolding->filters, rows};
            break;
        case IMAGES:
            product = (Matrices){unfolding->element, false, false, false, count, window, filters, unfolding->output_row,
                                 window, window, rows, unfolding->filters, unfolding->unfolded};
            break;
        case FILTERS:
            product = (Matrices){unfolding->element, true, false, true, filters, window, count, unfolding->output_row,
                                 window, window, rows, unfolding->unfolded, unfolding->filters};
            break;
        }
        status = multiply_matrices(&product);
        if (convolution->of == IMAGES)
            unfold(unfolding, image, first, count, true);
    }
    return status;
}

static int convolve_by_products(const Convolution *convolution, void *const factors[3], enum Element element)
{
    int64_t itemsize = element == FLOAT ? 4 : 8, positions = 1, places = 1, pixels = 1;
    for (int i = 0; i < SPATIAL_AXES; i++) {
        positions *= convolution->axes[i].output;
        places *= convolution->axes[i].kernel;
        pixels *= convolution->axes[i].image;
    }
    Unfolding unfolding = {
        .convolution = convolution, .element = element, .itemsize = itemsize, .positions = positions, .places = places,
        .image_row = convolution->groups * convolution->channels,
        .output_row = convolution->groups * convolution->filters, .window = places * convolution->channels};
    int64_t row_bytes = unfolding.window * itemsize, fitting = row_bytes > 0 ? UNFOLDED_BYTES / row_bytes : positions;
    unfolding.rows = fitting < LEAST_ROWS ? LEAST_ROWS : fitting;
    int64_t filter_bytes = (convolution->filters * row_bytes + 63) / 64 * 64;
    char *memory = spare_take(filter_bytes + unfolding.rows * row_bytes);
    if (memory == NULL)
        return 1;
    unfolding.filters = memory;
    unfolding.unfolded = memory + filter_bytes;
    if (convolution->of == IMAGES)
        memset(factors[IMAGES], 0, (size_t)(convolution->batch * pixels * unfolding.image_row * itemsize));
    int status = 0;
    for (int64_t group = 0; group < convolution->groups; group++) {
        char *filters = (char *)factors[FILTERS] + group * convolution->filters * row_bytes;
        if (convolution->of == FILTERS)
            memset(unfolding.filters, 0, (size_t)filter_bytes);
        else
            turn_filters(&unfolding, filters, false);
        for (int64_t n = 0; n < convolution->batch && status == 0; n++) {
            char *image = (char *)factors[IMAGES]
                + (n * pixels * unfolding.image_row + group * convolution->channels) * itemsize;
            char *output = (char *)factors[OUTPUT]
                + (n * positions * unfolding.output_row + group * convolution->filters) * itemsize;
            status = convolve_image(&unfolding, image, output);
        }
        if (convolution->of == FILTERS)
            turn_filters(&unfolding, filters, true);
    }
    spare_give(memory);
    return status;
}

/* The routine: inputs are the two factors that are given, output is the third. */

Convolution convolution_of(const Arguments *arguments)
{
    Convolution convolution = {.of = arguments->flags[0], .filters_last = arguments->flags[1]};
    memcpy(&convolution.batch, arguments->sizes, sizeof(convolution) - offsetof(Convolution, batch));
    return convolution;
}

static int run(const Arguments *arguments)
{
    Convolution convolution = convolution_of(arguments);
    void *factors[3];
    for (int factor = 0, next = 0; factor < 3; factor++)
        factors[factor] = arguments->buffers[factor == convolution.of ? 2 : next++];
    enum Element element = element_of(arguments->types);
    if (element == FLOAT && convolve_by_dnnl(&convolution, factors, arguments->threads))
        return 0;
    return convolve_by_products(&convolution, factors, element);
}

static bool fits(const Arguments *arguments)
{
    if (arguments->flags[0] > OUTPUT)
        return false;
    Convolution convolution = convolution_of(arguments);
    int64_t itemsize = arguments->types->itemsize;
    int64_t images = multiply_saturating(convolution.batch, multiply_saturating(convolution.groups, convolution.channels));
    int64_t filters = multiply_saturating(convolution.groups,
                                          multiply_saturating(convolution.filters, convolution.channels));
    int64_t output = multiply_saturating(convolution.batch, multiply_saturating(convolution.groups, convolution.filters));
    bool valid = convolution.batch >= 0 && convolution.groups >= 1 && convolution.channels >= 0
        && convolution.filters >= 0;
    for (int i = 0; i < SPATIAL_AXES; i++) {
        const Axis *axis = &convolution.axes[i];
        valid = valid && axis->image >= 0 && axis->kernel >= 0 && axis->output >= 0 && axis->stride >= 1
            && axis->dilation >= 1;
        images = multiply_saturating(images, axis->image);
        filters = multiply_saturating(filters, axis->kernel);
        output = multiply_saturating(output, axis->output);
    }
    const int64_t elements[] = {images, filters, output};
    for (int factor = 0, next = 0; factor < 3 && valid; factor++)
        valid = elements[factor] <= arguments->bytes[factor == convolution.of ? 2 : next++] / itemsize;
    return valid;
}

static const enum LibraryFunction functions[] = {
    DNNL_ENGINE, DNNL_STREAM, DNNL_LAYOUT, DNNL_ANY_LAYOUT, DNNL_FORGET_LAYOUT, DNNL_SAME_LAYOUT, DNNL_LAYOUT_BYTES,
    DNNL_FORWARD, DNNL_BACKWARD_IMAGES, DNNL_BACKWARD_FILTERS, DNNL_REORDER, DNNL_LAYOUT_OF, DNNL_FORGET_DESCRIPTION,
    DNNL_ATTRIBUTES, DNNL_SCRATCHPAD_MODE, DNNL_PRIMITIVE, DNNL_FORGET_PRIMITIVE, DNNL_MEMORY, DNNL_FORGET_MEMORY, DNNL_EXECUTE,
    DNNL_SGEMM, SGEMM, DGEMM, NO_FUNCTION};

const RoutineKind convolution_kind = {
    .name = "convolution", .least_inputs = 2, .most_inputs = 2, .outputs = 1,
    .sizes = 4 + 6 * SPATIAL_AXES, .flags = 2, .kinds = "f", .functions = functions, .fits = fits, .run = run};
