// SPDX-License-Identifier: MIT
#include "h264/controls.h"

#include <algorithm>
#include <string>

#include "core/control_reader.h"
#include "core/field_check.h"
#include "core/nal.h"

namespace daedalus::h264 {
namespace {

/// Contradictions that libavcodec would not mind. What only the High profiles have (A.2.4 and after it) it decodes in
/// any profile; hardware that goes by profile_idc does not.
Result<void> checkParameterSets(const Sps& sps, const Pps& pps) {
    if ((sps.flags & V4L2_H264_SPS_FLAG_MB_ADAPTIVE_FRAME_FIELD) && (sps.flags & V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY))
        return fail(EINVAL, "SPS.flags has MB_ADAPTIVE_FRAME_FIELD and FRAME_MBS_ONLY (7.3.2.1.1)");
    const bool predictive444 = sps.profile_idc == 244 || sps.profile_idc == 44;
    if ((sps.flags & V4L2_H264_SPS_FLAG_QPPRIME_Y_ZERO_TRANSFORM_BYPASS) && !predictive444)
        return fail(EINVAL, "SPS.flags QPPRIME_Y_ZERO_TRANSFORM_BYPASS is not of profile_idc %u (A.2)",
                    sps.profile_idc);
    if (V4L2_H264_SPS_HAS_CHROMA_FORMAT(&sps))
        return {};
    const char* const what = (pps.flags & V4L2_H264_PPS_FLAG_TRANSFORM_8X8_MODE)       ? "TRANSFORM_8X8_MODE"
                             : (pps.flags & V4L2_H264_PPS_FLAG_SCALING_MATRIX_PRESENT) ? "SCALING_MATRIX_PRESENT"
                                                                                       : nullptr;
    if (what)
        return fail(EINVAL, "SPS.profile_idc is %u, PPS.flags %s is of the High profiles (A.2)", sps.profile_idc, what);
    if (pps.second_chroma_qp_index_offset != pps.chroma_qp_index_offset)
        return fail(EINVAL, "SPS.profile_idc is %u, two chroma_qp_index_offset are of the High profiles (A.2)",
                    sps.profile_idc);
    return {};
}

} // namespace

Result<Controls> readControls(const Job& job, std::span<const uint8_t> payload) {
    Controls controls{};
    int32_t mode = 0, code = 0;
    ControlReader reader(job);
    reader.required(V4L2_CID_STATELESS_H264_SPS, "H264_SPS", controls.sps);
    reader.required(V4L2_CID_STATELESS_H264_PPS, "H264_PPS", controls.pps);
    reader.required(V4L2_CID_STATELESS_H264_DECODE_PARAMS, "H264_DECODE_PARAMS", controls.decode);
    if (has(controls.pps, V4L2_H264_PPS_FLAG_SCALING_MATRIX_PRESENT))
        reader.required(V4L2_CID_STATELESS_H264_SCALING_MATRIX, "H264_SCALING_MATRIX", controls.scaling.emplace());
    controls.sliceBased = reader.optional(V4L2_CID_STATELESS_H264_DECODE_MODE, "H264_DECODE_MODE", mode)
                              ? mode == V4L2_STATELESS_H264_DECODE_MODE_SLICE_BASED
                              : job.has(V4L2_CID_STATELESS_H264_SLICE_PARAMS);
    controls.startCodes = reader.optional(V4L2_CID_STATELESS_H264_START_CODE, "H264_START_CODE", code)
                              ? code == V4L2_STATELESS_H264_START_CODE_ANNEX_B
                              : startsWithStartCode(payload);
    if (controls.sliceBased) {
        reader.required(V4L2_CID_STATELESS_H264_SLICE_PARAMS, "H264_SLICE_PARAMS", controls.slice);
        if (V4L2_H264_CTRL_PRED_WEIGHTS_REQUIRED(&controls.pps, &controls.slice))
            reader.required(V4L2_CID_STATELESS_H264_PRED_WEIGHTS, "H264_PRED_WEIGHTS", controls.weights.emplace());
    }
    if (!reader.result())
        return tl::unexpected(reader.result().error());
    if (controls.pps.seq_parameter_set_id != controls.sps.seq_parameter_set_id)
        return fail(EINVAL, "PPS.seq_parameter_set_id %u, SPS.seq_parameter_set_id %u",
                    controls.pps.seq_parameter_set_id, controls.sps.seq_parameter_set_id);
    if (auto checked = checkParameterSets(controls.sps, controls.pps); !checked)
        return tl::unexpected(checked.error());
    return controls;
}

Result<void> compareWithStream(const Controls& controls, const ParsedSlice& parsed) {
    const DecodeParams& params = controls.decode;
    const SliceHeader& header = parsed.header;
    const auto flag = [&](uint32_t mask) { return (params.flags & mask) != 0; };
    const bool interlaced = !(controls.sps.flags & V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY);

    const FieldPair pairs[] = {
        {"nal_ref_idc", params.nal_ref_idc, header.nalRefIdc},
        {"flags IDR_PIC", flag(V4L2_H264_DECODE_PARAM_FLAG_IDR_PIC), header.idr},
        {"flags FIELD_PIC", flag(V4L2_H264_DECODE_PARAM_FLAG_FIELD_PIC), header.fieldPic},
        {"flags BOTTOM_FIELD", flag(V4L2_H264_DECODE_PARAM_FLAG_BOTTOM_FIELD), header.bottomField},
        {"frame_num", params.frame_num, header.frameNum},
        {"idr_pic_id", params.idr_pic_id, header.idrPicId},
        {"pic_order_cnt_lsb", params.pic_order_cnt_lsb, header.pocLsb},
        {"delta_pic_order_cnt_bottom", params.delta_pic_order_cnt_bottom, header.deltaPocBottom},
        {"delta_pic_order_cnt0", params.delta_pic_order_cnt0, header.deltaPoc[0]},
        {"delta_pic_order_cnt1", params.delta_pic_order_cnt1, header.deltaPoc[1]},
        {"pic_order_cnt_bit_size", params.pic_order_cnt_bit_size, static_cast<int64_t>(parsed.sizes.pocBits)},
        {"dec_ref_pic_marking_bit_size", params.dec_ref_pic_marking_bit_size,
         static_cast<int64_t>(parsed.sizes.markingBits)},
        {"slice_group_change_cycle", params.slice_group_change_cycle, 0},
    };
    if (auto compared = compareFields("DECODE_PARAMS", pairs); !compared)
        return compared;
    // Clause 8.2.1.1: with type 0 the low bits of the order count are in the header.
    if (controls.sps.pic_order_cnt_type == 0) {
        const auto mask = static_cast<uint32_t>((1 << (controls.sps.log2_max_pic_order_cnt_lsb_minus4 + 4)) - 1);
        const int32_t coded = header.bottomField ? params.bottom_field_order_cnt : params.top_field_order_cnt;
        if ((static_cast<uint32_t>(coded) & mask) != header.pocLsb)
            return fail(EINVAL, "DECODE_PARAMS.%s_field_order_cnt is %d, pic_order_cnt_lsb of the slice header %u",
                        header.bottomField ? "bottom" : "top", coded, header.pocLsb);
        if (!header.fieldPic &&
            int64_t{params.bottom_field_order_cnt} - params.top_field_order_cnt != header.deltaPocBottom)
            return fail(EINVAL,
                        "DECODE_PARAMS.bottom_field_order_cnt - top_field_order_cnt is %lld, the slice header "
                        "says %d",
                        static_cast<long long>(int64_t{params.bottom_field_order_cnt} - params.top_field_order_cnt),
                        header.deltaPocBottom);
    }
    if (!interlaced && (header.fieldPic || header.bottomField))
        return fail(EINVAL, "SPS.flags FRAME_MBS_ONLY, but the picture is a field");
    return {};
}

Result<void> applySliceParams(SliceHeader& header, const Controls& controls, size_t headerBits) {
    const SliceParams& params = controls.slice;
    if (params.header_bit_size != headerBits)
        return fail(EINVAL,
                    "SLICE_PARAMS.header_bit_size is %u, the slice header has %zu bits (7.3.3, emulation "
                    "prevention not counted)",
                    params.header_bit_size, headerBits);
    if (params.slice_type > V4L2_H264_SLICE_TYPE_I)
        return fail(EINVAL, "SLICE_PARAMS.slice_type %u", params.slice_type);
    const unsigned most = header.fieldPic ? 32 : 16;
    if (params.num_ref_idx_l0_active_minus1 >= most || params.num_ref_idx_l1_active_minus1 >= most)
        return fail(EINVAL, "SLICE_PARAMS.num_ref_idx_l0_active_minus1 %u, l1 %u (at most %u)",
                    params.num_ref_idx_l0_active_minus1, params.num_ref_idx_l1_active_minus1, most - 1);
    if (params.cabac_init_idc > 2 || params.disable_deblocking_filter_idc > 2)
        return fail(EINVAL, "SLICE_PARAMS.cabac_init_idc %u, disable_deblocking_filter_idc %u (at most 2)",
                    params.cabac_init_idc, params.disable_deblocking_filter_idc);

    // No slice that is decoded here has these (7.3.3).
    if (params.slice_qs_delta != 0 || (params.flags & V4L2_H264_SLICE_FLAG_SP_FOR_SWITCH))
        return fail(EINVAL, "SLICE_PARAMS.slice_qs_delta %d or flags SP_FOR_SWITCH, but the slice is no SP or SI slice",
                    params.slice_qs_delta);
    if (params.colour_plane_id != 0 && !(controls.sps.flags & V4L2_H264_SPS_FLAG_SEPARATE_COLOUR_PLANE))
        return fail(EINVAL, "SLICE_PARAMS.colour_plane_id %u without SPS.flags SEPARATE_COLOUR_PLANE",
                    params.colour_plane_id);

    header.type = static_cast<SliceType>(params.slice_type);
    header.firstMb = params.first_mb_in_slice;
    header.colourPlane = params.colour_plane_id;
    header.redundantPicCnt = params.redundant_pic_cnt;
    header.cabacInitIdc = params.cabac_init_idc;
    header.qpDelta = int32_t{params.slice_qp_delta};
    header.qsDelta = int32_t{params.slice_qs_delta};
    header.deblockingIdc = params.disable_deblocking_filter_idc;
    header.alphaOffsetDiv2 = int32_t{params.slice_alpha_c0_offset_div2};
    header.betaOffsetDiv2 = int32_t{params.slice_beta_offset_div2};
    header.directSpatial = (params.flags & V4L2_H264_SLICE_FLAG_DIRECT_SPATIAL_MV_PRED) != 0;
    header.activeRefs[0] = header.isIntra() ? 0 : params.num_ref_idx_l0_active_minus1 + 1u;
    header.activeRefs[1] = header.isB() ? params.num_ref_idx_l1_active_minus1 + 1u : 0;

    header.weights.reset();
    if (!controls.weights)
        return {};
    WeightTable table;
    table.lumaLog2Denom = controls.weights->luma_log2_weight_denom;
    table.chromaLog2Denom = controls.weights->chroma_log2_weight_denom;
    if (table.lumaLog2Denom > 7 || table.chromaLog2Denom > 7)
        return fail(EINVAL, "PRED_WEIGHTS.luma_log2_weight_denom %u, chroma_log2_weight_denom %u (at most 7)",
                    table.lumaLog2Denom, table.chromaLog2Denom);
    for (unsigned list = 0; list < header.lists(); ++list) {
        const v4l2_h264_weight_factors& factors = controls.weights->weight_factors[list];
        for (uint32_t i = 0; i < header.activeRefs[list]; ++i) {
            Weight weight;
            weight.luma = factors.luma_weight[i];
            weight.lumaOffset = factors.luma_offset[i];
            for (size_t j = 0; j < 2; ++j) {
                weight.chroma[j] = factors.chroma_weight[i][j];
                weight.chromaOffset[j] = factors.chroma_offset[i][j];
            }
            table.lists[list].push_back(weight);
        }
    }
    header.weights = std::move(table);
    return {};
}

} // namespace daedalus::h264
