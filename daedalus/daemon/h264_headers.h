// SPDX-License-Identifier: MIT
//
// H.264 syntax structures: parameter sets as NAL units written from the V4L2 controls, slice headers read from the
// payload and written anew. Clauses are those of Rec. ITU-T H.264.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <linux/v4l2-controls.h>

#include "bit_reader.h"
#include "bit_writer.h"
#include "result.h"

namespace daedalus::h264 {

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

/// What the controls say about sizes in the header, as found while reading it.
struct SliceHeaderSizes {
    size_t pocBits = 0;     ///< pic_order_cnt_lsb to delta_pic_order_cnt[1]
    size_t markingBits = 0; ///< dec_ref_pic_marking()
    size_t headerBits = 0;  ///< from the first bit of the NAL unit to slice_data(), emulation prevention not counted
};

struct ParsedSlice {
    SliceHeader header;
    SliceHeaderSizes sizes;
};

using Sps = v4l2_ctrl_h264_sps;
using Pps = v4l2_ctrl_h264_pps;
using ScalingMatrix = v4l2_ctrl_h264_scaling_matrix;

unsigned chromaArrayType(const Sps& sps);
int32_t maxFrameNum(const Sps& sps);

/// Reads the header of a slice NAL unit (an RBSP with its NAL header byte) with the syntax that the controls imply.
Result<ParsedSlice> parseSlice(std::span<const uint8_t> rbsp, const Sps& sps, const Pps& pps);

/// The layout that every header written here has, whatever the stream's own is: picture order count type 0 and
/// frame_num in 16 bits each, so that any order count and any numbering can be said;
/// bottom_field_pic_order_in_frame_present and deblocking_filter_control_present set.
constexpr unsigned writtenFrameNumBits = 16;
constexpr unsigned writtenPocBits = 16;
constexpr unsigned writtenMaxRefFrames = 16;

/// seq_parameter_set_rbsp() with its NAL header, from the control. Fails for what the syntax cannot carry.
Result<std::vector<uint8_t>> writeSps(const Sps& sps);

/// One of the forms in which the PPS of the control is written. They differ in nothing but the number of bits that a
/// slice header takes which refers to them.
struct PpsForm {
    uint8_t id = 0;
    bool redundantPicCnt = false; ///< redundant_pic_cnt_present_flag: one bit more in the slice header
    bool operator==(const PpsForm&) const = default;
};

/// pic_parameter_set_rbsp() with its NAL header; `scaling` is null when the PPS has no SCALING_MATRIX_PRESENT.
Result<std::vector<uint8_t>> writePps(const Pps& pps, const ScalingMatrix* scaling, PpsForm form);

struct WrittenSlice {
    PpsForm pps;               ///< that the slice refers to
    std::vector<uint8_t> rbsp; ///< with the NAL header
};

/// A slice NAL unit: the header in the written layout, then the slice data of `original`, which begins at its bit
/// `headerBits`. header.pocLsb and header.frameNum hold the written values, header.ppsId and redundantPicCnt do not
/// count.
///
/// CAVLC slice data keeps its alignment to bytes: pcm_alignment_zero_bit (clause 7.3.5) depends on it. So the header is
/// made as long as the original one, modulo 8, by the choice among eight forms of the PPS.
WrittenSlice writeSlice(const SliceHeader& header, const Sps& sps, const Pps& pps, std::span<const uint8_t> original,
                        size_t headerBits);

} // namespace daedalus::h264
