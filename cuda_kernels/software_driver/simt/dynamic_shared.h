// Dynamic shared memory of a module, as much as a block may have where the text has any. Not in simt.h, which is
// precompiled for all.
#pragma once

extern "C" { __thread char simt_dynamic_shared[SIMT_DYNAMIC_SHARED] __attribute__((aligned(128))); }
