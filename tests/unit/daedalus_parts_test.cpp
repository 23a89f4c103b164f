// SPDX-License-Identifier: MIT
#include <numeric>
#include <random>

#include <gtest/gtest.h>

#include "core/bit_reader.h"
#include "core/bit_writer.h"
#include "core/job.h"
#include "core/nal.h"
#include "core/pixels.h"
#include "core/references.h"
#include "daedalus_bench.h"
#include "h264/lists.h"
#include "h264/parameter_sets.h"
#include "h264/slice_reader.h"
#include "h264/slice_writer.h"

extern "C" {
#include <libavutil/frame.h>
}

namespace daedalus::test {
namespace {

TEST(Bits, ReaderReadsWhatWriterWrote) {
    std::mt19937 random(1);
    std::vector<std::pair<int, uint32_t>> written; // kind or width, value
    BitWriter writer;
    for (int i = 0; i < 5000; ++i) {
        const int kind = static_cast<int>(random() % 35);
        const uint32_t value = kind == 0    ? static_cast<uint32_t>(random()) >> (random() % 32)
                               : kind <= 32 ? static_cast<uint32_t>(random()) >> (32 - kind)
                                            : static_cast<uint32_t>(random()) >> (1 + random() % 30);
        if (kind == 0)
            writer.ue(value == 0xffffffff ? 0 : value);
        else if (kind <= 32)
            writer.bits(value, static_cast<unsigned>(kind));
        else
            writer.se(kind == 33 ? static_cast<int32_t>(value) : -static_cast<int32_t>(value));
        written.emplace_back(kind, value);
    }
    BitReader reader(writer.bytes());
    for (const auto& [kind, value] : written) {
        if (kind == 0) {
            ASSERT_EQ(reader.ue(), value == 0xffffffff ? 0 : value);
        } else if (kind <= 32) {
            ASSERT_EQ(reader.bits(static_cast<unsigned>(kind)), value);
        } else {
            ASSERT_EQ(reader.se(), kind == 33 ? static_cast<int32_t>(value) : -static_cast<int32_t>(value));
        }
    }
    EXPECT_EQ(reader.position(), writer.size());
    EXPECT_FALSE(reader.overrun());
}

TEST(Bits, ReaderStaysAtTheEnd) {
    const uint8_t byte = 0;
    BitReader reader(std::span(&byte, 1));
    EXPECT_EQ(reader.bits(8), 0u);
    EXPECT_FALSE(reader.overrun());
    EXPECT_EQ(reader.ue(), 0u);
    EXPECT_TRUE(reader.overrun());
}

TEST(Bits, AppendAtEveryAlignment) {
    std::vector<uint8_t> data(40);
    std::mt19937 random(2);
    for (uint8_t& byte : data)
        byte = static_cast<uint8_t>(random());
    for (unsigned shift = 0; shift < 8; ++shift) {
        for (size_t from = 0; from < 20; ++from) {
            for (size_t to = from; to < 310; to += 17) {
                BitWriter writer;
                writer.bits(0, shift);
                writer.append(data, from, to);
                ASSERT_EQ(writer.size(), shift + to - from);
                BitReader mine(writer.bytes()), original(data);
                mine.bits(shift);
                for (size_t i = 0; i < from; ++i)
                    original.bit();
                for (size_t i = from; i < to; ++i)
                    ASSERT_EQ(mine.bit(), original.bit());
            }
        }
    }
}

TEST(Nal, EscapeAndBack) {
    std::mt19937 random(3);
    for (int round = 0; round < 200; ++round) {
        std::vector<uint8_t> rbsp(1 + random() % 60);
        for (uint8_t& byte : rbsp)
            byte = static_cast<uint8_t>(random() % 5); // many zeros
        rbsp.push_back(0x80);
        std::vector<uint8_t> stream;
        appendNal(stream, rbsp);
        appendNal(stream, rbsp);
        const auto nals = splitAnnexB(stream);
        ASSERT_EQ(nals.size(), 2u);
        EXPECT_EQ(unescape(nals[0]), rbsp);
        EXPECT_EQ(unescape(nals[1]), rbsp);
    }
}

TEST(Nal, StartCodes) {
    EXPECT_TRUE(startsWithStartCode(std::vector<uint8_t>{0, 0, 1}));
    EXPECT_TRUE(startsWithStartCode(std::vector<uint8_t>{0, 0, 0, 1, 5}));
    EXPECT_FALSE(startsWithStartCode(std::vector<uint8_t>{0, 1, 5}));
    EXPECT_FALSE(startsWithStartCode(std::vector<uint8_t>{0, 0, 0}));
    EXPECT_TRUE(splitAnnexB({}).empty());
    EXPECT_TRUE(splitAnnexB(std::vector<uint8_t>{0, 0, 1}).empty());
}

h264::Sps highSps() {
    h264::Sps sps{};
    sps.profile_idc = 100;
    sps.level_idc = 31;
    sps.seq_parameter_set_id = 2;
    sps.chroma_format_idc = 1;
    sps.max_num_ref_frames = 4;
    sps.pic_width_in_mbs_minus1 = 21;
    sps.pic_height_in_map_units_minus1 = 17;
    sps.flags = V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY | V4L2_H264_SPS_FLAG_DIRECT_8X8_INFERENCE;
    return sps;
}

TEST(H264Headers, LibavcodecReadsTheSps) {
    auto sps = highSps();
    auto pps = h264::Pps{};
    pps.seq_parameter_set_id = 2;
    std::vector<uint8_t> extradata;
    appendNal(extradata, *h264::writeSps(sps));
    appendNal(extradata, *h264::writePps(pps, nullptr, {}));
    AvContext context(avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_H264)));
    context->extradata = static_cast<uint8_t*>(av_mallocz(extradata.size() + AV_INPUT_BUFFER_PADDING_SIZE));
    context->extradata_size = static_cast<int>(extradata.size());
    std::copy(extradata.begin(), extradata.end(), context->extradata);
    context->err_recognition = AV_EF_EXPLODE;
    ASSERT_EQ(avcodec_open2(context.get(), nullptr, nullptr), 0);

