// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "decode/surface.h"
#include "v4l2/device.h"

namespace v4l2_request::decode {

// The CAPTURE side of a stream: which surface's memory stands at which index of the queue, and which picture it holds
// there. A picture can be referred to only while its buffer keeps its index, so a surface keeps its index as long as
// possible. Not thread-safe: the stream holds its lock around every call.
class CapturePool {
public:
    struct Slot {
        uint32_t index;
        std::weak_ptr<Surface> surface;
        uint64_t timestamp = 0; // of the picture it holds or is about to hold; 0: none
        bool queued = false;    // the device has it
    };

    // `format` is the negotiated CAPTURE format; the device must outlive the pool.
    CapturePool(v4l2::Device& device, const v4l2::Format& format) : device_(device), format_(format) {}

    // Makes the first slot: a queue without buffers cannot be started.
    Result<void> start();
    // The slot for decoding into this surface: its own, else one that nobody needs, else a new one, else the one whose
    // picture is oldest and not among `references`.
    Result<Slot*> bind(const std::shared_ptr<Surface>& surface, std::span<const Surface* const> references);
    // Queues the slot with the surface's memory, for the picture of this timestamp.
    Result<void> queue(Slot& slot, const FrameMemory& memory, uint64_t timestamp);
    // The timestamp of the surface's picture in this queue, if it still holds one.
    std::optional<uint64_t> timestamp(const Surface& surface) const;
    // Whether any surface that is alive has a picture here.
    bool holdsPictures() const;
    // The next slot that the device is done with, and whether it reported an error.
    struct Finished {
        Slot* slot;
        bool error;
    };
    Result<std::optional<Finished>> reap();
    // After STREAMOFF: the device has none of the buffers any more.
    void reset();

private:
    Result<Slot*> grow();

    v4l2::Device& device_;
    v4l2::Format format_;
    bool full_ = false; // the kernel gives no more
    std::vector<std::unique_ptr<Slot>> slots_;
};

} // namespace v4l2_request::decode
