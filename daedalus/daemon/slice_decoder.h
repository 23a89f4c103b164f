// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <utility>

#include "decoder.h"

namespace daedalus {

/// A picture whose slices are being collected.
struct CollectedPicture {
    uint64_t timestamp = 0;
    daedalus_format format{};
    daedalus_buffer capture{};
    std::optional<Error> failure; ///< of a job of it

    CollectedPicture() = default;
    explicit CollectedPicture(const Job& job)
        : timestamp(job.timestamp()), format(job.header.format), capture(job.header.capture) {}
};

/// A decoder of codecs whose pictures may come in several jobs, one slice each, that hold their CAPTURE buffer until
/// the last one. Picture is a CollectedPicture.
template <typename Picture>
class SliceDecoder : public Decoder {
public:
    Result<void> decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) final {
        if (pending_ && pending_->timestamp != job.timestamp())
            (void)finishPending(sink); // Its last job never came; it may still be a reference.
        auto done = pending_ && pending_->failure ? tl::unexpected(*pending_->failure) : collect(job, payload, sink);
        if (!done) {
            // The rest of this picture, in later jobs, has nothing to be added to.
            if (!job.holdsCapture())
                pending_.reset();
            else if (pending_)
                pending_->failure = done.error();
            return done;
        }
        return job.holdsCapture() && isOpen(*pending_) ? Result<void>{} : finishPending(sink);
    }

    Result<void> finishHeld(uint64_t capture, PictureSink& sink) final {
        return pending_ && pending_->capture.cookie == capture ? finishPending(sink) : Result<void>{};
    }

protected:
    /// Adds the slices of the job to the pending picture, and begins it if there is none.
    virtual Result<void> collect(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) = 0;
    /// May more come to a picture whose job holds the CAPTURE buffer?
    virtual bool isOpen(const Picture& picture) const = 0;
    /// Decodes and stores the collected picture.
    virtual Result<void> finish(Picture picture, PictureSink& sink) = 0;

    Result<void> finishPending(PictureSink& sink) {
        Picture picture = std::move(*pending_);
        pending_.reset();
        if (picture.failure)
            return tl::unexpected(*picture.failure);
        return finish(std::move(picture), sink);
    }

    std::optional<Picture> pending_;
};

} // namespace daedalus
