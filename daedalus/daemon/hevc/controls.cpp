// SPDX-License-Identifier: MIT
#include "hevc/controls.h"

#include <algorithm>

#include "core/control_reader.h"
#include "core/field_check.h"
#include "hevc/parameter_sets.h"

namespace daedalus::hevc {
namespace {

Result<void> compareDecodeParams(const Controls& controls, const SliceHeader& header) {
    const DecodeParams& params = controls.decode;
    const auto flag = [&](uint64_t mask) { return (params.flags & mask) != 0; };
    const uint32_t maxLsb = 1u << (controls.sps.log2_max_pic_order_cnt_lsb_minus4 + 4);
    const FieldPair pairs[] = {
        {"flags IRAP_PIC", flag(V4L2_HEVC_DECODE_PARAM_FLAG_IRAP_PIC), header.isIrap()},
        {"flags IDR_PIC", flag(V4L2_HEVC_DECODE_PARAM_FLAG_IDR_PIC), header.isIdr()},
        {"flags NO_OUTPUT_OF_PRIOR", flag(V4L2_HEVC_DECODE_PARAM_FLAG_NO_OUTPUT_OF_PRIOR), header.noOutputOfPriorPics},
        {"pic_order_cnt_val (low bits)", static_cast<uint32_t>(params.pic_order_cnt_val) & (maxLsb - 1), header.pocLsb},
        {"short_term_ref_pic_set_size", params.short_term_ref_pic_set_size, static_cast<int64_t>(header.shortTermBits)},
        {"long_term_ref_pic_set_size", params.long_term_ref_pic_set_size, static_cast<int64_t>(header.longTermBits)},
        // Of the set that the header's own is predicted from: without one there is nothing to count.
        {"num_delta_pocs_of_ref_rps_idx", params.num_delta_pocs_of_ref_rps_idx, 0,
         header.inlineSet.has_value() || !header.inlineSetPresent},
    };
    return compareFields("DECODE_PARAMS", pairs);
}

/// Where the slice header has its short-term set entry by entry: the lists of DECODE_PARAMS are those (8-5).
Result<void> compareShortTermSet(const DecodeParams& params, const SliceHeader& header) {
    if (!header.inlineSet || header.isIntra())
        return {};
    const auto side = [&](const char* field, std::span<const uint8_t> indices,
                          const std::vector<SetEntry>& entries) -> Result<void> {
        size_t next = 0;
        for (const SetEntry& entry : entries) {
            if (!entry.used)
                continue;
            const long long poc = int64_t{params.pic_order_cnt_val} + entry.poc;
            if (next == indices.size())
                return fail(EINVAL, "DECODE_PARAMS.num_%s is %zu, the slice header has more: %lld", field, next, poc);
            const uint8_t index = indices[next];
            if (index >= params.num_active_dpb_entries || params.dpb[index].pic_order_cnt_val != poc)
                return fail(EINVAL, "DECODE_PARAMS.%s[%zu] is %u, the slice header has the order count %lld there",
                            field, next, index, poc);
            ++next;
        }
        if (next != indices.size())
            return fail(EINVAL, "DECODE_PARAMS.num_%s is %zu, the slice header has %zu", field, indices.size(), next);
        return {};
    };
    if (auto before = side("poc_st_curr_before", {params.poc_st_curr_before, params.num_poc_st_curr_before},
                           header.inlineSet->before);
        !before)
        return before;
    return side("poc_st_curr_after", {params.poc_st_curr_after, params.num_poc_st_curr_after}, header.inlineSet->after);
}

/// 8.3.4: the list as indices into the DPB of the control.
std::vector<uint8_t> referenceList(const DecodeParams& params, const SliceHeader& header, unsigned list) {
    const std::span before(params.poc_st_curr_before, params.num_poc_st_curr_before);
    const std::span after(params.poc_st_curr_after, params.num_poc_st_curr_after);
    const std::span longTerm(params.poc_lt_curr, params.num_poc_lt_curr);
    std::vector<uint8_t> initial;
    for (const auto part : {list == 0 ? before : after, list == 0 ? after : before, longTerm})
        initial.insert(initial.end(), part.begin(), part.end());
    std::vector<uint8_t> entries;
    for (size_t i = 0; i < header.activeRefs[list] && !initial.empty(); ++i) {
        const auto& modified = header.listEntries[list];
        entries.push_back(initial[modified ? (*modified)[i] : i % initial.size()]);
    }
    return entries;
}

Result<void> compareWeights(const v4l2_hevc_pred_weight_table& control, const SliceHeader& header) {
    if (!header.weights)
        return {};
    const WeightTable& table = *header.weights;
    const FieldPair denominators[] = {
        {"luma_log2_weight_denom", control.luma_log2_weight_denom, table.lumaLog2Denom},
        {"delta_chroma_log2_weight_denom", control.delta_chroma_log2_weight_denom, table.deltaChromaLog2Denom},
    };
    if (auto compared = compareFields("SLICE_PARAMS.pred_weight_table", denominators); !compared)
        return compared;
    const auto chromaDenominator = static_cast<int>(table.lumaLog2Denom) + table.deltaChromaLog2Denom;
    for (unsigned list = 0; list < header.lists(); ++list) {
        for (size_t i = 0; i < table.lists[list].size(); ++i) {
            const Weight& weight = table.lists[list][i];
            // 7-56, for 8 bits per sample
            const auto offset = [&](size_t j) {
                const int scaled = (128 * ((1 << chromaDenominator) + weight.deltaChroma[j])) >> chromaDenominator;
                return weight.chroma ? std::clamp(128 + weight.deltaChromaOffset[j] - scaled, -128, 127) : 0;
            };
            const bool l0 = list == 0;
            const auto& chroma = l0 ? control.delta_chroma_weight_l0[i] : control.delta_chroma_weight_l1[i];
            const auto& offsets = l0 ? control.chroma_offset_l0[i] : control.chroma_offset_l1[i];
            const FieldPair pairs[] = {
                {"delta_luma_weight", l0 ? control.delta_luma_weight_l0[i] : control.delta_luma_weight_l1[i],
                 weight.deltaLuma},
                {"luma_offset", l0 ? control.luma_offset_l0[i] : control.luma_offset_l1[i], weight.lumaOffset},
                {"delta_chroma_weight[0]", chroma[0], weight.deltaChroma[0]},
                {"delta_chroma_weight[1]", chroma[1], weight.deltaChroma[1]},
                {"chroma_offset[0]", offsets[0], offset(0)},
                {"chroma_offset[1]", offsets[1], offset(1)},
            };
            if (auto compared = compareFields("SLICE_PARAMS.pred_weight_table", pairs); !compared)
                return compared;
        }
    }
    return {};
}

/// Sizes are those of the payload; GStreamer leaves the emulation prevention bytes of the header out of
/// data_byte_offset, the kernel says neither.
Result<void> compareSizes(const SliceParams& params, const SliceHeader& header, const Segment& segment) {
    const size_t least = segment.startCodeBytes + segment.nal.size();
    const size_t most = segment.startCodeBytes + segment.room;
    if (params.bit_size % 8 != 0 || params.bit_size / 8 < least || params.bit_size / 8 > most)
        return fail(EINVAL, "SLICE_PARAMS.bit_size is %u, the slice segment has %zu bytes", params.bit_size, least);
    size_t raw = 0; // the header's bytes as they are in the NAL unit
    unsigned zeros = 0;
    for (size_t payload = 0; payload < header.headerBytes && raw < segment.nal.size(); ++raw) {
        const uint8_t byte = segment.nal[raw];
        if (zeros >= 2 && byte == 3) {
            zeros = 0;
            continue;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        ++payload;
    }
    if (params.data_byte_offset != segment.startCodeBytes + raw &&
        params.data_byte_offset != segment.startCodeBytes + header.headerBytes)
        return fail(EINVAL, "SLICE_PARAMS.data_byte_offset is %u, the slice data begin at %zu", params.data_byte_offset,
                    segment.startCodeBytes + raw);
    return {};
}

Result<void> compareSliceParams(const SliceParams& params, const Controls& controls, const SliceHeader& header,
                                const Segment& segment) {
    if (auto compared = compareSizes(params, header, segment); !compared)
        return compared;
    const auto flag = [&](uint64_t mask) { return (params.flags & mask) != 0; };
    const bool inter = !header.isIntra();
    const bool deblocked = !header.deblockingDisabled;
    const FieldPair pairs[] = {
        {"num_entry_point_offsets", params.num_entry_point_offsets, static_cast<int64_t>(header.entryPoints.size())},
        {"nal_unit_type", params.nal_unit_type, header.nalType},
        {"nuh_temporal_id_plus1", params.nuh_temporal_id_plus1, header.temporalIdPlus1},
        {"slice_type", params.slice_type, static_cast<int64_t>(header.type)},
        {"colour_plane_id", params.colour_plane_id, header.colourPlane},
        {"slice_pic_order_cnt", params.slice_pic_order_cnt, controls.decode.pic_order_cnt_val},
        {"num_ref_idx_l0_active_minus1", params.num_ref_idx_l0_active_minus1, int64_t{header.activeRefs[0]} - 1, inter},
        {"num_ref_idx_l1_active_minus1", params.num_ref_idx_l1_active_minus1, int64_t{header.activeRefs[1]} - 1,
         header.isB()},
        {"collocated_ref_idx", params.collocated_ref_idx, header.collocatedRefIdx, inter && header.temporalMvp},
        {"five_minus_max_num_merge_cand", params.five_minus_max_num_merge_cand, header.fiveMinusMaxNumMergeCand, inter},
        {"slice_qp_delta", params.slice_qp_delta, header.qpDelta},
        {"slice_cb_qp_offset", params.slice_cb_qp_offset, header.cbQpOffset},
        {"slice_cr_qp_offset", params.slice_cr_qp_offset, header.crQpOffset},
        {"slice_act_y_qp_offset", params.slice_act_y_qp_offset, 0},
        {"slice_act_cb_qp_offset", params.slice_act_cb_qp_offset, 0},
        {"slice_act_cr_qp_offset", params.slice_act_cr_qp_offset, 0},
        {"slice_beta_offset_div2", params.slice_beta_offset_div2, header.betaOffsetDiv2, deblocked},
        {"slice_tc_offset_div2", params.slice_tc_offset_div2, header.tcOffsetDiv2, deblocked},
        {"slice_segment_addr", params.slice_segment_addr, header.address},
        {"short_term_ref_pic_set_size", params.short_term_ref_pic_set_size, static_cast<int64_t>(header.shortTermBits)},
        {"long_term_ref_pic_set_size", params.long_term_ref_pic_set_size, static_cast<int64_t>(header.longTermBits)},
        {"flags SLICE_SAO_LUMA", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_SAO_LUMA), header.saoLuma},
        {"flags SLICE_SAO_CHROMA", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_SAO_CHROMA), header.saoChroma},
        {"flags SLICE_TEMPORAL_MVP_ENABLED", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_TEMPORAL_MVP_ENABLED),
         header.temporalMvp},
        {"flags MVD_L1_ZERO", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_MVD_L1_ZERO), header.mvdL1Zero},
        {"flags CABAC_INIT", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_CABAC_INIT), header.cabacInit},
        {"flags COLLOCATED_FROM_L0", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_COLLOCATED_FROM_L0), header.collocatedFromL0,
         inter && header.temporalMvp},
        {"flags USE_INTEGER_MV", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_USE_INTEGER_MV), false},
        {"flags SLICE_DEBLOCKING_FILTER_DISABLED", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_DEBLOCKING_FILTER_DISABLED),
         header.deblockingDisabled},
        {"flags SLICE_LOOP_FILTER_ACROSS_SLICES_ENABLED",
         flag(V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_LOOP_FILTER_ACROSS_SLICES_ENABLED), header.loopFilterAcrossSlices},
        {"flags DEPENDENT_SLICE_SEGMENT", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_DEPENDENT_SLICE_SEGMENT), header.dependent},
    };
    if (auto compared = compareFields("SLICE_PARAMS", pairs); !compared)
        return compared;
    for (unsigned list = 0; list < header.lists(); ++list) {
        const auto& control = list == 0 ? params.ref_idx_l0 : params.ref_idx_l1;
        const std::vector<uint8_t> expected = referenceList(controls.decode, header, list);
        for (size_t i = 0; i < expected.size(); ++i) {
            if (control[i] != expected[i])
                return fail(EINVAL, "SLICE_PARAMS.ref_idx_l%u[%zu] is %u, RefPicList%u has the DPB's entry %u there",
                            list, i, control[i], list, expected[i]);
        }
    }
    return compareWeights(params.pred_weight_table, header);
}

} // namespace

