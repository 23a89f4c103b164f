// SPDX-License-Identifier: MIT
#include "h264/parameter_sets.h"

#include <array>

#include "core/bit_writer.h"

namespace daedalus::h264 {
namespace {

constexpr uint8_t nalSps = 7;
constexpr uint8_t nalPps = 8;

// Clause 8.5.6, table 8-2: the zig-zag scan, as raster positions.
constexpr std::array<uint8_t, 16> zigzag4x4 = {0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15};

constexpr std::array<uint8_t, 64> makeZigzag8x8() {
    std::array<uint8_t, 64> scan{};
    int x = 0, y = 0;
    bool up = true;
    for (uint8_t& position : scan) {
        position = static_cast<uint8_t>(8 * y + x);
        if (up) {
            if (x == 7) {
                ++y;
                up = false;
            } else if (y == 0) {
                ++x;
                up = false;
            } else {
                ++x;
                --y;
            }
        } else {
            if (y == 7) {
                ++x;
                up = true;
            } else if (x == 0) {
                ++y;
                up = true;
            } else {
                --x;
                ++y;
            }
        }
    }
    return scan;
}
constexpr std::array<uint8_t, 64> zigzag8x8 = makeZigzag8x8();
static_assert(zigzag8x8[1] == 1 && zigzag8x8[2] == 8 && zigzag8x8[62] == 62 && zigzag8x8[63] == 63);

/// scaling_list(), clause 7.3.2.1.1.1, of a list in raster order.
template <size_t Size>
bool writeScalingList(BitWriter& writer, const uint8_t (&raster)[Size], const std::array<uint8_t, Size>& scan) {
    int last = 8;
    for (const uint8_t position : scan) {
        const int value = raster[position];
        if (value == 0)
            return false; // 0 would mean "repeat the last" or "use the default": no list has it as a value.
        int delta = value - last;
        if (delta > 127)
            delta -= 256;
        if (delta < -128)
            delta += 256;
        writer.se(delta);
        last = value;
    }
    return true;
}

} // namespace

Result<std::vector<uint8_t>> writeSps(const Sps& sps) {
    const bool high = V4L2_H264_SPS_HAS_CHROMA_FORMAT(&sps);
    if (!high && (sps.chroma_format_idc != 1 || sps.bit_depth_luma_minus8 || sps.bit_depth_chroma_minus8))
        return fail(EINVAL, "SPS.chroma_format_idc %u, bit depths %u and %u: profile_idc %u is always 4:2:0 of 8 bits",
                    sps.chroma_format_idc, sps.bit_depth_luma_minus8 + 8, sps.bit_depth_chroma_minus8 + 8,
                    sps.profile_idc);
    if (sps.seq_parameter_set_id > 31)
        return fail(EINVAL, "SPS.seq_parameter_set_id %u (at most 31)", sps.seq_parameter_set_id);

    BitWriter writer;
    writer.bits((3 << 5) | nalSps, 8);
    writer.bits(sps.profile_idc, 8);
    for (unsigned set = 0; set < 6; ++set) // constraint_set0_flag comes first and is bit 0 of the control
        writer.bit(static_cast<uint32_t>(sps.constraint_set_flags >> set));
    writer.bits(0, 2);
    writer.bits(sps.level_idc, 8);
    writer.ue(sps.seq_parameter_set_id);
    if (high) {
        writer.ue(sps.chroma_format_idc);
        if (sps.chroma_format_idc == 3)
            writer.flag(has(sps, V4L2_H264_SPS_FLAG_SEPARATE_COLOUR_PLANE));
        writer.ue(sps.bit_depth_luma_minus8);
        writer.ue(sps.bit_depth_chroma_minus8);
        writer.flag(has(sps, V4L2_H264_SPS_FLAG_QPPRIME_Y_ZERO_TRANSFORM_BYPASS));
        writer.flag(false); // seq_scaling_matrix_present_flag: the control's matrices go into the PPS
    }
    writer.ue(writtenFrameNumBits - 4);
    writer.ue(0); // pic_order_cnt_type
    writer.ue(writtenPocBits - 4);
    writer.ue(writtenMaxRefFrames);
    writer.flag(false); // gaps_in_frame_num_value_allowed_flag
    writer.ue(sps.pic_width_in_mbs_minus1);
    writer.ue(sps.pic_height_in_map_units_minus1);
    const bool framesOnly = has(sps, V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY);
    writer.flag(framesOnly);
    if (!framesOnly)
        writer.flag(has(sps, V4L2_H264_SPS_FLAG_MB_ADAPTIVE_FRAME_FIELD));
    writer.flag(has(sps, V4L2_H264_SPS_FLAG_DIRECT_8X8_INFERENCE));
    writer.flag(false); // frame_cropping_flag: hardware writes whole macroblocks
    writer.flag(false); // vui_parameters_present_flag
    writer.trailing();
    return writer.take();
}

Result<std::vector<uint8_t>> writePps(const Pps& pps, const ScalingMatrix* scaling, PpsForm form) {
    if (pps.num_slice_groups_minus1 != 0)
        return fail(ENOTSUP, "PPS.num_slice_groups_minus1 %u: the controls carry no slice group map",
                    pps.num_slice_groups_minus1);
    if (pps.seq_parameter_set_id > 31)
        return fail(EINVAL, "PPS.seq_parameter_set_id %u (at most 31)", pps.seq_parameter_set_id);
    if (pps.weighted_bipred_idc > 2)
        return fail(EINVAL, "PPS.weighted_bipred_idc %u (at most 2)", pps.weighted_bipred_idc);

    const bool transform8x8 = has(pps, V4L2_H264_PPS_FLAG_TRANSFORM_8X8_MODE);
    BitWriter writer;
    writer.bits((3 << 5) | nalPps, 8);
    writer.ue(form.id);
    writer.ue(pps.seq_parameter_set_id);
    writer.flag(has(pps, V4L2_H264_PPS_FLAG_ENTROPY_CODING_MODE));
    writer.flag(true); // bottom_field_pic_order_in_frame_present_flag
    writer.ue(0);      // num_slice_groups_minus1
    writer.ue(pps.num_ref_idx_l0_default_active_minus1);
    writer.ue(pps.num_ref_idx_l1_default_active_minus1);
    writer.flag(has(pps, V4L2_H264_PPS_FLAG_WEIGHTED_PRED));
    writer.bits(pps.weighted_bipred_idc, 2);
    writer.se(pps.pic_init_qp_minus26);
    writer.se(pps.pic_init_qs_minus26);
    writer.se(pps.chroma_qp_index_offset);
    writer.flag(true); // deblocking_filter_control_present_flag
    writer.flag(has(pps, V4L2_H264_PPS_FLAG_CONSTRAINED_INTRA_PRED));
    writer.flag(form.redundantPicCnt);
    // The rest belongs to the High profiles: left out where it says nothing, so that a Main profile stays one.
    if (transform8x8 || scaling || pps.second_chroma_qp_index_offset != pps.chroma_qp_index_offset) {
        writer.flag(transform8x8);
        writer.flag(scaling != nullptr);
        if (scaling) {
            for (unsigned list = 0; list < 6; ++list) {
                writer.flag(true);
                if (!writeScalingList(writer, scaling->scaling_list_4x4[list], zigzag4x4))
                    return fail(EINVAL, "SCALING_MATRIX.scaling_list_4x4[%u] has a 0", list);
            }
            for (unsigned list = 0; transform8x8 && list < 2; ++list) {
                writer.flag(true);
                if (!writeScalingList(writer, scaling->scaling_list_8x8[list], zigzag8x8))
                    return fail(EINVAL, "SCALING_MATRIX.scaling_list_8x8[%u] has a 0", list);
            }
        }
        writer.se(pps.second_chroma_qp_index_offset);
    }
    writer.trailing();
    return writer.take();
}

} // namespace daedalus::h264
