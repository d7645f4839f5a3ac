"""Kernels for CUDA devices: a kernel of each form as a function that a grid of threads runs."""
