// SPDX-License-Identifier: MIT
// For LD_PRELOAD: ioctls that fail on demand, or claim success without having done anything. IOCTL_FAULTS is
// "ERRNO FIRST LAST": the ioctls from the FIRST to the LAST of the process, counted from 1; an ERRNO of 0 is the lie.
// At the end, the number of ioctls goes to standard error.
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

struct Plan {
    int error = 0;
    long first = 0, last = -1;
    std::atomic<long> count{0};

    Plan() {
        if (const char* text = std::getenv("IOCTL_FAULTS"))
            std::sscanf(text, "%d %ld %ld", &error, &first, &last);
    }
    ~Plan() { std::fprintf(stderr, "%ld ioctls\n", count.load()); }
} plan;

} // namespace

extern "C" int ioctl(int fd, unsigned long request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    void* argument = va_arg(arguments, void*);
    va_end(arguments);
    const long number = ++plan.count;
    if (number < plan.first || number > plan.last)
        return static_cast<int>(::syscall(SYS_ioctl, fd, request, argument));
    errno = plan.error;
    return plan.error ? -1 : 0;
}
