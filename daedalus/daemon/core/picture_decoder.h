// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"

extern "C" {
#include <libavcodec/avcodec.h>
}

namespace daedalus {

struct AvFrameDelete {
    void operator()(AVFrame* frame) const { av_frame_free(&frame); }
};
struct AvPacketDelete {
    void operator()(AVPacket* packet) const { av_packet_free(&packet); }
};
struct AvContextDelete {
    void operator()(AVCodecContext* context) const { avcodec_free_context(&context); }
};
using AvFrame = std::unique_ptr<AVFrame, AvFrameDelete>;
using AvPacket = std::unique_ptr<AVPacket, AvPacketDelete>;
using AvContext = std::unique_ptr<AVCodecContext, AvContextDelete>;

/// From now on what libavcodec complains about is kept, and not printed; forgotten with each forgetComplaints().
void collectComplaints();
void forgetComplaints();
/// An error of libavcodec, with what it complained about.
std::string describeAvError(int error);

/// A libavcodec decoder that answers every packet with the picture of that very packet.
///
/// libavcodec hands pictures out in display order. With one thread, though, a picture is complete when its packet has
/// been taken, and get_buffer2 is where libavcodec asks for its memory: so the picture of a packet is the first buffer
/// asked for while that packet is decoded, and the display order never matters.
class PictureDecoder {
public:
    static Result<std::unique_ptr<PictureDecoder>> create(AVCodecID codec);
    /// Puts a new one in the place of what is there; that stays if it fails.
    static Result<void> renew(std::unique_ptr<PictureDecoder>& decoder, AVCodecID codec);
    PictureDecoder(const PictureDecoder&) = delete;
    PictureDecoder& operator=(const PictureDecoder&) = delete;
    ~PictureDecoder() = default;

    enum class Expect {
        Frame,       ///< memory must be asked for
        FirstField,  ///< the same, and half of the lines stay as they are
        SecondField, ///< completes the picture of the packet before: no memory must be asked for
    };

    struct Picture {
        const AVFrame* frame = nullptr; ///< valid until the next call
        unsigned missingBlocks = 0;     ///< blocks of 16x16 that were never written, of a complete frame
        std::optional<Error> damage;    ///< what libavcodec complains about
        bool kept = true;               ///< libavcodec has taken it; else what it holds is in doubt
    };

    /// Decodes one access unit, as far as it can be: an error is that there is no picture. What libavcodec complains
    /// about is told, as is what nobody has written, which looks as in the picture before then, or grey.
    Result<Picture> decode(std::span<const uint8_t> accessUnit, Expect expect);
    /// Decodes a frame that nobody sees: the picture before stays the one before.
    Result<void> decodeAside(std::span<const uint8_t> accessUnit);

private:
    PictureDecoder() = default;
    static int getBuffer(AVCodecContext* context, AVFrame* frame, int flags);

    AvContext context_;
    AvPacket packet_;
    AvFrame output_;
    AvFrame picture_;
    AvFrame before_; ///< the picture before
    int buffersAskedFor_ = 0;
    std::vector<uint8_t> padded_;
};

} // namespace daedalus