    AVCodecParserContext* parser = av_parser_init(AV_CODEC_ID_H264);
    uint8_t* out = nullptr;
    int size = 0;
    std::vector<uint8_t> stream = extradata;
    appendNal(stream, std::vector<uint8_t>{0x65, 0xb8, 0x80, 0, 0x80, 0x80}); // an IDR slice, for the parser's sake
    appendNal(stream, std::vector<uint8_t>{0x09, 0x10});
    stream.resize(stream.size() + AV_INPUT_BUFFER_PADDING_SIZE);
    av_parser_parse2(parser, context.get(), &out, &size, stream.data(),
                     static_cast<int>(stream.size() - AV_INPUT_BUFFER_PADDING_SIZE), 0, 0, 0);
    EXPECT_EQ(parser->coded_width, 352);
    EXPECT_EQ(parser->coded_height, 288);
    EXPECT_EQ(context->profile, 100);
    EXPECT_EQ(context->level, 31);
    av_parser_close(parser);
}

TEST(H264Headers, WhatTheSyntaxCannotCarry) {
    auto sps = highSps();
    sps.profile_idc = 77;
    EXPECT_TRUE(h264::writeSps(sps));
    sps.bit_depth_luma_minus8 = 2;
    EXPECT_FALSE(h264::writeSps(sps));
    h264::Pps pps{};
    pps.num_slice_groups_minus1 = 1;
    EXPECT_FALSE(h264::writePps(pps, nullptr, {}));
    pps.num_slice_groups_minus1 = 0;
    h264::ScalingMatrix matrix{};
    EXPECT_FALSE(h264::writePps(pps, &matrix, {})); // all 0
}

