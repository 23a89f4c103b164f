// SPDX-License-Identifier: MIT
#include "bitstream/hevc_slice_header.h"

#include <algorithm>

#include "bitstream/bit_reader.h"

// Clauses and tables are those of Rec. ITU-T H.265.
namespace v4l2_request::bitstream {

namespace {

class Parser {
public:
    Parser(std::span<const uint8_t> nal, const HevcSliceContext& context, const HevcSliceHeader* independent,
           std::pmr::memory_resource* memory)
        : reader_(nal, BitReader::View::Rbsp), context_(context), independent_(independent), header_(memory) {}

    Result<HevcSliceHeader> parse() {
        nalUnitHeader();
        if (!problem_)
            sliceSegmentHeader();
        if (!reader_.ok())
            problem(ErrorKind::InvalidParameter, "HEVC: the slice header runs past the end of the slice data");
        if (problem_)
            return fail(problemKind_, problem_);
        header_.byteSize = reader_.position() / 8;
        header_.rawByteSize = reader_.rawPosition() / 8;
        return std::move(header_);
    }

private:
    void nalUnitHeader();
    void sliceSegmentHeader();
    void sliceHeader();
    void referencePictureSet();
    void inlineShortTermSet();
    void predictedShortTermSet(size_t start);
    void longTermSet();
    void interPrediction();
    void numRefIdxActive();
    void refPicListsModification();
    void collocatedPicture();
    void predWeightTable();
    void predWeights(HevcPredWeightTable& table, unsigned list);
    void chromaWeights(const HevcPredWeightTable& table, HevcWeights& weights, size_t reference);
    void quantisation();
    void loopFilters();
    void entryPoints();
    void extension();
    void byteAlignment();

    // Keeps the first problem; parsing goes on with values that are in range, so that nothing else needs to check.
    void problem(ErrorKind kind, const char* message) {
        if (problem_)
            return;
        problem_ = message;
        problemKind_ = kind;
    }
    void invalid(const char* message) { problem(ErrorKind::InvalidParameter, message); }
    uint32_t ueUpTo(uint32_t limit, const char* message) {
        const uint32_t value = reader_.ue();
        if (value <= limit)
            return value;
        invalid(message);
        return 0;
    }
    int8_t seBetween(int32_t low, int32_t high, const char* message) {
        const int32_t value = reader_.se();
        if (value >= low && value <= high)
            return static_cast<int8_t>(value);
        invalid(message);
        return 0;
    }
    bool hasList(unsigned list) const {
        return header_.type == HevcSliceType::B || (list == 0 && header_.type == HevcSliceType::P);
    }
    // ChromaArrayType != 0 (7.4.3.2.1)
    bool hasChroma() const { return context_.chromaFormatIdc != 0 && !context_.separateColourPlane; }

