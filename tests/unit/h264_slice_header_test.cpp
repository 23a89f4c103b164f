// SPDX-License-Identifier: MIT
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include "bit_writer.h"
#include "bitstream/h264_slice_header.h"

namespace v4l2_request::bitstream {
namespace {

using test::BitWriter;

constexpr uint8_t slice = 1;
constexpr uint8_t idrSlice = 5;

BitWriter nal(uint8_t refIdc, uint8_t type) {
    return BitWriter().bits(0, 1).bits(refIdc, 2).bits(type, 5);
}

// ---- By hand: each branch of 7.3.3, written as the syntax table has it ----

struct Case {
    const char* name;
    H264SliceContext context;
    BitWriter written;
    std::function<void(const H264SliceHeader&)> check;
};

void PrintTo(const Case& c, std::ostream* out) {
    *out << c.name;
}

class SliceHeader : public testing::TestWithParam<Case> {};

TEST_P(SliceHeader, Parses) {
    const Case& c = GetParam();
    BitWriter written = c.written;
    const size_t size = written.size();
    written.bits(0x5a5a5a, 24); // slice_data()
    const auto header = parseH264SliceHeader(written.escaped(), c.context);
    ASSERT_TRUE(header) << header.error().message;
    EXPECT_EQ(header->bitSize, size);
    c.check(*header);
}

std::vector<Case> cases() {
    std::vector<Case> all;
    all.push_back({"IDR, POC type 0",
                   {.log2MaxFrameNum = 8, .log2MaxPicOrderCntLsb = 6},
                   nal(3, idrSlice).ue(17).ue(7).ue(2).bits(0, 8).ue(65535).bits(33, 6).bits(2, 2).se(-5),
                   [](const H264SliceHeader& h) {
                       EXPECT_TRUE(h.idr);
                       EXPECT_EQ(h.nalRefIdc, 3);
                       EXPECT_EQ(h.firstMbInSlice, 17u);
                       EXPECT_EQ(h.type, H264SliceType::I);
                       EXPECT_EQ(h.picParameterSetId, 2);
                       EXPECT_EQ(h.idrPicId, 65535);
                       EXPECT_EQ(h.picOrderCntLsb, 33);
                       EXPECT_EQ(h.picOrderCntBitSize, 6u);
                       EXPECT_EQ(h.decRefPicMarkingBitSize, 2u);
                       EXPECT_EQ(h.sliceQpDelta, -5);
                       EXPECT_EQ(h.numRefIdxActive, (std::array<uint8_t, 2>{0, 0}));
                   }});
    all.push_back({"not a reference: no dec_ref_pic_marking()",
                   {},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(9, 4).bits(4, 4).se(51),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.nalRefIdc, 0);
                       EXPECT_FALSE(h.idr);
                       EXPECT_EQ(h.frameNum, 9);
                       EXPECT_EQ(h.decRefPicMarkingBitSize, 0u);
                       EXPECT_EQ(h.sliceQpDelta, 51);
                   }});
    all.push_back({"delta_pic_order_cnt_bottom of a frame",
                   {.bottomFieldPicOrderInFramePresent = true},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 4).bits(6, 4).se(-3).se(0),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.picOrderCntLsb, 6);
                       EXPECT_EQ(h.deltaPicOrderCntBottom, -3);
                       EXPECT_EQ(h.picOrderCntBitSize, 4u + 5u);
                   }});
    all.push_back({"bottom field: no delta_pic_order_cnt_bottom",
                   {.frameMbsOnly = false, .bottomFieldPicOrderInFramePresent = true},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 4).bits(3, 2).bits(7, 4).se(1),
                   [](const H264SliceHeader& h) {
                       EXPECT_TRUE(h.fieldPic);
                       EXPECT_TRUE(h.bottomField);
                       EXPECT_EQ(h.picOrderCntLsb, 7);
                       EXPECT_EQ(h.picOrderCntBitSize, 4u);
                       EXPECT_EQ(h.sliceQpDelta, 1);
                   }});
    all.push_back({"a frame of a sequence with fields",
                   {.frameMbsOnly = false},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 4).bits(0, 1).bits(7, 4).se(0),
                   [](const H264SliceHeader& h) {
                       EXPECT_FALSE(h.fieldPic);
                       EXPECT_FALSE(h.bottomField);
                   }});
    all.push_back({"POC type 1, both deltas",
                   {.picOrderCntType = 1, .bottomFieldPicOrderInFramePresent = true},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 4).se(7).se(-8).se(0),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.deltaPicOrderCnt, (std::array<int32_t, 2>{7, -8}));
                       EXPECT_EQ(h.picOrderCntBitSize, 7u + 9u);
                   }});
    all.push_back({"POC type 1, one delta",
                   {.picOrderCntType = 1},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 4).se(7).se(4),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.deltaPicOrderCnt, (std::array<int32_t, 2>{7, 0}));
                       EXPECT_EQ(h.sliceQpDelta, 4);
                   }});
    all.push_back({"POC type 1, deltas always zero",
                   {.picOrderCntType = 1, .deltaPicOrderAlwaysZero = true, .bottomFieldPicOrderInFramePresent = true},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 4).se(4),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.picOrderCntBitSize, 0u);
                       EXPECT_EQ(h.sliceQpDelta, 4);
                   }});
    all.push_back({"POC type 2",
                   {.picOrderCntType = 2, .bottomFieldPicOrderInFramePresent = true},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 4).se(4),
                   [](const H264SliceHeader& h) { EXPECT_EQ(h.picOrderCntBitSize, 0u); }});
    all.push_back({"colour_plane_id",
                   {.chromaFormatIdc = 3, .separateColourPlane = true},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(2, 2).bits(5, 4).bits(0, 4).se(0),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.colourPlaneId, 2);
                       EXPECT_EQ(h.frameNum, 5);
                   }});
    all.push_back({"redundant_pic_cnt",
                   {.redundantPicCntPresent = true},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 4).bits(0, 4).ue(127).se(0),
                   [](const H264SliceHeader& h) { EXPECT_EQ(h.redundantPicCnt, 127); }});
    all.push_back({"P: defaults of the lists",
                   {.numRefIdxDefault = {3, 2}},
                   nal(0, slice).ue(0).ue(0).ue(0).bits(0, 4).bits(0, 4).bits(0, 1).bits(0, 1).se(0),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.type, H264SliceType::P);
                       EXPECT_FALSE(h.numRefIdxOverride);
                       EXPECT_EQ(h.numRefIdxActive, (std::array<uint8_t, 2>{3, 0}));
                   }});
    all.push_back({"P: override",
                   {.numRefIdxDefault = {3, 2}},
                   nal(0, slice).ue(0).ue(5).ue(0).bits(0, 4).bits(0, 4).bits(1, 1).ue(15).bits(0, 1).se(0),
                   [](const H264SliceHeader& h) {
                       EXPECT_TRUE(h.numRefIdxOverride);
                       EXPECT_EQ(h.numRefIdxActive, (std::array<uint8_t, 2>{16, 0}));
                   }});
    all.push_back({"B: override of both, in a field",
                   {.frameMbsOnly = false},
                   nal(0, slice)
                       .ue(0)
                       .ue(6)
                       .ue(0)
                       .bits(0, 4)
                       .bits(2, 2)
                       .bits(0, 4)
                       .bits(1, 1)
                       .bits(1, 1)
                       .ue(31)
                       .ue(4)
                       .bits(0, 2)
                       .se(0),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.type, H264SliceType::B);
                       EXPECT_TRUE(h.directSpatialMvPred);
                       EXPECT_EQ(h.numRefIdxActive, (std::array<uint8_t, 2>{32, 5}));
                   }});
    all.push_back({"modifications of both lists",
                   {},
                   nal(0, slice)
                       .ue(0)
                       .ue(1)
                       .ue(0)
                       .bits(0, 4)
                       .bits(0, 4)
                       .bits(0, 1)
                       .bits(0, 1)
                       .bits(1, 1)
                       .ue(0)
                       .ue(4)
                       .ue(1)
                       .ue(0)
                       .ue(2)
                       .ue(7)
                       .ue(3)
                       .bits(1, 1)
                       .ue(3)
                       .se(-2),
                   [](const H264SliceHeader& h) { EXPECT_EQ(h.sliceQpDelta, -2); }});
    all.push_back({"P: explicit weights",
                   {.weightedPred = true, .weightedBipredIdc = 2, .numRefIdxDefault = {2, 1}},
                   nal(0, slice)
                       .ue(0)
                       .ue(0)
                       .ue(0)
                       .bits(0, 4)
                       .bits(0, 4)
                       .bits(0, 1)
                       .bits(0, 1)
                       .ue(5)
                       .ue(3)
                       .bits(1, 1)
                       .se(-128)
                       .se(127)
                       .bits(0, 1)
                       .bits(0, 1)
                       .bits(1, 1)
                       .se(9)
                       .se(-9)
                       .se(8)
                       .se(-8)
                       .se(0),
                   [](const H264SliceHeader& h) {
                       ASSERT_TRUE(h.weights);
                       const H264Weights& w = h.weights->lists[0];
                       EXPECT_EQ(h.weights->lumaLog2Denom, 5);
                       EXPECT_EQ(h.weights->chromaLog2Denom, 3);
                       EXPECT_EQ(w.lumaWeight[0], -128);
                       EXPECT_EQ(w.lumaOffset[0], 127);
                       EXPECT_EQ(w.chromaWeight[0], (std::array<int16_t, 2>{8, 8})); // inferred: 2^3
                       EXPECT_EQ(w.lumaWeight[1], 32);                               // inferred: 2^5
                       EXPECT_EQ(w.chromaWeight[1], (std::array<int16_t, 2>{9, 8}));
                       EXPECT_EQ(w.chromaOffset[1], (std::array<int16_t, 2>{-9, -8}));
                       EXPECT_EQ(w.lumaWeight[2], 0); // not an active entry
                   }});
    all.push_back({"B: explicit weights of both lists, monochrome",
                   {.chromaFormatIdc = 0, .weightedBipredIdc = 1},
                   nal(0, slice)
                       .ue(0)
                       .ue(1)
                       .ue(0)
                       .bits(0, 4)
                       .bits(0, 4)
                       .bits(0, 1)
                       .bits(0, 1)
                       .bits(0, 2)
                       .ue(7)
                       .bits(0, 1)
                       .bits(1, 1)
                       .se(3)
                       .se(4)
                       .se(0),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.weights->lists[0].lumaWeight[0], 128);
                       EXPECT_EQ(h.weights->lists[1].lumaWeight[0], 3);
                       EXPECT_EQ(h.weights->lists[1].lumaOffset[0], 4);
                       EXPECT_EQ(h.weights->lists[1].chromaWeight[0], (std::array<int16_t, 2>{0, 0}));
                   }});
    all.push_back({"B: implicit weights are not coded",
                   {.weightedPred = true, .weightedBipredIdc = 2},
                   nal(0, slice).ue(0).ue(1).ue(0).bits(0, 4).bits(0, 4).bits(0, 1).bits(0, 1).bits(0, 2).se(3),
                   [](const H264SliceHeader& h) {
                       EXPECT_FALSE(h.weights);
                       EXPECT_EQ(h.sliceQpDelta, 3);
                   }});
    all.push_back({"every memory management control operation",
                   {},
                   nal(1, slice)
                       .ue(0)
                       .ue(2)
                       .ue(0)
                       .bits(0, 4)
                       .bits(0, 4)
                       .bits(1, 1)
                       .ue(1)
                       .ue(3)
                       .ue(2)
                       .ue(1)
                       .ue(3)
                       .ue(0)
                       .ue(2)
                       .ue(4)
                       .ue(5)
                       .ue(5)
                       .ue(6)
                       .ue(0)
                       .ue(0)
                       .se(-1),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.decRefPicMarkingBitSize,
                                 1u + (3 + 5) + (3 + 3) + (5 + 1 + 3) + (5 + 5) + 5 + (5 + 1) + 1);
                       EXPECT_EQ(h.sliceQpDelta, -1);
                   }});
    all.push_back({"cabac_init_idc of a P slice",
                   {.entropyCodingMode = true},
                   nal(0, slice).ue(0).ue(0).ue(0).bits(0, 4).bits(0, 4).bits(0, 1).bits(0, 1).ue(2).se(0),
                   [](const H264SliceHeader& h) { EXPECT_EQ(h.cabacInitIdc, 2); }});
    all.push_back({"no cabac_init_idc in an I slice",
                   {.entropyCodingMode = true},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 4).bits(0, 4).se(-7),
                   [](const H264SliceHeader& h) { EXPECT_EQ(h.sliceQpDelta, -7); }});
    all.push_back({"deblocking offsets",
                   {.deblockingFilterControlPresent = true},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 4).bits(0, 4).se(0).ue(2).se(-6).se(6),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.disableDeblockingFilterIdc, 2);
                       EXPECT_EQ(h.sliceAlphaC0OffsetDiv2, -6);
                       EXPECT_EQ(h.sliceBetaOffsetDiv2, 6);
                   }});
    all.push_back({"deblocking off: no offsets",
                   {.deblockingFilterControlPresent = true},
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 4).bits(0, 4).se(0).ue(1),
                   [](const H264SliceHeader& h) { EXPECT_EQ(h.disableDeblockingFilterIdc, 1); }});
    all.push_back({"emulation prevention inside the header",
                   {.log2MaxFrameNum = 16, .log2MaxPicOrderCntLsb = 16},
                   // 8 + 1 + 3 + 1 bits, 3 of frame_num: 00 00 follows at the byte's edge, then 01.
                   nal(0, slice).ue(0).ue(2).ue(0).bits(0, 16).bits(0x0008, 16).se(0),
                   [](const H264SliceHeader& h) {
                       EXPECT_EQ(h.frameNum, 0);
                       EXPECT_EQ(h.picOrderCntLsb, 8);
                       EXPECT_EQ(h.picOrderCntBitSize, 16u); // payload only
                   }});
    return all;
}