TEST(H264Headers, ScalingListsAreWrittenInZigzagOrder) {
    h264::ScalingMatrix matrix{};
    for (unsigned i = 0; i < 6; ++i) {
        for (unsigned j = 0; j < 16; ++j)
            matrix.scaling_list_4x4[i][j] = static_cast<uint8_t>(1 + i * 16 + j);
        for (unsigned j = 0; j < 64; ++j)
            matrix.scaling_list_8x8[i][j] = static_cast<uint8_t>(255 - i * 7 - 3 * j);
    }
    h264::Pps pps{};
    pps.flags = V4L2_H264_PPS_FLAG_TRANSFORM_8X8_MODE | V4L2_H264_PPS_FLAG_SCALING_MATRIX_PRESENT;
    const auto written = h264::writePps(pps, &matrix, {});
    ASSERT_TRUE(written);
    BitReader r(*written);
    r.bits(8);
    r.ue();
    r.ue();
    r.bits(2);
    for (int i = 0; i < 3; ++i)
        r.ue();
    r.bits(3);
    for (int i = 0; i < 3; ++i)
        r.se();
    r.bits(3);
    EXPECT_TRUE(r.flag()); // transform_8x8_mode_flag
    EXPECT_TRUE(r.flag()); // pic_scaling_matrix_present_flag
    const uint8_t firsts4x4[] = {0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15};
    const uint8_t firsts8x8[] = {0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32};
    for (unsigned list = 0; list < 8; ++list) {
        ASSERT_TRUE(r.flag());
        int last = 8;
        for (unsigned j = 0; j < (list < 6 ? 16u : 64u); ++j) {
            last = (last + r.se() + 256) % 256;
            if (list < 6) {
                ASSERT_EQ(last, matrix.scaling_list_4x4[list][firsts4x4[j]]) << list << " " << j;
            } else if (j < std::size(firsts8x8)) {
                ASSERT_EQ(last, matrix.scaling_list_8x8[list - 6][firsts8x8[j]]) << list << " " << j;
            }
        }
    }
    EXPECT_EQ(r.se(), 0);
    EXPECT_EQ(r.bit(), 1u);
}

/// A slice header with all that a P slice can have: what is written is what is read back.
TEST(H264Headers, SliceHeaderRoundTrip) {
    auto sps = highSps();
    sps.log2_max_frame_num_minus4 = 12;
    sps.log2_max_pic_order_cnt_lsb_minus4 = 12;
    h264::Pps pps{};
    pps.flags = V4L2_H264_PPS_FLAG_BOTTOM_FIELD_PIC_ORDER_IN_FRAME_PRESENT |
                V4L2_H264_PPS_FLAG_DEBLOCKING_FILTER_CONTROL_PRESENT | V4L2_H264_PPS_FLAG_WEIGHTED_PRED;
    h264::SliceHeader header;
    header.nalRefIdc = 2;
    header.firstMb = 17;
    header.type = h264::SliceType::P;
    header.frameNum = 54321;
    header.pocLsb = 65500;
    header.deltaPocBottom = -1;
    header.activeRefs = {2, 0};
    header.modifications[0] = {{0, 65535}, {2, 3}};
    h264::WeightTable table;
    table.lumaLog2Denom = 3;
    table.chromaLog2Denom = 2;
    table.lists[0] = {{7, -5, {4, 4}, {0, 0}}, {8, 0, {-3, 9}, {2, -128}}};
    header.weights = table;
    header.adaptiveMarking = true;
    header.operations = {{.operation = 1, .differenceOfPicNumsMinus1 = 4}, {.operation = 6, .longTermFrameIdx = 1}};
    header.qpDelta = -9;
    header.deblockingIdc = 2;
    header.alphaOffsetDiv2 = 6;
    header.betaOffsetDiv2 = -6;

    // The slice data: every length of the original header modulo 8 is kept, whatever it takes.
    std::vector<uint8_t> original(9, 0xa5);
    original.back() = 0x80;
    for (size_t headerBits = 16; headerBits < 24; ++headerBits) {
        const auto written = h264::writeSlice(header, sps, pps, original, headerBits);
        auto layout = pps;
        layout.pic_parameter_set_id = written.pps.id;
        if (written.pps.redundantPicCnt)
            layout.flags |= V4L2_H264_PPS_FLAG_REDUNDANT_PIC_CNT_PRESENT;
        const auto parsed = h264::parseSlice(written.rbsp, sps, layout);
        ASSERT_TRUE(parsed) << parsed.error().message;
        EXPECT_EQ(parsed->header.ppsId, written.pps.id);
        EXPECT_EQ(parsed->sizes.headerBits % 8, headerBits % 8);
        EXPECT_EQ(parsed->header.firstMb, 17u);
        EXPECT_EQ(parsed->header.frameNum, 54321u);
        EXPECT_EQ(parsed->header.pocLsb, 65500u);
        EXPECT_EQ(parsed->header.deltaPocBottom, -1);
        EXPECT_EQ(parsed->header.activeRefs[0], 2u);
        ASSERT_EQ(parsed->header.modifications[0].size(), 2u);
        EXPECT_EQ(parsed->header.modifications[0][0].value, 65535u);
        ASSERT_TRUE(parsed->header.weights);
        EXPECT_EQ(parsed->header.weights->lists[0][0].lumaOffset, -5);
        EXPECT_EQ(parsed->header.weights->lists[0][1].luma, 8);
        EXPECT_EQ(parsed->header.weights->lists[0][1].chromaOffset[1], -128);
        ASSERT_EQ(parsed->header.operations.size(), 2u);
        EXPECT_EQ(parsed->header.operations[0].differenceOfPicNumsMinus1, 4u);
        EXPECT_EQ(parsed->header.qpDelta, -9);
        EXPECT_EQ(parsed->header.betaOffsetDiv2, -6);
        BitReader mine(written.rbsp), theirs(original);
        for (size_t i = 0; i < parsed->sizes.headerBits; ++i)
            mine.bit();
        for (size_t i = 0; i < headerBits; ++i)
            theirs.bit();
        for (size_t i = headerBits; i < 65; ++i)
            ASSERT_EQ(mine.bit(), theirs.bit());
    }
}

