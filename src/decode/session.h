// SPDX-License-Identifier: MIT
#pragma once

#include <climits>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "decode/capture_pool.h"
#include "decode/decoder.h"
#include "decode/memory_pool.h"
#include "decode/output_pool.h"
#include "decode/waiter.h"
#include "decode/work.h"
#include "util/log.h"

namespace v4l2_request::decode {

// One file handle of a device with both queues running: what is pending on it, and how that ends. Thread-safe: one
// thread submits, any number wait.
//
// A picture that was submitted ends once, whatever happens: decoded, damaged, or lost. A lost one was not written; it
// is concealed with the picture before it.
class Session : public std::enable_shared_from_this<Session> {
    struct Passkey {};

public:
    // Opens the device for such a stream. `bitstream`: bytes of its first job.
    static Result<std::shared_ptr<Session>> open(const Decoder& decoder, const StreamFormat& wanted, size_t bitstream,
                                                 const Log& log);
    Session(Passkey, const Decoder& decoder, v4l2::Device&& device, os::UniqueFd&& media, const StreamFormat& wanted,
            const NegotiatedFormat& formats, const Log& log);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    const StreamFormat& wanted() const { return wanted_; }
    const Layout& layout() const { return formats_.layout; }
    // Memory for its pictures.
    MemoryPool& memory() { return memory_; }

    // Queues a picture, whole or nothing of it. Waits while everything is in use. Only a picture of more jobs than
    // there can be OUTPUT buffers is queued piece by piece; if it cannot be ended, it is damaged. Takes the references.
    Result<void> submit(const Work& work);
    // Whether this picture is undecided and nobody has asked for it.
    bool awaitsDecision(const Frame& frame);
    // The device gets an undecided picture: with these controls, or, without, as it was submitted. False if somebody
    // has asked for it before, so that it has got it already.
    bool decide(const Frame& frame, const ControlBatch* controls);
    // Waits until the picture is no longer pending.
    Result<void> wait(const Frame& frame, os::Deadline deadline);
    // Waits until no pending picture is written to, or read from, this one. Timeout if that takes longer than a device
    // may take.
    Result<void> waitUntilUnused(const Frame& frame);
    // Takes what the device has finished, without waiting: somebody asks for this picture.
    void reap(const Frame& frame);
    // Waits for every picture.
    void drain();
    // Less of the picture was submitted than there should be.
    void damage(Frame& frame);

    // Whether the device still finds the picture as a reference.
    bool holds(const std::shared_ptr<Frame>& frame);
    // The picture that was queued last of those that can be referred to, without this one.
    std::shared_ptr<Frame> latest(const std::shared_ptr<Frame>& except);
    bool holdsPictures();
    // Lets go of memory that nobody else has.
    void dropUnownedMemory();

    // The queues could not be restarted: nothing can be submitted any more.
    bool dead();

private:
    struct Pending {
        // Nothing is left but memory for the next picture's references.
        void forget() noexcept;

        Work work; // its references are these
        std::vector<Reference> references;
        CapturePool::Slot* slot = nullptr;
        OutputPool::Slot* undecided = nullptr; // its job, which the device does not have yet
        std::optional<codec::Job> shown;       // the same, for the observer
        bool back = false;                     // the device has given it back
    };
    using Lock = Waiter::Lock;
    class Guard;
    class TakenSlots;

    std::list<Pending> spareEntry();
    Result<void> acquireOutput(Lock& lock, const codec::Job& job, size_t depth, TakenSlots& taken);
    Result<CapturePool::Slot*> bind(Lock& lock, const Work& work);
    Result<void> start(Lock& lock, std::list<Pending>& picture, bool joins, TakenSlots& taken, size_t count);
    void hold(std::list<Pending>& picture, TakenSlots& taken);
    void startRest(Lock& lock, const std::shared_ptr<Frame>& target, std::span<const codec::Job> jobs, bool holds);
    void endInPart(const std::shared_ptr<Frame>& target, const std::string& why);
    bool holdsAfter(const Work& work, const codec::Job& job) const;
    bool holdsUndecided() const { return held_ && pending_.back().undecided; }
    bool joinsHeld(const Work& work) const { return work.secondField && held_ == work.target.get(); }

    void waitForProgress(Lock& lock, os::Deadline deadline);
    bool takeFinished(Lock& lock);
    Result<bool> dequeueAll();
    void complete(Pending& pending);
    void recover(Lock& lock, const char* why) noexcept;
    void conceal(Lock& lock, std::list<Pending>& lost, const std::shared_ptr<Frame>& before) noexcept;
    void letHeldGo(Lock& lock);
    void startUndecided(Lock& lock);
    template <typename Text>
    void note(Text text) noexcept;

    const Decoder& decoder_;
    const Log& log_;
    v4l2::Device device_;
    os::UniqueFd media_;
    const StreamFormat wanted_;
    const NegotiatedFormat formats_;
    const std::shared_ptr<Observer> observer_;
    uint32_t number_ = 0; // that the observer gave
    MemoryPool memory_;

    std::timed_mutex mutex_;
    Waiter waiter_;
    OutputPool output_;
    CapturePool capture_;
    std::list<Pending> pending_;  // in the order of submission, which is that of both queues
    std::list<Pending> finished_; // to be forgotten without the lock
    std::list<Pending> spare_;    // forgotten: for the next pictures
    // The last pending one, if it waits for what comes next: the device keeps it for more of this picture, or does not
    // have it yet, as it is undecided. Whoever cannot wait lets it go.
    const Frame* held_ = nullptr;
    uint64_t epoch_ = 0; // changes with what the device has: what was seen of it before counts no more
    bool dead_ = false;
    unsigned concealing_ = 0; // recoveries that have not ended yet
    os::Clock::time_point lastProgress_{};
    unsigned goodSince_ = UINT_MAX;  // pictures since the last damaged one: the log has one line a burst
    std::vector<std::string> notes_; // to be logged without the lock
};

} // namespace v4l2_request::decode
