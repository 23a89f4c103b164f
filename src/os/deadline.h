// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <chrono>
#include <climits>
#include <cstdint>

namespace v4l2_request::os {

using Clock = std::chrono::steady_clock;

// A point in time until which a caller is willing to wait.
class Deadline {
public:
    static Deadline never() { return Deadline(Clock::time_point::max()); }
    static Deadline after(std::chrono::nanoseconds duration) {
        const auto now = Clock::now();
        return duration > Clock::time_point::max() - now ? never() : Deadline(now + duration);
    }

    static Deadline at(Clock::time_point time) { return Deadline(time); }

    bool isNever() const { return time_ == Clock::time_point::max(); }
    bool passed() const { return Clock::now() >= time_; }
    Clock::time_point time() const { return time_; }
    Deadline earlier(Deadline other) const { return Deadline(std::min(time_, other.time_)); }

    // For poll(2): rounded up, so that a wait never ends just before the deadline; -1 where there is none.
    int pollTimeout() const {
        if (isNever())
            return -1;
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(time_ - Clock::now()).count();
        return static_cast<int>(std::clamp<int64_t>(left, 0, INT_MAX));
    }

private:
    explicit Deadline(Clock::time_point time) : time_(time) {}
    Clock::time_point time_;
};

} // namespace v4l2_request::os