TEST(H264Headers, GarbageIsRefusedAndNeverReadPast) {
    std::mt19937 random(5);
    for (int round = 0; round < 20000; ++round) {
        std::vector<uint8_t> bytes(1 + random() % 40);
        for (uint8_t& byte : bytes)
            byte = static_cast<uint8_t>(random());
        bytes[0] = random() % 2 ? 0x65 : 0x41;
        h264::Sps sps = highSps();
        sps.flags = static_cast<uint32_t>(random()) & 0x7f;
        sps.pic_order_cnt_type = static_cast<uint8_t>(random() % 4);
        sps.log2_max_frame_num_minus4 = static_cast<uint8_t>(random() % 14);
        h264::Pps pps{};
        pps.flags = static_cast<uint16_t>(random());
        pps.weighted_bipred_idc = static_cast<uint8_t>(random() % 4);
        const auto parsed = h264::parseSlice(bytes, sps, pps);
        if (parsed)
            (void)h264::writeSlice(parsed->header, sps, pps, bytes, parsed->sizes.headerBits);
    }
}

h264::DpbPicture shortTerm(int frameNumWrap, int32_t poc, uint8_t fields = 3) {
    h264::DpbPicture picture;
    picture.frameNumWrap = frameNumWrap;
    picture.poc[0] = poc;
    picture.poc[1] = poc + 1;
    picture.fields = fields;
    return picture;
}

std::vector<int> indices(const h264::List& list) {
    std::vector<int> result;
    for (const auto& entry : list)
        result.push_back(entry.picture);
    return result;
}

TEST(H264Lists, FramesOfP) {
    std::vector<h264::DpbPicture> dpb = {shortTerm(3, 0), shortTerm(-2, 8), shortTerm(7, 4)};
    dpb.push_back({.longTerm = true, .longTermFrameIdx = 2});
    dpb.push_back({.longTerm = true, .longTermFrameIdx = 0});
    h264::CurrentPicture current{.structure = 3, .frameNum = 9, .maxFrameNum = 16, .poc = 10};
    EXPECT_EQ(indices(h264::initialLists(dpb, current, false)[0]), (std::vector<int>{2, 0, 1, 4, 3}));
}

