// SPDX-License-Identifier: MIT
#include "hevc/slice_reader.h"

#include <algorithm>

#include "core/bit_reader.h"

namespace daedalus::hevc {
namespace {

bool weighted(const SliceHeader& header, const Pps& pps) {
    return (header.type == SliceType::P && has(pps.flags, V4L2_HEVC_PPS_FLAG_WEIGHTED_PRED)) ||
           (header.type == SliceType::B && has(pps.flags, V4L2_HEVC_PPS_FLAG_WEIGHTED_BIPRED));
}

class Parser {
public:
    Parser(std::span<const uint8_t> rbsp, const Sps& sps, const Pps& pps, const DecodeParams& params)
        : reader_(rbsp), sps_(sps), pps_(pps), params_(params),
          picturesUsed_(uint32_t{params.num_poc_st_curr_before} + params.num_poc_st_curr_after +
                        params.num_poc_lt_curr) {}

    Result<SliceHeader> parse(const SliceHeader* slice);

private:
    void independentPart();
    void referenceSets();
    void shortTermSet();
    void predictedSet();
    void explicitSet();
    void longTermSet();
    void interPrediction();
    void listModifications();
    void weightTable();
    void deblocking();
    void entryPoints();

    bool sps(uint64_t flag) const { return has(sps_.flags, flag); }
    bool pps(uint64_t flag) const { return has(pps_.flags, flag); }
    /// The first thing that is wrong; parsing goes on with 0.
    uint32_t wrong(const char* element) {
        if (!wrong_)
            wrong_ = element;
        return 0;
    }
    uint32_t ue(uint32_t most, const char* element) {
        const uint32_t value = reader_.ue();
        return value <= most ? value : wrong(element);
    }
    int32_t se(int32_t least, int32_t most, const char* element) {
        const int32_t value = reader_.se();
        return value >= least && value <= most ? value : static_cast<int32_t>(wrong(element));
    }

