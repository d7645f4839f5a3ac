extern "C" __attribute__((visibility("default"))) void simt_fence() {}
