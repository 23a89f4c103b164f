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
#include "decoder.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "h264_controls.h"
#include "h264_headers.h"
#include "h264_lists.h"
#include "nal.h"
#include "picture_decoder.h"
#include "references.h"

namespace daedalus {
namespace h264 {
namespace {

constexpr int32_t writtenMaxFrameNum = 1 << writtenFrameNumBits;

/// A picture that libavcodec holds as reference.
struct Reference {
    uint64_t timestamp = 0;
    uint8_t decodedFields = 0;
    uint8_t fields = 0; ///< marked as reference in libavcodec
    uint32_t frameNum = 0;
    int32_t poc[2] = {0, 0};
    bool renumbered = false; ///< by memory_management_control_operation 5: its numbers changed after it was decoded
    uint32_t writtenFrameNum = 0;
    int32_t writtenPoc[2] = {0, 0};
    int longTermFrameIdx = -1; ///< -1: short-term
};

/// What an ACTIVE entry of the control's DPB turned out to be.
struct Resolved {
    int reference = -1;   ///< index into the references held; -1: there is none, for the reason given
    bool standIn = false; ///< the entry is another picture's, which was never decoded: its numbers are not these
    std::string reason;
};

struct Slice {
    uint32_t firstMb = 0;
    WrittenSlice written;
};

/// A frame or field whose slices are being collected.
struct Picture {
    uint64_t timestamp = 0;
    daedalus_format format{};
    daedalus_buffer capture{};
    SliceHeader first; ///< the stream's own header of the first slice
    uint8_t structure = frame;
    bool secondField = false;
    uint32_t writtenFrameNum = 0;
    int32_t writtenPoc[2] = {0, 0};
    uint32_t writtenIdrPicId = 0;
    CurrentPicture current;
    std::vector<DpbPicture> dpb;
    std::vector<Resolved> resolved; ///< parallel to dpb
    std::vector<MemoryOperation> marking;
    std::vector<size_t> released;                  ///< references that the marking releases
    std::vector<std::pair<size_t, int>> longTerms; ///< references that the marking makes long-term, and their index
    int longTermFrameIdx = -1;                     ///< of this picture, by its own marking
    bool renumbers = false;
    Controls controls;
    std::vector<Slice> slices;
    bool hasP = false, hasB = false; ///< slices of that type
    std::optional<Error> failure;

    bool isReference() const { return first.nalRefIdc != 0; }
};

const char* structureName(uint8_t structure) {
    return structure == frame ? "frame" : structure == top ? "top field" : "bottom field";
}

class H264Decoder final : public Decoder {
public:
    Result<void> decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) override;
    Result<void> finishHeld(uint64_t capture, PictureSink& sink) override {
        return pending_ && pending_->capture.cookie == capture ? finish(sink) : Result<void>{};
    }
    void forgetBuffer(uint64_t cookie) override { holds_.forget(cookie); }

private:
    Result<void> collect(const Job& job, std::span<const uint8_t> payload, PictureSink& sink);
    Result<void> addSlice(const Job& job, const Controls& controls, std::span<const uint8_t> nal, PictureSink& sink);
    Result<void> begin(const Job& job, const Controls& controls, const ParsedSlice& parsed);
    Result<void> prepareDecoder(const Sps& sps);
    Result<void> resolveDpb(const Job& job, Picture& picture);
    Result<Resolved> resolveEntry(const Job& job, const Picture& picture, unsigned index, DpbPicture& entry);
    Result<void> chooseOrderCounts(Picture& picture);
    Result<void> chooseMarking(Picture& picture);
    void releaseForRoom(Picture& picture, std::vector<bool>& kept);
    Result<std::array<List, 2>> sliceLists(const Picture& picture, const Controls& controls, const SliceHeader& header);
    Result<void> writeLists(const Picture& picture, std::array<List, 2>& lists, SliceHeader& header);
    Result<void> finish(PictureSink& sink);
    void updateReferences(const Picture& picture);
    bool continues(const Job& job, const SliceHeader& header) const;

    std::unique_ptr<PictureDecoder> decoder_;
    std::vector<uint8_t> fedSps_;
    std::map<unsigned, std::vector<uint8_t>> fedPps_; ///< by the id of its form
    Sps geometry_{};
    bool lost_ = false; ///< libavcodec failed within a reference: what it holds is not known any more

