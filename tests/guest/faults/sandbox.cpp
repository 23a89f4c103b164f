// SPDX-License-Identifier: MIT
// For LD_PRELOAD: a model of what a browser's decoding process may do, by the rules of Firefox's (docs/clients.md):
// which files it opens, and which types of ioctls it calls. SANDBOX names what is let through besides: "media" (the
// nodes) and "request" (their ioctls) are the two changes that a stateless decoder asks for. What is denied is told on
// standard error.
#undef _FILE_OFFSET_BITS // which would make one function of open and open64
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <linux/ioctl.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

bool isLetThrough(std::string_view change) {
    const char* list = std::getenv("SANDBOX");
    return list && std::string_view(list).find(change) != std::string_view::npos;
}

bool begins(std::string_view path, std::string_view with) {
    return path.substr(0, with.size()) == with;
}

// A broker knows paths: none below an open directory, no device but the named ones, no more of /sys than the GPU's.
bool mayOpen(int folder, std::string_view path) {
    if (path.empty() || path[0] != '/')
        return folder == AT_FDCWD;
    if (begins(path, "/dev/media"))
        return isLetThrough("media");
    static constexpr std::array outside = {"/dev/", "/sys/", "/run/"};
    static constexpr std::array inside = {"/dev/dri", "/dev/video",         "/dev/null",           "/dev/urandom",
                                          "/dev/shm", "/sys/dev/char/226:", "/sys/devices/system/"};
    const auto matches = [path](const char* one) { return begins(path, one); };
    return std::none_of(outside.begin(), outside.end(), matches) || std::any_of(inside.begin(), inside.end(), matches);
}

bool mayCall(unsigned long request) {
    switch (_IOC_TYPE(request)) {
    case 'd': // DRM
    case 'b': // dma-buf
    case 'V': // V4L2
        return true;
    case '|': // media devices and requests
        return isLetThrough("request");
    default: return false;
    }
}

int deny(int error, const char* what, const char* which) {
    std::fprintf(stderr, "sandbox: denied: %s %s\n", what, which);
    errno = error;
    return -1;
}

int openAt(int folder, const char* path, int flags, mode_t mode) {
    return mayOpen(folder, path) ? static_cast<int>(::syscall(SYS_openat, folder, path, flags, mode))
                                 : deny(EACCES, "open", path);
}

mode_t modeOf(int flags, va_list arguments) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

} // namespace

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
extern "C" {

int open(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = modeOf(flags, arguments);
    va_end(arguments);
    return openAt(AT_FDCWD, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = modeOf(flags, arguments);
    va_end(arguments);
    return openAt(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = modeOf(flags, arguments);
    va_end(arguments);
    return openAt(folder, path, flags, mode);
}

int openat64(int folder, const char* path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    const mode_t mode = modeOf(flags, arguments);
    va_end(arguments);
    return openAt(folder, path, flags, mode);
}

int ioctl(int fd, unsigned long request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    void* argument = va_arg(arguments, void*);
    va_end(arguments);
    if (mayCall(request))
        return static_cast<int>(::syscall(SYS_ioctl, fd, request, argument));
    const char type[] = {static_cast<char>(_IOC_TYPE(request)), '\0'};
    return deny(ENOSYS, "ioctl of type", type);
}

int select(int, fd_set*, fd_set*, fd_set*, timeval*) {
    return deny(ENOSYS, "select", "");
}

} // extern "C"
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
