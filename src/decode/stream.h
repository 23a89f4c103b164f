// SPDX-License-Identifier: MIT
#pragma once

#include <any>
#include <memory>
#include <mutex>

#include "decode/picture_references.h"
#include "decode/session.h"

namespace v4l2_request::decode {

// A sequence of pictures of one codec: what the codec remembers from one to the next, and the session in which they
// refer to one another. One thread at a time decodes; the other calls are for any.
class Stream {
public:
    // The device is opened with the first picture: only that tells the coded size and the sequence. Both arguments must
    // outlive the stream.
    Stream(const Decoder& decoder, const Log& log) : decoder_(decoder), log_(log) {}

    // Submits a picture for decoding into `target` and returns without waiting for it, unless everything is in use or
    // its codec leaves pictures out. `lookup` resolves the surfaces that the picture refers to.
    //
    // Fails only where decoding cannot work (Unsupported), where the client's buffers are wrong (InvalidParameter), and
    // where nothing has worked for some time, and for a picture that is left out (Codec::leavesOut). Any other picture
    // that cannot be decoded is concealed: the surface shows the picture before it, and is damaged.
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

    Result<void> submit(const codec::PictureInput& picture, Surface& target, const SurfaceLookup& lookup,
                        std::any& state);
    Result<void> awaitVerdict(const Surface& target);
    bool leaveOut();
    Result<void> openSession(const codec::Submission& submission, const Surface& shown);
    Result<Memory> memoryFor(Surface& surface, Session& session);
    Result<Memory> spareMemory(Session& session);
    void conceal(Surface& target);
    std::shared_ptr<Session> session() const;
    void setSession(std::shared_ptr<Session> session);

    const Decoder& decoder_;
    const Log& log_;

    // The decoding thread's alone.
    std::any codecState_;
    std::vector<Reference> undecided_; // of the last picture, if it may be decoded again
    std::weak_ptr<Frame> firstField_;  // of the picture that was submitted last, if its second is to come
    bool standsAlone_ = false;         // that picture is predicted from no other
    uint64_t lastFrame_ = 0;
    // Pictures in a row that could not be submitted. After so many the device does not come back; at first it has still
    // to show that it works.
    static constexpr unsigned mostFailures = 3;
    unsigned failures_ = mostFailures;
    unsigned leftOut_ = 0; // pictures in a row that the device could not decode, and that were left out

    mutable std::mutex mutex_; // of session_, for a few instructions
    std::shared_ptr<Session> session_;
};

} // namespace v4l2_request::decode
