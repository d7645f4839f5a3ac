/* What the machine can do at best: bytes read, bytes copied, and float32 multiply-adds, on all threads.

   Each function does its work `rounds` times and returns something that depends on all of it. */

#include <string.h>

/* As wide as the machine's registers, and as many accumulators as hide the latency of an addition. */
#ifdef __AVX512F__
enum { LANES = 16 };
#else
enum { LANES = 8 };
#endif
enum { CHAINS = 12 };
typedef float vector __attribute__((vector_size(4 * LANES), aligned(4)));

float read_all(const float *values, long count, long rounds) {
    float total = 0;
    for (long round = 0; round < rounds; round++) {
        #pragma omp parallel for simd reduction(+ : total) schedule(static)
        for (long i = 0; i < count; i++)
            total += values[i];
    }
    return total;
}

float copy_all(float *target, const float *source, long count, long rounds) {
    for (long round = 0; round < rounds; round++) {
        #pragma omp parallel for simd schedule(static)
        for (long i = 0; i < count; i++)
            target[i] = source[i] * 0.5f;
    }
    return target[count - 1];
}

float multiply_add(long rounds) {
    float total = 0;
    #pragma omp parallel reduction(+ : total)
    {
        vector sums[CHAINS], factor, term;
        for (int lane = 0; lane < LANES; lane++)
            factor[lane] = 0.999f, term[lane] = 0.001f;
        for (int chain = 0; chain < CHAINS; chain++)
            sums[chain] = factor * (float)chain;
        for (long round = 0; round < rounds; round++)
            for (int chain = 0; chain < CHAINS; chain++)
                sums[chain] = sums[chain] * factor + term;
        for (int chain = 0; chain < CHAINS; chain++)
            total += sums[chain][0];
    }
    return total;
}

long operations_of_a_round(void) { return 2L * LANES * CHAINS; }