    References holds_;
    std::vector<Reference> references_; ///< in decoding order
    std::optional<Picture> pending_;
    uint32_t nextFrameNum_ = 0;
    uint32_t nextIdrPicId_ = 0;

    /// The field decoded last, if its frame lacks the other one.
    struct {
        bool open = false;
        uint64_t timestamp = 0;
        uint8_t structure = 0;
        uint32_t writtenFrameNum = 0;
        int32_t pocOffset = 0;
    } firstField_;
};

Result<void> H264Decoder::decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) {
    auto done = collect(job, payload, sink);
    if (!done) {
        // The rest of this picture, in later jobs, has nothing to be added to.
        if (job.holdsCapture() && pending_)
            pending_->failure = done.error();
        else
            pending_.reset();
        return done;
    }
    // A frame-based job is a whole field, also where the other one is to follow: a client may have the frame given back
    // before that, and nobody tells the device.
    if (!job.holdsCapture() || !pending_->controls.sliceBased)
        return finish(sink);
    return {};
}

bool H264Decoder::continues(const Job& job, const SliceHeader& header) const {
    return pending_ && pending_->timestamp == job.timestamp() && pending_->first.fieldPic == header.fieldPic &&
           pending_->first.bottomField == header.bottomField;
}

Result<void> H264Decoder::collect(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) {
    if (pending_ && pending_->timestamp != job.timestamp()) {
        // Its last job never came; it may still be a reference.
        (void)finish(sink);
    }
    if (pending_ && pending_->failure)
        return tl::unexpected(*pending_->failure);
    auto controls = readControls(job, payload);
    if (!controls)
        return tl::unexpected(controls.error());

    std::vector<std::span<const uint8_t>> nals;
    if (controls->startCodes) {
        if (!startsWithStartCode(payload))
            return fail(EBADMSG, "the payload has no Annex B start code, which START_CODE promises");
        nals = splitAnnexB(payload);
    } else if (!payload.empty()) {
        if (startsWithStartCode(payload))
            return fail(EBADMSG, "the payload has a start code, START_CODE says it has none");
        nals.push_back(payload);
    }
    if (controls->sliceBased && nals.size() > 1)
        return fail(EBADMSG, "%zu NAL units in one job, DECODE_MODE is slice-based", nals.size());

    size_t slices = 0;
    for (const std::span<const uint8_t> nal : nals) {
        const unsigned type = nal[0] & 0x1f;
        if (type == 0 || (type >= 6 && type != 19 && type != 20))
            continue; // Parameter sets, SEI and the like: the controls are what counts.
        if (auto added = addSlice(job, *controls, nal, sink); !added)
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

    if (!continues(job, parsed->header)) {
        if (pending_) {
            // The first field of a held frame is complete once the other field begins.
            if (auto done = finish(sink); !done)
                return done;
        }
        if (auto compared = compareWithStream(controls, *parsed); !compared)
            return compared;
        if (auto begun = begin(job, controls, *parsed); !begun)
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
    if (auto written = writeLists(*pending_, *lists, header); !written)
        return written;

    pending_->hasP = pending_->hasP || header.type == SliceType::P;
    pending_->hasB = pending_->hasB || header.isB();

    const Picture& picture = *pending_;
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
    pending_->slices.push_back(
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
    auto decoder = PictureDecoder::create(AV_CODEC_ID_H264);
    if (!decoder)
        return tl::unexpected(decoder.error());
    decoder_ = std::move(*decoder);
    geometry_ = sps;
    fedSps_.clear();
    fedPps_.clear();
    references_.clear();
    firstField_ = {};
    nextFrameNum_ = 0;
    lost_ = false;
    return {};
}

Result<void> H264Decoder::begin(const Job& job, const Controls& controls, const ParsedSlice& parsed) {
    if (auto prepared = prepareDecoder(controls.sps); !prepared)
        return prepared;

    Picture picture;
    picture.timestamp = job.timestamp();
    picture.format = job.header.format;
    picture.capture = job.header.capture;
    picture.first = parsed.header;
    picture.controls = controls;
    picture.structure = !parsed.header.fieldPic ? frame : parsed.header.bottomField ? bottom : top;
    picture.secondField = firstField_.open && firstField_.timestamp == picture.timestamp &&
                          (firstField_.structure ^ picture.structure) == frame;
    if (!picture.secondField)
        firstField_ = {};
    picture.writtenFrameNum = picture.secondField ? firstField_.writtenFrameNum : parsed.header.idr ? 0 : nextFrameNum_;
    picture.writtenIdrPicId = nextIdrPicId_;

    picture.current.structure = picture.structure;
    picture.current.frameNum = controls.decode.frame_num;
    picture.current.maxFrameNum = maxFrameNum(controls.sps);
    picture.current.pocTypeZero = controls.sps.pic_order_cnt_type == 0;
    picture.current.poc = picture.structure == frame
                              ? std::min(controls.decode.top_field_order_cnt, controls.decode.bottom_field_order_cnt)
                          : picture.structure == top ? controls.decode.top_field_order_cnt
                                                     : controls.decode.bottom_field_order_cnt;

    if (auto resolved = resolveDpb(job, picture); !resolved)
        return resolved;
    if (auto chosen = chooseOrderCounts(picture); !chosen)
        return chosen;
    if (auto chosen = chooseMarking(picture); !chosen)
        return chosen;
    if (!picture.secondField)
        holds_.overwrite(picture.capture.cookie);
    pending_ = std::move(picture);
    return {};
}

/// Finds what each ACTIVE entry of the DPB names. An entry that names nothing is an error only once a list uses it; an
/// entry that contradicts the picture it names is one at once.
Result<void> H264Decoder::resolveDpb(const Job& job, Picture& picture) {
    if (picture.first.idr)
        return {}; // Clause 8.2.5.1: an IDR picture has no references; a client may still list the old ones.
    unsigned active = 0;
    for (unsigned i = 0; i < V4L2_H264_NUM_DPB_ENTRIES; ++i) {
        const v4l2_h264_dpb_entry& control = picture.controls.decode.dpb[i];
        if (!(control.flags & V4L2_H264_DPB_ENTRY_FLAG_ACTIVE))
            continue;
        if (!(control.flags & V4L2_H264_DPB_ENTRY_FLAG_VALID))
            return fail(EINVAL, "DECODE_PARAMS.dpb[%u].flags has ACTIVE without VALID", i);
        if ((control.fields & frame) == 0 || control.fields > frame)
            return fail(EINVAL, "DECODE_PARAMS.dpb[%u].fields is %u", i, control.fields);
        if ((control.flags & V4L2_H264_DPB_ENTRY_FLAG_FIELD) &&
            (picture.controls.sps.flags & V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY))
            return fail(EINVAL, "DECODE_PARAMS.dpb[%u].flags has FIELD, SPS.flags has FRAME_MBS_ONLY", i);
        ++active;
        DpbPicture entry;
        entry.entry = i;
        entry.fields = control.fields;
        entry.longTerm = (control.flags & V4L2_H264_DPB_ENTRY_FLAG_LONG_TERM) != 0;
        entry.poc[0] = control.top_field_order_cnt;
        entry.poc[1] = control.bottom_field_order_cnt;
        entry.frameNumWrap = control.frame_num; // Clause 8.2.4.1, (8-27)
        if (control.frame_num > picture.current.frameNum)
            entry.frameNumWrap -= picture.current.maxFrameNum;
        entry.longTermFrameIdx = control.frame_num;
        auto resolved = resolveEntry(job, picture, i, entry);
        if (!resolved)
            return tl::unexpected(resolved.error());
        picture.dpb.push_back(entry);
        picture.resolved.push_back(std::move(*resolved));
    }
    const unsigned most = std::max<unsigned>(1, picture.controls.sps.max_num_ref_frames);
    if (active > most)
        return fail(EINVAL, "DECODE_PARAMS.dpb has %u active entries, SPS.max_num_ref_frames is %u", active,
                    picture.controls.sps.max_num_ref_frames);
    return {};
}

Result<Resolved> H264Decoder::resolveEntry(const Job& job, const Picture& picture, unsigned index, DpbPicture& entry) {
    const v4l2_h264_dpb_entry& control = picture.controls.decode.dpb[index];
    const auto ts = static_cast<unsigned long long>(control.reference_ts);

    // A frame inferred for a gap in frame_num, or one that was lost, was never decoded: no reference has its number. A
    // client may name another picture of the DPB in its place; that one is predicted from if a slice does refer to it.
    const bool gapsAllowed = (picture.controls.sps.flags & V4L2_H264_SPS_FLAG_GAPS_IN_FRAME_NUM_VALUE_ALLOWED) != 0;
    const auto numbered = [&](const Reference& reference) {
        return reference.longTermFrameIdx < 0 && reference.frameNum == control.frame_num;
    };
    const bool undecoded = !entry.longTerm && std::none_of(references_.begin(), references_.end(), numbered);
    const auto& dpb = picture.controls.decode.dpb;
    const bool standIn =
        undecoded && std::any_of(std::begin(dpb), std::end(dpb), [&](const v4l2_h264_dpb_entry& other) {
            return &other != &control && (other.flags & V4L2_H264_DPB_ENTRY_FLAG_VALID) &&
                   other.reference_ts == control.reference_ts && other.frame_num != control.frame_num;
        });

    const auto found = std::find_if(references_.begin(), references_.end(), [&](const Reference& reference) {
        return reference.timestamp == control.reference_ts;
    });
    Resolved resolved;
    if (undecoded && (gapsAllowed || standIn)) {
        entry.nonExisting = gapsAllowed;
        resolved.standIn = standIn;
        if (standIn && found != references_.end())
            resolved.reference = static_cast<int>(found - references_.begin());
        else
            resolved.reason = "is a non-existing frame";
        return resolved;
    }
    const std::string field = "DECODE_PARAMS.dpb[" + std::to_string(index) + "].reference_ts";
    if (control.reference_ts != picture.timestamp || !picture.secondField) {
        if (auto checked = holds_.check(job, control.reference_ts, field.c_str()); !checked) {
            resolved.reason = checked.error().message;
            return resolved;
        }
    }
    if (found == references_.end()) {
        resolved.reason = field + " " + std::to_string(ts) + " names a picture that is no reference (any more)";
        return resolved;
    }

    const Reference& reference = *found;
    const bool isLongTerm = reference.longTermFrameIdx >= 0;
    if (isLongTerm != entry.longTerm)
        return fail(EINVAL, "DECODE_PARAMS.dpb[%u].flags says %s-term, the picture was marked %s-term", index,
                    entry.longTerm ? "long" : "short", isLongTerm ? "long" : "short");
    if (isLongTerm) {
        // The kernel wants LongTermFrameIdx here; GStreamer sends the frame_num with which the picture was decoded.
        if (control.frame_num != static_cast<uint32_t>(reference.longTermFrameIdx) &&
            control.frame_num != reference.frameNum)
            return fail(EINVAL, "DECODE_PARAMS.dpb[%u].frame_num is %u, LongTermFrameIdx is %d", index,
                        control.frame_num, reference.longTermFrameIdx);
        entry.longTermFrameIdx = reference.longTermFrameIdx;
    } else {
        if (control.frame_num != reference.frameNum)
            return fail(EINVAL, "DECODE_PARAMS.dpb[%u].frame_num is %u, the picture was decoded with %u", index,
                        control.frame_num, reference.frameNum);
        // PicNum depends on the current picture, and clients send it as of a frame, of a field, or not wrapped.
        const auto picNum = static_cast<int32_t>(control.pic_num);
        const int32_t wrap = entry.frameNumWrap;
        if (picNum != wrap && picNum != control.frame_num && picNum != 2 * wrap && picNum != 2 * wrap + 1)
            return fail(EINVAL, "DECODE_PARAMS.dpb[%u].pic_num is %d, FrameNumWrap is %d", index, picNum, wrap);
    }
    if ((control.fields & ~reference.decodedFields) != 0)
        return fail(EINVAL, "DECODE_PARAMS.dpb[%u].fields is %u, decoded were %u", index, control.fields,
                    reference.decodedFields);
    for (unsigned f = 0; f < 2; ++f) {
        if ((control.fields & (1u << f)) && !reference.renumbered && entry.poc[f] != reference.poc[f])
            return fail(EINVAL, "DECODE_PARAMS.dpb[%u].%s_field_order_cnt is %d, the picture was decoded with %d",
                        index, f ? "bottom" : "top", entry.poc[f], reference.poc[f]);
    }
    resolved.reference = static_cast<int>(found - references_.begin());
    return resolved;
}

/// Prediction depends on differences of order counts only. Where the client's base moves (memory management operation
/// 5, an IDR picture), the written one does not: the offset is what makes the DPB's counts those that were written.
Result<void> H264Decoder::chooseOrderCounts(Picture& picture) {
    const DecodeParams& params = picture.controls.decode;
    std::optional<int64_t> offset;
    if (picture.secondField)
        offset = firstField_.pocOffset;
    for (size_t i = 0; i < picture.dpb.size(); ++i) {
        if (picture.resolved[i].reference < 0 || picture.resolved[i].standIn)
            continue;
        const Reference& reference = references_[static_cast<size_t>(picture.resolved[i].reference)];
        for (unsigned f = 0; f < 2; ++f) {
            if (!(picture.dpb[i].fields & (1u << f)))
                continue;
            const int64_t difference = int64_t{reference.writtenPoc[f]} - picture.dpb[i].poc[f];
            if (offset && *offset != difference)
                return fail(EINVAL,
                            "DECODE_PARAMS.dpb[%u]: order counts are not relative to those of the other entries",
                            picture.dpb[i].entry);
            offset = difference;
        }
    }
    if (!offset)
        offset = -int64_t{picture.current.poc};
    picture.writtenPoc[0] = static_cast<int32_t>(params.top_field_order_cnt + *offset);
    picture.writtenPoc[1] = static_cast<int32_t>(params.bottom_field_order_cnt + *offset);
    return {};
}

/// The dec_ref_pic_marking() to write: what the control's DPB does not list is released, what the stream makes
/// long-term is made so.
Result<void> H264Decoder::chooseMarking(Picture& picture) {
    if (!picture.isReference())
        return {};
    for (const MemoryOperation& operation : picture.first.operations)
        picture.renumbers = picture.renumbers || operation.operation == 5;
    if (picture.first.idr) {
        if (picture.first.longTermReference) {
            picture.longTermFrameIdx = 0;
            if (picture.secondField)
                picture.marking.push_back({.operation = 6, .longTermFrameIdx = 0});
        }
        return {};
    }

    std::vector<bool> kept(references_.size(), false);
    for (size_t i = 0; i < references_.size(); ++i)
        kept[i] = references_[i].timestamp == picture.timestamp;
    for (const Resolved& resolved : picture.resolved) {
        if (resolved.reference >= 0)
            kept[static_cast<size_t>(resolved.reference)] = true;
    }
    releaseForRoom(picture, kept);

    const bool field = picture.structure != frame;
    const auto shortDifference = [&](const Reference& reference, uint8_t parity) -> uint32_t {
        // CurrPicNum - picNumX - 1, in the written numbering.
        const uint32_t frames = (picture.writtenFrameNum - reference.writtenFrameNum) & (writtenMaxFrameNum - 1);
        if (!field)
            return frames - 1;
        return parity == picture.structure ? 2 * frames - 1 : 2 * frames;
    };
    const auto longNumber = [&](int index, uint8_t parity) -> uint32_t {
        return static_cast<uint32_t>(!field ? index : parity == picture.structure ? 2 * index + 1 : 2 * index);
    };
    for (size_t i = 0; i < references_.size() && !picture.secondField; ++i) {
        if (kept[i])
            continue;
        const Reference& reference = references_[i];
        for (const uint8_t parity : {uint8_t{top}, uint8_t{bottom}}) {
            if (field && !(reference.fields & parity))
                continue;
            MemoryOperation operation;
            operation.operation = reference.longTermFrameIdx < 0 ? 1 : 2;
            if (operation.operation == 1)
                operation.differenceOfPicNumsMinus1 = shortDifference(reference, parity);
            else
                operation.longTermPicNum = longNumber(reference.longTermFrameIdx, parity);
            picture.marking.push_back(operation);
            if (!field)
                break;
        }
        picture.released.push_back(i);
    }

    const int32_t currPicNum = field ? 2 * picture.current.frameNum + 1 : picture.current.frameNum;
    for (const MemoryOperation& operation : picture.first.operations) {
        if (operation.operation == 6) {
            picture.longTermFrameIdx = static_cast<int>(operation.longTermFrameIdx);
            picture.marking.push_back(operation);
        }
        if (operation.operation != 3)
            continue;
        // Clause 8.2.5.4.3, the picture found in the client's numbering and named in the written one.
        const int64_t picNum = int64_t{currPicNum} - (int64_t{operation.differenceOfPicNumsMinus1} + 1);
        for (size_t i = 0; i < picture.dpb.size(); ++i) {
            const DpbPicture& entry = picture.dpb[i];
            if (entry.longTerm || picture.resolved[i].reference < 0)
                continue;
            uint8_t parity = frame;
            if (!field) {
                if (entry.frameNumWrap != picNum)
                    continue;
            } else {
                if (picNum != 2 * int64_t{entry.frameNumWrap} + 1 && picNum != 2 * int64_t{entry.frameNumWrap})
                    continue;
                parity = (picNum & 1) ? picture.structure : static_cast<uint8_t>(picture.structure ^ frame);
            }
            const auto index = static_cast<size_t>(picture.resolved[i].reference);
            MemoryOperation written = operation;
            written.differenceOfPicNumsMinus1 = shortDifference(references_[index], parity);
            picture.marking.push_back(written);
            picture.longTerms.emplace_back(index, static_cast<int>(operation.longTermFrameIdx));
            break;
        }
    }
    return {};
}

/// A full DPB and a reference picture on top: one must go, and only the stream says which (8.2.5.3, 8.2.5.4).
void H264Decoder::releaseForRoom(Picture& picture, std::vector<bool>& kept) {
    if (picture.secondField)
        return;
    const auto count = [&] { return std::count(kept.begin(), kept.end(), true); };
    const bool field = picture.structure != frame;
    const int32_t currPicNum = field ? 2 * picture.current.frameNum + 1 : picture.current.frameNum;
    for (const MemoryOperation& operation : picture.first.operations) {
        for (size_t i = 0; i < picture.dpb.size() && count() >= writtenMaxRefFrames; ++i) {
            const DpbPicture& entry = picture.dpb[i];
            const int64_t number = operation.operation == 1
                                       ? int64_t{currPicNum} - operation.differenceOfPicNumsMinus1 - 1
                                       : int64_t{operation.longTermPicNum};
            const int64_t own = operation.operation == 1 ? entry.frameNumWrap : entry.longTermFrameIdx;
            const bool named = operation.operation == 5 ||
                               ((operation.operation == 1 || operation.operation == 2) &&
                                entry.longTerm == (operation.operation == 2) && (field ? number >> 1 : number) == own);
            if (named && picture.resolved[i].reference >= 0)
                kept[static_cast<size_t>(picture.resolved[i].reference)] = false;
        }
    }
    while (count() >= writtenMaxRefFrames) {
        // Sliding window, or a stream that breaks its own limits: the oldest short-term one, or any.
        size_t victim = references_.size();
        for (size_t i = references_.size(); i-- > 0;) {
            if (kept[i] && (victim == references_.size() || references_[i].longTermFrameIdx < 0))
                victim = i;
        }
        kept[victim] = false;
    }
}

Result<std::array<List, 2>> H264Decoder::sliceLists(const Picture& picture, const Controls& controls,
                                                    const SliceHeader& header) {
    std::array<List, 2> lists;
    if (header.isIntra())
        return lists;

    if (controls.sliceBased) {
        for (unsigned list = 0; list < header.lists(); ++list) {
            const auto& control = list == 0 ? controls.slice.ref_pic_list0 : controls.slice.ref_pic_list1;
            for (uint32_t i = 0; i < header.activeRefs[list]; ++i) {
                ListEntry entry;
                if (control[i].index != 0xff) { // 0xff: GStreamer's mark for a missing picture
                    const auto found =
                        std::find_if(picture.dpb.begin(), picture.dpb.end(),
                                     [&](const DpbPicture& candidate) { return candidate.entry == control[i].index; });
                    if (found == picture.dpb.end())
                        return fail(EINVAL, "SLICE_PARAMS.ref_pic_list%u[%u].index %u is no ACTIVE entry of the DPB",
                                    list, i, control[i].index);
                    entry.picture = static_cast<int>(found - picture.dpb.begin());
                    entry.fields = control[i].fields;
                    const bool whole = entry.fields == frame;
                    if ((picture.structure == frame) != whole || (entry.fields & ~found->fields) != 0 ||
                        entry.fields == 0)
                        return fail(EINVAL, "SLICE_PARAMS.ref_pic_list%u[%u].fields is %u, the picture is a %s", list,
                                    i, entry.fields, structureName(picture.structure));
                }
                lists[list].push_back(entry);
            }
        }
        return lists;
    }

    lists = initialLists(picture.dpb, picture.current, header.isB());
    for (unsigned list = 0; list < header.lists(); ++list) {
        auto modified = modifiedList(std::move(lists[list]), header.activeRefs[list], header.modifications[list],
                                     picture.dpb, picture.current);
        if (!modified)
            return fail(modified.error().code, "RefPicList%u: %s", list, modified.error().message.c_str());
        lists[list] = std::move(*modified);
    }
    return lists;
}

/// Says the lists entry by entry, in the written numbering, as ref_pic_list_modification().
Result<void> H264Decoder::writeLists(const Picture& picture, std::array<List, 2>& lists, SliceHeader& header) {
    const bool field = picture.structure != frame;
    const int32_t maxPicNum = field ? 2 * writtenMaxFrameNum : writtenMaxFrameNum;
    const auto currFrameNum = static_cast<int32_t>(picture.writtenFrameNum);
    const int32_t currPicNum = field ? 2 * currFrameNum + 1 : currFrameNum;

    for (unsigned list = 0; list < 2; ++list) {
        header.modifications[list].clear();
        const auto isPicture = [&](const ListEntry& entry) {
            return entry.picture != ListEntry::none &&
                   (!picture.dpb[static_cast<size_t>(entry.picture)].nonExisting ||
                    picture.resolved[static_cast<size_t>(entry.picture)].reference >= 0);
        };
        const auto filler = std::find_if(lists[list].begin(), lists[list].end(), isPicture);
        if (list < header.lists() && filler == lists[list].end())
            return fail(EINVAL, "RefPicList%u (%u entries) has no reference picture: the DPB of the control has %zu",
                        list, header.activeRefs[list], picture.dpb.size());
        int32_t predicted = currPicNum;
        for (size_t i = 0; i < lists[list].size(); ++i) {
            // An entry without a picture cannot be used by a valid slice, but libavcodec wants one there.
            const ListEntry entry = isPicture(lists[list][i]) ? lists[list][i] : *filler;
            const Resolved& resolved = picture.resolved[static_cast<size_t>(entry.picture)];
            if (resolved.reference < 0)
                return fail(EINVAL, "RefPicList%u[%zu]: %s", list, i, resolved.reason.c_str());
            const Reference& reference = references_[static_cast<size_t>(resolved.reference)];
            const bool same = entry.fields == picture.structure;
            ListModification modification;
            if (reference.longTermFrameIdx >= 0) {
                const int index = reference.longTermFrameIdx;
                modification.idc = 2;
                modification.value = static_cast<uint32_t>(!field ? index : same ? 2 * index + 1 : 2 * index);
            } else {
                const auto number = static_cast<int32_t>(reference.writtenFrameNum);
                const int32_t picNum = !field ? number : same ? 2 * number + 1 : 2 * number;
                const int32_t difference = ((predicted - picNum) % maxPicNum + maxPicNum) % maxPicNum;
                modification.idc = 0;
                modification.value = static_cast<uint32_t>(difference == 0 ? maxPicNum - 1 : difference - 1);
                predicted = picNum;
            }
            header.modifications[list].push_back(modification);
        }
    }
    return {};
}

Result<void> H264Decoder::finish(PictureSink& sink) {
    if (!pending_)
        return fail(EBADMSG, "there is no picture to finish");
    Picture picture = std::move(*pending_);
    pending_.reset();
    if (picture.failure)
        return tl::unexpected(*picture.failure);
    if (picture.slices.empty())
        return fail(EBADMSG, "the picture has redundant slices only");

    const Controls& controls = picture.controls;
    // Hints that not every client gives (GStreamer gives none); those that are given have to be true.
    const uint32_t hints =
        controls.decode.flags & (V4L2_H264_DECODE_PARAM_FLAG_PFRAME | V4L2_H264_DECODE_PARAM_FLAG_BFRAME);
    if ((hints == V4L2_H264_DECODE_PARAM_FLAG_PFRAME && !picture.hasP) ||
        (hints == V4L2_H264_DECODE_PARAM_FLAG_BFRAME && !picture.hasB) ||
        hints == (V4L2_H264_DECODE_PARAM_FLAG_PFRAME | V4L2_H264_DECODE_PARAM_FLAG_BFRAME))
        return fail(EINVAL, "DECODE_PARAMS.flags is 0x%x, the picture has %s P slice and %s B slice",
                    controls.decode.flags, picture.hasP ? "a" : "no", picture.hasB ? "a" : "no");
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
    // Slices may come in any order (Baseline); libavcodec begins a new picture at macroblock 0.
    std::stable_sort(picture.slices.begin(), picture.slices.end(),
                     [](const Slice& left, const Slice& right) { return left.firstMb < right.firstMb; });
    for (const Slice& slice : picture.slices)
        appendNal(stream, slice.written.rbsp);

    auto decoded = decoder_->decode(stream, picture.structure == frame ? PictureDecoder::Expect::Frame
                                            : picture.secondField      ? PictureDecoder::Expect::SecondField
                                                                       : PictureDecoder::Expect::FirstField);
    if (!decoded) {
        // A picture that is no reference leaves nothing behind in libavcodec; any other leaves its DPB in doubt, and
        // parameter sets may not have been taken.
        lost_ = lost_ || picture.isReference() || picture.structure != frame;
        fedSps_.clear();
        return fail(decoded.error().code, "%s, frame_num %u: %s", structureName(picture.structure),
                    picture.first.frameNum, decoded.error().message.c_str());
    }

    updateReferences(picture);
    holds_.decoded(picture.capture.cookie, picture.timestamp);
    if (auto stored = sink.store(*decoded->frame, picture.format, picture.capture); !stored)
        return stored;
    if (decoded->missingBlocks)
        return fail(EIO, "frame_num %u: no slice covers %u of its macroblocks", picture.first.frameNum,
                    decoded->missingBlocks);
    return {};
}

void H264Decoder::updateReferences(const Picture& picture) {
    const DecodeParams& params = picture.controls.decode;
    if (picture.first.idr && !picture.secondField) {
        references_.clear();
        nextIdrPicId_ ^= 1; // Clause 7.4.3: two IDR pictures in a row have different ones.
    }
    for (const auto& [index, longTermFrameIdx] : picture.longTerms) {
        for (Reference& reference : references_) {
            if (reference.longTermFrameIdx == longTermFrameIdx && &reference != &references_[index])
                reference.fields = 0; // Clause 8.2.5.4.3: the index changes hands.
        }
        references_[index].longTermFrameIdx = longTermFrameIdx;
    }
    if (picture.longTermFrameIdx >= 0) {
        for (Reference& reference : references_) {
            if (reference.longTermFrameIdx == picture.longTermFrameIdx && reference.timestamp != picture.timestamp)
                reference.fields = 0;
        }
    }
    for (const size_t index : picture.released)
        references_[index].fields = 0;
    std::erase_if(references_, [](const Reference& reference) { return reference.fields == 0; });

    const int32_t poc[2] = {params.top_field_order_cnt, params.bottom_field_order_cnt};
    if (picture.isReference()) {
        Reference* reference = nullptr;
        if (picture.secondField && !references_.empty() && references_.back().timestamp == picture.timestamp)
            reference = &references_.back();
        if (!reference)
            reference = &references_.emplace_back();
        reference->timestamp = picture.timestamp;
        reference->fields |= picture.structure;
        reference->decodedFields |= picture.structure;
        reference->frameNum = picture.renumbers ? 0 : picture.first.frameNum;
        reference->renumbered = reference->renumbered || picture.renumbers;
        reference->writtenFrameNum = picture.writtenFrameNum;
        if (picture.longTermFrameIdx >= 0)
            reference->longTermFrameIdx = picture.longTermFrameIdx;
        for (unsigned f = 0; f < 2; ++f) {
            if (picture.structure & (1u << f)) {
                reference->poc[f] = poc[f];
                reference->writtenPoc[f] = picture.writtenPoc[f];
            }
        }
        nextFrameNum_ = (picture.writtenFrameNum + 1) & (writtenMaxFrameNum - 1);
    }

    const unsigned f = picture.structure == bottom ? 1 : 0;
    firstField_ = {};
    if (picture.structure != frame && !picture.secondField)
        firstField_ = {true, picture.timestamp, picture.structure, picture.writtenFrameNum,
                       picture.writtenPoc[f] - poc[f]};
}

} // namespace
} // namespace h264

std::unique_ptr<Decoder> makeH264Decoder() {
    return std::make_unique<h264::H264Decoder>();
}

} // namespace daedalus
