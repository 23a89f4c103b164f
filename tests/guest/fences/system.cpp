// SPDX-License-Identifier: MIT
#include "system.h"

#include <cerrno>
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
