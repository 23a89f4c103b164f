// SPDX-License-Identifier: MIT
#include "decode/frame_memory.h"

#include <linux/dma-buf.h>

#include "v4l2/ioctl.h"

namespace v4l2_request::decode {

namespace {

// Exporters may answer EAGAIN to a waiter that was interrupted; EINTR is handled below.
int syncDmaBuf(int fd, uint64_t flags) {
    dma_buf_sync sync{flags};
    int error;
    do
        error = v4l2::callIoctl(fd, DMA_BUF_IOCTL_SYNC, &sync);
    while (error == EAGAIN);
    return error;
}

} // namespace

Result<std::shared_ptr<FrameMemory>> FrameMemory::allocate(const Decoder& decoder, const StreamFormat& format) {
    auto device = v4l2::Device::open(decoder.node.videoPath);
    if (!device)
        return tl::unexpected(std::move(device).error());
    auto formats = negotiate(*device, decoder, format);
    if (!formats)
        return tl::unexpected(std::move(formats).error());
    auto index = device->createBuffer(v4l2::QueueType::Capture, V4L2_MEMORY_MMAP, formats->capture);
    if (!index)
        return tl::unexpected(std::move(index).error());
    auto fd = device->exportBuffer(v4l2::QueueType::Capture, *index);
    if (!fd)
        return tl::unexpected(std::move(fd).error());
    return std::shared_ptr<FrameMemory>(new FrameMemory(std::move(*fd), formats->layout));
}

Result<FrameMemory::View> FrameMemory::view(const std::shared_ptr<FrameMemory>& memory, Access access) {
    {
        const std::lock_guard lock(memory->mutex_);
        if (!memory->mapping_.valid())
            memory->mapping_ = os::Mapping::map(memory->fd(), memory->layout_.size);
        if (!memory->mapping_.valid())
            return v4l2::ioctlError("mmap", errno, "dma-buf");
    }
    const uint64_t flags = access == Access::Read ? DMA_BUF_SYNC_READ : DMA_BUF_SYNC_RW;
    if (const int error = syncDmaBuf(memory->fd(), DMA_BUF_SYNC_START | flags))
        return v4l2::ioctlError("DMA_BUF_IOCTL_SYNC", error, "start");
    return View(memory, flags);
}

FrameMemory::View::~View() {
    // An error here cannot be told to anybody and changes nothing: the CPU is done with the memory either way.
    if (memory_)
        syncDmaBuf(memory_->fd(), DMA_BUF_SYNC_END | flags_);
}

} // namespace v4l2_request::decode
