// Who touched memory last: the record behind the mode check.
#pragma once
#include "block.h"

#include <unordered_map>
#include <unordered_set>

namespace software {

// One access. Launches are counted from 1: a record of launch 0 is none.
struct Record {
    uint32_t launch = 0;
    uint32_t block = 0;
    uint32_t place = 0;       // of its instruction in the module
    uint16_t thread = 0;
    uint16_t barriers = 0;    // that the thread had passed
    uint16_t votes = 0;       // warp operations that it had passed
    uint16_t atomic = 0;
};

// The last write of four bytes, and the last reads by two threads. Where parts of them were touched alone in the present
// launch, the records of each byte are in `parts`, under this number.
struct Cell {
    Record write, reads[2];
    uint32_t parts = 0, launch_of_parts = 0;
};

struct Parts { Cell of[4]; };

// Accesses of a warp that are one request to memory: those by one instruction, each lane having come to it as often.
struct Request {
    std::vector<std::pair<uintptr_t, unsigned>> touched;  // address and size of each lane's
};

// What the requests of an instruction cost in all.
struct Site {
    bool shared = false, write = false;
    uint64_t requests = 0, passes = 0, least = 0;  // sectors of 32 bytes; turns of the banks in shared memory
};

struct Checker {
    std::vector<Cell> shared;                      // of the running block
    std::vector<Parts> parts{1};
    std::unordered_set<uint32_t> acquired;         // blocks whose writes this one may see
    std::unordered_map<const void *, std::unordered_set<uint32_t>> released;  // by the atomic variable
    std::unordered_map<uint64_t, Request> requests;
    std::unordered_map<uint64_t, unsigned> visits;  // of a thread to an instruction
    bool fenced = false;

    void begin_launch();
    void begin_block();
    void end_block();
    void access(const void *address, size_t size, unsigned kind, const void *at);
};

// A defect that was found: each once for a pair of lines.
struct Finding {
    std::string kind, kernel, text;
    uint64_t count = 1;
};

void report(const std::string &kind, const std::string &text, uint64_t key);
void add_request(bool shared, bool write, uint32_t place, const Request &request);
std::string line_of(uint32_t place);

}  // namespace software
