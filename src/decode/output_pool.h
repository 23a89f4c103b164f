// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "codec/codec.h"
#include "os/mapping.h"
#include "v4l2/device.h"
#include "v4l2/media_device.h"

namespace v4l2_request::decode {

class Frame;

// The OUTPUT side of a session: slots of one bitstream buffer and one request each, bound for life. Not thread-safe:
// the session holds its lock around every call.
//
// A job takes its slot through three steps: acquire() finds it, prepare() fills it, start() hands it to the device.
// Until the last step nothing has happened that release() could not take back.
class OutputPool {
public:
    struct Slot {
        explicit Slot(v4l2::Request&& own) : request(std::move(own)) {}

        v4l2::Request request;
        uint32_t index = 0; // of the OUTPUT buffer
        os::Mapping memory{};
        enum class State {
            Free,   // the request is idle and empty
            Taken,  // for a job that is being made ready
            Queued, // the device has it
            Used    // the device had it: the request has to be reinitialised
        } state = State::Free;
        std::weak_ptr<Frame> frame{}; // whose job it carries, while it is queued
    };

    // `format` is the negotiated OUTPUT format; both references must outlive the pool.
    OutputPool(v4l2::Device& device, int mediaFd, const v4l2::Format& format)
        : device_(device), mediaFd_(mediaFd), format_(format) {}

    // A slot for `size` bytes, taken for the caller. Null if the device has all that there may be: `depth` says how
    // many slots are worth their memory now. The pool goes beyond that only to replace slots that are too small.
    Result<Slot*> acquire(size_t size, size_t depth);
    // Copies the bitstream and sets the controls of its request.
    Result<void> prepare(Slot& slot, const codec::Job& job, uint64_t timestamp, bool holdCapture);
    // Sets controls of its request, again if need be.
    Result<void> setControls(Slot& slot, const ControlBatch& controls);
    // Hands the job to the device.
    Result<void> start(Slot& slot, const std::shared_ptr<Frame>& frame);
    // The job of this slot does not go to the device.
    void release(Slot& slot) { slot.state = Slot::State::Used; }

    static constexpr size_t mostSlots = 32; // what most kernels give
    // How many slots are worth their memory where a picture has this many jobs.
    size_t depthFor(size_t jobs) const;

    // The next job that the device is done with. An error flag here may be the only word of a damaged slice or first
    // field: the kernel tells the CAPTURE buffer of its last job only.
    struct Finished {
        std::shared_ptr<Frame> frame; // null if nobody has it any more
        bool error;
    };
    Result<std::optional<Finished>> dequeue();
    bool anyQueued() const;
    // After STREAMOFF: the device has none of the buffers any more.
    void reset();

private:
    Result<Slot*> grow(size_t size);
    static Slot* take(Slot& slot);
    bool makeReady(Slot& slot);
    Result<void> replaceRequest(Slot& slot);

    v4l2::Device& device_;
    const int mediaFd_;
    v4l2::Format format_;
    std::deque<Slot> slots_;                 // a deque: slots stay where they are
    std::vector<v4l2_ext_control> controls_; // that are being set
};

} // namespace v4l2_request::decode
