/* Sorting of rows side by side: network.h for each width of keys. */
#include "order.h"

#define KEY uint32_t
#define NAME(name) name##_32
#include "network.h"

#define KEY uint64_t
#define NAME(name) name##_64
#include "network.h"
