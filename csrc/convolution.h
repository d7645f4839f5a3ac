/* Convolutions: what the routine and its ways to compute one have in common. */
#ifndef SYMTENSOR_CONVOLUTION_H
#define SYMTENSOR_CONVOLUTION_H

#include "routines.h"

#define SPATIAL_AXES 3

enum Factor { IMAGES, FILTERS, OUTPUT };

typedef struct {
    int64_t image, kernel, output, stride, dilation, low;
} Axis;

/* The sum of output[n, o, f] filters[f, c, k] images[n, o * stride + k * dilation - low, c], of which the factor `of` is
 * computed from the two others. Images and output have their channels last; filters lie as [f, c, k], or, with
 * `filters_last`, as [f, k, c]. The flags of the routine are `of` and that; its sizes are these numbers, from `batch` on. */
typedef struct {
    int64_t of, filters_last;
    int64_t batch, groups, channels, filters; /* channels and filters of one group */
    Axis axes[SPATIAL_AXES];
} Convolution;

Convolution convolution_of(const Arguments *arguments);

/* Memory that calls of routines take for a while; it is kept for the next. NULL if there is none. */
char *spare_take(int64_t bytes);
void spare_give(char *memory);

/* By oneDNN; whether it could. */
bool convolve_by_dnnl(const Convolution *convolution, void *const factors[3], int threads);

#endif
