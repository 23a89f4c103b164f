// SPDX-License-Identifier: MIT
#include "decode/session.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include <fcntl.h>
#include <poll.h>

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

// OUTPUT slots that were taken for jobs; those that were not started go back.
class Session::TakenSlots {
public:
    explicit TakenSlots(OutputPool& pool) : pool_(pool) {}
    ~TakenSlots() {
        for (OutputPool::Slot* slot : std::span(slots_).first(count_))
            if (slot->state == OutputPool::Slot::State::Taken)
                pool_.release(*slot);
    }
    TakenSlots(const TakenSlots&) = delete;
    TakenSlots& operator=(const TakenSlots&) = delete;

    void add(OutputPool::Slot* slot) { slots_[count_++] = slot; }
    OutputPool::Slot& operator[](size_t i) const { return *slots_[i]; }
    // The caller's from here on.
    OutputPool::Slot* giveLast() { return slots_[--count_]; }

private:
    OutputPool& pool_;
    std::array<OutputPool::Slot*, OutputPool::mostSlots> slots_;
    size_t count_ = 0;
};

bool Work::needs(const Frame& frame) const {
    return target.get() == &frame ||
           std::ranges::any_of(references, [&](const Reference& reference) { return reference.frame.get() == &frame; });
}

bool Work::accesses(const Frame& frame) const {
    return target.get() == &frame || std::ranges::any_of(references, [&](const Reference& reference) {
               return reference.read && reference.frame.get() == &frame;
           });
}

void Session::Pending::forget() noexcept {
    work = {};
    references.clear();
    slot = nullptr;
    undecided = nullptr;
    shown.reset();
    back = false;
}

