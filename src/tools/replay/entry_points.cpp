// SPDX-License-Identifier: MIT
#include "tools/replay/entry_points.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "bitstream/hevc_slice_header.h"
#include "codec/control_ids.h"

namespace v4l2_request::tools {

#ifdef HAVE_UAPI_HEVC

namespace {

using bitstream::HevcSliceContext;

template <typename Payload>
Payload payloadOf(const record::Blob& bytes, size_t index = 0) {
    Payload payload{};
    if (bytes.size() >= (index + 1) * sizeof(payload))
        std::memcpy(&payload, bytes.data() + index * sizeof(payload), sizeof(payload));
    return payload;
}

const record::Blob& find(const record::Job& job, uint32_t id) {
    static const record::Blob none;
    const auto found = std::ranges::find(job.controls, id, &record::Control::id);
    return found == job.controls.end() ? none : found->payload;
}

HevcSliceContext contextOf(const record::Job& job) {
    const auto sps = payloadOf<v4l2_ctrl_hevc_sps>(find(job, V4L2_CID_STATELESS_HEVC_SPS));
    const auto pps = payloadOf<v4l2_ctrl_hevc_pps>(find(job, V4L2_CID_STATELESS_HEVC_PPS));
    const auto params = payloadOf<v4l2_ctrl_hevc_decode_params>(find(job, V4L2_CID_STATELESS_HEVC_DECODE_PARAMS));
    const auto ofSps = [&](uint64_t flag) { return (sps.flags & flag) != 0; };
    const auto ofPps = [&](uint64_t flag) { return (pps.flags & flag) != 0; };
    const unsigned log2Ctb =
        sps.log2_min_luma_coding_block_size_minus3 + 3u + sps.log2_diff_max_min_luma_coding_block_size;
    const auto inCtbs = [&](uint32_t samples) { return log2Ctb < 32 ? (samples + (1u << log2Ctb) - 1) >> log2Ctb : 0; };
    const auto plus1 = [](uint8_t minus1) { return static_cast<uint8_t>(minus1 + 1); };
    return {
        .chromaFormatIdc = sps.chroma_format_idc,
        .separateColourPlane = ofSps(V4L2_HEVC_SPS_FLAG_SEPARATE_COLOUR_PLANE),
        .widthInCtbs = inCtbs(sps.pic_width_in_luma_samples),
        .heightInCtbs = inCtbs(sps.pic_height_in_luma_samples),
        .log2MaxPicOrderCntLsb = static_cast<uint8_t>(sps.log2_max_pic_order_cnt_lsb_minus4 + 4),
        .numShortTermRefPicSets = sps.num_short_term_ref_pic_sets,
        .longTermRefPicsPresent = ofSps(V4L2_HEVC_SPS_FLAG_LONG_TERM_REF_PICS_PRESENT),
        .numLongTermRefPicsSps = sps.num_long_term_ref_pics_sps,
        .temporalMvpEnabled = ofSps(V4L2_HEVC_SPS_FLAG_SPS_TEMPORAL_MVP_ENABLED),
        .sampleAdaptiveOffsetEnabled = ofSps(V4L2_HEVC_SPS_FLAG_SAMPLE_ADAPTIVE_OFFSET),
        .dependentSliceSegmentsEnabled = ofPps(V4L2_HEVC_PPS_FLAG_DEPENDENT_SLICE_SEGMENT_ENABLED),
        .outputFlagPresent = ofPps(V4L2_HEVC_PPS_FLAG_OUTPUT_FLAG_PRESENT),
        .numExtraSliceHeaderBits = pps.num_extra_slice_header_bits,
        .cabacInitPresent = ofPps(V4L2_HEVC_PPS_FLAG_CABAC_INIT_PRESENT),
        .numRefIdxDefault = {plus1(pps.num_ref_idx_l0_default_active_minus1),
                             plus1(pps.num_ref_idx_l1_default_active_minus1)},
        .sliceChromaQpOffsetsPresent = ofPps(V4L2_HEVC_PPS_FLAG_PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT),
        .weightedPred = ofPps(V4L2_HEVC_PPS_FLAG_WEIGHTED_PRED),
        .weightedBipred = ofPps(V4L2_HEVC_PPS_FLAG_WEIGHTED_BIPRED),
        .tilesEnabled = ofPps(V4L2_HEVC_PPS_FLAG_TILES_ENABLED),
        .numTileColumns = plus1(pps.num_tile_columns_minus1),
        .numTileRows = plus1(pps.num_tile_rows_minus1),
        .entropyCodingSyncEnabled = ofPps(V4L2_HEVC_PPS_FLAG_ENTROPY_CODING_SYNC_ENABLED),
        .loopFilterAcrossSlicesEnabled = ofPps(V4L2_HEVC_PPS_FLAG_PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED),
        .deblockingFilterOverrideEnabled = ofPps(V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_OVERRIDE_ENABLED),
        .deblockingFilterDisabled = ofPps(V4L2_HEVC_PPS_FLAG_PPS_DISABLE_DEBLOCKING_FILTER),
        .betaOffsetDiv2 = pps.pps_beta_offset_div2,
        .tcOffsetDiv2 = pps.pps_tc_offset_div2,
        .listsModificationPresent = ofPps(V4L2_HEVC_PPS_FLAG_LISTS_MODIFICATION_PRESENT),
        .sliceHeaderExtensionPresent = ofPps(V4L2_HEVC_PPS_FLAG_SLICE_SEGMENT_HEADER_EXTENSION_PRESENT),
        .numPicTotalCurr =
            static_cast<uint8_t>(params.num_poc_st_curr_before + params.num_poc_st_curr_after + params.num_poc_lt_curr),
        .shortTermRefPicSetBits = params.short_term_ref_pic_set_size,
    };
}

} // namespace

std::optional<record::Control> entryPointsOf(const record::Job& job) {
    const record::Blob& slices = find(job, V4L2_CID_STATELESS_HEVC_SLICE_PARAMS);
    const HevcSliceContext context = contextOf(job);
    std::span<const uint8_t> rest(job.bitstream);
    std::optional<bitstream::HevcSliceHeader> independent;
    record::Control control{.id = V4L2_CID_STATELESS_HEVC_ENTRY_POINT_OFFSETS, .payload = {}};
    for (size_t i = 0; (i + 1) * sizeof(v4l2_ctrl_hevc_slice_params) <= slices.size(); i++) {
        const size_t size = payloadOf<v4l2_ctrl_hevc_slice_params>(slices, i).bit_size / 8;
        if (size > rest.size())
            return std::nullopt;
        constexpr std::array<uint8_t, 3> startCode = {0, 0, 1};
        auto nal = rest.first(size);
        if (nal.size() > startCode.size() && std::equal(startCode.begin(), startCode.end(), nal.begin()))
            nal = nal.subspan(startCode.size());
        auto header = bitstream::parseHevcSliceHeader(nal, context, independent ? &*independent : nullptr);
        if (!header)
            return std::nullopt;
        for (const uint32_t offset : header->entryPointOffsets) {
            const auto* bytes = reinterpret_cast<const uint8_t*>(&offset);
            control.payload.insert(control.payload.end(), bytes, bytes + sizeof(offset));
        }
        if (!header->dependentSliceSegment)
            independent = std::move(*header);
        rest = rest.subspan(size);
    }
    return control.payload.empty() ? std::nullopt : std::optional(std::move(control));
}

#else

std::optional<record::Control> entryPointsOf(const record::Job&) {
    return std::nullopt;
}

#endif

} // namespace v4l2_request::tools
