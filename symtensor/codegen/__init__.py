"""From kernels to machine code: the printers of the kernel IR, the C compiler, the cache on disk."""
