// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <linux/videodev2.h>

#include "os/mapping.h"
#include "os/unique_fd.h"
#include "util/result.h"

namespace v4l2_request::v4l2 {

// The two queues of a memory-to-memory decoder, by the kernel's names: OUTPUT takes bitstreams, CAPTURE gives pictures.
enum class QueueType { Output, Capture };

// A format of one queue, the same for the single- and the multi-planar API.
struct Format {
    struct Plane {
        uint32_t sizeimage = 0;
        uint32_t bytesperline = 0;
    };
    uint32_t fourcc = 0;
    uint32_t width = 0;
    uint32_t height = 0;
    uint32_t planeCount = 1; // memory planes, not colour planes: NV12 has one
    std::array<Plane, VIDEO_MAX_PLANES> planes{};
};

struct FrameSizes {
    uint32_t minWidth, maxWidth, stepWidth;
    uint32_t minHeight, maxHeight, stepHeight;
};

struct ControlInfo {
    uint32_t elementSize;
    uint32_t elements; // the most that an array holds
    int64_t minimum, maximum, defaultValue;
    uint32_t id;
    uint32_t type; // V4L2_CTRL_TYPE_*
    std::string name;
};

// What a node says of itself.
struct Identity {
    std::string driver, card, bus;
    uint32_t version; // KERNEL_VERSION()
};

// A buffer that came back from the device.
struct Dequeued {
    uint32_t index;
    bool error; // V4L2_BUF_FLAG_ERROR: the content is damaged
};

// One open file handle of a decoder node, which the kernel treats as a decoding instance of its own. One method per
// ioctl; arguments are what the caller decides, results what the kernel answers.
class Device {
public:
    static Result<Device> open(const std::string& path);

    int fd() const { return fd_.get(); }
    bool multiplanar() const { return multiplanar_; }
    Result<Identity> identity() const; // VIDIOC_QUERYCAP

    // VIDIOC_ENUM_FMT: fourccs in the driver's order.
    std::vector<uint32_t> formats(QueueType queue) const;
    // VIDIOC_S_FMT: the kernel adjusts what it cannot do, so the answer has to be looked at.
    Result<Format> setFormat(QueueType queue, const Format& wanted);
    // VIDIOC_ENUM_FRAMESIZES; nothing where the driver does not implement it.
    std::optional<FrameSizes> frameSizes(uint32_t fourcc) const;

    std::optional<ControlInfo> queryControl(uint32_t id) const; // VIDIOC_QUERY_EXT_CTRL
    std::vector<ControlInfo> controls() const;                  // the same for every control, in the order of the ids
    bool hasMenuItem(uint32_t id, int64_t item) const;          // VIDIOC_QUERYMENU
    std::optional<std::string> menuItemName(uint32_t id, int64_t item) const;
    std::optional<int64_t> controlValue(uint32_t id) const; // VIDIOC_G_EXT_CTRLS, of a menu or integer
    // VIDIOC_S_EXT_CTRLS, into a request or (requestFd < 0) into the current state.
    Result<void> setControls(std::span<v4l2_ext_control> controls, int requestFd = -1);

    // V4L2_BUF_CAP_* of a queue for a memory type, without changing anything (VIDIOC_CREATE_BUFS of no buffer).
    uint32_t bufferCapabilities(QueueType queue, v4l2_memory memory) const;
    // VIDIOC_CREATE_BUFS: adds one buffer of this format, returns its index.
    Result<uint32_t> createBuffer(QueueType queue, v4l2_memory memory, const Format& format);
    Result<os::Mapping> mapBuffer(QueueType queue, uint32_t index) const; // VIDIOC_QUERYBUF + mmap, first plane
    Result<os::UniqueFd> exportBuffer(QueueType queue, uint32_t index, uint32_t plane = 0) const; // VIDIOC_EXPBUF

    struct OutputBuffer {
        uint32_t index;
        uint32_t bytesused;
        uint64_t timestamp; // nanoseconds, a multiple of 1000
        int requestFd;
        bool holdCapture; // the CAPTURE buffer stays with the device: more of this picture follows
    };
    Result<void> queueOutput(const OutputBuffer& buffer); // VIDIOC_QBUF, MMAP memory
    // VIDIOC_PREPARE_BUF, DMABUF memory: maps what queueCapture() will queue at this index, and nothing else may be
    // queued there before. ENOTTY where the driver does not have it.
    Result<void> prepareCapture(uint32_t index, std::span<const os::Piece> planes);
    // VIDIOC_QBUF, DMABUF memory: a dma-buf for each memory plane.
    Result<void> queueCapture(uint32_t index, std::span<const os::Piece> planes);
    // VIDIOC_DQBUF; nothing if no buffer is ready.
    Result<std::optional<Dequeued>> dequeue(QueueType queue, v4l2_memory memory);

    // VIDIOC_REMOVE_BUFS, Linux 6.10 and later: the kernel lets go of the buffer and its memory.
    Result<void> removeBuffer(QueueType queue, uint32_t index);

    // VIDIOC_DECODER_CMD, FLUSH: a CAPTURE buffer that is held for more comes back as it is.
    Result<void> flush();

    Result<void> streamOn(QueueType queue);
    Result<void> streamOff(QueueType queue);

private:
    Device(os::UniqueFd fd, bool multiplanar) : fd_(std::move(fd)), multiplanar_(multiplanar) {}
    uint32_t bufferType(QueueType queue) const;
    v4l2_format toKernel(QueueType queue, const Format& format) const;
    Result<void> giveCapture(unsigned long request, const char* name, uint32_t index,
                             std::span<const os::Piece> planes);
    Format fromKernel(const v4l2_format& format) const;

    os::UniqueFd fd_;
    bool multiplanar_;
};

} // namespace v4l2_request::v4l2
