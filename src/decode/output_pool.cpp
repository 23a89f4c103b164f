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

Result<OutputPool::Slot*> OutputPool::acquire(size_t bitstream) {
    const size_t size = bitstream + readAhead;
    size_t largeEnough = 0;
    for (Slot& slot : slots_) {
        if (slot.memory.bytes().size() < size)
            continue;
        largeEnough++;
        if (makeReady(slot))
            return &slot;
    }
    if (largeEnough < depth)
        return grow(size);
    return nullptr;
}

Result<OutputPool::Slot*> OutputPool::grow(size_t size) {
    // Twice what is needed now: a stream whose pictures grow slowly does not end with a slot per picture.
    v4l2::Format format = format_;
    if (size > format.planes[0].sizeimage)
        format.planes[0].sizeimage = static_cast<uint32_t>(std::min<size_t>(2 * size, UINT32_MAX));
    auto index = device_.createBuffer(v4l2::QueueType::Output, V4L2_MEMORY_MMAP, format);
    if (!index) {
        // Fewer slots than wanted are enough, as long as one will come back.
        const bool oneIsOut = std::any_of(slots_.begin(), slots_.end(), [&](const Slot& slot) {
            return slot.queued && slot.memory.bytes().size() >= size;
        });
        if (oneIsOut)
            return nullptr;
        return tl::unexpected(std::move(index).error());
    }
    auto memory = device_.mapBuffer(v4l2::QueueType::Output, *index);
    if (!memory)
        return tl::unexpected(std::move(memory).error());
    if (memory->bytes().size() < size)
        return fail(ErrorKind::Unsupported,
                    strprintf("the device gives %zu bytes for a picture of %zu", memory->bytes().size(), size));
    auto request = v4l2::Request::allocate(mediaFd_);
    if (!request)
        return tl::unexpected(std::move(request).error());
    format_.planes[0].sizeimage = format.planes[0].sizeimage;
    return &slots_.emplace_back(Slot{*index, std::move(*memory), std::move(*request)});
}

bool OutputPool::makeReady(Slot& slot) {
    if (slot.queued)
        return false;
    if (slot.fresh)
        return true;
    if (slot.request) {
        const auto reinitialised = slot.request->reinit();
        // Busy: multi-stage decoders give the OUTPUT buffer back before the request is complete.
        if (!reinitialised && reinitialised.error().kind == ErrorKind::Busy)
            return false;
        if (!reinitialised)
            slot.request.reset();
    }
    if (!slot.request)
        if (auto request = v4l2::Request::allocate(mediaFd_))
            slot.request = std::move(*request);
    slot.fresh = slot.request.has_value();
    return slot.fresh;
}

Result<void> OutputPool::prepare(Slot& slot, const codec::Job& job, uint64_t timestamp, bool holdCapture) {
    uint8_t* to = slot.memory.bytes().data();
    for (const codec::Bytes piece : job.bitstream.pieces()) {
        std::memcpy(to, piece.data(), piece.size());
        to += piece.size();
    }
    std::memset(to, 0, readAhead); // acquire() has made room
    std::vector<v4l2_ext_control> controls;
    for (const ControlBatch::Entry& entry : job.controls.entries()) {
        v4l2_ext_control& control = controls.emplace_back();
        control.id = entry.id;
        control.size = entry.size;
        control.ptr = const_cast<std::byte*>(job.controls.payload(entry).data()); // the kernel only reads
    }
    if (auto set = device_.setControls(controls, slot.request->fd()); !set)
        return set;
    return device_.queueOutput({.index = slot.index,
                                .bytesused = static_cast<uint32_t>(job.bitstream.size()),
                                .timestamp = timestamp,
                                .requestFd = slot.request->fd(),
                                .holdCapture = holdCapture});
}

bool OutputPool::reap() {
    bool any = false;
    const auto isQueued = [](const Slot& slot) { return slot.queued; };
    while (std::any_of(slots_.begin(), slots_.end(), isQueued)) {
        const auto done = device_.dequeue(v4l2::QueueType::Output, V4L2_MEMORY_MMAP);
        if (!done || !*done) // an error here is one of CAPTURE too, where it decides about pictures
            break;
        any = true;
        for (Slot& slot : slots_)
            if (slot.index == (*done)->index)
                slot.queued = false;
    }
    return any;
}

void OutputPool::reset() {
    for (Slot& slot : slots_)
        slot.queued = false;
}

} // namespace v4l2_request::decode
