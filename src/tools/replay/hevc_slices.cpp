// SPDX-License-Identifier: MIT
#include "tools/replay/hevc_slices.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>

#include "bitstream/hevc_slice_header.h"
#include "codec/control_ids.h"
#include "codec/hevc_slice_params.h"

namespace v4l2_request::tools {

#ifdef HAVE_UAPI_HEVC

namespace {

using bitstream::HevcSliceContext;

constexpr std::array<uint8_t, 3> startCode = {0, 0, 1};

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

// From each start code to the next: within a NAL unit there is none (7.4.2).
std::vector<std::span<const uint8_t>> splitSlices(std::span<const uint8_t> bytes) {
    std::vector<std::span<const uint8_t>> slices;
    const auto find = [&](size_t from) {
        return static_cast<size_t>(
            std::search(bytes.begin() + static_cast<ptrdiff_t>(from), bytes.end(), startCode.begin(), startCode.end()) -
            bytes.begin());
    };
    if (find(0) != 0)
        return slices;
    for (size_t at = 0; at < bytes.size();) {
        const size_t next = find(at + startCode.size());
        slices.push_back(bytes.subspan(at, next - at));
        at = next;
    }
    return slices;
}

// 8.3.4: the pictures that may be referred to, again and again, and of these the ones that the header names.
void fillReferenceList(std::span<uint8_t, V4L2_HEVC_DPB_ENTRIES_NUM_MAX> list, unsigned which,
                       const bitstream::HevcSliceHeader& header, const v4l2_ctrl_hevc_decode_params& params) {
    constexpr uint8_t noPicture = 0xff;
    std::ranges::fill(list, noPicture);
    const auto part = [](const uint8_t(&set)[V4L2_HEVC_DPB_ENTRIES_NUM_MAX], size_t count) {
        return std::span(set).first(std::min(count, std::size(set)));
    };
    const auto before = part(params.poc_st_curr_before, params.num_poc_st_curr_before);
    const auto after = part(params.poc_st_curr_after, params.num_poc_st_curr_after);
    const auto longTerm = part(params.poc_lt_curr, params.num_poc_lt_curr);
    std::vector<uint8_t> candidates;
    for (const auto& set : {which ? after : before, which ? before : after, longTerm})
        candidates.insert(candidates.end(), set.begin(), set.end());
    if (candidates.empty())
        return;
    const auto& modification = header.listModification[which];
    const size_t active = std::min<size_t>(header.numRefIdxActive[which], modification.entries.size());
    for (size_t i = 0; i < active; i++)
        list[i] = candidates[(modification.present ? modification.entries[i] : i) % candidates.size()];
}

template <typename Payload>
void append(record::Control& control, const Payload& payload) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(&payload);
    control.payload.insert(control.payload.end(), bytes, bytes + sizeof(payload));
}

} // namespace

std::vector<record::Control> readHevcSlices(const record::Job& job) {
    const HevcSliceContext context = contextOf(job);
    const auto decode = payloadOf<v4l2_ctrl_hevc_decode_params>(find(job, V4L2_CID_STATELESS_HEVC_DECODE_PARAMS));
    std::optional<bitstream::HevcSliceHeader> independent;
    record::Control slices{.id = V4L2_CID_STATELESS_HEVC_SLICE_PARAMS, .payload = {}};
    record::Control entryPoints{.id = V4L2_CID_STATELESS_HEVC_ENTRY_POINT_OFFSETS, .payload = {}};
    for (const auto slice : splitSlices(job.bitstream)) {
        auto header = bitstream::parseHevcSliceHeader(slice.subspan(startCode.size()), context,
                                                      independent ? &*independent : nullptr);
        if (!header)
            return {};
        auto params = codec::hevc::sliceParams(*header, slice.size(), startCode.size(), decode.pic_order_cnt_val,
                                               V4L2_HEVC_SEI_PIC_STRUCT_FRAME);
        fillReferenceList(params.ref_idx_l0, 0, *header, decode);
        fillReferenceList(params.ref_idx_l1, 1, *header, decode);
        append(slices, params);
        for (const uint32_t offset : header->entryPointOffsets)
            append(entryPoints, offset);
        if (!header->dependentSliceSegment)
            independent = std::move(*header);
    }
    std::vector<record::Control> controls;
    for (record::Control* control : {&slices, &entryPoints})
        if (!control->payload.empty())
            controls.push_back(std::move(*control));
    return controls;
}

#else

std::vector<record::Control> readHevcSlices(const record::Job&) {
    return {};
}

#endif

} // namespace v4l2_request::tools
