// Modules: an ELF shared object made by g++ of CUDA text and simt.h. It is loaded from memory; its kernels are in the
// table it exports, its variables and shared memory in its symbol table.
#include "driver.h"

#include <algorithm>
#include <cstring>
#include <elf.h>
#include <dlfcn.h>
#include <link.h>
#include <set>
#include <sys/mman.h>
#include <unistd.h>

namespace software {

namespace {

std::set<Module *> modules;

size_t length_of(const Elf64_Ehdr &header) {
    auto image = reinterpret_cast<const char *>(&header);
    size_t length = header.e_shoff + size_t(header.e_shnum) * header.e_shentsize;
    auto sections = reinterpret_cast<const Elf64_Shdr *>(image + header.e_shoff);
    for (int i = 0; i < header.e_shnum; i++) {
        if (sections[i].sh_type != SHT_NOBITS && sections[i].sh_offset + sections[i].sh_size > length)
            length = sections[i].sh_offset + sections[i].sh_size;
    }
    return length;
}

// The image's bytes; raises for what is no module of this driver, with what it is.
std::pair<const char *, size_t> checked(const void *image) {
    auto bytes = static_cast<const unsigned char *>(image);
    if (memcmp(bytes, ELFMAG, SELFMAG)) {
        bool text = !memcmp(bytes, "//", 2) || !memcmp(bytes, ".version", 8) || !memcmp(bytes, "\n", 1);
        if (text) fail(CUDA_ERROR_INVALID_PTX, "the software driver runs no PTX, but what its own compiler makes");
        fail(CUDA_ERROR_INVALID_IMAGE, "it is no shared object");
    }
    auto &header = *static_cast<const Elf64_Ehdr *>(image);
    constexpr Elf64_Half machine_of_cuda = 190;
    if (header.e_machine == machine_of_cuda)
        fail(CUDA_ERROR_NO_BINARY_FOR_GPU, "it is code for a GPU; the software driver runs what its own compiler makes");
    if (header.e_type != ET_DYN) fail(CUDA_ERROR_INVALID_IMAGE, "it is no shared object");
    return {static_cast<const char *>(image), length_of(header)};
}

void read_symbols(Module &module, const char *image) {
    auto &header = *reinterpret_cast<const Elf64_Ehdr *>(image);
    auto sections = reinterpret_cast<const Elf64_Shdr *>(image + header.e_shoff);
    for (int i = 0; i < header.e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB) continue;
        auto symbols = reinterpret_cast<const Elf64_Sym *>(image + sections[i].sh_offset);
        const char *names = image + sections[sections[i].sh_link].sh_offset;
        for (size_t n = 0; n < sections[i].sh_size / sizeof(Elf64_Sym); n++) {
            const Elf64_Sym &symbol = symbols[n];
            unsigned type = ELF64_ST_TYPE(symbol.st_info);
            if (symbol.st_shndx == SHN_UNDEF || (type != STT_OBJECT && type != STT_FUNC && type != STT_TLS)) continue;
            char *address = type == STT_TLS ? reinterpret_cast<char *>(symbol.st_value) : module.base + symbol.st_value;
            module.symbols[names + symbol.st_name] = {address, symbol.st_size, type == STT_FUNC, type == STT_TLS};
        }
    }
}

int find_segments(dl_phdr_info *info, size_t, void *data) {
    Module &module = *static_cast<Module *>(data);
    if (reinterpret_cast<char *>(info->dlpi_addr) != module.base) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) &part = info->dlpi_phdr[i];
        char *begin = module.base + part.p_vaddr;
        if (part.p_type == PT_LOAD && !(part.p_flags & PF_X)) module.segments.emplace_back(begin, begin + part.p_memsz);
        if (part.p_type == PT_TLS) module.shared_bytes = part.p_memsz;
    }
    return 1;
}

const simt::Kernel *find_kernel(const Module &module, const char *name) {
    auto mangled = module.symbols.find(name);
    for (auto kernel = module.table->begin; kernel != module.table->end; kernel++) {
        bool same = mangled != module.symbols.end() && mangled->second.address == kernel->function;
        if (same || !strcmp(kernel->name, name)) return kernel;
    }
    return nullptr;
}

// Static shared variables of a function are named in the symbol table: _ZZ6kernelE4tile for `tile` of `kernel`.
size_t shared_of(const Module &module, const simt::Kernel &kernel) {
    size_t bytes = 0;
    for (const auto &[name, symbol] : module.symbols) {
        if (!symbol.function || symbol.address != kernel.function) continue;
        std::string plain = "_ZZ" + std::to_string(name.size()) + name + "E";
        std::string prefix = name.rfind("_Z", 0) == 0 ? "_ZZ" + name.substr(2) + "E" : plain;
        for (auto each = module.symbols.lower_bound(prefix); each != module.symbols.end(); each++) {
            if (each->first.rfind(prefix, 0)) break;
            if (each->second.local_storage) bytes += each->second.size;
        }
        break;
    }
    return bytes;
}

