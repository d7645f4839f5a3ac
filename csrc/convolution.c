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

/* Where the window's place `place` is in an image for the output's place `position`; -1 if it is outside. */
static int64_t place_in_image(const Convolution *convolution, int64_t position, int64_t place)
{
    int64_t found = 0, scale = 1;
    for (int i = SPATIAL_AXES - 1; i >= 0; i--) {
        const Axis *axis = &convolution->axes[i];
        int64_t own = position % axis->output * axis->stride + place % axis->kernel * axis->dilation - axis->low;
        if (own < 0 || own >= axis->image)
            return -1;
        found += own * scale;
        scale *= axis->image;
        position /= axis->output;
        place /= axis->kernel;
    }
    return found;
}

/* Rows first..first + count of the unfolded image, read from the image, or added to it. */
static void unfold(const Unfolding *unfolding, char *image, int64_t first, int64_t count, bool back)
{
    int64_t channels = unfolding->convolution->channels, bytes = channels * unfolding->itemsize;
    char *own = unfolding->unfolded;
    for (int64_t position = first; position < first + count; position++)
        for (int64_t place = 0; place < unfolding->places; place++, own += bytes) {
            int64_t found = place_in_image(unfolding->convolution, position, place);
            char *there = image + found * unfolding->image_row * unfolding->itemsize;
            if (back && found >= 0)
                add_all(unfolding->element, there, own, channels);
            else if (!back && found >= 0)
                memcpy(own, there, (size_t)bytes);
            else if (!back)
                memset(own, 0, (size_t)bytes);
        }
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
