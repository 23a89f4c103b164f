// SPDX-License-Identifier: MIT
//
// HEVC from V4L2 stateless controls, by way of libavcodec.
//
// libavcodec wants a stream with its own headers; the controls say all that anew with every picture. So a stream is
// written for it in which only the slice data is the client's: the parameter sets come from the controls, and every
// slice segment header is written again with the reference picture set that DECODE_PARAMS gives, entry by entry.
// libavcodec thus predicts from nothing else, and drops what DECODE_PARAMS does not list.
//
// hevc_controls has what the controls say, hevc_dpb what they refer to, hevc_slice_reader and hevc_slice_writer the
// headers.
#include "core/decoder.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "core/nal.h"
#include "core/picture_decoder.h"
#include "core/slice_decoder.h"
#include "hevc/controls.h"
#include "hevc/dpb.h"
#include "hevc/parameter_sets.h"
#include "hevc/slice_reader.h"

namespace daedalus {
namespace hevc {
namespace {

struct Picture : CollectedPicture {
    using CollectedPicture::CollectedPicture;
    Controls controls;
    SliceHeader first;
    std::optional<SliceHeader> slice; ///< the last independent one
    PictureReferences references;
    std::vector<uint32_t> addresses;
    std::vector<std::vector<uint8_t>> slices;
};

/// The NAL units of the payload that are slice segments.
std::vector<Segment> slicesOf(std::span<const uint8_t> payload, bool startCodes) {
    std::vector<Segment> segments;
    if (startCodes) {
        for (const std::span<const uint8_t> nal : splitAnnexB(payload)) {
            const auto offset = static_cast<size_t>(nal.data() - payload.data());
            if (!segments.empty())
                segments.back().room = offset - 3 - static_cast<size_t>(segments.back().nal.data() - payload.data());
            segments.push_back({nal, 3, payload.size() - offset});
        }
    } else if (!payload.empty()) {
        segments.push_back({payload, 0, payload.size()});
    }
    std::erase_if(segments, [](const Segment& segment) { return (segment.nal[0] >> 1 & 0x3f) >= vpsNal; });
    return segments;
}

/// May the segment be one of the picture?
Result<void> checkBelongs(const Controls& controls, const SliceHeader& header, const Picture& picture) {
    if (header.nalType != picture.first.nalType || header.pocLsb != picture.first.pocLsb ||
        std::memcmp(&controls.sps, &picture.controls.sps, sizeof(Sps)) != 0 ||
        std::memcmp(&controls.pps, &picture.controls.pps, sizeof(Pps)) != 0 ||
        std::memcmp(&controls.decode, &picture.controls.decode, sizeof(DecodeParams)) != 0)
        return fail(EINVAL, "slice segments of two pictures in one, or their SPS, PPS or DECODE_PARAMS differ");
    return {};
}

class HevcDecoder final : public SliceDecoder<Picture> {
public:
    void forgetBuffer(uint64_t cookie) override { dpb_.forgetBuffer(cookie); }

private:
    Result<void> collect(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) override;
    bool isOpen(const Picture&) const override { return true; }
    Result<void> finish(Picture picture, PictureSink& sink) override;

    Result<void> addSegment(const Job& job, const Controls& controls, const Segment& segment, size_t number,
                            size_t& entryPoint);
    Result<void> begin(const Job& job, const Controls& controls, const SliceHeader& header);
    Result<void> prepareDecoder(const Sps& sps);
    Result<std::vector<uint8_t>> accessUnit(const Picture& picture);

