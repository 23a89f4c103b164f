// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>

#include "decode/frame_memory.h"

namespace v4l2_request::decode {

class Session;

// One picture: the memory that the device writes, and what became of it. The surface that shows it and the pending
// pictures that read or write it own it together. So nothing is taken from under a job, whatever a client destroys.
// Sessions change it, under their lock; anybody may ask.
class Frame {
public:
    // Damage is the number of pictures that inherit it, one from another.
    static constexpr uint32_t undamaged = 0, forEver = UINT32_MAX;

    // `timestamp` names the picture in the CAPTURE queue of its session, nanoseconds.
    Frame(std::shared_ptr<FrameMemory> memory, std::weak_ptr<Session> session, uint64_t timestamp)
        : memory_(std::move(memory)), session_(std::move(session)), timestamp_(timestamp) {}

    const std::shared_ptr<FrameMemory>& memory() const { return memory_; }
    std::shared_ptr<Session> session() const { return session_.lock(); }
    uint64_t timestamp() const { return timestamp_; }

    // The device still has it, or will get more of it.
    bool pending() const { return jobs_.load(std::memory_order_acquire) != 0; }
    uint32_t damage() const { return damage_.load(std::memory_order_relaxed); }
    bool damaged() const { return damage() != undamaged; }
    // The device reported an error, though nothing that the picture is predicted from is missing: its own data could
    // not be decoded.
    bool undecodable() const { return undecodable_.load(std::memory_order_relaxed); }

    // A picture is begun once, the second field of a frame once more; each begin() is followed by one end().
    void begin() { jobs_.fetch_add(1, std::memory_order_relaxed); }
    void end() { jobs_.fetch_sub(1, std::memory_order_release); }
    // Adds to the damage that it has: a second field does not mend the first.
    void addDamage(uint32_t damage) { damage_.store(std::max(this->damage(), damage), std::memory_order_relaxed); }
    void setUndecodable() { undecodable_.store(true, std::memory_order_relaxed); }
    // Nobody has written it: it shows what this one shows, if that can be had.
    void conceal(const Frame& before) const noexcept;

private:
    const std::shared_ptr<FrameMemory> memory_;
    const std::weak_ptr<Session> session_;
    const uint64_t timestamp_;
    std::atomic<unsigned> jobs_ = 0;
    std::atomic<uint32_t> damage_ = undamaged;
    std::atomic<bool> undecodable_ = false;
};

inline void Frame::conceal(const Frame& before) const noexcept {
    try {
        (void)FrameMemory::duplicate(before.memory_, memory_);
    } catch (...) { // it shows what was in its memory before
    }
}

} // namespace v4l2_request::decode
