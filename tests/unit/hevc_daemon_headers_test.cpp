// SPDX-License-Identifier: MIT
//
// The HEVC headers of the daemon: what it writes is what it would read, and no control or payload makes it stumble.
#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "hevc/parameter_sets.h"
#include "hevc/slice_reader.h"
#include "hevc/slice_writer.h"

namespace daedalus::hevc {
namespace {

Sps sequence() {
    Sps sps{};
    sps.pic_width_in_luma_samples = 416;
    sps.pic_height_in_luma_samples = 240;
    sps.log2_diff_max_min_luma_coding_block_size = 1;
    sps.log2_max_pic_order_cnt_lsb_minus4 = writtenPocBits - 4;
    sps.chroma_format_idc = 1;
    sps.flags = V4L2_HEVC_SPS_FLAG_LONG_TERM_REF_PICS_PRESENT | V4L2_HEVC_SPS_FLAG_SAMPLE_ADAPTIVE_OFFSET |
                V4L2_HEVC_SPS_FLAG_SPS_TEMPORAL_MVP_ENABLED;
    return sps;
}

TEST(HevcDaemonHeaders, AreReadAsTheyWereWritten) {
    const Sps sps = sequence();
    Pps pps{};
    pps.flags = V4L2_HEVC_PPS_FLAG_OUTPUT_FLAG_PRESENT | V4L2_HEVC_PPS_FLAG_LISTS_MODIFICATION_PRESENT |
                V4L2_HEVC_PPS_FLAG_WEIGHTED_BIPRED | V4L2_HEVC_PPS_FLAG_ENTROPY_CODING_SYNC_ENABLED |
                V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_OVERRIDE_ENABLED |
                V4L2_HEVC_PPS_FLAG_PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED;
    DecodeParams params{};
    params.num_poc_st_curr_before = 1;
    params.num_poc_st_curr_after = 1;
    params.num_poc_lt_curr = 1;
    WrittenPicture picture;
    picture.poc = 70000;
    picture.references.before = {{69998, true}, {69000, false}};
    picture.references.after = {{70001, true}};
    picture.references.longTerm = {{12, true}};

    SliceHeader header;
    header.address = 30;
    header.type = SliceType::B;
    header.temporalMvp = true;
    header.saoChroma = true;
    header.activeRefs = {3, 2};
    header.listEntries[1] = std::vector<uint32_t>{2, 0};
    header.mvdL1Zero = true;
    header.collocatedFromL0 = false;
    header.collocatedRefIdx = 1;
    header.weights.emplace();
    header.weights->lumaLog2Denom = 3;
    header.weights->lists[0].resize(3);
    header.weights->lists[1].resize(2);
    header.weights->lists[1][1] = {true, true, -128, 127, {5, -6}, {-512, 511}};
    header.fiveMinusMaxNumMergeCand = 2;
    header.qpDelta = -20;
    header.deblockingOverride = true;
    header.betaOffsetDiv2 = -6;
    header.tcOffsetDiv2 = 6;
    header.entryPoints = {1, 0x12345678};
    header.headerBytes = 2;
    const std::vector<uint8_t> data{0xff, 0xff, 0xa5, 0x5a};
    const std::vector<uint8_t> written = writeSlice(header, picture, sps, pps, data);
    const auto read = parseSlice(written, sps, pps, params, nullptr);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->nalType, trailR);
    EXPECT_EQ(read->address, 30u);
    EXPECT_EQ(read->type, SliceType::B);
    EXPECT_EQ(read->pocLsb, 70000u & 0xffff);
    ASSERT_TRUE(read->inlineSet);
    ASSERT_EQ(read->inlineSet->before.size(), 2u);
    EXPECT_EQ(read->inlineSet->before[0].poc, -2);
    EXPECT_EQ(read->inlineSet->before[1].poc, -1000);
    EXPECT_FALSE(read->inlineSet->before[1].used);
    EXPECT_EQ(read->inlineSet->after[0].poc, 1);
    EXPECT_EQ(read->activeRefs, header.activeRefs);
    EXPECT_FALSE(read->listEntries[0]);
    EXPECT_EQ(read->listEntries[1], header.listEntries[1]);
    EXPECT_EQ(read->collocatedRefIdx, 1u);
    ASSERT_TRUE(read->weights);
    EXPECT_EQ(read->weights->lists[1][1].deltaChromaOffset, (std::array<int32_t, 2>{-512, 511}));
    EXPECT_EQ(read->qpDelta, -20);
    EXPECT_EQ(read->betaOffsetDiv2, -6);
    EXPECT_EQ(read->tcOffsetDiv2, 6);
    EXPECT_EQ(read->entryPoints, header.entryPoints);
    EXPECT_EQ(std::vector<uint8_t>(written.end() - 2, written.end()), (std::vector<uint8_t>{0xa5, 0x5a}));
    EXPECT_EQ(read->headerBytes, written.size() - 2);
}

// 7.4.3.2.1: coding blocks with PCM samples are not smaller than the smallest, not larger than the largest, nor
// than 32.
TEST(HevcDaemonHeaders, SizesOfPcmBlocksAreChecked) {
    struct {
        unsigned minCbLog2, ctbLog2, minPcmLog2, maxPcmLog2;
        bool allowed;
    } const table[]{{3, 6, 3, 5, true},  {3, 6, 3, 6, false}, {3, 4, 3, 4, true},  {3, 4, 3, 5, false},
                    {4, 6, 3, 4, false}, {6, 6, 5, 5, true},  {6, 6, 4, 5, false}, {3, 6, 5, 5, true}};
    for (const auto& row : table) {
        Sps sps = sequence();
        sps.flags |= V4L2_HEVC_SPS_FLAG_PCM_ENABLED;
        sps.log2_min_luma_coding_block_size_minus3 = static_cast<uint8_t>(row.minCbLog2 - 3);
        sps.log2_diff_max_min_luma_coding_block_size = static_cast<uint8_t>(row.ctbLog2 - row.minCbLog2);
        sps.log2_min_pcm_luma_coding_block_size_minus3 = static_cast<uint8_t>(row.minPcmLog2 - 3);
        sps.log2_diff_max_min_pcm_luma_coding_block_size = static_cast<uint8_t>(row.maxPcmLog2 - row.minPcmLog2);
        EXPECT_EQ(checkSps(sps).has_value(), row.allowed) << row.minPcmLog2 << " to " << row.maxPcmLog2;
    }
}

TEST(HevcDaemonHeaders, SurviveAnyControlAndAnyPayload) {
    std::mt19937 random(1);
    const auto scramble = [&](auto& value, unsigned oneIn) {
        auto* bytes = reinterpret_cast<uint8_t*>(&value);
        for (size_t i = 0; i < sizeof(value); ++i)
            if (random() % oneIn == 0)
                bytes[i] = static_cast<uint8_t>(random());
    };
    size_t accepted = 0;
    for (unsigned round = 0; round < 20000; ++round) {
        Sps sps = sequence();
        Pps pps{};
        DecodeParams params{};
        ScalingMatrix scaling{};
        scramble(sps, 1 + random() % 60);
        scramble(pps, 1 + random() % 20);
        scramble(params, 10);
        scramble(scaling, 2);
        if (!checkSps(sps))
            continue;
        ++accepted;
        EXPECT_FALSE(writeSps(sps).empty());
        (void)writePps(sps, pps, &scaling);
        std::vector<uint8_t> payload(random() % 80);
        for (uint8_t& byte : payload)
            byte = static_cast<uint8_t>(random());
        if (payload.size() > 2) {
            payload[0] = static_cast<uint8_t>(random() % 22 << 1);
            payload[1] = 1;
        }
        const auto slice = parseSlice(payload, sps, pps, params, nullptr);
        EXPECT_LE(slice ? slice->headerBytes : 0, payload.size());
    }
    EXPECT_GT(accepted, 1000u);
}

} // namespace
} // namespace daedalus::hevc
