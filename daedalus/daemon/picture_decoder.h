// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "result.h"

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

/// A libavcodec decoder that answers every packet with the picture of that very packet.
///
/// libavcodec hands pictures out in display order. With one thread, though, a picture is complete when its packet has
/// been taken, and get_buffer2 is where libavcodec asks for its memory: so the picture of a packet is the first buffer
/// asked for while that packet is decoded, and the display order never matters.
class PictureDecoder {
  public:
    static Result<std::unique_ptr<PictureDecoder>> create(AVCodecID codec);
    PictureDecoder(const PictureDecoder&) = delete;
    PictureDecoder& operator=(const PictureDecoder&) = delete;
    ~PictureDecoder() = default;

    enum class Expect {
        NewPicture,  ///< a frame, or the first field of one: memory must be asked for
        SecondField, ///< completes the picture of the packet before: no memory must be asked for
    };

    /// Decodes one access unit, completely: any error that libavcodec sees in it is an error here, nothing is
    /// concealed. The picture stays valid until the next call.
    Result<const AVFrame*> decode(std::span<const uint8_t> accessUnit, Expect expect);

  private:
    PictureDecoder() = default;
    static int getBuffer(AVCodecContext* context, AVFrame* frame, int flags);

    AvContext context_;
    AvPacket packet_;
    AvFrame output_;
    AvFrame picture_;
    int buffersAskedFor_ = 0;
    std::vector<uint8_t> padded_;
};

} // namespace daedalus
