// SPDX-License-Identifier: MIT
#include "h264/dpb.h"

#include <algorithm>
#include <optional>

#include "h264/marking.h"

namespace daedalus::h264 {
namespace {

/// An ACTIVE entry, as far as it says itself what it is.
Result<DpbPicture> describe(const Picture& picture, unsigned index) {
    const v4l2_h264_dpb_entry& control = picture.controls.decode.dpb[index];
    if (!(control.flags & V4L2_H264_DPB_ENTRY_FLAG_VALID))
        return fail(EINVAL, "DECODE_PARAMS.dpb[%u].flags has ACTIVE without VALID", index);
    if ((control.fields & frame) == 0 || control.fields > frame)
        return fail(EINVAL, "DECODE_PARAMS.dpb[%u].fields is %u", index, control.fields);
    if ((control.flags & V4L2_H264_DPB_ENTRY_FLAG_FIELD) &&
        has(picture.controls.sps, V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY))
        return fail(EINVAL, "DECODE_PARAMS.dpb[%u].flags has FIELD, SPS.flags has FRAME_MBS_ONLY", index);
    DpbPicture entry;
    entry.entry = index;
    entry.fields = control.fields;
    entry.longTerm = (control.flags & V4L2_H264_DPB_ENTRY_FLAG_LONG_TERM) != 0;
    entry.poc[0] = control.top_field_order_cnt;
    entry.poc[1] = control.bottom_field_order_cnt;
    entry.frameNumWrap = control.frame_num; // Clause 8.2.4.1, (8-27)
    if (control.frame_num > picture.current.frameNum)
        entry.frameNumWrap -= picture.current.maxFrameNum;
    entry.longTermFrameIdx = control.frame_num;
    return entry;
}

/// Does the client name, for a picture that was never decoded, one of another entry in its place?
bool isStandIn(const DecodeParams& params, const v4l2_h264_dpb_entry& entry) {
    return std::any_of(std::begin(params.dpb), std::end(params.dpb), [&](const v4l2_h264_dpb_entry& other) {
        return &other != &entry && (other.flags & V4L2_H264_DPB_ENTRY_FLAG_VALID) &&
               other.reference_ts == entry.reference_ts && other.frame_num != entry.frame_num;
    });
}

/// Holds what the control says of a picture against that picture.
Result<void> compareWithReference(const v4l2_h264_dpb_entry& control, const Reference& reference, DpbPicture& entry) {
    const unsigned index = entry.entry;
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
    return {};
}

} // namespace

Result<void> Dpb::begin(const Job& job, Picture& picture) {
    number(picture);
    if (auto resolved = resolve(job, picture); !resolved)
        return resolved;
    if (auto chosen = chooseOrderCounts(picture); !chosen)
        return chosen;
    chooseMarking(picture, references_);
    if (!picture.secondField)
        holds_.overwrite(picture.capture.cookie);
    return {};
}

bool Dpb::isSecondField(uint64_t timestamp, uint8_t structure) const {
    return firstField_.open && firstField_.timestamp == timestamp && (firstField_.structure ^ structure) == frame;
}

bool Dpb::lacksReferences(uint8_t structure) const {
    return std::none_of(references_.begin(), references_.end(), [&](const Reference& reference) {
        return structure == frame ? reference.fields == frame : reference.fields != 0;
    });
}

void Dpb::greyDecoded() {
    clear();
    // Its timestamp and number are those of no picture: clients count in microseconds, frame_num has 16 bits.
    Reference& grey = references_.emplace_back();
    grey.timestamp = 1;
    grey.frameNum = UINT32_MAX;
    grey.fields = grey.decodedFields = frame;
    lastOrderCount_ = 0;
    nextFrameNum_ = 1;
    nextIdrPicId_ ^= 1;
}

void Dpb::number(Picture& picture) {
    const DecodeParams& params = picture.controls.decode;
    picture.secondField = isSecondField(picture.timestamp, picture.structure);
    if (!picture.secondField)
        firstField_ = {};
    picture.writtenFrameNum = picture.secondField ? firstField_.writtenFrameNum : picture.first.idr ? 0 : nextFrameNum_;
    picture.writtenIdrPicId = nextIdrPicId_;

    picture.current.structure = picture.structure;
    picture.current.frameNum = params.frame_num;
    picture.current.maxFrameNum = maxFrameNum(picture.controls.sps);
    picture.current.pocTypeZero = picture.controls.sps.pic_order_cnt_type == 0;
    picture.current.poc = !picture.isField() ? std::min(params.top_field_order_cnt, params.bottom_field_order_cnt)
                          : picture.structure == top ? params.top_field_order_cnt
                                                     : params.bottom_field_order_cnt;
}

Result<void> Dpb::resolve(const Job& job, Picture& picture) const {
    if (picture.first.idr)
        return {}; // Clause 8.2.5.1: an IDR picture has no references; a client may still list the old ones.
    for (unsigned i = 0; i < V4L2_H264_NUM_DPB_ENTRIES; ++i) {
        if (!(picture.controls.decode.dpb[i].flags & V4L2_H264_DPB_ENTRY_FLAG_ACTIVE))
            continue;
        auto entry = describe(picture, i);
        if (!entry)
            return tl::unexpected(entry.error());
        auto resolved = resolveEntry(job, picture, *entry);
        if (!resolved)
            return tl::unexpected(resolved.error());
        picture.dpb.push_back(*entry);
        picture.resolved.push_back(std::move(*resolved));
    }
    const uint8_t most = picture.controls.sps.max_num_ref_frames;
    if (picture.dpb.size() > std::max<size_t>(1, most))
        return fail(EINVAL, "DECODE_PARAMS.dpb has %zu active entries, SPS.max_num_ref_frames is %u",
                    picture.dpb.size(), most);
    return {};
}

Result<Resolved> Dpb::resolveEntry(const Job& job, const Picture& picture, DpbPicture& entry) const {
    const v4l2_h264_dpb_entry& control = picture.controls.decode.dpb[entry.entry];

    // A frame inferred for a gap in frame_num, or one that was lost, was never decoded: no reference has its number. A
    // client may name another picture of the DPB in its place; that one is predicted from if a slice does refer to it.
    const bool gapsAllowed = has(picture.controls.sps, V4L2_H264_SPS_FLAG_GAPS_IN_FRAME_NUM_VALUE_ALLOWED);
    const bool undecoded =
        !entry.longTerm && std::none_of(references_.begin(), references_.end(), [&](const Reference& reference) {
            return reference.longTermFrameIdx < 0 && reference.frameNum == control.frame_num;
        });
    const bool standIn = undecoded && isStandIn(picture.controls.decode, control);
    Resolved resolved;
    if (undecoded && (gapsAllowed || standIn)) {
        entry.nonExisting = gapsAllowed;
        resolved.standIn = standIn;
        const auto named = positionOf(references_, control.reference_ts);
        if (standIn && named)
            resolved.reference = static_cast<int>(*named);
        else
            resolved.reason = "is a non-existing frame";
        return resolved;
    }

    const std::string field = "DECODE_PARAMS.dpb[" + std::to_string(entry.entry) + "].reference_ts";
    const bool itself = picture.secondField && control.reference_ts == picture.timestamp;
    auto found = holds_.find(job, references_, control.reference_ts, field, !itself);
    if (!found && found.error().code == ENODATA) {
        // It is damaged, and may be there all the same.
        if (const auto position = positionOf(references_, control.reference_ts)) {
            resolved.damage = found.error();
            found = *position;
        }
    }
    if (!found) {
        resolved.reason = found.error().message;
        return resolved;
    }
    if (auto compared = compareWithReference(control, references_[*found], entry); !compared)
        return tl::unexpected(compared.error());
    resolved.reference = static_cast<int>(*found);
    return resolved;
}

/// Prediction depends on differences of order counts only. Where the client's base moves (memory management operation
/// 5, an IDR picture), the written one does not: the offset is what makes the DPB's counts those that were written.
Result<void> Dpb::chooseOrderCounts(Picture& picture) const {
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
    if (!offset) // behind a grey frame, which has order count 0
        offset = (picture.first.idr ? 0 : 2) - int64_t{picture.current.poc};
    picture.writtenPoc[0] = static_cast<int32_t>(params.top_field_order_cnt + *offset);
    picture.writtenPoc[1] = static_cast<int32_t>(params.bottom_field_order_cnt + *offset);
    return {};
}

void Dpb::decoded(const Picture& picture) {
    lastOrderCount_ = picture.writtenPoc[picture.structure == bottom ? 1 : 0];
    applyMarking(picture, references_);
    if (picture.first.idr && !picture.secondField)
        nextIdrPicId_ ^= 1; // Clause 7.4.3: two IDR pictures in a row have different ones.
    if (picture.isReference())
        addReference(picture);
    holds_.decoded(picture.capture.cookie, picture.timestamp);

    firstField_ = {};
    if (picture.isField() && !picture.secondField) {
        const DecodeParams& params = picture.controls.decode;
        const int32_t offset = picture.structure == top ? picture.writtenPoc[0] - params.top_field_order_cnt
                                                        : picture.writtenPoc[1] - params.bottom_field_order_cnt;
        firstField_ = {true, picture.timestamp, picture.structure, picture.writtenFrameNum, offset};
    }
}

void Dpb::addReference(const Picture& picture) {
    const DecodeParams& params = picture.controls.decode;
    const int32_t poc[2] = {params.top_field_order_cnt, params.bottom_field_order_cnt};
    const bool isThere =
        picture.secondField && !references_.empty() && references_.back().timestamp == picture.timestamp;
    Reference& reference = isThere ? references_.back() : references_.emplace_back();
    reference.timestamp = picture.timestamp;
    reference.fields |= picture.structure;
    reference.decodedFields |= picture.structure;
    reference.frameNum = picture.renumbers ? 0 : picture.first.frameNum;
    reference.renumbered = reference.renumbered || picture.renumbers;
    reference.writtenFrameNum = picture.writtenFrameNum;
    if (picture.longTermFrameIdx >= 0)
        reference.longTermFrameIdx = picture.longTermFrameIdx;
    for (unsigned f = 0; f < 2; ++f) {
        if (picture.structure & (1u << f)) {
            reference.poc[f] = poc[f];
            reference.writtenPoc[f] = picture.writtenPoc[f];
        }
    }
    nextFrameNum_ = (picture.writtenFrameNum + 1) & (writtenMaxFrameNum - 1);
}

void Dpb::clear() {
    references_.clear();
    firstField_ = {};
    nextFrameNum_ = 0;
}

} // namespace daedalus::h264