INSTANTIATE_TEST_SUITE_P(Branches, SliceHeader, testing::ValuesIn(cases()));

// ---- Refusals ----

struct Refusal {
    const char* name;
    ErrorKind kind;
    H264SliceContext context;
    BitWriter written;
};

void PrintTo(const Refusal& r, std::ostream* out) {
    *out << r.name;
}

class RefusedSliceHeader : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedSliceHeader, IsAnError) {
    BitWriter written = GetParam().written;
    written.bits(0xffffffff, 32).bits(0xffffffff, 32); // ue(v) 0, and so on: nothing here runs out of data
    const auto header = parseH264SliceHeader(written.escaped(), GetParam().context);
    ASSERT_FALSE(header);
    EXPECT_EQ(header.error().kind, GetParam().kind) << header.error().message;
}

BitWriter endlessModifications() {
    BitWriter written = nal(0, slice).ue(0).ue(0).ue(0).bits(0, 4).bits(0, 4).bits(0, 1).bits(1, 1);
    for (int i = 0; i < 40; ++i)
        written.ue(0).ue(0);
    return written.ue(3).se(0);
}

BitWriter endlessOperations() {
    BitWriter written = nal(1, slice).ue(0).ue(2).ue(0).bits(0, 4).bits(0, 4).bits(1, 1);
    for (int i = 0; i < 100; ++i)
        written.ue(1).ue(0);
    return written.ue(0).se(0);
}

