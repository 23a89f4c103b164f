// SPDX-License-Identifier: MIT
#include "decode/capture_pool.h"

#include <algorithm>

namespace v4l2_request::decode {

namespace {

// Whether a weak pointer is one to this object, asked without taking a share in it.
template <typename T>
bool isOf(const std::weak_ptr<T>& weak, const std::shared_ptr<T>& object) {
    return !weak.owner_before(object) && !object.owner_before(weak);
}

} // namespace

Result<void> CapturePool::start() {
    return grow().map([](Slot*) {});
}

Result<CapturePool::Slot*> CapturePool::grow() {
    slots_.reserve(slots_.size() + 1); // the kernel's buffer must not be lost to an exception
    auto slot = std::make_unique<Slot>();
    auto index = device_.createBuffer(v4l2::QueueType::Capture, V4L2_MEMORY_DMABUF, format_);
    if (!index)
        return tl::unexpected(std::move(index).error());
    slot->index = *index;
    return slots_.emplace_back(std::move(slot)).get();
}

CapturePool::Slot* CapturePool::find(const std::shared_ptr<Frame>& frame) const {
    for (const auto& slot : slots_)
        if (slot->timestamp == frame->timestamp() && isOf(slot->frame, frame))
            return slot.get();
    return nullptr;
}

// One that has this memory already, else one whose memory is gone or that never had any, and that is bound to nothing.
CapturePool::Slot* CapturePool::findUnused(const std::shared_ptr<FrameMemory>& memory) const {
    Slot* unused = nullptr;
    for (const auto& slot : slots_) {
        if (slot->queued)
            continue;
        if (isOf(slot->memory, memory))
            return slot.get();
        if (slot->memory.expired() && !slot->prepared && slot->frame.expired())
            unused = slot.get();
    }
    return unused;
}

Result<void> CapturePool::prepare(Slot& slot, const std::shared_ptr<Frame>& frame) {
    if (isOf(slot.memory, frame->memory()))
        return {};
    slot.frame.reset(); // the kernel forgets the picture of the memory before
    slot.memory.reset();
    slot.timestamp = 0;
    if (!canPrepare_)
        return {};
    if (auto prepared = device_.prepareCapture(slot.index, frame->memory()->pieces()); !prepared) {
        canPrepare_ = prepared.error().code != ENOTTY;
        return canPrepare_ ? prepared : Result<void>{};
    }
    slot.memory = frame->memory();
    slot.filled = true;
    slot.prepared = true;
    return {};
}

Result<void> CapturePool::queue(Slot& slot, const std::shared_ptr<Frame>& frame) {
    auto queued = device_.queueCapture(slot.index, frame->memory()->pieces());
    if (!queued)
        return queued;
    slot.queued = true;
    slot.prepared = false;
    slot.filled = true;
    slot.memory = frame->memory();
    slot.frame = frame;
    slot.timestamp = frame->timestamp();
    return {};
}

bool CapturePool::holdsPictures() const {
    return std::any_of(slots_.begin(), slots_.end(),
                       [](const auto& slot) { return slot->timestamp && !slot->frame.expired(); });
}

Result<std::optional<CapturePool::Finished>> CapturePool::dequeue() {
    const auto done = device_.dequeue(v4l2::QueueType::Capture, V4L2_MEMORY_DMABUF);
    if (!done)
        return tl::unexpected(done.error());
    if (!*done)
        return std::nullopt;
    const auto slot =
        std::find_if(slots_.begin(), slots_.end(), [&](const auto& s) { return s->index == (*done)->index; });
    if (slot == slots_.end())
        return fail(ErrorKind::Device, "the device returned a CAPTURE buffer that it was never given");
    (*slot)->queued = false;
    return Finished{slot->get(), (*done)->error};
}

void CapturePool::dropUnowned() {
    const auto unowned = [](const std::unique_ptr<Slot>& slot) {
        return slot->filled && !slot->queued && slot->memory.expired() && slot->frame.expired();
    };
    while (canRemove_ && slots_.size() > 1) { // a queue that loses its last buffer is no queue any more
        const auto slot = std::find_if(slots_.begin(), slots_.end(), unowned);
        if (slot == slots_.end())
            return;
        if (auto removed = device_.removeBuffer(v4l2::QueueType::Capture, (*slot)->index); !removed) {
            canRemove_ = removed.error().code != ENOTTY;
            return;
        }
        slots_.erase(slot);
    }
}

void CapturePool::reset() {
    for (const auto& slot : slots_) {
        slot->queued = false;
        slot->prepared = false;
        slot->timestamp = 0;
    }
}

} // namespace v4l2_request::decode
