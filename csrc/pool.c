/* Memory taken in many small pieces and freed all at once. */
#include "core.h"

#define CHUNK_BYTES 2000
#define PIECE_ALIGNMENT 16

typedef struct Chunk {
    struct Chunk *next;
    char *padding;               /* keeps what follows aligned */
} Chunk;

void *pool_take(Pool *pool, size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX / 2) / size)
        return PyErr_NoMemory();
    size_t bytes = (count * size + PIECE_ALIGNMENT) / PIECE_ALIGNMENT * PIECE_ALIGNMENT; /* never 0 */
    if (bytes > pool->left) {
        size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        Chunk *chunk = PyMem_RawCalloc(1, sizeof(Chunk) + room);
        if (chunk == NULL)
            return PyErr_NoMemory();
        chunk->next = pool->chunks;
        pool->chunks = chunk;
        pool->next = (char *)(chunk + 1);
        pool->left = room;
    }
    void *piece = pool->next;
    pool->next += bytes;
    pool->left -= bytes;
    return piece;
}

void pool_free(Pool *pool)
{
    while (pool->chunks != NULL) {
        Chunk *chunk = pool->chunks;
        pool->chunks = chunk->next;
        PyMem_RawFree(chunk);
    }
    pool->next = NULL;
    pool->left = 0;
}
