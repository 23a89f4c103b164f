// SPDX-License-Identifier: MIT
// For LD_PRELOAD: CAPTURE formats that a decoder has are not enumerated, so that the others are seen in use.
// HIDE_FORMATS is a list of fourccs, "NV12,P010". Older decoders have no others: cedrus before H3 writes tiles only.
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include <linux/videodev2.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace {

int callKernel(int fd, unsigned long request, void* argument) {
    return static_cast<int>(::syscall(SYS_ioctl, fd, request, argument));
}

bool isHidden(uint32_t fourcc) {
    const char* list = std::getenv("HIDE_FORMATS");
    char name[5] = {};
    std::memcpy(name, &fourcc, 4);
    return list && std::strstr(list, name);
}

// The index counts what is left.
int enumerate(int fd, v4l2_fmtdesc& wanted) {
    const uint32_t index = wanted.index;
    uint32_t shown = 0;
    for (uint32_t at = 0;; at++) {
        v4l2_fmtdesc found = wanted;
        found.index = at;
        if (const int status = callKernel(fd, VIDIOC_ENUM_FMT, &found); status < 0)
            return status;
        if (isHidden(found.pixelformat) || shown++ < index)
            continue;
        wanted = found;
        wanted.index = index;
        return 0;
    }
}

} // namespace

extern "C" int ioctl(int fd, unsigned long request, ...) noexcept {
    va_list arguments;
    va_start(arguments, request);
    void* argument = va_arg(arguments, void*);
    va_end(arguments);
    auto* format = static_cast<v4l2_fmtdesc*>(argument);
    const bool isCapture = request == VIDIOC_ENUM_FMT && (format->type == V4L2_BUF_TYPE_VIDEO_CAPTURE ||
                                                          format->type == V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE);
    return isCapture ? enumerate(fd, *format) : callKernel(fd, request, argument);
}
