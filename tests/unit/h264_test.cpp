// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>

#include <gtest/gtest.h>

#include "bit_writer.h"
#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec/h264_level.h"
#include "codec_fixture.h"

namespace v4l2_request::codec {
namespace {

using test::BitWriter;

constexpr VASurfaceID target = 10;
constexpr uint32_t validActive = V4L2_H264_DPB_ENTRY_FLAG_VALID | V4L2_H264_DPB_ENTRY_FLAG_ACTIVE;

// ---- A client that encodes the slice headers its parameters describe ----

struct Header {
    uint8_t refIdc = 1;
    bool idr = false;
    uint32_t firstMb = 0;
    uint32_t type = 2; // I
    uint32_t pps = 0;
    uint32_t frameNum = 0;
    int field = -1; // 0 top, 1 bottom, where the sequence has fields
    uint32_t pocLsb = 0;
    std::array<int, 2> override{-1, -1};            // num_ref_idx_active_minus1
    bool longTerm = false;                          // long_term_reference_flag
    std::vector<std::array<uint32_t, 3>> marking{}; // operations with their operands
};

constexpr Header idr{.refIdc = 3, .idr = true};

VAPictureH264 noPicture() {
    VAPictureH264 picture{};
    picture.picture_id = VA_INVALID_SURFACE;
    picture.flags = VA_PICTURE_H264_INVALID;
    return picture;
}

VAPictureH264 reference(VASurfaceID surface, uint32_t frameIdx, int32_t top, int32_t bottom,
                        uint32_t flags = VA_PICTURE_H264_SHORT_TERM_REFERENCE) {
    VAPictureH264 picture{};
    picture.picture_id = surface;
    picture.frame_idx = frameIdx;
    picture.flags = flags;
    picture.TopFieldOrderCnt = top;
    picture.BottomFieldOrderCnt = bottom;
    return picture;
}

VAPictureParameterBufferH264 parameters(int32_t top = 0, int32_t bottom = 0) {
    VAPictureParameterBufferH264 picture{};
    picture.CurrPic = reference(target, 0, top, bottom, 0);
    std::fill(std::begin(picture.ReferenceFrames), std::end(picture.ReferenceFrames), noPicture());
    picture.picture_width_in_mbs_minus1 = 21;
    picture.picture_height_in_mbs_minus1 = 17;
    picture.num_ref_frames = 4;
    picture.seq_fields.bits.chroma_format_idc = 1;
    picture.seq_fields.bits.frame_mbs_only_flag = 1;
    picture.seq_fields.bits.direct_8x8_inference_flag = 1;
    return picture;
}

std::vector<uint8_t> encode(const VAPictureParameterBufferH264& picture, const Header& h, size_t& bitSize) {
    const auto& sequence = picture.seq_fields.bits;
    const auto& fields = picture.pic_fields.bits;
    BitWriter w;
    w.bits(h.refIdc, 3).bits(h.idr ? 5 : 1, 5);
    w.ue(h.firstMb).ue(h.type).ue(h.pps).bits(h.frameNum, sequence.log2_max_frame_num_minus4 + 4);
    if (!sequence.frame_mbs_only_flag) {
        w.bits(h.field >= 0, 1);
        if (h.field >= 0)
            w.bits(h.field == 1, 1);
    }
    if (h.idr)
        w.ue(0);
    if (sequence.pic_order_cnt_type == 0)
        w.bits(h.pocLsb, sequence.log2_max_pic_order_cnt_lsb_minus4 + 4);
    if (fields.redundant_pic_cnt_present_flag)
        w.ue(h.override[0] == 99 ? 1 : 0);
    if (h.type == 1)
        w.bits(1, 1); // direct_spatial_mv_pred_flag
    if (h.type < 2) {
        const bool overrides = h.override[0] >= 0;
        w.bits(overrides, 1);
        if (overrides)
            w.ue(static_cast<uint32_t>(h.override[0]));
        if (overrides && h.type == 1)
            w.ue(static_cast<uint32_t>(h.override[1]));
        w.bits(0, h.type == 1 ? 2 : 1); // no modifications
    }
    if (h.refIdc != 0 && h.idr)
        w.bits(h.longTerm, 2);
    else if (h.refIdc != 0) {
        w.bits(!h.marking.empty(), 1);
        for (const auto& [code, first, second] : h.marking) {
            w.ue(code).ue(first);
            if (code == 3)
                w.ue(second);
        }
        if (!h.marking.empty())
            w.ue(0);
    }
    if (fields.entropy_coding_mode_flag && h.type < 2)
        w.ue(1);
    w.se(-3);
    bitSize = w.size();
    w.bits(0xabcdef, 24);
    return w.escaped();
}

class H264 : public testing::Test {
protected:
    H264() {
        for (const uint32_t id : {V4L2_CID_STATELESS_H264_SPS, V4L2_CID_STATELESS_H264_PPS,
                                  V4L2_CID_STATELESS_H264_SCALING_MATRIX, V4L2_CID_STATELESS_H264_DECODE_PARAMS})
            device.set(id, {});
        setModes(V4L2_STATELESS_H264_DECODE_MODE_FRAME_BASED, V4L2_STATELESS_H264_START_CODE_ANNEX_B);
        slice.num_ref_idx_l0_active_minus1 = 0;
        std::fill(std::begin(slice.RefPicList0), std::end(slice.RefPicList0), noPicture());
        std::fill(std::begin(slice.RefPicList1), std::end(slice.RefPicList1), noPicture());
    }

    void setModes(int64_t mode, int64_t startCode) {
        device.set(V4L2_CID_STATELESS_H264_DECODE_MODE, {.value = mode});
        device.set(V4L2_CID_STATELESS_H264_START_CODE, {.value = startCode});
        if (mode == V4L2_STATELESS_H264_DECODE_MODE_SLICE_BASED) {
            device.set(V4L2_CID_STATELESS_H264_SLICE_PARAMS, {});
            device.set(V4L2_CID_STATELESS_H264_PRED_WEIGHTS, {});
        }
    }

    Result<Submission> build(const VAPictureParameterBufferH264& picture, const std::vector<Header>& headers = {idr},
                             const VAIQMatrixBufferH264* matrix = nullptr) {
        test::Client& client = clients.emplace_back();
        client.input.profile = profile;
        client.input.target = picture.CurrPic.picture_id;
        client.input.width = 1920;
        client.input.height = 1088;
        client.picture(picture);
        if (matrix)
            client.iqMatrix(*matrix);
        for (const Header& header : headers) {
            size_t bitSize = 0;
            auto data = encode(picture, header, bitSize);
            data.insert(data.end(), trailingZeros, 0);
            auto sliceParameters = slice;
            sliceParameters.slice_data_bit_offset = static_cast<uint16_t>(bitSize);
            client.slice(sliceParameters, std::move(data));
        }
        return h264Codec.build(client.input, references, device, state, state);
    }

    // The n-th job of a picture that must be accepted.
    Job job(const VAPictureParameterBufferH264& picture, const std::vector<Header>& headers = {idr}, size_t n = 0) {
        auto submission = build(picture, headers);
        EXPECT_TRUE(submission) << submission.error().message;
        return submission && submission->jobs.size() > n ? std::move(submission->jobs[n]) : Job{};
    }

