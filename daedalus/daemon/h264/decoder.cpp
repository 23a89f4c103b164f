// SPDX-License-Identifier: MIT
//
// H.264 from V4L2 stateless controls, by way of libavcodec.
//
// libavcodec wants a stream with its own headers and keeps its own decoded picture buffer; the controls say all that
// anew with every picture. So a stream is written for it in which only the slice data is the client's: SPS and PPS come
// from the controls, and every slice header is written again in a numbering of our own. In that stream every reference
// frame has the next frame_num, the order count type is 0, every reference list is given entry by entry, and what the
// control's DPB no longer lists is released by memory management operations. libavcodec thus holds at least what
// DECODE_PARAMS lists and predicts from nothing else.
//
// Only the marking as long-term is taken from the bitstream (operations 3 and 6), because the controls tell it one
// picture late; the LONG_TERM flags of the next DPB are checked against it.
//
// h264_controls has what the controls say, h264_dpb and h264_marking what libavcodec holds, h264_slice_lists the lists,
// h264_slice_reader and h264_slice_writer the headers, h264_own_pictures what libavcodec needs beside the client's
// pictures.
#include "core/decoder.h"

#include <algorithm>
#include <array>
#include <map>

#include "core/nal.h"
#include "core/picture_decoder.h"
#include "core/slice_decoder.h"
#include "h264/dpb.h"
#include "h264/own_pictures.h"
#include "h264/slice_lists.h"

namespace daedalus {
namespace h264 {
namespace {

/// The NAL units of the payload.
Result<std::vector<std::span<const uint8_t>>> unitsOf(const Controls& controls, std::span<const uint8_t> payload) {
    std::vector<std::span<const uint8_t>> nals;
    if (controls.startCodes) {
        if (!startsWithStartCode(payload))
            return fail(EBADMSG, "the payload has no Annex B start code, which START_CODE promises");
        nals = splitAnnexB(payload);
    } else if (!payload.empty()) {
        if (startsWithStartCode(payload))
            return fail(EBADMSG, "the payload has a start code, START_CODE says it has none");
        nals.push_back(payload);
    }
    if (controls.sliceBased && nals.size() > 1)
        return fail(EBADMSG, "%zu NAL units in one job, DECODE_MODE is slice-based", nals.size());
    return nals;
}

/// Hints that not every client gives (GStreamer gives none); those that are given have to be true.
Result<void> checkHints(const Picture& picture) {
    const Controls& controls = picture.controls;
    const uint32_t hints =
        controls.decode.flags & (V4L2_H264_DECODE_PARAM_FLAG_PFRAME | V4L2_H264_DECODE_PARAM_FLAG_BFRAME);
    if ((hints == V4L2_H264_DECODE_PARAM_FLAG_PFRAME && !picture.hasP) ||
        (hints == V4L2_H264_DECODE_PARAM_FLAG_BFRAME && !picture.hasB) ||
        hints == (V4L2_H264_DECODE_PARAM_FLAG_PFRAME | V4L2_H264_DECODE_PARAM_FLAG_BFRAME))
        return fail(EINVAL, "DECODE_PARAMS.flags is 0x%x, the picture has %s P slice and %s B slice",
                    controls.decode.flags, picture.hasP ? "a" : "no", picture.hasB ? "a" : "no");
    return {};
}

class H264Decoder final : public SliceDecoder<Picture> {
public:
    void forgetBuffer(uint64_t cookie) override { dpb_.forgetBuffer(cookie); }

private:
    Result<void> collect(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) override;
    /// A frame-based job is a whole field, also where the other one is to follow: a client may have the frame given
    /// back before that, and nobody tells the device.
    bool isOpen(const Picture& picture) const override { return picture.controls.sliceBased; }
    Result<void> finish(Picture picture, PictureSink& sink) override;

