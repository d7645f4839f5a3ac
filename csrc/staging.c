/* Page-locked memory of the processor, through which values go to and come from a device.
 *
 * Only from and to such memory does the driver queue a copy as it queues a launch; for any other it first waits for all
 * that is queued. On the way to the device values go through pieces that take turns, each with an event after the last
 * copy out of it; what comes back is in a block of its own until the call has waited for it.
 */
#include "core.h"

#include <pthread.h>

#define PIECES 8
#define PIECE_BYTES (1 << 20)
#define SMALLEST_BLOCK 4096
#define LARGEST_BLOCK (64 << 20)
#define FOR_ALL_CONTEXTS 1       /* CU_MEMHOSTALLOC_PORTABLE */

typedef struct {
    char *memory;
    int64_t filled;
    void *event;
} StagePiece;

struct Staging {
    pthread_mutex_t lock;        /* calls queue work without the GIL */
    StagePiece pieces[PIECES];
    int current;
    Piece *idle;                 /* blocks that nothing comes to */
    int idle_count, idle_room;
    int64_t bytes;               /* of all pieces and blocks */
};

Staging *staging_new(void)
{
    Staging *staging = PyMem_RawCalloc(1, sizeof(Staging));
    if (staging != NULL)
        pthread_mutex_init(&staging->lock, NULL);
    return staging;
}

int64_t staging_bytes(const Staging *staging)
{
    return staging->bytes;
}

static void *locked_memory(Staging *staging, int64_t bytes)
{
    void *memory = NULL;
    if (driver.cuMemHostAlloc(&memory, (size_t)bytes, FOR_ALL_CONTEXTS) != 0)
        return NULL;
    staging->bytes += bytes;
    return memory;
}

/* The piece that has room, emptied if it must be; NULL if there is no memory for it. */
static StagePiece *piece_with_room(Staging *staging, Status *status)
{
    StagePiece *piece = &staging->pieces[staging->current];
    if (piece->filled >= PIECE_BYTES) {
        staging->current = (staging->current + 1) % PIECES;
        piece = &staging->pieces[staging->current];
        if (piece->memory != NULL)
            *status = driver.cuEventSynchronize(piece->event);
        piece->filled = 0;
    }
    if (piece->event == NULL && *status == 0)
        *status = driver.cuEventCreate(&piece->event, 2); /* without times */
    if (piece->memory == NULL && *status == 0)
        piece->memory = locked_memory(staging, PIECE_BYTES);
    return piece->memory == NULL ? NULL : piece;
}

Status staging_upload(Device *device, Address target, const char *source, int64_t bytes)
{
    Staging *staging = device->staging;
    Status status = 0;
    pthread_mutex_lock(&staging->lock);
    while (bytes > 0 && status == 0) {
        StagePiece *piece = piece_with_room(staging, &status);
        if (status != 0)
            break;
        if (piece == NULL) {     /* as it is, then */
            status = driver.cuMemcpyHtoDAsync_v2(target, source, (size_t)bytes, device->stream);
            break;
        }
        int64_t part = PIECE_BYTES - piece->filled < bytes ? PIECE_BYTES - piece->filled : bytes;
        char *staged = piece->memory + piece->filled;
        memcpy(staged, source, (size_t)part);
        status = driver.cuMemcpyHtoDAsync_v2(target, staged, (size_t)part, device->stream);
        if (status == 0)
            status = driver.cuEventRecord(piece->event, device->stream);
        piece->filled += (part + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        target += (Address)part;
        source += part;
        bytes -= part;
    }
    pthread_mutex_unlock(&staging->lock);
    return status;
}

static int64_t block_bytes(int64_t bytes)
{
    int64_t room = SMALLEST_BLOCK;
    while (room < bytes)
        room *= 2;
    return room;
}

static void *take_block(Device *device, int64_t bytes)
{
    Staging *staging = device->staging;
    int64_t room = block_bytes(bytes);
    void *memory = NULL;
    pthread_mutex_lock(&staging->lock);
    for (int i = 0; i < staging->idle_count && memory == NULL; i++)
        if (staging->idle[i].bytes == room) {
            memory = (void *)(uintptr_t)staging->idle[i].address;
            staging->idle[i] = staging->idle[--staging->idle_count];
        }
    if (memory == NULL)
        memory = locked_memory(staging, room);
    pthread_mutex_unlock(&staging->lock);
    return memory;
}

static void give_block(Device *device, void *memory, int64_t bytes)
{
    Staging *staging = device->staging;
    pthread_mutex_lock(&staging->lock);
    if (staging->idle_count == staging->idle_room) {
        int room = 2 * staging->idle_room + 16;
        Piece *idle = PyMem_RawRealloc(staging->idle, room * sizeof(Piece));
        if (idle != NULL) {
            staging->idle = idle;
            staging->idle_room = room;
        }
    }
    if (staging->idle_count < staging->idle_room) /* else it is lost to this process */
        staging->idle[staging->idle_count++] = (Piece){(Address)(uintptr_t)memory, block_bytes(bytes)};
    pthread_mutex_unlock(&staging->lock);
}

/* Give back blocks that nothing comes to. The context is current. */
void staging_trim(Staging *staging)
{
    pthread_mutex_lock(&staging->lock);
    for (int i = 0; i < staging->idle_count; i++) {
        driver.cuMemFreeHost((void *)(uintptr_t)staging->idle[i].address);
        staging->bytes -= staging->idle[i].bytes;
    }
    staging->idle_count = 0;
    pthread_mutex_unlock(&staging->lock);
}

/* What a call expects. */

static bool room_for_arrival(Arrivals *arrivals)
{
    if (arrivals->count < arrivals->room)
        return true;
    int room = 2 * arrivals->room + 4;
    Arrival *items = PyMem_RawRealloc(arrivals->items, room * sizeof(Arrival));
    if (items == NULL)
        return false;
    arrivals->items = items;
    arrivals->room = room;
    return true;
}

Status staging_download(Device *device, Arrivals *arrivals, void *target, Address source, int64_t bytes)
{
    void *staged = bytes <= LARGEST_BLOCK && room_for_arrival(arrivals) ? take_block(device, bytes) : NULL;
    if (staged == NULL)
        return driver.cuMemcpyDtoHAsync_v2(target, source, (size_t)bytes, device->stream);
    arrivals->items[arrivals->count++] = (Arrival){device, staged, target, bytes};
    return driver.cuMemcpyDtoHAsync_v2(staged, source, (size_t)bytes, device->stream);
}

void arrivals_end(Arrivals *arrivals, bool deliver)
{
    for (int i = 0; i < arrivals->count; i++) {
        Arrival *one = &arrivals->items[i];
        if (deliver)
            memcpy(one->target, one->staged, (size_t)one->bytes);
        give_block(one->device, one->staged, one->bytes);
    }
    arrivals->count = 0;
}
