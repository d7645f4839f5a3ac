/* The packing of a segment's buffers in arenas, one for the processor and for each device: best fit over their lives.
 *
 * An arena is a row of blocks, free or in use. Free blocks are kept in classes by the power of two below
 * their size, so that finding one is fast however many there are: the best of the first few in the class
 * of the size wanted, else in the next class that has any, else the arena grows.
 */
#include "core.h"

#define CLASSES 64
#define LOOKED_AT 32             /* blocks of a class that are compared */
#define NONE -1

typedef struct {
    int64_t offset, size;
    int before, after;           /* the blocks beside it in the arena */
    int previous, next;          /* in its class, when free; `next` also links unused blocks */
    bool is_free;
} ArenaBlock;

struct Layout {
    ArenaBlock *blocks;
    int *block_of;               /* of each buffer alive */
    int unused;                  /* the first of a list */
    int last;                    /* the block at the end of the arena */
    int classes[CLASSES];        /* the first of a list */
    uint64_t filled;             /* a bit for each class that has blocks */
};

Layout *layout_new(const Machine *machine)
{
    Layout *layout = PyMem_RawCalloc(1, sizeof(Layout));
    if (layout == NULL)
        return PyErr_NoMemory(), NULL;
    layout->blocks = PyMem_RawCalloc(2 * (size_t)machine->arena_count + 1, sizeof(ArenaBlock));
    layout->block_of = PyMem_RawCalloc((size_t)machine->buffer_count + 1, sizeof(int));
    if (layout->blocks == NULL || layout->block_of == NULL) {
        layout_free(layout);
        return PyErr_NoMemory(), NULL;
    }
    return layout;
}

void layout_free(Layout *layout)
{
    PyMem_RawFree(layout->blocks);
    PyMem_RawFree(layout->block_of);
    PyMem_RawFree(layout);
}

static int class_of(int64_t size)
{
    return 63 - __builtin_clzll((unsigned long long)size);
}

static void make_free(Layout *layout, int number)
{
    ArenaBlock *block = &layout->blocks[number];
    int class = class_of(block->size);
    block->is_free = true;
    block->previous = NONE;
    block->next = layout->classes[class];
    if (block->next != NONE)
        layout->blocks[block->next].previous = number;
    layout->classes[class] = number;
    layout->filled |= UINT64_C(1) << class;
}

static void make_used(Layout *layout, int number)
{
    ArenaBlock *block = &layout->blocks[number];
    int class = class_of(block->size);
    block->is_free = false;
    if (block->next != NONE)
        layout->blocks[block->next].previous = block->previous;
    if (block->previous != NONE)
        layout->blocks[block->previous].next = block->next;
    else
        layout->classes[class] = block->next;
    if (layout->classes[class] == NONE)
        layout->filled &= ~(UINT64_C(1) << class);
}

/* The smallest block of a class, among the first few, that has `size`. */
static int best_of_class(const Layout *layout, int class, int64_t size)
{
    int best = NONE;
    int number = layout->classes[class];
    for (int looked = 0; number != NONE && looked < LOOKED_AT; looked++) {
        int64_t room = layout->blocks[number].size;
        if (room >= size && (best == NONE || room < layout->blocks[best].size))
            best = number;
        number = layout->blocks[number].next;
    }
    return best;
}

static int find_free(const Layout *layout, int64_t size)
{
    int class = class_of(size);
    int best = best_of_class(layout, class, size);
    uint64_t larger = layout->filled & ~((UINT64_C(2) << class) - 1);
    if (best == NONE && larger != 0)
        best = best_of_class(layout, __builtin_ctzll(larger), size);
    return best;
}

/* A new block between `before` and `after`. */
static int insert_block(Layout *layout, int before, int after, int64_t offset, int64_t size)
{
    int number = layout->unused;
    ArenaBlock *block = &layout->blocks[number];
    layout->unused = block->next;
    block->offset = offset;
    block->size = size;
    block->before = before;
    block->after = after;
    block->is_free = false;
    if (before != NONE)
        layout->blocks[before].after = number;
    if (after != NONE)
        layout->blocks[after].before = number;
    else
        layout->last = number;
    return number;
}

