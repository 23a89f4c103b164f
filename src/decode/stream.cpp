// SPDX-License-Identifier: MIT
#include "decode/stream.h"

#include <algorithm>

namespace v4l2_request::decode {

namespace {

// A timestamp names a picture for the whole life of a stream. V4L2 carries microseconds.
constexpr uint64_t timestampOf(uint64_t frame) {
    return frame * 1000;
}

// Its own, and that of what is decoded once more before it.
constexpr uint64_t namesOfAPicture = 2;

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
    std::any state;
    const auto trySubmit = [&] { return orNoMemory([&] { return submit(picture, *target, lookup, state); }); };
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
        return decoder_.codec->leavesOut ? awaitVerdict(*target) : submitted;
    }
    const Error& error = submitted.error();
    if (!isDamage(error))
        return submitted;
    // The picture is lost. Its names are not used again, and what its headers say holds for later pictures.
    lastFrame_ += namesOfAPicture;
    if (decoder_.codec->headersOutliveLoss && state.has_value())
        codecState_ = std::move(state);
    firstField_.reset();
    const bool ofTheStream = error.kind == ErrorKind::Decoding; // and never the device's
    if (!ofTheStream && ++failures_ >= mostFailures)
        return submitted;
    log_.info(strprintf("%s: a picture is concealed: %s", decoder_.codec->name, submitted.error().message.c_str()));
    conceal(*target);
    return ofTheStream && leaveOut() ? submitted : Result<void>{};
}

// Whether a picture that could not be decoded is left out.
bool Stream::leaveOut() {
    const bool does = decoder_.codec->leavesOut && ++leftOut_ < mostFailures;
    if (!does)
        leftOut_ = 0;
    return does;
}

// Whether the picture is left out. What outlives it, in the codec's state and in the device, stays as it has made it.
Result<void> Stream::awaitVerdict(const Surface& target) {
    const auto frame = target.frame();
    const auto session = frame ? frame->session() : nullptr;
    if (!session || standsAlone_) { // nothing could follow
        leftOut_ = 0;
        return {};
    }
    if (auto ended = session->wait(*frame, os::Deadline::never()); !ended)
        return ended;
    if (!frame->undecodable()) {
        leftOut_ = 0;
        return {};
    }
    if (!leaveOut())
        return {};
    return fail(ErrorKind::Decoding, "the device could not decode the picture: it is left out");
}

// `state`: what the codec remembers after this picture.
Result<void> Stream::submit(const codec::PictureInput& picture, Surface& target, const SurfaceLookup& lookup,
                            std::any& state) {
    const auto shownBefore = target.frame();
    const codec::References::Names names{timestampOf(lastFrame_ + 1), timestampOf(lastFrame_ + 2)};
    const auto built = session();
    PictureReferences references(built.get(), lookup, shownBefore, names);
    state = codecState_;
    const auto submission = decoder_.codec->build(picture, references, decoder_.controls, state);
    if (!submission)
        return tl::unexpected(submission.error());
    if (target.format().bitDepth != submission->bitDepth)
        return fail(ErrorKind::Unsupported, strprintf("a picture of %u bits cannot be decoded into a surface of %s",
                                                      submission->bitDepth, target.format().name));
    // Where the device applies film grain, what it writes is for another surface than what later pictures refer to.
    const auto display = submission->display == VA_INVALID_SURFACE ? nullptr : lookup(submission->display);
    Surface& shown = display && !submission->displayCopied ? *display : target;
    if (auto opened = openSession(*submission, shown); !opened)
        return opened;
    const auto session = this->session();

    if (decoder_.observer)
        decoder_.observer->beforePicture();
    std::vector<Work> works;
    works.reserve(2);
    if (submission->prelude) {
        auto memory = spareMemory(*session);
        if (!memory)
            return tl::unexpected(std::move(memory).error());
        works.push_back({.target = std::make_shared<Frame>(*memory, session, names.prelude),
                         .jobs = {&submission->prelude->job, 1}});
    }
    auto refersTo = references.take(submission->predictedFrom);
    if (submission->prelude) {
        works.front().references = undecided_;
        works.front().references.insert(works.front().references.end(), refersTo.begin(), refersTo.end());
    }
    auto undecided = submission->undecided ? refersTo : std::vector<Reference>();
    // A second field whose first was lost is a picture of its own, half of which is missing.
    auto frame = submission->secondField ? firstField_.lock() : nullptr;
    const bool completesFrame = frame && frame == shownBefore && session->holds(frame);
    if (!completesFrame) {
        auto memory = memoryFor(shown, *session);
        if (!memory)
            return tl::unexpected(std::move(memory).error());
        frame = std::make_shared<Frame>(*memory, session, names.picture);
    }
    // A field that stays alone: nobody has written the other half of its frame.
    if (const auto alone = firstField_.lock(); alone && alone != frame)
        if (const auto its = alone->session())
            its->damage(*alone);
    works.push_back({.target = frame,
                     .jobs = submission->jobs,
                     .references = std::move(refersTo),
                     .firstField = submission->firstField,
                     .secondField = completesFrame,
                     .damaged = submission->damaged || (submission->secondField && !completesFrame),
                     .damageLasts = submission->damageLasts ? submission->damageLasts : Frame::forEver});
    const auto replayed = submission->prelude ? works.front().target : nullptr;
    if (auto submitted = session->submit(works); !submitted)
        return submitted;

    lastFrame_ += namesOfAPicture;
    codecState_ = std::move(state);
    undecided_ = std::move(undecided);
    firstField_ = submission->firstField ? frame : nullptr;
    standsAlone_ = submission->predictedFrom.empty();
    if (replayed)
        if (const auto surface = lookup(submission->prelude->surface))
            surface->setReference(replayed);
    if (display)
        display->show(frame);
    target.show(std::move(frame));
    return {};
}

bool Stream::continues(const codec::PictureInput& picture, const SurfaceLookup& lookup) const {
    const auto session = this->session();
    const PictureReferences references(session.get(), lookup, nullptr, {});
    std::any state = codecState_; // which is nobody's, while the stream has no context
    const auto built = decoder_.codec->build(picture, references, decoder_.controls, state);
    // A second field of its own needs no other picture than the first of its frame.
    return references.any() || (built && built->secondField && references.timestamp(picture.target));
}

// A session lasts until a picture needs other buffers: another coded size or depth, or memory that is promised and laid
// out otherwise, unless pictures of this session may still be referred to. Then a new file handle is the simplest way
// to get new buffers on both queues, and one that no driver gets wrong.
Result<void> Stream::openSession(const codec::Submission& submission, const Surface& shown) {
    if (auto fits = checkSize(shown, *decoder_.codec, submission); !fits)
        return fits;
    const auto old = session();
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
    setSession(std::move(*opened));
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

// The picture will never come: the surface shows the one before it.
void Stream::conceal(Surface& target) {
    const auto session = this->session();
    const auto memory = session ? memoryFor(target, *session) : tl::unexpected(Error{});
    if (!memory)
        return target.refuse();
    const auto frame = std::make_shared<Frame>(*memory, session, timestampOf(lastFrame_));
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
