// What the mode check found and measured, kept until it is asked for.
#include "shadow.h"

#include <algorithm>
#include <set>

namespace software {

namespace {

std::map<std::pair<std::string, uint64_t>, Finding> findings;  // by kernel and the key of the finding
std::vector<std::pair<std::string, uint64_t>> order;           // in which they were found
std::map<std::pair<std::string, std::string>, Site> sites;     // by kernel, and line with kind

constexpr unsigned sector = 32, banks = 32, word = 4;

// Sectors that a request to global memory touches, and the least that as many bytes could.
std::pair<uint64_t, uint64_t> sectors(const Request &request) {
    std::set<uintptr_t> sectors_touched, bytes_touched;
    for (const auto &[address, size] : request.touched) {
        for (uintptr_t at = address / sector; at <= (address + size - 1) / sector; at++) sectors_touched.insert(at);
        for (uintptr_t at = address; at < address + size; at++) bytes_touched.insert(at);
    }
    return {sectors_touched.size(), (bytes_touched.size() + sector - 1) / sector};
}

// Turns that the banks of shared memory take for a request: lanes that want different words of one bank wait. Of wide
// accesses half or a quarter of the warp makes a turn.
std::pair<uint64_t, uint64_t> turns(const Request &request) {
    uint64_t passes = 0, least = 0;
    for (size_t first = 0; first < request.touched.size();) {
        size_t lanes = banks * word / std::max(word, request.touched[first].second);
        std::set<uintptr_t> words;
        for (size_t i = first; i < std::min(first + lanes, request.touched.size()); i++) {
            const auto &[address, size] = request.touched[i];
            for (uintptr_t at = address / word; at <= (address + size - 1) / word; at++) words.insert(at);
        }
        unsigned wanted[banks] = {};
        for (uintptr_t each : words) wanted[each % banks]++;
        passes += *std::max_element(wanted, wanted + banks);
        least++;
        first += lanes;
    }
    return {passes, least};
}

std::string kernel_name() { return worker->launch->function->kernel->name; }

}  // namespace

std::string line_of(uint32_t place) {
    const Module &module = *worker->launch->function->module;
    std::string line = source_line(module, module.base + place);
    return line.empty() ? format("instruction 0x%x", place) : line;
}

void report(const std::string &kind, const std::string &text, uint64_t key) {
    auto id = std::make_pair(kernel_name() + " " + kind, key);
    auto [found, added] = findings.try_emplace(id, Finding{kind, kernel_name(), text});
    if (added) order.push_back(id);
    else found->second.count++;
}

void add_request(bool shared, bool write, uint32_t place, const Request &request) {
    auto [passes, least] = shared ? turns(request) : sectors(request);
    const char *what = shared ? (write ? "shared write" : "shared read") : (write ? "global write" : "global read");
    Site &site = sites[{kernel_name(), line_of(place) + "\t" + what}];
    site.shared = shared, site.write = write;
    site.requests++;
    site.passes += passes;
    site.least += least;
}

}  // namespace software

using namespace software;

// Findings and figures as lines of words between tabs: "finding", kind, kernel, count, text; "access", kernel, line,
// kind, requests of warps, sectors or turns, the least there could be. What was told is forgotten.
extern "C" __attribute__((visibility("default"))) const char *symtensor_driver_report() {
    static std::string text;
    text.clear();
    for (const auto &id : order) {
        const Finding &finding = findings[id];
        text += format("finding\t%s\t%s\t%llu\t", finding.kind.c_str(), finding.kernel.c_str(),
                       static_cast<unsigned long long>(finding.count)) + finding.text + "\n";
    }
    for (const auto &[id, site] : sites)
        text += "access\t" + id.first + "\t" + id.second
            + format("\t%llu\t%llu\t%llu\n", static_cast<unsigned long long>(site.requests),
                     static_cast<unsigned long long>(site.passes), static_cast<unsigned long long>(site.least));
    order.clear();
    findings.clear();
    sites.clear();
    return text.c_str();
}