template <typename Text>
void Session::note(Text text) noexcept {
    try {
        notes_.push_back(text());
    } catch (...) { // a line less
    }
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

// -------------------------------------------------------------------------------------------------- submitting

bool Session::holdsAfter(const Work& work, const codec::Job& job) const {
    return &job != &work.jobs.back() || (work.firstField && decoder_.holdCapture);
}

// An entry that was used before, or a new one.
std::list<Session::Pending> Session::spareEntry() {
    std::list<Pending> entry;
    {
        const std::lock_guard lock(mutex_);
        if (!spare_.empty())
            entry.splice(entry.end(), spare_, spare_.begin());
    }
    if (entry.empty())
        entry.emplace_back();
    return entry;
}

Result<void> Session::submit(const Work& submitted) {
    std::list<Pending> picture = spareEntry(); // made, and ends, without the lock
    auto& [work, references, slot, undecided, shown, back] = picture.front();
    references.assign(std::move_iterator(submitted.references.begin()), std::move_iterator(submitted.references.end()));
    work = submitted;
    work.references = references;
    Guard guard(*this);
    Lock& lock = guard.lock;
    if (work.jobs.size() > 1 && !decoder_.holdCapture)
        return fail(ErrorKind::Unsupported, "the device cannot put several slices into one picture");
    if (holdsUndecided())
        startUndecided(lock); // in the order of decoding
    const size_t depth = output_.depthFor(work.jobs.size()), together = std::min(work.jobs.size(), depth);

    // 1. All that one may have to wait for.
    TakenSlots taken(output_);
    for (const codec::Job& job : work.jobs.first(together))
        if (auto acquired = acquireOutput(lock, job, depth, taken); !acquired)
            return acquired;
    // A second field whose first is not held, or no longer, is a job of its own on the same buffer.
    while (work.secondField && !joinsHeld(work) && work.target->pending())
        waitForProgress(lock, os::Deadline::never());
    if (dead_)
        return fail(ErrorKind::Device, "the device could not be restarted");
    const bool joins = joinsHeld(work);
    auto bound = joins ? Result<CapturePool::Slot*>(pending_.back().slot) : bind(lock, work);
    if (!bound)
        return tl::unexpected(std::move(bound).error());
    slot = *bound;

    // 2. All that can fail. From here on the lock is not released before everything is queued.
    // A recovery since the picture was built: what it refers to is lost.
    for (const Reference& reference : work.references)
        if (reference.predictedFrom && reference.frame != work.target && !capture_.holds(reference.frame))
            work.target->addDamage(work.damageLasts);
    for (size_t i = 0; i < together; i++)
        if (auto prepared =
                output_.prepare(taken[i], work.jobs[i], work.target->timestamp(), holdsAfter(work, work.jobs[i]));
            !prepared)
            return prepared;
    if (joins) {
        Pending& first = pending_.back();
        first.references.reserve(first.references.size() + references.size());
        first.work.references = first.references;
    } else if (auto prepared = capture_.prepare(*slot, work.target); !prepared) {
        return prepared;
    }
    if (work.undecided && together == 1) {
        hold(picture, taken);
        return {};
    }
    return start(lock, picture, joins, taken, together);
}

// 3. Hands everything to the device. The requests come first, because one that fails leaves no trace, then the CAPTURE
// buffer; its order in the queue is the order of the pictures.
Result<void> Session::start(Lock& lock, std::list<Pending>& picture, bool joins, TakenSlots& taken, size_t count) {
    Work& work = picture.front().work;
    size_t started = 0;
    Result<void> failure;
    while (started < count && failure) {
        failure = output_.start(taken[started], work.target);
        started += failure.has_value();
    }
    if (!started)
        return failure;
    epoch_++;
    if (pending_.empty())
        lastProgress_ = os::Clock::now();
    held_ = nullptr; // a held picture that gets nothing more comes back with the next job
    const auto rest = work.jobs.subspan(started);
    const auto target = work.target; // the list entry may be gone when the rest was started
    const bool holds = work.firstField && decoder_.holdCapture;
    if (joins) {
        Pending& first = pending_.back();
        first.references.insert(first.references.end(), work.references.begin(), work.references.end());
        first.work.references = first.references;
        first.work.damaged |= work.damaged;
        finished_.splice(finished_.end(), picture);
    } else {
        if (auto queued = capture_.queue(*picture.front().slot, target); !queued) {
            recover(lock, queued.error().message.c_str()); // the jobs would go into the next picture
            return queued;
        }
        target->begin();
        pending_.splice(pending_.end(), picture);
    }
    if (observer_)
        observer_->queued(number_, work);
    if (!failure)
        endInPart(target, failure.error().message);
    else if (!rest.empty())
        startRest(lock, target, rest, holds);
    else if (holds)
        held_ = target.get();
    return {};
}

// All but the last step: that is done when it is decided, or somebody wants the picture.
void Session::hold(std::list<Pending>& picture, TakenSlots& taken) {
    Pending& held = picture.front();
    if (observer_) { // who submitted it does not keep its bytes for so long
        held.shown.emplace();
        held.shown->controls = held.work.jobs.front().controls;
        for (const codec::Bytes piece : held.work.jobs.front().bitstream.pieces())
            held.shown->bitstream.appendCopy(piece);
    }
    held.undecided = taken.giveLast();
    held.slot->reserve(held.work.target);
    held.work.target->begin();
    held_ = held.work.target.get();
    pending_.splice(pending_.end(), picture);
}

bool Session::awaitsDecision(const Frame& frame) {
    const std::lock_guard lock(mutex_);
    return held_ == &frame && holdsUndecided();
}

bool Session::decide(const Frame& frame, const ControlBatch* controls) {
    Guard guard(*this);
    if (held_ != &frame || !holdsUndecided())
        return false;
    Pending& picture = pending_.back();
    const auto set = controls ? output_.setControls(*picture.undecided, *controls) : Result<void>{};
    if (set && controls && picture.shown)
        picture.shown->controls = *controls;
    startUndecided(guard.lock);
    return set.has_value(); // else the device got it as it was
}

// More jobs than OUTPUT buffers: each waits for one to come back.
void Session::startRest(Lock& lock, const std::shared_ptr<Frame>& target, std::span<const codec::Job> jobs,
                        bool holds) {
    const auto isIt = [&](const Pending& pending) { return pending.work.target == target; };
    const size_t depth = output_.depthFor(jobs.size());
    for (const codec::Job& job : jobs) {
        TakenSlots taken(output_);
        const bool last = &job == &jobs.back();
        auto started = orNoMemory([&] { return acquireOutput(lock, job, depth, taken); });
        if (std::none_of(pending_.begin(), pending_.end(), isIt))
            return; // lost meanwhile: the rest would go into the next picture
        if (started)
            started = orNoMemory([&] { return output_.prepare(taken[0], job, target->timestamp(), !last || holds); });
        if (started)
            started = output_.start(taken[0], target);
        if (!started)
            return endInPart(target, started.error().message);
        epoch_++;
    }
    if (holds)
        held_ = target.get();
}

// The device has the beginning of a picture and keeps it for more, which does not come. A thread that waits for the
// picture flushes it.
void Session::endInPart(const std::shared_ptr<Frame>& target, const std::string& why) {
    target->addDamage(Frame::forEver);
    held_ = target.get();
    note([&] { return strprintf("%s: a picture was submitted in part: %s", decoder_.codec->name, why.c_str()); });
}

Result<void> Session::acquireOutput(Lock& lock, const codec::Job& job, size_t depth, TakenSlots& taken) {
    const auto deadline = os::Deadline::after(2 * decoder_.stallTimeout);
    for (;;) {
        auto slot = output_.acquire(job.bitstream.size(), depth);
        if (!slot)
            return tl::unexpected(std::move(slot).error());
        if (*slot) {
            taken.add(*slot);
            return {};
        }
        if (deadline.passed())
            return fail(ErrorKind::Busy, "no OUTPUT buffer came back");
        waitForProgress(lock, deadline);
    }
}

// An index may be taken neither from what is being submitted, nor from what a pending picture reads or writes.
Result<CapturePool::Slot*> Session::bind(Lock& lock, const Work& work) {
    const auto needed = [&](const std::shared_ptr<Frame>& other) {
        return work.needs(*other) ||
               std::ranges::any_of(pending_, [&](const Pending& pending) { return pending.work.needs(*other); });
    };
    const auto deadline = os::Deadline::after(2 * decoder_.stallTimeout);
    for (;;) {
        auto slot = capture_.bind(work.target, needed);
        if (!slot || *slot)
            return slot;
        if (pending_.empty() || deadline.passed())
            return fail(ErrorKind::Busy, "every CAPTURE buffer is in use");
        waitForProgress(lock, deadline);
    }
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
