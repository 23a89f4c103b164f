// SPDX-License-Identifier: MIT
#include "hevc/parameter_sets.h"

#include <algorithm>
#include <span>

namespace daedalus::hevc {
namespace {

/// 7.3.3: Main or Main 10 profile, and the highest level, so that no limit but the syntax's own applies.
void profileTierLevel(BitWriter& writer, const Sps& sps) {
    const bool main10 = sps.bit_depth_luma_minus8 != 0;
    writer.bits(0, 3);                                 // general_profile_space, general_tier_flag
    writer.bits(main10 ? 2 : 1, 5);                    // general_profile_idc
    writer.bits(main10 ? 0x20000000 : 0x60000000, 32); // general_profile_compatibility_flag 2, and 1
    writer.bits(0x9, 4); // general_progressive_source_flag, ..., general_frame_only_constraint_flag
    writer.bits(0, 32);
    writer.bits(0, 12);
    writer.bits(186, 8); // general_level_idc 6.2
}

/// vps_max_dec_pic_buffering_minus1, vps_max_num_reorder_pics, vps_max_latency_increase_plus1: nothing is output, so
/// the last two are 0.
void orderingInfo(BitWriter& writer) {
    writer.bit(1); // sub_layer_ordering_info_present_flag
    writer.ue(maxPictures - 1);
    writer.ue(0);
    writer.ue(0);
}

/// The raster positions of up-right diagonal order (6.5.3).
template <size_t Size>
std::array<uint8_t, Size * Size> diagonal() {
    std::array<uint8_t, Size * Size> order{};
    size_t next = 0;
    for (size_t sum = 0; sum < 2 * Size - 1; ++sum) {
        for (size_t x = 0; x <= sum; ++x) {
            const size_t y = sum - x;
            if (x < Size && y < Size)
                order[next++] = static_cast<uint8_t>(y * Size + x);
        }
    }
    return order;
}

/// One list of scaling_list_data() (7.3.4), coded on its own.
void scalingList(BitWriter& writer, std::span<const uint8_t> raster, const uint8_t* dc) {
    static const auto order4 = diagonal<4>();
    static const auto order8 = diagonal<8>();
    const uint8_t* order = raster.size() == 16 ? order4.data() : order8.data();
    writer.bit(1); // scaling_list_pred_mode_flag
    int previous = 8;
    if (dc) {
        writer.se(*dc - 8);
        previous = *dc;
    }
    for (size_t i = 0; i < raster.size(); ++i) {
        const int value = raster[order[i]];
        const int delta = value - previous;
        writer.se(delta > 127 ? delta - 256 : delta < -128 ? delta + 256 : delta);
        previous = value;
    }
}

void scalingListData(BitWriter& writer, const ScalingMatrix& matrix) {
    for (const auto& list : matrix.scaling_list_4x4)
        scalingList(writer, list, nullptr);
    for (const auto& list : matrix.scaling_list_8x8)
        scalingList(writer, list, nullptr);
    for (size_t i = 0; i < std::size(matrix.scaling_list_16x16); ++i)
        scalingList(writer, matrix.scaling_list_16x16[i], &matrix.scaling_list_dc_coef_16x16[i]);
    for (size_t i = 0; i < std::size(matrix.scaling_list_32x32); ++i)
        scalingList(writer, matrix.scaling_list_32x32[i], &matrix.scaling_list_dc_coef_32x32[i]);
}

/// 6-3, 6-4
bool isUniform(std::span<const uint8_t> minus1, uint32_t total) {
    const auto count = static_cast<uint32_t>(minus1.size());
    for (uint32_t i = 0; i < count; ++i) {
        if (minus1[i] + 1u != (i + 1) * total / count - i * total / count)
            return false;
    }
    return true;
}

Result<void> tiles(BitWriter& writer, const Sps& sps, const Pps& pps) {
    if (pps.num_tile_columns_minus1 >= std::size(pps.column_width_minus1) ||
        pps.num_tile_rows_minus1 >= std::size(pps.row_height_minus1))
        return fail(EINVAL, "PPS.num_tile_columns_minus1 %u, num_tile_rows_minus1 %u", pps.num_tile_columns_minus1,
                    pps.num_tile_rows_minus1);
    const std::span columns(pps.column_width_minus1, pps.num_tile_columns_minus1 + 1u);
    const std::span rows(pps.row_height_minus1, pps.num_tile_rows_minus1 + 1u);
    const auto sum = [](std::span<const uint8_t> minus1) {
        uint32_t total = 0;
        for (const uint8_t size : minus1)
            total += size + 1u;
        return total;
    };
    if (sum(columns) != widthInCtbs(sps) || sum(rows) != heightInCtbs(sps))
        return fail(EINVAL, "PPS.column_width_minus1 and row_height_minus1 make %ux%u coding tree blocks of %ux%u",
                    sum(columns), sum(rows), widthInCtbs(sps), heightInCtbs(sps));
    const bool uniform = has(pps.flags, V4L2_HEVC_PPS_FLAG_UNIFORM_SPACING);
    if (uniform && (!isUniform(columns, widthInCtbs(sps)) || !isUniform(rows, heightInCtbs(sps))))
        return fail(EINVAL, "PPS.flags UNIFORM_SPACING, but column_width_minus1 or row_height_minus1 is not");
    writer.ue(pps.num_tile_columns_minus1);
    writer.ue(pps.num_tile_rows_minus1);
    writer.flag(uniform);
    if (!uniform) {
        for (const uint8_t size : columns.first(columns.size() - 1))
            writer.ue(size);
        for (const uint8_t size : rows.first(rows.size() - 1))
            writer.ue(size);
    }
    writer.flag(has(pps.flags, V4L2_HEVC_PPS_FLAG_LOOP_FILTER_ACROSS_TILES_ENABLED));
    return {};
}

/// Clause 7.4.3.2.1, which libavcodec does not check.
Result<void> checkPcmSizes(const Sps& sps) {
    if (!has(sps.flags, V4L2_HEVC_SPS_FLAG_PCM_ENABLED))
        return {};
    const unsigned least = sps.log2_min_pcm_luma_coding_block_size_minus3 + 3u;
    const unsigned most = least + sps.log2_diff_max_min_pcm_luma_coding_block_size;
    if (least < std::min(sps.log2_min_luma_coding_block_size_minus3 + 3u, 5u) || most > std::min(ctbLog2(sps), 5u))
        return fail(EINVAL, "SPS: PCM coding blocks of 2^%u to 2^%u samples", least, most);
    return {};
}

} // namespace

void nalHeader(BitWriter& writer, uint8_t type) {
    writer.bit(0);
    writer.bits(type, 6);
    writer.bits(0, 6);
    writer.bits(1, 3);
}

std::vector<uint8_t> writeVps(const Sps& sps) {
    BitWriter writer;
    nalHeader(writer, vpsNal);
    writer.bits(0, 4);       // vps_video_parameter_set_id
    writer.bits(3, 2);       // vps_base_layer_internal_flag, vps_base_layer_available_flag
    writer.bits(0, 6);       // vps_max_layers_minus1
    writer.bits(0, 3);       // vps_max_sub_layers_minus1
    writer.bit(1);           // vps_temporal_id_nesting_flag
    writer.bits(0xffff, 16); // vps_reserved_0xffff_16bits
    profileTierLevel(writer, sps);
    orderingInfo(writer);
    writer.bits(0, 6); // vps_max_layer_id
    writer.ue(0);      // vps_num_layer_sets_minus1
    writer.bit(0);     // vps_timing_info_present_flag
    writer.bit(0);     // vps_extension_flag
    writer.trailing();
    return writer.take();
}

Result<void> checkSps(const Sps& sps) {
    if (sps.chroma_format_idc != 1 || has(sps.flags, V4L2_HEVC_SPS_FLAG_SEPARATE_COLOUR_PLANE))
        return fail(ENOTSUP, "SPS.chroma_format_idc is %u, only 4:2:0 is decoded", sps.chroma_format_idc);
    if ((sps.bit_depth_luma_minus8 != 0 && sps.bit_depth_luma_minus8 != 2) ||
        sps.bit_depth_chroma_minus8 != sps.bit_depth_luma_minus8)
        return fail(ENOTSUP,
                    "SPS.bit_depth_luma_minus8 is %u, bit_depth_chroma_minus8 %u, only 8 and 10 bits are decoded",
                    sps.bit_depth_luma_minus8, sps.bit_depth_chroma_minus8);
    // Clause 7.4.3.2.1. What is not checked here, libavcodec does.
    const struct {
        const char* field;
        unsigned value, most;
    } limits[] = {
        {"video_parameter_set_id", sps.video_parameter_set_id, 15},
        {"seq_parameter_set_id", sps.seq_parameter_set_id, 15},
        {"log2_max_pic_order_cnt_lsb_minus4", sps.log2_max_pic_order_cnt_lsb_minus4, 12},
        {"sps_max_dec_pic_buffering_minus1", sps.sps_max_dec_pic_buffering_minus1, 15},
        {"sps_max_num_reorder_pics", sps.sps_max_num_reorder_pics, sps.sps_max_dec_pic_buffering_minus1},
        {"log2_min_luma_coding_block_size_minus3 + 3 + log2_diff_max_min_luma_coding_block_size", ctbLog2(sps), 6},
        {"num_short_term_ref_pic_sets", sps.num_short_term_ref_pic_sets, 64},
        {"num_long_term_ref_pics_sps", sps.num_long_term_ref_pics_sps, 32},
        {"sps_max_sub_layers_minus1", sps.sps_max_sub_layers_minus1, 6},
    };
    for (const auto& limit : limits) {
        if (limit.value > limit.most)
            return fail(EINVAL, "SPS.%s: %u is more than %u", limit.field, limit.value, limit.most);
    }
    if (sps.pic_width_in_luma_samples == 0 || sps.pic_height_in_luma_samples == 0)
        return fail(EINVAL, "SPS.pic_width_in_luma_samples %u, pic_height_in_luma_samples %u",
                    sps.pic_width_in_luma_samples, sps.pic_height_in_luma_samples);
    if (has(sps.flags, V4L2_HEVC_SPS_FLAG_PCM_LOOP_FILTER_DISABLED) && !has(sps.flags, V4L2_HEVC_SPS_FLAG_PCM_ENABLED))
        return fail(EINVAL, "SPS.flags has PCM_LOOP_FILTER_DISABLED without PCM_ENABLED (7.3.2.2.1)");
    return checkPcmSizes(sps);
}

std::vector<uint8_t> writeSps(const Sps& sps) {
    BitWriter writer;
    nalHeader(writer, spsNal);
    writer.bits(0, 4); // sps_video_parameter_set_id
    writer.bits(0, 3); // sps_max_sub_layers_minus1
    writer.bit(1);     // sps_temporal_id_nesting_flag
    profileTierLevel(writer, sps);
    writer.ue(0); // sps_seq_parameter_set_id
    writer.ue(sps.chroma_format_idc);
    writer.ue(sps.pic_width_in_luma_samples);
    writer.ue(sps.pic_height_in_luma_samples);
    writer.bit(0); // conformance_window_flag
    writer.ue(sps.bit_depth_luma_minus8);
    writer.ue(sps.bit_depth_chroma_minus8);
    writer.ue(writtenPocBits - 4);
    orderingInfo(writer);
    writer.ue(sps.log2_min_luma_coding_block_size_minus3);
    writer.ue(sps.log2_diff_max_min_luma_coding_block_size);
    writer.ue(sps.log2_min_luma_transform_block_size_minus2);
    writer.ue(sps.log2_diff_max_min_luma_transform_block_size);
    writer.ue(sps.max_transform_hierarchy_depth_inter);
    writer.ue(sps.max_transform_hierarchy_depth_intra);
    writer.flag(has(sps.flags, V4L2_HEVC_SPS_FLAG_SCALING_LIST_ENABLED));
    if (has(sps.flags, V4L2_HEVC_SPS_FLAG_SCALING_LIST_ENABLED))
        writer.bit(0); // sps_scaling_list_data_present_flag: the picture parameter set has them
    writer.flag(has(sps.flags, V4L2_HEVC_SPS_FLAG_AMP_ENABLED));
    writer.flag(has(sps.flags, V4L2_HEVC_SPS_FLAG_SAMPLE_ADAPTIVE_OFFSET));
    writer.flag(has(sps.flags, V4L2_HEVC_SPS_FLAG_PCM_ENABLED));
    if (has(sps.flags, V4L2_HEVC_SPS_FLAG_PCM_ENABLED)) {
        writer.bits(sps.pcm_sample_bit_depth_luma_minus1, 4);
        writer.bits(sps.pcm_sample_bit_depth_chroma_minus1, 4);
        writer.ue(sps.log2_min_pcm_luma_coding_block_size_minus3);
        writer.ue(sps.log2_diff_max_min_pcm_luma_coding_block_size);
        writer.flag(has(sps.flags, V4L2_HEVC_SPS_FLAG_PCM_LOOP_FILTER_DISABLED));
    }
    writer.ue(0);  // num_short_term_ref_pic_sets
    writer.bit(1); // long_term_ref_pics_present_flag
    writer.ue(0);  // num_long_term_ref_pics_sps
    writer.flag(has(sps.flags, V4L2_HEVC_SPS_FLAG_SPS_TEMPORAL_MVP_ENABLED));
    writer.flag(has(sps.flags, V4L2_HEVC_SPS_FLAG_STRONG_INTRA_SMOOTHING_ENABLED));
    writer.bit(0); // vui_parameters_present_flag
    writer.bit(0); // sps_extension_present_flag
    writer.trailing();
    return writer.take();
}

Result<std::vector<uint8_t>> writePps(const Sps& sps, const Pps& pps, const ScalingMatrix* scaling) {
    const auto flag = [&](uint64_t mask) { return has(pps.flags, mask); };
    if (pps.num_ref_idx_l0_default_active_minus1 > 14 || pps.num_ref_idx_l1_default_active_minus1 > 14)
        return fail(EINVAL, "PPS.num_ref_idx_l0_default_active_minus1 %u, l1 %u (at most 14)",
                    pps.num_ref_idx_l0_default_active_minus1, pps.num_ref_idx_l1_default_active_minus1);
    // 7.4.3.3.1: without deblocking_filter_control_present_flag all that it announces is 0.
    if (!flag(V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_CONTROL_PRESENT) &&
        (flag(V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_OVERRIDE_ENABLED |
              V4L2_HEVC_PPS_FLAG_PPS_DISABLE_DEBLOCKING_FILTER) ||
         pps.pps_beta_offset_div2 != 0 || pps.pps_tc_offset_div2 != 0))
        return fail(EINVAL, "PPS.flags lacks DEBLOCKING_FILTER_CONTROL_PRESENT, but what it announces is there");

    BitWriter writer;
    nalHeader(writer, ppsNal);
    writer.ue(0); // pps_pic_parameter_set_id
    writer.ue(0); // pps_seq_parameter_set_id
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_DEPENDENT_SLICE_SEGMENT_ENABLED));
    writer.bit(1);     // output_flag_present_flag
    writer.bits(0, 3); // num_extra_slice_header_bits
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_SIGN_DATA_HIDING_ENABLED));
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_CABAC_INIT_PRESENT));
    writer.ue(0); // num_ref_idx_l0_default_active_minus1: every slice overrides it
    writer.ue(0);
    writer.se(pps.init_qp_minus26);
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_CONSTRAINED_INTRA_PRED));
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_TRANSFORM_SKIP_ENABLED));
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_CU_QP_DELTA_ENABLED));
    if (flag(V4L2_HEVC_PPS_FLAG_CU_QP_DELTA_ENABLED))
        writer.ue(pps.diff_cu_qp_delta_depth);
    writer.se(pps.pps_cb_qp_offset);
    writer.se(pps.pps_cr_qp_offset);
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT));
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_WEIGHTED_PRED));
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_WEIGHTED_BIPRED));
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_TRANSQUANT_BYPASS_ENABLED));
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_TILES_ENABLED));
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_ENTROPY_CODING_SYNC_ENABLED));
    if (flag(V4L2_HEVC_PPS_FLAG_TILES_ENABLED)) {
        if (auto written = tiles(writer, sps, pps); !written)
            return tl::unexpected(written.error());
    }
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED));
    writer.bit(1); // deblocking_filter_control_present_flag
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_OVERRIDE_ENABLED));
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_PPS_DISABLE_DEBLOCKING_FILTER));
    if (!flag(V4L2_HEVC_PPS_FLAG_PPS_DISABLE_DEBLOCKING_FILTER)) {
        writer.se(pps.pps_beta_offset_div2);
        writer.se(pps.pps_tc_offset_div2);
    }
    writer.flag(scaling != nullptr); // pps_scaling_list_data_present_flag
    if (scaling)
        scalingListData(writer, *scaling);
    writer.flag(flag(V4L2_HEVC_PPS_FLAG_LISTS_MODIFICATION_PRESENT));
    writer.ue(pps.log2_parallel_merge_level_minus2);
    writer.bit(0); // slice_segment_header_extension_present_flag
    writer.bit(0); // pps_extension_present_flag
    writer.trailing();
    return writer.take();
}

} // namespace daedalus::hevc
