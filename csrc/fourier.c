/* Fourier transforms over all axes but the first, of numbers that are pairs along a last axis. None of them scales. Sizes
 * batch and three axes, of which the first may be 1; of real numbers the last is that of these, and half of the spectrum
 * is kept, n / 2 + 1 pairs. Threads divide the rows of an axis. */
#include "routines.h"
#include <math.h>
#include <stdlib.h>

#define AXES 3
#define LARGEST_FACTOR 31        /* of a length that is transformed factor by factor */
#define FACTORS 64
#define NEAR 16384               /* numbers that stay near the processor: so many rows side by side */
#define WIDTH 64                 /* bytes of numbers side by side, at most: a vector */
#define BLOCK 16                 /* numbers of a row that are moved at once */
#define APART 24                 /* between arrays, so that equal places do not share a place in the cache */
#define KEPT_BYTES (64 << 20)    /* of plans that are kept for later */

enum { FORWARD, BACK, REAL_FORWARD, REAL_BACK };

/* How rows of length n are transformed; `length` is n or, if that has a large factor, that of Bluestein's algorithm. */
typedef struct Plan {
    int64_t n, length, bytes;
    bool wide;                   /* of float64 */
    int users, factors[FACTORS];
    const void *roots, *turns, *chirp, *filter; /* the last two NULL without Bluestein's algorithm */
    struct Plan *next;
} Plan;

/* The rows of an axis: numbers `inner` pairs apart, of real ones beside each other. */
typedef struct {
    const Plan *plan;
    int kind;
    int64_t n, inner, lines, lanes;
    const void *from;
    void *to;
} Lines;

/* exp(-2 pi i k / of), by an angle of an eighth of a turn at most. */
static void turn(int64_t k, int64_t of, double *c, double *d)
{
    int64_t eighths = 8 * k / of, rest = eighths % 2 == 0 ? 8 * k - eighths * of : (eighths + 1) * of - 8 * k;
    double angle = M_PI / 4 * ((double)rest / (double)of), x = cos(angle), y = sin(angle);
    int64_t corner = (eighths + 1) / 2 % 4;    /* the nearest quarter of a turn, from which or to which the angle goes */
    double side = eighths % 2 == 0 ? y : -y;
    double re = corner == 0 ? x : corner == 1 ? -side : corner == 2 ? -x : side;
    double im = corner == 0 ? side : corner == 1 ? x : corner == 2 ? -side : -x;
    *c = re;
    *d = -im;
}

#define REAL float
#define NAME(name) name##_float
#include "fourier_rows.h"
#undef REAL
#undef NAME
#define REAL double
#define NAME(name) name##_double
#include "fourier_rows.h"
#undef REAL
#undef NAME

/* Plans, kept for later. */

static Plan *plans = NULL;
static int64_t kept_bytes = 0;
static pthread_mutex_t plans_lock = PTHREAD_MUTEX_INITIALIZER;

/* Fours, then the other factors; whether none of them is large. */
static bool factor(int64_t n, int *factors)
{
    int count = 0;
    for (int r = 4; n > 1 && r <= LARGEST_FACTOR; r = r == 4 ? 2 : r == 2 ? 3 : r + 2)
        for (; n % r == 0; n /= r)
            factors[count++] = r;
    factors[count] = 0;
    return n <= 1;
}

static Plan *make_plan(int64_t n, bool wide)
{
    Plan *plan = calloc(1, sizeof(Plan));
    if (plan == NULL)
        return NULL;
    *plan = (Plan){.n = n, .length = n, .wide = wide, .users = 1};
    if (!factor(n, plan->factors)) {
        plan->length = 1;
        while (plan->length < 2 * n - 1)
            plan->length *= 2;
        factor(plan->length, plan->factors);
    }
    bool direct = plan->length == n;
    int64_t numbers = 2 * (plan->length + n + 1) + (direct ? 0 : 2 * n + 6 * plan->length);
    plan->bytes = numbers * (wide ? sizeof(double) : sizeof(float));
    void *room = malloc(plan->bytes);
    if (room == NULL) {
        free(plan);
        return NULL;
    }
    if (wide)
        tables_double(plan, room);
    else
        tables_float(plan, room);
    return plan;
}

static void forget(Plan *plan)
{
    free((void *)plan->roots);
    free(plan);
}

/* Plans that nobody uses go when there are too many. */
static void forget_unused(void)
{
    for (Plan **at = &plans; *at != NULL && kept_bytes > KEPT_BYTES;) {
        Plan *plan = *at;
        if (plan->users > 0) {
            at = &plan->next;
            continue;
        }
        *at = plan->next;
        kept_bytes -= plan->bytes;
        forget(plan);
    }
}

static Plan *take_plan(int64_t n, bool wide)
{
    pthread_mutex_lock(&plans_lock);
    Plan *plan = plans;
    while (plan != NULL && (plan->n != n || plan->wide != wide))
        plan = plan->next;
    if (plan != NULL)
        plan->users++;
    else if ((plan = make_plan(n, wide)) != NULL) {
        plan->next = plans;
        plans = plan;
        kept_bytes += plan->bytes;
        forget_unused();
    }
    pthread_mutex_unlock(&plans_lock);
    return plan;
}

static void give_plan(Plan *plan)
{
    pthread_mutex_lock(&plans_lock);
    plan->users--;
    forget_unused();
    pthread_mutex_unlock(&plans_lock);
}

/* Running. */