static void remove_block(Layout *layout, int number)
{
    ArenaBlock *block = &layout->blocks[number];
    if (block->before != NONE)
        layout->blocks[block->before].after = block->after;
    if (block->after != NONE)
        layout->blocks[block->after].before = block->before;
    else
        layout->last = block->before;
    block->next = layout->unused;
    layout->unused = number;
}

/* A block of `size` at the end of the arena, growing the free one that may be there. */
static int grow(Layout *layout, int64_t size)
{
    int last = layout->last;
    if (last != NONE && layout->blocks[last].is_free) {
        make_used(layout, last);
        layout->blocks[last].size = size;
        return last;
    }
    int64_t end = last == NONE ? 0 : layout->blocks[last].offset + layout->blocks[last].size;
    return insert_block(layout, last, NONE, end, size);
}

static int64_t place(Layout *layout, int buffer, int64_t size)
{
    int number = find_free(layout, size);
    if (number == NONE) {
        number = grow(layout, size);
    } else {
        ArenaBlock *block = &layout->blocks[number];
        make_used(layout, number);
        int64_t rest = block->size - size;
        block->size = size;
        if (rest > 0)
            make_free(layout, insert_block(layout, number, block->after, block->offset + size, rest));
    }
    layout->block_of[buffer] = number;
    return layout->blocks[number].offset;
}

/* Give a block back, joined with the free ones beside it. */
static void give_back(Layout *layout, int number)
{
    ArenaBlock *blocks = layout->blocks;
    int before = blocks[number].before, after = blocks[number].after;
    if (after != NONE && blocks[after].is_free) {
        make_used(layout, after);
        blocks[number].size += blocks[after].size;
        remove_block(layout, after);
    }
    if (before != NONE && blocks[before].is_free) {
        make_used(layout, before);
        blocks[before].size += blocks[number].size;
        remove_block(layout, number);
        number = before;
    }
    make_free(layout, number);
}

static void clear(Layout *layout, int arena_count)
{
    layout->unused = 0;
    layout->last = NONE;
    layout->filled = 0;
    for (int i = 0; i < 2 * arena_count + 1; i++)
        layout->blocks[i].next = i + 1;
    for (int i = 0; i < CLASSES; i++)
        layout->classes[i] = NONE;
}

static int layout_place(Layout *layout, const Machine *machine, Binding *binding, int number, int device)
{
    const Segment *segment = &machine->segments[number];
    const int64_t alignment = device > 0 ? DEVICE_ALIGNMENT : ALIGNMENT;
    int64_t end = 0;
    if (segment->events.count > 0)
        clear(layout, machine->arena_count);
    for (int i = 0; i < segment->events.count; i++) {
        int event = segment->events.items[i];
        int buffer = event >= 0 ? event : ~event;
        if (machine->buffers[buffer].device != device)
            continue;
        int64_t bytes = binding->bytes[buffer];
        if (event < 0 && bytes > 0)
            give_back(layout, layout->block_of[buffer]);
        if (event < 0)
            continue;
        int64_t size = (bytes + alignment - 1) / alignment * alignment;
        if (end > INT64_MAX / 2 - size)
            return buffer;
        binding->offsets[buffer] = bytes > 0 ? place(layout, buffer, size) : 0;
        if (binding->offsets[buffer] + size > end)
            end = binding->offsets[buffer] + size;
    }
    *arena_bytes(machine, binding, number, device) = end;
    return NONE;
}

int layout_segment(Layout *layout, const Machine *machine, Binding *binding, int number)
{
    int unplaced = NONE;
    for (int device = 0; device <= machine->device_count && unplaced == NONE; device++)
        unplaced = layout_place(layout, machine, binding, number, device);
    return unplaced;
}
