// SPDX-License-Identifier: MIT
//
// What makes the daemon an oracle: every control field, changed in flight, gives an error or other pixels. Fields for
// which that cannot be are listed with the reason.
#include <cstddef>

#include <gtest/gtest.h>

#include "daedalus_h264_client.h"

namespace daedalus::test {
namespace {

/// Decodes the first frames; the pictures or errors that come out, as one string to compare.
std::vector<std::string> outcome(const Stream& stream, Mode mode, size_t frames,
                                 const std::function<void(const StreamPicture&, Job&)>& tamper) {
    H264Client client(mode);
    client.tamper = tamper;
    std::vector<std::string> results;
    for (size_t i = 0; i < stream.pictures.size() && stream.pictures[i].frame < frames; ++i) {
        const StreamPicture& picture = stream.pictures[i];
        const bool more = i + 1 < stream.pictures.size() && stream.pictures[i + 1].frame == picture.frame;
        const auto done = client.decode(picture, more);
        if (!done) {
            results.push_back("error: " + done.error().message);
            break;
        }
        const auto pixels = client.pixels(picture.frame);
        if (!more)
            results.emplace_back(pixels.begin(), pixels.end());
    }
    return results;
}

template <typename T>
void change(Job& job, uint32_t id, const std::function<void(T&)>& edit) {
    for (Control& control : job.controls) {
        if (control.id != id)
            continue;
        T value;
        std::memcpy(&value, control.payload.data(), sizeof(T));
        edit(value);
        std::memcpy(control.payload.data(), &value, sizeof(T));
    }
}

struct Change {
    const char* field;
    const char* file; ///< a stream in which the field means something
    Mode mode;
    std::function<void(const StreamPicture&, Job&)> edit;
};

template <typename T>
std::function<void(const StreamPicture&, Job&)> editing(uint32_t id, void (*edit)(T&)) {
    return [=](const StreamPicture&, Job& job) { change<T>(job, id, edit); };
}

using h264::Pps;
using h264::ScalingMatrix;
using h264::Sps;
using Decode = v4l2_ctrl_h264_decode_params;
using SliceParams = v4l2_ctrl_h264_slice_params;
using Weights = v4l2_ctrl_h264_pred_weights;

auto sps(void (*edit)(Sps&)) {
    return editing<Sps>(V4L2_CID_STATELESS_H264_SPS, edit);
}
auto pps(void (*edit)(Pps&)) {
    return editing<Pps>(V4L2_CID_STATELESS_H264_PPS, edit);
}
auto matrix(void (*edit)(ScalingMatrix&)) {
    return editing<ScalingMatrix>(V4L2_CID_STATELESS_H264_SCALING_MATRIX, edit);
}
auto params(void (*edit)(Decode&)) {
    return editing<Decode>(V4L2_CID_STATELESS_H264_DECODE_PARAMS, edit);
}
auto slice(void (*edit)(SliceParams&)) {
    return editing<SliceParams>(V4L2_CID_STATELESS_H264_SLICE_PARAMS, edit);
}
auto weights(void (*edit)(Weights&)) {
    return editing<Weights>(V4L2_CID_STATELESS_H264_PRED_WEIGHTS, edit);
}

constexpr const char* bFrames = "bbb_avc_176x144_300kbps_60fps.h264"; // CABAC, weights, B pyramid, 8x8, MMCO
constexpr const char* cavlc = "cros_test-25fps.h264";                 // CAVLC, B, several slices
constexpr const char* scaled = "FRExt3_Panasonic.avc";                // scaling matrices, B
constexpr const char* longTerm = "MR2_MW_A.264";                      // long-term references
constexpr const char* orderType1 = "BAMQ1_JVC_C.264";                 // order count type 1
constexpr const char* interlaced = "HCAFF1_HHI.264";

const Change changes[] = {
    {"SPS.profile_idc", bFrames, Mode::FrameBased, sps([](Sps& s) { s.profile_idc = 66; s.constraint_set_flags = 7; })},
    {"SPS.chroma_format_idc", bFrames, Mode::FrameBased, sps([](Sps& s) { s.chroma_format_idc = 0; })},
    {"SPS.bit_depth_luma_minus8", bFrames, Mode::FrameBased, sps([](Sps& s) { s.bit_depth_luma_minus8 = 1; })},
    {"SPS.bit_depth_chroma_minus8", bFrames, Mode::FrameBased, sps([](Sps& s) { s.bit_depth_chroma_minus8 = 1; })},
    {"SPS.log2_max_frame_num_minus4", bFrames, Mode::FrameBased, sps([](Sps& s) { s.log2_max_frame_num_minus4 ^= 1; })},
    {"SPS.pic_order_cnt_type", bFrames, Mode::FrameBased, sps([](Sps& s) { s.pic_order_cnt_type = 2; })},
    {"SPS.log2_max_pic_order_cnt_lsb_minus4", bFrames, Mode::FrameBased,
     sps([](Sps& s) { s.log2_max_pic_order_cnt_lsb_minus4 ^= 1; })},
    {"SPS.max_num_ref_frames (too few)", bFrames, Mode::FrameBased, sps([](Sps& s) { s.max_num_ref_frames = 1; })},
    {"SPS.pic_width_in_mbs_minus1", bFrames, Mode::FrameBased, sps([](Sps& s) { ++s.pic_width_in_mbs_minus1; })},
    {"SPS.pic_height_in_map_units_minus1", bFrames, Mode::FrameBased,
     sps([](Sps& s) { ++s.pic_height_in_map_units_minus1; })},
    {"SPS.seq_parameter_set_id", bFrames, Mode::FrameBased, sps([](Sps& s) { ++s.seq_parameter_set_id; })},
    {"SPS.flags FRAME_MBS_ONLY", bFrames, Mode::FrameBased,
     sps([](Sps& s) { s.flags ^= V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY; })},
    {"SPS.flags DIRECT_8X8_INFERENCE", bFrames, Mode::FrameBased,
     sps([](Sps& s) { s.flags ^= V4L2_H264_SPS_FLAG_DIRECT_8X8_INFERENCE; })},
    {"SPS.flags DELTA_PIC_ORDER_ALWAYS_ZERO", orderType1, Mode::FrameBased,
     sps([](Sps& s) { s.flags ^= V4L2_H264_SPS_FLAG_DELTA_PIC_ORDER_ALWAYS_ZERO; })},
    {"SPS.flags MB_ADAPTIVE_FRAME_FIELD", "HCAMFF1_HHI.264", Mode::FrameBased,
     sps([](Sps& s) { s.flags ^= V4L2_H264_SPS_FLAG_MB_ADAPTIVE_FRAME_FIELD; })},
    {"PPS.pic_parameter_set_id", bFrames, Mode::FrameBased, pps([](Pps& p) { ++p.pic_parameter_set_id; })},
    {"PPS.seq_parameter_set_id", bFrames, Mode::FrameBased, pps([](Pps& p) { ++p.seq_parameter_set_id; })},
    {"PPS.num_slice_groups_minus1", bFrames, Mode::FrameBased, pps([](Pps& p) { p.num_slice_groups_minus1 = 1; })},
    {"PPS.num_ref_idx_l0_default_active_minus1", cavlc, Mode::FrameBased,
     pps([](Pps& p) { ++p.num_ref_idx_l0_default_active_minus1; })},
    {"PPS.num_ref_idx_l1_default_active_minus1", cavlc, Mode::FrameBased,
     pps([](Pps& p) { ++p.num_ref_idx_l1_default_active_minus1; })},
    {"PPS.weighted_bipred_idc", bFrames, Mode::FrameBased, pps([](Pps& p) { p.weighted_bipred_idc = 0; })},
    {"PPS.pic_init_qp_minus26", bFrames, Mode::FrameBased, pps([](Pps& p) { ++p.pic_init_qp_minus26; })},
    {"PPS.chroma_qp_index_offset", bFrames, Mode::FrameBased, pps([](Pps& p) { ++p.chroma_qp_index_offset; })},
    {"PPS.second_chroma_qp_index_offset", bFrames, Mode::FrameBased,
     pps([](Pps& p) { ++p.second_chroma_qp_index_offset; })},
    {"PPS.flags ENTROPY_CODING_MODE", bFrames, Mode::FrameBased, pps([](Pps& p) { p.flags ^= 0x01; })},
    {"PPS.flags BOTTOM_FIELD_PIC_ORDER", bFrames, Mode::FrameBased, pps([](Pps& p) { p.flags ^= 0x02; })},
    {"PPS.flags WEIGHTED_PRED", bFrames, Mode::FrameBased, pps([](Pps& p) { p.flags ^= 0x04; })},
    {"PPS.flags DEBLOCKING_FILTER_CONTROL", bFrames, Mode::FrameBased, pps([](Pps& p) { p.flags ^= 0x08; })},
    {"PPS.flags CONSTRAINED_INTRA_PRED", bFrames, Mode::FrameBased, pps([](Pps& p) { p.flags ^= 0x10; })},
    {"PPS.flags REDUNDANT_PIC_CNT", bFrames, Mode::FrameBased, pps([](Pps& p) { p.flags ^= 0x20; })},
    {"PPS.flags TRANSFORM_8X8_MODE", bFrames, Mode::FrameBased, pps([](Pps& p) { p.flags ^= 0x40; })},
    {"PPS.flags SCALING_MATRIX_PRESENT", scaled, Mode::FrameBased, pps([](Pps& p) { p.flags ^= 0x80; })},
    {"SCALING_MATRIX.scaling_list_4x4[0]", scaled, Mode::FrameBased,
     matrix([](ScalingMatrix& m) { ++m.scaling_list_4x4[0][1]; })},
    {"SCALING_MATRIX.scaling_list_4x4[4]", scaled, Mode::FrameBased,
     matrix([](ScalingMatrix& m) { m.scaling_list_4x4[4][0] += 9; })},
    {"SCALING_MATRIX.scaling_list_8x8[0]", scaled, Mode::FrameBased,
     matrix([](ScalingMatrix& m) { m.scaling_list_8x8[0][8] += 9; })},
    {"SCALING_MATRIX.scaling_list_8x8[1]", scaled, Mode::FrameBased,
     matrix([](ScalingMatrix& m) { m.scaling_list_8x8[1][0] += 9; })},
    {"DECODE_PARAMS.nal_ref_idc", bFrames, Mode::FrameBased, params([](Decode& d) { d.nal_ref_idc ^= 1; })},
    {"DECODE_PARAMS.frame_num", bFrames, Mode::FrameBased, params([](Decode& d) { ++d.frame_num; })},
    {"DECODE_PARAMS.top_field_order_cnt", bFrames, Mode::FrameBased, params([](Decode& d) { ++d.top_field_order_cnt; })},
    {"DECODE_PARAMS.bottom_field_order_cnt", bFrames, Mode::FrameBased,
     params([](Decode& d) { ++d.bottom_field_order_cnt; })},
    {"DECODE_PARAMS.idr_pic_id", bFrames, Mode::FrameBased, params([](Decode& d) { ++d.idr_pic_id; })},
    {"DECODE_PARAMS.pic_order_cnt_lsb", bFrames, Mode::FrameBased, params([](Decode& d) { ++d.pic_order_cnt_lsb; })},
    {"DECODE_PARAMS.delta_pic_order_cnt_bottom", bFrames, Mode::FrameBased,
     params([](Decode& d) { ++d.delta_pic_order_cnt_bottom; })},
    {"DECODE_PARAMS.delta_pic_order_cnt0", orderType1, Mode::FrameBased,
     params([](Decode& d) { ++d.delta_pic_order_cnt0; })},
    {"DECODE_PARAMS.delta_pic_order_cnt1", orderType1, Mode::FrameBased,
     params([](Decode& d) { ++d.delta_pic_order_cnt1; })},
    {"DECODE_PARAMS.dec_ref_pic_marking_bit_size", bFrames, Mode::FrameBased,
     params([](Decode& d) { ++d.dec_ref_pic_marking_bit_size; })},
    {"DECODE_PARAMS.pic_order_cnt_bit_size", bFrames, Mode::FrameBased,
     params([](Decode& d) { ++d.pic_order_cnt_bit_size; })},
    {"DECODE_PARAMS.slice_group_change_cycle", bFrames, Mode::FrameBased,
     params([](Decode& d) { ++d.slice_group_change_cycle; })},
    {"DECODE_PARAMS.flags IDR_PIC", bFrames, Mode::FrameBased, params([](Decode& d) { d.flags ^= 1; })},
    {"DECODE_PARAMS.flags FIELD_PIC", interlaced, Mode::FrameBased, params([](Decode& d) { d.flags ^= 2; })},
    {"DECODE_PARAMS.flags BOTTOM_FIELD", interlaced, Mode::FrameBased, params([](Decode& d) { d.flags ^= 4; })},
    {"DECODE_PARAMS.dpb[0].reference_ts", bFrames, Mode::FrameBased, params([](Decode& d) { ++d.dpb[0].reference_ts; })},
    {"DECODE_PARAMS.dpb[0,1].reference_ts exchanged", bFrames, Mode::FrameBased, params([](Decode& d) {
         if (d.dpb[1].flags)
             std::swap(d.dpb[0].reference_ts, d.dpb[1].reference_ts);
     })},
    {"DECODE_PARAMS.dpb[0].pic_num", bFrames, Mode::FrameBased, params([](Decode& d) { d.dpb[0].pic_num += 77; })},
    {"DECODE_PARAMS.dpb[0].frame_num", bFrames, Mode::FrameBased, params([](Decode& d) { ++d.dpb[0].frame_num; })},
    {"DECODE_PARAMS.dpb[0].fields", bFrames, Mode::FrameBased, params([](Decode& d) { d.dpb[0].fields = 1; })},
    {"DECODE_PARAMS.dpb[0].top_field_order_cnt", bFrames, Mode::FrameBased,
     params([](Decode& d) { ++d.dpb[0].top_field_order_cnt; })},
    {"DECODE_PARAMS.dpb[0].bottom_field_order_cnt", bFrames, Mode::FrameBased,
     params([](Decode& d) { ++d.dpb[0].bottom_field_order_cnt; })},
    {"DECODE_PARAMS.dpb[0].flags VALID", bFrames, Mode::FrameBased, params([](Decode& d) { d.dpb[0].flags &= ~1u; })},
    {"DECODE_PARAMS.dpb[0].flags ACTIVE", bFrames, Mode::FrameBased, params([](Decode& d) { d.dpb[0].flags &= ~2u; })},
    {"DECODE_PARAMS.dpb[0].flags LONG_TERM", longTerm, Mode::FrameBased, params([](Decode& d) { d.dpb[0].flags ^= 4u; })},
    {"SLICE_PARAMS.header_bit_size", bFrames, Mode::SliceBased, slice([](SliceParams& s) { ++s.header_bit_size; })},
    {"SLICE_PARAMS.first_mb_in_slice", bFrames, Mode::SliceBased, slice([](SliceParams& s) { ++s.first_mb_in_slice; })},
    {"SLICE_PARAMS.slice_type", bFrames, Mode::SliceBased, slice([](SliceParams& s) { s.slice_type = 0; })},
    {"SLICE_PARAMS.redundant_pic_cnt", bFrames, Mode::SliceBased, slice([](SliceParams& s) { s.redundant_pic_cnt = 1; })},
    {"SLICE_PARAMS.cabac_init_idc", bFrames, Mode::SliceBased,
     slice([](SliceParams& s) { s.cabac_init_idc = static_cast<uint8_t>((s.cabac_init_idc + 1) % 3); })},
    {"SLICE_PARAMS.slice_qp_delta", bFrames, Mode::SliceBased, slice([](SliceParams& s) { ++s.slice_qp_delta; })},
    {"SLICE_PARAMS.disable_deblocking_filter_idc", bFrames, Mode::SliceBased,
     slice([](SliceParams& s) { s.disable_deblocking_filter_idc ^= 1; })},
    {"SLICE_PARAMS.slice_alpha_c0_offset_div2", bFrames, Mode::SliceBased,
     slice([](SliceParams& s) { s.slice_alpha_c0_offset_div2 = 6; })},
    {"SLICE_PARAMS.slice_beta_offset_div2", bFrames, Mode::SliceBased,
     slice([](SliceParams& s) { s.slice_beta_offset_div2 = 6; })},
    {"SLICE_PARAMS.num_ref_idx_l0_active_minus1", bFrames, Mode::SliceBased,
     slice([](SliceParams& s) { ++s.num_ref_idx_l0_active_minus1; })},
    {"SLICE_PARAMS.num_ref_idx_l1_active_minus1", bFrames, Mode::SliceBased,
     slice([](SliceParams& s) { ++s.num_ref_idx_l1_active_minus1; })},
    {"SLICE_PARAMS.ref_pic_list0", bFrames, Mode::SliceBased,
     slice([](SliceParams& s) { std::swap(s.ref_pic_list0[0], s.ref_pic_list0[1]); })},
    {"SLICE_PARAMS.ref_pic_list0[].fields", bFrames, Mode::SliceBased,
     slice([](SliceParams& s) { s.ref_pic_list0[0].fields = 1; })},
    {"SLICE_PARAMS.ref_pic_list1", bFrames, Mode::SliceBased, slice([](SliceParams& s) {
         if (s.slice_type == V4L2_H264_SLICE_TYPE_B)
             s.ref_pic_list1[0] = s.ref_pic_list0[0];
     })},
    {"SLICE_PARAMS.flags DIRECT_SPATIAL_MV_PRED", bFrames, Mode::SliceBased, slice([](SliceParams& s) { s.flags ^= 1; })},
    {"PRED_WEIGHTS.luma_log2_weight_denom", bFrames, Mode::SliceBased,
     weights([](Weights& w) { ++w.luma_log2_weight_denom; })},
    {"PRED_WEIGHTS.luma_offset", bFrames, Mode::SliceBased,
     weights([](Weights& w) { w.weight_factors[0].luma_offset[0] += 9; })},
    {"PRED_WEIGHTS.luma_weight", bFrames, Mode::SliceBased,
     weights([](Weights& w) { w.weight_factors[0].luma_weight[0] += 3; })},
    {"PRED_WEIGHTS.chroma_offset", bFrames, Mode::SliceBased,
     weights([](Weights& w) { w.weight_factors[0].chroma_offset[0][1] += 9; })},
    {"PRED_WEIGHTS.chroma_weight", bFrames, Mode::SliceBased,
     weights([](Weights& w) { w.weight_factors[0].chroma_weight[0][0] += 3; })},
    {"START_CODE", bFrames, Mode::FrameBased, editing<int32_t>(V4L2_CID_STATELESS_H264_START_CODE, [](int32_t& m) { m ^= 1; })},
    {"DECODE_MODE", bFrames, Mode::FrameBased, editing<int32_t>(V4L2_CID_STATELESS_H264_DECODE_MODE, [](int32_t& m) { m ^= 1; })},
    {"a control is missing", bFrames, Mode::FrameBased,
     [](const StreamPicture&, Job& job) { job.controls.pop_back(); job.controls.erase(job.controls.begin()); }},
    {"a frame of the DPB was overwritten", bFrames, Mode::FrameBased,
     [](const StreamPicture&, Job& job) { for (auto& frame : job.frames) ++frame.timestamp; }},
    {"a frame of the DPB ended with an error", bFrames, Mode::FrameBased,
     [](const StreamPicture&, Job& job) { for (auto& frame : job.frames) frame.error = 1; }},
};

// Fields that cannot matter, and those that only a check can see, are in tests/guest/oracle/exempt.tsv and
// docs/oracle.md: scripts/mutation-proof changes every field of every control in the guest.

class H264Honesty : public testing::TestWithParam<Change> {};

TEST_P(H264Honesty, AChangedFieldIsSeen) {
    const auto path = vectorsFolder() / "h264" / GetParam().file;
    if (vectorsFolder().empty() || !std::filesystem::exists(path))
        GTEST_SKIP() << "no folder of streams (V4L2_REQUEST_VECTORS) with " << GetParam().file;
    const auto bytes = readFile(path);
    const Stream stream = walk(bytes);
    ASSERT_TRUE(stream.refused.empty()) << stream.refused;
    const size_t frames = 30;
    const auto expected = outcome(stream, GetParam().mode, frames, nullptr);
    ASSERT_FALSE(expected.back().starts_with("error")) << expected.back();
    const auto changed = outcome(stream, GetParam().mode, frames, GetParam().edit);
    EXPECT_NE(changed, expected) << GetParam().field << " changed, and nobody noticed";
    if (changed.back().starts_with("error"))
        RecordProperty("seen_as", changed.back());
    else
        RecordProperty("seen_as", "pixels");
}

INSTANTIATE_TEST_SUITE_P(Fields, H264Honesty, testing::ValuesIn(changes),
                         [](const testing::TestParamInfo<Change>& test) {
                             std::string name;
                             for (const char letter : std::string(test.param.field))
                                 name += std::isalnum(static_cast<unsigned char>(letter)) ? letter : '_';
                             return name;
                         });

} // namespace
} // namespace daedalus::test
