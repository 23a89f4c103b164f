// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include <gtest/gtest.h>

#include "bit_writer.h"
#include "bitstream/vp9_compressed_header.h"
#include "bitstream/vp9_uncompressed_header.h"
#include "bool_encoder.h"
#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec_fixture.h"
#include "ivf.h"

#ifdef HAVE_UAPI_VP9
namespace v4l2_request::codec {
namespace {

using bitstream::Vp9HeaderState;
using test::BitWriter;
using test::BoolEncoder;

constexpr VASurfaceID target = 10;
constexpr uint32_t width = 200, height = 100;
using Step = std::function<void(BitWriter&)>;

// A frame header (VP9 specification, 6.2) with what most tests do not look at.
struct Header {
    enum Kind { Key, IntraOnly, Inter } kind = Key;
    unsigned profile = 0;
    bool twelveBits = false; // profile 2
    bool showFrame = true;
    bool errorResilient = false;
    unsigned reset = 0;
    bool fullRange = false;
    uint32_t codedWidth = width;
    bool sizeFromReference = true;
    std::array<uint32_t, 2> render{}; // zero: not coded
    std::array<bool, 3> bias{};
    bool highPrecision = false;
    std::optional<unsigned> filter; // nothing: switchable
    bool refreshContext = true;
    unsigned contextIndex = 0;
    Step loopFilter = [](BitWriter& bits) { bits.bits(10, 6).bits(2, 3).bits(0, 1); };
    unsigned quantizer = 50;
    Step quantizerDeltas = [](BitWriter& bits) { bits.bits(0, 3); };
    Step segmentation = [](BitWriter& bits) { bits.bits(0, 1); };
    Step tiles = [](BitWriter& bits) { bits.bits(0, 1); }; // 200 pixels: one column, no choice of columns

    void colorConfig(BitWriter& bits) const {
        if (profile >= 2)
            bits.bits(twelveBits, 1);
        bits.bits(2, 3).bits(fullRange, 1);
    }
    void size(BitWriter& bits) const { bits.bits(codedWidth - 1, 16).bits(height - 1, 16); }
    void renderSize(BitWriter& bits) const {
        bits.bits(render[0] != 0, 1);
        if (render[0])
            bits.bits(render[0] - 1, 16).bits(render[1] - 1, 16);
    }

    std::vector<uint8_t> encode(size_t compressedSize) const {
        BitWriter bits;
        bits.bits(2, 2).bits(profile & 1, 1).bits(profile >> 1, 1);
        if (profile == 3)
            bits.bits(0, 1);
        bits.bits(0, 1).bits(kind != Key, 1).bits(showFrame, 1).bits(errorResilient, 1);
        if (kind == Key) {
            bits.bits(0x498342, 24);
            colorConfig(bits);
            size(bits);
            renderSize(bits);
        } else {
            if (!showFrame)
                bits.bits(kind == IntraOnly, 1);
            if (!errorResilient)
                bits.bits(reset, 2);
            if (kind == IntraOnly) {
                bits.bits(0x498342, 24);
                if (profile > 0)
                    colorConfig(bits);
                bits.bits(0x81, 8);
                size(bits);
                renderSize(bits);
            } else {
                bits.bits(0x01, 8);
                for (unsigned i = 0; i < 3; ++i)
                    bits.bits(i + 4, 3).bits(bias[i], 1);
                bits.bits(0, 1).bits(sizeFromReference, 1);
                if (!sizeFromReference) {
                    bits.bits(0, 1);
                    size(bits);
                }
                renderSize(bits);
                bits.bits(highPrecision, 1).bits(!filter, 1);
                if (filter)
                    bits.bits(*filter, 2);
            }
        }
        if (!errorResilient)
            bits.bits(refreshContext, 1).bits(0, 1);
        bits.bits(contextIndex, 2);
        loopFilter(bits);
        bits.bits(quantizer, 8);
        quantizerDeltas(bits);
        segmentation(bits);
        tiles(bits);
        bits.bits(compressedSize, 16);
        return bits.bytes();
    }
};

// compressed_header() that changes nothing: TX_MODE only 4x4, no update. Bools of 252 are updates that are not there.
std::vector<uint8_t> nothing() {
    BoolEncoder encoder;
    encoder.flag(false).literal(0, 2).literal(0, 1);
    for (int i = 0; i < 600; ++i)
        encoder.boolean(252, false);
    return encoder.finish();
}

class Vp9 : public testing::Test {
protected:
    Vp9() {
        device.set(Vp9FrameControl::id, {});
        device.set(Vp9CompressedHdrControl::id, {});
        for (VASurfaceID i = 0; i < 8; ++i) {
            surfaces[i] = 20 + i;
            references.timestamps[20 + i] = 1000 * (i + 1);
        }
    }