    v4l2_ctrl_h264_decode_params decodeParams(const VAPictureParameterBufferH264& picture, const Header& header) {
        return job(picture, {header}).controls.get<H264DecodeParams>();
    }

    VAProfile profile = VAProfileH264High;
    VASliceParameterBufferH264 slice{};
    size_t trailingZeros = 0;
    test::FakeReferences references;
    DeviceControls device;
    std::any state;
    std::deque<test::Client> clients;
};

// ---- Level: Rec. ITU-T H.264 table A-1 and A-4 ----

TEST(H264Level, SmallestThatHolds) {
    struct {
        const char* what;
        H264LevelNeeds needs;
        uint8_t idc;
    } const table[]{
        {"QCIF, 4 frames: 99 * 4 = 396", {11, 9, 4, true}, 10},
        {"QCIF, 5 frames", {11, 9, 5, true}, 11},
        {"QCIF, 9 frames", {11, 9, 9, true}, 11},
        {"QCIF, 10 frames", {11, 9, 10, true}, 12},
        {"CIF, 2 frames: 396 * 2 = 792", {22, 18, 2, true}, 11},
        {"CIF, 6 frames: 396 * 6 = 2376", {22, 18, 6, true}, 12},
        {"CIF, 7 frames", {22, 18, 7, true}, 21},
        {"CIF, interlaced", {22, 18, 1, false}, 21},
        {"352x576", {22, 36, 6, true}, 21},
        {"720x576, 5 frames", {45, 36, 5, true}, 22},
        {"720x576, 6 frames", {45, 36, 6, true}, 31},
        {"1280x720, 5 frames: 3600 * 5 = 18000", {80, 45, 5, true}, 31},
        {"1280x720, 9 frames", {80, 45, 9, true}, 40},
        {"1920x1088, 4 frames: 8160 * 4 = 32640", {120, 68, 4, true}, 40},
        {"1920x1088, 5 frames", {120, 68, 5, true}, 50},
        {"3840x2160, 5 frames", {240, 135, 5, true}, 51},
        {"7680x4320", {480, 270, 5, true}, 60},
        {"wide: 29 macroblocks is more than sqrt(99 * 8)", {29, 3, 1, true}, 11},
        {"tall: 57 macroblocks is more than sqrt(396 * 8)", {6, 57, 1, true}, 21},
        {"nothing holds it", {4096, 4096, 16, true}, 62},
    };
    for (const auto& row : table)
        EXPECT_EQ(smallestH264Level(row.needs), row.idc) << row.what;
}

// ---- SPS ----

TEST_F(H264, Sps) {
    auto picture = parameters();
    picture.seq_fields.bits.log2_max_frame_num_minus4 = 5;
    picture.seq_fields.bits.log2_max_pic_order_cnt_lsb_minus4 = 7;
    picture.seq_fields.bits.gaps_in_frame_num_value_allowed_flag = 1;
    const auto sps = job(picture).controls.get<H264Sps>();
    EXPECT_EQ(sps.profile_idc, 100);
    EXPECT_EQ(sps.constraint_set_flags, 0);
    EXPECT_EQ(sps.level_idc, 12);
    EXPECT_EQ(sps.chroma_format_idc, 1);
    EXPECT_EQ(sps.log2_max_frame_num_minus4, 5);
    EXPECT_EQ(sps.pic_order_cnt_type, 0);
    EXPECT_EQ(sps.log2_max_pic_order_cnt_lsb_minus4, 7);
    EXPECT_EQ(sps.max_num_ref_frames, 4);
    EXPECT_EQ(sps.pic_width_in_mbs_minus1, 21);
    EXPECT_EQ(sps.pic_height_in_map_units_minus1, 17);
    EXPECT_EQ(sps.flags, V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY | V4L2_H264_SPS_FLAG_DIRECT_8X8_INFERENCE |
                             V4L2_H264_SPS_FLAG_GAPS_IN_FRAME_NUM_VALUE_ALLOWED);
}

TEST_F(H264, SpsOfAnInterlacedSequence) {
    auto picture = parameters();
    picture.seq_fields.bits.frame_mbs_only_flag = 0;
    picture.seq_fields.bits.mb_adaptive_frame_field_flag = 1;
    const auto sps = job(picture).controls.get<H264Sps>();
    EXPECT_EQ(sps.pic_height_in_map_units_minus1, 8); // 7.4.2.1.1: pairs of macroblocks
    EXPECT_EQ(sps.level_idc, 21);
    EXPECT_EQ(sps.flags, V4L2_H264_SPS_FLAG_MB_ADAPTIVE_FRAME_FIELD | V4L2_H264_SPS_FLAG_DIRECT_8X8_INFERENCE);
}

// 7.3.2.1.1: separate_colour_plane_flag belongs to 4:4:4, and so does colour_plane_id in slices.
TEST_F(H264, ColourPlanesAreIgnoredIn420) {
    auto picture = parameters();
    picture.seq_fields.bits.residual_colour_transform_flag = 1;
    EXPECT_EQ(decodeParams(picture, {.frameNum = 13}).frame_num, 13);
}

TEST_F(H264, ProfileIdc) {
    struct {
        VAProfile profile;
        uint8_t idc, constraints;
    } const table[]{{VAProfileH264ConstrainedBaseline, 66, 3}, {VAProfileH264Main, 77, 2}, {VAProfileH264High, 100, 0}};
    for (const auto& row : table) {
        profile = row.profile;
        const auto sps = job(parameters()).controls.get<H264Sps>();
        EXPECT_EQ(sps.profile_idc, row.idc);
        EXPECT_EQ(sps.constraint_set_flags, row.constraints);
    }
}

// ---- PPS ----

TEST_F(H264, Pps) {
    auto picture = parameters();
    auto& fields = picture.pic_fields.bits;
    fields.entropy_coding_mode_flag = fields.transform_8x8_mode_flag = fields.constrained_intra_pred_flag = 1;
    fields.weighted_bipred_idc = 2;
    picture.pic_init_qp_minus26 = -26;
    picture.pic_init_qs_minus26 = 25;
    picture.chroma_qp_index_offset = -12;
    picture.second_chroma_qp_index_offset = 12;
    auto header = idr;
    header.pps = 255;
    const auto pps = job(picture, {header}).controls.get<H264Pps>();
    EXPECT_EQ(pps.pic_parameter_set_id, 255);
    EXPECT_EQ(pps.seq_parameter_set_id, 0);
    EXPECT_EQ(pps.weighted_bipred_idc, 2);
    EXPECT_EQ(pps.pic_init_qp_minus26, -26);
    EXPECT_EQ(pps.pic_init_qs_minus26, 25);
    EXPECT_EQ(pps.chroma_qp_index_offset, -12);
    EXPECT_EQ(pps.second_chroma_qp_index_offset, 12);
    EXPECT_EQ(pps.flags, V4L2_H264_PPS_FLAG_ENTROPY_CODING_MODE | V4L2_H264_PPS_FLAG_TRANSFORM_8X8_MODE |
                             V4L2_H264_PPS_FLAG_CONSTRAINED_INTRA_PRED);
}

TEST_F(H264, TenBits) {
    profile = VAProfileH264High10;
    auto picture = parameters();
    EXPECT_EQ(build(picture)->bitDepth, 8) << "High 10 may have 8 bits";
    picture.bit_depth_luma_minus8 = picture.bit_depth_chroma_minus8 = 2;
    picture.pic_init_qp_minus26 = -38; // 7.4.2.2: QpBdOffset is 12
    const auto submission = build(picture);
    ASSERT_TRUE(submission) << submission.error().message;
    EXPECT_EQ(submission->bitDepth, 10);
    const auto sps = submission->jobs[0].controls.get<H264Sps>();
    EXPECT_EQ(sps.profile_idc, 110);
    EXPECT_EQ(sps.bit_depth_luma_minus8, 2);
    EXPECT_EQ(sps.bit_depth_chroma_minus8, 2);
    EXPECT_EQ(submission->jobs[0].controls.get<H264Pps>().pic_init_qp_minus26, -38);
    // FFmpeg adds QpBdOffset to both.
    picture.pic_init_qp_minus26 = 12 - 38;
    picture.pic_init_qs_minus26 = 12;
    const auto pps = job(picture).controls.get<H264Pps>();
    EXPECT_EQ(pps.pic_init_qp_minus26, -38);
    EXPECT_EQ(pps.pic_init_qs_minus26, 0);
    picture.pic_init_qp_minus26 = 12 + 26;
    EXPECT_FALSE(build(picture));
    picture = parameters();
    picture.pic_init_qp_minus26 = -27;
    EXPECT_FALSE(build(picture)) << "8 bits have no such offset";
    for (const unsigned depth : {1, 3, 4}) {
        picture = parameters();
        picture.bit_depth_luma_minus8 = picture.bit_depth_chroma_minus8 = static_cast<uint8_t>(depth);
        EXPECT_EQ(build(picture).error().kind, ErrorKind::Unsupported) << depth;
    }
}

// What a device is asked with before a stream is known has to be a sequence of that depth within that size.
TEST_F(H264, AnySequence) {
    const auto bytes = h264Codec.anySequence(64, 48, 10);
    v4l2_ctrl_h264_sps sps;
    ASSERT_EQ(bytes.size(), sizeof(sps));
    std::memcpy(&sps, bytes.data(), sizeof(sps));
    EXPECT_EQ(sps.profile_idc, 110);
    EXPECT_EQ(sps.bit_depth_luma_minus8, 2);
    EXPECT_EQ(sps.pic_width_in_mbs_minus1, 3);
    EXPECT_EQ(sps.pic_height_in_map_units_minus1, 2);
}

TEST_F(H264, NumRefIdxDefaultsAreLearnt) {
    references.timestamps[1] = 1;
    auto picture = parameters();
    picture.ReferenceFrames[0] = reference(1, 0, 0, 0);
    const auto defaults = [&](const std::vector<Header>& headers) {
        const auto pps = job(picture, headers).controls.get<H264Pps>();
        return std::pair<int, int>(pps.num_ref_idx_l0_default_active_minus1, pps.num_ref_idx_l1_default_active_minus1);
    };
    using Pair = std::pair<int, int>;
    const Header overriding{.type = 0, .frameNum = 1, .override = {4, -1}};
    const Header plainP{.firstMb = 1, .type = 0, .frameNum = 1};
    const Header plainB{.firstMb = 1, .type = 1, .frameNum = 1};

    EXPECT_EQ(defaults({idr}), Pair(0, 0)) << "nothing known";
    EXPECT_EQ(defaults({overriding}), Pair(4, 0)) << "a guess";
    slice.num_ref_idx_l0_active_minus1 = 2; // what VA-API gives where the slice does not override
    slice.num_ref_idx_l1_active_minus1 = 1;
    EXPECT_EQ(defaults({plainP}), Pair(2, 0)) << "7.4.3: inferred from the default, which is thus known";
    EXPECT_EQ(defaults({overriding}), Pair(2, 0)) << "kept";
    EXPECT_EQ(defaults({overriding, plainB}), Pair(2, 1)) << "another slice of the same picture";
    auto other = overriding;
    other.pps = 1;
    EXPECT_EQ(defaults({other}), Pair(4, 0)) << "another set";
    EXPECT_EQ(defaults({idr}), Pair(2, 1));
}

// ---- Scaling matrices ----

TEST_F(H264, FlatMatrixIsNone) {
    VAIQMatrixBufferH264 matrix{};
    std::memset(&matrix, 16, sizeof(matrix));
    const auto flat = build(parameters(), {idr}, &matrix);
    ASSERT_TRUE(flat);
    EXPECT_TRUE(flat->jobs[0].controls.find(H264ScalingMatrix::id).empty());
    EXPECT_EQ(flat->jobs[0].controls.get<H264Pps>().flags & V4L2_H264_PPS_FLAG_SCALING_MATRIX_PRESENT, 0);
}

TEST_F(H264, ScalingMatrix) {
    VAIQMatrixBufferH264 matrix{};
    std::memset(&matrix, 16, sizeof(matrix));
    matrix.ScalingList4x4[5][15] = 17;
    matrix.ScalingList8x8[1][3] = 18;
    const auto submission = build(parameters(), {idr}, &matrix);
    ASSERT_TRUE(submission);
    const auto scaling = submission->jobs[0].controls.get<H264ScalingMatrix>();
    EXPECT_EQ(scaling.scaling_list_4x4[5][15], 17);
    EXPECT_EQ(scaling.scaling_list_4x4[0][0], 16);
    EXPECT_EQ(scaling.scaling_list_8x8[1][3], 18);
    EXPECT_EQ(scaling.scaling_list_8x8[2][0], 0);
    EXPECT_NE(submission->jobs[0].controls.get<H264Pps>().flags & V4L2_H264_PPS_FLAG_SCALING_MATRIX_PRESENT, 0);

    device = {};
    const auto refused = build(parameters(), {idr}, &matrix);
    ASSERT_FALSE(refused) << "the device has no such control";
    EXPECT_EQ(refused.error().kind, ErrorKind::Unsupported);
}

// ---- DECODE_PARAMS ----

TEST_F(H264, DecodeParamsComeFromTheSliceHeader) {
    const auto first = decodeParams(parameters(4, 4), {.refIdc = 3, .idr = true, .pocLsb = 4});
    EXPECT_EQ(first.nal_ref_idc, 3);
    EXPECT_EQ(first.pic_order_cnt_lsb, 4);
    EXPECT_EQ(first.pic_order_cnt_bit_size, 4u);
    EXPECT_EQ(first.dec_ref_pic_marking_bit_size, 2u);
    EXPECT_EQ(first.flags, V4L2_H264_DECODE_PARAM_FLAG_IDR_PIC);
    EXPECT_EQ(first.top_field_order_cnt, 4);

    references.timestamps[1] = 1;
    auto picture = parameters(6, 7);
    picture.ReferenceFrames[0] = reference(1, 0, 4, 4);
    const auto p = decodeParams(picture, {.refIdc = 0, .type = 0, .frameNum = 1, .pocLsb = 6});
    EXPECT_EQ(p.nal_ref_idc, 0);
    EXPECT_EQ(p.frame_num, 1);
    EXPECT_EQ(p.dec_ref_pic_marking_bit_size, 0u);
    EXPECT_EQ(p.top_field_order_cnt, 6);
    EXPECT_EQ(p.bottom_field_order_cnt, 7);
    EXPECT_EQ(p.flags, V4L2_H264_DECODE_PARAM_FLAG_PFRAME);

    const auto b = decodeParams(picture, {.refIdc = 0, .type = 1, .frameNum = 1, .pocLsb = 6});
    EXPECT_EQ(b.flags, V4L2_H264_DECODE_PARAM_FLAG_BFRAME);
}

// 8.2.1: what FFmpeg adds to the counts is taken off all of them, from one IDR picture to the next.
TEST_F(H264, PocOffset) {
    struct {
        const char* what;
        Header header;
        int32_t top, bottom, referenceTop;
        int32_t expectedTop, expectedBottom, expectedReference;
    } const table[]{
        {"FFmpeg's IDR", {.refIdc = 3, .idr = true, .pocLsb = 2}, 65538, 65539, 0, 2, 3, 0},
        {"a picture after it", {.type = 0, .frameNum = 1, .pocLsb = 6}, 65542, 65542, 65538, 6, 6, 2},
        {"one before it in output order", {.type = 0, .frameNum = 1, .pocLsb = 14}, 65534, 65534, 65538, -2, -2, 2},
        {"a high count", {.type = 0, .frameNum = 1, .pocLsb = 0}, 165536, 165536, 65538, 100000, 100000, 2},
        {"an IDR of a client that adds nothing", {.refIdc = 3, .idr = true, .pocLsb = 8}, 8, 9, 0, 8, 9, 0},
        {"a picture after it", {.type = 0, .frameNum = 1, .pocLsb = 0}, 65536, 65536, 8, 65536, 65536, 8},
    };
    references.timestamps[1] = 1;
    for (const auto& row : table) {
        auto picture = parameters(row.top, row.bottom);
        if (!row.header.idr)
            picture.ReferenceFrames[0] = reference(1, 0, row.referenceTop, row.referenceTop);
        const auto params = decodeParams(picture, row.header);
        EXPECT_EQ(params.top_field_order_cnt, row.expectedTop) << row.what;
        EXPECT_EQ(params.bottom_field_order_cnt, row.expectedBottom) << row.what;
        EXPECT_EQ(params.dpb[0].top_field_order_cnt, row.expectedReference) << row.what;
    }
}

TEST_F(H264, PocOffsetOfAStreamThatStartsElsewhere) {
    for (const auto& [sent, expected] : {std::pair{65538, 2}, {65530, -6}, {2, 2}, {131074, 2}, {-14, -14}}) {
        state.reset();
        const auto params = decodeParams(parameters(sent, sent), {.pocLsb = static_cast<uint32_t>(sent) & 15});
        EXPECT_EQ(params.top_field_order_cnt, expected) << sent;
    }
}

TEST_F(H264, PocOffsetOfType2) {
    auto picture = parameters(0, 0);
    picture.seq_fields.bits.pic_order_cnt_type = 2;
    EXPECT_EQ(decodeParams(picture, idr).top_field_order_cnt, 0);
    picture.CurrPic.TopFieldOrderCnt = picture.CurrPic.BottomFieldOrderCnt = 40000;
    EXPECT_EQ(decodeParams(picture, {.frameNum = 1}).top_field_order_cnt, 40000);
    EXPECT_EQ(job(picture, {Header{.frameNum = 1}}).controls.get<H264Sps>().log2_max_pic_order_cnt_lsb_minus4, 0);
}

// ---- The DPB ----

TEST_F(H264, DpbEntries) {
    references.timestamps = {{1, 1000}, {2, 2000}, {3, 3000}};
    auto picture = parameters();
    picture.seq_fields.bits.log2_max_frame_num_minus4 = 0; // MaxFrameNum 16
    // As FFmpeg lists them: short-term references, the latest first, then long-term ones.
    picture.ReferenceFrames[0] = reference(3, 1, 8, 9);
    picture.ReferenceFrames[1] = reference(1, 15, 4, 5);
    picture.ReferenceFrames[2] = reference(2, 3, 6, 7, VA_PICTURE_H264_LONG_TERM_REFERENCE);
    decodeParams(parameters(), idr);
    const auto params = decodeParams(picture, {.type = 0, .frameNum = 2});

    const auto& dpb = params.dpb; // in decoding order
    EXPECT_EQ(dpb[0].reference_ts, 1000u);
    EXPECT_EQ(dpb[0].frame_num, 15);
    EXPECT_EQ(static_cast<int32_t>(dpb[0].pic_num), -1); // (8-27): 15 - 16
    EXPECT_EQ(dpb[0].fields, V4L2_H264_FRAME_REF);
    EXPECT_EQ(dpb[0].top_field_order_cnt, 4);
    EXPECT_EQ(dpb[0].bottom_field_order_cnt, 5);
    EXPECT_EQ(dpb[0].flags, validActive);
    EXPECT_EQ(dpb[1].reference_ts, 2000u);
    EXPECT_EQ(dpb[1].frame_num, 3); // LongTermFrameIdx, never wrapped
    EXPECT_EQ(dpb[1].pic_num, 3u);
    EXPECT_EQ(dpb[1].flags, validActive | V4L2_H264_DPB_ENTRY_FLAG_LONG_TERM);
    EXPECT_EQ(dpb[2].reference_ts, 3000u);
    EXPECT_EQ(dpb[2].pic_num, 1u);
    EXPECT_EQ(dpb[3].flags, 0u);
}

TEST_F(H264, DpbSkipsWhatIsInvalidOrTwice) {
    references.timestamps = {{1, 1000}, {2, 2000}};
    auto picture = parameters();
    picture.ReferenceFrames[0] = reference(1, 0, 0, 0, VA_PICTURE_H264_INVALID);
    picture.ReferenceFrames[5] = reference(2, 1, 0, 0); // a client need not compact the list
    picture.ReferenceFrames[6] = reference(2, 1, 0, 0);
    const auto params = decodeParams(picture, {.type = 0, .frameNum = 2});
    EXPECT_EQ(params.dpb[0].reference_ts, 2000u);
    EXPECT_EQ(params.dpb[1].flags, 0u);
}

// 8.2.5.2: frames of a gap keep their places in the lists, and point at the frame before them.
TEST_F(H264, MissingReferencesAreReplaced) {
    references.timestamps = {{1, 1000}, {2, 2000}, {3, 3000}, {4, 3500}};
    auto picture = parameters();
    picture.ReferenceFrames[0] = reference(3, 9, 0, 0);
    picture.ReferenceFrames[1] = reference(77, 8, 0, 0); // never decoded
    picture.ReferenceFrames[2] = reference(1, 5, 0, 0);
    picture.ReferenceFrames[3] = reference(2, 6, 0, 0);
    picture.ReferenceFrames[4] = reference(4, 7, 0, 0, VA_PICTURE_H264_SHORT_TERM_REFERENCE | 0x20); // NON_EXISTING
    const auto params = decodeParams(picture, {.type = 0, .frameNum = 10});
    struct {
        uint16_t frameNum;
        uint64_t timestamp;
    } const expected[]{{5, 1000}, {6, 2000}, {9, 3000}, {8, 2000}, {7, 2000}};
    for (size_t i = 0; i < std::size(expected); ++i) {
        EXPECT_EQ(params.dpb[i].frame_num, expected[i].frameNum);
        EXPECT_EQ(params.dpb[i].reference_ts, expected[i].timestamp);
        EXPECT_EQ(params.dpb[i].flags, validActive);
    }
    EXPECT_EQ(params.dpb[5].flags, 0u);
}

TEST_F(H264, NothingDecodedMeansNothingListed) {
    references.timestamps = {{target, 500}}; // what the target held before
    auto picture = parameters();
    picture.ReferenceFrames[0] = reference(77, 8, 0, 0);
    picture.ReferenceFrames[1] = reference(target, 7, 0, 0);
    const auto params = decodeParams(picture, {.type = 0, .frameNum = 9});
    EXPECT_EQ(params.dpb[0].flags, 0u);
    EXPECT_EQ(params.dpb[0].reference_ts, 0u);
}

// ---- Fields ----

TEST_F(H264, FieldPair) {
    references.timestamps = {{1, 1000}};
    auto picture = parameters(65536 + 4, 0);
    picture.seq_fields.bits.frame_mbs_only_flag = 0;
    picture.pic_fields.bits.field_pic_flag = 1;
    const auto first = build(picture, {Header{.refIdc = 3, .idr = true, .field = 0, .pocLsb = 4}});
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_FALSE(first->secondField);
    const auto top = first->jobs[0].controls.get<H264DecodeParams>();
    EXPECT_EQ(top.flags, V4L2_H264_DECODE_PARAM_FLAG_IDR_PIC | V4L2_H264_DECODE_PARAM_FLAG_FIELD_PIC);
    EXPECT_EQ(top.top_field_order_cnt, 4);
    EXPECT_EQ(top.bottom_field_order_cnt, 0);

    references.timestamps[target] = 2000;
    picture.CurrPic.BottomFieldOrderCnt = 65536 + 5;
    picture.ReferenceFrames[0] =
        reference(target, 0, 65540, 0, VA_PICTURE_H264_SHORT_TERM_REFERENCE | VA_PICTURE_H264_TOP_FIELD);
    const auto second = build(picture, {Header{.type = 0, .field = 1, .pocLsb = 5}});
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_TRUE(second->secondField);
    const auto bottom = second->jobs[0].controls.get<H264DecodeParams>();
    EXPECT_EQ(bottom.flags, V4L2_H264_DECODE_PARAM_FLAG_FIELD_PIC | V4L2_H264_DECODE_PARAM_FLAG_BOTTOM_FIELD |
                                V4L2_H264_DECODE_PARAM_FLAG_PFRAME);
    EXPECT_EQ(bottom.top_field_order_cnt, 4);
    EXPECT_EQ(bottom.bottom_field_order_cnt, 5);
    EXPECT_EQ(bottom.dpb[0].reference_ts, 2000u);
    EXPECT_EQ(bottom.dpb[0].fields, V4L2_H264_TOP_FIELD_REF);
    EXPECT_EQ(bottom.dpb[0].top_field_order_cnt, 4);
    EXPECT_EQ(bottom.dpb[0].bottom_field_order_cnt, 0);
    EXPECT_EQ(bottom.dpb[0].flags, validActive | V4L2_H264_DPB_ENTRY_FLAG_FIELD);
    EXPECT_EQ(bottom.dpb[0].pic_num, 0u); // (8-31): the other parity, 2 * 0

    const auto third = build(picture, {Header{.type = 0, .field = 1, .pocLsb = 5}});
    ASSERT_TRUE(third);
    EXPECT_FALSE(third->secondField) << "a pair has two fields";

    picture.CurrPic.picture_id = target + 1;
    picture.ReferenceFrames[0] = noPicture();
    ASSERT_TRUE(build(picture, {Header{.field = 0, .pocLsb = 4}}));
    picture.CurrPic.picture_id = target;
    const auto late = build(picture, {Header{.field = 1, .pocLsb = 5}});
    ASSERT_TRUE(late);
    EXPECT_FALSE(late->secondField) << "the picture before was the first field of another frame";
}

// VA-API gives a pair of fields and a frame alike.
TEST_F(H264, PicturesCodedAsFieldsAreRemembered) {
    references.timestamps = {{target, 1000}, {target + 1, 2000}};
    auto picture = parameters();
    picture.seq_fields.bits.frame_mbs_only_flag = 0;
    picture.pic_fields.bits.field_pic_flag = 1;
    ASSERT_TRUE(build(picture, {Header{.refIdc = 3, .idr = true, .field = 0}}));
    picture.ReferenceFrames[0] =
        reference(target, 0, 0, 0, VA_PICTURE_H264_SHORT_TERM_REFERENCE | VA_PICTURE_H264_TOP_FIELD);
    ASSERT_TRUE(build(picture, {Header{.type = 0, .field = 1}}));

    picture.pic_fields.bits.field_pic_flag = 0;
    picture.CurrPic.picture_id = target + 1;
    picture.ReferenceFrames[0] = reference(target, 0, 0, 0);
    const auto second = decodeParams(picture, {.type = 0, .frameNum = 1, .field = -1});
    EXPECT_EQ(second.dpb[0].flags, validActive | V4L2_H264_DPB_ENTRY_FLAG_FIELD);
    picture.CurrPic.picture_id = target + 2;
    picture.ReferenceFrames[1] = reference(target + 1, 1, 0, 0);
    const auto third = decodeParams(picture, {.type = 0, .frameNum = 2, .field = -1});
    EXPECT_EQ(third.dpb[0].flags, validActive | V4L2_H264_DPB_ENTRY_FLAG_FIELD);
    EXPECT_EQ(third.dpb[1].flags, validActive) << "coded as a frame";

    picture.CurrPic.picture_id = target;
    picture.ReferenceFrames[0] = reference(target + 1, 1, 0, 0);
    picture.ReferenceFrames[1] = noPicture();
    decodeParams(picture, {.type = 0, .frameNum = 3});
    picture.CurrPic.picture_id = target + 1;
    picture.ReferenceFrames[0] = reference(target, 3, 0, 0);
    const auto reused = decodeParams(picture, {.type = 0, .frameNum = 4});
    EXPECT_EQ(reused.dpb[0].flags, validActive) << "the surface has another picture";
}

TEST_F(H264, PicNumOfFields) {
    references.timestamps = {{1, 1000}, {2, 2000}};
    auto picture = parameters();
    picture.seq_fields.bits.frame_mbs_only_flag = 0;
    picture.pic_fields.bits.field_pic_flag = 1;
    picture.ReferenceFrames[0] = reference(1, 15, 0, 0);
    picture.ReferenceFrames[1] =
        reference(2, 2, 0, 0, VA_PICTURE_H264_LONG_TERM_REFERENCE | VA_PICTURE_H264_BOTTOM_FIELD);
    const auto params = decodeParams(picture, {.type = 0, .frameNum = 3, .field = 0});
    EXPECT_EQ(static_cast<int32_t>(params.dpb[0].pic_num), 2 * -1 + 1); // (8-30)
    EXPECT_EQ(params.dpb[1].pic_num, 4u);                               // (8-33)
}

// ---- Modes ----

TEST_F(H264, FrameBasedWithStartCodes) {
    const auto submission = build(parameters(), {idr, Header{.refIdc = 3, .idr = true, .firstMb = 9}});
    ASSERT_TRUE(submission);
    ASSERT_EQ(submission->jobs.size(), 1u);
    std::vector<uint8_t> expected;
    for (const Slice& sent : clients.back().input.slices) {
        expected.insert(expected.end(), {0, 0, 1});
        expected.insert(expected.end(), sent.data.begin(), sent.data.end());
    }
    EXPECT_EQ(test::bytesOf(submission->jobs[0].bitstream), expected);
    EXPECT_TRUE(submission->jobs[0].controls.find(H264SliceParams::id).empty());
    EXPECT_EQ(submission->jobs[0].controls.entries().size(), 3u);
}

TEST_F(H264, ZerosBehindANalUnitAreNotOfIt) {
    const auto tight = job(parameters());
    trailingZeros = 2;
    EXPECT_EQ(test::bytesOf(job(parameters()).bitstream), test::bytesOf(tight.bitstream));
}

TEST_F(H264, SliceBasedWithoutStartCodes) {
    setModes(V4L2_STATELESS_H264_DECODE_MODE_SLICE_BASED, V4L2_STATELESS_H264_START_CODE_NONE);
    const auto submission = build(parameters(), {idr, Header{.refIdc = 3, .idr = true, .firstMb = 9}});
    ASSERT_TRUE(submission);
    ASSERT_EQ(submission->jobs.size(), 2u);
    for (size_t i = 0; i < 2; ++i) {
        const Job& job = submission->jobs[i];
        const Slice& sent = clients.back().input.slices[i];
        EXPECT_EQ(test::bytesOf(job.bitstream), std::vector<uint8_t>(sent.data.begin(), sent.data.end()));
        const auto params = job.controls.get<H264SliceParams>();
        EXPECT_EQ(params.first_mb_in_slice, i * 9);
        EXPECT_EQ(params.slice_type, V4L2_H264_SLICE_TYPE_I);
        EXPECT_EQ(params.slice_qp_delta, -3);
        EXPECT_EQ(job.controls.find(H264DecodeParams::id).empty(), false);
    }
    // 8 + 1 + 3 + 1 + 4 + 1 + 4 + 2 + 5 bits of the header that encode() wrote
    EXPECT_EQ(submission->jobs[0].controls.get<H264SliceParams>().header_bit_size, 29u);
}

TEST_F(H264, ReferenceLists) {
    setModes(V4L2_STATELESS_H264_DECODE_MODE_SLICE_BASED, V4L2_STATELESS_H264_START_CODE_NONE);
    references.timestamps = {{1, 1000}, {2, 2000}};
    auto picture = parameters();
    picture.pic_fields.bits.entropy_coding_mode_flag = 1;
    picture.ReferenceFrames[0] = reference(2, 2, 0, 0);
    picture.ReferenceFrames[1] = reference(1, 1, 0, 0);
    slice.RefPicList0[0] = picture.ReferenceFrames[0];
    slice.RefPicList0[2] = picture.ReferenceFrames[1];
    slice.RefPicList0[3] = picture.ReferenceFrames[1]; // not active
    slice.RefPicList1[0] = picture.ReferenceFrames[1];
    slice.RefPicList1[1] = reference(99, 1, 0, 0); // not in the DPB
    const auto params =
        job(picture, {Header{.type = 1, .frameNum = 3, .override = {2, 1}}}).controls.get<H264SliceParams>();
    EXPECT_EQ(params.slice_type, V4L2_H264_SLICE_TYPE_B);
    EXPECT_EQ(params.flags, V4L2_H264_SLICE_FLAG_DIRECT_SPATIAL_MV_PRED);
    EXPECT_EQ(params.cabac_init_idc, 1);
    EXPECT_EQ(params.num_ref_idx_l0_active_minus1, 2);
    EXPECT_EQ(params.num_ref_idx_l1_active_minus1, 1);
    const auto entry = [](const v4l2_h264_reference& r) { return std::pair<int, int>(r.index, r.fields); };
    using Pair = std::pair<int, int>;
    EXPECT_EQ(entry(params.ref_pic_list0[0]), Pair(1, V4L2_H264_FRAME_REF)); // decoded second
    EXPECT_EQ(entry(params.ref_pic_list0[1]), Pair(1, V4L2_H264_FRAME_REF)); // a hole: the entry before it stands in
    EXPECT_EQ(entry(params.ref_pic_list0[2]), Pair(0, V4L2_H264_FRAME_REF));
    EXPECT_EQ(entry(params.ref_pic_list0[3]), Pair(0xff, 0xff));
    EXPECT_EQ(entry(params.ref_pic_list1[0]), Pair(0, V4L2_H264_FRAME_REF));
    EXPECT_EQ(entry(params.ref_pic_list1[1]), Pair(0, V4L2_H264_FRAME_REF));
    EXPECT_EQ(entry(params.ref_pic_list1[31]), Pair(0xff, 0xff));
}

TEST_F(H264, PredWeightsAreThoseOfTheStream) {
    setModes(V4L2_STATELESS_H264_DECODE_MODE_SLICE_BASED, V4L2_STATELESS_H264_START_CODE_NONE);
    references.timestamps = {{1, 1000}};
    auto picture = parameters();
    picture.pic_fields.bits.weighted_pred_flag = 1;
    picture.ReferenceFrames[0] = reference(1, 0, 0, 0);
    slice.luma_weight_l0[0] = 55; // not what the slice says
    BitWriter w;
    w.bits(0, 3).bits(1, 5).ue(0).ue(0).ue(0).bits(1, 4).bits(0, 4).bits(0, 2);
    w.ue(5).ue(4).bits(1, 1).se(-7).se(8).bits(0, 1).se(0).bits(0xabcd, 16);
    test::Client client;
    client.input.target = target;
    client.input.width = 352;
    client.input.height = 288;
    client.picture(picture);
    client.slice(slice, w.escaped());
    const auto submission = h264Codec.build(client.input, references, device, state, state);
    ASSERT_TRUE(submission) << submission.error().message;
    const auto weights = submission->jobs[0].controls.get<H264PredWeights>();
    EXPECT_EQ(weights.luma_log2_weight_denom, 5);
    EXPECT_EQ(weights.chroma_log2_weight_denom, 4);
    EXPECT_EQ(weights.weight_factors[0].luma_weight[0], -7);
    EXPECT_EQ(weights.weight_factors[0].luma_offset[0], 8);
    EXPECT_EQ(weights.weight_factors[0].chroma_weight[0][1], 16);
    EXPECT_EQ(weights.weight_factors[0].luma_weight[1], 0);
}

// ---- What is dropped, and what is refused ----

TEST_F(H264, RedundantSlicesAreDropped) {
    auto picture = parameters();
    picture.pic_fields.bits.redundant_pic_cnt_present_flag = 1;
    const Header redundant{.refIdc = 3, .idr = true, .override = {99, -1}};
    const auto submission = build(picture, {idr, redundant});
    ASSERT_TRUE(submission);
    EXPECT_EQ(submission->jobs[0].bitstream.size(), 3 + clients.back().input.slices[0].data.size());
    EXPECT_EQ(build(picture, {redundant}).error().kind, ErrorKind::Unsupported);
}

TEST_F(H264, RefusedPictures) {
    using Picture = VAPictureParameterBufferH264;
    constexpr auto invalid = ErrorKind::InvalidParameter;
    constexpr auto unsupported = ErrorKind::Unsupported;
    struct {
        const char* what;
        ErrorKind kind;
        void (*change)(Picture&);
    } const table[]{
        {"over 65536 pixels", invalid, [](Picture& p) { p.picture_width_in_mbs_minus1 = 65535; }},
        {"an odd number of rows in fields", invalid,
         [](Picture& p) {
             p.seq_fields.bits.frame_mbs_only_flag = 0;
             p.picture_height_in_mbs_minus1 = 16;
         }},
        {"4:2:2", unsupported, [](Picture& p) { p.seq_fields.bits.chroma_format_idc = 2; }},
        {"4:4:4", unsupported, [](Picture& p) { p.seq_fields.bits.chroma_format_idc = 3; }},
        {"10 bits", unsupported, [](Picture& p) { p.bit_depth_luma_minus8 = 2; }},
        {"10 bits of chroma", unsupported, [](Picture& p) { p.bit_depth_chroma_minus8 = 2; }},
        {"17 references", invalid, [](Picture& p) { p.num_ref_frames = 17; }},
        {"log2_max_frame_num", invalid, [](Picture& p) { p.seq_fields.bits.log2_max_frame_num_minus4 = 13; }},
        {"log2_max_pic_order_cnt_lsb", invalid,
         [](Picture& p) { p.seq_fields.bits.log2_max_pic_order_cnt_lsb_minus4 = 13; }},
        {"pic_order_cnt_type", invalid, [](Picture& p) { p.seq_fields.bits.pic_order_cnt_type = 3; }},
        {"weighted_bipred_idc", invalid, [](Picture& p) { p.pic_fields.bits.weighted_bipred_idc = 3; }},
        {"pic_init_qp", invalid, [](Picture& p) { p.pic_init_qp_minus26 = -27; }},
        {"pic_init_qs", invalid, [](Picture& p) { p.pic_init_qs_minus26 = 26; }},
        {"chroma_qp_index_offset", invalid, [](Picture& p) { p.chroma_qp_index_offset = 13; }},
        {"second_chroma_qp_index_offset", invalid, [](Picture& p) { p.second_chroma_qp_index_offset = -13; }},
        {"field_pic_flag without a field", invalid, [](Picture& p) { p.pic_fields.bits.field_pic_flag = 1; }},
    };
    for (const auto& row : table) {
        auto picture = parameters();
        row.change(picture);
        const auto submission = build(picture);
        ASSERT_FALSE(submission) << row.what;
        EXPECT_EQ(submission.error().kind, row.kind) << row.what << ": " << submission.error().message;
        EXPECT_FALSE(state.has_value());
    }

    auto groups = parameters();
    size_t offset = offsetof(Picture, seq_fields) + sizeof(groups.seq_fields); // num_slice_groups_minus1 follows
    reinterpret_cast<uint8_t*>(&groups)[offset] = 1;
    EXPECT_EQ(build(groups).error().kind, unsupported);
}

TEST_F(H264, RefusedSlices) {
    const auto kind = [&](const std::vector<Header>& headers) {
        const auto submission = build(parameters(), headers);
        return submission ? std::nullopt : std::optional(submission.error().kind);
    };
    EXPECT_EQ(kind({}), ErrorKind::InvalidParameter) << "none";
    EXPECT_EQ(kind({Header{.firstMb = 396}}), ErrorKind::Decoding) << "beyond the picture";
    EXPECT_EQ(kind({Header{}, Header{.firstMb = 9, .pps = 300}, Header{.firstMb = 20}}), std::nullopt);
    EXPECT_EQ(kind({Header{}, Header{.firstMb = 9, .pps = 1}}), std::nullopt) << "another PPS whose headers are alike";

    test::Client client;
    client.input.target = target;
    client.input.width = 352;
    client.input.height = 288;
    client.picture(parameters());
    client.slice(slice, {});
    EXPECT_FALSE(h264Codec.build(client.input, references, device, state, state)) << "no data";
    client.input.slices.clear();
    slice.slice_data_bit_offset = 33;
    client.slice(slice, {0x65, 0xb8, 0x00, 0x04});
    EXPECT_FALSE(h264Codec.build(client.input, references, device, state, state)) << "slice_data_bit_offset";
    client.input.slices[0].parameters = client.input.slices[0].parameters.first(8);
    EXPECT_FALSE(h264Codec.build(client.input, references, device, state, state)) << "short slice parameters";
    client.input.iqMatrix = client.input.picture.first(8);
    EXPECT_FALSE(h264Codec.build(client.input, references, device, state, state)) << "a short matrix";
    client.input.picture = client.input.picture.first(8);
    EXPECT_FALSE(h264Codec.build(client.input, references, device, state, state)) << "short picture parameters";
}

// ---- Streams as they come ----

class H264Damaged : public H264 {
protected:
    H264Damaged() {
        references.timestamps = {{1, 1000}, {2, 2000}, {3, 3000}};
        picture.seq_fields.bits.log2_max_frame_num_minus4 = 0;
        picture.ReferenceFrames[0] = reference(2, 2, 0, 0);
        picture.ReferenceFrames[1] = reference(1, 1, 0, 0);
        picture.ReferenceFrames[2] = reference(3, 0, 0, 0); // kept for later pictures
        slice.RefPicList0[0] = picture.ReferenceFrames[0];
        slice.RefPicList0[1] = picture.ReferenceFrames[1];
    }
    Submission submit(const std::vector<Header>& headers) {
        auto submission = build(picture, headers);
        EXPECT_TRUE(submission) << submission.error().message;
        return submission ? std::move(*submission) : Submission{};
    }
    // The first macroblocks of the slices that the device gets.
    std::vector<int> slicesOf(const std::vector<Header>& headers) {
        setModes(V4L2_STATELESS_H264_DECODE_MODE_SLICE_BASED, V4L2_STATELESS_H264_START_CODE_NONE);
        std::vector<int> first;
        for (const Job& job : submit(headers).jobs)
            first.push_back(static_cast<int>(job.controls.get<H264SliceParams>().first_mb_in_slice));
        return first;
    }

