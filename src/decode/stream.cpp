// SPDX-License-Identifier: MIT
#include "decode/stream.h"

#include <algorithm>
#include <new>

namespace v4l2_request::decode {

namespace {

// A timestamp names a picture for the whole life of a stream. V4L2 carries microseconds.
constexpr uint64_t timestampOf(uint64_t frame) {
    return frame * 1000;
}

// Whether the surface has room for all that such a picture shows. Asked before anything is made for it.
Result<void> checkSize(const Surface& surface, const codec::Codec& codec, const codec::Submission& submission) {
    if (uint64_t{surface.width()} + codec.unitWidth > submission.codedWidth &&
        uint64_t{surface.height()} + codec.unitHeight > submission.codedHeight)
        return {};
    return fail(ErrorKind::Unsupported, strprintf("pictures of %ux%u in a surface of %ux%u", submission.codedWidth,
                                                  submission.codedHeight, surface.width(), surface.height()));
}

// Whether memory that the surface's client keeps can take pictures of this layout: as the device writes them, or as a
// copy.
Result<void> checkMemory(const Surface& surface, const Layout& layout) {
    const auto memory = surface.promisedMemory();
    if (!memory || memory->layout().serves(layout) ||
        (memory->layout().format->linear() && memory->layout().format->va == layout.format->va))
        return {};
    const Layout& has = memory->layout();
    return fail(ErrorKind::Unsupported,
                strprintf("the surface's memory, %s laid out for %ux%u with %u bytes per row, cannot take pictures of "
                          "%ux%u here",
                          has.format->name, has.width, has.height, has.pitches[0], layout.width, layout.height));
}

// Whether it is the picture that failed, and not what the client asks for: then the stream goes on.
bool isDamage(const Error& error) {
    return error.kind != ErrorKind::Unsupported && error.kind != ErrorKind::InvalidParameter;
}

} // namespace

Result<void> Stream::decode(const codec::PictureInput& picture, const std::shared_ptr<Surface>& target,
                            const SurfaceLookup& lookup) {
    decideLast(picture, lookup);
    bool built = false;
    const auto trySubmit = [&] { return orNoMemory([&] { return submit(picture, *target, lookup, built); }); };
    auto submitted = trySubmit();
    if (!submitted && submitted.error().kind == ErrorKind::OutOfMemory) {
        dropUnownedMemory();
        // Without pictures that could be referred to, the session itself can go: with it goes all that it holds.
        if (!isReferable())
            setSession(nullptr);
        submitted = trySubmit();
    }
    if (submitted) {
        failures_ = 0;
        return submitted;
    }
    const Error& error = submitted.error();
    if (!isDamage(error))
        return submitted;
    // The picture is lost. Its name is not used again, and what its headers say holds for later pictures.
    lastFrame_++;
    if (decoder_.codec->headersOutliveLoss && built)
        codecState_.swap(nextState_);
    firstField_.reset();
    const bool ofTheStream = error.kind == ErrorKind::Decoding; // and never the device's
    if (!ofTheStream && ++failures_ >= mostFailures)
        return submitted;
    log_.info(strprintf("%s: a picture is concealed: %s", decoder_.codec->name, submitted.error().message.c_str()));
    conceal(*target);
    return {};
}

// Before anything is built: what the next picture refers to, and whose memory it takes, depends on it. What fails here
// is missed by those that refer to it.
void Stream::decideLast(const codec::PictureInput& next, const SurfaceLookup& lookup) try {
    auto last = std::exchange(undecided_, std::nullopt);
    const auto session = last ? last->frame->session() : nullptr;
    if (!session || session != this->session())
        return;
    bool waits = session->awaitsDecision(*last->frame);
    counts_.early += !waits;
    for (;;) {
        const uint64_t name = waits ? last->frame->timestamp() : timestampOf(lastFrame_ + 1);
        PictureReferences alive(session.get(), lookup, nullptr, name, next.memory);
        std::any state = codecState_;
        const auto decision = decoder_.codec->decide(next, alive, state);
        if (waits && !session->decide(*last->frame, decision ? &decision->job.controls : nullptr)) {
            counts_.early++; // somebody has asked for it just now
            waits = false;
            continue;
        }
        if (decision && !waits)
            if (auto again = decodeAgain(*decision, std::move(*last), alive, name, lookup); !again) {
                log_.info(strprintf("%s: a picture that others refer to is lost: %s", decoder_.codec->name,
                                    again.error().message.c_str()));
                return;
            }
        codecState_ = std::move(state);
        return;
    }
} catch (const std::bad_alloc&) {
    log_.info(strprintf("%s: no memory to decide what a picture is for", decoder_.codec->name));
}

// Into memory that nobody sees, as the picture is seen already.
Result<void> Stream::decodeAgain(const codec::Decision& decision, Undecided last, PictureReferences& alive,
                                 uint64_t name, const SurfaceLookup& lookup) {
    lastFrame_++; // the name is taken, whatever becomes of it
    const auto session = last.frame->session();
    auto memory = spareMemory(*session);
    if (!memory)
        return tl::unexpected(std::move(memory).error());
    const auto frame = makeFrame(*memory, session, name);
    const auto kept = alive.found({});
    last.references.insert(last.references.end(), kept.begin(), kept.end());
    if (auto submitted = session->submit({.target = frame,
                                          .jobs = {&decision.job, 1},
                                          .references = last.references,
                                          .damageLasts = last.damageLasts});
        !submitted)
        return submitted;
    counts_.again++;
    if (const auto surface = lookup(decision.surface))
        surface->setReference(frame);
    return {};
}

// `built`: nextState_ is what the codec remembers after this picture.
Result<void> Stream::submit(const codec::PictureInput& picture, Surface& target, const SurfaceLookup& lookup,
                            bool& built) {
    built = false;
    const auto shownBefore = target.frame();
    const uint64_t name = timestampOf(lastFrame_ + 1);
    auto session = this->session();
    PictureReferences references(session.get(), lookup, shownBefore, name, picture.memory);
    const auto submission = decoder_.codec->build(picture, references, decoder_.controls, codecState_, nextState_);
    built = submission.has_value();
    if (!submission)
        return tl::unexpected(submission.error());
    if (target.format().bitDepth != submission->bitDepth)
        return fail(ErrorKind::Unsupported, strprintf("a picture of %u bits cannot be decoded into a surface of %s",
                                                      submission->bitDepth, target.format().name));
    // Where the device applies film grain, what it writes is for another surface than what later pictures refer to.
    const auto display = submission->display == VA_INVALID_SURFACE ? nullptr : lookup(submission->display);
    Surface& shown = display && !submission->lacking ? *display : target;
    if (auto opened = openSession(session, *submission, shown); !opened)
        return opened;

    if (decoder_.observer)
        decoder_.observer->beforePicture();
    const auto refersTo = references.found(submission->predictedFrom);
    // A second field whose first was lost is a picture of its own, half of which is missing.
    auto frame = submission->secondField ? firstField_.lock() : nullptr;
    const bool completesFrame = frame && frame == shownBefore && session->holds(frame);
    if (!completesFrame) {
        auto memory = memoryFor(shown, *session);
        if (!memory)
            return tl::unexpected(std::move(memory).error());
        frame = makeFrame(std::move(*memory), session, name);
    }
    // A field that stays alone: nobody has written the other half of its frame.
    if (const auto alone = firstField_.lock(); alone && alone != frame)
        if (const auto its = alone->session())
            its->damage(*alone);
    const Work work{.target = frame,
                    .jobs = submission->jobs,
                    .references = refersTo,
                    .firstField = submission->firstField,
                    .secondField = completesFrame,
                    .undecided = submission->undecided,
                    .damaged = submission->damaged || (submission->secondField && !completesFrame),
                    .damageLasts = submission->damageLasts ? submission->damageLasts : Frame::forEver};
    std::optional<Undecided> undecided;
    if (submission->undecided)
        undecided = {frame, {refersTo.begin(), refersTo.end()}, work.damageLasts};
    if (auto submitted = session->submit(work); !submitted)
        return submitted;

    lastFrame_++;
    codecState_.swap(nextState_);
    if (submission->lacking && !std::exchange(lackTold_, true))
        log_.info(strprintf("%s: the device applies no %s: pictures are shown without", decoder_.codec->name,
                            submission->lacking));
    counts_.pictures++;
    counts_.undecided += undecided.has_value();
    undecided_ = std::move(undecided);
    firstField_ = submission->firstField ? frame : nullptr;
    if (display)
        display->show(frame);
    target.show(std::move(frame));
    return {};
}

bool Stream::continues(const codec::PictureInput& picture, const SurfaceLookup& lookup) const {
    const auto session = this->session();
    const PictureReferences references(session.get(), lookup, nullptr, 0, picture.memory);
    std::any after; // the state is nobody's, while the stream has no context
    const auto built = decoder_.codec->build(picture, references, decoder_.controls, codecState_, after);
    // A second field of its own needs no other picture than the first of its frame.
    return references.any() || (built && built->secondField && references.timestamp(picture.target));
}

// A session lasts until a picture needs other buffers: another coded size or depth, or memory that is promised and laid
// out otherwise, unless pictures of this session may still be referred to. Then a new file handle is the simplest way
// to get new buffers on both queues, and one that no driver gets wrong.
Result<void> Stream::openSession(std::shared_ptr<Session>& session, const codec::Submission& submission,
                                 const Surface& shown) {
    if (auto fits = checkSize(shown, *decoder_.codec, submission); !fits)
        return fits;
    const auto& old = session;
    const auto promised = shown.promisedMemory();
    const bool sameSize = old && !old->dead() && old->wanted().width == submission.codedWidth &&
                          old->wanted().height == submission.codedHeight &&
                          old->wanted().bitDepth == submission.bitDepth;
    if (sameSize && (!promised || promised->layout().serves(old->layout()) || old->holdsPictures()))
        return checkMemory(shown, old->layout());

    StreamFormat wanted{.width = submission.codedWidth,
                        .height = submission.codedHeight,
                        .bitDepth = submission.bitDepth,
                        .sequence = {},
                        .frameWidth = wholeUnits(shown.width()),
                        .frameHeight = wholeUnits(shown.height())};
    if (const auto memory = shown.memory())
        wanted.fitFrame(memory->layout());
    if (decoder_.codec->sequenceControl) {
        const auto sequence = submission.jobs.front().controls.find(decoder_.codec->sequenceControl);
        wanted.sequence.assign(sequence.begin(), sequence.end());
    }
    if (old)
        old->drain();
    auto opened = Session::open(decoder_, wanted, submission.jobs.front().bitstream.size(), log_);
    if (!opened)
        return tl::unexpected(std::move(opened).error());
    if (auto room = checkMemory(shown, (*opened)->layout()); !room)
        return room;
    session = std::move(*opened);
    setSession(session);
    return {};
}

// Memory for the surface's next picture, which neither the device nor anybody else uses any more. What its client keeps
// is waited for; what it does not keep is exchanged: pools of clients hand out the surface first that was freed last,
// whose picture is often still a reference of one that is being decoded.
Result<Stream::Memory> Stream::memoryFor(Surface& surface, Session& session) {
    const Layout& layout = session.layout();
    auto promised = surface.promisedMemory();
    auto memory = promised ? promised : surface.memory();
    const auto frame = surface.frame();
    const bool serves = memory && memory->layout().serves(layout);
    const auto before = frame && frame->memory() == memory ? frame->session() : nullptr;
    if (promised && serves) {
        if (before)
            if (auto unused = before->waitUntilUnused(*frame); !unused)
                return tl::unexpected(std::move(unused).error());
        if (auto copied = surface.waitForCopies(os::Deadline::after(readerTimeout)); !copied)
            return tl::unexpected(std::move(copied).error());
        // A display or a GPU may still read the picture before this one, and kernel drivers do not wait for them. Who
        // does not end in time keeps the picture: the device writes other memory.
        if (promised->waitUntilUnused(os::Deadline::after(readerTimeout)))
            return promised;
        log_.info("another reader still uses the surface (fences of its dma-buf): its next picture will be copied");
        return spareMemory(session);
    }
    if (promised || !memory)
        return spareMemory(session);
    constexpr long owners = 2; // the surface, and this function
    if (serves && !memory->beingRead() && (!frame || frame->memory() != memory || frame.use_count() <= owners))
        return memory;
    auto other = spareMemory(session);
    if (!other && serves && before && other.error().kind == ErrorKind::OutOfMemory)
        return before->waitUntilUnused(*frame).map([&] {
            (void)memory->waitUntilUnused(os::Deadline::after(readerTimeout));
            return memory;
        });
    if (other && serves)
        session.memory().keep(memory);
    return other;
}

Result<Stream::Memory> Stream::spareMemory(Session& session) {
    auto memory = session.memory().get();
    if (memory && !(*memory)->layout().serves(session.layout()))
        return fail(ErrorKind::Device, decoder_.node.videoPath + " gives memory of another layout than its queue has");
    return memory;
}

std::shared_ptr<Frame> Stream::makeFrame(Memory memory, const std::shared_ptr<Session>& session,
                                         uint64_t timestamp) const {
    return std::allocate_shared<Frame>(PoolAllocator<Frame>(frames_), std::move(memory), session, timestamp);
}

// The picture will never come: the surface shows the one before it.
void Stream::conceal(Surface& target) {
    const auto session = this->session();
    const auto memory = session ? memoryFor(target, *session) : tl::unexpected(Error{});
    if (!memory)
        return target.refuse();
    const auto frame = makeFrame(*memory, session, timestampOf(lastFrame_));
    frame->addDamage(Frame::forEver);
    if (const auto before = session->latest(nullptr)) {
        (void)session->wait(*before, os::Deadline::never());
        frame->conceal(*before);
    }
    target.show(frame);
}

void Stream::finish() {
    if (const auto session = this->session())
        session->drain();
    if (counts_.undecided)
        log_.info(strprintf("%s: of %llu pictures, %llu were undecided until the next one had come; %llu of these were "
                            "asked for before, and %llu decoded again",
                            decoder_.codec->name, static_cast<unsigned long long>(counts_.pictures),
                            static_cast<unsigned long long>(counts_.undecided),
                            static_cast<unsigned long long>(counts_.early),
                            static_cast<unsigned long long>(counts_.again)));
}

bool Stream::isReferable() const {
    const auto session = this->session();
    return session && session->holdsPictures();
}

void Stream::dropUnownedMemory() {
    if (const auto session = this->session())
        session->dropUnownedMemory();
}

std::shared_ptr<Session> Stream::session() const {
    const std::lock_guard lock(mutex_);
    return session_;
}

void Stream::setSession(std::shared_ptr<Session> session) {
    const std::lock_guard lock(mutex_);
    session_.swap(session); // the one before is closed outside the lock
}

} // namespace v4l2_request::decode
