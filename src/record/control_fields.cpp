// SPDX-License-Identifier: MIT
#include "record/control_fields.h"

#include <initializer_list>
#include <stdexcept>
#include <type_traits>

#include "codec/control_ids.h"

namespace v4l2_request::record {

namespace {

using Fields = std::vector<ControlField>;

struct Flag {
    const char* name;
    uint64_t bit;
};

// Adds the members of one control, in the order of the struct.
class Control {
public:
    Control(Fields& fields, const char* codec, const char* name, uint32_t id)
        : fields_(fields), first_(fields.size()), codec_(codec), name_(name), id_(id) {}

    // A number, or an array of them.
    template <typename T>
    void value(const std::string& field, size_t offset) {
        if constexpr (std::rank_v < T >> 1) {
            using Row = std::remove_extent_t<T>;
            for (size_t i = 0; i < std::extent_v<T>; ++i)
                value<Row>(field + '[' + std::to_string(i) + ']', offset + i * sizeof(Row));
        } else {
            using Element = std::remove_extent_t<T>;
            static_assert(std::is_integral_v<Element>);
            add(field, offset, sizeof(Element), std::rank_v<T> ? std::extent_v<T> : 1, std::is_signed_v<Element>,
                ControlField::Kind::Value, 0);
            cover(offset, sizeof(T));
        }
    }

    template <typename T>
    void flags(const std::string& field, size_t offset, std::initializer_list<Flag> flags) {
        uint64_t unnamed = sizeof(T) < 8 ? (uint64_t{1} << (8 * sizeof(T) % 64)) - 1 : ~uint64_t{0};
        for (const Flag& flag : flags) {
            add(field + ' ' + flag.name, offset, sizeof(T), 1, false, ControlField::Kind::Flag, flag.bit);
            unnamed &= ~flag.bit;
        }
        if (unnamed)
            add(field + " (other bits)", offset, sizeof(T), 1, false, ControlField::Kind::Reserved, unnamed);
        cover(offset, sizeof(T));
    }

    template <typename T>
    void reserved(const std::string& field, size_t offset) {
        add(field, offset, sizeof(T), 1, false, ControlField::Kind::Reserved, 0);
        cover(offset, sizeof(T));
    }

    // What is described once is there so many times.
    template <typename Describe>
    void repeat(size_t times, size_t size, Describe describe) {
        const size_t first = fields_.size();
        describe();
        for (size_t i = first; i < fields_.size(); i++) {
            fields_[i].repeats = times;
            fields_[i].stride = size;
        }
        end_ += (times - 1) * size;
    }

    void finish(size_t size) const {
        if (end_ != size)
            giveUp("its end");
        for (size_t i = first_; i < fields_.size(); i++)
            fields_[i].structSize = size;
    }

private:
    void add(const std::string& field, size_t offset, size_t size, size_t count, bool isSigned, ControlField::Kind kind,
             uint64_t mask) {
        fields_.push_back({.codec = codec_,
                           .control = name_,
                           .id = id_,
                           .structSize = 0,
                           .name = field.empty() ? name_ : std::string(name_) + '.' + field,
                           .offset = offset,
                           .size = size,
                           .count = count,
                           .isSigned = isSigned,
                           .kind = kind,
                           .mask = mask});
    }

    void cover(size_t offset, size_t size) {
        if (offset != end_)
            giveUp("what is at byte " + std::to_string(end_));
        end_ += size;
    }

    [[noreturn]] void giveUp(const std::string& what) const {
        throw std::logic_error(std::string(name_) + ": " + what + " is not described");
    }

