// From an instruction of a module to the line of CUDA it was compiled from, by binutils' addr2line.
#include "driver.h"

#include <cstdio>
#include <cstring>

namespace software {

std::string source_line(const Module &module, const void *address) {
    auto at = static_cast<const char *>(address);
    static std::map<std::pair<std::string, size_t>, std::string> known;
    if (!address || at < module.base || module.path.empty()) return "";
    std::string &line = known[{module.path, size_t(at - module.base)}];
    if (!line.empty()) return line == "?" ? "" : line;
    line = "?";
    std::string command = format("addr2line -s -e %s 0x%zx 2>/dev/null", module.path.c_str(), size_t(at - module.base));
    FILE *output = popen(command.c_str(), "r");
    if (!output) return "";
    char text[512] = "";
    if (fgets(text, sizeof text, output) && text[0] != '?') {
        text[strcspn(text, " \n")] = '\0';  // without the discriminator
        const char *number = strrchr(text, ':');
        if (number && number[1] != '?') line = text;
    }
    pclose(output);
    return line == "?" ? "" : line;
}

}  // namespace software
