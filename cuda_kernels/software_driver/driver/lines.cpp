// From an instruction of a module to the line of CUDA it was compiled from, by binutils' addr2line.
#include "driver.h"

#include <cstdio>
#include <cstring>

namespace software {

namespace {

// Of the lines that one instruction was inlined from, innermost first, the first that is the user's.
std::string users_line(FILE *output) {
    char text[1024];
    std::string found;
    while (fgets(text, sizeof text, output)) {
        text[strcspn(text, " \n")] = '\0';  // without the discriminator
        const char *number = strrchr(text, ':');
        if (!number || number[1] == '?' || text[0] == '?') continue;
        const char *name = strrchr(text, '/');
        if (!strstr(text, "/simt/")) return name ? name + 1 : text;
    }
    return found;
}

}  // namespace

std::string source_line(const Module &module, const void *address) {
    auto at = static_cast<const char *>(address);
    static std::map<std::pair<unsigned, size_t>, std::string> known;
    if (!address || at < module.base) return "";
    auto [kept, added] = known.try_emplace({module.number, size_t(at - module.base)});
    if (!added) return kept->second;
    ImageFile file(module);
    std::string command = format("addr2line -i -e %s 0x%zx 2>/dev/null", file.path.c_str(), size_t(at - module.base));
    if (FILE *output = popen(command.c_str(), "r")) {
        kept->second = users_line(output);
        pclose(output);
    }
    return kept->second;
}

}  // namespace software
