// SPDX-License-Identifier: MIT
#include "decode/frame_memory.h"

#include <algorithm>
#include <cstring>

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <poll.h>

#include "readback/picture.h"
#include "util/log.h"
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

// The kernel rejects these flags, but only a dma-buf knows them at all.
bool isDmaBuf(int fd) {
    dma_buf_sync nothing{};
    return v4l2::callIoctl(fd, DMA_BUF_IOCTL_SYNC, &nothing) == EINVAL;
}

bool waitForFences(int fd, os::Deadline deadline) {
    for (;;) {
        pollfd fences{.fd = fd, .events = POLLOUT, .revents = 0}; // POLLIN would be for writers alone
        const int ready = ::poll(&fences, 1, deadline.pollTimeout());
        // An exporter that cannot be polled has no fences that anybody could wait for.
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return true;
        if (ready == 0)
            return false;
    }
}

// A file handle of its own, which has the format and no buffers.
struct Asked {
    v4l2::Device device;
    NegotiatedFormat formats;
};

Result<Asked> ask(const Decoder& decoder, const StreamFormat& format) {
    auto device = v4l2::Device::open(decoder.node.videoPath);
    if (!device)
        return tl::unexpected(std::move(device).error());
    auto formats = negotiate(*device, decoder, format);
    if (!formats)
        return tl::unexpected(std::move(formats).error());
    return Asked{std::move(*device), *formats};
}

Result<std::vector<os::UniqueFd>> allocateFromNode(v4l2::Device& device, const v4l2::Format& capture) {
    const auto index = device.createBuffer(v4l2::QueueType::Capture, V4L2_MEMORY_MMAP, capture);
    if (!index)
        return tl::unexpected(index.error());
    std::vector<os::UniqueFd> fds;
    for (uint32_t plane = 0; plane < capture.planeCount; plane++) {
        auto fd = device.exportBuffer(v4l2::QueueType::Capture, *index, plane);
        if (!fd)
            return tl::unexpected(std::move(fd).error());
        fds.push_back(std::move(*fd));
    }
    return fds;
}

} // namespace

Result<std::shared_ptr<FrameMemory>> FrameMemory::allocate(const Decoder& decoder, const StreamFormat& format) {
    auto asked = ask(decoder, format);
    if (!asked)
        return tl::unexpected(std::move(asked).error());
    auto fds = decoder.memory->allocate(asked->device, asked->formats.capture);
    if (fds.empty())
        return allocateOwn(decoder, format);
    return std::shared_ptr<FrameMemory>(new FrameMemory(std::move(fds), asked->formats.layout));
}

Result<std::shared_ptr<FrameMemory>> FrameMemory::allocateOwn(const Decoder& decoder, const StreamFormat& format) {
    auto asked = ask(decoder, format);
    if (!asked)
        return tl::unexpected(std::move(asked).error());
    auto fds = allocateFromNode(asked->device, asked->formats.capture);
    if (!fds)
        return tl::unexpected(std::move(fds).error());
    return std::shared_ptr<FrameMemory>(new FrameMemory(std::move(*fds), asked->formats.layout));
}

Result<std::shared_ptr<FrameMemory>> FrameMemory::import(int fd, const Layout& layout) {
    os::UniqueFd own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!own.valid())
        return fail(errno == EBADF ? ErrorKind::InvalidParameter : ErrorKind::Device,
                    strprintf("descriptor %d cannot be kept", fd), errno);
    if (!isDmaBuf(own.get()))
        return fail(ErrorKind::InvalidParameter, strprintf("descriptor %d is no dma-buf", fd));
    if ((::fcntl(own.get(), F_GETFL) & O_ACCMODE) != O_RDWR)
        return fail(ErrorKind::InvalidParameter, strprintf("descriptor %d allows no writing", fd));
    const off_t size = ::lseek(own.get(), 0, SEEK_END);
    if (size < 0 || static_cast<uint64_t>(size) < layout.size)
        return fail(ErrorKind::InvalidParameter, strprintf("a dma-buf of %lld bytes for a picture of %u",
                                                           static_cast<long long>(size), layout.size));
    Layout whole = layout;
    whole.size = static_cast<uint32_t>(std::min<uint64_t>(static_cast<uint64_t>(size), UINT32_MAX));
    std::vector<os::UniqueFd> fds;
    fds.push_back(std::move(own));
    return std::shared_ptr<FrameMemory>(new FrameMemory(std::move(fds), whole));
}

