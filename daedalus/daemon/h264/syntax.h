// SPDX-License-Identifier: MIT
//
// H.264 syntax structures, and what several of the files that read and write them need. Clauses are those of Rec. ITU-T
// H.264.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <linux/v4l2-controls.h>

namespace daedalus::h264 {

using Sps = v4l2_ctrl_h264_sps;
using Pps = v4l2_ctrl_h264_pps;
using ScalingMatrix = v4l2_ctrl_h264_scaling_matrix;

constexpr uint8_t nalSliceNonIdr = 1;
constexpr uint8_t nalSliceIdr = 5;

inline bool has(const Sps& sps, uint32_t flag) {
    return (sps.flags & flag) != 0;
}
inline bool has(const Pps& pps, uint16_t flag) {
    return (pps.flags & flag) != 0;
}

inline unsigned chromaArrayType(const Sps& sps) {
    return has(sps, V4L2_H264_SPS_FLAG_SEPARATE_COLOUR_PLANE) ? 0 : sps.chroma_format_idc;
}

inline int32_t maxFrameNum(const Sps& sps) {
    return 1 << (sps.log2_max_frame_num_minus4 + 4);
}

enum class SliceType : uint8_t { P = 0, B = 1, I = 2, SP = 3, SI = 4 };

/// A command of ref_pic_list_modification(), clause 7.3.3.1. idc is never 3 here.
struct ListModification {
    uint32_t idc = 0;
    uint32_t value = 0; ///< abs_diff_pic_num_minus1 or long_term_pic_num
};

/// An operation of dec_ref_pic_marking(), clause 7.3.3.3. operation is never 0 here.
struct MemoryOperation {
    uint32_t operation = 0;
    uint32_t differenceOfPicNumsMinus1 = 0; ///< 1, 3
    uint32_t longTermPicNum = 0;            ///< 2
    uint32_t longTermFrameIdx = 0;          ///< 3, 6
    uint32_t maxLongTermFrameIdxPlus1 = 0;  ///< 4
};

/// The weights of one list entry; what the syntax leaves out holds the inferred value.
struct Weight {
    int luma = 0;
    int lumaOffset = 0;
    std::array<int, 2> chroma{};
    std::array<int, 2> chromaOffset{};
};

/// pred_weight_table(), clause 7.3.3.2.
struct WeightTable {
    uint32_t lumaLog2Denom = 0;
    uint32_t chromaLog2Denom = 0;
    std::array<std::vector<Weight>, 2> lists;
};

/// slice_header(), clause 7.3.3, with what of the NAL header belongs to it.
struct SliceHeader {
    uint8_t nalRefIdc = 0;
    bool idr = false;
    uint32_t firstMb = 0;
    SliceType type = SliceType::I;
    uint32_t ppsId = 0;
    uint32_t colourPlane = 0;
    uint32_t frameNum = 0;
    bool fieldPic = false;
    bool bottomField = false;
    uint32_t idrPicId = 0;
    uint32_t pocLsb = 0;
    int32_t deltaPocBottom = 0;
    std::array<int32_t, 2> deltaPoc{};
    uint32_t redundantPicCnt = 0;
    bool directSpatial = false;
    std::array<uint32_t, 2> activeRefs{}; ///< num_ref_idx_lX_active_minus1 + 1; 0 for a list the type does not have
    std::array<std::vector<ListModification>, 2> modifications;
    std::optional<WeightTable> weights;
    bool noOutputOfPriorPics = false;
    bool longTermReference = false;
    bool adaptiveMarking = false;
    std::vector<MemoryOperation> operations;
    uint32_t cabacInitIdc = 0;
    int32_t qpDelta = 0;
    bool spForSwitch = false;
    int32_t qsDelta = 0;
    uint32_t deblockingIdc = 0;
    int32_t alphaOffsetDiv2 = 0;
    int32_t betaOffsetDiv2 = 0;

    bool isB() const { return type == SliceType::B; }
    bool isIntra() const { return type == SliceType::I || type == SliceType::SI; }
    unsigned lists() const { return isIntra() ? 0 : isB() ? 2 : 1; }
};

} // namespace daedalus::h264