    bool continues(const SliceHeader& header) const;
    Result<void> addSlice(const Job& job, const Controls& controls, std::span<const uint8_t> nal, PictureSink& sink);
    Result<void> begin(const Job& job, const Controls& controls, const SliceHeader& header);
    Result<void> prepareDecoder(const Sps& sps);
    Result<void> prepareState(const Picture& picture);
    Result<void> feed(const Sps& sps, const Result<std::vector<uint8_t>>& own);
    Result<std::vector<uint8_t>> accessUnit(const Picture& picture);

    std::unique_ptr<PictureDecoder> decoder_;
    std::vector<uint8_t> fedSps_;
    std::map<unsigned, std::vector<uint8_t>> fedPps_; ///< by the id of its form
    Sps geometry_{};
    bool lost_ = false;     ///< libavcodec failed within a reference: what it holds is not known any more
    bool stained_ = false;  ///< libavcodec failed within a macroblock, whose coefficients it keeps
    bool doubtful_ = false; ///< a picture was damaged, or the last one is a field without its second
    Dpb dpb_;
};

bool H264Decoder::continues(const SliceHeader& header) const {
    return pending_ && pending_->first.fieldPic == header.fieldPic && pending_->first.bottomField == header.bottomField;
}

Result<void> H264Decoder::collect(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) {
    auto controls = readControls(job, payload);
    if (!controls)
        return tl::unexpected(controls.error());
    const auto nals = unitsOf(*controls, payload);
    if (!nals)
        return tl::unexpected(nals.error());
    if (controls->sliceBased && nals->size() > 1)
        return fail(EBADMSG, "%zu NAL units in one job, DECODE_MODE is slice-based", nals->size());

    size_t slices = 0;
    for (const std::span<const uint8_t> nal : *nals) {
        const unsigned type = nal[0] & 0x1f;
        if (type == 0 || (type >= 6 && type != 19 && type != 20))
            continue; // Parameter sets, SEI and the like: the controls are what counts.
        auto added = addSlice(job, *controls, nal, sink);
        // A picture that has begun is decoded without its damaged slices.
        if (!added && slices > 0 && pending_)
            pending_->damage.note(added.error());
        else if (!added)
            return added;
        ++slices;
    }
    if (slices == 0)
        return fail(EBADMSG, "no slice in a payload of %zu bytes", payload.size());
    return {};
}

Result<void> H264Decoder::addSlice(const Job& job, const Controls& controls, std::span<const uint8_t> nal,
                                   PictureSink& sink) {
    std::vector<uint8_t> rbsp = unescape(nal);
    auto parsed = parseSlice(rbsp, controls.sps, controls.pps);
    if (!parsed)
        return tl::unexpected(parsed.error());
    if (parsed->header.ppsId != controls.pps.pic_parameter_set_id)
        return fail(EINVAL, "PPS.pic_parameter_set_id is %u, the slice refers to %u", controls.pps.pic_parameter_set_id,
                    parsed->header.ppsId);

    if (!continues(parsed->header)) {
        if (pending_) {
            // The first field of a held frame is complete once the other field begins.
            if (auto done = finishPending(sink); !done)
                return done;
        }
        if (auto compared = compareWithStream(controls, *parsed); !compared)
            return compared;
        if (auto begun = begin(job, controls, parsed->header); !begun)
            return begun;
    } else if (parsed->header.frameNum != pending_->first.frameNum || parsed->header.idr != pending_->first.idr ||
               (parsed->header.nalRefIdc == 0) != (pending_->first.nalRefIdc == 0)) {
        return fail(EINVAL, "slices of two pictures in one (frame_num %u and %u)", pending_->first.frameNum,
                    parsed->header.frameNum);
    }

    SliceHeader header = parsed->header;
    if (controls.sliceBased) {
        if (auto applied = applySliceParams(header, controls, parsed->sizes.headerBits); !applied)
            return applied;
    }
    if (header.redundantPicCnt > 0)
        return {}; // Clause 7.4.3: redundant slices may be ignored when the primary ones are there.
    auto lists = sliceLists(*pending_, controls, header);
    if (!lists)
        return tl::unexpected(lists.error());
    if (auto written = writeLists(*pending_, dpb_.references(), *lists, header); !written)
        return written;

    Picture& picture = *pending_;
    picture.hasP = picture.hasP || header.type == SliceType::P;
    picture.hasB = picture.hasB || header.isB();

    header.nalRefIdc = static_cast<uint8_t>(controls.decode.nal_ref_idc & 3);
    // libavcodec forgets every reference at an IDR NAL unit, the first field of the same frame included.
    header.idr = parsed->header.idr && !picture.secondField;
    header.frameNum = picture.writtenFrameNum;
    header.idrPicId = picture.writtenIdrPicId;
    header.pocLsb =
        static_cast<uint32_t>(picture.writtenPoc[picture.structure == bottom ? 1 : 0]) & ((1u << writtenPocBits) - 1);
    header.deltaPocBottom = picture.writtenPoc[1] - picture.writtenPoc[0];
    if (!header.idr) {
        header.adaptiveMarking = true;
        header.operations = picture.marking;
    }
    picture.slices.push_back(
        {header.firstMb, writeSlice(header, controls.sps, controls.pps, rbsp, parsed->sizes.headerBits)});
    return {};
}

Result<void> H264Decoder::prepareDecoder(const Sps& sps) {
    const auto geometry = [](const Sps& s) {
        return std::array<unsigned, 7>{s.pic_width_in_mbs_minus1,
                                       s.pic_height_in_map_units_minus1,
                                       s.chroma_format_idc,
                                       s.bit_depth_luma_minus8,
                                       s.bit_depth_chroma_minus8,
                                       s.flags & V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY,
                                       s.flags & V4L2_H264_SPS_FLAG_SEPARATE_COLOUR_PLANE};
    };
    if (decoder_ && !lost_ && geometry(geometry_) == geometry(sps))
        return {};
    if (auto renewed = PictureDecoder::renew(decoder_, AV_CODEC_ID_H264); !renewed)
        return renewed;
    geometry_ = sps;
    fedSps_.clear();
    fedPps_.clear();
    dpb_.clear();
    lost_ = false;
    stained_ = false;
    doubtful_ = false;
    return {};
}

Result<void> H264Decoder::begin(const Job& job, const Controls& controls, const SliceHeader& header) {
    Picture picture(job);
    picture.controls = controls;
    picture.first = header;
    picture.structure = !header.fieldPic ? frame : header.bottomField ? bottom : top;
    // An IDR picture needs nothing of what was before it. After damage libavcodec does not always take its second
    // field.
    lost_ = lost_ || (doubtful_ && header.idr && !dpb_.isSecondField(job.timestamp(), picture.structure));
    if (auto prepared = prepareDecoder(controls.sps); !prepared)
        return prepared;
    if (!dpb_.isSecondField(job.timestamp(), picture.structure)) {
        if (auto prepared = prepareState(picture); !prepared)
            return prepared;
    }
    if (auto begun = dpb_.begin(job, picture); !begun)
        return begun;
    pending_ = std::move(picture);
    return {};
}

/// Makes libavcodec ready for a picture as hardware always is: nothing is left of an error before it, and there is
/// something to predict from. Hardware predicts from whatever is in the memory that a reference names. In a stream that
/// was joined in the middle, or after a picture that libavcodec could not keep, that is a frame of no colour here, so
/// that pictures become right as the stream refreshes itself.
Result<void> H264Decoder::prepareState(const Picture& picture) {
    const Sps& sps = picture.controls.sps;
    if (stained_) {
        if (auto fed = feed(sps, writeCleansingFrame(sps, dpb_.nextFrameNum(), dpb_.lastOrderCount() + 1)); !fed)
            return fed;
        stained_ = false;
    }
    if (picture.first.idr || !dpb_.lacksReferences(picture.structure))
        return {};
    if (auto fed = feed(sps, writeGreyFrame(sps, dpb_.nextIdrPicId())); !fed)
        return fed;
    dpb_.greyDecoded();
    return {};
}

/// Decodes a picture of our own (h264_own_pictures.h).
Result<void> H264Decoder::feed(const Sps& sps, const Result<std::vector<uint8_t>>& own) {
    auto written = writeSps(sps);
    if (!written || !own)
        return tl::unexpected((written ? own : written).error());
    std::vector<uint8_t> stream;
    if (*written != fedSps_)
        appendNal(stream, *written);
    stream.insert(stream.end(), own->begin(), own->end());
    fedSps_ = std::move(*written);
    fedPps_.clear();
    return decoder_->decodeAside(stream);
}

/// What libavcodec gets: the parameter sets that it has not got yet, and the slices.
Result<std::vector<uint8_t>> H264Decoder::accessUnit(const Picture& picture) {
    const Controls& controls = picture.controls;
    std::vector<uint8_t> stream;
    auto sps = writeSps(controls.sps);
    if (!sps)
        return tl::unexpected(sps.error());
    if (*sps != fedSps_) {
        appendNal(stream, *sps);
        fedSps_ = std::move(*sps);
        fedPps_.clear(); // libavcodec drops the PPS of a replaced SPS.
    }
    for (const Slice& slice : picture.slices) {
        auto pps = writePps(controls.pps, controls.scaling ? &*controls.scaling : nullptr, slice.written.pps);
        if (!pps)
            return tl::unexpected(pps.error());
        std::vector<uint8_t>& fed = fedPps_[slice.written.pps.id];
        if (fed == *pps)
            continue;
        appendNal(stream, *pps);
        fed = std::move(*pps);
    }
    for (const Slice& slice : picture.slices)
        appendNal(stream, slice.written.rbsp);
    return stream;
}

Result<void> H264Decoder::finish(Picture picture, PictureSink& sink) {
    if (picture.slices.empty())
        return fail(EBADMSG, "the picture has redundant slices only");
    if (auto checked = checkHints(picture); !checked)
        return checked;
    // Slices may come in any order (Baseline); libavcodec begins a new picture at macroblock 0.
    std::stable_sort(picture.slices.begin(), picture.slices.end(),
                     [](const Slice& left, const Slice& right) { return left.firstMb < right.firstMb; });
    const auto stream = accessUnit(picture);
    if (!stream)
        return tl::unexpected(stream.error());

    auto decoded = decoder_->decode(*stream, picture.structure == frame ? PictureDecoder::Expect::Frame
                                             : picture.secondField      ? PictureDecoder::Expect::SecondField
                                                                        : PictureDecoder::Expect::FirstField);
    if (!decoded) {
        // A picture that is no reference leaves nothing behind in libavcodec; any other leaves its DPB in doubt, and
        // parameter sets may not have been taken.
        lost_ = lost_ || picture.isReference() || picture.structure != frame;
        stained_ = true;
        doubtful_ = true;
        fedSps_.clear();
        return fail(decoded.error().code, "%s, frame_num %u: %s", structureName(picture.structure),
                    picture.first.frameNum, decoded.error().message.c_str());
    }

    stained_ = stained_ || decoded->damage.has_value();
    lost_ = lost_ || (!decoded->kept && (picture.isReference() || picture.structure != frame));
    doubtful_ =
        doubtful_ || decoded->damage || picture.damage.error || (picture.structure != frame && !picture.secondField);
    dpb_.decoded(picture);
    if (auto stored = sink.store(*decoded->frame, picture.format, picture.capture); !stored)
        return stored;
    Damage damage;
    if (decoded->damage)
        damage.note(*decoded->damage);
    // Hardware that takes slices does not know which ones are missing.
    if (decoded->missingBlocks && !(picture.lenient && picture.controls.sliceBased))
        damage.note(Error{EIO, "no slice covers " + std::to_string(decoded->missingBlocks) + " of its macroblocks"});
    if (picture.damage.error)
        damage.note(*picture.damage.error);
    if (damage.error)
        damage.error->message = "frame_num " + std::to_string(picture.first.frameNum) + ": " + damage.error->message;
    return damage.outcome();
}

} // namespace
} // namespace h264

std::unique_ptr<Decoder> makeH264Decoder() {
    return std::make_unique<h264::H264Decoder>();
}

} // namespace daedalus
