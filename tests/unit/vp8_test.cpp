// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <numeric>

#include <gtest/gtest.h>

#include "bitstream/vp8_frame_header.h"
#include "bool_encoder.h"
#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec_fixture.h"
#include "ivf.h"

namespace v4l2_request::codec {
namespace {

using test::bytesOf;

constexpr VASurfaceID target = 10, last = 11, golden = 12, alternate = 13;

// The syntax elements of a frame header (RFC 6386, 19.2) up to the token probabilities.
struct Header {
    bool keyFrame = true;
    struct Segmentation {
        bool updateMap = true;
        std::array<uint8_t, 3> probs{255, 255, 255};
        bool updateData = true;
        bool absolute = false;
        std::array<int, 4> quantizer{};
        std::array<int, 4> filter{};
    };
    std::optional<Segmentation> segmentation;
    bool simpleFilter = false;
    uint8_t level = 20;
    uint8_t sharpness = 3;
    std::optional<std::array<int, 8>> filterDeltas;
    unsigned partitionsLog2 = 0;
    uint8_t quantizer = 60;
    std::array<int, 5> quantizerDeltas{};

    std::vector<uint8_t> encode() const {
        test::BoolEncoder encoder;
        if (keyFrame)
            encoder.literal(0, 2);
        encoder.flag(segmentation.has_value());
        if (segmentation) {
            encoder.flag(segmentation->updateMap).flag(segmentation->updateData);
            if (segmentation->updateData) {
                encoder.flag(segmentation->absolute);
                for (const int value : segmentation->quantizer)
                    encoder.optional(value, 7);
                for (const int value : segmentation->filter)
                    encoder.optional(value, 6);
            }
            if (segmentation->updateMap)
                for (const uint8_t prob : segmentation->probs) {
                    encoder.flag(prob != 255);
                    if (prob != 255)
                        encoder.literal(prob, 8);
                }
        }
        encoder.flag(simpleFilter).literal(level, 6).literal(sharpness, 3);
        encoder.flag(filterDeltas.has_value());
        if (filterDeltas) {
            encoder.flag(true);
            for (const int value : *filterDeltas)
                encoder.optional(value, 6);
        }
        encoder.literal(partitionsLog2, 2).literal(quantizer, 7);
        for (const int value : quantizerDeltas)
            encoder.optional(value, 4);
        return encoder.literal(0x5a5a5a, 24).finish(); // what the parser leaves alone
    }
};

std::vector<uint8_t> operator+(std::vector<uint8_t> a, const std::vector<uint8_t>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

class Vp8 : public testing::Test {
protected:
    Vp8() {
        references.timestamps = {{last, 1000}, {golden, 2000}, {alternate, 3000}};
        for (size_t i = 0; i < sizeof(probability); ++i)
            reinterpret_cast<uint8_t*>(&probability)[i] = static_cast<uint8_t>(i * 7);
    }

    // What a client makes of the header.
    void describe(const Header& header) {
        picture = {};
        picture.frame_width = 176;
        picture.frame_height = 144;
        picture.last_ref_frame = last;
        picture.golden_ref_frame = golden;
        picture.alt_ref_frame = alternate;
        picture.pic_fields.bits.key_frame = !header.keyFrame;
        picture.pic_fields.bits.version = 1;
        picture.pic_fields.bits.segmentation_enabled = header.segmentation.has_value();
        picture.pic_fields.bits.filter_type = header.simpleFilter;
        picture.pic_fields.bits.sharpness_level = header.sharpness;
        picture.pic_fields.bits.loop_filter_adj_enable = header.filterDeltas.has_value();
        picture.pic_fields.bits.mb_no_coeff_skip = 1;
        picture.prob_skip_false = 17;
        picture.prob_intra = 18;
        picture.prob_last = 19;
        picture.prob_gf = 20;
        std::ranges::fill(picture.mb_segment_tree_probs, uint8_t{201});
        std::iota(picture.y_mode_probs, picture.y_mode_probs + 4, uint8_t{30});
        std::iota(picture.uv_mode_probs, picture.uv_mode_probs + 3, uint8_t{40});
        std::iota(&picture.mv_probs[0][0], &picture.mv_probs[0][0] + 38, uint8_t{50});
        if (header.filterDeltas) {
            std::copy_n(header.filterDeltas->begin(), 4, picture.loop_filter_deltas_ref_frame);
            std::copy_n(header.filterDeltas->begin() + 4, 4, picture.loop_filter_deltas_mode);
        }
        picture.bool_coder_ctx = {.range = 200, .value = 100, .count = 3};
        const auto first = static_cast<uint32_t>(header.encode().size());
        slice = {};
        slice.macroblock_offset = 50;
        slice.num_of_partitions = static_cast<uint8_t>(1 + (1 << header.partitionsLog2));
        slice.partition_size[0] = first - 7; // the header takes 50 bits, 7 bytes
        data = header.encode();
    }

    Result<Submission> build(std::vector<uint8_t> inFront = {}) {
        test::Client& client = clients.emplace_back();
        client.input.profile = VAProfileVP8Version0_3;
        client.input.target = target;
        client.input.width = 176;
        client.input.height = 144;
        client.picture(picture);
        client.input.probability = {reinterpret_cast<const uint8_t*>(&probability), sizeof(probability)};
        if (quantization)
            client.iqMatrix(*quantization);
        client.slice(slice, data);
        before = std::move(inFront);
        client.input.slices[0].before = before;
        return vp8Codec.build(client.input, references, {}, state, state);
    }
    v4l2_ctrl_vp8_frame frame() {
        auto submission = build();
        EXPECT_TRUE(submission) << submission.error().message;
        return submission ? submission->jobs[0].controls.get<Vp8FrameControl>() : v4l2_ctrl_vp8_frame{};
    }
    v4l2_ctrl_vp8_frame frame(const Header& header) {
        describe(header);
        data = data + std::vector<uint8_t>(100, 0xaa);
        return frame();
    }

    std::deque<test::Client> clients;
    test::FakeReferences references;
    VAPictureParameterBufferVP8 picture{};
    VAProbabilityDataBufferVP8 probability{};
    VASliceParameterBufferVP8 slice{};
    std::optional<VAIQMatrixBufferVP8> quantization;
    std::vector<uint8_t> data, before;
    std::any state;
};

TEST_F(Vp8, QuantisationIsWhatIsCoded) {
    const auto quant = frame({.quantizer = 120, .quantizerDeltas = {15, -15, 3, 0, -1}}).quant;
    EXPECT_EQ(quant.y_ac_qi, 120);
    EXPECT_EQ(quant.y_dc_delta, 15); // VA-API has 127, the clipped sum
    EXPECT_EQ(quant.y2_dc_delta, -15);
    EXPECT_EQ(quant.y2_ac_delta, 3);
    EXPECT_EQ(quant.uv_dc_delta, 0);
    EXPECT_EQ(quant.uv_ac_delta, -1);
}

TEST_F(Vp8, SegmentDataStaysUntilItIsUpdated) {
    Header header{.segmentation = Header::Segmentation{.quantizer = {1, -2, 127, 0}, .filter = {-63, 0, 5, 63}}};
    auto segment = frame(header).segment;
    EXPECT_EQ(segment.flags, V4L2_VP8_SEGMENT_FLAG_ENABLED | V4L2_VP8_SEGMENT_FLAG_UPDATE_MAP |
                                 V4L2_VP8_SEGMENT_FLAG_UPDATE_FEATURE_DATA | V4L2_VP8_SEGMENT_FLAG_DELTA_VALUE_MODE);
    EXPECT_EQ(std::to_array(segment.quant_update), (std::array<int8_t, 4>{1, -2, 127, 0}));
    EXPECT_EQ(std::to_array(segment.lf_update), (std::array<int8_t, 4>{-63, 0, 5, 63}));
    EXPECT_EQ(std::to_array(segment.segment_probs), (std::array<uint8_t, 3>{201, 201, 201}));

    header = {.keyFrame = false, .segmentation = Header::Segmentation{.updateMap = false, .updateData = false}};
    segment = frame(header).segment;
    EXPECT_EQ(segment.flags, V4L2_VP8_SEGMENT_FLAG_ENABLED | V4L2_VP8_SEGMENT_FLAG_DELTA_VALUE_MODE);
    EXPECT_EQ(std::to_array(segment.quant_update), (std::array<int8_t, 4>{1, -2, 127, 0}));

    header.segmentation = Header::Segmentation{.absolute = true, .quantizer = {9, 0, 0, 0}};
    segment = frame(header).segment;
    EXPECT_FALSE(segment.flags & V4L2_VP8_SEGMENT_FLAG_DELTA_VALUE_MODE);
    EXPECT_EQ(std::to_array(segment.quant_update), (std::array<int8_t, 4>{9, 0, 0, 0}));
    EXPECT_EQ(std::to_array(segment.lf_update), (std::array<int8_t, 4>{}));

    segment = frame({}).segment; // a key frame starts anew
    EXPECT_EQ(std::to_array(segment.quant_update), (std::array<int8_t, 4>{}));
}

TEST_F(Vp8, WithoutAKeyFrameSegmentsAreThoseOfVaApi) {
    quantization.emplace();
    for (uint16_t i = 0; i < 4; ++i)
        quantization->quantization_index[i][0] = static_cast<uint16_t>(100 + i);
    describe({.keyFrame = false, .segmentation = Header::Segmentation{.updateMap = false, .updateData = false}});
    std::iota(picture.loop_filter_level, picture.loop_filter_level + 4, uint8_t{60});
    const auto segment = frame().segment;
    EXPECT_EQ(segment.flags, V4L2_VP8_SEGMENT_FLAG_ENABLED);
    EXPECT_EQ(std::to_array(segment.quant_update), (std::array<int8_t, 4>{100, 101, 102, 103}));
    EXPECT_EQ(std::to_array(segment.lf_update), (std::array<int8_t, 4>{60, 61, 62, 63}));
}

TEST_F(Vp8, LoopFilter) {
    auto filter = frame({.simpleFilter = true, .level = 63, .sharpness = 7}).lf;
    EXPECT_EQ(filter.level, 63);
    EXPECT_EQ(filter.sharpness_level, 7);
    EXPECT_EQ(filter.flags, unsigned{V4L2_VP8_LF_FILTER_TYPE_SIMPLE});
    filter = frame({.filterDeltas = {{2, 0, -2, -2, 4, -2, 2, 4}}}).lf;
    EXPECT_EQ(filter.flags, unsigned{V4L2_VP8_LF_ADJ_ENABLE | V4L2_VP8_LF_DELTA_UPDATE});
    EXPECT_EQ(std::to_array(filter.ref_frm_delta), (std::array<int8_t, 4>{2, 0, -2, -2}));
    EXPECT_EQ(std::to_array(filter.mb_mode_delta), (std::array<int8_t, 4>{4, -2, 2, 4}));
}

TEST_F(Vp8, ProbabilitiesOfKeyAndInterFrames) {
    auto control = frame(Header{});
    // RFC 6386, 16.2 and 16.3
    EXPECT_EQ(std::to_array(control.entropy.y_mode_probs), (std::array<uint8_t, 4>{145, 156, 163, 128}));
    EXPECT_EQ(std::to_array(control.entropy.uv_mode_probs), (std::array<uint8_t, 3>{142, 114, 183}));
    EXPECT_EQ(control.prob_skip_false, 17);
    EXPECT_EQ(control.prob_intra, 0);
    EXPECT_EQ(control.entropy.coeff_probs[1][2][2][10], probability.dct_coeff_probs[1][2][2][10]);
    EXPECT_EQ(control.coder_state.range, 200);
    EXPECT_EQ(control.coder_state.value, 100);
    EXPECT_EQ(control.coder_state.bit_count, 3);

    control = frame({.keyFrame = false});
    EXPECT_EQ(std::to_array(control.entropy.y_mode_probs), (std::array<uint8_t, 4>{30, 31, 32, 33}));
    EXPECT_EQ(std::to_array(control.entropy.uv_mode_probs), (std::array<uint8_t, 3>{40, 41, 42}));
    EXPECT_EQ(control.entropy.mv_probs[1][18], 87);
    EXPECT_EQ(control.prob_intra, 18);
    EXPECT_EQ(control.prob_last, 19);
    EXPECT_EQ(control.prob_gf, 20);

    describe({.keyFrame = false});
    picture.pic_fields.bits.mb_no_coeff_skip = 0;
    control = frame();
    EXPECT_EQ(control.prob_skip_false, 0);
    EXPECT_EQ(control.flags, unsigned{V4L2_VP8_FRAME_FLAG_SHOW_FRAME});
}

TEST_F(Vp8, References) {
    auto control = frame(Header{});
    EXPECT_EQ(control.last_frame_ts, noTimestamp);
    EXPECT_EQ(control.golden_frame_ts, noTimestamp);

    control = frame({.keyFrame = false});
    EXPECT_EQ(control.last_frame_ts, 1000u);
    EXPECT_EQ(control.golden_frame_ts, 2000u);
    EXPECT_EQ(control.alt_frame_ts, 3000u);

    references.timestamps.erase(golden);
    EXPECT_EQ(frame({.keyFrame = false}).golden_frame_ts, 1000u);
    references.timestamps.erase(last);
    EXPECT_EQ(frame({.keyFrame = false}).last_frame_ts, 3000u);
    references.timestamps.erase(alternate);
    EXPECT_EQ(frame({.keyFrame = false}).alt_frame_ts, noTimestamp);
    references.latestPicture = 4000; // what was decoded last
    control = frame({.keyFrame = false});
    EXPECT_EQ(control.last_frame_ts, 4000u);
    EXPECT_EQ(control.alt_frame_ts, 4000u);
}

TEST_F(Vp8, MakesTheFrameTagThatClientsCutOff) {
    describe(Header{});
    const auto key = build();
    ASSERT_TRUE(key);
    const uint32_t tag = 0u | 1u << 1 | 1u << 4 | static_cast<uint32_t>(data.size()) << 5;
    const auto byte = [&](unsigned shift) { return static_cast<uint8_t>(tag >> shift); };
    const std::vector<uint8_t> expected{byte(0), byte(8), byte(16), 0x9d, 0x01, 0x2a, 176, 0, 144, 0};
    EXPECT_EQ(bytesOf(key->jobs[0].bitstream), expected + data);
    EXPECT_EQ(key->codedWidth, 176u);

    describe({.keyFrame = false});
    const auto inter = build();
    ASSERT_TRUE(inter);
    EXPECT_EQ(bytesOf(inter->jobs[0].bitstream).size(), 3 + data.size());
    EXPECT_EQ(bytesOf(inter->jobs[0].bitstream)[0] & 1, 1);
}

TEST_F(Vp8, TakesTheFrameTagThatClientsKeep) {
    describe(Header{});
    bitstream::Vp8FrameTag tag{.keyFrame = true,
                               .version = 1,
                               .showFrame = false,
                               .firstPartSize = static_cast<uint32_t>(data.size()),
                               .width = 176,
                               .height = 144,
                               .horizontalScale = 2,
                               .verticalScale = 3};
    const auto bytes = bitstream::writeVp8FrameTag(tag);
    const auto submission = build({bytes.begin(), bytes.end()});
    ASSERT_TRUE(submission);
    EXPECT_EQ(bytesOf(submission->jobs[0].bitstream), std::vector<uint8_t>(bytes.begin(), bytes.end()) + data);
    const auto control = submission->jobs[0].controls.get<Vp8FrameControl>();
    EXPECT_FALSE(control.flags & V4L2_VP8_FRAME_FLAG_SHOW_FRAME);
    EXPECT_EQ(control.horizontal_scale, 2);
    EXPECT_EQ(control.vertical_scale, 3);

    // Other bytes in front are no tag of this frame.
    const auto other = build(std::vector<uint8_t>(10, 0x55));
    ASSERT_TRUE(other);
    EXPECT_TRUE(other->jobs[0].controls.get<Vp8FrameControl>().flags & V4L2_VP8_FRAME_FLAG_SHOW_FRAME);
}

TEST_F(Vp8, Partitions) {
    describe({.partitionsLog2 = 2});
    const auto first = static_cast<uint32_t>(data.size());
    data = data + std::vector<uint8_t>{1, 0, 0, 0, 1, 0, 2, 0, 0} + std::vector<uint8_t>(1 + 256 + 2 + 7, 0xee);
    auto control = frame();
    EXPECT_EQ(control.num_dct_parts, 4);
    EXPECT_EQ(std::to_array(control.dct_part_sizes), (std::array<uint32_t, 8>{1, 256, 2, 7}));
    EXPECT_EQ(control.first_part_size, first);
    EXPECT_EQ(control.first_part_header_bits, 50u);

    data.resize(data.size() - 8);
    EXPECT_EQ(build().error().kind, ErrorKind::Decoding);
    data.resize(first + 8);
    EXPECT_EQ(build().error().kind, ErrorKind::Decoding);
}

TEST_F(Vp8, RefusesWhatContradictsItself) {
    const auto refused = [&](auto change, ErrorKind kind = ErrorKind::InvalidParameter) {
        describe(Header{});
        change();
        const auto submission = build();
        EXPECT_TRUE(!submission && submission.error().kind == kind);
    };
    refused([&] { picture.frame_width = 0; });
    refused([&] { picture.frame_height = 1 << 14; });
    refused([&] { picture.pic_fields.bits.version = 4; }, ErrorKind::Unsupported);
    // What a damaged stream can have is no fault of the client.
    refused([&] { picture.pic_fields.bits.sharpness_level = 6; }, ErrorKind::Decoding);
    refused([&] { picture.pic_fields.bits.segmentation_enabled = 1; }, ErrorKind::Decoding);
    refused([&] { slice.partition_size[0] = 4000000000u; }, ErrorKind::Decoding);
    refused([&] { slice.macroblock_offset = 4000000000u; }, ErrorKind::Decoding);
    refused([&] { data.clear(); }, ErrorKind::Decoding);
    EXPECT_FALSE(state.has_value());
}

// What GStreamer's decoder for the kernel reads from the first frame of a real stream.
TEST_F(Vp8, RealStream) {
    const auto frames = test::ivfFrames("vp8/vp80-00-comprehensive-002.ivf");
    if (frames.empty())
        GTEST_SKIP() << "no test streams: V4L2_REQUEST_VECTORS";
    const auto tag = bitstream::parseVp8FrameTag(frames[0]);
    ASSERT_TRUE(tag && tag->keyFrame && tag->showFrame);
    EXPECT_EQ(tag->width, 176);
    EXPECT_EQ(tag->height, 144);
    EXPECT_EQ(tag->firstPartSize, 711u);
    const auto header = bitstream::parseVp8FrameHeader(std::span(frames[0]).subspan(10, 711), true);
    ASSERT_TRUE(header);
    EXPECT_TRUE(header->segmentationEnabled && header->updateSegmentMap && header->segmentData);
    EXPECT_EQ(header->segmentData->quantizer, (std::array<int8_t, 4>{0, 4, 0, 0}));
    EXPECT_FALSE(header->segmentData->absolute);
    EXPECT_EQ(header->loopFilterLevel, 8);
    EXPECT_TRUE(header->loopFilterAdjust && header->loopFilterDeltaUpdate);
    EXPECT_EQ(header->dctPartitions, 1u);
    EXPECT_EQ(header->yAcIndex, 55);
    EXPECT_EQ(bitstream::writeVp8FrameTag(*tag)[9], frames[0][9]);
}

} // namespace
} // namespace v4l2_request::codec