    BitReader reader_;
    const Sps& sps_;
    const Pps& pps_;
    const DecodeParams& params_;
    uint32_t picturesUsed_; ///< NumPicTotalCurr
    SliceHeader header_;
    const char* wrong_ = nullptr;
};

Result<SliceHeader> Parser::parse(const SliceHeader* slice) {
    if (reader_.bit())
        wrong("forbidden_zero_bit");
    header_.nalType = static_cast<uint8_t>(reader_.bits(6));
    if (reader_.bits(6) != 0)
        wrong("nuh_layer_id");
    header_.temporalIdPlus1 = static_cast<uint8_t>(reader_.bits(3));
    if (header_.temporalIdPlus1 == 0)
        wrong("nuh_temporal_id_plus1");

    header_.firstInPicture = reader_.flag();
    if (header_.isIrap())
        header_.noOutputOfPriorPics = reader_.flag();
    header_.ppsId = ue(63, "slice_pic_parameter_set_id");
    if (!header_.firstInPicture) {
        if (pps(V4L2_HEVC_PPS_FLAG_DEPENDENT_SLICE_SEGMENT_ENABLED))
            header_.dependent = reader_.flag();
        const uint32_t ctbs = widthInCtbs(sps_) * heightInCtbs(sps_);
        header_.address = reader_.bits(ceilLog2(ctbs));
        if (header_.address == 0 || header_.address >= ctbs)
            wrong("slice_segment_address");
    }
    if (!header_.dependent) {
        independentPart();
    } else if (slice) {
        SliceHeader whole = *slice;
        whole.firstInPicture = false;
        whole.noOutputOfPriorPics = header_.noOutputOfPriorPics;
        whole.ppsId = header_.ppsId;
        whole.dependent = true;
        whole.address = header_.address;
        whole.entryPoints.clear();
        header_ = std::move(whole);
    } else {
        wrong("dependent_slice_segment_flag (there is no slice to continue)");
    }
    if (hasEntryPoints(pps_))
        entryPoints();
    if (pps(V4L2_HEVC_PPS_FLAG_SLICE_SEGMENT_HEADER_EXTENSION_PRESENT)) {
        for (uint32_t left = ue(256, "slice_segment_header_extension_length"); left > 0; --left)
            reader_.bits(8);
    }
    if (!reader_.flag())
        wrong("alignment_bit_equal_to_one");
    while ((reader_.position() & 7) != 0 && !reader_.overrun()) {
        if (reader_.bit())
            wrong("alignment_bit_equal_to_zero");
    }
    if (wrong_)
        return fail(EBADMSG, "slice header: %s is wrong, as the controls have the syntax", wrong_);
    if (reader_.overrun())
        return fail(EBADMSG, "the slice header does not end in the payload, as the controls have its syntax");
    header_.headerBytes = reader_.position() / 8;
    return std::move(header_);
}

void Parser::independentPart() {
    reader_.bits(pps_.num_extra_slice_header_bits & 7u);
    header_.type = static_cast<SliceType>(ue(2, "slice_type"));
    if (pps(V4L2_HEVC_PPS_FLAG_OUTPUT_FLAG_PRESENT))
        reader_.bit(); // pic_output_flag: the client's business
    if (sps(V4L2_HEVC_SPS_FLAG_SEPARATE_COLOUR_PLANE))
        header_.colourPlane = reader_.bits(2);
    if (!header_.isIdr())
        referenceSets();
    if (sps(V4L2_HEVC_SPS_FLAG_SAMPLE_ADAPTIVE_OFFSET)) {
        header_.saoLuma = reader_.flag();
        header_.saoChroma = reader_.flag(); // chroma_format_idc is 1
    }
    if (!header_.isIntra())
        interPrediction();
    header_.qpDelta = reader_.se();
    if (pps(V4L2_HEVC_PPS_FLAG_PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT)) {
        header_.cbQpOffset = se(-12, 12, "slice_cb_qp_offset");
        header_.crQpOffset = se(-12, 12, "slice_cr_qp_offset");
    }
    deblocking();
}

void Parser::referenceSets() {
    header_.pocLsb = reader_.bits(sps_.log2_max_pic_order_cnt_lsb_minus4 + 4u);
    header_.inlineSetPresent = !reader_.flag();
    if (header_.inlineSetPresent)
        shortTermSet();
    else if (reader_.bits(ceilLog2(sps_.num_short_term_ref_pic_sets)) >= sps_.num_short_term_ref_pic_sets)
        wrong("short_term_ref_pic_set_idx");
    if (sps(V4L2_HEVC_SPS_FLAG_LONG_TERM_REF_PICS_PRESENT))
        longTermSet();
    if (sps(V4L2_HEVC_SPS_FLAG_SPS_TEMPORAL_MVP_ENABLED))
        header_.temporalMvp = reader_.flag();
}

/// 7.3.7, the set after those of the sequence
void Parser::shortTermSet() {
    const size_t start = reader_.position();
    if (sps_.num_short_term_ref_pic_sets > 0 && reader_.flag())
        predictedSet();
    else
        explicitSet();
    header_.shortTermBits = reader_.position() - start;
}

/// The set that it is predicted from is in no control; how many pictures it has is.
void Parser::predictedSet() {
    ue(sps_.num_short_term_ref_pic_sets - 1u, "delta_idx_minus1");
    reader_.bit(); // delta_rps_sign
    ue(0x7fff, "abs_delta_rps_minus1");
    for (unsigned i = 0; i <= params_.num_delta_pocs_of_ref_rps_idx; ++i) {
        if (!reader_.flag()) // used_by_curr_pic_flag
            reader_.bit();   // use_delta_flag
    }
}

void Parser::explicitSet() {
    const uint32_t negative = ue(maxPictures, "num_negative_pics");
    const uint32_t positive = ue(maxPictures - negative, "num_positive_pics");
    InlineSet set;
    int32_t poc = 0;
    for (uint32_t i = 0; i < negative; ++i) {
        poc -= static_cast<int32_t>(ue(0x7fff, "delta_poc_s0_minus1")) + 1;
        set.before.push_back({poc, reader_.flag()});
    }
    poc = 0;
    for (uint32_t i = 0; i < positive; ++i) {
        poc += static_cast<int32_t>(ue(0x7fff, "delta_poc_s1_minus1")) + 1;
        set.after.push_back({poc, reader_.flag()});
    }
    header_.inlineSet = std::move(set);
}

void Parser::longTermSet() {
    const size_t start = reader_.position();
    const uint32_t ofSps = sps_.num_long_term_ref_pics_sps > 0 ? ue(maxPictures, "num_long_term_sps") : 0;
    const uint32_t own = ue(maxPictures - ofSps, "num_long_term_pics");
    for (uint32_t i = 0; i < ofSps + own; ++i) {
        if (i < ofSps) {
            reader_.bits(ceilLog2(sps_.num_long_term_ref_pics_sps)); // lt_idx_sps
        } else {
            reader_.bits(sps_.log2_max_pic_order_cnt_lsb_minus4 + 4u); // poc_lsb_lt
            reader_.bit();                                             // used_by_curr_pic_lt_flag
        }
        if (reader_.flag())
            reader_.ue(); // delta_poc_msb_cycle_lt
    }
    header_.longTermBits = reader_.position() - start;
}

void Parser::interPrediction() {
    const bool override = reader_.flag();
    const uint8_t defaults[2] = {pps_.num_ref_idx_l0_default_active_minus1, pps_.num_ref_idx_l1_default_active_minus1};
    for (unsigned list = 0; list < header_.lists(); ++list)
        header_.activeRefs[list] =
            1 + (override ? ue(14, "num_ref_idx_active_minus1") : std::min<uint32_t>(defaults[list], 14));
    if (pps(V4L2_HEVC_PPS_FLAG_LISTS_MODIFICATION_PRESENT) && picturesUsed_ > 1)
        listModifications();
    if (header_.isB())
        header_.mvdL1Zero = reader_.flag();
    if (pps(V4L2_HEVC_PPS_FLAG_CABAC_INIT_PRESENT))
        header_.cabacInit = reader_.flag();
    if (header_.temporalMvp) {
        if (header_.isB())
            header_.collocatedFromL0 = reader_.flag();
        const uint32_t active = header_.activeRefs[header_.collocatedFromL0 ? 0 : 1];
        if (active > 1)
            header_.collocatedRefIdx = ue(active - 1, "collocated_ref_idx");
    }
    if (weighted(header_, pps_))
        weightTable();
    header_.fiveMinusMaxNumMergeCand = ue(4, "five_minus_max_num_merge_cand");
}

void Parser::listModifications() {
    for (unsigned list = 0; list < header_.lists(); ++list) {
        if (!reader_.flag())
            continue;
        std::vector<uint32_t> entries;
        for (uint32_t i = 0; i < header_.activeRefs[list]; ++i) {
            entries.push_back(reader_.bits(ceilLog2(picturesUsed_)));
            if (entries.back() >= picturesUsed_)
                wrong("list_entry");
        }
        header_.listEntries[list] = std::move(entries);
    }
}

/// 7.3.6.3
void Parser::weightTable() {
    WeightTable table;
    table.lumaLog2Denom = ue(7, "luma_log2_weight_denom");
    const auto luma = static_cast<int32_t>(table.lumaLog2Denom);
    table.deltaChromaLog2Denom = se(-luma, 7 - luma, "delta_chroma_log2_weight_denom");
    for (unsigned list = 0; list < header_.lists(); ++list) {
        std::vector<Weight> weights(header_.activeRefs[list]);
        for (Weight& weight : weights)
            weight.luma = reader_.flag();
        for (Weight& weight : weights)
            weight.chroma = reader_.flag();
        for (Weight& weight : weights) {
            if (weight.luma) {
                weight.deltaLuma = se(-128, 127, "delta_luma_weight");
                weight.lumaOffset = se(-128, 127, "luma_offset");
            }
            for (size_t j = 0; weight.chroma && j < 2; ++j) {
                weight.deltaChroma[j] = se(-128, 127, "delta_chroma_weight");
                weight.deltaChromaOffset[j] = se(-512, 511, "delta_chroma_offset");
            }
        }
        table.lists[list] = std::move(weights);
    }
    header_.weights = std::move(table);
}

void Parser::deblocking() {
    header_.deblockingDisabled = pps(V4L2_HEVC_PPS_FLAG_PPS_DISABLE_DEBLOCKING_FILTER);
    header_.betaOffsetDiv2 = int32_t{pps_.pps_beta_offset_div2};
    header_.tcOffsetDiv2 = int32_t{pps_.pps_tc_offset_div2};
    if (pps(V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_OVERRIDE_ENABLED))
        header_.deblockingOverride = reader_.flag();
    if (header_.deblockingOverride) {
        header_.deblockingDisabled = reader_.flag();
        if (!header_.deblockingDisabled) {
            header_.betaOffsetDiv2 = se(-6, 6, "slice_beta_offset_div2");
            header_.tcOffsetDiv2 = se(-6, 6, "slice_tc_offset_div2");
        }
    }
    header_.loopFilterAcrossSlices = pps(V4L2_HEVC_PPS_FLAG_PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED);
    if (header_.loopFilterAcrossSlices && (header_.saoLuma || header_.saoChroma || !header_.deblockingDisabled))
        header_.loopFilterAcrossSlices = reader_.flag();
}

void Parser::entryPoints() {
    const bool tiles = pps(V4L2_HEVC_PPS_FLAG_TILES_ENABLED);
    const uint32_t columns = tiles ? pps_.num_tile_columns_minus1 + 1u : 1;
    const uint32_t rows =
        pps(V4L2_HEVC_PPS_FLAG_ENTROPY_CODING_SYNC_ENABLED) ? heightInCtbs(sps_) : pps_.num_tile_rows_minus1 + 1u;
    const uint32_t count = ue(columns * rows - 1, "num_entry_point_offsets");
    if (count == 0)
        return;
    const uint32_t bits = ue(31, "offset_len_minus1") + 1;
    for (uint32_t i = 0; i < count && !reader_.overrun(); ++i)
        header_.entryPoints.push_back(reader_.bits(bits) + 1);
}

} // namespace

Result<SliceHeader> parseSlice(std::span<const uint8_t> rbsp, const Sps& sps, const Pps& pps,
                               const DecodeParams& params, const SliceHeader* slice) {
    return Parser(rbsp, sps, pps, params).parse(slice);
}

} // namespace daedalus::hevc