BitWriter start(uint32_t sliceType = 2) {
    return nal(0, slice).ue(0).ue(sliceType).ue(0).bits(0, 4).bits(0, 4);
}

constexpr auto invalid = ErrorKind::InvalidParameter;
constexpr auto unsupported = ErrorKind::Unsupported;

INSTANTIATE_TEST_SUITE_P(
    All, RefusedSliceHeader,
    testing::Values(
        Refusal{"forbidden_zero_bit", invalid, {}, BitWriter().bits(1, 1).bits(0, 2).bits(1, 5)},
        Refusal{"unspecified NAL unit", invalid, {}, nal(0, 0)}, Refusal{"SEI", invalid, {}, nal(0, 6)},
        Refusal{"partition A", unsupported, {}, nal(1, 2)}, Refusal{"partition C", unsupported, {}, nal(1, 4)},
        Refusal{"auxiliary picture", unsupported, {}, nal(1, 19)},
        Refusal{"prefix NAL unit", unsupported, {}, nal(1, 14)}, Refusal{"MVC", unsupported, {}, nal(1, 20)},
        Refusal{"3D-AVC", unsupported, {}, nal(1, 21)},
        Refusal{"IDR that is no reference", invalid, {}, nal(0, idrSlice)},
        Refusal{"slice_type", invalid, {}, nal(0, slice).ue(0).ue(10)},
        Refusal{"SP", invalid, {}, nal(0, slice).ue(0).ue(3)}, Refusal{"SI", invalid, {}, nal(0, slice).ue(0).ue(9)},
        Refusal{"pic_parameter_set_id", invalid, {}, nal(0, slice).ue(0).ue(2).ue(256)},
        Refusal{"colour_plane_id",
                invalid,
                {.separateColourPlane = true},
                nal(0, slice).ue(0).ue(2).ue(0).bits(3, 2).bits(0, 4).bits(0, 4)},
        Refusal{"idr_pic_id", invalid, {}, nal(1, idrSlice).ue(0).ue(2).ue(0).bits(0, 4).ue(65536)},
        Refusal{"redundant_pic_cnt", invalid, {.redundantPicCntPresent = true}, start().ue(128)},
        Refusal{"16 references in a frame", invalid, {}, start(0).bits(1, 1).ue(16).bits(0, 1)},
        Refusal{"modification_of_pic_nums_idc", invalid, {}, start(0).bits(0, 1).bits(1, 1).ue(4)},
        Refusal{"modifications do not end", invalid, {}, endlessModifications()},
        Refusal{"marking does not end", invalid, {}, endlessOperations()},
        Refusal{"luma_log2_weight_denom", invalid, {.weightedPred = true}, start(0).bits(0, 2).ue(8)},
        Refusal{"luma weight", invalid, {.weightedPred = true}, start(0).bits(0, 2).ue(0).ue(0).bits(1, 1).se(128)},
        Refusal{"memory_management_control_operation",
                invalid,
                {},
                nal(1, slice).ue(0).ue(2).ue(0).bits(0, 4).bits(0, 4).bits(1, 1).ue(7)},
        Refusal{"cabac_init_idc", invalid, {.entropyCodingMode = true}, start(0).bits(0, 2).ue(3)},
        Refusal{"slice_qp_delta", invalid, {}, start().se(88)},
        Refusal{
            "disable_deblocking_filter_idc", invalid, {.deblockingFilterControlPresent = true}, start().se(0).ue(3)},
        Refusal{"slice_beta_offset_div2",
                invalid,
                {.deblockingFilterControlPresent = true},
                start().se(0).ue(0).se(0).se(-7)}));

