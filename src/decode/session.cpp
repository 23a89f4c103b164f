// SPDX-License-Identifier: MIT
#include "decode/session.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <poll.h>

#include "decode/session_guard.h"

namespace v4l2_request::decode {

void Session::Pending::forget() noexcept {
    work = {};
    references.clear();
    slot = nullptr;
    undecided = nullptr;
    shown.reset();
    back = false;
}

Result<std::shared_ptr<Session>> Session::open(const Decoder& decoder, const StreamFormat& wanted, size_t bitstream,
                                               const Log& log) {
    auto device = v4l2::Device::open(decoder.node.videoPath);
    if (!device)
        return tl::unexpected(std::move(device).error());
    os::UniqueFd media = os::openNode(decoder.node.mediaPath.c_str(), O_RDWR);
    if (!media.valid())
        return fail(ErrorKind::Device, decoder.node.mediaPath + " cannot be opened any more", errno);
    const auto formats = negotiate(*device, decoder, wanted);
    if (!formats)
        return tl::unexpected(formats.error());
    auto session =
        std::make_shared<Session>(Passkey{}, decoder, std::move(*device), std::move(media), wanted, *formats, log);
    // A queue without buffers cannot be started: make the first of each now.
    const auto slot = session->output_.acquire(bitstream, 1);
    if (!slot)
        return tl::unexpected(slot.error());
    session->output_.release(**slot);
    auto started = session->capture_.start()
                       .and_then([&] { return session->device_.streamOn(v4l2::QueueType::Output); })
                       .and_then([&] { return session->device_.streamOn(v4l2::QueueType::Capture); });
    if (!started)
        return tl::unexpected(std::move(started).error());
    if (session->observer_)
        session->number_ = session->observer_->opened(decoder, wanted, *formats, bitstream);
    return session;
}

Session::Session(Passkey, const Decoder& decoder, v4l2::Device&& device, os::UniqueFd&& media,
                 const StreamFormat& wanted, const NegotiatedFormat& formats, const Log& log)
    : decoder_(decoder), log_(log), device_(std::move(device)), media_(std::move(media)), wanted_(wanted),
      formats_(formats), observer_(decoder.observer), memory_(decoder, wanted),
      output_(device_, media_.get(), formats.output), capture_(device_, formats.capture) {}

// Closing the device ends its jobs.
Session::~Session() {
    for (Pending& pending : pending_) {
        pending.work.target->addDamage(Frame::forEver);
        if (observer_ && !pending.undecided)
            observer_->ended(number_, pending.work, true);
        pending.work.target->end();
    }
    if (observer_)
        observer_->closed(number_);
}

// -------------------------------------------------------------------------------------------------- waiting

Result<void> Session::wait(const Frame& frame, os::Deadline deadline) {
    Guard guard(*this, deadline);
    for (bool expired = !guard.lock.owns_lock(); frame.pending();) {
        if (expired)
            return fail(ErrorKind::Timeout, "the picture is not decoded yet");
        expired = deadline.passed(); // then this is the last look
        if (held_ == &frame)
            letHeldGo(guard.lock);
        waitForProgress(guard.lock, deadline);
    }
    return {};
}

Result<void> Session::waitUntilUnused(const Frame& frame) {
    Guard guard(*this);
    const auto accesses = [&](const Pending& pending) { return pending.work.accesses(frame); };
    const auto deadline = os::Deadline::after(2 * decoder_.stallTimeout);
    while (std::ranges::any_of(pending_, accesses)) {
        if (deadline.passed())
            return fail(ErrorKind::Busy, "the memory is still needed by pictures before this one");
        if (held_ && accesses(pending_.back()))
            letHeldGo(guard.lock);
        waitForProgress(guard.lock, deadline);
    }
    return {};
}

void Session::reap(const Frame& frame) {
    Guard guard(*this, os::Deadline::after({}));
    if (!guard.lock.owns_lock())
        return; // somebody else is at it
    if (held_ == &frame)
        letHeldGo(guard.lock);
    takeFinished(guard.lock);
}

void Session::drain() {
    Guard guard(*this);
    while (!pending_.empty() || concealing_) {
        if (held_)
            letHeldGo(guard.lock);
        waitForProgress(guard.lock, os::Deadline::never());
    }
}

void Session::damage(Frame& frame) {
    const std::lock_guard lock(mutex_);
    frame.addDamage(Frame::forEver);
}

void Session::waitForProgress(Lock& lock, os::Deadline deadline) {
    if (pending_.empty()) { // pictures are being concealed, or a request ends after its buffers
        waiter_.sleep(lock, deadline.earlier(os::Deadline::after(std::chrono::milliseconds(1))));
        takeFinished(lock);
        return;
    }
    if (pending_.front().undecided) { // nothing else is there that could make progress
        startUndecided(lock);
        return;
    }
    const uint64_t epoch = epoch_;
    const auto stall = os::Deadline::at(lastProgress_ + decoder_.stallTimeout);
    const short events = waiter_.wait(lock, device_.fd(), deadline.earlier(stall));
    const bool stale = epoch != epoch_;
    if (takeFinished(lock) || stale || pending_.empty())
        return;
    if (events & (POLLERR | POLLHUP | POLLNVAL))
        recover(lock, "the device has lost its buffers");
    else if (os::Clock::now() >= lastProgress_ + decoder_.stallTimeout)
        recover(lock, "the device does not answer");
}

// Whether anything came back. A queue that cannot be read any more has lost everything.
bool Session::takeFinished(Lock& lock) {
    const auto any = dequeueAll();
    bool progressed = any.value_or(false);
    for (auto pending = pending_.begin(); pending != pending_.end();) {
        const auto next = std::next(pending);
        if (pending->back) {
            complete(*pending);
            finished_.splice(finished_.end(), pending_, pending);
            progressed = true;
        }
        pending = next;
    }
    if (progressed) {
        epoch_++;
        lastProgress_ = os::Clock::now();
        waiter_.wake();
    }
    if (!any) {
        recover(lock, any.error().message.c_str());
        return true;
    }
    return progressed;
}

// CAPTURE first: when a picture is back, so are all of its OUTPUT buffers, with what they have to say of it.
Result<bool> Session::dequeueAll() {
    bool any = false;
    const auto damage = [&](const Frame* frame) {
        for (Pending& pending : pending_)
            if (pending.work.target.get() == frame)
                pending.work.damaged = true;
    };
    for (size_t missing = pending_.size(); missing > 0; missing--) {
        const auto finished = capture_.dequeue();
        if (!finished)
            return tl::unexpected(finished.error());
        if (!*finished)
            break;
        any = true;
        for (Pending& pending : pending_)
            if (pending.slot == (*finished)->slot && !pending.back) {
                pending.back = true;
                pending.work.damaged |= (*finished)->error;
                break;
            }
    }
    for (;;) {
        const auto finished = output_.dequeue();
        if (!finished)
            return tl::unexpected(finished.error());
        if (!*finished)
            return any;
        any = true;
        if ((*finished)->error)
            damage((*finished)->frame.get());
    }
}

void Session::complete(Pending& pending) {
    Work& work = pending.work;
    if (held_ == work.target.get())
        held_ = nullptr;
    if (work.damaged)
        work.target->addDamage(work.damageLasts);
    for (const Reference& reference : work.references)
        if (const uint32_t damage = reference.frame->damage(); reference.predictedFrom && damage != Frame::undamaged)
            work.target->addDamage(damage == Frame::forEver ? damage : damage - 1);
    if (!work.target->damaged()) {
        goodSince_ += goodSince_ != UINT_MAX;
    } else {
        constexpr unsigned burst = 30; // damaged pictures that are no further apart
        if (goodSince_ > burst)
            note([&] {
                return strprintf("%s: damaged pictures, beginning with %llu%s", decoder_.codec->name,
                                 static_cast<unsigned long long>(work.target->timestamp() / 1000),
                                 work.damaged ? "" : " (predicted from a damaged one)");
            });
        goodSince_ = 0;
    }
    if (observer_)
        observer_->ended(number_, work, false);
    work.target->end();
}

// -------------------------------------------------------------------------------------------------- recovery

// Stops and restarts both queues. What the device had is lost, and so is every reference: the memory keeps its
// pictures, but STREAMOFF makes the kernel forget which is which.
void Session::recover(Lock& lock, const char* why) noexcept {
    std::list<Pending> lost;
    lost.splice(lost.end(), pending_);
    note([&] {
        return strprintf("%s: %s: stopping and restarting the queues, %zu pictures are lost", decoder_.codec->name, why,
                         lost.size());
    });
    const auto before = capture_.latest([](const Frame& frame) { return !frame.pending(); });
    held_ = nullptr;
    auto outputOff = device_.streamOff(v4l2::QueueType::Output);
    auto captureOff = device_.streamOff(v4l2::QueueType::Capture);
    output_.reset();
    capture_.reset();
    const auto restarted = outputOff.and_then([&] { return captureOff; })
                               .and_then([&] { return device_.streamOn(v4l2::QueueType::Output); })
                               .and_then([&] { return device_.streamOn(v4l2::QueueType::Capture); });
    if (!restarted) {
        dead_ = true;
        note([&] { return restarted.error().message; });
    }
    lastProgress_ = os::Clock::now();
    conceal(lock, lost, before);
}

// Pictures that nobody will write: they show the one before, or, without one, what was in their memory.
void Session::conceal(Lock& lock, std::list<Pending>& lost, const std::shared_ptr<Frame>& before) noexcept {
    epoch_++;
    concealing_++;
    for (Pending& pending : lost) {
        pending.work.target->addDamage(Frame::forEver);
        if (pending.undecided) // the device never had it
            output_.release(*pending.undecided);
        else if (observer_)
            observer_->ended(number_, pending.work, true);
    }
    lock.unlock();
    for (const Pending& pending : lost)
        if (before)
            pending.work.target->conceal(*before);
    lock.lock();
    concealing_--;
    for (const Pending& pending : lost)
        pending.work.target->end();
    finished_.splice(finished_.end(), lost);
    waiter_.wake();
}

// A thread that waits gets the picture as it is: a second field that still comes is a job of its own, and what an
// undecided picture should have been is decoded once more.
void Session::letHeldGo(Lock& lock) {
    if (holdsUndecided())
        return startUndecided(lock);
    held_ = nullptr;
    if (auto flushed = device_.flush(); !flushed)
        note([&] {
            return flushed.error().message;
        }); // the picture then comes back with the next job, or is lost by the timeout
}

// The last step of an undecided picture.
void Session::startUndecided(Lock& lock) {
    held_ = nullptr;
    Pending& picture = pending_.back();
    const auto target = picture.work.target;
    epoch_++;
    lastProgress_ = os::Clock::now();
    if (auto started = output_.start(*picture.undecided, target); !started) {
        note([&] {
            return strprintf("%s: a picture is lost: %s", decoder_.codec->name, started.error().message.c_str());
        });
        std::list<Pending> lost;
        lost.splice(lost.end(), pending_, std::prev(pending_.end()));
        return conceal(lock, lost, capture_.latest([](const Frame& frame) { return !frame.pending(); }));
    }
    picture.undecided = nullptr;
    if (observer_ && picture.shown) {
        picture.work.jobs = {&*picture.shown, 1};
        observer_->queued(number_, picture.work);
    }
    if (auto queued = capture_.queue(*picture.slot, target); !queued)
        recover(lock, queued.error().message.c_str());
}

// -------------------------------------------------------------------------------------------------- references

bool Session::holds(const std::shared_ptr<Frame>& frame) {
    const std::lock_guard lock(mutex_);
    return capture_.holds(frame) || held_ == frame.get();
}

std::shared_ptr<Frame> Session::latest(const std::shared_ptr<Frame>& except) {
    const std::lock_guard lock(mutex_);
    return capture_.latest([&](const Frame& frame) { return &frame != except.get(); });
}

bool Session::holdsPictures() {
    const std::lock_guard lock(mutex_);
    return capture_.holdsPictures();
}

void Session::dropUnownedMemory() {
    memory_.trim();
    const Guard guard(*this);
    capture_.dropUnowned();
}

bool Session::dead() {
    const std::lock_guard lock(mutex_);
    return dead_;
}

} // namespace v4l2_request::decode
