// SPDX-License-Identifier: MIT
#include "decode/surface.h"

#include "decode/session.h"

namespace v4l2_request::decode {

// One thread copies at a time. Ends with the scope, also by an exception.
class Surface::Copying {
public:
    explicit Copying(Surface& surface) : surface_(surface) { surface_.copying_ = true; } // under the lock
    ~Copying() {
        const std::lock_guard lock(surface_.mutex_);
        surface_.copying_ = false;
        surface_.copied_.notify_all();
    }
    Copying(const Copying&) = delete;
    Copying& operator=(const Copying&) = delete;

private:
    Surface& surface_;
};

std::shared_ptr<Frame> Surface::frame() const {
    const std::lock_guard lock(mutex_);
    return frame_;
}

std::shared_ptr<Frame> Surface::reference() const {
    const std::lock_guard lock(mutex_);
    return reference_;
}

void Surface::setReference(std::shared_ptr<Frame> frame) {
    const std::lock_guard lock(mutex_);
    reference_.swap(frame); // the one before ends outside the lock
}

bool Surface::pending() const {
    const std::lock_guard lock(mutex_);
    return (frame_ && frame_->pending()) || undelivered_;
}

bool Surface::damaged() const {
    const std::lock_guard lock(mutex_);
    return damaged_.value_or(frame_ && frame_->damaged());
}

void Surface::mend() {
    const std::lock_guard lock(mutex_);
    damaged_ = false;
}

void Surface::refuse() {
    std::shared_ptr<Frame> reference; // may end here, outside the lock
    const std::lock_guard lock(mutex_);
    damaged_ = true;
    reference_.swap(reference);
}

Result<void> Surface::wait(os::Deadline deadline) {
    if (const auto frame = this->frame(); frame && frame->pending())
        if (const auto session = frame->session())
            if (auto decoded = session->wait(*frame, deadline); !decoded)
                return decoded;
    return deliver(deadline);
}

void Surface::poll() {
    if (const auto frame = this->frame(); frame && frame->pending())
        if (const auto session = frame->session())
            session->reap(*frame);
    (void)deliver(os::Deadline::after({})); // a failure shows when somebody waits
}

// Copies the picture from where the device wrote it. The first thread that wants it does that; the others wait. After
// each wait the question is asked anew: the surface may have been given another picture.
Result<void> Surface::deliver(os::Deadline deadline) {
    for (;;) {
        std::unique_lock lock(mutex_);
        if (!copied_.wait_until(lock, deadline.time(), [&] { return !copying_; }))
            return fail(ErrorKind::Timeout, "the picture is not copied yet");
        const auto from = undelivered_;
        if (!from || from->pending())
            return {};
        const Memory to = memory_;
        const Copying copying(*this);
        lock.unlock();
        if (!to->waitUntilUnused(deadline.earlier(os::Deadline::after(readerTimeout))))
            return fail(ErrorKind::Timeout, "another reader still uses the surface (fences of its dma-buf)");
        if (auto copied = FrameMemory::copy(from->memory(), to, width_, height_); !copied)
            return copied;
        lock.lock();
        if (undelivered_ == from)
            undelivered_ = nullptr;
        lock.unlock();
    }
}

Result<void> Surface::waitForCopies(os::Deadline deadline) {
    std::unique_lock lock(mutex_);
    if (!copied_.wait_until(lock, deadline.time(), [&] { return !copying_; }))
        return fail(ErrorKind::Busy, "the picture before this one is still being copied");
    return {};
}

Surface::Memory Surface::memory() const {
    const std::lock_guard lock(mutex_);
    return memory_;
}

Surface::Memory Surface::memoryOr(Memory offered) {
    const std::lock_guard lock(mutex_);
    if (!memory_)
        memory_ = std::move(offered);
    return memory_;
}

bool Surface::promise(const Memory& expected) {
    const std::lock_guard lock(mutex_);
    if (memory_ != expected)
        return false;
    promised_ = true;
    return true;
}

Surface::Memory Surface::promisedMemory() const {
    const std::lock_guard lock(mutex_);
    return promised_ ? memory_ : nullptr;
}

void Surface::show(std::shared_ptr<Frame> frame) {
    std::shared_ptr<Frame> before, undelivered, reference = frame; // may end here, outside the lock
    Memory old;
    const std::lock_guard lock(mutex_);
    if (!promised_)
        old = std::exchange(memory_, frame->memory());
    undelivered = std::exchange(undelivered_, frame->memory() == memory_ ? nullptr : frame);
    before = std::exchange(frame_, std::move(frame));
    reference_.swap(reference);
    damaged_.reset();
}

} // namespace v4l2_request::decode
