// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>

#include "decode/frame_memory.h"
#include "os/deadline.h"

namespace v4l2_request::decode {

class Stream;

// A picture that a client owns: it exists before any decoding and outlives every stream. Thread-safe.
class Surface {
public:
    enum class State {
        Idle,    // nothing was decoded into it: free to use
        Pending, // the device has it
        Ready,   // holds a picture
        Damaged  // the device or the driver reported an error for the picture it should hold
    };

    // Width and height as the client sees them, pixels. Memory comes later: clients create surfaces of any size to see
    // what is accepted, and free most of them untouched.
    Surface(uint32_t width, uint32_t height, const PixelFormat& format)
        : width_(width), height_(height), format_(format) {}
    // In memory of the client's own.
    Surface(uint32_t width, uint32_t height, std::shared_ptr<FrameMemory> memory)
        : width_(width), height_(height), format_(*memory->layout().format), memory_(std::move(memory)),
          promised_(true) {}

    uint32_t width() const { return width_; }
    uint32_t height() const { return height_; }
    const PixelFormat& format() const { return format_; }

    // The memory, allocated for this decoder and format if there is none yet.
    Result<std::shared_ptr<FrameMemory>> memory(const Decoder& decoder, const StreamFormat& format);
    // What memory() has made, for a client to keep: from now on it never changes, so that what was exported before
    // decoding shows what is decoded later.
    std::shared_ptr<FrameMemory> promise();
    std::shared_ptr<FrameMemory> memoryIfAny() const;
    std::shared_ptr<FrameMemory> promisedMemory() const;

    State state() const;
    // Waits until no stream writes the surface any more: Timeout if the deadline passes first. A surface that was never
    // decoded into is ready at once.
    Result<void> waitForDevice(os::Deadline deadline);
    // The same for whoever wants what was written: it is then in memory().
    Result<void> waitForWriter(os::Deadline deadline);
    // The same for whoever wants the picture: Decoding if it is damaged.
    Result<void> wait(os::Deadline deadline);
    // Notices what the device has finished, without waiting.
    void poll();

    // For streams. The memory for a device that writes this layout: memory(), which is exchanged if it is laid out
    // otherwise; if it was promised, another one, and the picture is copied for whoever wants it.
    Result<std::shared_ptr<FrameMemory>> target(const Decoder& decoder, const StreamFormat& format,
                                                const Layout& layout);
    // Every submit() is followed by one finish(), when the device is done or has lost it.
    void submit(std::shared_ptr<Stream> stream, const std::shared_ptr<FrameMemory>& target);
    void finish(bool damaged);
    // A picture for this surface could not be built or submitted: what it holds now is not what the client believes.
    void markDamaged();

private:
    using Memory = std::shared_ptr<FrameMemory>;

    static Result<Memory> exchange(Memory& memory, const Decoder& decoder, const StreamFormat& format);
    std::shared_ptr<Stream> pendingStream() const;
    Result<void> deliver(os::Deadline deadline);

    const uint32_t width_;
    const uint32_t height_;
    const PixelFormat& format_;

    mutable std::mutex mutex_;
    Memory memory_;
    bool promised_ = false; // memory_ to a client
    Memory standIn_;        // what devices write that do not write memory_
    Memory undelivered_;    // the stand-in, while its picture is not copied
    bool delivering_ = false;
    std::condition_variable delivered_;
    std::shared_ptr<Stream> stream_; // while pending
    unsigned pending_ = 0;           // jobs: two for a field pair
    State state_ = State::Idle;      // once nothing is pending
};

} // namespace v4l2_request::decode
