// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

namespace v4l2_request::decode {

struct Decoder;
struct NegotiatedFormat;
struct StreamFormat;
struct Work;

// Sees what sessions give to devices and what comes back. Decoder::observer names it; null: nobody looks.
//
// What is called with the session's lock held returns at once. Nothing is called from inside of a call.
class Observer {
public:
    virtual ~Observer() = default;

    // Before a picture, without any lock: the one place to wait.
    virtual void beforePicture() noexcept = 0;
    // A session has begun; its number from then on. `bitstream`: bytes of its first job.
    virtual uint32_t opened(const Decoder& decoder, const StreamFormat& wanted, const NegotiatedFormat& formats,
                            size_t bitstream) noexcept = 0;
    // The device has the picture, or the field, with all of its jobs.
    virtual void queued(uint32_t session, const Work& work) noexcept = 0;
    // The picture has come back, or is lost. Both fields of a frame may come back together, as `work` of the first. Its
    // memory may be written again as soon as this returns, but not while somebody reads it (FrameMemory::Reading).
    virtual void ended(uint32_t session, const Work& work, bool lost) noexcept = 0;
    virtual void closed(uint32_t session) noexcept = 0;
};

} // namespace v4l2_request::decode
