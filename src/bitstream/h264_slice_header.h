// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "util/result.h"

namespace v4l2_request::bitstream {

// nal_unit_type values that this driver tells apart (table 7-1 of Rec. ITU-T H.264).
enum class H264NalType : uint8_t {
    Slice = 1,
    PartitionA = 2,
    PartitionB = 3,
    PartitionC = 4,
    IdrSlice = 5,
    Prefix = 14,
    AuxiliarySlice = 19,
    SliceExtension = 20,
    SliceExtensionDepth = 21,
};

// slice_type modulo 5 (table 7-6). SP and SI are refused by the parser.
enum class H264SliceType : uint8_t { P = 0, B = 1, I = 2, SP = 3, SI = 4 };

// The syntax elements of the parameter sets that slice_header() (7.3.3) depends on.
struct H264SliceContext {
    uint8_t chromaFormatIdc = 1;
    bool separateColourPlane = false;
    uint8_t log2MaxFrameNum = 4;
    bool frameMbsOnly = true;
    uint8_t picOrderCntType = 0;
    uint8_t log2MaxPicOrderCntLsb = 4;
    bool deltaPicOrderAlwaysZero = false;
    bool bottomFieldPicOrderInFramePresent = false;
    bool weightedPred = false;
    uint8_t weightedBipredIdc = 0;
    bool entropyCodingMode = false;
    bool deblockingFilterControlPresent = false;
    bool redundantPicCntPresent = false;
    // num_ref_idx_l{0,1}_active_minus1 + 1 of a slice that does not override them.
    std::array<uint8_t, 2> numRefIdxDefault{1, 1};
};

// pred_weight_table() (7.3.3.2) of one list, inferred values filled in by 7.4.3.2.
struct H264Weights {
    std::array<int16_t, 32> lumaWeight{};
    std::array<int16_t, 32> lumaOffset{};
    std::array<std::array<int16_t, 2>, 32> chromaWeight{};
    std::array<std::array<int16_t, 2>, 32> chromaOffset{};
};

struct H264PredWeightTable {
    uint8_t lumaLog2Denom = 0;
    uint8_t chromaLog2Denom = 0;
    std::array<H264Weights, 2> lists;
};

// An operation of dec_ref_pic_marking() (7.4.3.3), with those operands that assign a long-term index.
struct H264MarkingOperation {
    uint8_t code = 0;                // memory_management_control_operation: 1 to 6
    int64_t differenceOfPicNums = 0; // of 1 and 3: difference_of_pic_nums_minus1 + 1
    uint16_t longTermFrameIdx = 0;   // of 3 and 6
};

// slice_header() (7.3.3), under the names of the specification. What is absent from the stream has its inferred value.
struct H264SliceHeader {
    uint8_t nalRefIdc = 0;
    bool idr = false;

    uint32_t firstMbInSlice = 0;
    H264SliceType type = H264SliceType::I;
    uint8_t picParameterSetId = 0;
    uint8_t colourPlaneId = 0;
    uint16_t frameNum = 0;
    bool fieldPic = false;
    bool bottomField = false;
    uint16_t idrPicId = 0;
    uint16_t picOrderCntLsb = 0;
    int32_t deltaPicOrderCntBottom = 0;
    std::array<int32_t, 2> deltaPicOrderCnt{};
    uint8_t redundantPicCnt = 0;
    bool directSpatialMvPred = false;
    bool numRefIdxOverride = false;
    std::array<uint8_t, 2> numRefIdxActive{};   // 0 for a list that this type of slice does not have
    std::optional<H264PredWeightTable> weights; // if the slice has them
    bool longTermReference = false;             // long_term_reference_flag
    std::vector<H264MarkingOperation> marking;
    uint8_t cabacInitIdc = 0;
    int8_t sliceQpDelta = 0;
    uint8_t disableDeblockingFilterIdc = 0;
    int8_t sliceAlphaC0OffsetDiv2 = 0;
    int8_t sliceBetaOffsetDiv2 = 0;

    // Sizes in bits of payload, that is without emulation prevention bytes.
    uint32_t picOrderCntBitSize = 0;      // pic_order_cnt_lsb to delta_pic_order_cnt[1]
    uint32_t decRefPicMarkingBitSize = 0; // dec_ref_pic_marking()
    size_t bitSize = 0;                   // from the NAL unit header's first bit to slice_data()
};

// Parses the header of a coded slice. `nal` starts at the NAL unit header byte (no start code) and may end anywhere
// behind the slice header. Fails with Unsupported for what this driver cannot decode (data partitioning, auxiliary
// pictures, MVC and SVC extensions) and with InvalidParameter for anything that is no slice header in
// this context.
Result<H264SliceHeader> parseH264SliceHeader(std::span<const uint8_t> nal, const H264SliceContext& context);

} // namespace v4l2_request::bitstream