TEST(SliceHeaderEnd, EveryTruncationIsAnError) {
    const BitWriter written = nal(1, slice)
                                  .ue(3)
                                  .ue(0)
                                  .ue(1)
                                  .bits(3, 4)
                                  .bits(5, 4)
                                  .bits(1, 1)
                                  .ue(3)
                                  .bits(1, 1)
                                  .ue(0)
                                  .ue(9)
                                  .ue(3)
                                  .bits(1, 1)
                                  .ue(1)
                                  .ue(2)
                                  .ue(0)
                                  .se(40);
    const std::vector<uint8_t> whole = written.escaped();
    ASSERT_TRUE(parseH264SliceHeader(whole, {}));
    for (size_t size = 0; size < whole.size(); ++size)
        EXPECT_FALSE(parseH264SliceHeader(std::span(whole).first(size), {})) << size;
}

// ---- Real streams, against what another parser reads in them ----

using Row = std::map<std::string, std::string>;

std::vector<Row> readTable(const std::filesystem::path& path) {
    const auto split = [](const std::string& line) {
        std::vector<std::string> cells;
        std::istringstream stream(line);
        for (std::string cell; std::getline(stream, cell, '\t');)
            cells.push_back(cell);
        return cells;
    };
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    const auto names = split(line);
    std::vector<Row> rows;
    while (std::getline(file, line)) {
        const auto cells = split(line);
        Row& row = rows.emplace_back();
        for (size_t i = 0; i < names.size() && i < cells.size(); ++i)
            row[names[i]] = cells[i];
    }
    return rows;
}