Result<Controls> readControls(const Job& job) {
    Controls controls;
    int32_t mode = 0, code = 0;
    ControlReader reader(job);
    reader.required(V4L2_CID_STATELESS_HEVC_SPS, "HEVC_SPS", controls.sps);
    reader.required(V4L2_CID_STATELESS_HEVC_PPS, "HEVC_PPS", controls.pps);
    reader.required(V4L2_CID_STATELESS_HEVC_DECODE_PARAMS, "HEVC_DECODE_PARAMS", controls.decode);
    reader.required(V4L2_CID_STATELESS_HEVC_DECODE_MODE, "HEVC_DECODE_MODE", mode);
    reader.required(V4L2_CID_STATELESS_HEVC_START_CODE, "HEVC_START_CODE", code);
    if (controls.sps.flags & V4L2_HEVC_SPS_FLAG_SCALING_LIST_ENABLED)
        reader.required(V4L2_CID_STATELESS_HEVC_SCALING_MATRIX, "HEVC_SCALING_MATRIX", controls.scaling.emplace());
    if (!reader.result())
        return tl::unexpected(reader.result().error());
    controls.sliceBased = mode == V4L2_STATELESS_HEVC_DECODE_MODE_SLICE_BASED;
    controls.startCodes = code == V4L2_STATELESS_HEVC_START_CODE_ANNEX_B;
    controls.slices = reader.elements<SliceParams>(V4L2_CID_STATELESS_HEVC_SLICE_PARAMS);
    controls.entryPoints = reader.elements<uint32_t>(V4L2_CID_STATELESS_HEVC_ENTRY_POINT_OFFSETS);

    if (auto checked = checkSps(controls.sps); !checked)
        return tl::unexpected(checked.error());
    const DecodeParams& params = controls.decode;
    constexpr unsigned most = V4L2_HEVC_DPB_ENTRIES_NUM_MAX;
    if (params.num_active_dpb_entries > most || params.num_poc_st_curr_before > most ||
        params.num_poc_st_curr_after > most || params.num_poc_lt_curr > most)
        return fail(EINVAL,
                    "DECODE_PARAMS.num_active_dpb_entries %u, num_poc_st_curr_before %u, num_poc_st_curr_after %u, "
                    "num_poc_lt_curr %u (at most %u)",
                    params.num_active_dpb_entries, params.num_poc_st_curr_before, params.num_poc_st_curr_after,
                    params.num_poc_lt_curr, most);
    return controls;
}

Result<void> compareWithStream(const Controls& controls, const SliceParams& params, const SliceHeader& header,
                               const Segment& segment) {
    return compareDecodeParams(controls, header)
        .and_then([&] { return compareShortTermSet(controls.decode, header); })
        .and_then([&] { return compareSliceParams(params, controls, header, segment); });
}

Result<void> compareEntryPoints(const Controls& controls, const SliceHeader& header, size_t& next) {
    for (const uint32_t offset : header.entryPoints) {
        const uint32_t control = next < controls.entryPoints.size() ? controls.entryPoints[next] : 0;
        if (control != offset)
            return fail(EINVAL, "ENTRY_POINT_OFFSETS[%zu] is %u, the slice header says %u", next, control, offset);
        ++next;
    }
    return {};
}

} // namespace daedalus::hevc
