// SPDX-License-Identifier: MIT
// The calls of the driver into the kernel, and its allocations, as the program sees them that has loaded it: counted,
// made to fail, or delayed. Linked into a program, this takes the place of the C library's ioctl, open, mmap, poll,
// fcntl and of operator new; only what the driver's module calls is touched.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <climits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace calls {

// A kind of call: "VIDIOC_QBUF(OUTPUT)", "open(video)", "poll(device)"; what the list in calls.cpp does not know is
// "unknown".
using Site = unsigned;
constexpr Site mostSites = 128;

std::string nameOf(Site site);
// The site of this name; throws if there is none.
Site siteOf(std::string_view name);

// How many calls of each site there were.
using Counts = std::array<unsigned, mostSites>;
Counts counts();

struct Fault {
    Site site = 0;
    int error = 0;                     // errno that the call ends with, without having done anything; 0: it is made
    unsigned after = 0;                // calls of the site that are left alone first
    unsigned times = UINT_MAX;         // calls after that which fail
    std::chrono::milliseconds delay{}; // what the call takes longer
    bool thisThreadOnly = false;       // the one that arms
};
// One fault at a time, and one more that makes the driver make its call; arming another replaces both.
void arm(const Fault& fault, const std::optional<Fault>& cause = std::nullopt);
void disarm();
// How many calls the armed fault has met, not its cause.
unsigned met();

// The allocation that fails, counted from 1 from now on, among those that threads make in a FailingAllocations scope.
void failAllocation(unsigned long nth);
unsigned long allocations();
// A call of the program into libva: allocations in it are the driver's.
class InDriver {
public:
    InDriver();
    ~InDriver();
    InDriver(const InDriver&) = delete;
    InDriver& operator=(const InDriver&) = delete;
};

} // namespace calls