TEST(H264Lists, FramesOfB) {
    const std::vector<h264::DpbPicture> dpb = {shortTerm(1, 0), shortTerm(2, 16), shortTerm(3, 8), shortTerm(4, 4)};
    h264::CurrentPicture current{.structure = 3, .frameNum = 5, .maxFrameNum = 16, .poc = 6};
    const auto lists = h264::initialLists(dpb, current, true);
    EXPECT_EQ(indices(lists[0]), (std::vector<int>{3, 0, 2, 1}));
    EXPECT_EQ(indices(lists[1]), (std::vector<int>{2, 1, 3, 0}));
}

TEST(H264Lists, EqualListsOfBAreSwapped) {
    const std::vector<h264::DpbPicture> dpb = {shortTerm(1, 0), shortTerm(2, 4)};
    h264::CurrentPicture current{.structure = 3, .frameNum = 3, .maxFrameNum = 16, .poc = 8};
    const auto lists = h264::initialLists(dpb, current, true);
    EXPECT_EQ(indices(lists[0]), (std::vector<int>{1, 0}));
    EXPECT_EQ(indices(lists[1]), (std::vector<int>{0, 1}));
}

TEST(H264Lists, FieldsAlternate) {
    // Clause 8.2.4.2.5 with a frame that has a top field only.
    const std::vector<h264::DpbPicture> dpb = {shortTerm(5, 0), shortTerm(4, 4, 1), shortTerm(3, 8)};
    h264::CurrentPicture current{.structure = 2, .frameNum = 6, .maxFrameNum = 16, .poc = 20};
    const auto list = h264::initialLists(dpb, current, false)[0];
    const h264::List expected = {{0, 2}, {0, 1}, {2, 2}, {1, 1}, {2, 1}};
    EXPECT_EQ(list, expected);
}

TEST(H264Lists, Modification) {
    const std::vector<h264::DpbPicture> dpb = {shortTerm(8, 0), shortTerm(7, 2), shortTerm(-1, 4)};
    h264::CurrentPicture current{.structure = 3, .frameNum = 9, .maxFrameNum = 16, .poc = 10};
    auto initial = h264::initialLists(dpb, current, false)[0];
    // 9 - 2 = 7, then 7 - 8 = -1, which is 15 before the wrap.
    const std::vector<h264::ListModification> commands = {{0, 1}, {0, 7}};
    const auto list = h264::modifiedList(initial, 3, commands, dpb, current);
    ASSERT_TRUE(list) << list.error().message;
    EXPECT_EQ(indices(*list), (std::vector<int>{1, 2, 0}));
    const std::vector<h264::ListModification> missing = {{0, 3}};
    EXPECT_FALSE(h264::modifiedList(initial, 3, missing, dpb, current));
    EXPECT_EQ(indices(*h264::modifiedList(initial, 5, {}, dpb, current)), (std::vector<int>{0, 1, 2, -1, -1}));
}

std::vector<uint8_t> message(uint32_t frames, uint32_t controls, uint32_t controlSize, size_t tail) {
    daedalus_job job{};
    job.header.type = DAEDALUS_MESSAGE_JOB;
    job.header.cookie = 77;
    job.frame_count = frames;
    job.control_count = controls;
    std::vector<uint8_t> bytes(sizeof(job) + tail);
    job.header.size = static_cast<uint32_t>(bytes.size());
    std::memcpy(bytes.data(), &job, sizeof(job));
    const daedalus_control control{V4L2_CID_STATELESS_H264_PPS, controlSize};
    if (tail >= frames * sizeof(daedalus_frame) + sizeof(control))
        std::memcpy(bytes.data() + sizeof(job) + frames * sizeof(daedalus_frame), &control, sizeof(control));
    return bytes;
}

