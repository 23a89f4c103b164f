// SPDX-License-Identifier: MIT
#pragma once

#include <any>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "decode/capture_pool.h"
#include "decode/decoder.h"
#include "decode/output_pool.h"
#include "decode/surface.h"
#include "os/deadline.h"
#include "util/log.h"

namespace v4l2_request::decode {

// One decode stream: turns pictures into requests, keeps several of them with the device, and tells the surfaces when
// it is done with them. Submitting is for one thread at a time; waiting is for any number of threads, at any time.
class Stream : public std::enable_shared_from_this<Stream> {
public:
    using SurfaceLookup = std::function<std::shared_ptr<Surface>(VASurfaceID)>;

    // The device is opened with the first picture: only that tells the coded size and the sequence. The log must
    // outlive the stream.
    static std::shared_ptr<Stream> create(const Decoder& decoder, const Log& log);

    // Submits a picture for decoding into `target` and returns without waiting for it, unless everything is in use.
    // `lookup` resolves the surfaces that the picture refers to. After a failure the stream takes the next picture.
    Result<void> decode(const codec::PictureInput& picture, const std::shared_ptr<Surface>& target,
                        const SurfaceLookup& lookup);
    // Waits until this surface is no longer pending. Timeout if the deadline comes first.
    Result<void> wait(const Surface& surface, os::Deadline deadline);
    // Notices what the device has finished, without waiting.
    void reap();
    // Waits for every picture. What the surfaces hold stays readable, and can still be referred to.
    void finish();
    // Whether a surface that is still alive holds a picture of this stream, which a later picture might refer to.
    bool isReferable();
    const Decoder& decoder() const { return decoder_; }

    // One file handle of the device with both queues running; defined in stream.cpp.
    struct Session;

private:
    struct Passkey {};
    struct Pending {
        CapturePool::Slot* slot;
        std::shared_ptr<Surface> surface;
        std::vector<const Surface*> references; // to be compared, not to be followed
    };
    using Lock = std::unique_lock<std::mutex>;

public:
    Stream(Passkey, const Decoder& decoder, const Log& log);
    ~Stream();

private:
    class PictureReferences;

    Result<void> openSession(Lock& lock, const codec::Submission& submission, const Surface& target);
    Result<void> submit(Lock& lock, const codec::Submission& submission, const std::shared_ptr<Surface>& target,
                        std::span<const Surface* const> references);
    static Result<void> waitForOutsiders(const Surface& surface);
    Result<void> waitForReaders(Lock& lock, const Surface& surface);
    Result<OutputPool::Slot*> acquireOutput(Lock& lock, size_t size);
    void waitForProgress(Lock& lock, os::Deadline deadline);
    bool reapLocked();
    void recover(const char* why);
    void failPending();
    void drain(Lock& lock);
    void releaseHeld();

    const Decoder decoder_;
    const Log& log_;

    std::any codecState_; // only the submitting thread touches it

    std::mutex mutex_;
    std::condition_variable progress_;
    std::shared_ptr<Session> session_; // shared with the thread that polls its fd without the lock
    std::deque<Pending> pending_;      // in the order of submission
    const Surface* held_ = nullptr;    // the last pending one, if the device keeps it for the second field
    bool polling_ = false;             // a thread waits in poll(2); others wait for progress_
    os::Clock::time_point lastProgress_;
    uint64_t lastFrame_ = 0;
};

} // namespace v4l2_request::decode
