// SPDX-License-Identifier: MIT
//
// AV1 from V4L2 stateless controls. OUTPUT's payload counts only where TILE_GROUP_ENTRY says that tiles are: all
// headers are written from the controls. What cannot be wrong in pixels is checked (av1_checks, av1_slots, av1_tiles).
#include "core/decoder.h"

#include "av1/checks.h"
#include "av1/header.h"
#include "av1/picture_decoder.h"

namespace daedalus {
namespace {

class Av1Decoder final : public Decoder {
public:
    Result<void> decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) override;
    void forgetBuffer(uint64_t cookie) override { holds_.forget(cookie); }

private:
    Result<const AVFrame*> decodeFrame(const Av1Controls& controls, const Av1Saved& past,
                                       std::span<const uint8_t> payload);
    Result<void> check(const Job& job, const Av1Controls& controls, Av1Saved& past) const;
    Result<const AVFrame*> decodeHiddenKey(const Av1Controls& controls, const Av1Saved& past,
                                           std::span<const uint8_t> payload);

    std::unique_ptr<Av1PictureDecoder> decoder_, once_;
    std::vector<uint8_t> sequence_; ///< as decoder_ has it
    Av1Slots slots_;
    References holds_;
};

std::vector<uint8_t> unitOf(std::span<const uint8_t> sequence, std::span<const uint8_t> frame) {
    std::vector<uint8_t> unit = av1TemporalDelimiter();
    unit.insert(unit.end(), sequence.begin(), sequence.end());
    unit.insert(unit.end(), frame.begin(), frame.end());
    return unit;
}

Result<void> Av1Decoder::check(const Job& job, const Av1Controls& controls, Av1Saved& past) const {
    return checkAv1Sequence(controls)
        .and_then([&] { return checkAv1Frame(controls); })
        .and_then([&] { return slots_.check(job, controls, holds_); })
        .and_then([&] {
            past = slots_.past(controls);
            return checkAv1Past(controls, slots_, past);
        });
}

/// A hidden key frame depends on nothing but itself, so a decoder of its own can show its picture, as a shown one. The
/// decoder with the slots cannot: it would refresh all of them, as it would when told to show the frame's slot (7.21).
Result<const AVFrame*> Av1Decoder::decodeHiddenKey(const Av1Controls& controls, const Av1Saved& past,
                                                   std::span<const uint8_t> payload) {
    auto frame = writeAv1Frame(controls, slots_, past, payload, true);
    if (!frame)
        return tl::unexpected(frame.error());
    auto created = Av1PictureDecoder::create();
    if (!created)
        return tl::unexpected(created.error());
    once_ = std::move(*created);
    return once_->decode(unitOf(writeAv1Sequence(controls), *frame), true);
}

Result<const AVFrame*> Av1Decoder::decodeFrame(const Av1Controls& controls, const Av1Saved& past,
                                               std::span<const uint8_t> payload) {
    if (!decoder_) {
        auto created = Av1PictureDecoder::create();
        if (!created)
            return tl::unexpected(created.error());
        decoder_ = std::move(*created);
    }
    // Every other hidden frame is written as a shown one: of what is decoded, and of what is kept for later frames,
    // only a key frame's refresh_frame_flags depend on show_frame (5.9.2, 7.20), and grain, which is written anyhow.
    const bool hiddenKey = controls.type() == V4L2_AV1_KEY_FRAME && !controls.shownKey();
    auto frame = writeAv1Frame(controls, slots_, past, payload, !hiddenKey);
    if (!frame)
        return tl::unexpected(frame.error());
    const auto sequence = writeAv1Sequence(controls);
    const bool isNew = sequence != sequence_;
    sequence_ = sequence;
    const auto picture = decoder_->decode(
        unitOf(isNew ? std::span<const uint8_t>(sequence) : std::span<const uint8_t>(), *frame), !hiddenKey);
    return picture && hiddenKey ? decodeHiddenKey(controls, past, payload) : picture;
}

Result<void> Av1Decoder::decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) {
    holds_.overwrite(job.header.capture.cookie);
    const auto controls = readAv1Controls(job);
    if (!controls)
        return tl::unexpected(controls.error());
    const bool key = controls->type() == V4L2_AV1_KEY_FRAME;
    const bool other = writeAv1Sequence(*controls) != sequence_;
    if (other && key)
        slots_.clear();
    Av1Saved past = av1PastIndependent();
    Result<void> checked = check(job, *controls, past);
    if (other && !key)
        checked = fail(EINVAL, "AV1_SEQUENCE is another one, but this is no key frame (7.5)");
    const auto picture =
        checked ? decodeFrame(*controls, past, payload) : Result<const AVFrame*>(tl::unexpected(checked.error()));
    // A frame that failed has its slots all the same: it is not what was there before that they hold now.
    slots_.refresh(controls->frame.refresh_frame_flags,
                   {job.timestamp(), picture.has_value(), saveAv1Frame(*controls, past)});
    if (!picture)
        return tl::unexpected(picture.error());
    holds_.decoded(job.header.capture.cookie, job.timestamp());
    return sink.store(**picture, job.header.format, job.header.capture);
}

} // namespace

std::unique_ptr<Decoder> makeAv1Decoder() {
    return std::make_unique<Av1Decoder>();
}

} // namespace daedalus
