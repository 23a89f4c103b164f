// SPDX-License-Identifier: MIT
// How a session hands a picture to its device.
#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "decode/session_guard.h"

namespace v4l2_request::decode {

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

} // namespace v4l2_request::decode
