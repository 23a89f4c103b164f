// SPDX-License-Identifier: MIT
#include "decode/surface.h"

#include <utility>

#include "decode/stream.h"

namespace v4l2_request::decode {

// What was there stays if there is no other to be had.
Result<Surface::Memory> Surface::exchange(Memory& memory, const Decoder& decoder, const StreamFormat& format) {
    return FrameMemory::allocate(decoder, format).map([&](Memory allocated) { return memory = std::move(allocated); });
}

Result<std::shared_ptr<FrameMemory>> Surface::memory(const Decoder& decoder, const StreamFormat& format) {
    const std::lock_guard lock(mutex_);
    return memory_ ? memory_ : exchange(memory_, decoder, format);
}

std::shared_ptr<FrameMemory> Surface::promise() {
    const std::lock_guard lock(mutex_);
    promised_ = true;
    return memory_;
}

Result<std::shared_ptr<FrameMemory>> Surface::target(const Decoder& decoder, const StreamFormat& format,
                                                     const Layout& layout) {
    const std::lock_guard lock(mutex_);
    Memory& memory = promised_ && !memory_->layout().serves(layout) ? standIn_ : memory_;
    return memory && memory->layout().serves(layout) ? memory : exchange(memory, decoder, format);
}

std::shared_ptr<FrameMemory> Surface::memoryIfAny() const {
    const std::lock_guard lock(mutex_);
    return memory_;
}

std::shared_ptr<FrameMemory> Surface::promisedMemory() const {
    const std::lock_guard lock(mutex_);
    return promised_ ? memory_ : nullptr;
}

Surface::State Surface::state() const {
    const std::lock_guard lock(mutex_);
    return pending_ || undelivered_ || delivering_ ? State::Pending : state_;
}

Result<void> Surface::waitForDevice(os::Deadline deadline) {
    const auto stream = pendingStream();
    return stream ? stream->wait(*this, deadline) : Result<void>();
}

Result<void> Surface::waitForWriter(os::Deadline deadline) {
    return waitForDevice(deadline).and_then([&] { return deliver(deadline); });
}

// Copies the picture from the stand-in, by the first thread that wants it; the others wait.
Result<void> Surface::deliver(os::Deadline deadline) {
    std::unique_lock lock(mutex_);
    if (!delivered_.wait_until(lock, deadline.time(), [&] { return !delivering_; }))
        return fail(ErrorKind::Timeout, "the picture is not copied yet");
    if (!undelivered_ || pending_)
        return {};
    delivering_ = true;
    const Memory to = memory_;
    lock.unlock();
    const bool unused = to->waitUntilUnused(deadline.earlier(os::Deadline::after(readerTimeout)));
    lock.lock();
    const Memory from = unused ? std::exchange(undelivered_, nullptr) : nullptr;
    lock.unlock();
    auto copied = from ? FrameMemory::copy(from, to, width_, height_)
                       : fail(ErrorKind::Timeout, "somebody still reads the surface (fences of its dma-buf)");
    lock.lock();
    if (from && !copied)
        state_ = State::Damaged;
    delivering_ = false;
    delivered_.notify_all();
    return copied;
}

Result<void> Surface::wait(os::Deadline deadline) {
    if (auto waited = waitForWriter(deadline); !waited)
        return waited;
    if (state() == State::Damaged)
        return fail(ErrorKind::Decoding, "the picture in this surface is damaged");
    return {};
}

void Surface::poll() {
    if (const auto stream = pendingStream())
        stream->reap();
    if (!pendingStream())
        deliver(os::Deadline::after({})); // what fails shows when somebody waits
}

std::shared_ptr<Stream> Surface::pendingStream() const {
    const std::lock_guard lock(mutex_);
    return stream_;
}

void Surface::submit(std::shared_ptr<Stream> stream, const std::shared_ptr<FrameMemory>& target) {
    const std::lock_guard lock(mutex_);
    if (pending_++ == 0)
        state_ = State::Ready; // unless a job says otherwise
    undelivered_ = target == memory_ ? nullptr : target;
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
