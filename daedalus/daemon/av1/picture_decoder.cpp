// SPDX-License-Identifier: MIT
#include "av1/picture_decoder.h"

#include <cstring>

namespace daedalus {

Result<std::unique_ptr<Av1PictureDecoder>> Av1PictureDecoder::create() {
    collectComplaints();
    const AVCodec* codec = avcodec_find_decoder_by_name("libdav1d");
    if (!codec)
        return fail(ENOTSUP, "this libavcodec has no libdav1d");
    std::unique_ptr<Av1PictureDecoder> self(new Av1PictureDecoder);
    self->context_.reset(avcodec_alloc_context3(codec));
    self->packet_.reset(av_packet_alloc());
    self->picture_.reset(av_frame_alloc());
    if (!self->context_ || !self->packet_ || !self->picture_)
        return fail(ENOMEM, "no memory for a decoder");
    self->context_->thread_count = 1;
    self->context_->flags |= AV_CODEC_FLAG_LOW_DELAY;
    self->context_->err_recognition = AV_EF_EXPLODE;
    if (const int status = avcodec_open2(self->context_.get(), codec, nullptr); status < 0)
        return fail(EIO, "libdav1d: open: %s", describeAvError(status).c_str());
    return self;
}

Result<const AVFrame*> Av1PictureDecoder::decode(std::span<const uint8_t> unit, bool shown) {
    forgetComplaints();
    // Owned by the packet: libdav1d keeps what it has not read yet.
    if (const int status = av_new_packet(packet_.get(), static_cast<int>(unit.size())); status < 0)
        return fail(EIO, "libdav1d: packet: %s", describeAvError(status).c_str());
    std::memcpy(packet_->data, unit.data(), unit.size());
    int status = avcodec_send_packet(context_.get(), packet_.get());
    av_packet_unref(packet_.get());
    av_frame_unref(picture_.get());
    if (status >= 0)
        status = avcodec_receive_frame(context_.get(), picture_.get());
    if (status == AVERROR(EAGAIN) && !shown)
        return nullptr;
    if (status < 0)
        return fail(EIO, "libdav1d: %s: %s", shown ? "no picture" : "decoding", describeAvError(status).c_str());
    if (!shown)
        return fail(EIO, "libdav1d: a picture of a hidden frame");
    return picture_.get();
}

} // namespace daedalus
