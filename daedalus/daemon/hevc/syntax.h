// SPDX-License-Identifier: MIT
//
// HEVC syntax structures, and what several of the files that read and write them need. Clauses are those of Rec. ITU-T
// H.265.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <linux/v4l2-controls.h>

namespace daedalus::hevc {

using Sps = v4l2_ctrl_hevc_sps;
using Pps = v4l2_ctrl_hevc_pps;
using ScalingMatrix = v4l2_ctrl_hevc_scaling_matrix;
using DecodeParams = v4l2_ctrl_hevc_decode_params;

enum NalType : uint8_t {
    trailR = 1,
    raslR = 9,
    blaWLp = 16,
    idrWRadl = 19,
    idrNLp = 20,
    cra = 21,
    vpsNal = 32,
    spsNal = 33,
    ppsNal = 34,
};

enum class SliceType : uint8_t { B = 0, P = 1, I = 2 };

/// A picture of a reference picture set, as the slice header that is written says it.
struct SetEntry {
    int32_t poc = 0;
    bool used = false; ///< by the current picture
};

/// The reference picture set of a picture (8.3.2) in the order of its syntax.
struct ReferenceSet {
    std::vector<SetEntry> before; ///< descending
    std::vector<SetEntry> after;  ///< ascending
    std::vector<SetEntry> longTerm;
};

/// st_ref_pic_set() of a slice header that says it without another set: the order counts relative to the picture's.
struct InlineSet {
    std::vector<SetEntry> before, after;
};

/// The weights of one list entry as they are coded.
struct Weight {
    bool luma = false, chroma = false;
    int32_t deltaLuma = 0, lumaOffset = 0;
    std::array<int32_t, 2> deltaChroma{}, deltaChromaOffset{};
};

struct WeightTable {
    uint32_t lumaLog2Denom = 0;
    int32_t deltaChromaLog2Denom = 0;
    std::array<std::vector<Weight>, 2> lists;
};

/// slice_segment_header(), clause 7.3.6.1, with what of the NAL header belongs to it. A dependent slice segment has the
/// values of its slice.
struct SliceHeader {
    uint8_t nalType = 0;
    uint8_t temporalIdPlus1 = 1;
    bool firstInPicture = false;
    bool noOutputOfPriorPics = false;
    uint32_t ppsId = 0;
    bool dependent = false;
    uint32_t address = 0;

    SliceType type = SliceType::I;
    uint32_t colourPlane = 0;
    uint32_t pocLsb = 0;
    bool inlineSetPresent = false;      ///< !short_term_ref_pic_set_sps_flag
    std::optional<InlineSet> inlineSet; ///< only where it is not predicted from another set
    size_t shortTermBits = 0;           ///< st_ref_pic_set()
    size_t longTermBits = 0;            ///< what long_term_ref_pics_present_flag brings
    bool temporalMvp = false;
    bool saoLuma = false, saoChroma = false;
    std::array<uint32_t, 2> activeRefs{}; ///< num_ref_idx_lX_active_minus1 + 1; 0 for a list the type does not have
    std::array<std::optional<std::vector<uint32_t>>, 2> listEntries; ///< list_entry_lX, if modified
    bool mvdL1Zero = false;
    bool cabacInit = false;
    bool collocatedFromL0 = true;
    uint32_t collocatedRefIdx = 0;
    std::optional<WeightTable> weights;
    uint32_t fiveMinusMaxNumMergeCand = 0;
    int32_t qpDelta = 0, cbQpOffset = 0, crQpOffset = 0;
    bool deblockingOverride = false;
    bool deblockingDisabled = false;
    int32_t betaOffsetDiv2 = 0, tcOffsetDiv2 = 0;
    bool loopFilterAcrossSlices = false;
    std::vector<uint32_t> entryPoints; ///< entry_point_offset_minus1 + 1

    size_t headerBytes = 0; ///< from the NAL header to slice_segment_data(), emulation prevention not counted

    bool isB() const { return type == SliceType::B; }
    bool isIntra() const { return type == SliceType::I; }
    bool isIdr() const { return nalType == idrWRadl || nalType == idrNLp; }
    bool isIrap() const { return nalType >= blaWLp && nalType <= 23; }
    unsigned lists() const { return isIntra() ? 0 : isB() ? 2 : 1; }
};

constexpr size_t maxPictures = 16; ///< in a reference picture set (A.4.2), and more than a list has entries

inline unsigned ceilLog2(uint32_t value) {
    unsigned bits = 0;
    while ((uint64_t{1} << bits) < value)
        ++bits;
    return bits;
}

inline unsigned ctbLog2(const Sps& sps) {
    return sps.log2_min_luma_coding_block_size_minus3 + 3u + sps.log2_diff_max_min_luma_coding_block_size;
}

inline bool has(uint64_t flags, uint64_t flag) {
    return (flags & flag) != 0;
}

inline bool hasEntryPoints(const Pps& pps) {
    return has(pps.flags, V4L2_HEVC_PPS_FLAG_TILES_ENABLED | V4L2_HEVC_PPS_FLAG_ENTROPY_CODING_SYNC_ENABLED);
}

inline uint32_t widthInCtbs(const Sps& sps) {
    return (sps.pic_width_in_luma_samples + (1u << ctbLog2(sps)) - 1) >> ctbLog2(sps);
}

inline uint32_t heightInCtbs(const Sps& sps) {
    return (sps.pic_height_in_luma_samples + (1u << ctbLog2(sps)) - 1) >> ctbLog2(sps);
}

} // namespace daedalus::hevc
