// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <mutex>

namespace v4l2_request {

#ifdef __SANITIZE_THREAD__
using Mutex = std::mutex; // which ThreadSanitizer knows: it also finds locks that are taken in different orders
#else

// A std::mutex for a few instructions at a time. While nobody waits, locking and unlocking is one atomic instruction
// each, in place; a picture takes dozens of such locks. (U. Drepper, "Futexes Are Tricky", 2011, mutex2.)
class Mutex {
public:
    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;

    bool try_lock() noexcept {
        int expected = free;
        return state_.compare_exchange_strong(expected, locked, std::memory_order_acquire, std::memory_order_relaxed);
    }
    void lock() noexcept {
        if (!try_lock())
            waitForIt();
    }
    void unlock() noexcept {
        if (state_.exchange(free, std::memory_order_release) == awaited)
            state_.notify_one();
    }

private:
    enum : int { free, locked, awaited };

    [[gnu::noinline, gnu::cold]] void waitForIt() noexcept {
        while (state_.exchange(awaited, std::memory_order_acquire) != free)
            state_.wait(awaited, std::memory_order_relaxed);
    }

    std::atomic<int> state_ = free;
};

#endif

} // namespace v4l2_request
