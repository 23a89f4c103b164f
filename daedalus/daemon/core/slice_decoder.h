// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <utility>

#include "core/decoder.h"
#include "core/references.h"

namespace daedalus {

/// A picture whose slices are being collected.
struct CollectedPicture {
    uint64_t timestamp = 0;
    daedalus_format format{};
    daedalus_buffer capture{};
    bool lenient = false;
    Damage damage; ///< of its slices and references

    CollectedPicture() = default;
    explicit CollectedPicture(const Job& job)
        : timestamp(job.timestamp()), format(job.header.format), capture(job.header.capture), lenient(job.isLenient()) {
    }
};

/// A decoder of codecs whose pictures may come in several jobs, one slice each, that hold their CAPTURE buffer until
/// the last one. Picture is a CollectedPicture.
template <typename Picture>
class SliceDecoder : public Decoder {
public:
    Result<void> decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) final {
        if (pending_ && pending_->timestamp != job.timestamp())
            (void)finishPending(sink); // Its last job never came; it may still be a reference.
        auto collected = collect(job, payload, sink);
        // Others may come, also after a slice that was not taken.
        if (job.holdsCapture() && (!pending_ || isOpen(*pending_)))
            return collected;
        if (!collected && collected.error().code == EINVAL)
            pending_.reset(); // The control is wrong: there is no picture.
        if (!pending_)
            return collected;
        const auto finished = finishPending(sink);
        return collected ? finished : collected;
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
        return finish(std::move(picture), sink);
    }

    std::optional<Picture> pending_;
};

} // namespace daedalus
