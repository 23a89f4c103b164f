// SPDX-License-Identifier: MIT
#ifdef HAVE_UAPI_HEVC

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <linux/v4l2-controls.h>
#include <linux/videodev2.h>

#include "bitstream/hevc_slice_header.h"
#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec/hevc_references.h"
#include "codec/hevc_slice_params.h"
#include "codec/hevc_sps_sets.h"
#include "codec/parameters.h"

// HEVC. Clauses and tables are those of Rec. ITU-T H.265. VA-API carries neither NAL unit headers nor the whole of
// slice_segment_header(), so the slices are parsed, and what they say is taken from them; VA-API's own are the
// parameter sets, the reference picture set and the final reference picture lists.
namespace v4l2_request::codec {

namespace {

using bitstream::HevcSliceHeader;
using hevc::Dpb;
using hevc::ParsedSlice;
using hevc::Picture;

// What outlives a picture.
struct HevcState {
    uint8_t maxTemporalId = 0;
    v4l2_ctrl_hevc_sps sps{}; // of the picture before
    hevc::SpsSets spsSets;
};

// As far as VA-API tells two sequences apart. The number of sub-layers is learnt as the sequence goes on.
bool sameSequence(v4l2_ctrl_hevc_sps a, v4l2_ctrl_hevc_sps b) {
    a.sps_max_sub_layers_minus1 = b.sps_max_sub_layers_minus1 = 0;
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

// ---- Parameter sets ----

// Of identifiers VA-API has none but the picture parameter set's, which is in the slices. Every request carries all its
// parameter sets, so the others name the only one there is.
v4l2_ctrl_hevc_sps fillSps(const VAPictureParameterBufferHEVC& picture, const HevcState& state) {
    const auto& fields = picture.pic_fields.bits;
    const auto& parsing = picture.slice_parsing_fields.bits;
    // Clients leave these undefined where there is no PCM.
    const auto pcm = [&](uint8_t value) { return static_cast<uint8_t>(fields.pcm_enabled_flag ? value : 0); };
    return {
        .pic_width_in_luma_samples = picture.pic_width_in_luma_samples,
        .pic_height_in_luma_samples = picture.pic_height_in_luma_samples,
        .bit_depth_luma_minus8 = picture.bit_depth_luma_minus8,
        .bit_depth_chroma_minus8 = picture.bit_depth_chroma_minus8,
        .log2_max_pic_order_cnt_lsb_minus4 = picture.log2_max_pic_order_cnt_lsb_minus4,
        .sps_max_dec_pic_buffering_minus1 = picture.sps_max_dec_pic_buffering_minus1,
        // Not in VA-API, but whether it is 0. 7.4.3.2.1 bounds it by sps_max_dec_pic_buffering_minus1, and a larger
        // value promises less: no stream has more pictures to reorder than that.
        .sps_max_num_reorder_pics =
            static_cast<uint8_t>(fields.NoPicReorderingFlag ? 0 : picture.sps_max_dec_pic_buffering_minus1),
        .sps_max_latency_increase_plus1 = 0, // 7.4.3.2.1: no limit is expressed
        .log2_min_luma_coding_block_size_minus3 = picture.log2_min_luma_coding_block_size_minus3,
        .log2_diff_max_min_luma_coding_block_size = picture.log2_diff_max_min_luma_coding_block_size,
        .log2_min_luma_transform_block_size_minus2 = picture.log2_min_transform_block_size_minus2,
        .log2_diff_max_min_luma_transform_block_size = picture.log2_diff_max_min_transform_block_size,
        .max_transform_hierarchy_depth_inter = picture.max_transform_hierarchy_depth_inter,
        .max_transform_hierarchy_depth_intra = picture.max_transform_hierarchy_depth_intra,
        .pcm_sample_bit_depth_luma_minus1 = pcm(picture.pcm_sample_bit_depth_luma_minus1),
        .pcm_sample_bit_depth_chroma_minus1 = pcm(picture.pcm_sample_bit_depth_chroma_minus1),
        .log2_min_pcm_luma_coding_block_size_minus3 = pcm(picture.log2_min_pcm_luma_coding_block_size_minus3),
        .log2_diff_max_min_pcm_luma_coding_block_size = pcm(picture.log2_diff_max_min_pcm_luma_coding_block_size),
        .num_short_term_ref_pic_sets = picture.num_short_term_ref_pic_sets,
        .num_long_term_ref_pics_sps =
            static_cast<uint8_t>(parsing.long_term_ref_pics_present_flag ? picture.num_long_term_ref_pic_sps : 0),
        .chroma_format_idc = static_cast<uint8_t>(fields.chroma_format_idc),
        // Not in VA-API: at least what the NAL units have shown (7.4.2.2).
        .sps_max_sub_layers_minus1 = state.maxTemporalId,
        .flags = (fields.separate_colour_plane_flag ? V4L2_HEVC_SPS_FLAG_SEPARATE_COLOUR_PLANE : 0) |
                 (fields.scaling_list_enabled_flag ? V4L2_HEVC_SPS_FLAG_SCALING_LIST_ENABLED : 0) |
                 (fields.amp_enabled_flag ? V4L2_HEVC_SPS_FLAG_AMP_ENABLED : 0) |
                 (parsing.sample_adaptive_offset_enabled_flag ? V4L2_HEVC_SPS_FLAG_SAMPLE_ADAPTIVE_OFFSET : 0) |
                 (fields.pcm_enabled_flag ? V4L2_HEVC_SPS_FLAG_PCM_ENABLED : 0) |
                 (fields.pcm_enabled_flag && fields.pcm_loop_filter_disabled_flag
                      ? V4L2_HEVC_SPS_FLAG_PCM_LOOP_FILTER_DISABLED
                      : 0) |
                 (parsing.long_term_ref_pics_present_flag ? V4L2_HEVC_SPS_FLAG_LONG_TERM_REF_PICS_PRESENT : 0) |
                 (parsing.sps_temporal_mvp_enabled_flag ? V4L2_HEVC_SPS_FLAG_SPS_TEMPORAL_MVP_ENABLED : 0) |
                 (fields.strong_intra_smoothing_enabled_flag ? V4L2_HEVC_SPS_FLAG_STRONG_INTRA_SMOOTHING_ENABLED : 0),
    };
}

uint64_t ppsFlags(const Picture& picture) {
    const VAPictureParameterBufferHEVC& parameters = picture.parameters;
    const auto& fields = parameters.pic_fields.bits;
    const auto& parsing = parameters.slice_parsing_fields.bits;
    // Not in VA-API: set where one of the elements that it announces differs from what is inferred without it
    // (7.4.3.3.1). Where none does, the picture is decoded alike.
    const bool deblockingControl = parsing.deblocking_filter_override_enabled_flag ||
                                   parsing.pps_disable_deblocking_filter_flag || parameters.pps_beta_offset_div2 != 0 ||
                                   parameters.pps_tc_offset_div2 != 0;
    return (parsing.dependent_slice_segments_enabled_flag ? V4L2_HEVC_PPS_FLAG_DEPENDENT_SLICE_SEGMENT_ENABLED : 0) |
           (parsing.output_flag_present_flag ? V4L2_HEVC_PPS_FLAG_OUTPUT_FLAG_PRESENT : 0) |
           (fields.sign_data_hiding_enabled_flag ? V4L2_HEVC_PPS_FLAG_SIGN_DATA_HIDING_ENABLED : 0) |
           (parsing.cabac_init_present_flag ? V4L2_HEVC_PPS_FLAG_CABAC_INIT_PRESENT : 0) |
           (fields.constrained_intra_pred_flag ? V4L2_HEVC_PPS_FLAG_CONSTRAINED_INTRA_PRED : 0) |
           (fields.transform_skip_enabled_flag ? V4L2_HEVC_PPS_FLAG_TRANSFORM_SKIP_ENABLED : 0) |
           (fields.cu_qp_delta_enabled_flag ? V4L2_HEVC_PPS_FLAG_CU_QP_DELTA_ENABLED : 0) |
           (parsing.pps_slice_chroma_qp_offsets_present_flag ? V4L2_HEVC_PPS_FLAG_PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT
                                                             : 0) |
           (fields.weighted_pred_flag ? V4L2_HEVC_PPS_FLAG_WEIGHTED_PRED : 0) |
           (fields.weighted_bipred_flag ? V4L2_HEVC_PPS_FLAG_WEIGHTED_BIPRED : 0) |
           (fields.transquant_bypass_enabled_flag ? V4L2_HEVC_PPS_FLAG_TRANSQUANT_BYPASS_ENABLED : 0) |
           (fields.tiles_enabled_flag ? V4L2_HEVC_PPS_FLAG_TILES_ENABLED : 0) |
           (fields.entropy_coding_sync_enabled_flag ? V4L2_HEVC_PPS_FLAG_ENTROPY_CODING_SYNC_ENABLED : 0) |
           (fields.tiles_enabled_flag && fields.loop_filter_across_tiles_enabled_flag
                ? V4L2_HEVC_PPS_FLAG_LOOP_FILTER_ACROSS_TILES_ENABLED
                : 0) |
           (fields.pps_loop_filter_across_slices_enabled_flag ? V4L2_HEVC_PPS_FLAG_PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED
                                                              : 0) |
           (parsing.deblocking_filter_override_enabled_flag ? V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_OVERRIDE_ENABLED
                                                            : 0) |
           (parsing.pps_disable_deblocking_filter_flag ? V4L2_HEVC_PPS_FLAG_PPS_DISABLE_DEBLOCKING_FILTER : 0) |
           (parsing.lists_modification_present_flag ? V4L2_HEVC_PPS_FLAG_LISTS_MODIFICATION_PRESENT : 0) |
           (parsing.slice_segment_header_extension_present_flag
                ? V4L2_HEVC_PPS_FLAG_SLICE_SEGMENT_HEADER_EXTENSION_PRESENT
                : 0) |
           (deblockingControl ? V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_CONTROL_PRESENT : 0) |
           (picture.tiles.uniform ? V4L2_HEVC_PPS_FLAG_UNIFORM_SPACING : 0);
}

v4l2_ctrl_hevc_pps fillPps(const Picture& picture) {
    const VAPictureParameterBufferHEVC& parameters = picture.parameters;
    const auto& fields = parameters.pic_fields.bits;
    v4l2_ctrl_hevc_pps pps{
        .pic_parameter_set_id = picture.header().picParameterSetId,
        .num_extra_slice_header_bits = parameters.num_extra_slice_header_bits,
        .num_ref_idx_l0_default_active_minus1 = parameters.num_ref_idx_l0_default_active_minus1,
        .num_ref_idx_l1_default_active_minus1 = parameters.num_ref_idx_l1_default_active_minus1,
        .init_qp_minus26 = parameters.init_qp_minus26,
        .diff_cu_qp_delta_depth =
            static_cast<uint8_t>(fields.cu_qp_delta_enabled_flag ? parameters.diff_cu_qp_delta_depth : 0),
        .pps_cb_qp_offset = parameters.pps_cb_qp_offset,
        .pps_cr_qp_offset = parameters.pps_cr_qp_offset,
        .pps_beta_offset_div2 = parameters.pps_beta_offset_div2,
        .pps_tc_offset_div2 = parameters.pps_tc_offset_div2,
        .log2_parallel_merge_level_minus2 = parameters.log2_parallel_merge_level_minus2,
        .flags = ppsFlags(picture),
    };
    if (!fields.tiles_enabled_flag)
        return pps;
    // Also where the tiles are uniform: drivers rely on it.
    const auto minus1 = [](uint16_t size) { return static_cast<uint8_t>(size - 1); };
    pps.num_tile_columns_minus1 = static_cast<uint8_t>(picture.tiles.columns.size() - 1);
    pps.num_tile_rows_minus1 = static_cast<uint8_t>(picture.tiles.rows.size() - 1);
    std::ranges::transform(picture.tiles.columns, pps.column_width_minus1, minus1);
    std::ranges::transform(picture.tiles.rows, pps.row_height_minus1, minus1);
    return pps;
}

// Both APIs have the lists in raster order, the 32x32 ones of the two luma matrices only (4:2:0 has no others), and
// DC coefficients with their offset of 8 added.
v4l2_ctrl_hevc_scaling_matrix fillScalingMatrix(const PictureInput& input) {
    const auto matrix = readParameters<VAIQMatrixBufferHEVC>(input.iqMatrix);
    v4l2_ctrl_hevc_scaling_matrix scaling{};
    const auto copy = [](auto& to, const auto& from) {
        static_assert(sizeof(to) == sizeof(from));
        std::memcpy(&to, &from, sizeof(to));
    };
    copy(scaling.scaling_list_4x4, matrix.ScalingList4x4);
    copy(scaling.scaling_list_8x8, matrix.ScalingList8x8);
    copy(scaling.scaling_list_16x16, matrix.ScalingList16x16);
    copy(scaling.scaling_list_32x32, matrix.ScalingList32x32);
    copy(scaling.scaling_list_dc_coef_16x16, matrix.ScalingListDC16x16);
    copy(scaling.scaling_list_dc_coef_32x32, matrix.ScalingListDC32x32);
    return scaling;
}

// ---- The picture and its slices ----

v4l2_ctrl_hevc_decode_params fillDecodeParams(const Picture& picture, const Dpb& dpb) {
    const HevcSliceHeader& header = picture.header();
    v4l2_ctrl_hevc_decode_params params{
        .pic_order_cnt_val = picture.parameters.CurrPic.pic_order_cnt,
        .short_term_ref_pic_set_size = static_cast<uint16_t>(header.shortTermSet.bitSize),
        .long_term_ref_pic_set_size = static_cast<uint16_t>(header.longTermSetBitSize),
        .num_active_dpb_entries = static_cast<uint8_t>(dpb.entries.size()),
        .num_poc_st_curr_before = static_cast<uint8_t>(dpb.stCurrBefore.size()),
        .num_poc_st_curr_after = static_cast<uint8_t>(dpb.stCurrAfter.size()),
        .num_poc_lt_curr = static_cast<uint8_t>(dpb.ltCurr.size()),
        .flags = (header.irap() ? V4L2_HEVC_DECODE_PARAM_FLAG_IRAP_PIC : 0u) |
                 (header.idr() ? V4L2_HEVC_DECODE_PARAM_FLAG_IDR_PIC : 0u) |
                 (header.noOutputOfPriorPics ? V4L2_HEVC_DECODE_PARAM_FLAG_NO_OUTPUT_OF_PRIOR : 0u),
    };
    numDeltaPocsOfRefRpsIdx(params) = header.shortTermSet.numDeltaPocsOfRefRpsIdx;
    const auto fill = [](auto& list, std::span<const uint8_t> indices) {
        std::ranges::fill(list, hevc::noPicture);
        std::ranges::copy(indices, list);
    };
    fill(params.poc_st_curr_before, dpb.stCurrBefore);
    fill(params.poc_st_curr_after, dpb.stCurrAfter);
    fill(params.poc_lt_curr, dpb.ltCurr);
    std::ranges::copy(dpb.entries, params.dpb);
    return params;
}

// A hole among the active entries, which only a damaged stream has, repeats the entry before it: drivers look up every
// active entry.
void fillReferenceList(std::span<uint8_t, V4L2_HEVC_DPB_ENTRIES_NUM_MAX> list, std::span<const uint8_t, 15> sent,
                       unsigned active, const Dpb& dpb) {
    std::ranges::fill(list, hevc::noPicture);
    if (dpb.entries.empty())
        return;
    uint8_t last = 0;
    for (unsigned i = 0; i < active; ++i) {
        const uint8_t index = sent[i] < dpb.indexOf.size() ? dpb.indexOf[sent[i]] : hevc::noPicture;
        list[i] = last = index == hevc::noPicture ? last : index;
    }
}

v4l2_ctrl_hevc_slice_params fillSliceParams(const Picture& picture, const ParsedSlice& slice, size_t startCodeSize,
                                            const Dpb& dpb) {
    const VAPictureHEVC& current = picture.parameters.CurrPic;
    auto params = hevc::sliceParams(slice.header, startCodeSize + slice.data.size(), startCodeSize,
                                    current.pic_order_cnt, hevc::picStruct(current));
    fillReferenceList(params.ref_idx_l0, slice.parameters.RefPicList[0], slice.header.numRefIdxActive[0], dpb);
    fillReferenceList(params.ref_idx_l1, slice.parameters.RefPicList[1], slice.header.numRefIdxActive[1], dpb);
    return params;
}

// ---- The submission ----

Result<void> addSpsSets(const Picture& picture, const DeviceControls& device, hevc::SpsSets& sets,
                        ControlBatch& controls) {
    if (device.has(HevcExtSpsStRps::id)) {
        if (auto learnt = hevc::learnShortTermSets(picture, sets); !learnt)
            return learnt;
        controls.addArray<HevcExtSpsStRps>(sets.shortTerm);
    }
    if (device.has(HevcExtSpsLtRps::id)) {
        if (auto learnt = hevc::learnLongTermSets(picture, sets); !learnt)
            return learnt;
        controls.addArray<HevcExtSpsLtRps>(sets.longTerm);
    }
    return {};
}

constexpr std::array<uint8_t, 3> annexB{0, 0, 1};

// What the controls say of the slices that one job holds.
Result<void> addSlices(const Picture& picture, std::span<const ParsedSlice> slices, bool startCodes, const Dpb& dpb,
                       const DeviceControls& device, Job& job, std::pmr::memory_resource* memory) {
    std::pmr::vector<v4l2_ctrl_hevc_slice_params> parameters(memory);
    std::pmr::vector<uint32_t> entryPoints(memory);
    for (const ParsedSlice& slice : slices) {
        if (startCodes)
            job.bitstream.append(annexB);
        job.bitstream.append(slice.data);
        parameters.push_back(fillSliceParams(picture, slice, startCodes ? annexB.size() : 0, dpb));
        const auto& offsets = slice.header.entryPointOffsets;
        entryPoints.insert(entryPoints.end(), offsets.begin(), offsets.end());
    }
    if (device.has(HevcSliceParams::id)) {
        if (parameters.size() > device.elements(HevcSliceParams::id))
            return fail(ErrorKind::Unsupported, "HEVC: the picture has more slice segments than the device takes");
        job.controls.addArray<HevcSliceParams>(parameters);
    }
    if (device.has(HevcEntryPointOffsets::id)) {
        if (entryPoints.size() > device.elements(HevcEntryPointOffsets::id))
            return fail(ErrorKind::Unsupported, "HEVC: the picture has more entry points than the device takes");
        job.controls.addArray<HevcEntryPointOffsets>(entryPoints);
    }
    return {};
}

// A device that is told nothing of the slices makes their lists from the sets of DECODE_PARAMS. One of those, hantro's
// G2, looks pictures up by their order counts; for the others it makes no difference.
hevc::FoundBy foundBy(const DeviceControls& device) {
    const bool toldOfSlices = device.has(HevcSliceParams::id) || device.has(HevcExtSpsStRps::id);
    return toldOfSlices ? hevc::FoundBy::Timestamp : hevc::FoundBy::OrderCount;
}

// A stream without IRAP pictures refreshes itself over less than half of MaxPicOrderCntLsb pictures (recovery_poc_cnt,
// D.3.8). VA-API does not tell when; the longest that damage can last is the rest of one such cycle, and the next.
uint32_t damageLasts(const VAPictureParameterBufferHEVC& picture) {
    return 1u << (picture.log2_max_pic_order_cnt_lsb_minus4 + 4);
}

Result<Submission> build(const PictureInput& input, const References& references, const DeviceControls& device,
                         const std::any& before, std::any& after) {
    Picture picture(input.memory);
    if (auto read = hevc::readPicture(input, picture); !read)
        return tl::unexpected(std::move(read).error());
    const bool scalingMatrix = picture.parameters.pic_fields.bits.scaling_list_enabled_flag;
    if (scalingMatrix && !device.has(HevcScalingMatrix::id))
        return fail(ErrorKind::Unsupported, "HEVC: the device cannot be given a scaling matrix");
    const bool sliceBased =
        device.menu(V4L2_CID_STATELESS_HEVC_DECODE_MODE) == V4L2_STATELESS_HEVC_DECODE_MODE_SLICE_BASED;
    if (sliceBased && !device.has(HevcSliceParams::id))
        return fail(ErrorKind::Unsupported, "HEVC: the device wants single slices but cannot be told about them");
    const bool startCodes = device.menu(V4L2_CID_STATELESS_HEVC_START_CODE) == V4L2_STATELESS_HEVC_START_CODE_ANNEX_B;
    const auto dpb = hevc::buildDpb(picture, input.target, references, foundBy(device), input.memory);
    if (!dpb)
        return tl::unexpected(dpb.error());

    auto state = stateOf<HevcState>(before);
    state.maxTemporalId = std::max(state.maxTemporalId, static_cast<uint8_t>(picture.header().temporalIdPlus1 - 1));

    const v4l2_ctrl_hevc_sps sps = fillSps(picture.parameters, state);
    if (!sameSequence(sps, state.sps))
        state.spsSets = {};
    state.sps = sps;
    ControlBatch pictureControls(input.memory);
    pictureControls.add<HevcSps>(sps);
    pictureControls.add<HevcPps>(fillPps(picture));
    if (scalingMatrix)
        pictureControls.add<HevcScalingMatrix>(fillScalingMatrix(input));
    pictureControls.add<HevcDecodeParams>(fillDecodeParams(picture, *dpb));
    if (auto added = addSpsSets(picture, device, state.spsSets, pictureControls); !added)
        return tl::unexpected(added.error());

    Submission submission(input.memory);
    submission.codedWidth = picture.parameters.pic_width_in_luma_samples;
    submission.codedHeight = picture.parameters.pic_height_in_luma_samples;
    submission.bitDepth = static_cast<uint8_t>(picture.parameters.bit_depth_luma_minus8 + 8);
    submission.damaged = !hevc::findPrediction(picture, *dpb, submission.predictedFrom) || picture.incomplete;
    submission.damageLasts = damageLasts(picture.parameters);
    const std::span slices(picture.slices);
    const size_t perJob = sliceBased ? 1 : slices.size();
    addJobs(submission, std::move(pictureControls), slices.size() / perJob);
    for (size_t i = 0; i < submission.jobs.size(); ++i)
        if (auto added = addSlices(picture, slices.subspan(i * perJob, perJob), startCodes, *dpb, device,
                                   submission.jobs[i], input.memory);
            !added)
            return tl::unexpected(added.error());
    keepState(after, state);
    return submission;
}

constexpr std::array profiles{
    Profile{VAProfileHEVCMain, VA_RT_FORMAT_YUV420, V4L2_MPEG_VIDEO_HEVC_PROFILE_MAIN},
    Profile{VAProfileHEVCMain10, VA_RT_FORMAT_YUV420 | VA_RT_FORMAT_YUV420_10, V4L2_MPEG_VIDEO_HEVC_PROFILE_MAIN_10},
};

// Coding blocks of 8x8 in coding trees of 64x64, transforms of 4x4 to 32x32.
std::vector<std::byte> anySequence(uint32_t width, uint32_t height, uint8_t bitDepth) {
    const auto inBlocks = [](uint32_t size) { return static_cast<uint16_t>(std::max(size / 8, 1u) * 8); };
    return bytesOf(v4l2_ctrl_hevc_sps{
        .pic_width_in_luma_samples = inBlocks(width),
        .pic_height_in_luma_samples = inBlocks(height),
        .bit_depth_luma_minus8 = static_cast<uint8_t>(bitDepth - 8),
        .bit_depth_chroma_minus8 = static_cast<uint8_t>(bitDepth - 8),
        .log2_diff_max_min_luma_coding_block_size = 3,
        .log2_diff_max_min_luma_transform_block_size = 3,
        .chroma_format_idc = 1,
    });
}

constexpr std::array requiredControls{
    HevcSps::id,
    HevcPps::id,
    HevcDecodeParams::id,
    uint32_t{V4L2_CID_STATELESS_HEVC_DECODE_MODE},
    uint32_t{V4L2_CID_STATELESS_HEVC_START_CODE},
};

constexpr std::array optionalControls{HevcScalingMatrix::id, HevcSliceParams::id, HevcEntryPointOffsets::id,
                                      HevcExtSpsStRps::id, HevcExtSpsLtRps::id};

} // namespace

constinit const Codec hevcCodec{
    .name = "HEVC",
    .fourcc = V4L2_PIX_FMT_HEVC_SLICE,
    .profiles = profiles,
    .profileControl = V4L2_CID_MPEG_VIDEO_HEVC_PROFILE,
    .requiredControls = requiredControls,
    .optionalControls = optionalControls,
    .sequenceControl = HevcSps::id,
    .pictureSize = sizeof(VAPictureParameterBufferHEVC),
    .iqMatrixSize = sizeof(VAIQMatrixBufferHEVC),
    .sliceSize = sizeof(VASliceParameterBufferHEVC),
    .probabilitySize = 0,
    .anySequence = anySequence,
    .build = build,
};

} // namespace v4l2_request::codec

#endif // HAVE_UAPI_HEVC