// The slice NAL units of an Annex B stream, without their start codes.
std::vector<std::vector<uint8_t>> slicesOf(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<uint8_t> data{std::istreambuf_iterator<char>(file), {}};
    std::vector<size_t> starts;
    for (size_t i = 0; i + 3 < data.size(); ++i)
        if (data[i] == 0 && data[i + 1] == 0 && data[i + 2] == 1)
            starts.push_back(i + 3);
    std::vector<std::vector<uint8_t>> slices;
    for (size_t i = 0; i < starts.size(); ++i) {
        const size_t end = i + 1 < starts.size() ? starts[i + 1] - 3 : data.size();
        const unsigned type = data[starts[i]] & 0x1f;
        if (type == slice || type == idrSlice)
            slices.emplace_back(data.begin() + static_cast<ptrdiff_t>(starts[i]),
                                data.begin() + static_cast<ptrdiff_t>(end));
    }
    return slices;
}

// One number for all weights, the same as the script that made the table computes from 7.3.3.2 and 7.4.3.2.
int64_t digest(const H264PredWeightTable& table) {
    int64_t total = 0;
    for (int list = 0; list < 2; ++list)
        for (int i = 0; i < 32; ++i) {
            const auto at = static_cast<size_t>(i);
            const H264Weights& w = table.lists[static_cast<size_t>(list)];
            total += int64_t{i + 1} * (3 * w.lumaWeight[at] + 5 * (list + 1) * w.lumaOffset[at]);
            for (int j = 0; j < 2; ++j) {
                const auto plane = static_cast<size_t>(j);
                total +=
                    int64_t{i + 1} * (7 * w.chromaWeight[at][plane] + 11 * (j + list + 1) * w.chromaOffset[at][plane]);
            }
        }
    return total;
}

