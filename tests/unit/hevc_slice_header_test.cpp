// SPDX-License-Identifier: MIT
#include <functional>

#include <gtest/gtest.h>

#include "bit_writer.h"
#include "bitstream/hevc_slice_header.h"

namespace v4l2_request::bitstream {
namespace {

using test::BitWriter;

constexpr uint8_t trailR = 1;
constexpr uint8_t blaWLp = 16;
constexpr uint8_t idrWRadl = 19;
constexpr uint32_t typeB = 0;
constexpr uint32_t typeP = 1;
constexpr uint32_t typeI = 2;

BitWriter nal(uint8_t type, uint8_t temporalIdPlus1 = 1, uint8_t layer = 0) {
    return BitWriter().bits(0, 1).bits(type, 6).bits(layer, 6).bits(temporalIdPlus1, 3);
}

// first_slice_segment_in_pic_flag, slice_pic_parameter_set_id 0, slice_type
BitWriter first(uint32_t type, uint8_t nalType = trailR) {
    BitWriter written = nal(nalType).bits(1, 1);
    if (nalType >= blaWLp)
        written.bits(0, 1);
    return written.ue(0).ue(type);
}

// The same up to a reference picture set with nothing in it: slice_pic_order_cnt_lsb of 4 bits, an inline short-term
// set of no picture.
BitWriter noReferences(uint32_t type) {
    return first(type).bits(5, 4).bits(0, 1).ue(0).ue(0);
}

// byte_alignment(), and some slice data
BitWriter ended(BitWriter written) {
    written.bits(1, 1);
    while (written.size() % 8 != 0)
        written.bits(0, 1);
    return written;
}

struct Case {
    const char* name;
    HevcSliceContext context;
    BitWriter written; // up to byte_alignment()
    std::function<void(const HevcSliceHeader&)> check;
};

void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name;
}

class HevcHeader : public testing::TestWithParam<Case> {};

TEST_P(HevcHeader, Parses) {
    const Case& c = GetParam();
    BitWriter written = ended(c.written);
    const size_t size = written.size() / 8;
    const size_t rawSize = written.escaped().size();
    written.bits(0x5a5a5a, 24); // slice_segment_data()
    const auto header = parseHevcSliceHeader(written.escaped(), c.context, nullptr);
    ASSERT_TRUE(header) << header.error().message;
    EXPECT_EQ(header->byteSize, size);
    EXPECT_EQ(header->rawByteSize, rawSize);
    c.check(*header);
}

TEST_P(HevcHeader, IsRefusedWhereItIsCutOff) {
    const Case& c = GetParam();
    std::vector<uint8_t> whole = ended(c.written).escaped();
    for (size_t size = 0; size < whole.size(); ++size)
        EXPECT_FALSE(parseHevcSliceHeader(std::span(whole).first(size), c.context, nullptr)) << size;
}

std::vector<Case> cases() {
    std::vector<Case> all;
    all.push_back({"IDR: no reference picture set",
                   {},
                   nal(idrWRadl, 1).bits(1, 1).bits(1, 1).ue(63).ue(typeI).se(-26),
                   [](const HevcSliceHeader& h) {
                       EXPECT_TRUE(h.idr());
                       EXPECT_TRUE(h.irap());
                       EXPECT_TRUE(h.noOutputOfPriorPics);
                       EXPECT_TRUE(h.firstSliceSegmentInPic);
                       EXPECT_EQ(h.picParameterSetId, 63);
                       EXPECT_EQ(h.type, HevcSliceType::I);
                       EXPECT_EQ(h.qpDelta, -26);
                       EXPECT_EQ(h.numRefIdxActive, (std::array<uint8_t, 2>{0, 0}));
                       EXPECT_EQ(h.picOrderCntLsb, 0);
                       EXPECT_TRUE(h.collocatedFromL0);
                   }});
    all.push_back({"BLA: no_output_of_prior_pics_flag and a reference picture set",
                   {.numShortTermRefPicSets = 1},
                   first(typeI, blaWLp).bits(15, 4).bits(1, 1).se(0),
                   [](const HevcSliceHeader& h) {
                       EXPECT_TRUE(h.irap());
                       EXPECT_FALSE(h.idr());
                       EXPECT_EQ(h.picOrderCntLsb, 15);
                       EXPECT_FALSE(h.shortTermSet.present);
                       EXPECT_EQ(h.shortTermSet.bitSize, 0u);
                   }});
    all.push_back({"TemporalId, extra header bits, pic_output_flag",
                   {.numShortTermRefPicSets = 1, .outputFlagPresent = true, .numExtraSliceHeaderBits = 3},
                   nal(trailR, 4).bits(1, 1).ue(0).bits(5, 3).ue(typeI).bits(0, 1).bits(2, 4).bits(1, 1).se(3),
                   [](const HevcSliceHeader& h) {
                       EXPECT_EQ(h.nalUnitType, trailR);
                       EXPECT_EQ(h.temporalIdPlus1, 4);
                       EXPECT_EQ(h.picOrderCntLsb, 2);
                       EXPECT_EQ(h.qpDelta, 3);
                   }});
    all.push_back({"slice_segment_address has Ceil(Log2(PicSizeInCtbsY)) bits",
                   {.widthInCtbs = 7, .heightInCtbs = 5}, // 35: six bits
                   nal(idrWRadl).bits(0, 1).bits(0, 1).ue(0).bits(34, 6).ue(typeI).se(0),
                   [](const HevcSliceHeader& h) {
                       EXPECT_FALSE(h.firstSliceSegmentInPic);
                       EXPECT_FALSE(h.dependentSliceSegment);
                       EXPECT_EQ(h.segmentAddress, 34u);
                   }});
    all.push_back({"an index into five sets has three bits",
                   {.numShortTermRefPicSets = 5},
                   first(typeI).bits(0, 4).bits(1, 1).bits(4, 3).se(0),
                   [](const HevcSliceHeader& h) { EXPECT_EQ(h.shortTermRefPicSetIdx, 4); }});
    // 3 + 3 bits of counts, two pictures before (1 + 1 and 3 + 1 bits), one after (5 + 1 bits)
    all.push_back(
        {"an inline set; its size is without short_term_ref_pic_set_sps_flag",
         {.shortTermRefPicSetBits = 18},
         first(typeI).bits(9, 4).bits(0, 1).ue(2).ue(1).ue(0).bits(1, 1).ue(1).bits(0, 1).ue(3).bits(1, 1).se(0),
         [](const HevcSliceHeader& h) {
             EXPECT_TRUE(h.shortTermSet.present);
             EXPECT_FALSE(h.shortTermSet.predicted);
             EXPECT_EQ(h.shortTermSet.bitSize, 18u);
             EXPECT_EQ(h.shortTermSet.numDeltaPocsOfRefRpsIdx, 0);
         }});
    // inter_ref_pic_set_prediction_flag, delta_idx_minus1 1, sign, abs_delta_rps_minus1 0, and the flags of a set of
    // three pictures and the picture itself: used, unused but kept, unused and dropped, used.
    all.push_back({"a set predicted from one of three pictures",
                   {.numShortTermRefPicSets = 2, .shortTermRefPicSetBits = 12},
                   first(typeI)
                       .bits(1, 4)
                       .bits(0, 1)
                       .bits(1, 1)
                       .ue(1)
                       .bits(1, 1)
                       .ue(0)
                       .bits(1, 1)
                       .bits(0b01, 2)
                       .bits(0b00, 2)
                       .bits(1, 1)
                       .se(7),
                   [](const HevcSliceHeader& h) {
                       EXPECT_TRUE(h.shortTermSet.predicted);
                       EXPECT_EQ(h.shortTermSet.deltaIdx, 2);
                       EXPECT_EQ(h.shortTermSet.numDeltaPocsOfRefRpsIdx, 3);
                       EXPECT_EQ(h.shortTermSet.bitSize, 12u);
                       EXPECT_EQ(h.qpDelta, 7);
                   }});
    // num_long_term_sps 2 (3 bits), num_long_term_pics 2 (3 bits); lt_idx_sps of two bits; MSB differences add up
    // within each of the two kinds (7-52). 3 + 3 + (2 + 1) + (2 + 1 + 3) + (4 + 1 + 1 + 1) + (4 + 1 + 1 + 3) bits.
    all.push_back({"a long-term set",
                   {.numShortTermRefPicSets = 1, .longTermRefPicsPresent = true, .numLongTermRefPicsSps = 3},
                   first(typeI)
                       .bits(6, 4)
                       .bits(1, 1)
                       .ue(2)
                       .ue(2)
                       .bits(2, 2)
                       .bits(0, 1)
                       .bits(1, 2)
                       .bits(1, 1)
                       .ue(1)
                       .bits(11, 4)
                       .bits(1, 1)
                       .bits(1, 1)
                       .ue(0)
                       .bits(12, 4)
                       .bits(0, 1)
                       .bits(1, 1)
                       .ue(2)
                       .se(0),
                   [](const HevcSliceHeader& h) {
                       ASSERT_EQ(h.longTermSet.size(), 4u);
                       EXPECT_EQ(h.longTermSetBitSize, 31u);
                       EXPECT_TRUE(h.longTermSet[0].fromSps && h.longTermSet[1].fromSps);
                       EXPECT_EQ(h.longTermSet[0].ltIdxSps, 2);
                       EXPECT_FALSE(h.longTermSet[0].msbPresent);
                       EXPECT_EQ(h.longTermSet[1].ltIdxSps, 1);
                       EXPECT_EQ(h.longTermSet[1].deltaPocMsbCycle, 1);
                       EXPECT_EQ(h.longTermSet[2].pocLsb, 11);
                       EXPECT_TRUE(h.longTermSet[2].usedByCurr);
                       EXPECT_EQ(h.longTermSet[2].deltaPocMsbCycle, 0);
                       EXPECT_EQ(h.longTermSet[3].pocLsb, 12);
                       EXPECT_FALSE(h.longTermSet[3].usedByCurr);
                       EXPECT_EQ(h.longTermSet[3].deltaPocMsbCycle, 2);
                   }});
    all.push_back({"P: active counts of the picture parameter set",
                   {.numRefIdxDefault = {3, 2}},
                   noReferences(typeP).bits(0, 1).ue(2).se(0),
                   [](const HevcSliceHeader& h) {
                       EXPECT_EQ(h.numRefIdxActive, (std::array<uint8_t, 2>{3, 0}));
                       EXPECT_EQ(h.fiveMinusMaxNumMergeCand, 2);
                   }});
    all.push_back({"B: active counts of the slice",
                   {.numRefIdxDefault = {3, 2}},
                   noReferences(typeB).bits(1, 1).ue(0).ue(14).bits(1, 1).ue(0).se(0),
                   [](const HevcSliceHeader& h) {
                       EXPECT_EQ(h.numRefIdxActive, (std::array<uint8_t, 2>{1, 15}));
                       EXPECT_TRUE(h.mvdL1Zero);
                   }});
    all.push_back(
        {"list_entry has Ceil(Log2(NumPicTotalCurr)) bits",
         {.numRefIdxDefault = {2, 3}, .listsModificationPresent = true, .numPicTotalCurr = 5},
         noReferences(typeB).bits(0, 1).bits(0, 1).bits(1, 1).bits(4, 3).bits(0, 3).bits(3, 3).bits(0, 1).ue(0).se(0),
         [](const HevcSliceHeader& h) {
             EXPECT_FALSE(h.listModification[0].present);
             ASSERT_TRUE(h.listModification[1].present);
             EXPECT_EQ(h.listModification[1].entries[0], 4);
             EXPECT_EQ(h.listModification[1].entries[1], 0);
             EXPECT_EQ(h.listModification[1].entries[2], 3);
         }});
    all.push_back({"one reference in all: no list modification",
                   {.listsModificationPresent = true, .numPicTotalCurr = 1},
                   noReferences(typeP).bits(0, 1).ue(4).se(0),
                   [](const HevcSliceHeader& h) { EXPECT_FALSE(h.listModification[0].present); }});
    all.push_back({"cabac_init_flag; the collocated picture in list 1",
                   {.temporalMvpEnabled = true, .cabacInitPresent = true, .numRefIdxDefault = {1, 4}},
                   noReferences(typeB).bits(1, 1).bits(0, 1).bits(0, 1).bits(1, 1).bits(0, 1).ue(3).ue(0).se(0),
                   [](const HevcSliceHeader& h) {
                       EXPECT_TRUE(h.temporalMvpEnabled);
                       EXPECT_TRUE(h.cabacInit);
                       EXPECT_FALSE(h.collocatedFromL0);
                       EXPECT_EQ(h.collocatedRefIdx, 3);
                   }});
    all.push_back({"one entry in the list: no collocated_ref_idx",
                   {.temporalMvpEnabled = true, .numRefIdxDefault = {1, 1}},
                   noReferences(typeP).bits(1, 1).bits(0, 1).ue(0).se(0),
                   [](const HevcSliceHeader& h) {
                       EXPECT_TRUE(h.collocatedFromL0);
                       EXPECT_EQ(h.collocatedRefIdx, 0);
                   }});
    // 7-56: ChromaWeight = 64 + 10 = 74, offset = 128 - 5 - (128 * 74 >> 6) = -25; with weight 64 - 64 = 0 it is
    // 128 + 511, clipped to 127.
    all.push_back({"weights",
                   {.numRefIdxDefault = {2, 1}, .weightedPred = true},
                   noReferences(typeP)
                       .bits(0, 1)
                       .ue(5)
                       .se(1)
                       .bits(0b01, 2)
                       .bits(0b10, 2)
                       .se(10)
                       .se(-5)
                       .se(-64)
                       .se(511)
                       .se(-128)
                       .se(127)
                       .ue(0)
                       .se(0),
                   [](const HevcSliceHeader& h) {
                       ASSERT_TRUE(h.weights);
                       EXPECT_EQ(h.weights->lumaLog2Denom, 5);
                       EXPECT_EQ(h.weights->deltaChromaLog2Denom, 1);
                       const HevcWeights& l0 = h.weights->lists[0];
                       EXPECT_EQ(l0.deltaChromaWeight[0], (std::array<int8_t, 2>{10, -64}));
                       EXPECT_EQ(l0.chromaOffset[0], (std::array<int8_t, 2>{-25, 127}));
                       EXPECT_EQ(l0.deltaLumaWeight[0], 0);
                       EXPECT_EQ(l0.deltaLumaWeight[1], -128);
                       EXPECT_EQ(l0.lumaOffset[1], 127);
                       EXPECT_EQ(l0.chromaOffset[1], (std::array<int8_t, 2>{0, 0}));
                   }});
    all.push_back({"weights of P slices only: none in a B slice",
                   {.weightedPred = true},
                   noReferences(typeB).bits(0, 1).bits(0, 1).ue(1).se(0),
                   [](const HevcSliceHeader& h) { EXPECT_EQ(h.fiveMinusMaxNumMergeCand, 1); }});
    all.push_back({"SAO and chroma quantiser offsets",
                   {.sampleAdaptiveOffsetEnabled = true, .sliceChromaQpOffsetsPresent = true},
                   first(typeI, idrWRadl).bits(0, 1).bits(1, 1).se(0).se(-12).se(12),
                   [](const HevcSliceHeader& h) {
                       EXPECT_FALSE(h.saoLuma);
                       EXPECT_TRUE(h.saoChroma);
                       EXPECT_EQ(h.cbQpOffset, -12);
                       EXPECT_EQ(h.crQpOffset, 12);
                   }});
    all.push_back({"deblocking of the picture parameter set",
                   {.deblockingFilterOverrideEnabled = true, .betaOffsetDiv2 = -3, .tcOffsetDiv2 = 4},
                   first(typeI, idrWRadl).se(0).bits(0, 1),
                   [](const HevcSliceHeader& h) {
                       EXPECT_FALSE(h.deblockingFilterDisabled);
                       EXPECT_EQ(h.betaOffsetDiv2, -3);
                       EXPECT_EQ(h.tcOffsetDiv2, 4);
                   }});
    all.push_back({"deblocking of the slice",
                   {.deblockingFilterOverrideEnabled = true, .deblockingFilterDisabled = true},
                   first(typeI, idrWRadl).se(0).bits(1, 1).bits(0, 1).se(6).se(-6),
                   [](const HevcSliceHeader& h) {
                       EXPECT_FALSE(h.deblockingFilterDisabled);
                       EXPECT_EQ(h.betaOffsetDiv2, 6);
                       EXPECT_EQ(h.tcOffsetDiv2, -6);
                   }});
    all.push_back({"nothing to filter across slices: the flag is the picture's",
                   {.loopFilterAcrossSlicesEnabled = true, .deblockingFilterDisabled = true},
                   first(typeI, idrWRadl).se(0),
                   [](const HevcSliceHeader& h) { EXPECT_TRUE(h.loopFilterAcrossSlicesEnabled); }});
    all.push_back({"filtering across slices switched off",
                   {.loopFilterAcrossSlicesEnabled = true},
                   first(typeI, idrWRadl).se(0).bits(0, 1),
                   [](const HevcSliceHeader& h) { EXPECT_FALSE(h.loopFilterAcrossSlicesEnabled); }});
    all.push_back({"entry points of rows",
                   {.heightInCtbs = 4, .entropyCodingSyncEnabled = true},
                   first(typeI, idrWRadl).se(0).ue(3).ue(9).bits(0, 10).bits(1023, 10).bits(6, 10),
                   [](const HevcSliceHeader& h) {
                       EXPECT_EQ(h.entryPointOffsets, (std::pmr::vector<uint32_t>{1, 1024, 7}));
                   }});
    all.push_back(
        {"entry points of tiles, 32 bits wide",
         {.widthInCtbs = 8, .heightInCtbs = 8, .tilesEnabled = true, .numTileColumns = 2, .numTileRows = 1},
         first(typeI, idrWRadl).se(0).ue(1).ue(31).bits(0xfffffffe, 32),
         [](const HevcSliceHeader& h) { EXPECT_EQ(h.entryPointOffsets, (std::pmr::vector<uint32_t>{0xffffffff})); }});
    all.push_back({"a header extension, with bytes that need emulation prevention",
                   {.sliceHeaderExtensionPresent = true},
                   first(typeI, idrWRadl).se(0).ue(6).bits(0, 32).bits(0x0102, 16),
                   [](const HevcSliceHeader& h) { EXPECT_GT(h.rawByteSize, h.byteSize); }});
    return all;
}

INSTANTIATE_TEST_SUITE_P(Branches, HevcHeader, testing::ValuesIn(cases()));

TEST(HevcHeader, OfADependentSliceSegmentIsThatOfItsSlice) {
    const HevcSliceContext context{.widthInCtbs = 4,
                                   .heightInCtbs = 4,
                                   .numShortTermRefPicSets = 1,
                                   .dependentSliceSegmentsEnabled = true,
                                   .entropyCodingSyncEnabled = true};
    const auto independent = parseHevcSliceHeader(
        ended(first(typeP).bits(3, 4).bits(1, 1).bits(0, 1).ue(1).se(5).ue(1).ue(7).bits(40, 8)).escaped(), context,
        nullptr);
    ASSERT_TRUE(independent) << independent.error().message;
    const auto written = ended(nal(trailR).bits(0, 1).ue(0).bits(1, 1).bits(9, 4).ue(0)).escaped();
    const auto header = parseHevcSliceHeader(written, context, &*independent);
    ASSERT_TRUE(header) << header.error().message;
    EXPECT_TRUE(header->dependentSliceSegment);
    EXPECT_FALSE(header->firstSliceSegmentInPic);
    EXPECT_EQ(header->segmentAddress, 9u);
    EXPECT_EQ(header->type, HevcSliceType::P);
    EXPECT_EQ(header->picOrderCntLsb, 3);
    EXPECT_EQ(header->fiveMinusMaxNumMergeCand, 1);
    EXPECT_EQ(header->qpDelta, 5);
    EXPECT_TRUE(header->entryPointOffsets.empty());
    EXPECT_FALSE(parseHevcSliceHeader(written, context, nullptr));
}

struct Refused {
    const char* name;
    ErrorKind kind;
    HevcSliceContext context;
    BitWriter written;
};

void PrintTo(const Refused& c, std::ostream* out) {
    *out << c.name;
}

class RefusedHevcHeader : public testing::TestWithParam<Refused> {};

TEST_P(RefusedHevcHeader, IsRefused) {
    const auto header =
        parseHevcSliceHeader(ended(GetParam().written).bits(0x5a5a5a5a, 32).escaped(), GetParam().context, nullptr);
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().kind, GetParam().kind);
}

