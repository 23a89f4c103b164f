// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <span>
#include <vector>

#include "util/result.h"

namespace v4l2_request::bitstream {

// nal_unit_type values that this driver tells apart (table 7-1 of Rec. ITU-T H.265).
enum class HevcNalType : uint8_t {
    TrailN = 0,
    RaslR = 9,
    BlaWLp = 16,
    IdrWRadl = 19,
    IdrNLp = 20,
    Cra = 21,
    RsvIrapVcl23 = 23,
};

// slice_type (table 7-7)
enum class HevcSliceType : uint8_t { B = 0, P = 1, I = 2 };

// An index into a reference picture list is at most 14 (7.4.7.1).
inline constexpr size_t hevcMaxActiveReferences = 15;
// sps_max_dec_pic_buffering_minus1 is at most 15 (A.4.2), so no set has more pictures than that; one more is harmless.
inline constexpr size_t hevcMaxReferenceSet = 16;

// The syntax elements of the parameter sets that slice_segment_header() (7.3.6.1) depends on, and what of the picture's
// reference picture set its slices cannot tell by themselves.
struct HevcSliceContext {
    uint8_t chromaFormatIdc = 1;
    bool separateColourPlane = false;
    uint32_t widthInCtbs = 1;
    uint32_t heightInCtbs = 1;
    uint8_t log2MaxPicOrderCntLsb = 4;
    uint8_t numShortTermRefPicSets = 0;
    bool longTermRefPicsPresent = false;
    uint8_t numLongTermRefPicsSps = 0;
    bool temporalMvpEnabled = false;
    bool sampleAdaptiveOffsetEnabled = false;

    bool dependentSliceSegmentsEnabled = false;
    bool outputFlagPresent = false;
    uint8_t numExtraSliceHeaderBits = 0;
    bool cabacInitPresent = false;
    std::array<uint8_t, 2> numRefIdxDefault{1, 1}; // num_ref_idx_l{0,1}_default_active_minus1 + 1
    bool sliceChromaQpOffsetsPresent = false;
    bool weightedPred = false;
    bool weightedBipred = false;
    bool tilesEnabled = false;
    uint8_t numTileColumns = 1;
    uint8_t numTileRows = 1;
    bool entropyCodingSyncEnabled = false;
    bool loopFilterAcrossSlicesEnabled = false;
    bool deblockingFilterOverrideEnabled = false;
    bool deblockingFilterDisabled = false;
    int8_t betaOffsetDiv2 = 0;
    int8_t tcOffsetDiv2 = 0;
    bool listsModificationPresent = false;
    bool sliceHeaderExtensionPresent = false;

    // NumPicTotalCurr (7-55): a set that the sequence parameter set holds is not in the slice header.
    uint8_t numPicTotalCurr = 0;
    // Bits of a short-term set that the slice header holds; needed to parse one that is predicted from another set.
    uint32_t shortTermRefPicSetBits = 0;
};

// st_ref_pic_set( num_short_term_ref_pic_sets ) (7.3.7) where the slice header has it.
struct HevcInlineShortTermSet {
    bool present = false;   // !short_term_ref_pic_set_sps_flag
    bool predicted = false; // inter_ref_pic_set_prediction_flag
    uint8_t deltaIdx = 0;   // delta_idx_minus1 + 1, of a predicted set
    uint8_t numDeltaPocsOfRefRpsIdx = 0;
    uint32_t bitSize = 0;
};

// An entry of the long-term reference picture set (7.4.7.1).
struct HevcLongTermEntry {
    bool fromSps = false;
    uint8_t ltIdxSps = 0; // of an entry from the sequence parameter set
    uint16_t pocLsb = 0;  // poc_lsb_lt, of any other
    bool usedByCurr = false;
    bool msbPresent = false;      // delta_poc_msb_present_flag
    int64_t deltaPocMsbCycle = 0; // DeltaPocMsbCycleLt (7-52)
};

// pred_weight_table() (7.3.6.3) of one list: what is absent is 0, and the chroma offsets are final (7-56).
struct HevcWeights {
    std::array<int8_t, hevcMaxActiveReferences> deltaLumaWeight{};
    std::array<int8_t, hevcMaxActiveReferences> lumaOffset{};
    std::array<std::array<int8_t, 2>, hevcMaxActiveReferences> deltaChromaWeight{};
    std::array<std::array<int8_t, 2>, hevcMaxActiveReferences> chromaOffset{};
};

struct HevcPredWeightTable {
    uint8_t lumaLog2Denom = 0;
    int8_t deltaChromaLog2Denom = 0;
    std::array<HevcWeights, 2> lists;
};

// ref_pic_lists_modification() (7.3.6.2) of one list.
struct HevcListModification {
    bool present = false;
    std::array<uint8_t, hevcMaxActiveReferences> entries{}; // list_entry_lX
};

// slice_segment_header() (7.3.6.1), under the names of the specification. What is absent from the stream has its
// inferred value; a dependent slice segment has the values of the slice that it belongs to.
struct HevcSliceHeader {
    explicit HevcSliceHeader(std::pmr::memory_resource* memory = std::pmr::get_default_resource())
        : longTermSet(memory), entryPointOffsets(memory) {}

