// SPDX-License-Identifier: MIT
#pragma once

#include <any>
#include <memory>

#include "decode/picture_references.h"
#include "decode/session.h"
#include "util/block_pool.h"
#include "util/mutex.h"

namespace v4l2_request::decode {

// A sequence of pictures of one codec: what the codec remembers from one to the next, and the session in which they
// refer to one another. One thread at a time decodes; the other calls are for any.
class Stream {
public:
    // The device is opened with the first picture: only that tells the coded size and the sequence. Both arguments must
    // outlive the stream.
    Stream(const Decoder& decoder, const Log& log) : decoder_(decoder), log_(log) {}

    // Submits a picture for decoding into `target` and returns without waiting for it, unless everything is in use.
    // `lookup` resolves the surfaces that the picture refers to.
    //
    // Fails only where decoding cannot work (Unsupported), where the client's buffers are wrong (InvalidParameter), and
    // where nothing has worked for some time. Any other picture that cannot be decoded is concealed: the surface shows
    // the picture before it, and is damaged.
    Result<void> decode(const codec::PictureInput& picture, const std::shared_ptr<Surface>& target,
                        const SurfaceLookup& lookup);
    // Whether the picture refers to one of this stream.
    bool continues(const codec::PictureInput& picture, const SurfaceLookup& lookup) const;
    // Waits for every picture. What the surfaces hold stays readable, and can still be referred to.
    void finish();
    // Whether a surface that is still alive holds a picture of this stream, which a later picture might refer to.
    bool isReferable() const;
    // Surfaces were destroyed: the device lets go of their memory.
    void dropUnownedMemory();
    const Decoder& decoder() const { return decoder_; }

private:
    using Memory = std::shared_ptr<FrameMemory>;

    // The picture before, if it is undecided: the next one tells how it has to be decoded.
    struct Undecided {
        std::shared_ptr<Frame> frame;
        std::vector<Reference> references; // which may be needed once more
        uint32_t damageLasts = 0;
    };
    // How many pictures there were, how many of these were undecided, how many of those were asked for before the next
    // had come, and how many had to be decoded again.
    struct Counts {
        uint64_t pictures = 0, undecided = 0, early = 0, again = 0;
    };

    void decideLast(const codec::PictureInput& next, const SurfaceLookup& lookup);
    Result<void> decodeAgain(const codec::Decision& decision, Undecided last, PictureReferences& alive, uint64_t name,
                             const SurfaceLookup& lookup);
    Result<void> submit(const codec::PictureInput& picture, Surface& target, const SurfaceLookup& lookup, bool& built);
    std::shared_ptr<Frame> makeFrame(Memory memory, const std::shared_ptr<Session>& session, uint64_t timestamp) const;
    Result<void> openSession(std::shared_ptr<Session>& session, const codec::Submission& submission,
                             const Surface& shown);
    Result<Memory> memoryFor(Surface& surface, Session& session);
    Result<Memory> spareMemory(Session& session);
    void conceal(Surface& target);
    std::shared_ptr<Session> session() const;
    void setSession(std::shared_ptr<Session> session);

    const Decoder& decoder_;
    const Log& log_;

    // The decoding thread's alone.
    std::any codecState_;
    std::any nextState_; // what it will be, once the device has the picture that was built last
    const std::shared_ptr<BlockPool> frames_ = std::make_shared<BlockPool>(); // the memory of the objects
    std::optional<Undecided> undecided_;
    Counts counts_;
    bool lackTold_ = false;           // what the device does not do to pictures
    std::weak_ptr<Frame> firstField_; // of the picture that was submitted last, if its second is to come
    uint64_t lastFrame_ = 0;
    // Pictures in a row that could not be submitted. After so many the device does not come back; at first it has still
    // to show that it works.
    static constexpr unsigned mostFailures = 3;
    unsigned failures_ = mostFailures;

    mutable Mutex mutex_; // of session_, for a few instructions
    std::shared_ptr<Session> session_;
};

} // namespace v4l2_request::decode
