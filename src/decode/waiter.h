// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <mutex>

#include "os/deadline.h"

namespace v4l2_request::decode {

// How the threads that wait for one device wait together. The thread that finds a buffer takes it off the queue, so
// only that thread can know that they were there: one thread polls the device for all, without the lock; the others
// sleep until it has looked.
class Waiter {
public:
    using Lock = std::unique_lock<std::timed_mutex>;

    // Returns when there may be something new, or at the deadline, with the lock held again. What poll(2) said of the
    // device; 0 for a thread that slept, and at the deadline.
    short wait(Lock& lock, int fd, os::Deadline deadline);
    // The same where the device is not what is waited for.
    void sleep(Lock& lock, os::Deadline deadline) { progress_.wait_until(lock, deadline.time()); }
    // Everybody looks anew. To be called whenever what others may wait for has changed.
    void wake() { progress_.notify_all(); }

private:
    bool polling_ = false;
    std::condition_variable_any progress_;
};

} // namespace v4l2_request::decode