    uint8_t nalUnitType = 0;
    uint8_t temporalIdPlus1 = 1;

    bool firstSliceSegmentInPic = false;
    bool noOutputOfPriorPics = false;
    uint8_t picParameterSetId = 0;
    bool dependentSliceSegment = false;
    uint32_t segmentAddress = 0;

    HevcSliceType type = HevcSliceType::I;
    uint8_t colourPlaneId = 0;
    uint16_t picOrderCntLsb = 0;
    uint8_t shortTermRefPicSetIdx = 0;
    HevcInlineShortTermSet shortTermSet;
    std::pmr::vector<HevcLongTermEntry> longTermSet; // at most hevcMaxReferenceSet
    uint32_t longTermSetBitSize = 0;                 // the block if( long_term_ref_pics_present_flag )
    bool temporalMvpEnabled = false;
    bool saoLuma = false;
    bool saoChroma = false;
    std::array<uint8_t, 2> numRefIdxActive{}; // 0 for a list that this type of slice does not have
    std::array<HevcListModification, 2> listModification;
    bool mvdL1Zero = false;
    bool cabacInit = false;
    bool collocatedFromL0 = true;
    uint8_t collocatedRefIdx = 0;
    std::optional<HevcPredWeightTable> weights; // if the slice has them
    uint8_t fiveMinusMaxNumMergeCand = 0;
    int8_t qpDelta = 0;
    int8_t cbQpOffset = 0;
    int8_t crQpOffset = 0;
    bool deblockingFilterDisabled = false;
    int8_t betaOffsetDiv2 = 0;
    int8_t tcOffsetDiv2 = 0;
    bool loopFilterAcrossSlicesEnabled = false;
    std::pmr::vector<uint32_t> entryPointOffsets; // entry_point_offset_minus1 + 1

    // Bytes from the NAL unit header's first one to slice_segment_data(): of payload, and as they are in the NAL unit.
    size_t byteSize = 0;
    size_t rawByteSize = 0;

    bool idr() const {
        return nalUnitType == uint8_t(HevcNalType::IdrWRadl) || nalUnitType == uint8_t(HevcNalType::IdrNLp);
    }
    bool irap() const {
        return nalUnitType >= uint8_t(HevcNalType::BlaWLp) && nalUnitType <= uint8_t(HevcNalType::RsvIrapVcl23);
    }
};

// Ceil( Log2( value ) ) of a positive value (5.8): the width of a syntax element that has `value` different ones.
constexpr unsigned ceilLog2(uint32_t value) {
    unsigned bits = 0;
    while (bits < 32 && (uint64_t{1} << bits) < value)
        ++bits;
    return bits;
}

// Parses the header of a coded slice segment. `nal` starts at the NAL unit header (no start code) and may end anywhere
// behind the slice segment header. `independent` is the header of the last independent slice segment before it, nullptr
// if there was none. Its lists are in `memory`. Fails with Unsupported for layers other than the base layer, and with
// InvalidParameter for anything that is no slice segment header in this context.
Result<HevcSliceHeader> parseHevcSliceHeader(std::span<const uint8_t> nal, const HevcSliceContext& context,
                                             const HevcSliceHeader* independent,
                                             std::pmr::memory_resource* memory = std::pmr::get_default_resource());

} // namespace v4l2_request::bitstream
