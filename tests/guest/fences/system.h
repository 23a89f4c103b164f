// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>

namespace fences {

// An owned descriptor.
class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd() { reset(); }
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            fd_ = std::exchange(other.fd_, -1);
        }
        return *this;
    }
    int get() const { return fd_; }
    void reset();

private:
    int fd_ = -1;
};

// A proof that could not be led to its end, with the reason.
struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// ioctl that is repeated on EINTR; returns errno, or 0.
int callIoctl(int fd, unsigned long request, void* argument);

// The same; throws Failure.
void mustIoctl(int fd, unsigned long request, void* argument, const char* what);

void check(bool condition, const std::string& what);

int64_t nowNs(); // CLOCK_MONOTONIC, as fences have it
void sleepMs(int ms);

// The nth allocation that this thread makes within the kernel fails, of kernels with fault injection (FAILSLAB).
class FailingAllocation {
public:
    static bool possible();
    explicit FailingAllocation(unsigned nth);
    ~FailingAllocation() { end(); }
    FailingAllocation(const FailingAllocation&) = delete;
    FailingAllocation& operator=(const FailingAllocation&) = delete;

    bool end(); // true: there were so many, and it failed

private:
    Fd fd_;
};

// The first line of a file, or nothing.
std::string readLine(const std::string& path);
bool writeFile(const std::string& path, const std::string& text);

} // namespace fences