Module &live(Module *module) {
    if (!modules.count(module)) fail(CUDA_ERROR_INVALID_HANDLE, "no such module, or it was unloaded");
    return *module;
}

}  // namespace

ImageFile::ImageFile(const Module &module) : number(memfd_create("cuda-module", MFD_CLOEXEC)) {
    const std::string &image = module.image;
    if (number < 0 || write(number, image.data(), image.size()) != ssize_t(image.size()))
        fail(CUDA_ERROR_OPERATING_SYSTEM, "a module of %zu bytes cannot be written to memory", image.size());
    // To the loader two files of one name are one, and the number of a file comes again when it was closed. So the
    // module's number is in the path too, each of its bits as a step that leads nowhere.
    path = format("/proc/%d/fd", getpid());
    for (unsigned bits = module.number; bits; bits >>= 1) path += bits & 1 ? "/." : "/";
    path += format("/%d", number);
}

ImageFile::~ImageFile() { close(number); }

void load(Module &module, const void *image) {
    auto [bytes, length] = checked(image);
    module.image.assign(bytes, length);
    module.library = dlopen(ImageFile(module).path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!module.library) fail(CUDA_ERROR_SHARED_OBJECT_INIT_FAILED, "%s", dlerror());
    module.table = static_cast<simt::ModuleTable *>(dlsym(module.library, "simt_module"));
    if (!module.table || module.table->abi != simt::abi_version)
        fail(CUDA_ERROR_INVALID_IMAGE, "it was not compiled with this driver's simt.h");
    if (module.context->mode == Mode::check && !module.table->checked)
        fail(CUDA_ERROR_INVALID_IMAGE, "it was not compiled for the mode check");
    link_map *map;
    dlinfo(module.library, RTLD_DI_LINKMAP, &map);
    module.base = reinterpret_cast<char *>(map->l_addr);
    dl_iterate_phdr(find_segments, &module);
    read_symbols(module, bytes);
    module.dynamic_offset = size_t(module.symbols.at("simt_dynamic_shared").address);
    modules.insert(&module);
}

unsigned Module::next_number() {
    static unsigned last = 0;
    return ++last;
}

Module::~Module() {
    modules.erase(this);
    if (library) dlclose(library);
}

std::vector<std::pair<char *, char *>> data_segments() {
    std::vector<std::pair<char *, char *>> found;
    for (Module *module : modules) found.insert(found.end(), module->segments.begin(), module->segments.end());
    return found;
}

// Shared memory is thread-local storage: the loader makes each worker's when it is first used.
Shared shared_of_worker(const Module &module) {
    char *dynamic = module.table->dynamic_shared();
    char *begin = dynamic - module.dynamic_offset;
    return {begin, begin + module.shared_bytes, dynamic};
}

}  // namespace software

using namespace software;

API cuModuleLoadData(CUmodule *module, const void *image) {
    return working("cuModuleLoadData", [&](Context &context) {
        auto made = std::make_unique<Module>();
        made->context = &context;
        load(*made, image);
        context.modules.push_back(*module = made.release());
    });
}

API cuGetErrorString(CUresult code, const char **text);

/* Of what a linker would be told only its logs are filled: what went wrong, and nothing else. Their sizes are given as
 * the values of options of their own, and so is what they hold afterwards. */
API cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, int *options, void **values) {
    enum { INFO_LOG = 3, INFO_LOG_SIZE, ERROR_LOG, ERROR_LOG_SIZE };
    CUresult result = cuModuleLoadData(module, image);
    const char *error = "";
    if (result != CUDA_SUCCESS) cuGetErrorString(result, &error);
    for (unsigned i = 0; i < count; i++) {
        if (options[i] != INFO_LOG && options[i] != ERROR_LOG) continue;
        std::string text = options[i] == ERROR_LOG ? error : "";
        for (unsigned j = 0; j < count; j++) {
            if (options[j] != options[i] + 1) continue;
            size_t room = (size_t)values[j];
            if (room == 0) continue;
            text.resize(std::min(text.size(), room - 1));
            memcpy(values[i], text.c_str(), text.size() + 1);
            values[j] = (void *)text.size();
        }
    }
    return result;
}
API cuModuleLoadFatBinary(CUmodule *module, const void *image) { return cuModuleLoadData(module, image); }

API cuModuleLoad(CUmodule *module, const char *path) {
    std::string bytes;
    if (FILE *file = fopen(path, "rb")) {
        char part[4096];
        while (size_t n = fread(part, 1, sizeof part, file)) bytes.append(part, n);
        fclose(file);
    } else {
        return working("cuModuleLoad", [&](Context &) { fail(CUDA_ERROR_FILE_NOT_FOUND, "%s", path); });
    }
    bytes.append(sizeof(Elf64_Ehdr), '\0');
    return cuModuleLoadData(module, bytes.data());
}

API cuModuleUnload(CUmodule module) {
    return working("cuModuleUnload", [&](Context &context) {
        live(module);
        finish_all(context);
        auto &all = context.modules;
        for (auto each = all.begin(); each != all.end(); each++) {
            if (*each == module) {
                all.erase(each);
                break;
            }
        }
        delete module;
    });
}

