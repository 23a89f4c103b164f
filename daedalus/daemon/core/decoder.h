// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/job.h"

struct AVFrame;

namespace daedalus {

/// Where decoded pictures go: the CAPTURE buffer of a job.
class PictureSink {
public:
    virtual ~PictureSink() = default;
    virtual Result<void> store(const AVFrame& picture, const daedalus_format& format,
                               const daedalus_buffer& capture) = 0;
};

/// The state of one instance (an open file of the video node) for one codec. A codec is one file that implements this
/// and one row of the table in decoder.cpp.
class Decoder {
public:
    virtual ~Decoder() = default;
    /// Decodes the job from its controls and its payload and stores the picture, unless the job holds its CAPTURE
    /// buffer for more. An error is the job's; the decoder stays usable.
    virtual Result<void> decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) = 0;
    /// Stores the picture of a CAPTURE buffer that earlier jobs have held, if that is not done yet: no more of it
    /// comes.
    virtual Result<void> finishHeld(uint64_t capture, PictureSink& sink) {
        (void)capture, (void)sink;
        return {};
    }
    virtual void forgetBuffer(uint64_t cookie) = 0;
};

std::unique_ptr<Decoder> makeAv1Decoder();
std::unique_ptr<Decoder> makeH264Decoder();
std::unique_ptr<Decoder> makeHevcDecoder();
std::unique_ptr<Decoder> makeMpeg2Decoder();
std::unique_ptr<Decoder> makeVp8Decoder();
std::unique_ptr<Decoder> makeVp9Decoder();

/// ENOTSUP for a codec that is not in the table.
Result<std::unique_ptr<Decoder>> makeDecoder(uint32_t fourcc);

} // namespace daedalus
