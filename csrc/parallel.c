/* A parallel-for over chunks, on the threads of libgomp (which oneDNN uses too). */
#include "core.h"

#ifdef _OPENMP
#include <omp.h>
#endif

static int thread_limit = 1;

int threads_get(void)
{
    return thread_limit;
}

void threads_set(int threads)
{
    int cores = 1;
#ifdef _OPENMP
    cores = omp_get_num_procs();
#endif
    thread_limit = threads > 0 ? threads : cores;
}

int threads_for(int64_t work, int64_t units)
{
    if (work < PARALLEL_WORK)
        return 1;
    int64_t threads = work / THREAD_WORK;
    threads = threads < thread_limit ? threads : thread_limit;
    threads = threads < units ? threads : units;
    return threads < 1 ? 1 : (int)threads;
}

#ifdef _OPENMP

static int64_t chunk_begin(int64_t units, int threads, int thread)
{
    int64_t share = units / threads, rest = units % threads;
    return thread * share + (thread < rest ? thread : rest);
}

int parallel_for(Kernel kernel, void *const *buffers, const int64_t *sizes, int64_t units, int threads,
                 char *scratch, int64_t scratch_bytes)
{
    int first_failed = threads, first_status = 0;
#pragma omp parallel num_threads(threads)
    {
        int thread = omp_get_thread_num(), count = omp_get_num_threads();
        int64_t begin = chunk_begin(units, count, thread), end = chunk_begin(units, count, thread + 1);
        char *own = scratch == NULL ? NULL : scratch + thread * scratch_bytes;
        int status = begin < end ? kernel(buffers, sizes, begin, end, own) : 0;
        if (status != 0) {
#pragma omp critical(symtensor_status)
            if (thread < first_failed) {
                first_failed = thread;
                first_status = status;
            }
        }
    }
    return first_status;
}

int threads_lend(int threads)
{
    int before = omp_get_max_threads();
    if (before != threads)
        omp_set_num_threads(threads);
    return before;
}

void threads_take_back(int before, int threads)
{
    if (before != threads)
        omp_set_num_threads(before);
}

/* The pool of threads does not survive a fork, and a child that used it would wait for ever. It is given up
 * before a fork, and made again when next needed. */
static void before_fork(void)
{
#if defined(__GNUC__) && !defined(__clang__)
    omp_pause_resource_all(omp_pause_hard);
#endif
}

#else

int parallel_for(Kernel kernel, void *const *buffers, const int64_t *sizes, int64_t units, int threads,
                 char *scratch, int64_t scratch_bytes)
{
    (void)threads;
    (void)scratch_bytes;
    return kernel(buffers, sizes, 0, units, scratch);
}

int threads_lend(int threads)
{
    return threads;
}

void threads_take_back(int before, int threads)
{
    (void)before;
    (void)threads;
}

static void before_fork(void)
{
}

#endif

void threads_prepare_for_forks(void)
{
#ifndef _WIN32
    pthread_atfork(before_fork, NULL, NULL);
#endif
}