API cuModuleGetFunction(CUfunction *function, CUmodule handle, const char *name) {
    return working("cuModuleGetFunction", [&](Context &) {
        Module &module = live(handle);
        auto &kept = module.functions[name];
        if (!kept) {
            const simt::Kernel *kernel = find_kernel(module, name);
            if (!kernel) fail(CUDA_ERROR_NOT_FOUND, "the module has no kernel %s", name);
            kept.reset(new Function(&module, kernel, shared_of(module, *kernel)));
        }
        *function = kept.get();
    });
}

API cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule handle, const char *name) {
    return working("cuModuleGetGlobal", [&](Context &) {
        Module &module = live(handle);
        auto found = module.symbols.find(name);
        if (found == module.symbols.end() || found->second.function || found->second.local_storage)
            fail(CUDA_ERROR_NOT_FOUND, "the module has no variable %s", name);
        if (address) *address = reinterpret_cast<CUdeviceptr>(found->second.address);
        if (bytes) *bytes = found->second.size;
    });
}

// There is no linker; but the logs that a caller gave room for are read after any result.
API cuLinkCreate_v2(unsigned count, int *options, void **values, void **) {
    constexpr int information_log = 3, error_log = 5;
    return working("cuLinkCreate", [&](Context &) {
        for (unsigned i = 0; i < count; i++) {
            if ((options[i] == information_log || options[i] == error_log) && values[i])
                *static_cast<char *>(values[i]) = '\0';
        }
        fail(CUDA_ERROR_NOT_SUPPORTED, "cuLinkCreate is not in the software driver");
    });
}

API cuModuleGetLoadingMode(int *mode) { *mode = 1; return CUDA_SUCCESS; }

// -- functions --------------------------------------------------------------------------------------------------------

API cuFuncGetAttribute(int *value, int attribute, CUfunction function) {
    return working("cuFuncGetAttribute", [&](Context &) {
        switch (attribute) {
        case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = 1024; break;
        case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = int(function->static_shared); break;
        case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = 32; break;  // no such thing here; a figure that any block fits
        case CU_FUNC_ATTRIBUTE_PTX_VERSION: case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = 80; break;
        case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = int(function->most_dynamic_shared); break;
        case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT: *value = -1; break;
        default: *value = 0;
        }
    });
}

API cuFuncSetAttribute(CUfunction function, int attribute, int value) {
    return working("cuFuncSetAttribute", [&](Context &) {
        if (attribute == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT) return;
        if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
            fail(CUDA_ERROR_INVALID_VALUE, "attribute %d of a function cannot be set", attribute);
        if (value < 0 || size_t(value) + function->static_shared > simt::most_dynamic_shared)
            fail(CUDA_ERROR_INVALID_VALUE, "%d bytes of dynamic shared memory; a block has %u", value,
                 simt::most_dynamic_shared);
        function->most_dynamic_shared = size_t(value);
    });
}

API cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction function, int threads, size_t dynamic) {
    return working("cuOccupancyMaxActiveBlocksPerMultiprocessor", [&](Context &) {
        if (threads < 1 || threads > 1024) fail(CUDA_ERROR_INVALID_VALUE, "a block of %d threads", threads);
        constexpr size_t most_threads = 2048, most_blocks = 32, shared = 164 << 10, kept = 1 << 10;
        size_t warps = (size_t(threads) + simt::warp_size - 1) / simt::warp_size;
        size_t by_memory = shared / (function->static_shared + dynamic + kept);
        *blocks = int(std::min({most_blocks, most_threads / (warps * simt::warp_size), by_memory}));
    });
}
API cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int *blocks, CUfunction function, int threads, size_t dynamic,
                                                         unsigned) {
    return cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks, function, threads, dynamic);
}

API cuFuncSetCacheConfig(CUfunction, unsigned) { return working("cuFuncSetCacheConfig", [](Context &) {}); }
API cuFuncSetSharedMemConfig(CUfunction, unsigned) { return working("cuFuncSetSharedMemConfig", [](Context &) {}); }
API cuFuncGetModule(CUmodule *module, CUfunction function) { *module = function->module; return CUDA_SUCCESS; }
API cuFuncGetName(const char **name, CUfunction function) { *name = function->kernel->name; return CUDA_SUCCESS; }

API cuFuncGetParamInfo(CUfunction function, size_t index, size_t *offset, size_t *size) {
    return working("cuFuncGetParamInfo", [&](Context &) {
        if (index >= function->kernel->parameter_count)
            fail(CUDA_ERROR_INVALID_VALUE, "%s has %u parameters", function->kernel->name,
                 function->kernel->parameter_count);
        size_t at = 0;
        for (size_t i = 0; i <= index; i++) {
            const simt::Parameter &parameter = function->kernel->parameters[i];
            at = (at + parameter.alignment - 1) / parameter.alignment * parameter.alignment;
            *offset = at;
            if (size) *size = parameter.size;
            at += parameter.size;
        }
    });
}
