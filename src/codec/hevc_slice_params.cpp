// SPDX-License-Identifier: MIT
#ifdef HAVE_UAPI_HEVC

#include "codec/hevc_slice_params.h"

#include <algorithm>

namespace v4l2_request::codec::hevc {

namespace {

using bitstream::HevcSliceHeader;

v4l2_hevc_pred_weight_table fillPredWeights(const HevcSliceHeader& header) {
    if (!header.weights)
        return {};
    const auto& [l0, l1] = header.weights->lists;
    v4l2_hevc_pred_weight_table table{};
    std::ranges::copy(l0.deltaLumaWeight, table.delta_luma_weight_l0);
    std::ranges::copy(l0.lumaOffset, table.luma_offset_l0);
    std::ranges::copy(l1.deltaLumaWeight, table.delta_luma_weight_l1);
    std::ranges::copy(l1.lumaOffset, table.luma_offset_l1);
    for (size_t i = 0; i < bitstream::hevcMaxActiveReferences; ++i) {
        std::ranges::copy(l0.deltaChromaWeight[i], table.delta_chroma_weight_l0[i]);
        std::ranges::copy(l0.chromaOffset[i], table.chroma_offset_l0[i]);
        std::ranges::copy(l1.deltaChromaWeight[i], table.delta_chroma_weight_l1[i]);
        std::ranges::copy(l1.chromaOffset[i], table.chroma_offset_l1[i]);
    }
    table.luma_log2_weight_denom = header.weights->lumaLog2Denom;
    table.delta_chroma_log2_weight_denom = header.weights->deltaChromaLog2Denom;
    return table;
}

uint64_t sliceFlags(const HevcSliceHeader& header) {
    return (header.saoLuma ? V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_SAO_LUMA : 0) |
           (header.saoChroma ? V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_SAO_CHROMA : 0) |
           (header.temporalMvpEnabled ? V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_TEMPORAL_MVP_ENABLED : 0) |
           (header.mvdL1Zero ? V4L2_HEVC_SLICE_PARAMS_FLAG_MVD_L1_ZERO : 0) |
           (header.cabacInit ? V4L2_HEVC_SLICE_PARAMS_FLAG_CABAC_INIT : 0) |
           (header.collocatedFromL0 ? V4L2_HEVC_SLICE_PARAMS_FLAG_COLLOCATED_FROM_L0 : 0) |
           (header.deblockingFilterDisabled ? V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_DEBLOCKING_FILTER_DISABLED : 0) |
           (header.loopFilterAcrossSlicesEnabled ? V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_LOOP_FILTER_ACROSS_SLICES_ENABLED
                                                 : 0) |
           (header.dependentSliceSegment ? V4L2_HEVC_SLICE_PARAMS_FLAG_DEPENDENT_SLICE_SEGMENT : 0);
}

} // namespace

// bit_size and data_byte_offset count from the slice's own first byte, start code and emulation prevention bytes
// included: they are places in the OUTPUT buffer.
v4l2_ctrl_hevc_slice_params sliceParams(const HevcSliceHeader& header, size_t size, size_t startCodeSize,
                                        int32_t picOrderCnt, uint8_t picStruct) {
    const auto minus1 = [](uint8_t count) { return static_cast<uint8_t>(count > 0 ? count - 1 : 0); };
    return {
        .bit_size = static_cast<uint32_t>(size * 8),
        .data_byte_offset = static_cast<uint32_t>(startCodeSize + header.rawByteSize),
        .num_entry_point_offsets = static_cast<uint32_t>(header.entryPointOffsets.size()),
        .nal_unit_type = header.nalUnitType,
        .nuh_temporal_id_plus1 = header.temporalIdPlus1,
        .slice_type = static_cast<uint8_t>(header.type),
        .colour_plane_id = header.colourPlaneId,
        .slice_pic_order_cnt = picOrderCnt,
        .num_ref_idx_l0_active_minus1 = minus1(header.numRefIdxActive[0]),
        .num_ref_idx_l1_active_minus1 = minus1(header.numRefIdxActive[1]),
        .collocated_ref_idx = header.collocatedRefIdx,
        .five_minus_max_num_merge_cand = header.fiveMinusMaxNumMergeCand,
        .slice_qp_delta = header.qpDelta,
        .slice_cb_qp_offset = header.cbQpOffset,
        .slice_cr_qp_offset = header.crQpOffset,
        .slice_beta_offset_div2 = header.betaOffsetDiv2,
        .slice_tc_offset_div2 = header.tcOffsetDiv2,
        .pic_struct = picStruct,
        .slice_segment_addr = header.segmentAddress,
        .short_term_ref_pic_set_size = static_cast<uint16_t>(header.shortTermSet.bitSize),
        .long_term_ref_pic_set_size = static_cast<uint16_t>(header.longTermSetBitSize),
        .pred_weight_table = fillPredWeights(header),
        .flags = sliceFlags(header),
    };
}

} // namespace v4l2_request::codec::hevc

#endif // HAVE_UAPI_HEVC
