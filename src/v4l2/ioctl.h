// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <cstring>
#include <string>

#include <sys/ioctl.h>

#include "util/result.h"

namespace v4l2_request::v4l2 {

// ioctl(2), again where a signal interrupted it. 0 or an errno value, so that nobody reads a stale errno.
inline int callIoctl(int fd, unsigned long request, void* argument) {
    int status;
    do
        status = ::ioctl(fd, request, argument);
    while (status < 0 && errno == EINTR);
    return status < 0 ? errno : 0;
}

// A string of the kernel: a field of fixed size that need not be terminated.
template <typename Character, size_t N>
std::string fieldText(const Character (&field)[N]) {
    const char* text = reinterpret_cast<const char*>(field); // some are arrays of __u8
    return {text, ::strnlen(text, N)};
}

// The error for an ioctl of this name that came back with this errno.
inline tl::unexpected<Error> ioctlError(const char* name, int code, const std::string& detail = {}) {
    const ErrorKind kind = code == ENOMEM  ? ErrorKind::OutOfMemory
                           : code == EBUSY ? ErrorKind::Busy
                                           : ErrorKind::Device;
    return fail(kind, std::string(name) + (detail.empty() ? "" : "(" + detail + ")") + ": " + std::strerror(code),
                code);
}

} // namespace v4l2_request::v4l2
