// SPDX-License-Identifier: MIT
#include "decode/stream.h"

#include <algorithm>

#include <fcntl.h>
#include <poll.h>

namespace v4l2_request::decode {

namespace {

// Without any sign of life for so long, the device is stuck. Above the 2 s after which the kernel drivers' own
// watchdogs give up on a job: theirs leaves less damage.
constexpr std::chrono::seconds deviceTimeout{5};

// A timestamp names a picture for the whole life of a stream. V4L2 carries microseconds.
constexpr uint64_t timestampOf(uint64_t frame) {
    return frame * 1000;
}

// Whether the surface can hold the pictures of a stream that the device lays out so: its memory is like that, or is not
// promised to be otherwise, or can take a copy. That has room for all that is shown, which can be less than what is
// coded by a part of a coding unit.
Result<void> checkRoom(const Surface& surface, const StreamFormat& stream, const Layout& layout) {
    constexpr uint32_t largestUnit = 64;
    const auto memory = surface.promisedMemory();
    if (!memory || memory->layout().serves(layout))
        return {};
    const Layout& has = memory->layout();
    if (has.format->linear() && has.format->va == layout.format->va && surface.width() + largestUnit > stream.width &&
        surface.height() + largestUnit > stream.height)
        return {};
    return fail(ErrorKind::Unsupported,
                strprintf("the surface's memory, %s laid out for %ux%u with %u bytes per row, cannot take pictures of "
                          "%ux%u here",
                          has.format->name, has.width, has.height, has.pitches[0], stream.width, stream.height));
}

} // namespace

struct Stream::Session {
    v4l2::Device device;
    os::UniqueFd media;
    StreamFormat wanted;
    NegotiatedFormat formats;
    OutputPool output;
    CapturePool capture;

    Session(v4l2::Device&& d, os::UniqueFd&& m, const StreamFormat& w, const NegotiatedFormat& f)
        : device(std::move(d)), media(std::move(m)), wanted(w), formats(f), output(device, media.get(), formats.output),
          capture(device, formats.capture) {}

    Result<void> streamOn() {
        return device.streamOn(v4l2::QueueType::Output).and_then([&] {
            return device.streamOn(v4l2::QueueType::Capture);
        });
    }
    Result<void> streamOff() {
        auto output_off = device.streamOff(v4l2::QueueType::Output);
        auto capture_off = device.streamOff(v4l2::QueueType::Capture);
        output.reset();
        capture.reset();
        return output_off.and_then([&] { return capture_off; });
    }
};

// Resolves references for a codec builder and remembers which surfaces the picture needs.
class Stream::PictureReferences final : public codec::References {
public:
    PictureReferences(Stream& stream, const SurfaceLookup& lookup) : stream_(stream), lookup_(lookup) {}