    Result<Submission> build(const Header& header, const std::vector<uint8_t>& compressed = nothing()) {
        test::Client& client = clients.emplace_back();
        client.input.profile = vaProfile;
        client.input.target = target;
        VADecPictureParameterBufferVP9 picture{};
        picture.frame_width = static_cast<uint16_t>(frameWidth);
        picture.frame_height = height;
        picture.bit_depth = bitDepth;
        std::ranges::copy(surfaces, picture.reference_frames);
        client.picture(picture);
        auto data = header.encode(compressed.size());
        uncompressedSize = data.size();
        data.insert(data.end(), compressed.begin(), compressed.end());
        for (const uint8_t byte : tiles)
            data.push_back(byte);
        client.slice(VASliceParameterBufferVP9{}, data);
        return vp9Codec.build(client.input, references, device, state, state);
    }
    v4l2_ctrl_vp9_frame frame(const Header& header) {
        const auto submission = build(header);
        EXPECT_TRUE(submission) << submission.error().message;
        return submission ? submission->jobs[0].controls.get<Vp9FrameControl>() : v4l2_ctrl_vp9_frame{};
    }

    VAProfile vaProfile = VAProfileVP9Profile0;
    uint8_t bitDepth = 0; // some clients leave it so
    // Whatever their number: tiles of one byte, and a last one with the rest.
    std::vector<uint8_t> tiles{0, 0, 0, 1, 0x2a, 0, 0, 0, 1, 0x2a, 0, 0, 0, 1, 0x2a, 0, 0, 0, 1, 0x2a};
    std::deque<test::Client> clients;
    test::FakeReferences references;
    DeviceControls device;
    std::array<VASurfaceID, 8> surfaces{};
    size_t uncompressedSize = 0;
    uint32_t frameWidth = width; // as the client says it
    std::any state;
};

TEST_F(Vp9, KeyFrame) {
    const auto control = frame({.showFrame = false, .fullRange = true, .render = {640, 480}});
    EXPECT_EQ(control.flags, unsigned{V4L2_VP9_FRAME_FLAG_KEY_FRAME | V4L2_VP9_FRAME_FLAG_REFRESH_FRAME_CTX |
                                      V4L2_VP9_FRAME_FLAG_X_SUBSAMPLING | V4L2_VP9_FRAME_FLAG_Y_SUBSAMPLING |
                                      V4L2_VP9_FRAME_FLAG_COLOR_RANGE_FULL_SWING});
    EXPECT_EQ(control.frame_width_minus_1, width - 1);
    EXPECT_EQ(control.frame_height_minus_1, height - 1);
    EXPECT_EQ(control.render_width_minus_1, 639);
    EXPECT_EQ(control.render_height_minus_1, 479);
    EXPECT_EQ(control.compressed_header_size, nothing().size());
    EXPECT_EQ(control.uncompressed_header_size, uncompressedSize);
    EXPECT_EQ(control.lf.level, 10);
    EXPECT_EQ(control.lf.sharpness, 2);
    EXPECT_EQ(control.quant.base_q_idx, 50);
    EXPECT_EQ(control.bit_depth, 8);
    EXPECT_EQ(control.last_frame_ts, noTimestamp);
}

TEST_F(Vp9, InterFrame) {
    frame({.fullRange = true});
    // 7.2, literal_to_type: 0 is the smooth filter, 1 the regular one
    auto control = frame({.kind = Header::Inter, .bias = {false, false, true}, .highPrecision = true, .filter = 0});
    EXPECT_EQ(control.flags, unsigned{V4L2_VP9_FRAME_FLAG_SHOW_FRAME | V4L2_VP9_FRAME_FLAG_ALLOW_HIGH_PREC_MV |
                                      V4L2_VP9_FRAME_FLAG_REFRESH_FRAME_CTX | V4L2_VP9_FRAME_FLAG_X_SUBSAMPLING |
                                      V4L2_VP9_FRAME_FLAG_Y_SUBSAMPLING | V4L2_VP9_FRAME_FLAG_COLOR_RANGE_FULL_SWING});
    EXPECT_EQ(control.ref_frame_sign_bias, V4L2_VP9_SIGN_BIAS_ALT);
    EXPECT_EQ(control.interpolation_filter, V4L2_VP9_INTERP_FILTER_EIGHTTAP_SMOOTH);
    EXPECT_EQ(control.last_frame_ts, 5000u); // ref_frame_idx 4, 5, 6
    EXPECT_EQ(control.golden_frame_ts, 6000u);
    EXPECT_EQ(control.alt_frame_ts, 7000u);
    EXPECT_EQ(control.frame_width_minus_1, width - 1);
    EXPECT_EQ(control.render_width_minus_1, width - 1);
    EXPECT_EQ(frame({.kind = Header::Inter, .filter = 1}).interpolation_filter, V4L2_VP9_INTERP_FILTER_EIGHTTAP);
    EXPECT_EQ(frame({.kind = Header::Inter, .filter = 2}).interpolation_filter, V4L2_VP9_INTERP_FILTER_EIGHTTAP_SHARP);
    EXPECT_EQ(frame({.kind = Header::Inter, .filter = 3}).interpolation_filter, V4L2_VP9_INTERP_FILTER_BILINEAR);
    EXPECT_EQ(frame({.kind = Header::Inter}).interpolation_filter, V4L2_VP9_INTERP_FILTER_SWITCHABLE);
    control = frame({.kind = Header::Inter, .sizeFromReference = false, .render = {64, 32}});
    EXPECT_EQ(control.render_width_minus_1, 63);
}

TEST_F(Vp9, ResetsOfContexts) {
    frame({});
    const auto reset = [&](unsigned coded) {
        return frame({.kind = Header::IntraOnly, .showFrame = false, .reset = coded, .contextIndex = 2});
    };
    EXPECT_EQ(reset(0).reset_frame_context, V4L2_VP9_RESET_FRAME_CTX_NONE);
    EXPECT_EQ(reset(1).reset_frame_context, V4L2_VP9_RESET_FRAME_CTX_NONE);
    EXPECT_EQ(reset(2).reset_frame_context, V4L2_VP9_RESET_FRAME_CTX_SPEC);
    EXPECT_EQ(reset(2).frame_context_idx, 2); // as coded: it names the context to reset
    EXPECT_EQ(reset(3).reset_frame_context, V4L2_VP9_RESET_FRAME_CTX_ALL);
    const auto control = frame({.kind = Header::Inter, .errorResilient = true});
    EXPECT_EQ(control.reset_frame_context, V4L2_VP9_RESET_FRAME_CTX_NONE);
    EXPECT_TRUE(control.flags & V4L2_VP9_FRAME_FLAG_PARALLEL_DEC_MODE);
    EXPECT_FALSE(control.flags & V4L2_VP9_FRAME_FLAG_REFRESH_FRAME_CTX);
}

TEST_F(Vp9, LoopFilterDeltasStay) {
    const Step update = [](BitWriter& bits) {
        bits.bits(1, 6).bits(0, 3).bits(3, 2);
        bits.bits(1, 1).bits(63, 6).bits(1, 1).bits(0, 3); // reference 0: -63
        bits.bits(0, 1).bits(1, 1).bits(7, 6).bits(0, 1);  // mode 1: 7
    };
    const auto deltas = [](const v4l2_ctrl_vp9_frame& control) {
        return std::array<int, 6>{control.lf.ref_deltas[0], control.lf.ref_deltas[1],  control.lf.ref_deltas[2],
                                  control.lf.ref_deltas[3], control.lf.mode_deltas[0], control.lf.mode_deltas[1]};
    };
    // 8.4.2: setup_past_independence()
    EXPECT_EQ(deltas(frame({})), (std::array{1, 0, -1, -1, 0, 0}));
    auto control = frame({.kind = Header::Inter, .loopFilter = update});
    EXPECT_EQ(deltas(control), (std::array{-63, 0, -1, -1, 0, 7}));
    EXPECT_EQ(control.lf.flags, V4L2_VP9_LOOP_FILTER_FLAG_DELTA_ENABLED | V4L2_VP9_LOOP_FILTER_FLAG_DELTA_UPDATE);
    control = frame({.kind = Header::Inter});
    EXPECT_EQ(deltas(control), (std::array{-63, 0, -1, -1, 0, 7}));
    EXPECT_EQ(control.lf.flags, 0);
    EXPECT_EQ(deltas(frame({.kind = Header::Inter, .errorResilient = true})), (std::array{1, 0, -1, -1, 0, 0}));
}

TEST_F(Vp9, SegmentFeaturesStay) {
    const Step update = [](BitWriter& bits) {
        bits.bits(1, 1).bits(1, 1);                        // enabled, update_map
        bits.bits(1, 1).bits(77, 8).bits(0, 6);            // tree probabilities
        bits.bits(1, 1).bits(0, 2).bits(1, 1).bits(88, 8); // temporal, predictions
        bits.bits(1, 1).bits(1, 1);                        // update_data, absolute
        bits.bits(1, 1).bits(255, 8).bits(1, 1);           // segment 0: alternative quantiser -255
        bits.bits(1, 1).bits(63, 6).bits(0, 1);            // filter 63
        bits.bits(1, 1).bits(3, 2).bits(1, 1);             // reference 3, skip
        bits.bits(0, 28);
    };
    auto seg = frame({.segmentation = update}).seg;
    EXPECT_EQ(seg.flags, 0x1f);
    EXPECT_EQ(std::to_array(seg.feature_data[0]), (std::array<int16_t, 4>{-255, 63, 3, 0}));
    EXPECT_EQ(seg.feature_enabled[0], 0xf);
    EXPECT_EQ(seg.feature_enabled[1], 0);
    EXPECT_EQ(std::to_array(seg.tree_probs), (std::array<uint8_t, 7>{77, 255, 255, 255, 255, 255, 255}));
    EXPECT_EQ(std::to_array(seg.pred_probs), (std::array<uint8_t, 3>{255, 255, 88}));

    seg = frame({.kind = Header::Inter, .segmentation = [](BitWriter& bits) { bits.bits(4, 3); }}).seg;
    EXPECT_EQ(seg.flags, V4L2_VP9_SEGMENTATION_FLAG_ENABLED | V4L2_VP9_SEGMENTATION_FLAG_ABS_OR_DELTA_UPDATE);
    EXPECT_EQ(seg.feature_data[0][0], -255);
    EXPECT_EQ(seg.feature_enabled[0], 0xf);
    EXPECT_EQ(seg.tree_probs[0], 77);

    seg = frame({}).seg; // a key frame starts anew
    EXPECT_EQ(seg.flags, 0);
    EXPECT_EQ(seg.feature_enabled[0], 0);
    EXPECT_EQ(seg.feature_data[0][0], 0);
}

TEST_F(Vp9, QuantiserAndTiles) {
    const auto control = frame({.quantizer = 255,
                                .quantizerDeltas = [](BitWriter& bits) { bits.bits(0x3f, 6).bits(0, 1).bits(0x22, 6); },
                                .tiles = [](BitWriter& bits) { bits.bits(3, 2); }});
    EXPECT_EQ(control.quant.base_q_idx, 255);
    EXPECT_EQ(control.quant.delta_q_y_dc, -15);
    EXPECT_EQ(control.quant.delta_q_uv_dc, 0);
    EXPECT_EQ(control.quant.delta_q_uv_ac, 1);
    EXPECT_EQ(control.tile_cols_log2, 0);
    EXPECT_EQ(control.tile_rows_log2, 2);
}

// 6.2.14: a width of 1280 has 20 superblock columns, so up to four tile columns; one of 8192 has at least two.
TEST(Vp9TileColumns, DependOnTheWidth) {
    const auto columns = [](uint32_t pixels, const Step& tiles) {
        Header header{.codedWidth = pixels, .tiles = tiles};
        Vp9HeaderState state;
        const auto parsed = bitstream::parseVp9UncompressedHeader(header.encode(1), pixels, height, state);
        return parsed ? parsed->tileColumnsLog2 : -1;
    };
    EXPECT_EQ(columns(1280, [](BitWriter& bits) { bits.bits(3, 2).bits(0, 1); }), 2);
    EXPECT_EQ(columns(1280, [](BitWriter& bits) { bits.bits(0, 1).bits(0, 1); }), 0);
    EXPECT_EQ(columns(8192, [](BitWriter& bits) { bits.bits(0, 1).bits(0, 1); }), 1);
}

TEST_F(Vp9, MissingReferences) {
    frame({});
    surfaces[4] = surfaces[5] = VA_INVALID_SURFACE;
    const auto control = frame({.kind = Header::Inter});
    EXPECT_EQ(control.last_frame_ts, 7000u);
    EXPECT_EQ(control.golden_frame_ts, 7000u);
    EXPECT_FALSE(build({.kind = Header::Inter})->damaged) << "a client that names no surface knows why";
    surfaces[5] = target;
    EXPECT_TRUE(build({.kind = Header::Inter})->damaged);
    surfaces[5] = 99; // never decoded into
    const auto lost = build({.kind = Header::Inter});
    EXPECT_TRUE(lost->damaged);
    EXPECT_EQ(lost->predictedFrom, std::pmr::vector<VASurfaceID>{26});
    surfaces[6] = VA_INVALID_SURFACE;
    EXPECT_TRUE(build({.kind = Header::Inter})->damaged);
    EXPECT_EQ(frame({.kind = Header::Inter}).alt_frame_ts, noTimestamp);
    references.latestPicture = 9000; // what was decoded last
    EXPECT_EQ(frame({.kind = Header::Inter}).last_frame_ts, 9000u);
    EXPECT_EQ(frame({.kind = Header::Inter}).alt_frame_ts, 9000u);
    const auto intra = build({.kind = Header::IntraOnly, .showFrame = false});
    ASSERT_TRUE(intra);
    EXPECT_FALSE(intra->damaged);
    EXPECT_TRUE(intra->predictedFrom.empty());
}

// A surface that is asked for stays in the queue: so all eight are, whatever the frame itself predicts from.
TEST_F(Vp9, AllSlotsAreLookedUp) {
    class Asked : public test::FakeReferences {
    public:
        std::optional<uint64_t> timestamp(VASurfaceID surface) const override {
            asked.insert(surface);
            return FakeReferences::timestamp(surface);
        }
        mutable std::set<VASurfaceID> asked;
    };
    for (const auto kind : {Header::Key, Header::IntraOnly, Header::Inter}) {
        frame({.kind = kind, .showFrame = kind != Header::IntraOnly});
        Asked asking;
        asking.timestamps = references.timestamps;
        ASSERT_TRUE(vp9Codec.build(clients.back().input, asking, device, state, state));
        EXPECT_EQ(asking.asked, std::set<VASurfaceID>(surfaces.begin(), surfaces.end()));
    }
}

TEST_F(Vp9, ASizeChangesOnlyWithIntraFrames) {
    EXPECT_TRUE(build({.kind = Header::Inter})); // before any other frame
    frame({});
    frameWidth = 208;
    EXPECT_EQ(build({.kind = Header::Inter, .codedWidth = 208, .sizeFromReference = false}).error().kind,
              ErrorKind::Unsupported);
    const auto resized = build({.kind = Header::IntraOnly, .showFrame = false, .codedWidth = 208});
    ASSERT_TRUE(resized);
    EXPECT_EQ(resized->codedWidth, 208u);
    EXPECT_TRUE(build({.kind = Header::Inter}));
}

TEST_F(Vp9, CompressedHeader) {
    BoolEncoder encoder;
    const auto none = [&](int count) {
        for (; count > 0; --count)
            encoder.boolean(252, false);
    };
    encoder.flag(false).literal(3, 2).flag(true);            // TX_MODE_SELECT
    none(2 + 4 + 5);                                         // tx8, tx16, tx32 but the last
    encoder.boolean(252, true).literal(0, 1).literal(15, 4); // tx32[1][2]: the 16th code
    encoder.flag(true);                                      // 4x4 coefficients
    encoder.boolean(252, true).literal(2, 2).literal(4, 4);  // [0][0][0][0][0]: code 16 + 4
    none(2 * 2 * 33 * 3 - 1);
    encoder.literal(0, 3);                                  // no others
    encoder.boolean(252, true).literal(6, 3).literal(0, 5); // skip[0]: code 32
    none(2);
    none(21 + 8);                                                           // inter modes, filters
    encoder.boolean(252, true).literal(7, 3).literal(127, 7).literal(1, 1); // is_inter[0]: the last code
    none(3);
    encoder.flag(true).flag(true); // the reference mode is chosen by block
    none(5 + 10 + 5 + 36 + 48);
    none(2);
    encoder.boolean(252, true).literal(77, 7); // joint[2]
    none(2 * 22 + 2 * 9 + 3);
    encoder.boolean(252, true).literal(127, 7); // hp[1]
    const auto bytes = encoder.finish();

    frame({});
    const auto submission = build({.kind = Header::Inter, .bias = {false, true, false}, .highPrecision = true}, bytes);
    ASSERT_TRUE(submission) << submission.error().message;
    const auto control = submission->jobs[0].controls.get<Vp9CompressedHdrControl>();
    auto expected = v4l2_ctrl_vp9_compressed_hdr{.tx_mode = V4L2_VP9_TX_MODE_SELECT};
    expected.tx32[1][2] = 202;           // 6.3.5, inv_map_table[15]
    expected.coef[0][0][0][0][0][0] = 1; // inv_map_table[20]
    expected.skip[0] = 14;               // inv_map_table[32]
    expected.is_inter[0] = 253;          // inv_map_table[253 or 254]
    expected.mv.joint[2] = 155;
    expected.mv.hp[1] = 255;
    EXPECT_EQ(std::memcmp(&control, &expected, sizeof(control)), 0);
    EXPECT_EQ(submission->jobs[0].controls.get<Vp9FrameControl>().reference_mode, V4L2_VP9_REFERENCE_MODE_SELECT);

    device = {};
    const auto without = build({.kind = Header::Inter, .bias = {false, true, false}, .highPrecision = true}, bytes);
    EXPECT_EQ(without->jobs[0].controls.entries().size(), 1u);
}

TEST_F(Vp9, LosslessFramesHaveNoTxMode) {
    BoolEncoder encoder;
    encoder.flag(false).flag(true).boolean(252, true).literal(0, 5); // 4x4 coefficients at once
    for (int i = 0; i < 600; ++i)
        encoder.boolean(252, false);
    const auto submission = build({.quantizer = 0}, encoder.finish());
    ASSERT_TRUE(submission);
    const auto control = submission->jobs[0].controls.get<Vp9CompressedHdrControl>();
    EXPECT_EQ(control.tx_mode, V4L2_VP9_TX_MODE_ONLY_4X4);
    EXPECT_EQ(control.coef[0][0][0][0][0][0], 7); // inv_map_table[0]
}

// 7.2: profile 0 has 8 bits, profile 2 has 10 or 12; VA-API says which. Also where the stream is joined at an inter
// frame.
TEST_F(Vp9, TenBits) {
    const auto depth = [&](const Header& header) {
        vaProfile = header.profile == 2 ? VAProfileVP9Profile2 : VAProfileVP9Profile0;
        const auto submission = build(header);
        EXPECT_TRUE(submission) << submission.error().message;
        const auto control = submission->jobs[0].controls.get<Vp9FrameControl>();
        EXPECT_EQ(control.profile, header.profile);
        EXPECT_EQ(control.bit_depth, submission->bitDepth);
        EXPECT_EQ(control.frame_width_minus_1, width - 1) << "read from where it is";
        return control.bit_depth;
    };
    EXPECT_EQ(depth({.kind = Header::Inter, .profile = 2}), 10);
    EXPECT_EQ(depth({}), 8);
    EXPECT_EQ(depth({.profile = 2}), 10);
    EXPECT_EQ(depth({.kind = Header::Inter, .profile = 2}), 10);
    EXPECT_EQ(depth({.kind = Header::IntraOnly, .profile = 2, .showFrame = false}), 10);
    EXPECT_EQ(depth({.kind = Header::IntraOnly, .showFrame = false}), 8);
    EXPECT_EQ(depth({.kind = Header::Inter}), 8);
}

// 6.4, 9.2.1
TEST_F(Vp9, FramesWithoutTheirTilesAreDamaged) {
    const Header two{.tiles = [](BitWriter& bits) { bits.bits(2, 2); }}; // two rows
    struct {
        const char* what;
        bool good;
        std::vector<uint8_t> tiles;
    } const table[]{
        {"two tiles", true, {0, 0, 0, 2, 0x7f, 0xff, 0x7f}},
        {"no size", false, {0, 0, 0}},
        {"none", false, {}},
        {"an empty one", false, {0, 0, 0, 0, 0x7f}},
        {"larger than the frame", false, {0, 0, 1, 0, 0x7f}},
        {"no last one", false, {0, 0, 0, 1, 0x7f}},
        {"marker", false, {0, 0, 0, 1, 0x80, 0x7f}},
        {"marker of the last", false, {0, 0, 0, 1, 0x7f, 0x80}},
    };
    for (const auto& row : table) {
        tiles = row.tiles;
        const auto built = build(two);
        ASSERT_EQ(built.has_value(), row.good) << row.what;
        if (!built) {
            EXPECT_EQ(built.error().kind, ErrorKind::Decoding) << row.what;
        }
    }
}

TEST_F(Vp9, RefusesWhatItCannotDecode) {
    const auto kind = [&](const Header& header, const std::vector<uint8_t>& compressed = nothing()) {
        const auto submission = build(header, compressed);
        return submission ? std::optional<ErrorKind>() : submission.error().kind;
    };
    for (const unsigned profile : {1u, 3u})
        EXPECT_EQ(kind({.profile = profile}), ErrorKind::Unsupported);
    EXPECT_EQ(kind({.profile = 2}), ErrorKind::Unsupported) << "the client chose profile 0";
    vaProfile = VAProfileVP9Profile2;
    EXPECT_EQ(kind({.profile = 2, .twelveBits = true}), ErrorKind::Unsupported);
    bitDepth = 12;
    EXPECT_EQ(kind({.kind = Header::Inter, .profile = 2}), ErrorKind::Unsupported);
    bitDepth = 0;
    EXPECT_EQ(kind({}), ErrorKind::Unsupported) << "the client chose profile 2";
    vaProfile = VAProfileVP9Profile0;
    EXPECT_EQ(kind({.codedWidth = 300}), ErrorKind::Decoding);
    EXPECT_EQ(kind({}, {}), ErrorKind::Decoding);
    EXPECT_EQ(kind({}, BoolEncoder().flag(true).finish()), ErrorKind::Decoding);
    EXPECT_EQ(kind({}, {0x7f}), ErrorKind::Decoding); // too short
    EXPECT_FALSE(state.has_value());
}

// Every frame of a real stream: what follows the two headers is tiles that fill the frame to the last byte (6.4).
TEST(Vp9RealStream, HeadersEndWhereTilesBegin) {
    const auto frames = test::ivfFrames("vp9/cros_vp90-2-10-show-existing-frame.vp9.ivf");
    if (frames.empty())
        GTEST_SKIP() << "no test streams: V4L2_REQUEST_VECTORS";
    Vp9HeaderState state;
    unsigned parsed = 0;
    for (const auto& frame : frames) {
        if ((frame.back() & 0xe0) == 0xc0 || (frame[0] & 0x08)) // a superframe, or show_existing_frame
            continue;
        const auto header = bitstream::parseVp9UncompressedHeader(frame, 352, 288, state);
        ASSERT_TRUE(header) << header.error().message;
        const auto rest = std::span(frame).subspan(header->size);
        bitstream::Vp9CompressedHeader updates;
        const auto compressed =
            bitstream::parseVp9CompressedHeader(rest.first(header->compressedHeaderSize), *header, updates);
        ASSERT_TRUE(compressed) << compressed.error().message;
        size_t at = header->compressedHeaderSize;
        const unsigned tiles = 1u << (header->tileColumnsLog2 + header->tileRowsLog2);
        for (unsigned i = 0; i + 1 < tiles; ++i) {
            ASSERT_LE(at + 4, rest.size());
            at += 4 + (size_t{rest[at]} << 24 | rest[at + 1] << 16 | rest[at + 2] << 8 | rest[at + 3]);
        }
        ASSERT_LT(at, rest.size());
        EXPECT_EQ(rest[at] & 0x80, 0); // the marker of the last tile (9.2.1)
        ++parsed;
    }
    EXPECT_GT(parsed, 3u);
}

} // namespace
} // namespace v4l2_request::codec
#endif