    VAPictureParameterBufferH264 picture = parameters();
    const Header predicted{.type = 0, .frameNum = 3, .override = {1, -1}};
};

TEST_F(H264Damaged, APictureInheritsFromWhatItIsPredictedFrom) {
    const Submission whole = submit({predicted});
    EXPECT_FALSE(whole.damaged);
    EXPECT_EQ(whole.predictedFrom, (std::pmr::vector<VASurfaceID>{2, 1}));
    EXPECT_EQ(whole.damageLasts, 32u); // twice MaxFrameNum
    EXPECT_TRUE(submit({Header{.frameNum = 4}}).predictedFrom.empty()) << "an I picture";
}

TEST_F(H264Damaged, AMissingReferenceIsDamage) {
    references.timestamps.erase(3);
    EXPECT_FALSE(submit({predicted}).damaged) << "one that is only kept";
    references.timestamps.erase(2);
    const Submission lost = submit({predicted});
    EXPECT_TRUE(lost.damaged);
    EXPECT_EQ(lost.predictedFrom, std::pmr::vector<VASurfaceID>{1});
    slice.RefPicList0[0] = noPicture();
    EXPECT_TRUE(submit({predicted}).damaged) << "a hole in the list";
    EXPECT_FALSE(submit({Header{.frameNum = 4}}).damaged) << "an I picture";
}

// 8.2.5.2: nothing is predicted from the frames of a gap that the sequence allows, though they are in the lists.
TEST_F(H264Damaged, GapsThatAreAllowedAreNone) {
    submit({predicted});
    EXPECT_TRUE(submit({Header{.type = 0, .frameNum = 5, .override = {1, -1}}}).damaged) << "4 never came";
    EXPECT_FALSE(submit({Header{.type = 0, .frameNum = 6, .override = {1, -1}}}).damaged);
    picture.seq_fields.bits.gaps_in_frame_num_value_allowed_flag = 1;
    picture.ReferenceFrames[0].flags |= 0x20; // NON_EXISTING
    EXPECT_FALSE(submit({Header{.type = 0, .frameNum = 9, .override = {1, -1}}}).damaged);
}

TEST_F(H264Damaged, ThePictureDecodedLastStandsInForAll) {
    references.timestamps.clear();
    references.latestPicture = 4000;
    const Submission lost = submit({predicted});
    EXPECT_TRUE(lost.damaged);
    const auto params = lost.jobs[0].controls.get<H264DecodeParams>();
    for (size_t i = 0; i < 3; ++i)
        EXPECT_EQ(params.dpb[i].reference_ts, 4000u);
    EXPECT_EQ(params.dpb[3].flags, 0u);
}

// Chromium names no surface for a frame of a gap, and says all else of it.
TEST_F(H264Damaged, AFrameOfAGapWithoutASurfaceKeepsItsPlace) {
    picture.ReferenceFrames[0].picture_id = VA_INVALID_SURFACE;
    slice.RefPicList0[0] = picture.ReferenceFrames[0];
    const auto params = submit({predicted}).jobs[0].controls.get<H264DecodeParams>();
    EXPECT_EQ(params.dpb[2].frame_num, 2);
    EXPECT_EQ(params.dpb[2].reference_ts, 1000u);
    EXPECT_EQ(params.dpb[2].flags, validActive);
}

// 8.2.5.4: Chromium gives frame_num where LongTermFrameIdx belongs.
TEST_F(H264Damaged, LongTermIndicesAreThoseOfTheStream) {
    submit({Header{.refIdc = 3, .idr = true, .longTerm = true}}); // the target: 0
    constexpr uint32_t longTerm = VA_PICTURE_H264_LONG_TERM_REFERENCE;
    picture.ReferenceFrames[2] = reference(target, 7, 0, 0, longTerm);
    picture.CurrPic.picture_id = 20;
    submit({Header{.frameNum = 1, .marking = {{6, 3, 0}}}}); // 20: 3
    picture.CurrPic.picture_id = 21;
    picture.ReferenceFrames[3] = reference(20, 1, 0, 0, longTerm);
    // PicNum of 2 is 2: CurrPicNum 3 - 1
    submit({Header{.frameNum = 3, .marking = {{3, 0, 5}}}});
    references.timestamps = {{1, 1000}, {2, 2000}, {target, 3000}, {20, 4000}};
    picture.CurrPic.picture_id = 22;
    picture.ReferenceFrames[0] = reference(2, 2, 0, 0, longTerm);
    const auto params = submit({Header{.type = 0, .frameNum = 4}}).jobs[0].controls.get<H264DecodeParams>();
    for (const auto& [entry, index] : {std::pair{1, 5u}, {2, 0u}, {3, 3u}}) {
        EXPECT_EQ(params.dpb[entry].pic_num, index);
        EXPECT_EQ(params.dpb[entry].frame_num, index);
    }
    picture.ReferenceFrames[3] = noPicture(); // no reference any more
    submit({Header{.type = 0, .frameNum = 5}});
    picture.ReferenceFrames[3] = reference(20, 1, 0, 0, longTerm);
    EXPECT_EQ(submit({Header{.type = 0, .frameNum = 6}}).jobs[0].controls.get<H264DecodeParams>().dpb[3].pic_num, 1u);
}

TEST_F(H264Damaged, SlicesAreInOrderAndThereOnce) {
    const auto slices = [](std::initializer_list<uint32_t> first) {
        std::vector<Header> headers;
        for (const uint32_t mb : first)
            headers.push_back({.firstMb = mb});
        return headers;
    };
    EXPECT_EQ(slicesOf(slices({0, 40, 80})), (std::vector{0, 40, 80}));
    EXPECT_EQ(slicesOf(slices({40, 0, 80})), (std::vector{0, 40, 80}));
    EXPECT_EQ(slicesOf(slices({0, 40, 40, 0, 80})), (std::vector{0, 40, 80}));
    EXPECT_FALSE(submit(slices({0, 40, 40, 80})).damaged);
    EXPECT_TRUE(submit(slices({40, 80})).damaged) << "the first is missing";
}

TEST_F(H264Damaged, ASliceThatIsNoneOfThisPictureIsLeftOut) {
    const Header first{.frameNum = 1}, last{.firstMb = 80, .frameNum = 1};
    for (const Header& other :
         {Header{.refIdc = 3, .idr = true, .firstMb = 40}, Header{.firstMb = 40, .frameNum = 2},
          Header{.firstMb = 40, .type = 3, .frameNum = 1}, Header{.firstMb = 999, .frameNum = 1}}) {
        EXPECT_EQ(slicesOf({first, other, last}), (std::vector{0, 80}));
        EXPECT_TRUE(submit({first, other, last}).damaged);
    }
}

TEST_F(H264Damaged, TheFirstFieldMayBeInTheListsOnly) {
    picture.seq_fields.bits.frame_mbs_only_flag = 0;
    picture.pic_fields.bits.field_pic_flag = 1;
    submit({Header{.refIdc = 3, .idr = true, .field = 0}});
    references.timestamps[target] = 5000;
    slice.RefPicList0[0] = reference(target, 0, 0, 0, VA_PICTURE_H264_SHORT_TERM_REFERENCE | VA_PICTURE_H264_TOP_FIELD);
    const Submission second = submit({Header{.type = 0, .field = 1, .override = {0, -1}}});
    EXPECT_TRUE(second.secondField);
    EXPECT_FALSE(second.damaged);
    EXPECT_EQ(second.jobs[0].controls.get<H264DecodeParams>().dpb[3].reference_ts, 5000u);
}

TEST_F(H264, SliceBasedDeviceWithoutSliceParams) {
    setModes(V4L2_STATELESS_H264_DECODE_MODE_FRAME_BASED, V4L2_STATELESS_H264_START_CODE_NONE);
    device.set(V4L2_CID_STATELESS_H264_DECODE_MODE, {.value = V4L2_STATELESS_H264_DECODE_MODE_SLICE_BASED});
    EXPECT_EQ(build(parameters()).error().kind, ErrorKind::Unsupported);
}

} // namespace
} // namespace v4l2_request::codec