static int transform_lines(void *const *buffers, const int64_t *sizes, int64_t begin, int64_t end, void *scratch)
{
    (void)sizes;
    const Lines *lines = buffers[0];
    for (int64_t group = begin; group < end; group++) {
        int64_t first = group * lines->lanes, left = lines->lines - first;
        int64_t lanes = left < lines->lanes ? left : lines->lanes;
        if (lines->plan->wide)
            rows_double(lines, first, lanes, scratch);
        else
            rows_float(lines, first, lanes, scratch);
    }
    return 0;
}

static int run_lines(Lines *lines, int most_threads, bool wide)
{
    bool halves = (lines->kind == REAL_FORWARD || lines->kind == REAL_BACK) && lines->n % 2 == 0;
    Plan *plan = take_plan(halves ? lines->n / 2 : lines->n, wide);
    if (plan == NULL)
        return 1;
    lines->plan = plan;
    int64_t fitting = NEAR / plan->length;
    int64_t lanes = WIDTH / (wide ? 8 : 4);
    lines->lanes = fitting < 1 ? 1 : fitting > lanes ? lanes : fitting;
    lines->lanes = lines->lanes < lines->lines ? lines->lanes : lines->lines;
    int64_t units = (lines->lines + lines->lanes - 1) / lines->lanes;
    int threads = threads_for(multiply_saturating(lines->lines, 8 * plan->length), units);
    threads = threads < most_threads ? threads : most_threads;
    int64_t bytes = (4 * (plan->length * lines->lanes + APART) * (wide ? 8 : 4) + 127) / 64 * 64;
    char *scratch = malloc(bytes * threads);
    void *buffers[] = {lines};
    int status = scratch == NULL ? 1 : threads > 1
        ? parallel_for(transform_lines, buffers, NULL, units, threads, scratch, bytes)
        : transform_lines(buffers, NULL, 0, units, scratch);
    free(scratch);
    give_plan(plan);
    return status;
}

/* The axes from `last` on backwards, of pairs: from what is given to where the spectrum is to be. */
static int run_axes(const Arguments *arguments, int kind, int last, int64_t kept, const void *from, void *to)
{
    const int64_t *sizes = arguments->sizes;
    int64_t inner = last == AXES ? 1 : kept, outer = sizes[0];
    for (int axis = 1; axis <= last; axis++)
        outer *= sizes[axis];
    for (int axis = last; axis >= 1; axis--) {
        int64_t n = sizes[axis];
        outer /= n;
        Lines lines = {.kind = kind, .n = n, .inner = inner, .lines = outer * inner, .from = from, .to = to};
        /* An axis of size 1 is its own transform, but the first of them moves the numbers. */
        int status = n == 1 && from == to ? 0 : run_lines(&lines, arguments->threads, arguments->types->itemsize == 8);
        if (status != 0)
            return status;
        from = to;
        inner *= n;
    }
    return 0;
}

static int run_real(const Arguments *arguments, int kind, int64_t kept)
{
    const int64_t *sizes = arguments->sizes;
    int64_t rows = sizes[0] * sizes[1] * sizes[2], itemsize = arguments->types->itemsize;
    const void *given = arguments->buffers[0];
    void *made = arguments->buffers[arguments->input_count], *between = NULL;
    bool several = sizes[1] > 1 || sizes[2] > 1;
    Lines lines = {.kind = kind, .n = sizes[AXES], .inner = 1, .lines = rows, .from = given, .to = made};
    int status = 0;
    if (kind == REAL_BACK && several) {
        lines.from = between = malloc(2 * rows * kept * itemsize);
        status = between == NULL ? 1 : run_axes(arguments, BACK, AXES - 1, kept, given, between);
    }
    if (status == 0)
        status = run_lines(&lines, arguments->threads, itemsize == 8);
    if (status == 0 && kind == REAL_FORWARD && several)
        status = run_axes(arguments, FORWARD, AXES - 1, kept, made, made);
    free(between);
    return status;
}

static int run(const Arguments *arguments)
{
    int kind = arguments->flags[0];
    const int64_t *sizes = arguments->sizes;
    if (sizes[0] == 0 || sizes[1] == 0 || sizes[2] == 0 || sizes[3] == 0)
        return 0;
    if (kind == REAL_FORWARD || kind == REAL_BACK)
        return run_real(arguments, kind, sizes[AXES] / 2 + 1);
    return run_axes(arguments, kind, AXES, sizes[AXES], arguments->buffers[0], arguments->buffers[1]);
}

static bool fits(const Arguments *arguments)
{
    const int64_t *sizes = arguments->sizes;
    const Type *type = arguments->types;
    int kind = arguments->flags[0];
    if (kind < FORWARD || kind > REAL_BACK || sizes[0] < 0 || sizes[1] < 0 || sizes[2] < 0 || sizes[3] < 0
        || sizes[3] > INT32_MAX || sizes[2] > INT32_MAX || sizes[1] > INT32_MAX)
        return false;
    int64_t rows = multiply_saturating(sizes[0], multiply_saturating(sizes[1], sizes[2]));
    int64_t whole = kind <= BACK ? multiply_saturating(2, sizes[3]) : sizes[3], half = 2 * (sizes[3] / 2 + 1);
    return matrices_fit(arguments->bytes[0], type, 1, rows, kind == REAL_BACK ? half : whole)
        && matrices_fit(arguments->bytes[1], type, 1, rows, kind == REAL_FORWARD ? half : whole);
}

static const enum LibraryFunction none[] = {NO_FUNCTION};

const RoutineKind fourier_kind = {
    .name = "fourier", .least_inputs = 1, .most_inputs = 1, .outputs = 1, .sizes = 4, .flags = 1, .kinds = "f",
    .functions = none, .fits = fits, .run = run};
