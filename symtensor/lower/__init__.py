"""From a graph to a program: grouping into kernels, the kernel IR, memory, instructions."""
