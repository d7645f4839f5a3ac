// What the parts of the driver know of each other. Every entry of the API is a call of `entry`, which holds the one
// lock of the driver, turns a thrown Failure into the entry's result, and keeps its text for cuGetErrorString.
#pragma once
#include "../simt/module.h"
#include "abi.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#define API extern "C" __attribute__((visibility("default"))) CUresult

namespace software {

// -- settings -----------------------------------------------------------------------------------------------------

enum class Mode { fast, shuffled, guard, check };

struct Settings {
    Mode mode = Mode::fast;
    int devices = 1;
    size_t memory = size_t(4) << 30;  // of each device
    int workers = 0;                  // 0: one for each core
    uint64_t seed = 1;
    double seconds = 60;              // a launch that takes longer is ended; 0: never
};

extern Settings settings;
const char *mode_name(Mode mode);

// A counter-based generator: orders and choices are the same in every run with the same seed.
struct Random {
    uint64_t state;
    uint64_t next();
    size_t below(size_t n) { return size_t((unsigned __int128)(next()) * n >> 64); }
    std::vector<unsigned> permutation(size_t n);
};

// -- failures -----------------------------------------------------------------------------------------------------

struct Failure {
    CUresult code;
    std::string text;  // beyond the standard text of the code
};

[[noreturn]] void fail(CUresult code, const char *format, ...) __attribute__((format(printf, 2, 3)));
std::string format(const char *format, ...) __attribute__((format(printf, 1, 2)));
const char *result_text(CUresult code);
void remember(const char *name, const Failure &failure) noexcept;
CUresult call(const char *name, const std::function<void()> &body) noexcept;

// Bodies of entries: `entry` for those that need cuInit, `working` for those that need a context without an error.
CUresult entry(const char *name, const std::function<void()> &body) noexcept;
CUresult working(const char *name, const std::function<void(Context &)> &body) noexcept;

// -- devices, contexts --------------------------------------------------------------------------------------------

struct Allocation {
    char *address;
    size_t size;
    char *pages;       // the range of pages it lives in
    size_t page_bytes;
    int device;        // -1: memory of the host
    bool managed = false;
    Context *owner = nullptr;
    unsigned flags = 0;
    void *shadow = nullptr;   // of check mode
    size_t shadow_bytes = 0;
};

struct Device {
    int number = 0;
    Context *primary = nullptr;
    int retained = 0;
    char *arena = nullptr;     // addresses of the device's memory
    size_t arena_bytes = 0, arena_next = 0;
    size_t used = 0;
    std::multimap<size_t, char *> free_ranges;  // by size
};

struct Context {
    int device;
    Mode mode;
    int references = 1;
    bool alive = true;
    unsigned flags = 0;
    CUresult broken = CUDA_SUCCESS;   // an error that stays
    std::string broken_text;
    size_t limits[8] = {64 << 10, 1 << 20, 8 << 20, 2, 2048, 128, 0, 0};
    unsigned cache_preference = 0, shared_banks = 1;
    std::vector<Stream *> streams;
    std::vector<std::unique_ptr<Stream>> owned_streams;
    std::vector<Module *> modules;
    std::vector<int> peers;
    std::unique_ptr<Stream> null_stream;
    Random random{1};
    ~Context();
};

extern std::vector<Device> devices;
Device &device_of(int number);
Context &current();         // raises where there is none
Context *current_or_null();
void make_current(Context *context);

// -- memory -------------------------------------------------------------------------------------------------------

extern std::map<char *, Allocation> allocations;  // by address
Allocation *allocation_of(const void *address);   // the one that holds this address, or null
Allocation *nearest_allocation(const void *address);
Allocation &allocate(Context &context, size_t bytes, bool managed);
Allocation &allocate_host(size_t bytes);
void release(Allocation &allocation);
void check_range(const void *address, size_t bytes, const char *what);  // raises for memory that is no device's
bool is_pinned(const void *address, size_t bytes);

// Device memory that the host may touch for the length of a copy or launch: protected otherwise in guard and check.
struct Opened {
    std::vector<Allocation *> opened;
    void open(Allocation *allocation);
    explicit Opened(bool everything);
    explicit Opened(std::initializer_list<const void *> addresses);
    ~Opened();
    Opened(const Opened &) = delete;
};
bool is_protected(const Allocation &allocation);
void release_memory_of(Context &context);

// -- streams ------------------------------------------------------------------------------------------------------

struct Operation {
    std::function<void()> run;
    std::vector<std::shared_ptr<Operation>> after;
    bool done = false;
    double finished = 0;  // milliseconds
};
using Work = std::shared_ptr<Operation>;

struct Stream {
    Stream(Context *context, unsigned flags = 0, int priority = 0)
        : context(context), flags(flags), priority(priority) {}
    Context *context;
    unsigned flags;
    int priority;
    Work last;
    std::vector<Work> waits;  // of the next operation, from cuStreamWaitEvent
    std::vector<Work> pending;
};

struct Event {
    Event(Context *context, unsigned flags) : context(context), flags(flags) {}
    Context *context;
    unsigned flags;
    Work recorded;
};

Stream &stream_of(Context &context, CUstream handle);
Work enqueue(Context &context, CUstream handle, std::function<void()> run);
void finish(Context &context, const Work &work);
void finish_stream(Stream &stream);
void finish_all(Context &context);
bool deferred(const Context &context);
// Runs at once, after all that a synchronous call waits for.
void run_now(Context &context, const std::function<void()> &run);

// -- arrays, textures ---------------------------------------------------------------------------------------------

struct Array {
    CUDA_ARRAY3D_DESCRIPTOR shape;
    size_t element;  // bytes
    Allocation *memory;
    size_t pitch() const { return shape.Width * element; }
    size_t height() const { return shape.Height ? shape.Height : 1; }
    size_t depth() const { return shape.Depth ? shape.Depth : 1; }
};

struct Texture {
    simt::Image own{};             // of one that no module declares
    simt::Image *image = &own;
    Array *array = nullptr;
    unsigned format = 0x20, channels = 1, flags = 0;
};

// -- modules, launches --------------------------------------------------------------------------------------------

struct Symbol {
    char *address;
    size_t size;
    bool function;
    bool local_storage;  // thread-local: shared memory
};

struct Module {
    Context *context;
    const unsigned number = next_number();  // of all there ever were
    void *library = nullptr;
    const simt::ModuleTable *table = nullptr;
    std::string image;              // as it was given
    char *base = nullptr;
    size_t shared_bytes = 0;        // of all its static shared variables
    size_t dynamic_offset = 0;      // in the shared memory
    std::vector<std::pair<char *, char *>> segments;  // of its data
    std::map<std::string, Symbol> symbols;
    std::map<std::string, std::unique_ptr<Function>> functions;
    std::map<std::string, std::unique_ptr<Texture>> textures;
    ~Module();
    static unsigned next_number();
};

struct Function {
    Function(Module *module, const simt::Kernel *kernel, size_t static_shared)
        : module(module), kernel(kernel), static_shared(static_shared) {}
    Module *module;
    const simt::Kernel *kernel;
    size_t static_shared;
    size_t most_dynamic_shared = 48 << 10;
    // cuParamSet* and cuLaunchGrid, the entries of before cuLaunchKernel
    uint3 block{1, 1, 1};
    size_t shared = 0;
    std::vector<char> arguments;
};

struct Launch {
    Function *function;
    uint3 blocks, threads;
    size_t dynamic_shared;
    std::vector<char> values;       // of the arguments
    std::vector<void *> arguments;  // pointers to them
    uint32_t number = 0;            // of this launch in the process
    size_t block_count() const { return size_t(blocks.x) * blocks.y * blocks.z; }
    unsigned thread_count() const { return threads.x * threads.y * threads.z; }
};

void load(Module &module, const void *image);

// A file in memory with a module's image, for the length of a block; other processes may read it by its path.
struct ImageFile {
    explicit ImageFile(const Module &module);
    ~ImageFile();
    ImageFile(const ImageFile &) = delete;
    int number;
    std::string path;
};
std::vector<std::pair<char *, char *>> data_segments();  // of all modules
struct Shared { char *begin, *end, *dynamic; };
Shared shared_of_worker(const Module &module);
std::string source_line(const Module &module, const void *address);
void run(Context &context, Launch &launch);

// Runs body(worker) on `workers` threads, the calling one among them.
void in_parallel(int workers, const std::function<void(int)> &body);

}  // namespace software
