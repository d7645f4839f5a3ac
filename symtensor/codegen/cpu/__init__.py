"""Kernels for processors: a kernel of each form as a C function that does some of its units on one thread."""
