/* Positions of the first few of rows in order, or with LARGEST of the last few, the last first; of equal ones the first
 * comes first. Sizes outer, n, inner, and how many are wanted. Threads divide the rows. */
#include "order.h"

#define BLOCK 512                /* elements whose keys are made at once */
#define PART 64                  /* elements that are passed over at once if none of them is wanted */

enum { COUNTS = sizeof(uint32_t) << DIGIT };
enum { LARGEST };

typedef struct {
    const Type *type;
    Rows rows;
    int64_t wanted, room;        /* room for so many candidates */
    bool largest;
} Selection;

#define KEY uint32_t
#define ARGSORT argsort_32
#define NAME(name) name##_32
#include "select.h"

#define KEY uint64_t
#define ARGSORT argsort_64
#define NAME(name) name##_64
#include "select.h"

static Selection selection_of(const Arguments *arguments)
{
    const int64_t *sizes = arguments->sizes;
    Selection selection = {.type = arguments->types, .rows = {sizes[0], sizes[1], sizes[2]}, .wanted = sizes[3],
                           .largest = arguments->flags[LARGEST]};
    int64_t bytes = 24 + 2 * (has_wide_keys(selection.type) ? 8 : 4);
    selection.room = (arguments->scratch_bytes - COUNTS) / bytes;
    return selection;
}

static int select_rows(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes;
    const Arguments *arguments = buffers[0];
    Selection selection = selection_of(arguments);
    Rows rows = selection.rows;
    for (int64_t i = begin; i < end; i++) {
        int64_t outer = i / rows.inner, first = i % rows.inner;
        const char *x = (const char *)arguments->buffers[0]
                        + (outer * rows.n * rows.inner + first) * selection.type->itemsize;
        int64_t *result = (int64_t *)arguments->buffers[1] + outer * selection.wanted * rows.inner + first;
        if (has_wide_keys(selection.type))
            select_64(&selection, x, result, scratch);
        else
            select_32(&selection, x, result, scratch);
    }
    return 0;
}

static int run(const Arguments *arguments)
{
    const int64_t *sizes = arguments->sizes;
    void *buffers[] = {(void *)arguments};
    int64_t units = sizes[0] * sizes[2];
    if (sizes[3] == 0 || units == 0)
        return 0;
    int threads = threads_for(multiply_saturating(sizes[1], units), units);
    threads = threads < arguments->threads ? threads : arguments->threads;
    return threads > 1 ? parallel_for(select_rows, buffers, NULL, units, threads, arguments->scratch,
                                      arguments->scratch_bytes)
                       : select_rows(buffers, NULL, 0, units, arguments->scratch);
}

static bool fits(const Arguments *arguments)
{
    const int64_t *sizes = arguments->sizes;
    int64_t count = sizes[0] < 0 || sizes[2] < 0 ? -1 : multiply_saturating(sizes[0], sizes[2]);
    int64_t room = arguments->scratch_bytes < COUNTS ? -1 : selection_of(arguments).room;
    return matrices_fit(arguments->bytes[0], &arguments->types[0], 1, count, sizes[1])
        && matrices_fit(arguments->bytes[1], &arguments->types[1], 1, count, sizes[3])
        && sizes[3] <= sizes[1] && sizes[1] <= MOST_SORTED
        && (count == 0 || room >= add_saturating(sizes[3], BLOCK));
}

static const enum LibraryFunction none[] = {NO_FUNCTION};

const RoutineKind select_kind = {
    .name = "select", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 4, .flags = 1, .long_positions = 2,
    .kinds = "biufB", .any_width = true, .functions = none, .fits = fits, .run = run};
