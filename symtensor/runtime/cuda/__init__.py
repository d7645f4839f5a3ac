"""CUDA: devices, kernels and the software driver that stands in for a GPU."""
