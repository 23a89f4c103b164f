// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <memory>
#include <optional>

#include "decode/frame.h"
#include "decode/frame_memory.h"
#include "os/deadline.h"
#include "util/mutex.h"

namespace v4l2_request::decode {

// What a client calls a surface: a place for one picture. It exists before any decoding and outlives every stream.
// Thread-safe; its lock is held for a few instructions only.
class Surface {
public:
    using Memory = std::shared_ptr<FrameMemory>;

    // Width and height as the client sees them, pixels. Memory comes later: clients create surfaces of any size to see
    // what is accepted, and free most of them untouched. `expected`: the decoder that will probably write it; null: not
    // known.
    Surface(uint32_t width, uint32_t height, const PixelFormat& format, const Decoder* expected)
        : width_(width), height_(height), format_(format), expected_(expected) {}
    // In memory of the client's own.
    Surface(uint32_t width, uint32_t height, Memory memory)
        : width_(width), height_(height), format_(*memory->layout().format), memory_(std::move(memory)),
          promised_(true) {}

    uint32_t width() const { return width_; }
    uint32_t height() const { return height_; }
    const PixelFormat& format() const { return format_; }
    const Decoder* expected() const { return expected_; }

    // The picture that it shows or will show; null if none was decoded into it.
    std::shared_ptr<Frame> frame() const;
    // What later pictures refer to by this surface: the same picture, or another copy of it.
    std::shared_ptr<Frame> reference() const;
    // The device writes the picture, or it still has to be copied to where the client looks.
    bool pending() const;
    bool damaged() const;

    // Waits until the picture is where the client looks for it, damaged or not: Timeout if the deadline passes first. A
    // surface without a picture is ready at once.
    Result<void> wait(os::Deadline deadline);
    // Notices what the device has finished, without waiting.
    void poll();
    // The client has written a picture of its own into the memory: that is good.
    void mend();
    // Its next picture was refused: the memory does not hold what the client believes, and nobody can refer to it.
    void refuse();

    // The memory that the client sees.
    Memory memory() const;
    // The same; `offered` becomes it if there was none.
    Memory memoryOr(Memory offered);
    // From now on the client keeps the memory: what was exported before decoding must show what is decoded later. True
    // if it is still `expected`, which is promised then.
    bool promise(const Memory& expected);
    // The memory, if the client keeps it.
    Memory promisedMemory() const;

    // For streams: from now on it shows this picture. Memory that is not promised is the picture's own; promised memory
    // gets a copy, if the device does not write it.
    void show(std::shared_ptr<Frame> frame);
    // For streams: later pictures refer to this copy of the picture.
    void setReference(std::shared_ptr<Frame> frame);
    // For streams: waits until nobody copies into the memory.
    Result<void> waitForCopies(os::Deadline deadline);

private:
    class Copying;

    Result<void> deliver(os::Deadline deadline);

    const uint32_t width_;
    const uint32_t height_;
    const PixelFormat& format_;
    const Decoder* const expected_ = nullptr;

    mutable Mutex mutex_;
    std::shared_ptr<Frame> frame_;
    std::shared_ptr<Frame> reference_;
    Memory memory_;
    bool promised_ = false;              // memory_ to the client
    std::shared_ptr<Frame> undelivered_; // frame_, while it is not copied into memory_
    std::optional<bool> damaged_;        // whatever frame_ says
    bool copying_ = false;
    std::condition_variable_any copied_;
};

} // namespace v4l2_request::decode