    BitReader reader_;
    const HevcSliceContext& context_;
    const HevcSliceHeader* independent_;
    HevcSliceHeader header_;
    const char* problem_ = nullptr;
    ErrorKind problemKind_ = ErrorKind::InvalidParameter;
};

// 7.3.1.2
void Parser::nalUnitHeader() {
    if (reader_.flag())
        invalid("HEVC: forbidden_zero_bit is set");
    header_.nalUnitType = static_cast<uint8_t>(reader_.bits(6));
    if (header_.nalUnitType > uint8_t(HevcNalType::RaslR) &&
        (header_.nalUnitType < uint8_t(HevcNalType::BlaWLp) || header_.nalUnitType > uint8_t(HevcNalType::Cra)))
        invalid("HEVC: the slice data does not start with a slice NAL unit");
    if (reader_.bits(6) != 0)
        problem(ErrorKind::Unsupported, "HEVC: only the base layer is supported");
    header_.temporalIdPlus1 = static_cast<uint8_t>(reader_.bits(3));
    if (header_.temporalIdPlus1 == 0)
        invalid("HEVC: nuh_temporal_id_plus1 is 0");
}

// 7.3.6.1
void Parser::sliceSegmentHeader() {
    header_.firstSliceSegmentInPic = reader_.flag();
    if (header_.irap())
        header_.noOutputOfPriorPics = reader_.flag();
    header_.picParameterSetId = static_cast<uint8_t>(ueUpTo(63, "HEVC: slice_pic_parameter_set_id is out of range"));
    if (!header_.firstSliceSegmentInPic) {
        if (context_.dependentSliceSegmentsEnabled)
            header_.dependentSliceSegment = reader_.flag();
        const uint32_t ctbs = context_.widthInCtbs * context_.heightInCtbs;
        header_.segmentAddress = reader_.bits(ceilLog2(ctbs));
        if (header_.segmentAddress == 0 || header_.segmentAddress >= ctbs)
            invalid("HEVC: slice_segment_address is out of range");
    }
    if (!header_.dependentSliceSegment) {
        sliceHeader();
    } else if (independent_) {
        // 7.4.7.1: what the header of a dependent slice segment lacks is that of the slice it continues.
        HevcSliceHeader inherited = *independent_;
        inherited.nalUnitType = header_.nalUnitType;
        inherited.temporalIdPlus1 = header_.temporalIdPlus1;
        inherited.firstSliceSegmentInPic = header_.firstSliceSegmentInPic;
        inherited.noOutputOfPriorPics = header_.noOutputOfPriorPics;
        inherited.picParameterSetId = header_.picParameterSetId;
        inherited.dependentSliceSegment = true;
        inherited.segmentAddress = header_.segmentAddress;
        inherited.entryPointOffsets.clear();
        header_ = std::move(inherited);
    } else {
        invalid("HEVC: a dependent slice segment without the slice that it continues");
    }
    if (context_.tilesEnabled || context_.entropyCodingSyncEnabled)
        entryPoints();
    if (context_.sliceHeaderExtensionPresent)
        extension();
    byteAlignment();
}

// The part of slice_segment_header() that a dependent slice segment does not have.
void Parser::sliceHeader() {
    reader_.bits(context_.numExtraSliceHeaderBits); // slice_reserved_flag
    header_.type = static_cast<HevcSliceType>(ueUpTo(2, "HEVC: slice_type is out of range"));
    if (context_.outputFlagPresent)
        reader_.flag(); // pic_output_flag
    if (context_.separateColourPlane)
        header_.colourPlaneId = static_cast<uint8_t>(reader_.bits(2));
    if (!header_.idr())
        referencePictureSet();
    if (context_.sampleAdaptiveOffsetEnabled) {
        header_.saoLuma = reader_.flag();
        if (hasChroma())
            header_.saoChroma = reader_.flag();
    }
    if (header_.type != HevcSliceType::I)
        interPrediction();
    quantisation();
    loopFilters();
}

void Parser::referencePictureSet() {
    header_.picOrderCntLsb = static_cast<uint16_t>(reader_.bits(context_.log2MaxPicOrderCntLsb));
    header_.shortTermSet.present = !reader_.flag();
    if (header_.shortTermSet.present)
        inlineShortTermSet();
    else if (context_.numShortTermRefPicSets == 0)
        invalid("HEVC: the slice refers to a short-term reference picture set that does not exist");
    else if (context_.numShortTermRefPicSets > 1) {
        const uint32_t index = reader_.bits(ceilLog2(context_.numShortTermRefPicSets));
        if (index >= context_.numShortTermRefPicSets)
            invalid("HEVC: short_term_ref_pic_set_idx is out of range");
        header_.shortTermRefPicSetIdx = static_cast<uint8_t>(index);
    }
    if (context_.longTermRefPicsPresent)
        longTermSet();
    if (context_.temporalMvpEnabled)
        header_.temporalMvpEnabled = reader_.flag();
}

// 7.3.7 with stRpsIdx equal to num_short_term_ref_pic_sets
void Parser::inlineShortTermSet() {
    const size_t start = reader_.position();
    if (context_.numShortTermRefPicSets > 0)
        header_.shortTermSet.predicted = reader_.flag();
    if (header_.shortTermSet.predicted) {
        predictedShortTermSet(start);
    } else {
        constexpr const char* tooMany = "HEVC: the short-term reference picture set has too many pictures";
        const uint32_t negative = ueUpTo(hevcMaxReferenceSet, tooMany);
        const uint32_t positive = ueUpTo(hevcMaxReferenceSet - negative, tooMany);
        for (uint32_t i = 0; i < negative + positive && reader_.ok(); ++i) {
            ueUpTo(0x7fff, "HEVC: delta_poc_minus1 is out of range"); // delta_poc_s0_minus1, delta_poc_s1_minus1
            reader_.flag();                                           // used_by_curr_pic_s0_flag, ..._s1_flag
        }
    }
    header_.shortTermSet.bitSize = static_cast<uint32_t>(reader_.position() - start);
    if (context_.shortTermRefPicSetBits != 0 && header_.shortTermSet.bitSize != context_.shortTermRefPicSetBits)
        invalid("HEVC: the short-term reference picture set has another size than st_rps_bits");
}

// How many pictures the other set has, the slice header does not say: it is as many as fit the size of this one.
void Parser::predictedShortTermSet(size_t start) {
    if (context_.shortTermRefPicSetBits == 0)
        invalid("HEVC: a predicted short-term reference picture set needs st_rps_bits");
    const auto deltaIdxMinus1 = ueUpTo(context_.numShortTermRefPicSets - 1u, "HEVC: delta_idx_minus1 is out of range");
    header_.shortTermSet.deltaIdx = static_cast<uint8_t>(deltaIdxMinus1 + 1);
    reader_.flag(); // delta_rps_sign
    ueUpTo(0x7fff, "HEVC: abs_delta_rps_minus1 is out of range");
    unsigned flags = 0;
    while (flags <= hevcMaxReferenceSet && reader_.ok() &&
           reader_.position() - start < context_.shortTermRefPicSetBits) {
        if (!reader_.flag()) // used_by_curr_pic_flag
            reader_.flag();  // use_delta_flag
        ++flags;
    }
    if (flags == 0)
        invalid("HEVC: a predicted short-term reference picture set without flags");
    else
        header_.shortTermSet.numDeltaPocsOfRefRpsIdx = static_cast<uint8_t>(flags - 1);
}

void Parser::longTermSet() {
    constexpr const char* tooMany = "HEVC: the long-term reference picture set has too many pictures";
    const size_t start = reader_.position();
    const uint32_t fromSps = context_.numLongTermRefPicsSps > 0 ? ueUpTo(hevcMaxReferenceSet, tooMany) : 0;
    const uint32_t others = ueUpTo(hevcMaxReferenceSet - fromSps, tooMany);
    for (uint32_t i = 0; i < fromSps + others && reader_.ok(); ++i) {
        HevcLongTermEntry entry{.fromSps = i < fromSps};
        if (!entry.fromSps) {
            entry.pocLsb = static_cast<uint16_t>(reader_.bits(context_.log2MaxPicOrderCntLsb));
            entry.usedByCurr = reader_.flag();
        } else if (context_.numLongTermRefPicsSps > 1) {
            const uint32_t index = reader_.bits(ceilLog2(context_.numLongTermRefPicsSps));
            if (index >= context_.numLongTermRefPicsSps)
                invalid("HEVC: lt_idx_sps is out of range");
            entry.ltIdxSps = static_cast<uint8_t>(index);
        }
        entry.msbPresent = reader_.flag();
        if (entry.msbPresent)
            entry.deltaPocMsbCycle = reader_.ue();
        if (i != 0 && i != fromSps) // 7-52
            entry.deltaPocMsbCycle += header_.longTermSet.back().deltaPocMsbCycle;
        header_.longTermSet.push_back(entry);
    }
    header_.longTermSetBitSize = static_cast<uint32_t>(reader_.position() - start);
}

void Parser::interPrediction() {
    numRefIdxActive();
    if (context_.listsModificationPresent && context_.numPicTotalCurr > 1)
        refPicListsModification();
    if (header_.type == HevcSliceType::B)
        header_.mvdL1Zero = reader_.flag();
    if (context_.cabacInitPresent)
        header_.cabacInit = reader_.flag();
    if (header_.temporalMvpEnabled)
        collocatedPicture();
    if ((context_.weightedPred && header_.type == HevcSliceType::P) ||
        (context_.weightedBipred && header_.type == HevcSliceType::B))
        predWeightTable();
    header_.fiveMinusMaxNumMergeCand =
        static_cast<uint8_t>(ueUpTo(4, "HEVC: five_minus_max_num_merge_cand is out of range"));
}

void Parser::numRefIdxActive() {
    const bool override = reader_.flag();
    for (unsigned list : {0u, 1u}) {
        if (!hasList(list))
            continue;
        header_.numRefIdxActive[list] = context_.numRefIdxDefault[list];
        if (override)
            header_.numRefIdxActive[list] = static_cast<uint8_t>(
                ueUpTo(hevcMaxActiveReferences - 1, "HEVC: num_ref_idx_active_minus1 is out of range") + 1);
    }
}

// 7.3.6.2
void Parser::refPicListsModification() {
    for (unsigned list : {0u, 1u}) {
        if (!hasList(list))
            continue;
        HevcListModification& modification = header_.listModification[list];
        modification.present = reader_.flag();
        if (!modification.present)
            continue;
        for (size_t i = 0; i < header_.numRefIdxActive[list]; ++i) {
            modification.entries[i] = static_cast<uint8_t>(reader_.bits(ceilLog2(context_.numPicTotalCurr)));
            if (modification.entries[i] >= context_.numPicTotalCurr)
                invalid("HEVC: list_entry is out of range");
        }
    }
}

void Parser::collocatedPicture() {
    if (header_.type == HevcSliceType::B)
        header_.collocatedFromL0 = reader_.flag();
    const uint8_t active = header_.numRefIdxActive[header_.collocatedFromL0 ? 0 : 1];
    if (active > 1)
        header_.collocatedRefIdx =
            static_cast<uint8_t>(ueUpTo(active - 1u, "HEVC: collocated_ref_idx is out of range"));
}

// 7.3.6.3. The flags are there for every reference: none of them is in another layer, and none is the picture itself.
void Parser::predWeightTable() {
    HevcPredWeightTable& table = header_.weights.emplace();
    table.lumaLog2Denom = static_cast<uint8_t>(ueUpTo(7, "HEVC: luma_log2_weight_denom is out of range"));
    if (hasChroma()) {
        const int luma = table.lumaLog2Denom;
        table.deltaChromaLog2Denom = seBetween(-luma, 7 - luma, "HEVC: delta_chroma_log2_weight_denom is out of range");
    }
    for (unsigned list : {0u, 1u})
        if (hasList(list))
            predWeights(table, list);
}

void Parser::predWeights(HevcPredWeightTable& table, unsigned list) {
    const size_t active = header_.numRefIdxActive[list];
    HevcWeights& weights = table.lists[list];
    std::array<bool, hevcMaxActiveReferences> luma{};
    std::array<bool, hevcMaxActiveReferences> chroma{};
    for (size_t i = 0; i < active; ++i)
        luma[i] = reader_.flag();
    if (hasChroma())
        for (size_t i = 0; i < active; ++i)
            chroma[i] = reader_.flag();
    for (size_t i = 0; i < active; ++i) {
        if (luma[i]) {
            weights.deltaLumaWeight[i] = seBetween(-128, 127, "HEVC: delta_luma_weight is out of range");
            weights.lumaOffset[i] = seBetween(-128, 127, "HEVC: luma_offset is out of range");
        }
        if (chroma[i])
            chromaWeights(table, weights, i);
    }
}

// 7-56: the offset is sent as the difference from what the weight makes of the middle of the range.
void Parser::chromaWeights(const HevcPredWeightTable& table, HevcWeights& weights, size_t reference) {
    constexpr int halfRange = 128; // wpOffsetHalfRangeC, without high_precision_offsets_enabled_flag
    const int denominator = table.lumaLog2Denom + table.deltaChromaLog2Denom;
    for (size_t component : {0u, 1u}) {
        const int8_t delta = seBetween(-128, 127, "HEVC: delta_chroma_weight is out of range");
        const int32_t sent = reader_.se();
        if (sent < -4 * halfRange || sent > 4 * halfRange - 1) {
            invalid("HEVC: delta_chroma_offset is out of range");
            return;
        }
        const int weight = (1 << denominator) + delta;
        const int offset = halfRange + sent - ((halfRange * weight) >> denominator);
        weights.deltaChromaWeight[reference][component] = delta;
        weights.chromaOffset[reference][component] = static_cast<int8_t>(std::clamp(offset, -halfRange, halfRange - 1));
    }
}

void Parser::quantisation() {
    // SliceQpY lies between -QpBdOffset and 51 (7-54), QpBdOffset is at most 48, and so does its initial value.
    header_.qpDelta = seBetween(-99, 99, "HEVC: slice_qp_delta is out of range");
    if (!context_.sliceChromaQpOffsetsPresent)
        return;
    header_.cbQpOffset = seBetween(-12, 12, "HEVC: slice_cb_qp_offset is out of range");
    header_.crQpOffset = seBetween(-12, 12, "HEVC: slice_cr_qp_offset is out of range");
}

void Parser::loopFilters() {
    header_.deblockingFilterDisabled = context_.deblockingFilterDisabled;
    header_.betaOffsetDiv2 = context_.betaOffsetDiv2;
    header_.tcOffsetDiv2 = context_.tcOffsetDiv2;
    if (context_.deblockingFilterOverrideEnabled && reader_.flag()) { // deblocking_filter_override_flag
        header_.deblockingFilterDisabled = reader_.flag();
        if (!header_.deblockingFilterDisabled) {
            header_.betaOffsetDiv2 = seBetween(-6, 6, "HEVC: slice_beta_offset_div2 is out of range");
            header_.tcOffsetDiv2 = seBetween(-6, 6, "HEVC: slice_tc_offset_div2 is out of range");
        }
    }
    header_.loopFilterAcrossSlicesEnabled = context_.loopFilterAcrossSlicesEnabled;
    if (context_.loopFilterAcrossSlicesEnabled &&
        (header_.saoLuma || header_.saoChroma || !header_.deblockingFilterDisabled))
        header_.loopFilterAcrossSlicesEnabled = reader_.flag();
}

// 7.4.7.1: one entry point for each tile, for each row of coding tree blocks, or for each such row of each tile, but
// the first.
void Parser::entryPoints() {
    const uint32_t columns = context_.tilesEnabled ? context_.numTileColumns : 1;
    const uint32_t rows = context_.entropyCodingSyncEnabled ? context_.heightInCtbs : context_.numTileRows;
    const uint32_t count = ueUpTo(columns * rows - 1, "HEVC: num_entry_point_offsets is out of range");
    if (count == 0)
        return;
    const uint32_t bits = ueUpTo(31, "HEVC: offset_len_minus1 is out of range") + 1;
    for (uint32_t i = 0; i < count && reader_.ok(); ++i) {
        const uint32_t minus1 = reader_.bits(bits);
        if (minus1 == UINT32_MAX)
            invalid("HEVC: entry_point_offset_minus1 is out of range");
        header_.entryPointOffsets.push_back(minus1 + 1);
    }
}

void Parser::extension() {
    const uint32_t length = ueUpTo(256, "HEVC: slice_segment_header_extension_length is out of range");
    for (uint32_t i = 0; i < length && reader_.ok(); ++i)
        reader_.bits(8);
}

// 7.3.2.12: a one, and zeros up to the next byte.
void Parser::byteAlignment() {
    if (!reader_.flag())
        invalid("HEVC: the slice header does not end where it should");
    while (reader_.position() % 8 != 0)
        if (reader_.flag())
            invalid("HEVC: the slice header does not end where it should");
}

} // namespace

Result<HevcSliceHeader> parseHevcSliceHeader(std::span<const uint8_t> nal, const HevcSliceContext& context,
                                             const HevcSliceHeader* independent, std::pmr::memory_resource* memory) {
    return Parser(nal, context, independent, memory).parse();
}

} // namespace v4l2_request::bitstream