    Fields& fields_;
    const size_t first_; // of this control
    const char* codec_;
    const char* name_;
    uint32_t id_;
    size_t end_ = 0; // of what was described
};

// What the macros need around them: `control`, `base` (offset of the struct), `prefix` (of its members' names), `S`.
#define VALUE(member) control.value<decltype(S::member)>(prefix + #member, base + offsetof(S, member))
#define RESERVED(member) control.reserved<decltype(S::member)>(prefix + #member, base + offsetof(S, member))
#define FLAGS(member, ...)                                                                                             \
    control.flags<decltype(S::member)>(prefix + #member, base + offsetof(S, member), {__VA_ARGS__})
#define PART(member, describe) describe(control, base + offsetof(S, member), prefix + #member + '.')

void mpeg2(Fields& fields) {
    const std::string prefix;
    const size_t base = 0;
    {
        using S = v4l2_ctrl_mpeg2_sequence;
        Control control(fields, "mpeg2", "MPEG2_SEQUENCE", V4L2_CID_STATELESS_MPEG2_SEQUENCE);
        VALUE(horizontal_size);
        VALUE(vertical_size);
        VALUE(vbv_buffer_size);
        VALUE(profile_and_level_indication);
        VALUE(chroma_format);
        FLAGS(flags, {"PROGRESSIVE", V4L2_MPEG2_SEQ_FLAG_PROGRESSIVE});
        control.finish(sizeof(S));
    }
    {
        using S = v4l2_ctrl_mpeg2_picture;
        Control control(fields, "mpeg2", "MPEG2_PICTURE", V4L2_CID_STATELESS_MPEG2_PICTURE);
        VALUE(backward_ref_ts);
        VALUE(forward_ref_ts);
        FLAGS(flags, {"TOP_FIELD_FIRST", V4L2_MPEG2_PIC_FLAG_TOP_FIELD_FIRST},
              {"FRAME_PRED_DCT", V4L2_MPEG2_PIC_FLAG_FRAME_PRED_DCT},
              {"CONCEALMENT_MV", V4L2_MPEG2_PIC_FLAG_CONCEALMENT_MV},
              {"Q_SCALE_TYPE", V4L2_MPEG2_PIC_FLAG_Q_SCALE_TYPE}, {"INTRA_VLC", V4L2_MPEG2_PIC_FLAG_INTRA_VLC},
              {"ALT_SCAN", V4L2_MPEG2_PIC_FLAG_ALT_SCAN}, {"REPEAT_FIRST", V4L2_MPEG2_PIC_FLAG_REPEAT_FIRST},
              {"PROGRESSIVE", V4L2_MPEG2_PIC_FLAG_PROGRESSIVE});
        VALUE(f_code);
        VALUE(picture_coding_type);
        VALUE(picture_structure);
        VALUE(intra_dc_precision);
        RESERVED(reserved);
        control.finish(sizeof(S));
    }
    {
        using S = v4l2_ctrl_mpeg2_quantisation;
        Control control(fields, "mpeg2", "MPEG2_QUANTISATION", V4L2_CID_STATELESS_MPEG2_QUANTISATION);
        VALUE(intra_quantiser_matrix);
        VALUE(non_intra_quantiser_matrix);
        VALUE(chroma_intra_quantiser_matrix);
        VALUE(chroma_non_intra_quantiser_matrix);
        control.finish(sizeof(S));
    }
}

void menu(Fields& fields, const char* codec, const char* name, uint32_t id) {
    Control control(fields, codec, name, id);
    control.value<int32_t>("", 0);
    control.finish(sizeof(int32_t));
}

void h264References(Control& control, size_t base, const std::string& name) {
    using S = v4l2_h264_reference;
    const std::string prefix = name + "[0].";
    control.repeat(V4L2_H264_REF_LIST_LEN, sizeof(S), [&] {
        VALUE(fields);
        VALUE(index);
    });
}

void h264DpbEntry(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_h264_dpb_entry;
    VALUE(reference_ts);
    VALUE(pic_num);
    VALUE(frame_num);
    VALUE(fields);
    RESERVED(reserved);
    VALUE(top_field_order_cnt);
    VALUE(bottom_field_order_cnt);
    FLAGS(flags, {"VALID", V4L2_H264_DPB_ENTRY_FLAG_VALID}, {"ACTIVE", V4L2_H264_DPB_ENTRY_FLAG_ACTIVE},
          {"LONG_TERM", V4L2_H264_DPB_ENTRY_FLAG_LONG_TERM}, {"FIELD", V4L2_H264_DPB_ENTRY_FLAG_FIELD});
}

void h264WeightFactors(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_h264_weight_factors;
    VALUE(luma_weight);
    VALUE(luma_offset);
    // [32][2]: the chroma weights of the first pictures of a list, not a line for each picture.
    control.value<int16_t[64]>(prefix + "chroma_weight", base + offsetof(S, chroma_weight));
    control.value<int16_t[64]>(prefix + "chroma_offset", base + offsetof(S, chroma_offset));
}

void h264ParameterSets(Fields& fields) {
    const std::string prefix;
    const size_t base = 0;
    {
        using S = v4l2_ctrl_h264_sps;
        Control control(fields, "h264", "H264_SPS", V4L2_CID_STATELESS_H264_SPS);
        VALUE(profile_idc);
        FLAGS(constraint_set_flags, {"SET0", V4L2_H264_SPS_CONSTRAINT_SET0_FLAG},
              {"SET1", V4L2_H264_SPS_CONSTRAINT_SET1_FLAG}, {"SET2", V4L2_H264_SPS_CONSTRAINT_SET2_FLAG},
              {"SET3", V4L2_H264_SPS_CONSTRAINT_SET3_FLAG}, {"SET4", V4L2_H264_SPS_CONSTRAINT_SET4_FLAG},
              {"SET5", V4L2_H264_SPS_CONSTRAINT_SET5_FLAG});
        VALUE(level_idc);
        VALUE(seq_parameter_set_id);
        VALUE(chroma_format_idc);
        VALUE(bit_depth_luma_minus8);
        VALUE(bit_depth_chroma_minus8);
        VALUE(log2_max_frame_num_minus4);
        VALUE(pic_order_cnt_type);
        VALUE(log2_max_pic_order_cnt_lsb_minus4);
        VALUE(max_num_ref_frames);
        VALUE(num_ref_frames_in_pic_order_cnt_cycle);
        VALUE(offset_for_ref_frame);
        VALUE(offset_for_non_ref_pic);
        VALUE(offset_for_top_to_bottom_field);
        VALUE(pic_width_in_mbs_minus1);
        VALUE(pic_height_in_map_units_minus1);
        FLAGS(flags, {"SEPARATE_COLOUR_PLANE", V4L2_H264_SPS_FLAG_SEPARATE_COLOUR_PLANE},
              {"QPPRIME_Y_ZERO_TRANSFORM_BYPASS", V4L2_H264_SPS_FLAG_QPPRIME_Y_ZERO_TRANSFORM_BYPASS},
              {"DELTA_PIC_ORDER_ALWAYS_ZERO", V4L2_H264_SPS_FLAG_DELTA_PIC_ORDER_ALWAYS_ZERO},
              {"GAPS_IN_FRAME_NUM_VALUE_ALLOWED", V4L2_H264_SPS_FLAG_GAPS_IN_FRAME_NUM_VALUE_ALLOWED},
              {"FRAME_MBS_ONLY", V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY},
              {"MB_ADAPTIVE_FRAME_FIELD", V4L2_H264_SPS_FLAG_MB_ADAPTIVE_FRAME_FIELD},
              {"DIRECT_8X8_INFERENCE", V4L2_H264_SPS_FLAG_DIRECT_8X8_INFERENCE});
        control.finish(sizeof(S));
    }
    {
        using S = v4l2_ctrl_h264_pps;
        Control control(fields, "h264", "H264_PPS", V4L2_CID_STATELESS_H264_PPS);
        VALUE(pic_parameter_set_id);
        VALUE(seq_parameter_set_id);
        VALUE(num_slice_groups_minus1);
        VALUE(num_ref_idx_l0_default_active_minus1);
        VALUE(num_ref_idx_l1_default_active_minus1);
        VALUE(weighted_bipred_idc);
        VALUE(pic_init_qp_minus26);
        VALUE(pic_init_qs_minus26);
        VALUE(chroma_qp_index_offset);
        VALUE(second_chroma_qp_index_offset);
        FLAGS(flags, {"ENTROPY_CODING_MODE", V4L2_H264_PPS_FLAG_ENTROPY_CODING_MODE},
              {"BOTTOM_FIELD_PIC_ORDER_IN_FRAME_PRESENT", V4L2_H264_PPS_FLAG_BOTTOM_FIELD_PIC_ORDER_IN_FRAME_PRESENT},
              {"WEIGHTED_PRED", V4L2_H264_PPS_FLAG_WEIGHTED_PRED},
              {"DEBLOCKING_FILTER_CONTROL_PRESENT", V4L2_H264_PPS_FLAG_DEBLOCKING_FILTER_CONTROL_PRESENT},
              {"CONSTRAINED_INTRA_PRED", V4L2_H264_PPS_FLAG_CONSTRAINED_INTRA_PRED},
              {"REDUNDANT_PIC_CNT_PRESENT", V4L2_H264_PPS_FLAG_REDUNDANT_PIC_CNT_PRESENT},
              {"TRANSFORM_8X8_MODE", V4L2_H264_PPS_FLAG_TRANSFORM_8X8_MODE},
              {"SCALING_MATRIX_PRESENT", V4L2_H264_PPS_FLAG_SCALING_MATRIX_PRESENT});
        control.finish(sizeof(S));
    }
    {
        using S = v4l2_ctrl_h264_scaling_matrix;
        Control control(fields, "h264", "H264_SCALING_MATRIX", V4L2_CID_STATELESS_H264_SCALING_MATRIX);
        VALUE(scaling_list_4x4);
        VALUE(scaling_list_8x8);
        control.finish(sizeof(S));
    }
}

void h264(Fields& fields) {
    const std::string prefix;
    const size_t base = 0;
    h264ParameterSets(fields);
    {
        using S = v4l2_ctrl_h264_decode_params;
        Control control(fields, "h264", "H264_DECODE_PARAMS", V4L2_CID_STATELESS_H264_DECODE_PARAMS);
        control.repeat(V4L2_H264_NUM_DPB_ENTRIES, sizeof(v4l2_h264_dpb_entry),
                       [&] { h264DpbEntry(control, 0, "dpb[0]."); });
        VALUE(nal_ref_idc);
        VALUE(frame_num);
        VALUE(top_field_order_cnt);
        VALUE(bottom_field_order_cnt);
        VALUE(idr_pic_id);
        VALUE(pic_order_cnt_lsb);
        VALUE(delta_pic_order_cnt_bottom);
        VALUE(delta_pic_order_cnt0);
        VALUE(delta_pic_order_cnt1);
        VALUE(dec_ref_pic_marking_bit_size);
        VALUE(pic_order_cnt_bit_size);
        VALUE(slice_group_change_cycle);
        RESERVED(reserved);
        FLAGS(flags, {"IDR_PIC", V4L2_H264_DECODE_PARAM_FLAG_IDR_PIC},
              {"FIELD_PIC", V4L2_H264_DECODE_PARAM_FLAG_FIELD_PIC},
              {"BOTTOM_FIELD", V4L2_H264_DECODE_PARAM_FLAG_BOTTOM_FIELD},
              {"PFRAME", V4L2_H264_DECODE_PARAM_FLAG_PFRAME}, {"BFRAME", V4L2_H264_DECODE_PARAM_FLAG_BFRAME});
        control.finish(sizeof(S));
    }
    {
        using S = v4l2_ctrl_h264_slice_params;
        Control control(fields, "h264", "H264_SLICE_PARAMS", V4L2_CID_STATELESS_H264_SLICE_PARAMS);
        VALUE(header_bit_size);
        VALUE(first_mb_in_slice);
        VALUE(slice_type);
        VALUE(colour_plane_id);
        VALUE(redundant_pic_cnt);
        VALUE(cabac_init_idc);
        VALUE(slice_qp_delta);
        VALUE(slice_qs_delta);
        VALUE(disable_deblocking_filter_idc);
        VALUE(slice_alpha_c0_offset_div2);
        VALUE(slice_beta_offset_div2);
        VALUE(num_ref_idx_l0_active_minus1);
        VALUE(num_ref_idx_l1_active_minus1);
        RESERVED(reserved);
        h264References(control, offsetof(S, ref_pic_list0), "ref_pic_list0");
        h264References(control, offsetof(S, ref_pic_list1), "ref_pic_list1");
        FLAGS(flags, {"DIRECT_SPATIAL_MV_PRED", V4L2_H264_SLICE_FLAG_DIRECT_SPATIAL_MV_PRED},
              {"SP_FOR_SWITCH", V4L2_H264_SLICE_FLAG_SP_FOR_SWITCH});
        control.finish(sizeof(S));
    }
    {
        using S = v4l2_ctrl_h264_pred_weights;
        Control control(fields, "h264", "H264_PRED_WEIGHTS", V4L2_CID_STATELESS_H264_PRED_WEIGHTS);
        VALUE(luma_log2_weight_denom);
        VALUE(chroma_log2_weight_denom);
        PART(weight_factors[0], h264WeightFactors);
        PART(weight_factors[1], h264WeightFactors);
        control.finish(sizeof(S));
    }
    menu(fields, "h264", "H264_DECODE_MODE", V4L2_CID_STATELESS_H264_DECODE_MODE);
    menu(fields, "h264", "H264_START_CODE", V4L2_CID_STATELESS_H264_START_CODE);
}

#ifdef HAVE_UAPI_HEVC

void hevcParameterSets(Fields& fields) {
    const std::string prefix;
    const size_t base = 0;
    {
        using S = v4l2_ctrl_hevc_sps;
        Control control(fields, "hevc", "HEVC_SPS", V4L2_CID_STATELESS_HEVC_SPS);
        VALUE(video_parameter_set_id);
        VALUE(seq_parameter_set_id);
        VALUE(pic_width_in_luma_samples);
        VALUE(pic_height_in_luma_samples);
        VALUE(bit_depth_luma_minus8);
        VALUE(bit_depth_chroma_minus8);
        VALUE(log2_max_pic_order_cnt_lsb_minus4);
        VALUE(sps_max_dec_pic_buffering_minus1);
        VALUE(sps_max_num_reorder_pics);
        VALUE(sps_max_latency_increase_plus1);
        VALUE(log2_min_luma_coding_block_size_minus3);
        VALUE(log2_diff_max_min_luma_coding_block_size);
        VALUE(log2_min_luma_transform_block_size_minus2);
        VALUE(log2_diff_max_min_luma_transform_block_size);
        VALUE(max_transform_hierarchy_depth_inter);
        VALUE(max_transform_hierarchy_depth_intra);
        VALUE(pcm_sample_bit_depth_luma_minus1);
        VALUE(pcm_sample_bit_depth_chroma_minus1);
        VALUE(log2_min_pcm_luma_coding_block_size_minus3);
        VALUE(log2_diff_max_min_pcm_luma_coding_block_size);
        VALUE(num_short_term_ref_pic_sets);
        VALUE(num_long_term_ref_pics_sps);
        VALUE(chroma_format_idc);
        VALUE(sps_max_sub_layers_minus1);
        RESERVED(reserved);
        FLAGS(flags, {"SEPARATE_COLOUR_PLANE", V4L2_HEVC_SPS_FLAG_SEPARATE_COLOUR_PLANE},
              {"SCALING_LIST_ENABLED", V4L2_HEVC_SPS_FLAG_SCALING_LIST_ENABLED},
              {"AMP_ENABLED", V4L2_HEVC_SPS_FLAG_AMP_ENABLED},
              {"SAMPLE_ADAPTIVE_OFFSET", V4L2_HEVC_SPS_FLAG_SAMPLE_ADAPTIVE_OFFSET},
              {"PCM_ENABLED", V4L2_HEVC_SPS_FLAG_PCM_ENABLED},
              {"PCM_LOOP_FILTER_DISABLED", V4L2_HEVC_SPS_FLAG_PCM_LOOP_FILTER_DISABLED},
              {"LONG_TERM_REF_PICS_PRESENT", V4L2_HEVC_SPS_FLAG_LONG_TERM_REF_PICS_PRESENT},
              {"SPS_TEMPORAL_MVP_ENABLED", V4L2_HEVC_SPS_FLAG_SPS_TEMPORAL_MVP_ENABLED},
              {"STRONG_INTRA_SMOOTHING_ENABLED", V4L2_HEVC_SPS_FLAG_STRONG_INTRA_SMOOTHING_ENABLED});
        control.finish(sizeof(S));
    }
    {
        using S = v4l2_ctrl_hevc_pps;
        Control control(fields, "hevc", "HEVC_PPS", V4L2_CID_STATELESS_HEVC_PPS);
        VALUE(pic_parameter_set_id);
        VALUE(num_extra_slice_header_bits);
        VALUE(num_ref_idx_l0_default_active_minus1);
        VALUE(num_ref_idx_l1_default_active_minus1);
        VALUE(init_qp_minus26);
        VALUE(diff_cu_qp_delta_depth);
        VALUE(pps_cb_qp_offset);
        VALUE(pps_cr_qp_offset);
        VALUE(num_tile_columns_minus1);
        VALUE(num_tile_rows_minus1);
        VALUE(column_width_minus1);
        VALUE(row_height_minus1);
        VALUE(pps_beta_offset_div2);
        VALUE(pps_tc_offset_div2);
        VALUE(log2_parallel_merge_level_minus2);
        RESERVED(reserved);
        FLAGS(flags, {"DEPENDENT_SLICE_SEGMENT_ENABLED", V4L2_HEVC_PPS_FLAG_DEPENDENT_SLICE_SEGMENT_ENABLED},
              {"OUTPUT_FLAG_PRESENT", V4L2_HEVC_PPS_FLAG_OUTPUT_FLAG_PRESENT},
              {"SIGN_DATA_HIDING_ENABLED", V4L2_HEVC_PPS_FLAG_SIGN_DATA_HIDING_ENABLED},
              {"CABAC_INIT_PRESENT", V4L2_HEVC_PPS_FLAG_CABAC_INIT_PRESENT},
              {"CONSTRAINED_INTRA_PRED", V4L2_HEVC_PPS_FLAG_CONSTRAINED_INTRA_PRED},
              {"TRANSFORM_SKIP_ENABLED", V4L2_HEVC_PPS_FLAG_TRANSFORM_SKIP_ENABLED},
              {"CU_QP_DELTA_ENABLED", V4L2_HEVC_PPS_FLAG_CU_QP_DELTA_ENABLED},
              {"PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT", V4L2_HEVC_PPS_FLAG_PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT},
              {"WEIGHTED_PRED", V4L2_HEVC_PPS_FLAG_WEIGHTED_PRED},
              {"WEIGHTED_BIPRED", V4L2_HEVC_PPS_FLAG_WEIGHTED_BIPRED},
              {"TRANSQUANT_BYPASS_ENABLED", V4L2_HEVC_PPS_FLAG_TRANSQUANT_BYPASS_ENABLED},
              {"TILES_ENABLED", V4L2_HEVC_PPS_FLAG_TILES_ENABLED},
              {"ENTROPY_CODING_SYNC_ENABLED", V4L2_HEVC_PPS_FLAG_ENTROPY_CODING_SYNC_ENABLED},
              {"LOOP_FILTER_ACROSS_TILES_ENABLED", V4L2_HEVC_PPS_FLAG_LOOP_FILTER_ACROSS_TILES_ENABLED},
              {"PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED", V4L2_HEVC_PPS_FLAG_PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED},
              {"DEBLOCKING_FILTER_OVERRIDE_ENABLED", V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_OVERRIDE_ENABLED},
              {"PPS_DISABLE_DEBLOCKING_FILTER", V4L2_HEVC_PPS_FLAG_PPS_DISABLE_DEBLOCKING_FILTER},
              {"LISTS_MODIFICATION_PRESENT", V4L2_HEVC_PPS_FLAG_LISTS_MODIFICATION_PRESENT},
              {"SLICE_SEGMENT_HEADER_EXTENSION_PRESENT", V4L2_HEVC_PPS_FLAG_SLICE_SEGMENT_HEADER_EXTENSION_PRESENT},
              {"DEBLOCKING_FILTER_CONTROL_PRESENT", V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_CONTROL_PRESENT},
              {"UNIFORM_SPACING", V4L2_HEVC_PPS_FLAG_UNIFORM_SPACING});
        control.finish(sizeof(S));
    }
    {
        using S = v4l2_ctrl_hevc_scaling_matrix;
        Control control(fields, "hevc", "HEVC_SCALING_MATRIX", V4L2_CID_STATELESS_HEVC_SCALING_MATRIX);
        VALUE(scaling_list_4x4);
        VALUE(scaling_list_8x8);
        VALUE(scaling_list_16x16);
        VALUE(scaling_list_32x32);
        VALUE(scaling_list_dc_coef_16x16);
        VALUE(scaling_list_dc_coef_32x32);
        control.finish(sizeof(S));
    }
}

void hevcDpbEntry(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_hevc_dpb_entry;
    VALUE(timestamp);
    FLAGS(flags, {"LONG_TERM_REFERENCE", V4L2_HEVC_DPB_ENTRY_LONG_TERM_REFERENCE});
    VALUE(field_pic);
    RESERVED(reserved);
    VALUE(pic_order_cnt_val);
}

void hevcWeights(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_hevc_pred_weight_table;
    // [16][2]: as in H.264
    const auto chroma = [&](const char* name, size_t offset) {
        control.value<int8_t[32]>(prefix + name, base + offset);
    };
    VALUE(delta_luma_weight_l0);
    VALUE(luma_offset_l0);
    chroma("delta_chroma_weight_l0", offsetof(S, delta_chroma_weight_l0));
    chroma("chroma_offset_l0", offsetof(S, chroma_offset_l0));
    VALUE(delta_luma_weight_l1);
    VALUE(luma_offset_l1);
    chroma("delta_chroma_weight_l1", offsetof(S, delta_chroma_weight_l1));
    chroma("chroma_offset_l1", offsetof(S, chroma_offset_l1));
    VALUE(luma_log2_weight_denom);
    VALUE(delta_chroma_log2_weight_denom);
}

void hevc(Fields& fields) {
    const std::string prefix;
    const size_t base = 0;
    hevcParameterSets(fields);
    {
        using S = v4l2_ctrl_hevc_decode_params;
        Control control(fields, "hevc", "HEVC_DECODE_PARAMS", V4L2_CID_STATELESS_HEVC_DECODE_PARAMS);
        VALUE(pic_order_cnt_val);
        VALUE(short_term_ref_pic_set_size);
        VALUE(long_term_ref_pic_set_size);
        VALUE(num_active_dpb_entries);
        VALUE(num_poc_st_curr_before);
        VALUE(num_poc_st_curr_after);
        VALUE(num_poc_lt_curr);
        VALUE(poc_st_curr_before);
        VALUE(poc_st_curr_after);
        VALUE(poc_lt_curr);
        // Older headers have it as the first byte of the padding.
        constexpr size_t behind = offsetof(S, poc_lt_curr) + sizeof(S::poc_lt_curr);
        control.value<uint8_t>("num_delta_pocs_of_ref_rps_idx", behind);
        control.reserved<uint8_t[3]>("reserved", behind + 1);
        control.repeat(V4L2_HEVC_DPB_ENTRIES_NUM_MAX, sizeof(v4l2_hevc_dpb_entry), [&] { PART(dpb[0], hevcDpbEntry); });
        FLAGS(flags, {"IRAP_PIC", V4L2_HEVC_DECODE_PARAM_FLAG_IRAP_PIC},
              {"IDR_PIC", V4L2_HEVC_DECODE_PARAM_FLAG_IDR_PIC},
              {"NO_OUTPUT_OF_PRIOR", V4L2_HEVC_DECODE_PARAM_FLAG_NO_OUTPUT_OF_PRIOR});
        control.finish(sizeof(S));
    }
    {
        // An array; the lines are of its first slice segment.
        using S = v4l2_ctrl_hevc_slice_params;
        Control control(fields, "hevc", "HEVC_SLICE_PARAMS", V4L2_CID_STATELESS_HEVC_SLICE_PARAMS);
        VALUE(bit_size);
        VALUE(data_byte_offset);
        VALUE(num_entry_point_offsets);
        VALUE(nal_unit_type);
        VALUE(nuh_temporal_id_plus1);
        VALUE(slice_type);
        VALUE(colour_plane_id);
        VALUE(slice_pic_order_cnt);
        VALUE(num_ref_idx_l0_active_minus1);
        VALUE(num_ref_idx_l1_active_minus1);
        VALUE(collocated_ref_idx);
        VALUE(five_minus_max_num_merge_cand);
        VALUE(slice_qp_delta);
        VALUE(slice_cb_qp_offset);
        VALUE(slice_cr_qp_offset);
        VALUE(slice_act_y_qp_offset);
        VALUE(slice_act_cb_qp_offset);
        VALUE(slice_act_cr_qp_offset);
        VALUE(slice_beta_offset_div2);
        VALUE(slice_tc_offset_div2);
        VALUE(pic_struct);
        RESERVED(reserved0);
        VALUE(slice_segment_addr);
        VALUE(ref_idx_l0);
        VALUE(ref_idx_l1);
        VALUE(short_term_ref_pic_set_size);
        VALUE(long_term_ref_pic_set_size);
        PART(pred_weight_table, hevcWeights);
        RESERVED(reserved1);
        FLAGS(flags, {"SLICE_SAO_LUMA", V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_SAO_LUMA},
              {"SLICE_SAO_CHROMA", V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_SAO_CHROMA},
              {"SLICE_TEMPORAL_MVP_ENABLED", V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_TEMPORAL_MVP_ENABLED},
              {"MVD_L1_ZERO", V4L2_HEVC_SLICE_PARAMS_FLAG_MVD_L1_ZERO},
              {"CABAC_INIT", V4L2_HEVC_SLICE_PARAMS_FLAG_CABAC_INIT},
              {"COLLOCATED_FROM_L0", V4L2_HEVC_SLICE_PARAMS_FLAG_COLLOCATED_FROM_L0},
              {"USE_INTEGER_MV", V4L2_HEVC_SLICE_PARAMS_FLAG_USE_INTEGER_MV},
              {"SLICE_DEBLOCKING_FILTER_DISABLED", V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_DEBLOCKING_FILTER_DISABLED},
              {"SLICE_LOOP_FILTER_ACROSS_SLICES_ENABLED",
               V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_LOOP_FILTER_ACROSS_SLICES_ENABLED},
              {"DEPENDENT_SLICE_SEGMENT", V4L2_HEVC_SLICE_PARAMS_FLAG_DEPENDENT_SLICE_SEGMENT});
        control.finish(sizeof(S));
    }
    {
        // An array of any length.
        Control control(fields, "hevc", "HEVC_ENTRY_POINT_OFFSETS", V4L2_CID_STATELESS_HEVC_ENTRY_POINT_OFFSETS);
        control.value<uint32_t>("", 0);
        control.finish(sizeof(uint32_t));
    }
    menu(fields, "hevc", "HEVC_DECODE_MODE", V4L2_CID_STATELESS_HEVC_DECODE_MODE);
    menu(fields, "hevc", "HEVC_START_CODE", V4L2_CID_STATELESS_HEVC_START_CODE);
}

#endif // HAVE_UAPI_HEVC

void vp8Segment(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_vp8_segment;
    VALUE(quant_update);
    VALUE(lf_update);
    VALUE(segment_probs);
    RESERVED(padding);
    FLAGS(flags, {"ENABLED", V4L2_VP8_SEGMENT_FLAG_ENABLED}, {"UPDATE_MAP", V4L2_VP8_SEGMENT_FLAG_UPDATE_MAP},
          {"UPDATE_FEATURE_DATA", V4L2_VP8_SEGMENT_FLAG_UPDATE_FEATURE_DATA},
          {"DELTA_VALUE_MODE", V4L2_VP8_SEGMENT_FLAG_DELTA_VALUE_MODE});
}

void vp8LoopFilter(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_vp8_loop_filter;
    VALUE(ref_frm_delta);
    VALUE(mb_mode_delta);
    VALUE(sharpness_level);
    VALUE(level);
    RESERVED(padding);
    FLAGS(flags, {"ADJ_ENABLE", V4L2_VP8_LF_ADJ_ENABLE}, {"DELTA_UPDATE", V4L2_VP8_LF_DELTA_UPDATE},
          {"FILTER_TYPE_SIMPLE", V4L2_VP8_LF_FILTER_TYPE_SIMPLE});
}

void vp8Quantization(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_vp8_quantization;
    VALUE(y_ac_qi);
    VALUE(y_dc_delta);
    VALUE(y2_dc_delta);
    VALUE(y2_ac_delta);
    VALUE(uv_dc_delta);
    VALUE(uv_ac_delta);
    RESERVED(padding);
}

void vp8Entropy(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_vp8_entropy;
    // A line for each type of block.
    constexpr size_t ofType = sizeof(S::coeff_probs[0]);
    for (size_t type = 0; type < std::extent_v<decltype(S::coeff_probs)>; ++type)
        control.value<uint8_t[ofType]>(prefix + "coeff_probs[" + std::to_string(type) + ']',
                                       base + offsetof(S, coeff_probs) + type * ofType);
    VALUE(y_mode_probs);
    VALUE(uv_mode_probs);
    VALUE(mv_probs);
    RESERVED(padding);
}

void vp8CoderState(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_vp8_entropy_coder_state;
    VALUE(range);
    VALUE(value);
    VALUE(bit_count);
    RESERVED(padding);
}

void vp8(Fields& fields) {
    const std::string prefix;
    const size_t base = 0;
    using S = v4l2_ctrl_vp8_frame;
    Control control(fields, "vp8", "VP8_FRAME", V4L2_CID_STATELESS_VP8_FRAME);
    PART(segment, vp8Segment);
    PART(lf, vp8LoopFilter);
    PART(quant, vp8Quantization);
    PART(entropy, vp8Entropy);
    PART(coder_state, vp8CoderState);
    VALUE(width);
    VALUE(height);
    VALUE(horizontal_scale);
    VALUE(vertical_scale);
    VALUE(version);
    VALUE(prob_skip_false);
    VALUE(prob_intra);
    VALUE(prob_last);
    VALUE(prob_gf);
    VALUE(num_dct_parts);
    VALUE(first_part_size);
    VALUE(first_part_header_bits);
    VALUE(dct_part_sizes);
    VALUE(last_frame_ts);
    VALUE(golden_frame_ts);
    VALUE(alt_frame_ts);
    FLAGS(flags, {"KEY_FRAME", V4L2_VP8_FRAME_FLAG_KEY_FRAME}, {"EXPERIMENTAL", V4L2_VP8_FRAME_FLAG_EXPERIMENTAL},
          {"SHOW_FRAME", V4L2_VP8_FRAME_FLAG_SHOW_FRAME}, {"MB_NO_SKIP_COEFF", V4L2_VP8_FRAME_FLAG_MB_NO_SKIP_COEFF},
          {"SIGN_BIAS_GOLDEN", V4L2_VP8_FRAME_FLAG_SIGN_BIAS_GOLDEN},
          {"SIGN_BIAS_ALT", V4L2_VP8_FRAME_FLAG_SIGN_BIAS_ALT});
    control.finish(sizeof(S));
}

#ifdef HAVE_UAPI_VP9

// An array of any rank in one line: probabilities that one procedure reads and one check compares.
#define PROBABILITIES(member) control.value<uint8_t[sizeof(S::member)]>(prefix + #member, base + offsetof(S, member))

void vp9LoopFilter(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_vp9_loop_filter;
    VALUE(ref_deltas);
    VALUE(mode_deltas);
    VALUE(level);
    VALUE(sharpness);
    FLAGS(flags, {"DELTA_ENABLED", V4L2_VP9_LOOP_FILTER_FLAG_DELTA_ENABLED},
          {"DELTA_UPDATE", V4L2_VP9_LOOP_FILTER_FLAG_DELTA_UPDATE});
    RESERVED(reserved);
}

void vp9Quantization(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_vp9_quantization;
    VALUE(base_q_idx);
    VALUE(delta_q_y_dc);
    VALUE(delta_q_uv_dc);
    VALUE(delta_q_uv_ac);
    RESERVED(reserved);
}

void vp9Segmentation(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_vp9_segmentation;
    VALUE(feature_data);
    VALUE(feature_enabled);
    VALUE(tree_probs);
    VALUE(pred_probs);
    FLAGS(flags, {"ENABLED", V4L2_VP9_SEGMENTATION_FLAG_ENABLED}, {"UPDATE_MAP", V4L2_VP9_SEGMENTATION_FLAG_UPDATE_MAP},
          {"TEMPORAL_UPDATE", V4L2_VP9_SEGMENTATION_FLAG_TEMPORAL_UPDATE},
          {"UPDATE_DATA", V4L2_VP9_SEGMENTATION_FLAG_UPDATE_DATA},
          {"ABS_OR_DELTA_UPDATE", V4L2_VP9_SEGMENTATION_FLAG_ABS_OR_DELTA_UPDATE});
    RESERVED(reserved);
}

void vp9MotionProbabilities(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_vp9_mv_probs;
    PROBABILITIES(joint);
    PROBABILITIES(sign);
    PROBABILITIES(classes);
    PROBABILITIES(class0_bit);
    PROBABILITIES(bits);
    PROBABILITIES(class0_fr);
    PROBABILITIES(fr);
    PROBABILITIES(class0_hp);
    PROBABILITIES(hp);
}

void vp9(Fields& fields) {
    const std::string prefix;
    const size_t base = 0;
    {
        using S = v4l2_ctrl_vp9_frame;
        Control control(fields, "vp9", "VP9_FRAME", V4L2_CID_STATELESS_VP9_FRAME);
        PART(lf, vp9LoopFilter);
        PART(quant, vp9Quantization);
        PART(seg, vp9Segmentation);
        FLAGS(flags, {"KEY_FRAME", V4L2_VP9_FRAME_FLAG_KEY_FRAME}, {"SHOW_FRAME", V4L2_VP9_FRAME_FLAG_SHOW_FRAME},
              {"ERROR_RESILIENT", V4L2_VP9_FRAME_FLAG_ERROR_RESILIENT}, {"INTRA_ONLY", V4L2_VP9_FRAME_FLAG_INTRA_ONLY},
              {"ALLOW_HIGH_PREC_MV", V4L2_VP9_FRAME_FLAG_ALLOW_HIGH_PREC_MV},
              {"REFRESH_FRAME_CTX", V4L2_VP9_FRAME_FLAG_REFRESH_FRAME_CTX},
              {"PARALLEL_DEC_MODE", V4L2_VP9_FRAME_FLAG_PARALLEL_DEC_MODE},
              {"X_SUBSAMPLING", V4L2_VP9_FRAME_FLAG_X_SUBSAMPLING},
              {"Y_SUBSAMPLING", V4L2_VP9_FRAME_FLAG_Y_SUBSAMPLING},
              {"COLOR_RANGE_FULL_SWING", V4L2_VP9_FRAME_FLAG_COLOR_RANGE_FULL_SWING});
        VALUE(compressed_header_size);
        VALUE(uncompressed_header_size);
        VALUE(frame_width_minus_1);
        VALUE(frame_height_minus_1);
        VALUE(render_width_minus_1);
        VALUE(render_height_minus_1);
        VALUE(last_frame_ts);
        VALUE(golden_frame_ts);
        VALUE(alt_frame_ts);
        FLAGS(ref_frame_sign_bias, {"LAST", V4L2_VP9_SIGN_BIAS_LAST}, {"GOLDEN", V4L2_VP9_SIGN_BIAS_GOLDEN},
              {"ALT", V4L2_VP9_SIGN_BIAS_ALT});
        VALUE(reset_frame_context);
        VALUE(frame_context_idx);
        VALUE(profile);
        VALUE(bit_depth);
        VALUE(interpolation_filter);
        VALUE(tile_cols_log2);
        VALUE(tile_rows_log2);
        VALUE(reference_mode);
        RESERVED(reserved);
        control.finish(sizeof(S));
    }
    {
        using S = v4l2_ctrl_vp9_compressed_hdr;
        Control control(fields, "vp9", "VP9_COMPRESSED_HDR", V4L2_CID_STATELESS_VP9_COMPRESSED_HDR);
        VALUE(tx_mode);
        PROBABILITIES(tx8);
        PROBABILITIES(tx16);
        PROBABILITIES(tx32);
        // A line for each size of transform.
        PROBABILITIES(coef[0]);
        PROBABILITIES(coef[1]);
        PROBABILITIES(coef[2]);
        PROBABILITIES(coef[3]);
        PROBABILITIES(skip);
        PROBABILITIES(inter_mode);
        PROBABILITIES(interp_filter);
        PROBABILITIES(is_inter);
        PROBABILITIES(comp_mode);
        PROBABILITIES(single_ref);
        PROBABILITIES(comp_ref);
        PROBABILITIES(y_mode);
        PROBABILITIES(uv_mode);
        PROBABILITIES(partition);
        PART(mv, vp9MotionProbabilities);
        control.finish(sizeof(S));
    }
}

#endif // HAVE_UAPI_VP9

void av1TileInfo(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_av1_tile_info;
    FLAGS(flags, {"UNIFORM_TILE_SPACING", V4L2_AV1_TILE_INFO_FLAG_UNIFORM_TILE_SPACING});
    VALUE(context_update_tile_id);
    VALUE(tile_cols);
    VALUE(tile_rows);
    VALUE(mi_col_starts);
    VALUE(mi_row_starts);
    VALUE(width_in_sbs_minus_1);
    VALUE(height_in_sbs_minus_1);
    VALUE(tile_size_bytes);
    RESERVED(reserved);
}

void av1Quantization(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_av1_quantization;
    FLAGS(flags, {"DIFF_UV_DELTA", V4L2_AV1_QUANTIZATION_FLAG_DIFF_UV_DELTA},
          {"USING_QMATRIX", V4L2_AV1_QUANTIZATION_FLAG_USING_QMATRIX},
          {"DELTA_Q_PRESENT", V4L2_AV1_QUANTIZATION_FLAG_DELTA_Q_PRESENT});
    VALUE(base_q_idx);
    VALUE(delta_q_y_dc);
    VALUE(delta_q_u_dc);
    VALUE(delta_q_u_ac);
    VALUE(delta_q_v_dc);
    VALUE(delta_q_v_ac);
    VALUE(qm_y);
    VALUE(qm_u);
    VALUE(qm_v);
    VALUE(delta_q_res);
}

void av1Segmentation(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_av1_segmentation;
    FLAGS(flags, {"ENABLED", V4L2_AV1_SEGMENTATION_FLAG_ENABLED}, {"UPDATE_MAP", V4L2_AV1_SEGMENTATION_FLAG_UPDATE_MAP},
          {"TEMPORAL_UPDATE", V4L2_AV1_SEGMENTATION_FLAG_TEMPORAL_UPDATE},
          {"UPDATE_DATA", V4L2_AV1_SEGMENTATION_FLAG_UPDATE_DATA},
          {"SEG_ID_PRE_SKIP", V4L2_AV1_SEGMENTATION_FLAG_SEG_ID_PRE_SKIP});
    VALUE(last_active_seg_id);
    VALUE(feature_enabled);
    // One line: the segments do not differ in what they are for.
    control.value<int16_t[sizeof(S::feature_data) / 2]>(prefix + "feature_data", base + offsetof(S, feature_data));
}

void av1LoopFilter(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_av1_loop_filter;
    FLAGS(flags, {"DELTA_ENABLED", V4L2_AV1_LOOP_FILTER_FLAG_DELTA_ENABLED},
          {"DELTA_UPDATE", V4L2_AV1_LOOP_FILTER_FLAG_DELTA_UPDATE},
          {"DELTA_LF_PRESENT", V4L2_AV1_LOOP_FILTER_FLAG_DELTA_LF_PRESENT},
          {"DELTA_LF_MULTI", V4L2_AV1_LOOP_FILTER_FLAG_DELTA_LF_MULTI});
    VALUE(level);
    VALUE(sharpness);
    VALUE(ref_deltas);
    VALUE(mode_deltas);
    VALUE(delta_lf_res);
}

void av1Cdef(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_av1_cdef;
    VALUE(damping_minus_3);
    VALUE(bits);
    VALUE(y_pri_strength);
    VALUE(y_sec_strength);
    VALUE(uv_pri_strength);
    VALUE(uv_sec_strength);
}

// Enumerations are as wide as they are in the control.
#define ENUM(member) control.value<uint32_t>(prefix + #member, base + offsetof(S, member))
#define ENUMS(member) control.value<uint32_t[sizeof(S::member) / 4]>(prefix + #member, base + offsetof(S, member))

void av1Restoration(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_av1_loop_restoration;
    FLAGS(flags, {"USES_LR", V4L2_AV1_LOOP_RESTORATION_FLAG_USES_LR},
          {"USES_CHROMA_LR", V4L2_AV1_LOOP_RESTORATION_FLAG_USES_CHROMA_LR});
    VALUE(lr_unit_shift);
    VALUE(lr_uv_shift);
    RESERVED(reserved);
    ENUMS(frame_restoration_type);
    VALUE(loop_restoration_size);
}

void av1GlobalMotion(Control& control, size_t base, const std::string& prefix) {
    using S = v4l2_av1_global_motion;
    VALUE(flags);
    ENUMS(type);
    control.value<int32_t[sizeof(S::params) / 4]>(prefix + "params", base + offsetof(S, params));
    VALUE(invalid);
    RESERVED(reserved);
}

void av1Sequence(Fields& fields) {
    const std::string prefix;
    const size_t base = 0;
    using S = v4l2_ctrl_av1_sequence;
    Control control(fields, "av1", "AV1_SEQUENCE", V4L2_CID_STATELESS_AV1_SEQUENCE);
    FLAGS(flags, {"STILL_PICTURE", V4L2_AV1_SEQUENCE_FLAG_STILL_PICTURE},
          {"USE_128X128_SUPERBLOCK", V4L2_AV1_SEQUENCE_FLAG_USE_128X128_SUPERBLOCK},
          {"ENABLE_FILTER_INTRA", V4L2_AV1_SEQUENCE_FLAG_ENABLE_FILTER_INTRA},
          {"ENABLE_INTRA_EDGE_FILTER", V4L2_AV1_SEQUENCE_FLAG_ENABLE_INTRA_EDGE_FILTER},
          {"ENABLE_INTERINTRA_COMPOUND", V4L2_AV1_SEQUENCE_FLAG_ENABLE_INTERINTRA_COMPOUND},
          {"ENABLE_MASKED_COMPOUND", V4L2_AV1_SEQUENCE_FLAG_ENABLE_MASKED_COMPOUND},
          {"ENABLE_WARPED_MOTION", V4L2_AV1_SEQUENCE_FLAG_ENABLE_WARPED_MOTION},
          {"ENABLE_DUAL_FILTER", V4L2_AV1_SEQUENCE_FLAG_ENABLE_DUAL_FILTER},
          {"ENABLE_ORDER_HINT", V4L2_AV1_SEQUENCE_FLAG_ENABLE_ORDER_HINT},
          {"ENABLE_JNT_COMP", V4L2_AV1_SEQUENCE_FLAG_ENABLE_JNT_COMP},
          {"ENABLE_REF_FRAME_MVS", V4L2_AV1_SEQUENCE_FLAG_ENABLE_REF_FRAME_MVS},
          {"ENABLE_SUPERRES", V4L2_AV1_SEQUENCE_FLAG_ENABLE_SUPERRES},
          {"ENABLE_CDEF", V4L2_AV1_SEQUENCE_FLAG_ENABLE_CDEF},
          {"ENABLE_RESTORATION", V4L2_AV1_SEQUENCE_FLAG_ENABLE_RESTORATION},
          {"MONO_CHROME", V4L2_AV1_SEQUENCE_FLAG_MONO_CHROME}, {"COLOR_RANGE", V4L2_AV1_SEQUENCE_FLAG_COLOR_RANGE},
          {"SUBSAMPLING_X", V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_X},
          {"SUBSAMPLING_Y", V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_Y},
          {"FILM_GRAIN_PARAMS_PRESENT", V4L2_AV1_SEQUENCE_FLAG_FILM_GRAIN_PARAMS_PRESENT},
          {"SEPARATE_UV_DELTA_Q", V4L2_AV1_SEQUENCE_FLAG_SEPARATE_UV_DELTA_Q});
    VALUE(seq_profile);
    VALUE(order_hint_bits);
    VALUE(bit_depth);
    RESERVED(reserved);
    VALUE(max_frame_width_minus_1);
    VALUE(max_frame_height_minus_1);
    control.finish(sizeof(S));
}

void av1Frame(Fields& fields) {
    const std::string prefix;
    const size_t base = 0;
    using S = v4l2_ctrl_av1_frame;
    Control control(fields, "av1", "AV1_FRAME", V4L2_CID_STATELESS_AV1_FRAME);
    PART(tile_info, av1TileInfo);
    PART(quantization, av1Quantization);
    VALUE(superres_denom);
    PART(segmentation, av1Segmentation);
    PART(loop_filter, av1LoopFilter);
    PART(cdef, av1Cdef);
    VALUE(skip_mode_frame);
    VALUE(primary_ref_frame);
    PART(loop_restoration, av1Restoration);
    PART(global_motion, av1GlobalMotion);
    FLAGS(flags, {"SHOW_FRAME", V4L2_AV1_FRAME_FLAG_SHOW_FRAME}, {"SHOWABLE_FRAME", V4L2_AV1_FRAME_FLAG_SHOWABLE_FRAME},
          {"ERROR_RESILIENT_MODE", V4L2_AV1_FRAME_FLAG_ERROR_RESILIENT_MODE},
          {"DISABLE_CDF_UPDATE", V4L2_AV1_FRAME_FLAG_DISABLE_CDF_UPDATE},
          {"ALLOW_SCREEN_CONTENT_TOOLS", V4L2_AV1_FRAME_FLAG_ALLOW_SCREEN_CONTENT_TOOLS},
          {"FORCE_INTEGER_MV", V4L2_AV1_FRAME_FLAG_FORCE_INTEGER_MV},
          {"ALLOW_INTRABC", V4L2_AV1_FRAME_FLAG_ALLOW_INTRABC}, {"USE_SUPERRES", V4L2_AV1_FRAME_FLAG_USE_SUPERRES},
          {"ALLOW_HIGH_PRECISION_MV", V4L2_AV1_FRAME_FLAG_ALLOW_HIGH_PRECISION_MV},
          {"IS_MOTION_MODE_SWITCHABLE", V4L2_AV1_FRAME_FLAG_IS_MOTION_MODE_SWITCHABLE},
          {"USE_REF_FRAME_MVS", V4L2_AV1_FRAME_FLAG_USE_REF_FRAME_MVS},
          {"DISABLE_FRAME_END_UPDATE_CDF", V4L2_AV1_FRAME_FLAG_DISABLE_FRAME_END_UPDATE_CDF},
          {"ALLOW_WARPED_MOTION", V4L2_AV1_FRAME_FLAG_ALLOW_WARPED_MOTION},
          {"REFERENCE_SELECT", V4L2_AV1_FRAME_FLAG_REFERENCE_SELECT},
          {"REDUCED_TX_SET", V4L2_AV1_FRAME_FLAG_REDUCED_TX_SET},
          {"SKIP_MODE_ALLOWED", V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED},
          {"SKIP_MODE_PRESENT", V4L2_AV1_FRAME_FLAG_SKIP_MODE_PRESENT},
          {"FRAME_SIZE_OVERRIDE", V4L2_AV1_FRAME_FLAG_FRAME_SIZE_OVERRIDE},
          {"BUFFER_REMOVAL_TIME_PRESENT", V4L2_AV1_FRAME_FLAG_BUFFER_REMOVAL_TIME_PRESENT},
          {"FRAME_REFS_SHORT_SIGNALING", V4L2_AV1_FRAME_FLAG_FRAME_REFS_SHORT_SIGNALING});
    ENUM(frame_type);
    VALUE(order_hint);
    VALUE(upscaled_width);
    ENUM(interpolation_filter);
    ENUM(tx_mode);
    VALUE(frame_width_minus_1);
    VALUE(frame_height_minus_1);
    VALUE(render_width_minus_1);
    VALUE(render_height_minus_1);
    VALUE(current_frame_id);
    VALUE(buffer_removal_time);
    RESERVED(reserved);
    VALUE(order_hints);
    VALUE(reference_frame_ts);
    VALUE(ref_frame_idx);
    VALUE(refresh_frame_flags);
    control.finish(sizeof(S));
}

void av1TileGroupEntry(Fields& fields) {
    const std::string prefix;
    const size_t base = 0;
    using S = v4l2_ctrl_av1_tile_group_entry;
    Control control(fields, "av1", "AV1_TILE_GROUP_ENTRY", V4L2_CID_STATELESS_AV1_TILE_GROUP_ENTRY);
    VALUE(tile_offset);
    VALUE(tile_size);
    VALUE(tile_row);
    VALUE(tile_col);
    control.finish(sizeof(S));
}

void av1FilmGrain(Fields& fields) {
    const std::string prefix;
    const size_t base = 0;
    using S = v4l2_ctrl_av1_film_grain;
    Control control(fields, "av1", "AV1_FILM_GRAIN", V4L2_CID_STATELESS_AV1_FILM_GRAIN);
    FLAGS(flags, {"APPLY_GRAIN", V4L2_AV1_FILM_GRAIN_FLAG_APPLY_GRAIN},
          {"UPDATE_GRAIN", V4L2_AV1_FILM_GRAIN_FLAG_UPDATE_GRAIN},
          {"CHROMA_SCALING_FROM_LUMA", V4L2_AV1_FILM_GRAIN_FLAG_CHROMA_SCALING_FROM_LUMA},
          {"OVERLAP", V4L2_AV1_FILM_GRAIN_FLAG_OVERLAP},
          {"CLIP_TO_RESTRICTED_RANGE", V4L2_AV1_FILM_GRAIN_FLAG_CLIP_TO_RESTRICTED_RANGE});
    VALUE(cr_mult);
    VALUE(grain_seed);
    VALUE(film_grain_params_ref_idx);
    VALUE(num_y_points);
    VALUE(point_y_value);
    VALUE(point_y_scaling);
    VALUE(num_cb_points);
    VALUE(point_cb_value);
    VALUE(point_cb_scaling);
    VALUE(num_cr_points);
    VALUE(point_cr_value);
    VALUE(point_cr_scaling);
    VALUE(grain_scaling_minus_8);
    VALUE(ar_coeff_lag);
    VALUE(ar_coeffs_y_plus_128);
    VALUE(ar_coeffs_cb_plus_128);
    VALUE(ar_coeffs_cr_plus_128);
    VALUE(ar_coeff_shift_minus_6);
    VALUE(grain_scale_shift);
    VALUE(cb_mult);
    VALUE(cb_luma_mult);
    VALUE(cr_luma_mult);
    VALUE(cb_offset);
    VALUE(cr_offset);
    RESERVED(reserved);
    control.finish(sizeof(S));
}

#undef VALUE
#undef RESERVED
#undef FLAGS
#undef PART
#undef ENUM
#undef ENUMS
#undef PROBABILITIES

} // namespace

std::vector<ControlField> controlFields() {
    Fields fields;
    mpeg2(fields);
    h264(fields);
#ifdef HAVE_UAPI_HEVC
    hevc(fields);
#endif
    vp8(fields);
#ifdef HAVE_UAPI_VP9
    vp9(fields);
#endif
    av1Sequence(fields);
    av1Frame(fields);
    av1TileGroupEntry(fields);
    av1FilmGrain(fields);
    return fields;
}

} // namespace v4l2_request::record