TEST(Messages, WholeJob) {
    const auto parsed = parseMessage(message(2, 1, 12, 2 * sizeof(daedalus_frame) + 8 + 16));
    ASSERT_TRUE(parsed) << parsed.error().message;
    const Job& job = std::get<Job>(*parsed);
    EXPECT_EQ(job.id(), 77u);
    EXPECT_EQ(job.frames.size(), 2u);
    EXPECT_TRUE(job.control<h264::Pps>(V4L2_CID_STATELESS_H264_PPS, "PPS"));
    EXPECT_FALSE(job.control<h264::Sps>(V4L2_CID_STATELESS_H264_PPS, "too short"));
    EXPECT_FALSE(job.control<h264::Sps>(V4L2_CID_STATELESS_H264_SPS, "missing"));
}

TEST(Messages, WhatLiesPastTheEndIsRefused) {
    EXPECT_FALSE(parseMessage({}));
    EXPECT_FALSE(parseMessage(message(3, 0, 0, 2 * sizeof(daedalus_frame))));
    EXPECT_FALSE(parseMessage(message(0xffffffff, 0, 0, 64)));
    EXPECT_FALSE(parseMessage(message(0, 2, 8, 16)));
    EXPECT_FALSE(parseMessage(message(0, 1, 0xffffffff, 64)));
    EXPECT_FALSE(parseMessage(message(0, 1, 9, 8 + 9))); // the padding is missing
    auto bytes = message(0, 0, 0, 0);
    bytes[4] = 0xff; // header.size
    EXPECT_FALSE(parseMessage(bytes));
}

TEST(Pixels, ClippedToTheFormat) {
    AvFrame frame(av_frame_alloc());
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = 32;
    frame->height = 32;
    ASSERT_EQ(av_frame_get_buffer(frame.get(), 0), 0);
    for (int y = 0; y < 32; ++y)
        std::memset(frame->data[0] + y * frame->linesize[0], y, 32);
    for (int y = 0; y < 16; ++y) {
        std::memset(frame->data[1] + y * frame->linesize[1], 100 + y, 16);
        std::memset(frame->data[2] + y * frame->linesize[2], 200 + y, 16);
    }
    const daedalus_format format{V4L2_PIX_FMT_NV12, 16, 24, 20, 20 * 36, 0};
    std::vector<uint8_t> buffer(20 * 36, 0xee);
    ASSERT_TRUE(storePicture(*frame, format, buffer));
    EXPECT_EQ(buffer[23 * 20 + 15], 23);
    EXPECT_EQ(buffer[23 * 20 + 16], 0xee); // padding of the line
    EXPECT_EQ(buffer[24 * 20], 100);
    EXPECT_EQ(buffer[24 * 20 + 1], 200);
    EXPECT_EQ(buffer[35 * 20 + 15], 211);
    EXPECT_FALSE(storePicture(*frame, format, std::span(buffer).first(20 * 36 - 1)));
}

