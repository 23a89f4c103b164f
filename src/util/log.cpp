// SPDX-License-Identifier: MIT
#include "util/log.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>

namespace v4l2_request {

Log::Log(Sink sink) : sink_(std::move(sink)) {
    // secure_getenv: a privileged process must not be made to write to a file of somebody else's choice.
    const char* target = ::secure_getenv("V4L2_REQUEST_LOG");
    if (!target || !*target)
        return;
    if (std::strcmp(target, "stderr") == 0)
        fd_ = STDERR_FILENO;
    else
        fd_ = ::open(target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

Log::~Log() {
    if (fd_ > STDERR_FILENO)
        ::close(fd_);
}

void Log::write(Level level, const std::string& line) const {
    const std::string text = "v4l2_request: " + line + "\n";
    if (sink_)
        sink_(level, text.c_str());
    // One write per line: lines of several threads and processes do not mix. A log that cannot be written is not an
    // error.
    if (fd_ >= 0) [[maybe_unused]]
        const ssize_t written = ::write(fd_, text.data(), text.size());
}

std::string strprintf(const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    char text[1024];
    // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start is right above; clang 14 does not see it
    std::vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return text;
}

std::string fourccName(unsigned fourcc) {
    std::string name;
    for (int shift = 0; shift < 32; shift += 8) {
        const auto c = static_cast<char>(fourcc >> shift & 0x7f);
        name += c >= ' ' ? c : '?';
    }
    return name;
}

} // namespace v4l2_request
