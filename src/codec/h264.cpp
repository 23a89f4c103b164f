// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <linux/v4l2-controls.h>
#include <linux/videodev2.h>

#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec/h264_level.h"
#include "codec/h264_references.h"
#include "codec/parameters.h"

// H.264. Clauses and tables are those of Rec. ITU-T H.264. VA-API carries neither NAL unit headers nor several elements
// of slice_header(), so the slices are parsed; what the parameter sets hold and VA-API does not, is derived where that
// is possible, and named below where it is not.
namespace v4l2_request::codec {

namespace {

using bitstream::H264SliceHeader;
using bitstream::H264SliceType;
using h264::Dpb;
using h264::ParsedSlice;
using h264::Picture;

// What outlives a picture.
struct H264State {
    // What the client's picture order counts exceed those of the standard by; see pocOffset().
    std::optional<int32_t> pocOffset;
    // num_ref_idx_l{0,1}_default_active_minus1 + 1 of each picture parameter set, 0 while unknown.
    std::array<std::array<uint8_t, 2>, 256> numRefIdxDefault{};
    // A first field whose second has not come yet.
    struct OpenField {
        VASurfaceID target;
        bool bottom;
        uint16_t frameNum;
    };
    std::optional<OpenField> openField;
    h264::ReferenceState references;
};

// ---- What the state knows ----

// Clients may count pictures from elsewhere than the standard does: FFmpeg starts each IDR picture of POC type 0 at
// 65536, to keep all counts positive. Hardware only compares them, but a control's value is that of the standard. At an
// IDR picture that value is known: prevPicOrderCntMsb and FrameNumOffset are 0 (8.2.1.1 to 8.2.1.3). A stream that
// starts with another picture has lost its real base; there, whole multiples of 65536, the largest MaxPicOrderCntLsb,
// are taken off such that the first count comes closest to 0. Until the next IDR picture the offset must not change, or
// references and co-located pictures would no longer be comparable.
int32_t pocOffset(const Picture& picture, const H264State& state) {
    const H264SliceHeader& header = picture.header();
    if (state.pocOffset && !header.idr)
        return *state.pocOffset;
    const VAPictureH264& current = picture.parameters.CurrPic;
    const int64_t sent = header.bottomField ? current.BottomFieldOrderCnt : current.TopFieldOrderCnt;
    int64_t expected = 0;
    switch (picture.parameters.seq_fields.bits.pic_order_cnt_type) {
    case 0: expected = header.picOrderCntLsb; break;
    case 1: expected = header.deltaPicOrderCnt[0]; break; // and the offsets of type 1, all without weight at an IDR
    default: break;
    }
    const int64_t excess = sent - expected;
    return static_cast<int32_t>(header.idr ? excess : (excess + 0x8000) & ~int64_t{0xffff});
}

int32_t rebased(int32_t poc, int32_t offset) {
    return static_cast<int32_t>(static_cast<uint32_t>(poc) - static_cast<uint32_t>(offset));
}

bool isSecondField(const Picture& picture, VASurfaceID target, const H264State& state) {
    const H264SliceHeader& header = picture.header();
    return header.fieldPic && !header.idr && state.openField && state.openField->target == target &&
           state.openField->bottom != header.bottomField && state.openField->frameNum == header.frameNum;
}

// The defaults of the picture parameter set are what VA-API gives for a slice that does not override them. Slices that
// do override them do not depend on the defaults, so a guess for a set that never showed its own is harmless.
void learnNumRefIdxDefaults(const Picture& picture, H264State& state) {
    for (const ParsedSlice& slice : picture.slices)
        for (unsigned list : {0u, 1u}) {
            const uint8_t active = slice.header.numRefIdxActive[list];
            uint8_t& known = state.numRefIdxDefault[slice.header.picParameterSetId][list];
            if (active != 0 && (!slice.header.numRefIdxOverride || known == 0))
                known = active;
        }
}

// ---- The controls ----

struct ProfileIdc {
    uint8_t idc;
    uint8_t constraints;
};

// Whether the picture uses what only the High profile (A.2.4) has, or what no Baseline profile has (A.2.1).
bool needsHigh(const VAPictureParameterBufferH264& picture, bool scalingMatrix) {
    return picture.pic_fields.bits.transform_8x8_mode_flag || scalingMatrix ||
           picture.seq_fields.bits.chroma_format_idc == 0 ||
           picture.chroma_qp_index_offset != picture.second_chroma_qp_index_offset;
}

bool needsMain(const Picture& picture) {
    const auto& fields = picture.parameters.pic_fields.bits;
    return fields.entropy_coding_mode_flag || fields.weighted_pred_flag || fields.weighted_bipred_idc ||
           !picture.parameters.seq_fields.bits.frame_mbs_only_flag ||
           std::ranges::any_of(picture.slices,
                               [](const ParsedSlice& slice) { return slice.header.type == H264SliceType::B; });
}

// The profile that the client chose, unless the picture shows that it cannot be: clients keep their VA profile when a
// stream goes on with other parameter sets. A stream obeys the clause of its own profile, which constraint_set0_flag
// says of A.2.1 (66) and constraint_set1_flag of A.2.2 (77); A.2.1.1: constrained baseline is profile_idc 66 with both.
// Nothing more is claimed.
ProfileIdc profileIdc(VAProfile profile, const Picture& picture, bool scalingMatrix) {
    if (profile == VAProfileH264High10)
        return {110, 0};
    if (profile == VAProfileH264High || needsHigh(picture.parameters, scalingMatrix))
        return {100, 0};
    if (profile == VAProfileH264Main || needsMain(picture))
        return {77, V4L2_H264_SPS_CONSTRAINT_SET1_FLAG};
    return {66, V4L2_H264_SPS_CONSTRAINT_SET0_FLAG | V4L2_H264_SPS_CONSTRAINT_SET1_FLAG};
}

// Not in VA-API, and therefore 0: the offsets of pic_order_cnt_type 1. Decoders do not need them, as DECODE_PARAMS
// holds the picture order counts themselves. seq_parameter_set_id only links the two sets, which are one of each here.
v4l2_ctrl_h264_sps fillSps(VAProfile clientProfile, const Picture& parsed, bool scalingMatrix) {
    const VAPictureParameterBufferH264& picture = parsed.parameters;
    const auto& sequence = picture.seq_fields.bits;
    const ProfileIdc profile = profileIdc(clientProfile, parsed, scalingMatrix);
    const uint32_t heightInMbs = picture.picture_height_in_mbs_minus1 + 1u;
    const uint8_t level = smallestH264Level({
        .widthInMbs = picture.picture_width_in_mbs_minus1 + 1u,
        .heightInMbs = heightInMbs,
        .numRefFrames = picture.num_ref_frames,
        .frameMbsOnly = sequence.frame_mbs_only_flag != 0,
    });
    return {
        .profile_idc = profile.idc,
        .constraint_set_flags = profile.constraints,
        .level_idc = level,
        .chroma_format_idc = static_cast<uint8_t>(sequence.chroma_format_idc),
        .bit_depth_luma_minus8 = picture.bit_depth_luma_minus8,
        .bit_depth_chroma_minus8 = picture.bit_depth_chroma_minus8,
        .log2_max_frame_num_minus4 = static_cast<uint8_t>(sequence.log2_max_frame_num_minus4),
        .pic_order_cnt_type = static_cast<uint8_t>(sequence.pic_order_cnt_type),
        .log2_max_pic_order_cnt_lsb_minus4 =
            static_cast<uint8_t>(sequence.pic_order_cnt_type == 0 ? sequence.log2_max_pic_order_cnt_lsb_minus4 : 0),
        .max_num_ref_frames = picture.num_ref_frames,
        .pic_width_in_mbs_minus1 = picture.picture_width_in_mbs_minus1,
        // 7.4.2.1.1: a map unit is a macroblock pair where fields are possible. VA-API counts macroblocks of a frame.
        .pic_height_in_map_units_minus1 =
            static_cast<uint16_t>(sequence.frame_mbs_only_flag ? heightInMbs - 1 : heightInMbs / 2 - 1),
        .flags =
            (sequence.delta_pic_order_always_zero_flag ? V4L2_H264_SPS_FLAG_DELTA_PIC_ORDER_ALWAYS_ZERO : 0u) |
            (sequence.gaps_in_frame_num_value_allowed_flag ? V4L2_H264_SPS_FLAG_GAPS_IN_FRAME_NUM_VALUE_ALLOWED : 0u) |
            (sequence.frame_mbs_only_flag ? V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY : 0u) |
            (sequence.mb_adaptive_frame_field_flag ? V4L2_H264_SPS_FLAG_MB_ADAPTIVE_FRAME_FIELD : 0u) |
            (sequence.direct_8x8_inference_flag ? V4L2_H264_SPS_FLAG_DIRECT_8X8_INFERENCE : 0u),
    };
}

v4l2_ctrl_h264_pps fillPps(const Picture& picture, const H264State& state, bool scalingMatrix) {
    const VAPictureParameterBufferH264& parameters = picture.parameters;
    const auto& fields = parameters.pic_fields.bits;
    const auto& defaults = state.numRefIdxDefault[picture.header().picParameterSetId];
    const auto minus1 = [](uint8_t count) { return static_cast<uint8_t>(count > 0 ? count - 1 : 0); };
    return {
        .pic_parameter_set_id = picture.header().picParameterSetId,
        .num_ref_idx_l0_default_active_minus1 = minus1(defaults[0]),
        .num_ref_idx_l1_default_active_minus1 = minus1(defaults[1]),
        .weighted_bipred_idc = static_cast<uint8_t>(fields.weighted_bipred_idc),
        .pic_init_qp_minus26 = static_cast<int8_t>(parameters.pic_init_qp_minus26 - h264::addedToInitQp(parameters)),
        .pic_init_qs_minus26 = static_cast<int8_t>(parameters.pic_init_qs_minus26 - h264::addedToInitQp(parameters)),
        .chroma_qp_index_offset = parameters.chroma_qp_index_offset,
        .second_chroma_qp_index_offset = parameters.second_chroma_qp_index_offset,
        .flags = static_cast<uint16_t>(
            (fields.entropy_coding_mode_flag ? V4L2_H264_PPS_FLAG_ENTROPY_CODING_MODE : 0) |
            (fields.pic_order_present_flag ? V4L2_H264_PPS_FLAG_BOTTOM_FIELD_PIC_ORDER_IN_FRAME_PRESENT : 0) |
            (fields.weighted_pred_flag ? V4L2_H264_PPS_FLAG_WEIGHTED_PRED : 0) |
            (fields.deblocking_filter_control_present_flag ? V4L2_H264_PPS_FLAG_DEBLOCKING_FILTER_CONTROL_PRESENT : 0) |
            (fields.constrained_intra_pred_flag ? V4L2_H264_PPS_FLAG_CONSTRAINED_INTRA_PRED : 0) |
            (fields.redundant_pic_cnt_present_flag ? V4L2_H264_PPS_FLAG_REDUNDANT_PIC_CNT_PRESENT : 0) |
            (fields.transform_8x8_mode_flag ? V4L2_H264_PPS_FLAG_TRANSFORM_8X8_MODE : 0) |
            (scalingMatrix ? V4L2_H264_PPS_FLAG_SCALING_MATRIX_PRESENT : 0)),
    };
}

// Clients always send a matrix. Flat_4x4_16 and Flat_8x8_16 are what applies where a stream has none (7.4.2.1.1), and
// the kernel's SCALING_MATRIX_PRESENT is defined as "a non-flat scaling matrix applies", so a flat one is none.
bool hasScalingMatrix(const PictureInput& input) {
    if (input.iqMatrix.empty())
        return false;
    const auto matrix = readParameters<VAIQMatrixBufferH264>(input.iqMatrix);
    static constexpr auto flat = [] {
        std::array<uint8_t, sizeof(matrix.ScalingList8x8)> list{};
        list.fill(16);
        return list;
    }();
    static_assert(sizeof(matrix.ScalingList4x4) <= sizeof(flat));
    return std::memcmp(matrix.ScalingList4x4, flat.data(), sizeof(matrix.ScalingList4x4)) != 0 ||
           std::memcmp(matrix.ScalingList8x8, flat.data(), sizeof(matrix.ScalingList8x8)) != 0;
}

// Both APIs use raster order, and the same order of lists: of the 8x8 ones VA-API has the first two, luma, and 4:2:0
// needs no others (table 7-2).
v4l2_ctrl_h264_scaling_matrix fillScalingMatrix(const PictureInput& input) {
    const auto matrix = readParameters<VAIQMatrixBufferH264>(input.iqMatrix);
    v4l2_ctrl_h264_scaling_matrix scaling{};
    static_assert(sizeof(scaling.scaling_list_4x4) == sizeof(matrix.ScalingList4x4));
    static_assert(sizeof(scaling.scaling_list_8x8) > sizeof(matrix.ScalingList8x8));
    std::memcpy(scaling.scaling_list_4x4, matrix.ScalingList4x4, sizeof(matrix.ScalingList4x4));
    std::memcpy(scaling.scaling_list_8x8, matrix.ScalingList8x8, sizeof(matrix.ScalingList8x8));
    return scaling;
}

// A picture with a B slice is a B picture, and else one with a P slice a P picture (table 7-5).
uint32_t codingTypeFlag(const Picture& picture) {
    const auto has = [&](H264SliceType type) {
        return std::ranges::any_of(picture.slices,
                                   [type](const ParsedSlice& slice) { return slice.header.type == type; });
    };
    if (has(H264SliceType::B))
        return V4L2_H264_DECODE_PARAM_FLAG_BFRAME;
    return has(H264SliceType::P) ? V4L2_H264_DECODE_PARAM_FLAG_PFRAME : 0;
}

// slice_group_change_cycle stays 0: there are no slice groups.
v4l2_ctrl_h264_decode_params fillDecodeParams(const Picture& picture, const Dpb& dpb, bool secondField,
                                              int32_t offset) {
    const H264SliceHeader& header = picture.header();
    const VAPictureH264& current = picture.parameters.CurrPic;
    // Of a first field the other count is not known yet; a second field completes the frame.
    const bool hasTop = !header.bottomField || secondField;
    const bool hasBottom = !header.fieldPic || header.bottomField || secondField;
    v4l2_ctrl_h264_decode_params params{
        .nal_ref_idc = header.nalRefIdc,
        .frame_num = header.frameNum,
        .top_field_order_cnt = hasTop ? rebased(current.TopFieldOrderCnt, offset) : 0,
        .bottom_field_order_cnt = hasBottom ? rebased(current.BottomFieldOrderCnt, offset) : 0,
        .idr_pic_id = header.idrPicId,
        .pic_order_cnt_lsb = header.picOrderCntLsb,
        .delta_pic_order_cnt_bottom = header.deltaPicOrderCntBottom,
        .delta_pic_order_cnt0 = header.deltaPicOrderCnt[0],
        .delta_pic_order_cnt1 = header.deltaPicOrderCnt[1],
        .dec_ref_pic_marking_bit_size = header.decRefPicMarkingBitSize,
        .pic_order_cnt_bit_size = header.picOrderCntBitSize,
        .flags = (header.idr ? V4L2_H264_DECODE_PARAM_FLAG_IDR_PIC : 0u) |
                 (header.fieldPic ? V4L2_H264_DECODE_PARAM_FLAG_FIELD_PIC : 0u) |
                 (header.bottomField ? V4L2_H264_DECODE_PARAM_FLAG_BOTTOM_FIELD : 0u) | codingTypeFlag(picture),
    };
    std::ranges::transform(dpb.entries, params.dpb, &Dpb::Entry::control);
    return params;
}

// header_bit_size counts payload bits from the NAL unit header on, without emulation prevention bytes: devices that use
// it skip bits in a parser that removes those bytes. Start codes are not counted either.
v4l2_ctrl_h264_slice_params fillSliceParams(const ParsedSlice& slice, const Dpb& dpb) {
    const H264SliceHeader& header = slice.header;
    const auto minus1 = [](uint8_t count) { return static_cast<uint8_t>(count > 0 ? count - 1 : 0); };
    v4l2_ctrl_h264_slice_params params{
        .header_bit_size = static_cast<uint32_t>(header.bitSize),
        .first_mb_in_slice = header.firstMbInSlice,
        .slice_type = static_cast<uint8_t>(header.type),
        .colour_plane_id = header.colourPlaneId,
        .redundant_pic_cnt = header.redundantPicCnt,
        .cabac_init_idc = header.cabacInitIdc,
        .slice_qp_delta = header.sliceQpDelta,
        .disable_deblocking_filter_idc = header.disableDeblockingFilterIdc,
        .slice_alpha_c0_offset_div2 = header.sliceAlphaC0OffsetDiv2,
        .slice_beta_offset_div2 = header.sliceBetaOffsetDiv2,
        .num_ref_idx_l0_active_minus1 = minus1(header.numRefIdxActive[0]),
        .num_ref_idx_l1_active_minus1 = minus1(header.numRefIdxActive[1]),
        .flags = header.directSpatialMvPred ? V4L2_H264_SLICE_FLAG_DIRECT_SPATIAL_MV_PRED : 0u,
    };
    h264::fillReferenceList(params.ref_pic_list0, slice.parameters.RefPicList0, header.numRefIdxActive[0],
                            header.fieldPic, dpb);
    h264::fillReferenceList(params.ref_pic_list1, slice.parameters.RefPicList1, header.numRefIdxActive[1],
                            header.fieldPic, dpb);
    return params;
}

// From the stream, not from VA-API, whose clients disagree on what the weights are where their flag is 0.
v4l2_ctrl_h264_pred_weights fillPredWeights(const H264SliceHeader& header) {
    if (!header.weights)
        return {};
    const bitstream::H264PredWeightTable& table = *header.weights;
    v4l2_ctrl_h264_pred_weights weights{
        .luma_log2_weight_denom = table.lumaLog2Denom,
        .chroma_log2_weight_denom = table.chromaLog2Denom,
    };
    for (size_t list = 0; list < table.lists.size(); ++list) {
        const bitstream::H264Weights& from = table.lists[list];
        v4l2_h264_weight_factors& to = weights.weight_factors[list];
        const auto copy = [](auto& whole, const auto& part) {
            static_assert(sizeof(whole) == sizeof(part));
            std::memcpy(&whole, &part, sizeof(whole));
        };
        copy(to.luma_weight, from.lumaWeight);
        copy(to.luma_offset, from.lumaOffset);
        copy(to.chroma_weight, from.chromaWeight);
        copy(to.chroma_offset, from.chromaOffset);
    }
    return weights;
}

// ---- The submission ----

void appendSlice(const ParsedSlice& slice, bool startCode, Bitstream& bitstream) {
    static constexpr std::array<uint8_t, 3> annexB{0, 0, 1};
    if (startCode)
        bitstream.append(annexB);
    bitstream.append(slice.data);
}

// A stream without IDR pictures refreshes itself over up to recovery_frame_cnt frames, which is less than MaxFrameNum
// (D.2.8). VA-API does not tell when; the longest that damage can last is the rest of one such cycle, and the next.
uint32_t damageLasts(const Picture& picture) {
    return static_cast<uint32_t>(2 * picture.maxFrameNum());
}

Result<Submission> build(const PictureInput& input, const References& references, const DeviceControls& device,
                         const std::any& before, std::any& after) {
    Picture picture(input.memory);
    if (auto read = h264::readPicture(input, picture); !read)
        return tl::unexpected(std::move(read).error());
    const bool scalingMatrix = hasScalingMatrix(input);
    if (scalingMatrix && !device.has(H264ScalingMatrix::id))
        return fail(ErrorKind::Unsupported, "H.264: the device cannot be given a scaling matrix");
    const bool sliceBased =
        device.menu(V4L2_CID_STATELESS_H264_DECODE_MODE) == V4L2_STATELESS_H264_DECODE_MODE_SLICE_BASED;
    if (sliceBased && !device.has(H264SliceParams::id))
        return fail(ErrorKind::Unsupported, "H.264: the device wants single slices but cannot be told about them");
    const bool startCodes = device.menu(V4L2_CID_STATELESS_H264_START_CODE) == V4L2_STATELESS_H264_START_CODE_ANNEX_B;

    auto state = stateOf<H264State>(before);
    const bool secondField = isSecondField(picture, input.target, state);
    const int32_t offset = pocOffset(picture, state);
    const H264SliceHeader& header = picture.header();
    state.pocOffset = offset;
    state.openField.reset();
    if (header.fieldPic && !secondField)
        state.openField = {.target = input.target, .bottom = header.bottomField, .frameNum = header.frameNum};
    learnNumRefIdxDefaults(picture, state);

    const h264::Target target{.surface = input.target, .secondField = secondField, .pocOffset = offset};
    forgetReferences(picture, target, state.references);
    const Dpb dpb = buildDpb(picture, target, references, state.references, input.memory);
    Submission submission(input.memory);
    const bool whole = findPrediction(picture, dpb, state.references, submission.predictedFrom);
    rememberReferences(picture, target, state.references);

    ControlBatch pictureControls(input.memory);
    pictureControls.add<H264Sps>([&] { return fillSps(input.profile, picture, scalingMatrix); });
    pictureControls.add<H264Pps>([&] { return fillPps(picture, state, scalingMatrix); });
    if (scalingMatrix)
        pictureControls.add<H264ScalingMatrix>([&] { return fillScalingMatrix(input); });
    pictureControls.add<H264DecodeParams>([&] { return fillDecodeParams(picture, dpb, secondField, offset); });

    submission.firstField = header.fieldPic && !secondField;
    submission.secondField = secondField;
    submission.codedWidth = (picture.parameters.picture_width_in_mbs_minus1 + 1u) * 16;
    submission.codedHeight = (picture.parameters.picture_height_in_mbs_minus1 + 1u) * 16;
    submission.bitDepth = static_cast<uint8_t>(picture.parameters.bit_depth_luma_minus8 + 8);
    submission.damaged = !whole || picture.incomplete;
    submission.damageLasts = damageLasts(picture);
    addJobs(submission, std::move(pictureControls), sliceBased ? picture.slices.size() : 1);
    for (size_t i = 0; i < picture.slices.size(); ++i) {
        const ParsedSlice& slice = picture.slices[i];
        Job& job = submission.jobs[sliceBased ? i : 0];
        appendSlice(slice, startCodes, job.bitstream);
        if (!sliceBased)
            continue;
        job.controls.add<H264SliceParams>([&] { return fillSliceParams(slice, dpb); });
        if (device.has(H264PredWeights::id))
            job.controls.add<H264PredWeights>([&] { return fillPredWeights(slice.header); });
    }
    keepState(after, state);
    return submission;
}

constexpr std::array profiles{
    Profile{VAProfileH264ConstrainedBaseline, VA_RT_FORMAT_YUV420, V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE},
    Profile{VAProfileH264Main, VA_RT_FORMAT_YUV420, V4L2_MPEG_VIDEO_H264_PROFILE_MAIN},
    Profile{VAProfileH264High, VA_RT_FORMAT_YUV420, V4L2_MPEG_VIDEO_H264_PROFILE_HIGH},
    Profile{VAProfileH264High10, VA_RT_FORMAT_YUV420 | VA_RT_FORMAT_YUV420_10, V4L2_MPEG_VIDEO_H264_PROFILE_HIGH_10},
};

std::vector<std::byte> anySequence(uint32_t width, uint32_t height, uint8_t bitDepth) {
    const auto inMbsMinus1 = [](uint32_t size) { return static_cast<uint16_t>(std::max(size / 16, 1u) - 1); };
    return bytesOf(v4l2_ctrl_h264_sps{
        .profile_idc = static_cast<uint8_t>(bitDepth > 8 ? 110 : 100),
        .level_idc = h264Levels.back().idc,
        .chroma_format_idc = 1,
        .bit_depth_luma_minus8 = static_cast<uint8_t>(bitDepth - 8),
        .bit_depth_chroma_minus8 = static_cast<uint8_t>(bitDepth - 8),
        .pic_width_in_mbs_minus1 = inMbsMinus1(width),
        .pic_height_in_map_units_minus1 = inMbsMinus1(height),
        .flags = V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY | V4L2_H264_SPS_FLAG_DIRECT_8X8_INFERENCE,
    });
}

constexpr std::array requiredControls{
    H264Sps::id,
    H264Pps::id,
    H264DecodeParams::id,
    uint32_t{V4L2_CID_STATELESS_H264_DECODE_MODE},
    uint32_t{V4L2_CID_STATELESS_H264_START_CODE},
};

constexpr std::array optionalControls{H264ScalingMatrix::id, H264SliceParams::id, H264PredWeights::id};

} // namespace

constinit const Codec h264Codec{
    .name = "H.264",
    .fourcc = V4L2_PIX_FMT_H264_SLICE,
    .profiles = profiles,
    .profileControl = V4L2_CID_MPEG_VIDEO_H264_PROFILE,
    .requiredControls = requiredControls,
    .optionalControls = optionalControls,
    .sequenceControl = H264Sps::id,
    .pictureSize = sizeof(VAPictureParameterBufferH264),
    .iqMatrixSize = sizeof(VAIQMatrixBufferH264),
    .sliceSize = sizeof(VASliceParameterBufferH264),
    .probabilitySize = 0,
    .unitWidth = 16,
    .unitHeight = 32,
    .anySequence = anySequence,
    .build = build,
};

} // namespace v4l2_request::codec
