// SPDX-License-Identifier: MIT
#include "decode/capture_pool.h"

#include <algorithm>

namespace v4l2_request::decode {

Result<void> CapturePool::start() {
    return grow().map([](Slot*) {});
}

Result<CapturePool::Slot*> CapturePool::grow() {
    auto index = device_.createBuffer(v4l2::QueueType::Capture, V4L2_MEMORY_DMABUF, format_);
    if (!index)
        return tl::unexpected(std::move(index).error());
    return slots_.emplace_back(std::make_unique<Slot>(Slot{*index, {}})).get();
}

Result<CapturePool::Slot*> CapturePool::bind(const std::shared_ptr<Surface>& surface,
                                             std::span<const Surface* const> references) {
    Slot* unused = nullptr; // its surface is gone, or it never had one
    Slot* oldest = nullptr;
    for (const auto& slot : slots_) {
        const auto owner = slot->surface.lock();
        if (owner == surface)
            return slot.get();
        if (slot->queued)
            continue;
        if (!owner)
            unused = slot.get();
        else if (std::find(references.begin(), references.end(), owner.get()) == references.end() &&
                 (!oldest || slot->timestamp < oldest->timestamp))
            oldest = slot.get();
    }
    Slot* chosen = unused;
    if (!chosen && !full_) {
        const auto grown = grow();
        full_ = !grown; // vb2 has an upper limit, 32 buffers on most kernels: not an error as long as one can be reused
        chosen = grown.value_or(nullptr);
    }
    if (!chosen)
        chosen = oldest;
    if (!chosen)
        return fail(ErrorKind::Busy, "every CAPTURE buffer is in use");
    chosen->surface = surface;
    chosen->timestamp = 0;
    return chosen;
}

Result<void> CapturePool::queue(Slot& slot, const FrameMemory& memory, uint64_t timestamp) {
    auto queued = device_.queueCapture(slot.index, memory.pieces());
    slot.queued = queued.has_value();
    slot.timestamp = slot.queued ? timestamp : 0;
    return queued;
}

std::optional<uint64_t> CapturePool::timestamp(const Surface& surface) const {
    for (const auto& slot : slots_)
        if (slot->timestamp && slot->surface.lock().get() == &surface)
            return slot->timestamp;
    return std::nullopt;
}

bool CapturePool::holdsPictures() const {
    return std::any_of(slots_.begin(), slots_.end(),
                       [](const auto& slot) { return slot->timestamp && !slot->surface.expired(); });
}

Result<std::optional<CapturePool::Finished>> CapturePool::reap() {
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

void CapturePool::reset() {
    for (const auto& slot : slots_) {
        slot->queued = false;
        slot->timestamp = 0; // the kernel forgets what its buffers hold
    }
}

} // namespace v4l2_request::decode
