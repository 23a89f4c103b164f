// SPDX-License-Identifier: MIT
#pragma once

#include <list>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "decode/session.h"
#include "os/deadline.h"

namespace v4l2_request::decode {

// The session's lock. What is to be logged, and what is to be freed, waits until it is released: both can call into the
// client or the kernel.
class Session::Guard {
public:
    explicit Guard(Session& session) : lock(session.mutex_), session_(session) {}
    // May come back without the lock: at the deadline.
    Guard(Session& session, os::Deadline deadline) : lock(session.mutex_, std::defer_lock), session_(session) {
        if (deadline.isNever())
            lock.lock();
        else
            (void)lock.try_lock_until(deadline.time());
    }
    ~Guard() {
        if (!lock.owns_lock())
            return;
        if (session_.notes_.empty() && session_.finished_.empty())
            return;
        const std::vector<std::string> notes = std::exchange(session_.notes_, {});
        std::list<Pending> finished;
        finished.swap(session_.finished_);
        lock.unlock();
        for (Pending& pending : finished)
            pending.forget();
        try {
            for (const std::string& line : notes)
                session_.log_.info(line);
        } catch (...) { // a line less
        }
        if (lock.try_lock()) // or they are not kept: nobody waits for that
            session_.spare_.splice(session_.spare_.end(), finished);
    }
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

    Lock lock;

private:
    Session& session_;
};

template <typename Text>
void Session::note(Text text) noexcept {
    try {
        notes_.push_back(text());
    } catch (...) { // a line less
    }
}

} // namespace v4l2_request::decode