    std::unique_ptr<PictureDecoder> decoder_;
    std::vector<uint8_t> sps_; ///< as libavcodec has them
    std::vector<uint8_t> pps_;
    bool fed_ = false;  ///< sps_ is in libavcodec
    bool lost_ = false; ///< libavcodec failed: what it holds is not known any more
    Dpb dpb_;
};

Result<void> HevcDecoder::collect(const Job& job, std::span<const uint8_t> payload, PictureSink&) {
    auto controls = readControls(job);
    if (!controls)
        return tl::unexpected(controls.error());
    if (controls->startCodes != startsWithStartCode(payload))
        return fail(EBADMSG, "START_CODE says that the payload has %s", controls->startCodes ? "start codes" : "none");

    const std::vector<Segment> segments = slicesOf(payload, controls->startCodes);
    if (segments.empty())
        return fail(EBADMSG, "no slice segment in a payload of %zu bytes", payload.size());
    if (controls->sliceBased && segments.size() > 1)
        return fail(EBADMSG, "%zu NAL units in one job, DECODE_MODE is slice-based", segments.size());
    if (controls->slices.size() != segments.size())
        return fail(EINVAL, "SLICE_PARAMS has %zu elements for %zu slice segments", controls->slices.size(),
                    segments.size());

    size_t entryPoint = 0;
    for (size_t i = 0; i < segments.size(); ++i) {
        auto added = addSegment(job, *controls, segments[i], i, entryPoint);
        if (added)
            continue;
        if (i == 0 || !pending_)
            return added;
        // A picture that has begun is decoded up to its damage: where the next entry points are is not known.
        pending_->damage.note(added.error());
        return {};
    }
    if (entryPoint != 0 && entryPoint != controls->entryPoints.size())
        return fail(EINVAL, "ENTRY_POINT_OFFSETS has %zu elements, the slice segments have %zu",
                    controls->entryPoints.size(), entryPoint);
    return {};
}

Result<void> HevcDecoder::addSegment(const Job& job, const Controls& controls, const Segment& segment, size_t number,
                                     size_t& entryPoint) {
    const std::vector<uint8_t> rbsp = unescape(segment.nal);
    auto parsed = parseSlice(rbsp, controls.sps, controls.pps, controls.decode,
                             pending_ && pending_->slice ? &*pending_->slice : nullptr);
    if (!parsed)
        return tl::unexpected(parsed.error());
    const SliceHeader& header = *parsed;
    if (header.ppsId != controls.pps.pic_parameter_set_id)
        return fail(EINVAL, "PPS.pic_parameter_set_id is %u, the slice refers to %u", controls.pps.pic_parameter_set_id,
                    header.ppsId);
    auto checked = compareWithStream(controls, controls.slices[number], header, segment)
                       .and_then([&] { return compareEntryPoints(controls, header, entryPoint); })
                       .and_then([&] {
                           return pending_ ? checkBelongs(controls, header, *pending_) : begin(job, controls, header);
                       });
    if (!checked)
        return checked;

    Picture& picture = *pending_;
    const WrittenPicture& written = picture.references.written;
    if (!header.isIntra() && written.idr)
        return fail(ENODATA, "a P or B slice, but DECODE_PARAMS has no reference");
    if (!header.isIntra() && picture.references.damage.error)
        picture.damage.note(*picture.references.damage.error);
    if (!picture.addresses.empty() && header.address <= picture.addresses.back())
        return fail(EINVAL, "the slice segment at %u comes after that at %u", header.address, picture.addresses.back());
    picture.addresses.push_back(header.address);
    picture.slices.push_back(writeSlice(header, written, controls.sps, controls.pps, rbsp));
    if (!header.dependent)
        picture.slice = header;
    return {};
}

Result<void> HevcDecoder::begin(const Job& job, const Controls& controls, const SliceHeader& header) {
    if (auto prepared = prepareDecoder(controls.sps); !prepared)
        return prepared;
    Picture picture(job);
    picture.controls = controls;
    picture.first = header;
    auto references = dpb_.resolve(job, controls.decode, header);
    if (!references)
        return tl::unexpected(references.error());
    picture.references = std::move(*references);
    dpb_.begin(picture.capture);
    pending_ = std::move(picture);
    return {};
}

/// Another sequence parameter set is another coded video sequence: it has no references in the one before.
Result<void> HevcDecoder::prepareDecoder(const Sps& sps) {
    std::vector<uint8_t> written = writeSps(sps);
    if (decoder_ && !lost_ && written == sps_)
        return {};
    if (auto renewed = PictureDecoder::renew(decoder_, AV_CODEC_ID_HEVC); !renewed)
        return renewed;
    sps_ = std::move(written);
    pps_.clear();
    dpb_.clear();
    fed_ = false;
    lost_ = false;
    return {};
}

/// What libavcodec gets: the parameter sets that it has not got yet, and the slices.
Result<std::vector<uint8_t>> HevcDecoder::accessUnit(const Picture& picture) {
    const Controls& controls = picture.controls;
    auto pps = writePps(controls.sps, controls.pps, controls.scaling ? &*controls.scaling : nullptr);
    if (!pps)
        return tl::unexpected(pps.error());
    std::vector<uint8_t> stream;
    if (!fed_) {
        appendNal(stream, writeVps(controls.sps));
        appendNal(stream, sps_);
        fed_ = true;
    }
    if (*pps != pps_) {
        appendNal(stream, *pps);
        pps_ = std::move(*pps);
    }
    for (const std::vector<uint8_t>& slice : picture.slices)
        appendNal(stream, slice);
    return stream;
}

Result<void> HevcDecoder::finish(Picture picture, PictureSink& sink) {
    const int32_t poc = picture.controls.decode.pic_order_cnt_val;
    const auto stream = accessUnit(picture);
    if (!stream)
        return tl::unexpected(stream.error());
    auto decoded = decoder_->decode(*stream, PictureDecoder::Expect::Frame);
    if (!decoded) {
        lost_ = true;
        return fail(decoded.error().code, "order count %d: %s", poc, decoded.error().message.c_str());
    }
    lost_ = lost_ || !decoded->kept;
    dpb_.decoded(picture.capture, picture.timestamp, poc, std::move(picture.references));
    if (auto stored = sink.store(*decoded->frame, picture.format, picture.capture); !stored)
        return stored;
    Damage damage;
    if (decoded->damage)
        damage.note(*decoded->damage);
    // Hardware that takes slices does not know which ones are missing.
    if (decoded->missingBlocks && !(picture.lenient && picture.controls.sliceBased))
        damage.note(Error{EIO, "no slice covers " + std::to_string(decoded->missingBlocks) + " of its blocks"});
    if (picture.damage.error)
        damage.note(*picture.damage.error);
    if (damage.error)
        damage.error->message = "order count " + std::to_string(poc) + ": " + damage.error->message;
    return damage.outcome();
}

} // namespace
} // namespace hevc

std::unique_ptr<Decoder> makeHevcDecoder() {
    return std::make_unique<hevc::HevcDecoder>();
}

} // namespace daedalus
