// SPDX-License-Identifier: MIT
#include "v4l2/device.h"

#include <algorithm>

#include <fcntl.h>

#include "util/log.h"
#include "v4l2/ioctl.h"

namespace v4l2_request::v4l2 {

namespace {

// No device has as many formats, sizes or controls: one that never says "no more" must not keep us for ever.
constexpr uint32_t mostAnswers = 1024;

const char* queueName(QueueType queue) {
    return queue == QueueType::Output ? "OUTPUT" : "CAPTURE";
}

// No format of a decoder has more memory planes (V4L2_PIX_FMT_YUV420M has 3).
constexpr uint32_t mostPlanes = 3;

// A v4l2_buffer together with the plane array that the multi-planar API hangs below it.
struct KernelBuffer {
    v4l2_buffer buffer{};
    std::array<v4l2_plane, mostPlanes> planes{};

    KernelBuffer(uint32_t type, bool multiplanar, v4l2_memory memory, uint32_t index, uint32_t planeCount) {
        buffer.type = type;
        buffer.memory = memory;
        buffer.index = index;
        if (multiplanar) {
            buffer.m.planes = planes.data();
            buffer.length = planeCount;
        }
    }
    KernelBuffer(const KernelBuffer&) = delete; // points into itself
    KernelBuffer& operator=(const KernelBuffer&) = delete;
};

ControlInfo controlInfo(const v4l2_query_ext_ctrl& query) {
    // A dynamic array says how many elements it holds now in `elems` and how many it may hold in its first dimension.
    const bool dynamic = query.flags & V4L2_CTRL_FLAG_DYNAMIC_ARRAY;
    return ControlInfo{query.elem_size,     dynamic ? query.dims[0] : query.elems,
                       query.minimum,       query.maximum,
                       query.default_value, query.id,
                       query.type,          fieldText(query.name)};
}

} // namespace

Result<Device> Device::open(const std::string& path) {
    os::UniqueFd fd = os::openNode(path.c_str(), O_RDWR | O_NONBLOCK);
    if (!fd.valid())
        return ioctlError("open", errno, path);
    v4l2_capability capability{};
    if (const int error = callIoctl(fd.get(), VIDIOC_QUERYCAP, &capability))
        return ioctlError("VIDIOC_QUERYCAP", error, path);
    const uint32_t caps =
        capability.capabilities & V4L2_CAP_DEVICE_CAPS ? capability.device_caps : capability.capabilities;
    if (!(caps & V4L2_CAP_STREAMING) || !(caps & (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE)))
        return fail(ErrorKind::Unsupported, path + ": not a memory-to-memory device with streaming I/O");
    return Device(std::move(fd), caps & V4L2_CAP_VIDEO_M2M_MPLANE);
}

Result<Identity> Device::identity() const {
    v4l2_capability capability{};
    if (const int error = callIoctl(fd_.get(), VIDIOC_QUERYCAP, &capability))
        return ioctlError("VIDIOC_QUERYCAP", error);
    return Identity{fieldText(capability.driver), fieldText(capability.card), fieldText(capability.bus_info),
                    capability.version};
}

uint32_t Device::bufferType(QueueType queue) const {
    if (queue == QueueType::Output)
        return multiplanar_ ? V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE : V4L2_BUF_TYPE_VIDEO_OUTPUT;
    return multiplanar_ ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE : V4L2_BUF_TYPE_VIDEO_CAPTURE;
}

v4l2_format Device::toKernel(QueueType queue, const Format& format) const {
    v4l2_format kernel{};
    kernel.type = bufferType(queue);
    if (multiplanar_) {
        v4l2_pix_format_mplane& pix = kernel.fmt.pix_mp;
        pix.pixelformat = format.fourcc;
        pix.width = format.width;
        pix.height = format.height;
        pix.num_planes = static_cast<uint8_t>(format.planeCount);
        for (uint32_t i = 0; i < format.planeCount; i++) {
            pix.plane_fmt[i].sizeimage = format.planes[i].sizeimage;
            pix.plane_fmt[i].bytesperline = format.planes[i].bytesperline;
        }
    } else {
        v4l2_pix_format& pix = kernel.fmt.pix;
        pix.pixelformat = format.fourcc;
        pix.width = format.width;
        pix.height = format.height;
        pix.sizeimage = format.planes[0].sizeimage;
        pix.bytesperline = format.planes[0].bytesperline;
    }
    return kernel;
}

Format Device::fromKernel(const v4l2_format& kernel) const {
    Format format;
    if (multiplanar_) {
        const v4l2_pix_format_mplane& pix = kernel.fmt.pix_mp;
        format.fourcc = pix.pixelformat;
        format.width = pix.width;
        format.height = pix.height;
        format.planeCount = std::clamp<uint32_t>(pix.num_planes, 1, mostPlanes);
        for (uint32_t i = 0; i < format.planeCount; i++)
            format.planes[i] = {pix.plane_fmt[i].sizeimage, pix.plane_fmt[i].bytesperline};
    } else {
        const v4l2_pix_format& pix = kernel.fmt.pix;
        format.fourcc = pix.pixelformat;
        format.width = pix.width;
        format.height = pix.height;
        format.planes[0] = {pix.sizeimage, pix.bytesperline};
    }
    return format;
}

std::vector<uint32_t> Device::formats(QueueType queue) const {
    std::vector<uint32_t> fourccs;
    v4l2_fmtdesc description{};
    description.type = bufferType(queue);
    for (; description.index < mostAnswers && callIoctl(fd_.get(), VIDIOC_ENUM_FMT, &description) == 0;
         description.index++)
        fourccs.push_back(description.pixelformat);
    return fourccs;
}

Result<Format> Device::setFormat(QueueType queue, const Format& wanted) {
    v4l2_format kernel = toKernel(queue, wanted);
    if (const int error = callIoctl(fd_.get(), VIDIOC_S_FMT, &kernel))
        return ioctlError("VIDIOC_S_FMT", error, queueName(queue));
    return fromKernel(kernel);
}

std::optional<FrameSizes> Device::frameSizes(uint32_t fourcc) const {
    v4l2_frmsizeenum size{};
    size.pixel_format = fourcc;
    if (callIoctl(fd_.get(), VIDIOC_ENUM_FRAMESIZES, &size))
        return std::nullopt;
    if (size.type != V4L2_FRMSIZE_TYPE_DISCRETE) {
        const v4l2_frmsize_stepwise& range = size.stepwise;
        return FrameSizes{range.min_width,  range.max_width,  range.step_width,
                          range.min_height, range.max_height, range.step_height};
    }
    FrameSizes sizes{UINT32_MAX, 0, 1, UINT32_MAX, 0, 1};
    do {
        sizes.minWidth = std::min(sizes.minWidth, size.discrete.width);
        sizes.maxWidth = std::max(sizes.maxWidth, size.discrete.width);
        sizes.minHeight = std::min(sizes.minHeight, size.discrete.height);
        sizes.maxHeight = std::max(sizes.maxHeight, size.discrete.height);
        size.index++;
    } while (size.index < mostAnswers && callIoctl(fd_.get(), VIDIOC_ENUM_FRAMESIZES, &size) == 0);
    return sizes;
}

std::optional<ControlInfo> Device::queryControl(uint32_t id) const {
    v4l2_query_ext_ctrl query{};
    query.id = id;
    if (callIoctl(fd_.get(), VIDIOC_QUERY_EXT_CTRL, &query) || (query.flags & V4L2_CTRL_FLAG_DISABLED))
        return std::nullopt;
    return controlInfo(query);
}

std::vector<ControlInfo> Device::controls() const {
    constexpr uint32_t next = V4L2_CTRL_FLAG_NEXT_CTRL | V4L2_CTRL_FLAG_NEXT_COMPOUND;
    std::vector<ControlInfo> found;
    uint32_t last = 0;
    v4l2_query_ext_ctrl query{};
    for (query.id = next; found.size() < mostAnswers && callIoctl(fd_.get(), VIDIOC_QUERY_EXT_CTRL, &query) == 0;
         query.id = last | next) {
        if (query.id <= last)
            break;
        last = query.id;
        if (!(query.flags & V4L2_CTRL_FLAG_DISABLED) && query.type != V4L2_CTRL_TYPE_CTRL_CLASS)
            found.push_back(controlInfo(query));
    }
    return found;
}

bool Device::hasMenuItem(uint32_t id, int64_t item) const {
    return menuItemName(id, item).has_value();
}

std::optional<std::string> Device::menuItemName(uint32_t id, int64_t item) const {
    v4l2_querymenu menu{};
    menu.id = id;
    menu.index = static_cast<uint32_t>(item);
    if (callIoctl(fd_.get(), VIDIOC_QUERYMENU, &menu))
        return std::nullopt;
    return fieldText(menu.name);
}

std::optional<int64_t> Device::controlValue(uint32_t id) const {
    v4l2_ext_control control{};
    control.id = id;
    v4l2_ext_controls controls{};
    controls.which = V4L2_CTRL_WHICH_CUR_VAL;
    controls.count = 1;
    controls.controls = &control;
    if (callIoctl(fd_.get(), VIDIOC_G_EXT_CTRLS, &controls))
        return std::nullopt;
    return int64_t{control.value}; // a copy: the struct is packed
}

Result<void> Device::setControls(std::span<v4l2_ext_control> values, int requestFd) {
    v4l2_ext_controls controls{};
    controls.which = requestFd < 0 ? V4L2_CTRL_WHICH_CUR_VAL : V4L2_CTRL_WHICH_REQUEST_VAL;
    controls.request_fd = requestFd < 0 ? 0 : requestFd;
    controls.count = static_cast<uint32_t>(values.size());
    controls.controls = values.data();
    const int error = callIoctl(fd_.get(), VIDIOC_S_EXT_CTRLS, &controls);
    if (!error)
        return {};
    // error_idx == count: no single control is to blame.
    return ioctlError("VIDIOC_S_EXT_CTRLS", error,
                      controls.error_idx < values.size() ? strprintf("control %#x", values[controls.error_idx].id)
                                                         : "");
}

uint32_t Device::bufferCapabilities(QueueType queue, v4l2_memory memory) const {
    v4l2_create_buffers create{};
    create.memory = memory;
    create.format.type = bufferType(queue);
    if (callIoctl(fd_.get(), VIDIOC_G_FMT, &create.format) || callIoctl(fd_.get(), VIDIOC_CREATE_BUFS, &create))
        return 0;
    return create.capabilities;
}

Result<uint32_t> Device::createBuffer(QueueType queue, v4l2_memory memory, const Format& format) {
    v4l2_create_buffers create{};
    create.count = 1;
    create.memory = memory;
    create.format = toKernel(queue, format);
    if (const int error = callIoctl(fd_.get(), VIDIOC_CREATE_BUFS, &create))
        return ioctlError("VIDIOC_CREATE_BUFS", error, queueName(queue));
    if (create.count == 0)
        return ioctlError("VIDIOC_CREATE_BUFS", ENOBUFS, queueName(queue));
    return create.index;
}

Result<os::Mapping> Device::mapBuffer(QueueType queue, uint32_t index) const {
    KernelBuffer kernel(bufferType(queue), multiplanar_, V4L2_MEMORY_MMAP, index, mostPlanes);
    if (const int error = callIoctl(fd_.get(), VIDIOC_QUERYBUF, &kernel.buffer))
        return ioctlError("VIDIOC_QUERYBUF", error, queueName(queue));
    const uint32_t offset = multiplanar_ ? kernel.planes[0].m.mem_offset : kernel.buffer.m.offset;
    const uint32_t length = multiplanar_ ? kernel.planes[0].length : kernel.buffer.length;
    os::Mapping mapping = os::Mapping::map(fd_.get(), length, offset);
    if (!mapping.valid())
        return ioctlError("mmap", errno, queueName(queue));
    return mapping;
}

Result<os::UniqueFd> Device::exportBuffer(QueueType queue, uint32_t index, uint32_t plane) const {
    v4l2_exportbuffer exported{};
    exported.type = bufferType(queue);
    exported.index = index;
    exported.plane = plane;
    exported.flags = O_RDWR | O_CLOEXEC; // without an access mode the export is read-only
    if (const int error = callIoctl(fd_.get(), VIDIOC_EXPBUF, &exported))
        return ioctlError("VIDIOC_EXPBUF", error, queueName(queue));
    return os::UniqueFd(exported.fd);
}

Result<void> Device::queueOutput(const OutputBuffer& output) {
    KernelBuffer kernel(bufferType(QueueType::Output), multiplanar_, V4L2_MEMORY_MMAP, output.index, 1);
    kernel.buffer.flags = V4L2_BUF_FLAG_REQUEST_FD;
    if (output.holdCapture)
        kernel.buffer.flags |= V4L2_BUF_FLAG_M2M_HOLD_CAPTURE_BUF;
    kernel.buffer.request_fd = output.requestFd;
    kernel.buffer.timestamp.tv_sec = static_cast<time_t>(output.timestamp / 1'000'000'000);
    kernel.buffer.timestamp.tv_usec = static_cast<suseconds_t>(output.timestamp % 1'000'000'000 / 1000);
    (multiplanar_ ? kernel.planes[0].bytesused : kernel.buffer.bytesused) = output.bytesused;
    if (const int error = callIoctl(fd_.get(), VIDIOC_QBUF, &kernel.buffer))
        return ioctlError("VIDIOC_QBUF", error, queueName(QueueType::Output));
    return {};
}

Result<void> Device::prepareCapture(uint32_t index, std::span<const os::Piece> planes) {
    return giveCapture(VIDIOC_PREPARE_BUF, "VIDIOC_PREPARE_BUF", index, planes);
}

Result<void> Device::queueCapture(uint32_t index, std::span<const os::Piece> planes) {
    return giveCapture(VIDIOC_QBUF, "VIDIOC_QBUF", index, planes);
}

Result<void> Device::giveCapture(unsigned long request, const char* name, uint32_t index,
                                 std::span<const os::Piece> planes) {
    KernelBuffer kernel(bufferType(QueueType::Capture), multiplanar_, V4L2_MEMORY_DMABUF, index,
                        static_cast<uint32_t>(planes.size()));
    for (size_t i = 0; multiplanar_ && i < planes.size(); i++) {
        kernel.planes[i].m.fd = planes[i].fd;
        kernel.planes[i].length = planes[i].length;
    }
    if (!multiplanar_) {
        kernel.buffer.m.fd = planes[0].fd;
        kernel.buffer.length = planes[0].length;
    }
    if (const int error = callIoctl(fd_.get(), request, &kernel.buffer))
        return ioctlError(name, error, queueName(QueueType::Capture));
    return {};
}

Result<std::optional<Dequeued>> Device::dequeue(QueueType queue, v4l2_memory memory) {
    KernelBuffer kernel(bufferType(queue), multiplanar_, memory, 0, mostPlanes);
    const int error = callIoctl(fd_.get(), VIDIOC_DQBUF, &kernel.buffer);
    if (error == EAGAIN)
        return std::nullopt;
    if (error)
        return ioctlError("VIDIOC_DQBUF", error, queueName(queue));
    return Dequeued{kernel.buffer.index, (kernel.buffer.flags & V4L2_BUF_FLAG_ERROR) != 0};
}

Result<void> Device::removeBuffer(QueueType queue, uint32_t index) {
    // The headers that this is built with may be older than the call.
    struct RemoveBuffers {
        uint32_t index, count, type, reserved[13];
    } remove{.index = index, .count = 1, .type = bufferType(queue), .reserved = {}};
    constexpr unsigned long removeBuffers = _IOWR('V', 104, RemoveBuffers);
    if (const int error = callIoctl(fd_.get(), removeBuffers, &remove))
        return ioctlError("VIDIOC_REMOVE_BUFS", error, queueName(queue));
    return {};
}

Result<void> Device::flush() {
    v4l2_decoder_cmd command{};
    command.cmd = V4L2_DEC_CMD_FLUSH;
    if (const int error = callIoctl(fd_.get(), VIDIOC_DECODER_CMD, &command))
        return ioctlError("VIDIOC_DECODER_CMD", error, "flush");
    return {};
}

Result<void> Device::streamOn(QueueType queue) {
    uint32_t type = bufferType(queue);
    if (const int error = callIoctl(fd_.get(), VIDIOC_STREAMON, &type))
        return ioctlError("VIDIOC_STREAMON", error, queueName(queue));
    return {};
}

Result<void> Device::streamOff(QueueType queue) {
    uint32_t type = bufferType(queue);
    if (const int error = callIoctl(fd_.get(), VIDIOC_STREAMOFF, &type))
        return ioctlError("VIDIOC_STREAMOFF", error, queueName(queue));
    return {};
}

} // namespace v4l2_request::v4l2