FrameMemory::FrameMemory(std::vector<os::UniqueFd> fds, const Layout& layout) : fds_(std::move(fds)), layout_(layout) {
    const uint32_t first = layout.secondPiece ? layout.secondPiece : layout.size;
    pieces_.push_back({fds_[0].get(), first});
    if (layout.secondPiece)
        pieces_.push_back({fds_[1].get(), layout.size - first});
}

Result<void> FrameMemory::checkLayout(const Decoder& decoder, const StreamFormat& format, const Layout& layout) {
    StreamFormat wanted = format;
    wanted.fitFrame(layout);
    wanted.bitDepth = layout.format->bitDepth;
    const auto needed = layoutFor(decoder, wanted);
    if (!needed)
        return tl::unexpected(needed.error());
    if (!layout.serves(*needed))
        return fail(ErrorKind::Unsupported, decoder.node.videoPath + " cannot write memory that is laid out so");
    return {};
}

FrameMemory::Reading::Reading(std::shared_ptr<FrameMemory> memory) : memory_(std::move(memory)) {
    const std::lock_guard lock(memory_->mutex_);
    memory_->readings_++;
}

FrameMemory::Reading::~Reading() {
    if (!memory_)
        return;
    const std::lock_guard lock(memory_->mutex_);
    if (--memory_->readings_ == 0)
        memory_->wasRead_.notify_all();
}

bool FrameMemory::waitUntilUnused(os::Deadline deadline) const {
    if (beingRead()) {
        std::unique_lock lock(mutex_);
        if (!wasRead_.wait_until(lock, deadline.time(), [&] { return readings_ == 0; }))
            return false;
    }
    return std::ranges::all_of(fds_, [&](const os::UniqueFd& fd) { return waitForFences(fd.get(), deadline); });
}

Result<void> FrameMemory::copy(const std::shared_ptr<FrameMemory>& from, const std::shared_ptr<FrameMemory>& to,
                               uint32_t width, uint32_t height) {
    const auto source = view(from, Access::Read);
    if (!source)
        return tl::unexpected(source.error());
    const auto target = view(to, Access::ReadWrite);
    if (!target)
        return tl::unexpected(target.error());
    readback::Planes planes;
    for (unsigned i = 0; i < to->layout().format->planeCount; i++) {
        planes.data[i] = target->plane(i);
        planes.pitches[i] = to->layout().pitches[i];
    }
    return readback::readPicture(source->bytes(), source->layout(),
                                 {.x = 0,
                                  .y = 0,
                                  .width = std::min({width, from->layout().width, to->layout().width}),
                                  .height = std::min({height, from->layout().height, to->layout().height})},
                                 planes);
}

Result<void> FrameMemory::duplicate(const std::shared_ptr<FrameMemory>& from, const std::shared_ptr<FrameMemory>& to) {
    if (from == to)
        return {};
    if (!to->layout().serves(from->layout()) && !from->layout().serves(to->layout()))
        return fail(ErrorKind::Unsupported, "the two pictures are not laid out alike");
    const auto source = view(from, Access::Read);
    if (!source)
        return tl::unexpected(source.error());
    const auto target = view(to, Access::ReadWrite);
    if (!target)
        return tl::unexpected(target.error());
    std::memcpy(target->bytes().data(), source->bytes().data(),
                std::min(source->bytes().size(), target->bytes().size()));
    return {};
}

Result<FrameMemory::View> FrameMemory::view(const std::shared_ptr<FrameMemory>& memory, Access access) {
    {
        const std::lock_guard lock(memory->mutex_);
        if (!memory->mapping_.valid())
            memory->mapping_ = os::Mapping::map(memory->pieces());
        if (!memory->mapping_.valid())
            return v4l2::ioctlError("mmap", errno, "dma-buf");
    }
    const uint64_t flags = access == Access::Read ? DMA_BUF_SYNC_READ : DMA_BUF_SYNC_RW;
    for (auto fd = memory->fds_.begin(); fd != memory->fds_.end(); ++fd) {
        const int error = syncDmaBuf(fd->get(), DMA_BUF_SYNC_START | flags);
        if (!error)
            continue;
        while (fd != memory->fds_.begin())
            syncDmaBuf((--fd)->get(), DMA_BUF_SYNC_END | flags);
        return v4l2::ioctlError("DMA_BUF_IOCTL_SYNC", error, "start");
    }
    return View(memory, flags);
}

FrameMemory::View::~View() {
    // An error here cannot be told to anybody and changes nothing: the CPU is done with the memory either way.
    if (memory_)
        for (const os::UniqueFd& fd : memory_->fds_)
            syncDmaBuf(fd.get(), DMA_BUF_SYNC_END | flags_);
}

} // namespace v4l2_request::decode
