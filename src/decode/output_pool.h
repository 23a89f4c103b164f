// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <optional>

#include "codec/codec.h"
#include "os/mapping.h"
#include "v4l2/device.h"
#include "v4l2/media_device.h"

namespace v4l2_request::decode {

// The OUTPUT side of a stream: slots of one bitstream buffer and one request each, bound for life. Not thread-safe: the
// stream holds its lock around every call.
class OutputPool {
public:
    struct Slot {
        uint32_t index; // of the OUTPUT buffer
        os::Mapping memory;
        std::optional<v4l2::Request> request; // empty: could be neither reinitialised nor replaced, try again later
        bool fresh = true;                    // the request is idle and empty
        bool queued = false;                  // the device has the buffer
    };

    // `format` is the negotiated OUTPUT format; both references must outlive the pool.
    OutputPool(v4l2::Device& device, int mediaFd, const v4l2::Format& format)
        : device_(device), mediaFd_(mediaFd), format_(format) {}

    // A slot for `size` bytes that the device does not have, its request idle. Null if all are in use: one comes back
    // when the device is done. The pool grows up to its depth, and beyond it only to replace slots that are too small.
    Result<Slot*> acquire(size_t size);
    // Copies the bitstream and hands the job to the device. On failure the slot is free again and nothing was queued,
    // but for `afterQueue` (which makes the CAPTURE buffer ready and runs right before the request is queued).
    template <typename AfterQueue>
    Result<void> submit(Slot& slot, const codec::Job& job, uint64_t timestamp, bool holdCapture, AfterQueue afterQueue);
    // Takes back every buffer that the device is done with; whether there was one.
    bool reap();
    // After STREAMOFF: the device has none of the buffers any more.
    void reset();

private:
    static constexpr size_t depth = 4; // hardware does one job at a time; the rest hides the client's own latency

    Result<Slot*> grow(size_t size);
    bool makeReady(Slot& slot);
    Result<void> prepare(Slot& slot, const codec::Job& job, uint64_t timestamp, bool holdCapture);

    v4l2::Device& device_;
    const int mediaFd_;
    v4l2::Format format_;
    std::deque<Slot> slots_; // a deque: slots stay where they are
};

template <typename AfterQueue>
Result<void> OutputPool::submit(Slot& slot, const codec::Job& job, uint64_t timestamp, bool holdCapture,
                                AfterQueue afterQueue) {
    slot.fresh = false;
    return prepare(slot, job, timestamp, holdCapture).and_then(afterQueue).and_then([&]() -> Result<void> {
        auto queued = slot.request->queue();
        slot.queued = queued.has_value();
        return queued;
    });
}

} // namespace v4l2_request::decode