TEST(SliceHeaderOfStreams, AgreesWithAnotherParser) {
    const char* vectors = std::getenv("V4L2_REQUEST_VECTORS");
    if (!vectors || !std::filesystem::is_directory(std::filesystem::path(vectors) / "h264"))
        GTEST_SKIP() << "V4L2_REQUEST_VECTORS names no directory of streams";
    const char* table = std::getenv("H264_SLICE_HEADERS");
    const std::filesystem::path here = std::filesystem::path(__FILE__).parent_path();

    std::string open;
    std::vector<std::vector<uint8_t>> slices;
    size_t compared = 0;
    size_t differing = 0;
    for (const Row& row : readTable(table ? table : here / "h264_slice_headers.tsv")) {
        const auto number = [&](const char* name) { return std::stol(row.at(name)); };
        const auto small = [&](const char* name) { return static_cast<uint8_t>(number(name)); };
        if (row.at("file") != open) {
            open = row.at("file");
            slices = slicesOf(std::filesystem::path(vectors) / "h264" / open);
        }
        if (slices.empty())
            continue; // not here
        const auto at = static_cast<size_t>(number("slice"));
        ASSERT_LT(at, slices.size()) << open;
        const H264SliceContext context{
            .chromaFormatIdc = small("chroma_format_idc"),
            .separateColourPlane = number("separate_colour_plane_flag") != 0,
            .log2MaxFrameNum = static_cast<uint8_t>(number("log2_max_frame_num_minus4") + 4),
            .frameMbsOnly = number("frame_mbs_only_flag") != 0,
            .picOrderCntType = small("pic_order_cnt_type"),
            .log2MaxPicOrderCntLsb = static_cast<uint8_t>(number("log2_max_pic_order_cnt_lsb_minus4") + 4),
            .deltaPicOrderAlwaysZero = number("delta_pic_order_always_zero_flag") != 0,
            .bottomFieldPicOrderInFramePresent = number("bottom_field_pic_order_in_frame_present_flag") != 0,
            .weightedPred = number("weighted_pred_flag") != 0,
            .weightedBipredIdc = small("weighted_bipred_idc"),
            .entropyCodingMode = number("entropy_coding_mode_flag") != 0,
            .deblockingFilterControlPresent = number("deblocking_filter_control_present_flag") != 0,
            .redundantPicCntPresent = number("redundant_pic_cnt_present_flag") != 0,
            .numRefIdxDefault = {static_cast<uint8_t>(number("num_ref_idx_l0_default_active_minus1") + 1),
                                 static_cast<uint8_t>(number("num_ref_idx_l1_default_active_minus1") + 1)},
        };
        const auto header = parseH264SliceHeader(slices[at], context);
        ASSERT_TRUE(header) << open << " slice " << at << ": " << header.error().message;
        const std::pair<const char*, long> found[]{
            {"nal_ref_idc", header->nalRefIdc},
            {"nal_unit_type", header->idr ? idrSlice : slice},
            {"first_mb_in_slice", header->firstMbInSlice},
            {"pic_parameter_set_id", header->picParameterSetId},
            {"frame_num", header->frameNum},
            {"field_pic_flag", header->fieldPic},
            {"bottom_field_flag", header->bottomField},
            {"idr_pic_id", header->idrPicId},
            {"pic_order_cnt_lsb", header->picOrderCntLsb},
            {"delta_pic_order_cnt_bottom", header->deltaPicOrderCntBottom},
            {"delta_pic_order_cnt[0]", header->deltaPicOrderCnt[0]},
            {"delta_pic_order_cnt[1]", header->deltaPicOrderCnt[1]},
            {"redundant_pic_cnt", header->redundantPicCnt},
            {"direct_spatial_mv_pred_flag", header->directSpatialMvPred},
            {"num_ref_idx_active_override_flag", header->numRefIdxOverride},
            {"cabac_init_idc", header->cabacInitIdc},
            {"slice_qp_delta", header->sliceQpDelta},
            {"disable_deblocking_filter_idc", header->disableDeblockingFilterIdc},
            {"slice_alpha_c0_offset_div2", header->sliceAlphaC0OffsetDiv2},
            {"slice_beta_offset_div2", header->sliceBetaOffsetDiv2},
            {"l0_active", header->numRefIdxActive[0]},
            {"l1_active", header->numRefIdxActive[1]},
            {"weights", header->weights ? digest(*header->weights) : 0},
            {"poc_bits", header->picOrderCntBitSize},
            {"marking_bits", header->decRefPicMarkingBitSize},
            {"header_bits", static_cast<long>(header->bitSize)},
        };
        for (const auto& [name, value] : found)
            if (value != number(name)) {
                ADD_FAILURE() << open << " slice " << at << ": " << name << " is " << number(name) << ", read "
                              << value;
                ++differing;
            }
        ASSERT_EQ(static_cast<long>(header->type), number("slice_type") % 5);
        ASSERT_LT(differing, 20u) << "and so on";
        ++compared;
    }
    EXPECT_GT(compared, 0u) << "no table, or none of its streams (run in the build directory, as meson does)";
    RecordProperty("slices", static_cast<int>(compared));
}

} // namespace
} // namespace v4l2_request::bitstream
