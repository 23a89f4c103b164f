// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "decode/frame.h"
#include "v4l2/device.h"

namespace v4l2_request::decode {

// The CAPTURE side of a session: which memory stands at which index of the queue, and which picture it holds there. The
// kernel finds references by timestamp among these buffers, so a picture can be referred to while it keeps its index.
// Not thread-safe: the session holds its lock around every call.
class CapturePool {
public:
    struct Slot {
        uint32_t index;
        std::weak_ptr<FrameMemory> memory{}; // that the kernel has at this index
        std::weak_ptr<Frame> frame{};        // whose memory it is
        uint64_t timestamp = 0;              // of the picture that the kernel can find here; 0: none
        bool filled = false;                 // the kernel has memory at this index
        bool prepared = false;               // the kernel takes no other memory here before this was queued
        bool queued = false;                 // the device has it

        void reserve(const std::shared_ptr<Frame>& picture) {
            frame = picture;
            timestamp = 0;
        }
    };

    // `format` is the negotiated CAPTURE format; the device must outlive the pool.
    CapturePool(v4l2::Device& device, const v4l2::Format& format) : device_(device), format_(format) {}

    // Makes the first slot: a queue without buffers cannot be started.
    Result<void> start();
    // The slot for this picture: the one that has its memory, else one without a picture, else a new one, else the one
    // whose picture is oldest of those that `needed` does not hold to. Null if the device has all that could be taken.
    template <typename Needed>
    Result<Slot*> bind(const std::shared_ptr<Frame>& frame, Needed needed);
    // Has the kernel map the memory, unless it is there already. What can fail about a buffer fails here.
    Result<void> prepare(Slot& slot, const std::shared_ptr<Frame>& frame);
    Result<void> queue(Slot& slot, const std::shared_ptr<Frame>& frame);

    // Whether the kernel still finds this picture here.
    bool holds(const std::shared_ptr<Frame>& frame) const { return find(frame) != nullptr; }
    // The picture that was queued last of those that are still here and `fit`.
    template <typename Fits>
    std::shared_ptr<Frame> latest(Fits fits) const;
    // Whether any picture here has an owner.
    bool holdsPictures() const;
    // The next slot that the device is done with, and whether it reported an error.
    struct Finished {
        Slot* slot;
        bool error;
    };
    Result<std::optional<Finished>> dequeue();
    // Has the kernel let go of memory that nobody else has (Linux 6.10 and later).
    void dropUnowned();
    // After STREAMOFF: the device has none of the buffers any more, and knows none of the pictures.
    void reset();

private:
    // vb2 has an upper limit, 32 buffers on most kernels.
    static bool isLimit(const Error& error) { return error.code == ENOBUFS; }
    Slot* find(const std::shared_ptr<Frame>& frame) const;
    Slot* findUnused(const std::shared_ptr<FrameMemory>& memory) const;
    Result<Slot*> grow();

    v4l2::Device& device_;
    v4l2::Format format_;
    bool canPrepare_ = true; // as far as is known
    bool canRemove_ = true;
    std::vector<std::unique_ptr<Slot>> slots_;
};

template <typename Needed>
Result<CapturePool::Slot*> CapturePool::bind(const std::shared_ptr<Frame>& frame, Needed needed) {
    Slot* chosen = findUnused(frame->memory());
    if (!chosen) {
        auto grown = grow();
        if (grown)
            chosen = *grown;
        else if (!isLimit(grown.error()))
            return grown; // a fault of this moment
    }
    for (const auto& slot : slots_) {
        if (chosen)
            break;
        const auto owner = slot->frame.lock();
        if (!slot->queued && !slot->prepared && !owner)
            chosen = slot.get();
    }
    if (!chosen)
        for (const auto& slot : slots_) {
            const auto owner = slot->frame.lock();
            if (!slot->queued && !slot->prepared && owner && !needed(owner) &&
                (!chosen || slot->timestamp < chosen->timestamp))
                chosen = slot.get();
        }
    return chosen;
}

template <typename Fits>
std::shared_ptr<Frame> CapturePool::latest(Fits fits) const {
    std::shared_ptr<Frame> latest;
    for (const auto& slot : slots_)
        if (slot->timestamp && (!latest || slot->timestamp > latest->timestamp()))
            if (auto frame = slot->frame.lock(); frame && fits(*frame))
                latest = std::move(frame);
    return latest;
}

} // namespace v4l2_request::decode
