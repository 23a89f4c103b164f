// SPDX-License-Identifier: MIT
//
// Decoding process for reference picture lists construction, clause 8.2.4 of Rec. ITU-T H.264, on what the controls
// say.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "h264/syntax.h"

namespace daedalus::h264 {

enum Field : uint8_t { top = 1, bottom = 2, frame = 3 }; // as V4L2_H264_*_REF

/// A reference frame, complementary field pair or single field, as the DPB of the control describes it.
struct DpbPicture {
    unsigned entry = 0;     ///< of the control's dpb[]
    uint8_t fields = frame; ///< which fields are references
    bool longTerm = false;
    int32_t frameNumWrap = 0; ///< short-term: clause 8.2.4.1
    int32_t longTermFrameIdx = 0;
    int32_t poc[2] = {0, 0};
    bool nonExisting = false; ///< inferred by the decoding process for gaps in frame_num (clause 8.2.5.2)
};

/// One entry of a reference picture list: an index into the pictures and which field of it (frame: both).
struct ListEntry {
    int picture = none;
    uint8_t fields = frame;
    bool operator==(const ListEntry&) const = default;
    static constexpr int none = -1;
};
using List = std::vector<ListEntry>;

struct CurrentPicture {
    uint8_t structure = frame;
    int32_t frameNum = 0;
    int32_t maxFrameNum = 16;
    int32_t poc = 0; ///< PicOrderCnt(CurrPic)
    bool pocTypeZero = true;
};

/// Clauses 8.2.4.2.1 to 8.2.4.2.5: RefPicList0 (P) or RefPicList0 and RefPicList1 (B) before modification, not cut yet.
std::array<List, 2> initialLists(std::span<const DpbPicture> pictures, const CurrentPicture& current, bool isB);

/// Clause 8.2.4.3, on a list cut or filled (with no picture) to `active` entries. Fails when a command names no
/// picture.
Result<List> modifiedList(List initial, uint32_t active, std::span<const ListModification> modifications,
                          std::span<const DpbPicture> pictures, const CurrentPicture& current);

} // namespace daedalus::h264
