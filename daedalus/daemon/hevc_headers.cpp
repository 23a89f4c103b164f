// SPDX-License-Identifier: MIT
#include "hevc_headers.h"

#include <algorithm>

namespace daedalus::hevc {
namespace {

constexpr size_t maxPictures = 16; ///< in a reference picture set (A.4.2), and more than a list has entries

unsigned ceilLog2(uint32_t value) {
    unsigned bits = 0;
    while ((uint64_t{1} << bits) < value)
        ++bits;
    return bits;
}

unsigned ctbLog2(const Sps& sps) {
    return sps.log2_min_luma_coding_block_size_minus3 + 3u + sps.log2_diff_max_min_luma_coding_block_size;
}

bool has(uint64_t flags, uint64_t flag) {
    return (flags & flag) != 0;
}

bool weighted(const SliceHeader& header, const Pps& pps) {
    return (header.type == SliceType::P && has(pps.flags, V4L2_HEVC_PPS_FLAG_WEIGHTED_PRED)) ||
           (header.type == SliceType::B && has(pps.flags, V4L2_HEVC_PPS_FLAG_WEIGHTED_BIPRED));
}

bool hasEntryPoints(const Pps& pps) {
    return has(pps.flags, V4L2_HEVC_PPS_FLAG_TILES_ENABLED | V4L2_HEVC_PPS_FLAG_ENTROPY_CODING_SYNC_ENABLED);
}

// ---- Reading ----

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
    header_.betaOffsetDiv2 = pps_.pps_beta_offset_div2;
    header_.tcOffsetDiv2 = pps_.pps_tc_offset_div2;
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

// ---- Writing ----

void nalHeader(BitWriter& writer, uint8_t type) {
    writer.bit(0);
    writer.bits(type, 6);
    writer.bits(0, 6);
    writer.bits(1, 3);
}

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

void writeShortTermSet(BitWriter& writer, const WrittenPicture& picture) {
    const auto side = [&](const std::vector<SetEntry>& entries, int sign) {
        int32_t previous = picture.poc;
        for (const SetEntry& entry : entries) {
            writer.ue(static_cast<uint32_t>(sign * (entry.poc - previous) - 1));
            writer.flag(entry.used);
            previous = entry.poc;
        }
    };
    writer.ue(static_cast<uint32_t>(picture.references.before.size()));
    writer.ue(static_cast<uint32_t>(picture.references.after.size()));
    side(picture.references.before, -1);
    side(picture.references.after, 1);
}

void writeReferenceSets(BitWriter& writer, const WrittenPicture& picture) {
    constexpr uint32_t lsb = (1u << writtenPocBits) - 1;
    writer.bits(static_cast<uint32_t>(picture.poc) & lsb, writtenPocBits);
    writer.bit(0);                      // short_term_ref_pic_set_sps_flag
    writeShortTermSet(writer, picture); // the sequence has no set to predict from
    writer.ue(static_cast<uint32_t>(picture.references.longTerm.size()));
    for (const SetEntry& entry : picture.references.longTerm) {
        writer.bits(static_cast<uint32_t>(entry.poc) & lsb, writtenPocBits);
        writer.flag(entry.used);
        writer.bit(0); // delta_poc_msb_present_flag: the low bits are unique
    }
}

void writeWeights(BitWriter& writer, const WeightTable& table, unsigned lists) {
    writer.ue(table.lumaLog2Denom);
    writer.se(table.deltaChromaLog2Denom);
    for (unsigned list = 0; list < lists; ++list) {
        for (const Weight& weight : table.lists[list])
            writer.flag(weight.luma);
        for (const Weight& weight : table.lists[list])
            writer.flag(weight.chroma);
        for (const Weight& weight : table.lists[list]) {
            if (weight.luma) {
                writer.se(weight.deltaLuma);
                writer.se(weight.lumaOffset);
            }
            for (size_t j = 0; weight.chroma && j < 2; ++j) {
                writer.se(weight.deltaChroma[j]);
                writer.se(weight.deltaChromaOffset[j]);
            }
        }
    }
}

void writeInterPrediction(BitWriter& writer, const SliceHeader& header, size_t picturesUsed, const Pps& pps) {
    writer.bit(1); // num_ref_idx_active_override_flag
    for (unsigned list = 0; list < header.lists(); ++list)
        writer.ue(header.activeRefs[list] - 1);
    if (has(pps.flags, V4L2_HEVC_PPS_FLAG_LISTS_MODIFICATION_PRESENT) && picturesUsed > 1) {
        for (unsigned list = 0; list < header.lists(); ++list) {
            writer.flag(header.listEntries[list].has_value());
            if (header.listEntries[list]) {
                for (const uint32_t entry : *header.listEntries[list])
                    writer.bits(entry, ceilLog2(static_cast<uint32_t>(picturesUsed)));
            }
        }
    }
    if (header.isB())
        writer.flag(header.mvdL1Zero);
    if (has(pps.flags, V4L2_HEVC_PPS_FLAG_CABAC_INIT_PRESENT))
        writer.flag(header.cabacInit);
    if (header.temporalMvp) {
        if (header.isB())
            writer.flag(header.collocatedFromL0);
        if (header.activeRefs[header.collocatedFromL0 ? 0 : 1] > 1)
            writer.ue(header.collocatedRefIdx);
    }
    if (header.weights)
        writeWeights(writer, *header.weights, header.lists());
    writer.ue(header.fiveMinusMaxNumMergeCand);
}

void writeIndependentPart(BitWriter& writer, const SliceHeader& header, const WrittenPicture& picture, const Sps& sps,
                          const Pps& pps) {
    writer.ue(static_cast<uint32_t>(header.type));
    writer.bit(0); // pic_output_flag
    if (!picture.idr) {
        writeReferenceSets(writer, picture);
        if (has(sps.flags, V4L2_HEVC_SPS_FLAG_SPS_TEMPORAL_MVP_ENABLED))
            writer.flag(header.temporalMvp);
    }
    if (has(sps.flags, V4L2_HEVC_SPS_FLAG_SAMPLE_ADAPTIVE_OFFSET)) {
        writer.flag(header.saoLuma);
        writer.flag(header.saoChroma);
    }
    if (!header.isIntra()) {
        const auto used = [](const std::vector<SetEntry>& entries) {
            return std::count_if(entries.begin(), entries.end(), [](const SetEntry& entry) { return entry.used; });
        };
        const ReferenceSet& set = picture.references;
        writeInterPrediction(writer, header,
                             static_cast<size_t>(used(set.before) + used(set.after) + used(set.longTerm)), pps);
    }
    writer.se(header.qpDelta);
    if (has(pps.flags, V4L2_HEVC_PPS_FLAG_PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT)) {
        writer.se(header.cbQpOffset);
        writer.se(header.crQpOffset);
    }
    if (has(pps.flags, V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_OVERRIDE_ENABLED))
        writer.flag(header.deblockingOverride);
    if (header.deblockingOverride) {
        writer.flag(header.deblockingDisabled);
        if (!header.deblockingDisabled) {
            writer.se(header.betaOffsetDiv2);
            writer.se(header.tcOffsetDiv2);
        }
    }
    if (has(pps.flags, V4L2_HEVC_PPS_FLAG_PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED) &&
        (header.saoLuma || header.saoChroma || !header.deblockingDisabled))
        writer.flag(header.loopFilterAcrossSlices);
}

/// The offsets stay what they are: they count bytes of slice_segment_data(), whose bytes stay what they are, emulation
/// prevention included, for no header ends in a byte of zeros.
void writeEntryPoints(BitWriter& writer, const SliceHeader& header) {
    writer.ue(static_cast<uint32_t>(header.entryPoints.size()));
    if (header.entryPoints.empty())
        return;
    writer.ue(31); // offset_len_minus1
    for (const uint32_t offset : header.entryPoints)
        writer.bits(offset - 1, 32);
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

uint32_t widthInCtbs(const Sps& sps) {
    return (sps.pic_width_in_luma_samples + (1u << ctbLog2(sps)) - 1) >> ctbLog2(sps);
}

uint32_t heightInCtbs(const Sps& sps) {
    return (sps.pic_height_in_luma_samples + (1u << ctbLog2(sps)) - 1) >> ctbLog2(sps);
}

Result<SliceHeader> parseSlice(std::span<const uint8_t> rbsp, const Sps& sps, const Pps& pps,
                               const DecodeParams& params, const SliceHeader* slice) {
    return Parser(rbsp, sps, pps, params).parse(slice);
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

std::vector<uint8_t> writeSlice(const SliceHeader& header, const WrittenPicture& picture, const Sps& sps,
                                const Pps& pps, std::span<const uint8_t> rbsp) {
    BitWriter writer;
    nalHeader(writer, picture.idr ? idrWRadl : trailR);
    writer.flag(header.firstInPicture);
    if (picture.idr)
        writer.bit(0); // no_output_of_prior_pics_flag
    writer.ue(0);      // slice_pic_parameter_set_id
    if (!header.firstInPicture) {
        if (has(pps.flags, V4L2_HEVC_PPS_FLAG_DEPENDENT_SLICE_SEGMENT_ENABLED))
            writer.flag(header.dependent);
        writer.bits(header.address, ceilLog2(widthInCtbs(sps) * heightInCtbs(sps)));
    }
    if (!header.dependent)
        writeIndependentPart(writer, header, picture, sps, pps);
    if (hasEntryPoints(pps))
        writeEntryPoints(writer, header);
    writer.trailing(); // byte_alignment() is the same bits
    writer.append(rbsp, header.headerBytes * 8, rbsp.size() * 8);
    return writer.take();
}

} // namespace daedalus::hevc
