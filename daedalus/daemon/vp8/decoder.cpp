// SPDX-License-Identifier: MIT
//
// VP8 from V4L2 stateless controls. The payload has its own header, so libavcodec decodes it as it is, and every field
// of the control is checked against it; references are modelled as 9.7 of RFC 6386 moves them.
#include "core/decoder.h"

#include <optional>

#include "core/picture_decoder.h"
#include "core/references.h"
#include "vp8/header.h"

namespace daedalus {
namespace {

class Vp8Decoder final : public Decoder {
public:
    Result<void> decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) override;
    void forgetBuffer(uint64_t cookie) override { holds_.forget(cookie); }

private:
    using Slot = std::optional<uint64_t>; ///< the timestamp of a picture

    Result<PictureDecoder::Picture> decodeFrame(const Job& job, std::span<const uint8_t> payload, Damage& damage);
    Result<void> checkReferences(const Job& job, const v4l2_ctrl_vp8_frame& control, Damage& damage) const;
    void moveReferences(const Vp8Header& header, uint64_t timestamp);
    Slot source(Vp8Source source, const Slot& keep, uint64_t timestamp) const;

    std::unique_ptr<PictureDecoder> decoder_;
    Vp8HeaderReader reader_;
    References holds_;
    Slot last_, golden_, alternate_;
};

Result<void> Vp8Decoder::checkReferences(const Job& job, const v4l2_ctrl_vp8_frame& control, Damage& damage) const {
    const auto check = [&](uint64_t timestamp, const Slot& expected, const char* field) {
        return damage.soften(holds_.checkIs(job, timestamp, expected, field));
    };
    return check(control.last_frame_ts, last_, "VP8_FRAME.last_frame_ts")
        .and_then([&] { return check(control.golden_frame_ts, golden_, "VP8_FRAME.golden_frame_ts"); })
        .and_then([&] { return check(control.alt_frame_ts, alternate_, "VP8_FRAME.alt_frame_ts"); });
}

Vp8Decoder::Slot Vp8Decoder::source(Vp8Source from, const Slot& keep, uint64_t timestamp) const {
    switch (from) {
    case Vp8Source::Current: return timestamp;
    case Vp8Source::Last: return last_;
    case Vp8Source::Golden: return golden_;
    case Vp8Source::Alternate: return alternate_;
    case Vp8Source::Keep: break;
    }
    return keep;
}

/// All copies are of the buffers as they were before the frame.
void Vp8Decoder::moveReferences(const Vp8Header& header, uint64_t timestamp) {
    const Slot golden = source(header.golden, golden_, timestamp);
    alternate_ = source(header.alternate, alternate_, timestamp);
    golden_ = golden;
    if (header.refreshLast)
        last_ = timestamp;
}

Result<PictureDecoder::Picture> Vp8Decoder::decodeFrame(const Job& job, std::span<const uint8_t> payload,
                                                        Damage& damage) {
    const auto control = job.control<v4l2_ctrl_vp8_frame>(V4L2_CID_STATELESS_VP8_FRAME, "VP8_FRAME");
    if (!control)
        return tl::unexpected(control.error());
    const auto header = reader_.read(payload);
    if (!header)
        return tl::unexpected(header.error());
    if (auto checked = checkVp8Frame(*control, header->control); !checked)
        return tl::unexpected(checked.error());
    if (!header->keyFrame) {
        if (auto checked = checkReferences(job, *control, damage); !checked)
            return tl::unexpected(checked.error());
    }
    if (!decoder_) {
        if (auto created = PictureDecoder::renew(decoder_, AV_CODEC_ID_VP8); !created)
            return tl::unexpected(created.error());
    }
    auto decoded = decoder_->decode(payload, PictureDecoder::Expect::Frame);
    if (decoded && decoded->kept)
        moveReferences(*header, job.timestamp());
    return decoded;
}

Result<void> Vp8Decoder::decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) {
    holds_.overwrite(job.header.capture.cookie);
    Damage damage;
    const auto decoded = decodeFrame(job, payload, damage);
    if (!decoded) {
        // What libavcodec and the slots hold now is in doubt: begin anew at the next key frame.
        decoder_.reset();
        reader_ = {};
        last_ = golden_ = alternate_ = {};
        return damage.error ? damage.outcome() : tl::unexpected(decoded.error());
    }
    holds_.decoded(job.header.capture.cookie, job.timestamp());
    if (auto stored = sink.store(*decoded->frame, job.header.format, job.header.capture); !stored)
        return stored;
    return decoded->damage ? tl::unexpected(*decoded->damage) : damage.outcome();
}

} // namespace

std::unique_ptr<Decoder> makeVp8Decoder() {
    return std::make_unique<Vp8Decoder>();
}

} // namespace daedalus
