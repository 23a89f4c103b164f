// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory_resource>
#include <optional>
#include <span>
#include <vector>

#include <linux/v4l2-controls.h>

#include "codec/h264_picture.h"

// The pictures that an H.264 picture is predicted from, as the controls name them, and what stands in for those that
// are not there.
namespace v4l2_request::codec::h264 {

// What VA-API does not tell of the references, and earlier pictures did. A surface stays in here while it is one.
struct ReferenceState {
    std::vector<VASurfaceID> codedAsFields;
    std::map<VASurfaceID, uint16_t> longTermFrameIdx; // as the slices' marking assigned it
    std::optional<uint16_t> prevRefFrameNum;          // 7.4.3
};

// The picture that is decoded now, and where it goes.
struct Target {
    VASurfaceID surface;
    bool secondField;
    int32_t pocOffset; // what the client's picture order counts exceed those of the standard by
};

struct Dpb {
    struct Entry {
        VAPictureH264 sent;
        int64_t frameNumWrap;
        v4l2_h264_dpb_entry control;
        bool missing; // another picture stands in

        bool isShortTerm() const { return !(control.flags & V4L2_H264_DPB_ENTRY_FLAG_LONG_TERM); }
    };
    std::pmr::vector<Entry> entries; // 16 at most, in decoding order

    std::optional<uint8_t> indexOf(const VAPictureH264& reference) const;
};

Dpb buildDpb(const Picture& picture, const Target& target, const References& references, const ReferenceState& state,
             std::pmr::memory_resource* memory);

// Adds the surfaces that the picture is predicted from. False if one of them is not what it was coded with.
bool findPrediction(const Picture& picture, const Dpb& dpb, const ReferenceState& state,
                    std::pmr::vector<VASurfaceID>& from);

// A reference list as a slice has it. The lists of VA-API are final, modifications applied.
void fillReferenceList(std::span<v4l2_h264_reference, V4L2_H264_REF_LIST_LEN> list,
                       std::span<const VAPictureH264, 32> sent, unsigned active, bool fieldPic, const Dpb& dpb);

// To be called with every picture, before anything above: what was a reference and is none any more.
void forgetReferences(const Picture& picture, const Target& target, ReferenceState& state);
// And after it: what the picture tells of itself and of others.
void rememberReferences(const Picture& picture, const Target& target, ReferenceState& state);

} // namespace v4l2_request::codec::h264