std::vector<Refused> refused() {
    constexpr ErrorKind invalid = ErrorKind::InvalidParameter;
    const HevcSliceContext none;
    const HevcSliceContext tiles{.tilesEnabled = true, .numTileColumns = 2, .numTileRows = 2};
    const HevcSliceContext threeSets{.numShortTermRefPicSets = 3};
    const HevcSliceContext longTerm{.longTermRefPicsPresent = true};
    return {
        {"forbidden_zero_bit", invalid, none, BitWriter().bits(1, 1).bits(trailR, 6).bits(1, 9).bits(1, 1)},
        {"another layer", ErrorKind::Unsupported, none, nal(trailR, 1, 1).bits(1, 1)},
        {"nuh_temporal_id_plus1 0", invalid, none, nal(trailR, 0).bits(1, 1)},
        {"a reserved NAL unit type", invalid, none, nal(22).bits(1, 1)},
        {"a parameter set", invalid, none, nal(33).bits(1, 1)},
        {"slice_pic_parameter_set_id 64", invalid, none, nal(trailR).bits(1, 1).ue(64)},
        {"slice_type 3", invalid, none, first(3)},
        {"address 0", invalid, {.widthInCtbs = 2}, nal(trailR).bits(0, 1).ue(0).bits(0, 1).ue(typeI)},
        {"address of no block", invalid, {.widthInCtbs = 3}, nal(trailR).bits(0, 1).ue(0).bits(3, 2).ue(typeI)},
        {"a set that does not exist", invalid, none, first(typeI).bits(0, 4).bits(1, 1).se(0)},
        {"an index out of range", invalid, threeSets, first(typeI).bits(0, 4).bits(1, 1).bits(3, 2).se(0)},
        {"17 pictures in a set", invalid, none, first(typeI).bits(0, 4).bits(0, 1).ue(9).ue(8)},
        {"a predicted set without st_rps_bits", invalid, threeSets,
         first(typeI).bits(0, 4).bits(0, 1).bits(1, 1).ue(0).bits(0, 1).ue(0).bits(1, 1).se(0)},
        {"another size than st_rps_bits", invalid, {.shortTermRefPicSetBits = 3}, noReferences(typeI).se(0)},
        {"17 long-term pictures", invalid, longTerm, first(typeI).bits(0, 4).bits(0, 1).ue(0).ue(0).ue(17)},
        {"16 active entries", invalid, none, noReferences(typeP).bits(1, 1).ue(15).ue(0).se(0)},
        {"list_entry of no picture",
         invalid,
         {.listsModificationPresent = true, .numPicTotalCurr = 3},
         noReferences(typeP).bits(0, 1).bits(1, 1).bits(3, 2).ue(0).se(0)},
        {"a collocated picture outside of the list",
         invalid,
         {.temporalMvpEnabled = true, .numRefIdxDefault = {2, 1}},
         noReferences(typeP).bits(1, 1).bits(0, 1).ue(2).ue(0).se(0)},
        {"no merge candidates", invalid, none, noReferences(typeP).bits(0, 1).ue(5).se(0)},
        {"a chroma denominator of 8",
         invalid,
         {.weightedPred = true},
         noReferences(typeP).bits(0, 1).ue(7).se(1).bits(0, 2).ue(0).se(0)},
        {"slice_cb_qp_offset 13",
         invalid,
         {.sliceChromaQpOffsetsPresent = true},
         first(typeI, idrWRadl).se(0).se(13).se(0)},
        {"more entry points than tiles", invalid, tiles, first(typeI, idrWRadl).se(0).ue(4).ue(0).bits(0, 4)},
        {"entry points of 33 bits", invalid, tiles, first(typeI, idrWRadl).se(0).ue(1).ue(32).bits(0, 33)},
        {"an extension of 257 bytes",
         invalid,
         {.sliceHeaderExtensionPresent = true},
         first(typeI, idrWRadl).se(0).ue(257)},
    };
}

INSTANTIATE_TEST_SUITE_P(Elements, RefusedHevcHeader, testing::ValuesIn(refused()));

TEST(HevcHeader, MustEndWithAlignment) {
    const auto noOne = first(typeI, idrWRadl).se(0).bits(0, 8).bits(0xff, 8).bytes();
    EXPECT_FALSE(parseHevcSliceHeader(noOne, {}, nullptr));
    auto ones = first(typeI, idrWRadl).se(1);
    while (ones.size() % 8 != 0)
        ones.bits(1, 1);
    EXPECT_FALSE(parseHevcSliceHeader(ones.bits(0xffff, 16).bytes(), {}, nullptr));
}

TEST(CeilLog2, IsTheWidthOfAnElement) {
    EXPECT_EQ(ceilLog2(1), 0u);
    EXPECT_EQ(ceilLog2(2), 1u);
    EXPECT_EQ(ceilLog2(3), 2u);
    EXPECT_EQ(ceilLog2(4), 2u);
    EXPECT_EQ(ceilLog2(5), 3u);
    EXPECT_EQ(ceilLog2(0x80000001), 32u);
}

} // namespace
} // namespace v4l2_request::bitstream
