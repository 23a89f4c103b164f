// SPDX-License-Identifier: MIT
#include "system.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace fences {

void Fd::reset() {
    if (fd_ >= 0)
        ::close(fd_);
    fd_ = -1;
}

int callIoctl(int fd, unsigned long request, void* argument) {
    int result;
    do
        result = ::ioctl(fd, request, argument);
    while (result < 0 && errno == EINTR);
    return result < 0 ? errno : 0;
}

void mustIoctl(int fd, unsigned long request, void* argument, const char* what) {
    if (const int error = callIoctl(fd, request, argument))
        throw Failure(std::string(what) + ": " + std::strerror(error));
}

void check(bool condition, const std::string& what) {
    if (!condition)
        throw Failure(what);
}

int64_t nowNs() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

void sleepMs(int ms) {
    const timespec time{ms / 1000, ms % 1000 * 1000000L};
    ::nanosleep(&time, nullptr);
}

namespace {

constexpr char failNth[] = "/proc/thread-self/fail-nth";
constexpr char failSlab[] = "/sys/kernel/debug/failslab/";

} // namespace

bool FailingAllocation::possible() {
    return ::access(failNth, W_OK) == 0 && ::access(failSlab, R_OK) == 0;
}

FailingAllocation::FailingAllocation(unsigned nth) {
    // Also those that may wait for memory, which is nearly all; and without a backtrace for each.
    check(writeFile(std::string(failSlab) + "ignore-gfp-wait", "N") &&
              writeFile(std::string(failSlab) + "verbose", "0"),
          "allocations cannot be made to fail");
    fd_ = Fd(::open(failNth, O_RDWR | O_CLOEXEC));
    const std::string text = std::to_string(nth);
    check(::pwrite(fd_.get(), text.data(), text.size(), 0) > 0, "allocations cannot be made to fail");
}

bool FailingAllocation::end() {
    char left[16] = {};
    const bool read = fd_.get() >= 0 && ::pread(fd_.get(), left, sizeof(left) - 1, 0) > 0;
    const bool ended = read && ::pwrite(fd_.get(), "0", 1, 0) > 0;
    fd_.reset();
    return ended && std::atoi(left) == 0;
}

std::string readLine(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

bool writeFile(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    return file.good();
}

} // namespace fences