// The bytes of pixfmt-yuv-planar.rst: P010 has the value in the upper ten bits, NV15 four values in five bytes.
TEST(Pixels, TenBits) {
    AvFrame frame(av_frame_alloc());
    frame->format = AV_PIX_FMT_YUV420P10;
    frame->width = 6; // half a group of four at the end
    frame->height = 2;
    ASSERT_EQ(av_frame_get_buffer(frame.get(), 0), 0);
    const auto put = [&](int plane, int line, std::initializer_list<uint16_t> values) {
        std::copy(values.begin(), values.end(),
                  reinterpret_cast<uint16_t*>(frame->data[plane] + line * frame->linesize[plane]));
    };
    put(0, 0, {0x001, 0x155, 0x2aa, 0x3fe, 0x3ff, 0x200});
    put(0, 1, {0, 0, 0, 0, 0, 0});
    put(1, 0, {0x001, 0x2aa, 0x3ff});
    put(2, 0, {0x155, 0x3fe, 0x200});

    constexpr uint8_t nv15[] = {0x01, 0x54, 0xa5, 0xaa, 0xff, 0xff, 0x03, 0x08};
    const daedalus_format packed{v4l2_fourcc('N', 'V', '1', '5'), 6, 2, 16, 48, 0};
    std::vector<uint8_t> buffer(48, 0xee);
    ASSERT_TRUE(storePicture(*frame, packed, buffer));
    EXPECT_TRUE(std::equal(std::begin(nv15), std::end(nv15), buffer.begin()));
    EXPECT_TRUE(std::equal(std::begin(nv15), std::end(nv15), buffer.begin() + 32)); // Cb and Cr in turn
    EXPECT_EQ(buffer[8], 0xee);

    constexpr uint8_t p010[] = {0x40, 0x00, 0x40, 0x55, 0x80, 0xaa, 0x80, 0xff, 0xc0, 0xff, 0x00, 0x80};
    const daedalus_format words{V4L2_PIX_FMT_P010, 6, 2, 16, 48, 0};
    buffer.assign(48, 0xee);
    ASSERT_TRUE(storePicture(*frame, words, buffer));
    EXPECT_TRUE(std::equal(std::begin(p010), std::end(p010), buffer.begin()));
    EXPECT_TRUE(std::equal(std::begin(p010), std::end(p010), buffer.begin() + 32));
    EXPECT_EQ(buffer[12], 0xee);

    const daedalus_format bytes{V4L2_PIX_FMT_NV12, 6, 2, 16, 48, 0};
    EXPECT_FALSE(storePicture(*frame, bytes, buffer)) << "ten bits do not fit";
}

// MM21 of pixfmt-yuv-planar.rst: tiles of 16x32 bytes of luma and 16x16 of chroma, in a piece of memory each.
TEST(Pixels, Tiles) {
    AvFrame frame(av_frame_alloc());
    frame->format = AV_PIX_FMT_YUV420P;
    frame->width = 40;
    frame->height = 36;
    ASSERT_EQ(av_frame_get_buffer(frame.get(), 0), 0);
    frame->data[0][0] = 1;
    frame->data[0][31 * frame->linesize[0] + 15] = 2;
    frame->data[0][17] = 3;
    frame->data[0][33 * frame->linesize[0] + 39] = 4;
    frame->data[1][8] = 5;                            // byte 16 of the row
    frame->data[2][17 * frame->linesize[2] + 19] = 6; // byte 39
    const daedalus_format format{V4L2_PIX_FMT_MM21, 48, 64, 48, 48 * 64, 48 * 32};
    std::vector<uint8_t> luma(48 * 64, 0xee), chroma(48 * 32, 0xee);
    ASSERT_TRUE(storePicture(*frame, format, luma, chroma));
    EXPECT_EQ(luma[0], 1);
    EXPECT_EQ(luma[31 * 16 + 15], 2);
    EXPECT_EQ(luma[512 + 1], 3);
    EXPECT_EQ(luma[3 * 512 + 2 * 512 + 16 + 7], 4);
    EXPECT_EQ(luma[3 * 512 + 2 * 512 + 16 + 8], 0xee) << "beyond the picture";
    EXPECT_EQ(chroma[256], 5);
    EXPECT_EQ(chroma[3 * 256 + 2 * 256 + 16 + 7], 6);
    EXPECT_FALSE(storePicture(*frame, format, luma, std::span(chroma).first(48 * 32 - 1)));
}

TEST(References, OnlyWhatIsStillThere) {
    References references;
    Job job;
    references.decoded(5, 1000);
    EXPECT_FALSE(references.check(job, 1000, "ts")); // not listed
    job.frames.push_back({1000, 5, 0, 0});
    EXPECT_TRUE(references.check(job, 1000, "ts"));
    job.frames[0].error = 1;
    EXPECT_FALSE(references.check(job, 1000, "ts"));
    job.frames[0].error = 0;
    references.overwrite(5);
    EXPECT_FALSE(references.check(job, 1000, "ts"));
    references.decoded(5, 2000);
    EXPECT_FALSE(references.check(job, 1000, "ts")); // another picture now
}

} // namespace
} // namespace daedalus::test
