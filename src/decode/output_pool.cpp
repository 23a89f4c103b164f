// SPDX-License-Identifier: MIT
#include "decode/output_pool.h"

#include <algorithm>
#include <cstring>

#include "util/log.h"

namespace v4l2_request::decode {

namespace {

// Decoders read ahead: rkvdec of RK3399 is told to read up to 79 bytes behind a picture of HEVC. What is left there of
// an earlier picture could be taken for a slice.
constexpr size_t readAhead = 128;

} // namespace

// Hardware does one job at a time: four pictures in flight hide the client's own latency. Where a picture is many jobs,
// two pictures are in flight, as far as there are buffers and 64 MiB go.
size_t OutputPool::depthFor(size_t jobs) const {
    constexpr size_t pictures = 4, mostBytes = size_t{64} << 20;
    if (jobs <= 1)
        return pictures;
    const size_t affordable = mostBytes / std::max<size_t>(format_.planes[0].sizeimage, 1);
    return std::clamp(2 * jobs, pictures, std::clamp(affordable, pictures, mostSlots));
}

Result<OutputPool::Slot*> OutputPool::acquire(size_t bitstream, size_t depth) {
    const size_t size = bitstream + readAhead;
    size_t largeEnough = 0;
    bool comesBack = false; // a slot of this size that the device has
    Slot* busy = nullptr;   // one that it has not, but whose request cannot be used again yet
    for (Slot& slot : slots_) {
        if (slot.memory.bytes().size() < size)
            continue;
        largeEnough++;
        if (makeReady(slot))
            return take(slot);
        comesBack = comesBack || slot.state == Slot::State::Queued;
        if (slot.state == Slot::State::Used)
            busy = &slot;
    }
    if (largeEnough < depth) {
        auto grown = grow(size);
        if (grown || (!comesBack && !busy))
            return grown; // else fewer slots than wanted are enough
    }
    if (comesBack || !busy)
        return nullptr;
    return replaceRequest(*busy).map([&] { return take(*busy); });
}

OutputPool::Slot* OutputPool::take(Slot& slot) {
    slot.state = Slot::State::Taken;
    return &slot;
}

Result<OutputPool::Slot*> OutputPool::grow(size_t size) {
    // Twice what is needed now: a stream whose pictures grow slowly does not end with a slot per picture.
    v4l2::Format format = format_;
    if (size > format.planes[0].sizeimage)
        format.planes[0].sizeimage = static_cast<uint32_t>(std::min<size_t>(2 * size, UINT32_MAX));
    // All that can fail without the kernel's queue comes first: a buffer of the queue cannot be given back.
    auto request = v4l2::Request::allocate(mediaFd_);
    if (!request)
        return tl::unexpected(std::move(request).error());
    Slot& slot = slots_.emplace_back(std::move(*request));
    const auto index = device_.createBuffer(v4l2::QueueType::Output, V4L2_MEMORY_MMAP, format);
    auto memory = index ? device_.mapBuffer(v4l2::QueueType::Output, *index) : tl::unexpected(index.error());
    if (memory && memory->bytes().size() < size)
        memory = fail(ErrorKind::Unsupported,
                      strprintf("the device gives %zu bytes for a picture of %zu", memory->bytes().size(), size));
    if (!memory) {
        slots_.pop_back();
        if (index)
            (void)device_.removeBuffer(v4l2::QueueType::Output, *index); // or it stays until the session is closed
        return tl::unexpected(std::move(memory).error());
    }
    slot.index = *index;
    slot.memory = std::move(*memory);
    slot.state = Slot::State::Taken;
    format_.planes[0].sizeimage = format.planes[0].sizeimage;
    return &slot;
}

bool OutputPool::makeReady(Slot& slot) {
    if (slot.state != Slot::State::Used)
        return slot.state == Slot::State::Free;
    const auto reinitialised = slot.request.reinit();
    if (reinitialised)
        slot.state = Slot::State::Free;
    // Busy: multi-stage decoders give the OUTPUT buffer back before the request is complete.
    else if (reinitialised.error().kind != ErrorKind::Busy)
        (void)replaceRequest(slot);
    return slot.state == Slot::State::Free;
}

// The kernel keeps the old one for as long as it needs it.
Result<void> OutputPool::replaceRequest(Slot& slot) {
    return v4l2::Request::allocate(mediaFd_).map([&](v4l2::Request&& request) {
        slot.request = std::move(request);
        slot.state = Slot::State::Free;
    });
}

Result<void> OutputPool::prepare(Slot& slot, const codec::Job& job, uint64_t timestamp, bool holdCapture) {
    uint8_t* to = slot.memory.bytes().data();
    for (const codec::Bytes piece : job.bitstream.pieces()) {
        std::memcpy(to, piece.data(), piece.size());
        to += piece.size();
    }
    std::memset(to, 0, readAhead); // acquire() has made room
    if (auto set = setControls(slot, job.controls); !set)
        return set;
    return device_.queueOutput({.index = slot.index,
                                .bytesused = static_cast<uint32_t>(job.bitstream.size()),
                                .timestamp = timestamp,
                                .requestFd = slot.request.fd(),
                                .holdCapture = holdCapture});
}

Result<void> OutputPool::setControls(Slot& slot, const ControlBatch& controls) {
    controls_.clear();
    for (const ControlBatch::Entry& entry : controls.entries()) {
        v4l2_ext_control& control = controls_.emplace_back();
        control.id = entry.id;
        control.size = entry.size;
        control.ptr = const_cast<std::byte*>(controls.payload(entry).data()); // the kernel only reads
    }
    return device_.setControls(controls_, slot.request.fd());
}

Result<void> OutputPool::start(Slot& slot, const std::shared_ptr<Frame>& frame) {
    auto queued = slot.request.queue();
    if (!queued)
        return queued;
    slot.frame = frame;
    slot.state = Slot::State::Queued;
    return {};
}

bool OutputPool::anyQueued() const {
    return std::any_of(slots_.begin(), slots_.end(),
                       [](const Slot& slot) { return slot.state == Slot::State::Queued; });
}

Result<std::optional<OutputPool::Finished>> OutputPool::dequeue() {
    if (!anyQueued())
        return std::nullopt;
    const auto done = device_.dequeue(v4l2::QueueType::Output, V4L2_MEMORY_MMAP);
    if (!done)
        return tl::unexpected(done.error());
    if (!*done)
        return std::nullopt;
    for (Slot& slot : slots_)
        if (slot.index == (*done)->index && slot.state == Slot::State::Queued) {
            slot.state = Slot::State::Used;
            return Finished{slot.frame.lock(), (*done)->error};
        }
    return fail(ErrorKind::Device, "the device returned an OUTPUT buffer that it was never given");
}

void OutputPool::reset() {
    for (Slot& slot : slots_)
        if (slot.state == Slot::State::Queued)
            slot.state = Slot::State::Used;
}

} // namespace v4l2_request::decode
