// SPDX-License-Identifier: MIT
//
// VP9 from V4L2 stateless controls. The payload has its own headers, so libavcodec decodes it as it is, and every field
// of both controls is checked against it; the eight reference slots are modelled by refresh_frame_flags (6.1.2 of the
// specification).
#include "decoder.h"

#include <array>
#include <optional>

#include "control_reader.h"
#include "picture_decoder.h"
#include "references.h"
#include "vp9_compressed_header.h"
#include "vp9_header.h"

namespace daedalus {
namespace {

class Vp9Decoder final : public Decoder {
public:
    Result<void> decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) override;
    void forgetBuffer(uint64_t cookie) override { holds_.forget(cookie); }

private:
    Result<PictureDecoder::Picture> decodeFrame(const Job& job, std::span<const uint8_t> payload, Damage& damage,
                                                Result<void>& references);
    Result<void> checkReferences(const Job& job, const v4l2_ctrl_vp9_frame& control, const Vp9Header& header,
                                 Damage& damage) const;

    std::unique_ptr<PictureDecoder> decoder_;
    Vp9HeaderReader reader_;
    References holds_;
    /// Timestamps of pictures. libavcodec keeps no frame that it could not decode, and predicts from the one before;
    /// hardware has written it, and clients may name either.
    struct Slot {
        std::optional<uint64_t> kept, failed;
    };
    std::array<Slot, 8> slots_;
};

Result<void> Vp9Decoder::checkReferences(const Job& job, const v4l2_ctrl_vp9_frame& control, const Vp9Header& header,
                                         Damage& damage) const {
    const struct {
        const char* name;
        uint64_t timestamp;
    } fields[] = {{"VP9_FRAME.last_frame_ts", control.last_frame_ts},
                  {"VP9_FRAME.golden_frame_ts", control.golden_frame_ts},
                  {"VP9_FRAME.alt_frame_ts", control.alt_frame_ts}};
    for (size_t i = 0; i < 3; ++i) {
        const Slot& slot = slots_[header.refFrameIdx[i]];
        if (slot.failed && *slot.failed == fields[i].timestamp)
            continue;
        if (auto checked = damage.soften(holds_.checkIs(job, fields[i].timestamp, slot.kept, fields[i].name)); !checked)
            return checked;
    }
    return {};
}

Result<PictureDecoder::Picture> Vp9Decoder::decodeFrame(const Job& job, std::span<const uint8_t> payload,
                                                        Damage& damage, Result<void>& references) {
    v4l2_ctrl_vp9_frame control{};
    v4l2_ctrl_vp9_compressed_hdr compressed{};
    ControlReader controls(job);
    controls.required(V4L2_CID_STATELESS_VP9_FRAME, "VP9_FRAME", control);
    controls.required(V4L2_CID_STATELESS_VP9_COMPRESSED_HDR, "VP9_COMPRESSED_HDR", compressed);
    if (!controls.result())
        return tl::unexpected(controls.result().error());
    const auto header = reader_.read(payload);
    if (!header)
        return tl::unexpected(header.error());
    const auto checked = checkVp9Frame(control, *header).and_then([&] {
        return checkVp9CompressedHeader(compressed, header->compressed);
    });
    if (!checked)
        return tl::unexpected(checked.error());
    if (!header->intra)
        references = checkReferences(job, control, *header, damage);
    if (!decoder_) {
        if (auto created = PictureDecoder::renew(decoder_, AV_CODEC_ID_VP9); !created)
            return tl::unexpected(created.error());
    }
    auto decoded = decoder_->decode(payload, PictureDecoder::Expect::Frame);
    for (size_t i = 0; decoded && i < slots_.size(); ++i) {
        if (!(header->refreshFrameFlags >> i & 1))
            continue;
        if (decoded->kept)
            slots_[i] = {job.timestamp(), std::nullopt};
        else
            slots_[i].failed = job.timestamp();
    }
    return decoded;
}

Result<void> Vp9Decoder::decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) {
    holds_.overwrite(job.header.capture.cookie);
    Damage damage;
    Result<void> references;
    const auto decoded = decodeFrame(job, payload, damage, references);
    if (!decoded) {
        // What libavcodec and the slots hold now is in doubt: begin anew at the next intra frame.
        decoder_.reset();
        reader_ = {};
        slots_ = {};
        return damage.error ? damage.outcome() : tl::unexpected(decoded.error());
    }
    if (!references) // another than the stream's: there is no picture, but libavcodec goes on with its own
        return references;
    holds_.decoded(job.header.capture.cookie, job.timestamp());
    if (auto stored = sink.store(*decoded->frame, job.header.format, job.header.capture); !stored)
        return stored;
    return decoded->damage ? tl::unexpected(*decoded->damage) : damage.outcome();
}

} // namespace

std::unique_ptr<Decoder> makeVp9Decoder() {
    return std::make_unique<Vp9Decoder>();
}

} // namespace daedalus
