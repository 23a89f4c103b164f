// SPDX-License-Identifier: MIT
#include "decode/surface.h"

#include "decode/stream.h"

namespace v4l2_request::decode {

Result<std::shared_ptr<FrameMemory>> Surface::memory(const Decoder& decoder, const StreamFormat& format) {
    const std::lock_guard lock(mutex_);
    if (!memory_) {
        auto allocated = FrameMemory::allocate(decoder, format);
        if (!allocated)
            return allocated;
        memory_ = std::move(*allocated);
    }
    return memory_;
}

std::shared_ptr<FrameMemory> Surface::memoryIfAny() const {
    const std::lock_guard lock(mutex_);
    return memory_;
}

Surface::State Surface::state() const {
    const std::lock_guard lock(mutex_);
    return pending_ ? State::Pending : state_;
}

Result<void> Surface::waitForWriter(os::Deadline deadline) const {
    const auto stream = pendingStream();
    return stream ? stream->wait(*this, deadline) : Result<void>();
}

Result<void> Surface::wait(os::Deadline deadline) const {
    if (auto waited = waitForWriter(deadline); !waited)
        return waited;
    if (state() == State::Damaged)
        return fail(ErrorKind::Decoding, "the picture in this surface is damaged");
    return {};
}

void Surface::poll() const {
    if (const auto stream = pendingStream())
        stream->reap();
}

std::shared_ptr<Stream> Surface::pendingStream() const {
    const std::lock_guard lock(mutex_);
    return stream_;
}

void Surface::submit(std::shared_ptr<Stream> stream) {
    const std::lock_guard lock(mutex_);
    if (pending_++ == 0)
        state_ = State::Ready; // unless a job says otherwise
    stream_ = std::move(stream);
}

void Surface::finish(bool damaged) {
    std::shared_ptr<Stream> last; // may end here, outside the lock
    const std::lock_guard lock(mutex_);
    if (damaged)
        state_ = State::Damaged;
    if (--pending_ == 0)
        last = std::move(stream_);
}

void Surface::markDamaged() {
    const std::lock_guard lock(mutex_);
    state_ = State::Damaged;
}

} // namespace v4l2_request::decode
