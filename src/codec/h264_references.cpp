// SPDX-License-Identifier: MIT
#include "codec/h264_references.h"

#include <algorithm>

#include "codec/control_ids.h"

namespace v4l2_request::codec::h264 {

namespace {

using bitstream::H264MarkingOperation;
using bitstream::H264SliceHeader;

bool isLongTerm(const VAPictureH264& picture) {
    return picture.flags & VA_PICTURE_H264_LONG_TERM_REFERENCE;
}

// FrameNumWrap of a short-term reference (8-27).
int64_t frameNumWrap(const Picture& picture, const VAPictureH264& reference) {
    const bool wraps = reference.frame_idx > picture.header().frameNum;
    return reference.frame_idx - (wraps ? picture.maxFrameNum() : 0);
}

// LongTermFrameIdx is what the stream has assigned. VA-API has a place for it, where some clients put frame_num.
uint16_t longTermFrameIdx(const VAPictureH264& reference, const ReferenceState& state) {
    const auto known = state.longTermFrameIdx.find(reference.picture_id);
    return known == state.longTermFrameIdx.end() ? static_cast<uint16_t>(reference.frame_idx) : known->second;
}

// 8.2.4.1. An entry holds both fields of a frame: where a field is decoded its pic_num is that of the field of the same
// parity, if the entry has it.
int64_t picNum(const H264SliceHeader& header, const VAPictureH264& reference, int64_t number) {
    if (!header.fieldPic)
        return number;
    const uint8_t parity = header.bottomField ? V4L2_H264_BOTTOM_FIELD_REF : V4L2_H264_TOP_FIELD_REF;
    return 2 * number + (referenceFields(reference) & parity ? 1 : 0);
}

int32_t rebased(int32_t poc, int32_t offset) {
    return static_cast<int32_t>(static_cast<uint32_t>(poc) - static_cast<uint32_t>(offset));
}

Dpb::Entry fillEntry(const Picture& picture, const VAPictureH264& reference, const Target& target,
                     const References& references, const ReferenceState& state) {
    const uint8_t fields = referenceFields(reference);
    const bool codedAsFields =
        std::ranges::find(state.codedAsFields, reference.picture_id) != state.codedAsFields.end();
    const int64_t number =
        isLongTerm(reference) ? longTermFrameIdx(reference, state) : frameNumWrap(picture, reference);
    // The target is a reference of its own second field only; otherwise it is about to be overwritten.
    const bool canBeThere = exists(reference) && (reference.picture_id != target.surface || target.secondField);
    const auto timestamp = canBeThere ? references.timestamp(reference.picture_id) : std::nullopt;
    return {
        .sent = reference,
        .frameNumWrap = number,
        .control =
            {
                .reference_ts = timestamp.value_or(noTimestamp),
                .pic_num = static_cast<uint32_t>(picNum(picture.header(), reference, number)),
                .frame_num = static_cast<uint16_t>(isLongTerm(reference) ? number : reference.frame_idx),
                .fields = fields,
                .top_field_order_cnt =
                    fields & V4L2_H264_TOP_FIELD_REF ? rebased(reference.TopFieldOrderCnt, target.pocOffset) : 0,
                .bottom_field_order_cnt =
                    fields & V4L2_H264_BOTTOM_FIELD_REF ? rebased(reference.BottomFieldOrderCnt, target.pocOffset) : 0,
                .flags = V4L2_H264_DPB_ENTRY_FLAG_VALID | V4L2_H264_DPB_ENTRY_FLAG_ACTIVE |
                         (isLongTerm(reference) ? V4L2_H264_DPB_ENTRY_FLAG_LONG_TERM : 0u) |
                         (codedAsFields ? V4L2_H264_DPB_ENTRY_FLAG_FIELD : 0u),
            },
        .missing = !timestamp,
    };
}

// The picture to predict from in place of one that does not exist: the reference that precedes it, as 8.2.5.2 would
// have it numbered, or else the latest there is.
uint64_t standIn(const Dpb::Entry& missing, std::span<const Dpb::Entry> decoded) {
    const Dpb::Entry* best = nullptr;
    if (missing.isShortTerm())
        for (const Dpb::Entry& entry : decoded)
            if (entry.isShortTerm() && entry.frameNumWrap < missing.frameNumWrap &&
                (!best || entry.frameNumWrap > best->frameNumWrap))
                best = &entry;
    return (best ? *best : decoded.back()).control.reference_ts;
}

// The surface that a marking operation names by its number: of a frame, or of the frame of a field (8-39, 8.2.4.1).
std::optional<VASurfaceID> surfaceOf(const Picture& picture, const H264MarkingOperation& operation) {
    const H264SliceHeader& header = picture.header();
    const int64_t current = header.fieldPic ? 2 * header.frameNum + 1 : header.frameNum;
    const int64_t picNumX = current - operation.differenceOfPicNums;
    const int64_t number = header.fieldPic ? picNumX >> 1 : picNumX;
    for (const VAPictureH264& reference : picture.parameters.ReferenceFrames)
        if (!isInvalid(reference) && !isLongTerm(reference) && frameNumWrap(picture, reference) == number)
            return reference.picture_id;
    return std::nullopt;
}

// Whether a reference picture before this one never came (7.4.3): its number is missing, and the sequence has no gaps.
bool followsLoss(const Picture& picture, const ReferenceState& state) {
    const H264SliceHeader& header = picture.header();
    if (header.idr || !state.prevRefFrameNum || picture.parameters.seq_fields.bits.gaps_in_frame_num_value_allowed_flag)
        return false;
    const uint16_t next = static_cast<uint16_t>((*state.prevRefFrameNum + 1) % picture.maxFrameNum());
    return header.frameNum != *state.prevRefFrameNum && header.frameNum != next;
}

} // namespace

// A surface alone does not name an entry: FFmpeg puts the picture before a gap in frame_num in the place of the frames
// that are missing, under their numbers.
std::optional<uint8_t> Dpb::indexOf(const VAPictureH264& reference) const {
    const auto found = std::ranges::find_if(entries, [&](const Entry& entry) {
        return entry.sent.picture_id == reference.picture_id && entry.sent.frame_idx == reference.frame_idx &&
               isLongTerm(entry.sent) == isLongTerm(reference);
    });
    return found == entries.end() ? std::nullopt : std::optional(static_cast<uint8_t>(found - entries.begin()));
}

// Every reference of the picture, in decoding order: the order in which a client lists them has no meaning, and this
// one keeps an entry where it is while those before it stay.
//
// A reference may have no decoded picture: a frame inferred from a gap in frame_num, or one that was lost. Devices that
// build the initial reference lists themselves (8.2.4.2) count such a frame, so leaving it out would shift every index
// behind it. It stays, with the timestamp of a stand-in: 8.2.5.2 forbids a conforming stream to predict from it, and a
// damaged one gets the most similar picture. Where none of them is there, the picture decoded last stands in for all;
// where nothing was decoded, nothing is listed.
Dpb buildDpb(const Picture& picture, const Target& target, const References& references, const ReferenceState& state,
             std::pmr::memory_resource* memory) {
    Dpb dpb{.entries = std::pmr::vector<Dpb::Entry>(memory)};
    dpb.entries.reserve(V4L2_H264_NUM_DPB_ENTRIES);
    const auto timestampOf = [](const Dpb::Entry& entry) { return entry.control.reference_ts; };
    const auto add = [&](const VAPictureH264& reference) {
        if (isInvalid(reference) || dpb.indexOf(reference) || dpb.entries.size() >= V4L2_H264_NUM_DPB_ENTRIES)
            return;
        const auto entry = fillEntry(picture, reference, target, references, state);
        dpb.entries.insert(std::ranges::upper_bound(dpb.entries, timestampOf(entry), {}, timestampOf), entry);
    };
    std::ranges::for_each(picture.parameters.ReferenceFrames, add);
    // A client may name the first field of the frame in the lists of the second only.
    if (target.secondField)
        for (const ParsedSlice& slice : picture.slices)
            for (const VAPictureH264& reference :
                 std::span(slice.parameters.RefPicList0).first(slice.header.numRefIdxActive[0]))
                if (reference.picture_id == target.surface)
                    add(reference);

    const auto missing = std::ranges::find(dpb.entries, noTimestamp, timestampOf);
    const std::span decoded(dpb.entries.begin(), missing);
    const auto latest = decoded.empty() && !dpb.entries.empty() ? references.latest() : std::nullopt;
    if (decoded.empty() && !latest)
        dpb.entries.clear();
    else
        for (Dpb::Entry& entry : std::span(missing, dpb.entries.end()))
            entry.control.reference_ts = latest ? *latest : standIn(entry, decoded);
    return dpb;
}

bool findPrediction(const Picture& picture, const Dpb& dpb, const ReferenceState& state,
                    std::pmr::vector<VASurfaceID>& from) {
    bool whole = true;
    // Frames of a gap that the sequence allows are in the lists, and nothing is predicted from them (8.2.5.2).
    const bool gaps = picture.parameters.seq_fields.bits.gaps_in_frame_num_value_allowed_flag;
    const auto add = [&](std::span<const VAPictureH264> list) {
        for (const VAPictureH264& reference : list) {
            const auto index = isInvalid(reference) ? std::nullopt : dpb.indexOf(reference);
            const bool there = index && !dpb.entries[*index].missing;
            whole = whole && (there || (gaps && !isInvalid(reference)));
            if (there && std::ranges::find(from, reference.picture_id) == from.end())
                from.push_back(reference.picture_id);
        }
    };
    bool predicted = false;
    for (const ParsedSlice& slice : picture.slices) {
        const auto& active = slice.header.numRefIdxActive;
        add(std::span(slice.parameters.RefPicList0).first(active[0]));
        add(std::span(slice.parameters.RefPicList1).first(active[1]));
        predicted = predicted || active[0] > 0;
    }
    return whole && !(predicted && followsLoss(picture, state));
}

// A hole, which only damaged streams have, keeps its place, as the entries behind it have their indices: the picture
// before it in the list stands in, or the latest there is.
void fillReferenceList(std::span<v4l2_h264_reference, V4L2_H264_REF_LIST_LEN> list,
                       std::span<const VAPictureH264, 32> sent, unsigned active, bool fieldPic, const Dpb& dpb) {
    constexpr v4l2_h264_reference none{.fields = 0xff, .index = 0xff};
    std::ranges::fill(list, none);
    if (dpb.entries.empty())
        return;
    const auto fields = [&](const VAPictureH264& reference) {
        return fieldPic ? referenceFields(reference) : static_cast<uint8_t>(V4L2_H264_FRAME_REF);
    };
    v4l2_h264_reference last{.fields = fields(dpb.entries.back().sent),
                             .index = static_cast<uint8_t>(dpb.entries.size() - 1)};
    for (size_t i = 0; i < std::min<size_t>(active, list.size()); ++i) {
        const auto index = isInvalid(sent[i]) ? std::nullopt : dpb.indexOf(sent[i]);
        if (index)
            last = {.fields = fields(sent[i]), .index = *index};
        list[i] = last;
    }
}

void forgetReferences(const Picture& picture, const Target& target, ReferenceState& state) {
    const auto isListed = [&](VASurfaceID surface, uint32_t kinds) {
        return std::ranges::any_of(picture.parameters.ReferenceFrames, [=](const VAPictureH264& reference) {
            return !isInvalid(reference) && reference.picture_id == surface && (kinds == 0 || reference.flags & kinds);
        });
    };
    std::erase_if(state.codedAsFields,
                  [&](VASurfaceID surface) { return surface == target.surface || !isListed(surface, 0); });
    std::erase_if(state.longTermFrameIdx, [&](const auto& known) {
        return known.first == target.surface ? !target.secondField
                                             : !isListed(known.first, VA_PICTURE_H264_LONG_TERM_REFERENCE);
    });
    if (picture.header().fieldPic)
        state.codedAsFields.push_back(target.surface);
}

// 8.2.5.4
void rememberReferences(const Picture& picture, const Target& target, ReferenceState& state) {
    const H264SliceHeader& header = picture.header();
    if (header.nalRefIdc == 0)
        return;
    state.prevRefFrameNum = header.frameNum;
    if (header.longTermReference)
        state.longTermFrameIdx[target.surface] = 0;
    for (const H264MarkingOperation& operation : header.marking) {
        if (operation.code == 5)
            state.prevRefFrameNum = 0;
        const auto surface = operation.code == 3   ? surfaceOf(picture, operation)
                             : operation.code == 6 ? std::optional(target.surface)
                                                   : std::nullopt;
        if (surface)
            state.longTermFrameIdx[*surface] = operation.longTermFrameIdx;
    }
}

} // namespace v4l2_request::codec::h264