    std::optional<uint64_t> timestamp(VASurfaceID id) const override {
        const auto surface = lookup_(id);
        if (!surface)
            return std::nullopt;
        const std::lock_guard lock(stream_.mutex_);
        const auto timestamp = stream_.session_ ? stream_.session_->capture.timestamp(*surface) : std::nullopt;
        if (timestamp)
            used_.push_back(surface.get());
        return timestamp;
    }
    std::span<const Surface* const> used() const { return used_; }

private:
    Stream& stream_;
    const SurfaceLookup& lookup_;
    mutable std::vector<const Surface*> used_;
};

std::shared_ptr<Stream> Stream::create(const Decoder& decoder, const Log& log) {
    return std::make_shared<Stream>(Passkey{}, decoder, log);
}

Stream::Stream(Passkey, const Decoder& decoder, const Log& log) : decoder_(decoder), log_(log) {}

Stream::~Stream() = default;

Result<void> Stream::decode(const codec::PictureInput& picture, const std::shared_ptr<Surface>& target,
                            const SurfaceLookup& lookup) {
    const PictureReferences references(*this, lookup);
    std::any state = codecState_;
    auto submission = decoder_.codec->build(picture, references, decoder_.controls, state);
    if (!submission)
        return tl::unexpected(std::move(submission).error());
    if (submission->codedWidth == 0 || submission->codedHeight == 0) {
        submission->codedWidth = picture.width;
        submission->codedHeight = picture.height;
    }

    if (target->format().bitDepth != submission->bitDepth)
        return fail(ErrorKind::Unsupported, strprintf("a picture of %u bits cannot be decoded into a surface of %s",
                                                      submission->bitDepth, target->format().name));

    // The memory can take one picture after the other, not two at once; two fields of a frame are one picture where the
    // device says so.
    Lock lock(mutex_);
    if (!submission->secondField || held_ != target.get()) {
        lock.unlock();
        if (auto idle = target->waitForDevice(os::Deadline::after(2 * deviceTimeout)); !idle)
            return idle;
        if (auto unread = waitForOutsiders(*target); !unread)
            return unread;
        lock.lock();
    }
    if (auto opened = openSession(lock, *submission, *target); !opened)
        return opened;
    auto submitted = submit(lock, *submission, target, references.used());
    if (submitted)
        codecState_ = std::move(state);
    return submitted;
}

// The memory of a surface is also others': a display or a GPU may still read the picture before this one, and kernel
// drivers do not wait for them. Whoever does not end in time keeps the picture: its memory is not written.
Result<void> Stream::waitForOutsiders(const Surface& surface) {
    const auto memory = surface.memoryIfAny();
    if (memory && !memory->waitUntilUnused(os::Deadline::after(readerTimeout)))
        return fail(ErrorKind::Busy, "somebody still reads the surface (fences of its dma-buf)");
    return {};
}

// A session lasts until a picture needs other buffers: another coded size or depth, or memory that is promised and laid
// out otherwise, unless pictures of this session may still be referred to. Then a new file handle is the simplest way
// to get new buffers on both queues, and one that no driver gets wrong.
Result<void> Stream::openSession(Lock& lock, const codec::Submission& submission, const Surface& target) {
    const auto promised = target.promisedMemory();
    const bool sameSize = session_ && session_->wanted.width == submission.codedWidth &&
                          session_->wanted.height == submission.codedHeight &&
                          session_->wanted.bitDepth == submission.bitDepth;
    if (sameSize &&
        (!promised || promised->layout().serves(session_->formats.layout) || session_->capture.holdsPictures()))
        return {};

    auto device = v4l2::Device::open(decoder_.node.videoPath);
    if (!device)
        return tl::unexpected(std::move(device).error());
    os::UniqueFd media(::open(decoder_.node.mediaPath.c_str(), O_RDWR | O_CLOEXEC));
    if (!media.valid())
        return fail(ErrorKind::Device, decoder_.node.mediaPath + " cannot be opened any more", errno);

    StreamFormat wanted{.width = submission.codedWidth,
                        .height = submission.codedHeight,
                        .bitDepth = submission.bitDepth,
                        .sequence = {},
                        .frameWidth = wholeUnits(target.width()),
                        .frameHeight = wholeUnits(target.height())};
    if (const auto memory = target.memoryIfAny())
        wanted.fitFrame(memory->layout());
    if (decoder_.codec->sequenceControl) {
        const auto sequence = submission.jobs.front().controls.find(decoder_.codec->sequenceControl);
        wanted.sequence.assign(sequence.begin(), sequence.end());
    }
    auto formats = negotiate(*device, decoder_, wanted);
    if (!formats)
        return tl::unexpected(std::move(formats).error());
    if (auto room = checkRoom(target, wanted, formats->layout); !room)
        return room;

    drain(lock);
    session_.reset();
    auto session = std::make_shared<Session>(std::move(*device), std::move(media), wanted, *formats);
    // A queue without buffers cannot be started: make the first of each now.
    if (auto slot = session->output.acquire(submission.jobs.front().bitstream.size()); !slot)
        return tl::unexpected(std::move(slot).error());
    if (auto started = session->capture.start().and_then([&] { return session->streamOn(); }); !started)
        return started;
    session_ = std::move(session);
    return {};
}

Result<void> Stream::submit(Lock& lock, const codec::Submission& submission, const std::shared_ptr<Surface>& target,
                            std::span<const Surface* const> references) {
    if (auto room = checkRoom(*target, session_->wanted, session_->formats.layout); !room)
        return room;
    auto memory = target->target(decoder_, session_->wanted, session_->formats.layout);
    if (!memory)
        return tl::unexpected(std::move(memory).error());
    if (!(*memory)->layout().serves(session_->formats.layout))
        return fail(ErrorKind::Device, decoder_.node.videoPath + " gives memory of another layout than its queue has");

    if (submission.jobs.size() > 1 && !decoder_.holdCapture)
        return fail(ErrorKind::Unsupported, "the device cannot put several slices into one picture");

    if (auto unread = waitForReaders(lock, *target); !unread)
        return unread;
    // An index may be taken neither from a picture that this one needs nor from one that an earlier job still needs.
    std::vector<const Surface*> needed(references.begin(), references.end());
    for (const Pending& pending : pending_)
        needed.insert(needed.end(), pending.references.begin(), pending.references.end());
    auto bound = session_->capture.bind(target, needed);
    if (!bound)
        return tl::unexpected(std::move(bound).error());
    CapturePool::Slot& capture = **bound;
    // Without HOLD_CAPTURE_BUF the second field is a job of its own on the same buffer, under the same name.
    const uint64_t timestamp =
        submission.secondField && capture.timestamp ? capture.timestamp : timestampOf(++lastFrame_);
    const bool joinsFirstField = submission.secondField && held_ == target.get();
    if (joinsFirstField)
        pending_.back().references.insert(pending_.back().references.end(), references.begin(), references.end());
    held_ = nullptr; // a picture that is held and gets no second field comes back with the next job

    for (const codec::Job& job : submission.jobs) {
        const bool first = &job == &submission.jobs.front(), last = &job == &submission.jobs.back();
        auto output = acquireOutput(lock, job.bitstream.size());
        // The CAPTURE buffer follows right before the request: its order in the queue is the order of the pictures.
        auto submitted = output.and_then([&](OutputPool::Slot* slot) {
            const bool hold = !last || (submission.firstField && decoder_.holdCapture);
            return session_->output.submit(*slot, job, timestamp, hold, [&]() -> Result<void> {
                return first && !joinsFirstField ? session_->capture.queue(capture, **memory, timestamp)
                                                 : Result<void>{};
            });
        });
        if (!submitted) {
            // Half a picture, or a CAPTURE buffer without its request, would shift every later picture.
            if (session_ && capture.queued)
                recover("a picture was submitted in part");
            return submitted;
        }
        if (first && !joinsFirstField) {
            if (pending_.empty())
                lastProgress_ = os::Clock::now();
            target->submit(shared_from_this(), *memory);
            pending_.push_back({&capture, target, {references.begin(), references.end()}});
        }
    }
    if (submission.firstField && decoder_.holdCapture)
        held_ = target.get();
    return {};
}

// A client lets go of a reference when it has submitted the last picture that needs it. The memory must not be queued
// as a target before that picture is done (dev-stateless-decoder.rst, "Buffer management while decoding").
Result<void> Stream::waitForReaders(Lock& lock, const Surface& surface) {
    const auto deadline = os::Deadline::after(2 * deviceTimeout);
    const auto reads = [&](const Pending& pending) {
        return std::find(pending.references.begin(), pending.references.end(), &surface) != pending.references.end();
    };
    while (std::any_of(pending_.begin(), pending_.end(), reads)) {
        if (deadline.passed())
            return fail(ErrorKind::Timeout, "the surface is still needed as a reference");
        waitForProgress(lock, deadline);
    }
    return session_ ? Result<void>{} : fail(ErrorKind::Device, "the device had to be closed");
}

Result<OutputPool::Slot*> Stream::acquireOutput(Lock& lock, size_t size) {
    const auto deadline = os::Deadline::after(2 * deviceTimeout);
    for (;;) {
        auto slot = session_->output.acquire(size);
        if (!slot || *slot)
            return slot;
        if (deadline.passed())
            return fail(ErrorKind::Timeout, "no OUTPUT buffer came back");
        waitForProgress(lock, deadline);
        if (!session_)
            return fail(ErrorKind::Device, "the device had to be closed");
    }
}

Result<void> Stream::wait(const Surface& surface, os::Deadline deadline) {
    Lock lock(mutex_);
    const auto isIt = [&](const Pending& pending) { return pending.surface.get() == &surface; };
    for (bool expired = false; std::any_of(pending_.begin(), pending_.end(), isIt);) {
        if (expired)
            return fail(ErrorKind::Timeout, "the picture is not decoded yet");
        expired = deadline.passed(); // then this is the last look
        if (held_ == &surface)
            releaseHeld();
        waitForProgress(lock, deadline);
    }
    return {};
}

// One thread polls for all: whoever takes buffers off the queues is the only one who can know that they were there.
void Stream::waitForProgress(Lock& lock, os::Deadline deadline) {
    if (polling_) {
        progress_.wait_until(lock, deadline.time());
        return;
    }
    const auto session = session_;
    if (!session)
        return;
    const auto stall = os::Deadline::after(lastProgress_ + deviceTimeout - os::Clock::now());
    polling_ = true;
    lock.unlock();
    pollfd events{.fd = session->device.fd(), .events = POLLIN | POLLOUT, .revents = 0};
    const int ready = ::poll(&events, 1, deadline.earlier(stall).pollTimeout());
    lock.lock();
    polling_ = false;
    const bool progressed = reapLocked();
    if (!progressed && !pending_.empty()) {
        if (ready > 0 && (events.revents & (POLLERR | POLLHUP | POLLNVAL)))
            recover("the device has lost its buffers");
        else if (stall.passed())
            recover("the device does not answer");
    }
    progress_.notify_all();
}

bool Stream::reapLocked() {
    if (!session_)
        return false;
    bool progressed = session_->output.reap();
    while (!pending_.empty()) {
        const auto finished = session_->capture.reap();
        if (!finished || !*finished)
            break;
        progressed = true;
        const auto done = std::find_if(pending_.begin(), pending_.end(),
                                       [&](const Pending& p) { return p.slot == (*finished)->slot; });
        if (done == pending_.end())
            continue;
        if ((*finished)->error)
            log_.info(strprintf("the device reports an error in picture %llu",
                                static_cast<unsigned long long>((*finished)->slot->timestamp / 1000)));
        done->surface->finish((*finished)->error);
        pending_.erase(done);
    }
    if (progressed) {
        lastProgress_ = os::Clock::now();
        progress_.notify_all();
    }
    return progressed;
}

// Everything that the device has is lost; the queues and the pictures decoded so far are not.
void Stream::recover(const char* why) {
    log_.error(strprintf("%s: %s: stopping and restarting the queues, %zu pictures are lost", decoder_.codec->name, why,
                         pending_.size()));
    failPending();
    auto restarted = session_->streamOff().and_then([&] { return session_->streamOn(); });
    if (!restarted) {
        log_.error(restarted.error().message);
        session_.reset(); // the next picture opens the device anew
    }
    lastProgress_ = os::Clock::now();
}

void Stream::failPending() {
    for (const Pending& pending : pending_)
        pending.surface->finish(true);
    pending_.clear();
    held_ = nullptr;
}

// Somebody wants the picture now: a second field that still comes is a job of its own.
void Stream::releaseHeld() {
    held_ = nullptr;
    if (auto flushed = session_->device.flush(); !flushed)
        log_.info(flushed.error().message); // the picture then comes back with the next job, or by the timeout
}

void Stream::drain(Lock& lock) {
    if (held_)
        releaseHeld();
    while (!pending_.empty())
        waitForProgress(lock, os::Deadline::never());
}

void Stream::reap() {
    const Lock lock(mutex_);
    if (!polling_)
        reapLocked();
}

void Stream::finish() {
    Lock lock(mutex_);
    drain(lock);
}

bool Stream::isReferable() {
    const Lock lock(mutex_);
    return session_ && session_->capture.holdsPictures();
}

} // namespace v4l2_request::decode
