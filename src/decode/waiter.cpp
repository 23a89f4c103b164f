// SPDX-License-Identifier: MIT
#include "decode/waiter.h"

#include <cerrno>

#include <poll.h>

namespace v4l2_request::decode {

short Waiter::wait(Lock& lock, int fd, os::Deadline deadline) {
    if (polling_) {
        sleep(lock, deadline);
        return 0;
    }
    polling_ = true;
    lock.unlock();
    pollfd events{.fd = fd, .events = POLLIN | POLLOUT, .revents = 0};
    const int ready = ::poll(&events, 1, deadline.pollTimeout());
    const bool failed = ready < 0 && errno != EINTR;
    lock.lock();
    polling_ = false;
    wake();     // one of them polls from here on
    if (failed) // for lack of memory: the device is looked at now and then
        sleep(lock, deadline.earlier(os::Deadline::after(std::chrono::milliseconds(10))));
    return ready > 0 ? events.revents : short{0};
}

} // namespace v4l2_request::decode
