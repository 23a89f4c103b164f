// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <set>

#include <gtest/gtest.h>

#include "bit_writer.h"
#include "bitstream/av1_frame_header.h"
#include "codec/av1_slots.h"
#include "codec/av1_tiles.h"
#include "codec/av1_warp.h"
#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec_fixture.h"

namespace v4l2_request::codec {
namespace {

using test::BitWriter;

constexpr uint32_t width = 352, height = 288;

// A device with a client: surfaces have the number of the frame that was decoded into them last.
class Device : public References {
public:
    std::optional<uint64_t> timestamp(VASurfaceID surface) const override {
        if (const auto found = held.find(surface); found != held.end()) {
            read.insert(surface);
            return found->second;
        }
        return std::nullopt;
    }
    std::optional<uint64_t> listed(VASurfaceID surface) const override {
        const auto found = held.find(surface);
        return found == held.end() ? std::nullopt : std::optional(found->second);
    }
    uint64_t name() const override { return named.value_or(next * 1000); }

    std::map<VASurfaceID, uint64_t> held;
    mutable std::set<VASurfaceID> read;
    uint64_t next = 1;
    std::optional<uint64_t> named; // of a picture that has its name already
};

// A frame as VA-API has it, with what most tests do not look at.
VADecPictureParameterBufferAV1 shownKey() {
    VADecPictureParameterBufferAV1 picture{};
    picture.order_hint_bits_minus_1 = 6;
    picture.seq_info_fields.fields.enable_order_hint = 1;
    picture.seq_info_fields.fields.subsampling_x = 1;
    picture.seq_info_fields.fields.subsampling_y = 1;
    picture.current_display_picture = VA_INVALID_SURFACE;
    picture.frame_width_minus1 = width - 1;
    picture.frame_height_minus1 = height - 1;
    std::ranges::fill(picture.ref_frame_map, VA_INVALID_SURFACE);
    picture.primary_ref_frame = 7;
    picture.tile_cols = picture.tile_rows = 1;
    picture.pic_info_fields.bits.show_frame = 1;
    picture.pic_info_fields.bits.error_resilient_mode = 1;
    picture.pic_info_fields.bits.uniform_tile_spacing_flag = 1;
    picture.superres_scale_denominator = 8;
    return picture;
}

class Av1 : public testing::Test {
protected:
    Av1() {
        for (const uint32_t id : {Av1Sequence::id, Av1Frame::id, Av1FilmGrain::id})
            device.set(id, {});
        device.set(Av1TileGroupEntry::id, {.elements = 512});
    }

    VADecPictureParameterBufferAV1 inter(uint8_t orderHint = 1) const {
        VADecPictureParameterBufferAV1 picture = shownKey();
        picture.pic_info_fields.bits.frame_type = 1;
        picture.pic_info_fields.bits.error_resilient_mode = 0;
        picture.pic_info_fields.bits.showable_frame = 1;
        picture.order_hint = orderHint;
        picture.primary_ref_frame = 0;
        std::ranges::copy(map, picture.ref_frame_map);
        return picture;
    }
    // Tile sizes in the client's buffer; each but the last with a size of four bytes in front of it.
    Result<Submission> build(VADecPictureParameterBufferAV1 picture, VASurfaceID surface,
                             std::vector<uint8_t> header = {}) {
        const size_t tiles = size_t{picture.tile_cols} * picture.tile_rows;
        picture.current_frame = surface;
        test::Client& client = clients.emplace_back();
        client.input.profile = VAProfileAV1Profile0;
        client.input.target = surface;
        client.input.width = width;
        client.input.height = height;
        client.picture(picture);
        for (size_t i = 0; i < tiles; ++i) {
            VASliceParameterBufferAV1 slice{};
            slice.tile_row = static_cast<uint16_t>(i / picture.tile_cols);
            slice.tile_column = static_cast<uint16_t>(i % picture.tile_cols);
            client.slice(slice, std::vector<uint8_t>(10 + i, static_cast<uint8_t>(i)));
        }
        if (tiles)
            client.input.slices[0].before = headers.emplace_back(std::move(header));
        decideLast(client.input);
        auto submission = codec().build(client.input, references, device, state, state);
        if (submission) { // what the decode layer does
            last = submission->undecided ? std::optional(surface) : std::nullopt;
            references.held[surface] = references.name();
            ++references.next;
        }
        return submission;
    }
    void decideLast(const PictureInput& next) {
        if (last && held)
            references.named = references.held[*last];
        decision.reset();
        if (auto made = last ? codec().decide(next, references, state) : std::nullopt)
            decision.emplace(std::move(*made));
        if (decision && !held)
            references.held[decision->surface] = references.next++ * 1000;
        references.named.reset();
        last.reset();
    }
    static const Codec& codec() { return av1Codec; }
    static v4l2_ctrl_av1_frame frameOf(const Result<Submission>& submission) {
        EXPECT_TRUE(submission) << submission.error().message;
        return submission ? submission->jobs[0].controls.get<Av1Frame>() : v4l2_ctrl_av1_frame{};
    }
    v4l2_ctrl_av1_frame frame(const VADecPictureParameterBufferAV1& picture, VASurfaceID surface) {
        return frameOf(build(picture, surface));
    }
    // Eight frames, each in a slot of its own: surfaces 10 to 17 in slots 0 to 7 of the client's map. In the device
    // each goes into the first slot that is free: 11 to 17 are in slots 0 to 6, and 10, the key frame, is left in
    // slot 7.
    void fill() {
        frame(shownKey(), 10);
        map.fill(10);
        for (uint8_t i = 1; i < 8; ++i) {
            frame(inter(i), 10u + i);
            map[i] = 10u + i;
        }
    }

    std::deque<test::Client> clients;
    std::deque<std::vector<uint8_t>> headers;
    bool held = true;                 // the device gets an undecided picture when the next one has come
    std::optional<VASurfaceID> last;  // if it is undecided
    std::optional<Decision> decision; // of the picture before the one that was built last
    Device references;
    DeviceControls device;
    std::array<VASurfaceID, 8> map{};
    std::any state;
};

TEST_F(Av1, KeyFrame) {
    auto picture = shownKey();
    picture.base_qindex = 77;
    picture.u_dc_delta_q = -3;
    picture.qmatrix_fields.bits.qm_y = 5; // not used
    picture.mode_control_fields.bits.tx_mode = 2;
    picture.seq_info_fields.fields.enable_cdef = 1;
    picture.cdef_damping_minus_3 = 2;
    picture.cdef_bits = 1;
    picture.cdef_y_strengths[0] = 9 << 2 | 3;
    picture.cdef_y_strengths[1] = 15 << 2 | 2;
    picture.cdef_uv_strengths[0] = 1 << 2 | 1;
    picture.cdef_y_strengths[2] = 63;                       // beyond cdef_bits
    std::ranges::fill(picture.ref_frame_idx, uint8_t{255}); // GStreamer, on intra frames
    const auto submission = build(picture, 10);
    const auto control = frameOf(submission);
    EXPECT_EQ(control.flags, V4L2_AV1_FRAME_FLAG_SHOW_FRAME | V4L2_AV1_FRAME_FLAG_ERROR_RESILIENT_MODE);
    EXPECT_EQ(control.refresh_frame_flags, 0xff); // 5.9.2
    EXPECT_EQ(control.frame_type, V4L2_AV1_KEY_FRAME);
    EXPECT_EQ(control.upscaled_width, width);
    EXPECT_EQ(control.frame_width_minus_1, width - 1);
    EXPECT_EQ(control.frame_height_minus_1, height - 1);
    EXPECT_EQ(control.superres_denom, 8);
    EXPECT_EQ(control.primary_ref_frame, 7);
    EXPECT_EQ(control.quantization.base_q_idx, 77);
    EXPECT_EQ(control.quantization.delta_q_u_dc, -3);
    EXPECT_EQ(control.quantization.flags, V4L2_AV1_QUANTIZATION_FLAG_DIFF_UV_DELTA);
    EXPECT_EQ(control.quantization.qm_y, 0);
    EXPECT_EQ(control.tx_mode, V4L2_AV1_TX_MODE_SELECT);
    // 5.9.19: the strength that is coded as 3 is 4
    EXPECT_EQ(std::to_array(control.cdef.y_pri_strength), (std::array<uint8_t, 8>{9, 15}));
    EXPECT_EQ(std::to_array(control.cdef.y_sec_strength), (std::array<uint8_t, 8>{4, 2}));
    EXPECT_EQ(control.cdef.uv_pri_strength[0], 1);
    EXPECT_EQ(control.cdef.uv_sec_strength[0], 1);
    EXPECT_EQ(control.reference_frame_ts[0], noTimestamp);
    // 5.9.24: the defaults
    EXPECT_EQ(control.global_motion.params[0][2], 0);
    EXPECT_EQ(std::to_array(control.global_motion.params[3]), (std::array<int32_t, 6>{0, 0, 1 << 16, 0, 0, 1 << 16}));

    const auto sequence = submission->jobs[0].controls.get<Av1Sequence>();
    EXPECT_EQ(sequence.flags, V4L2_AV1_SEQUENCE_FLAG_ENABLE_ORDER_HINT | V4L2_AV1_SEQUENCE_FLAG_ENABLE_CDEF |
                                  V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_X | V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_Y |
                                  V4L2_AV1_SEQUENCE_FLAG_SEPARATE_UV_DELTA_Q); // because the frame uses it
    EXPECT_EQ(sequence.order_hint_bits, 7);
    EXPECT_EQ(sequence.bit_depth, 8);
    EXPECT_EQ(sequence.max_frame_width_minus_1, width - 1);
    EXPECT_EQ(submission->codedWidth, width);
    EXPECT_EQ(submission->bitDepth, 8);
}

TEST_F(Av1, InterFrame) {
    frame(shownKey(), 10);
    map.fill(10);
    auto picture = inter(4);
    picture.mode_control_fields.bits.reference_select = 1;
    picture.pic_info_fields.bits.use_ref_frame_mvs = 1;
    picture.ref_frame_idx[0] = 3;
    auto control = frame(picture, 11);
    EXPECT_EQ(control.flags, V4L2_AV1_FRAME_FLAG_SHOW_FRAME | V4L2_AV1_FRAME_FLAG_SHOWABLE_FRAME |
                                 V4L2_AV1_FRAME_FLAG_USE_REF_FRAME_MVS | V4L2_AV1_FRAME_FLAG_REFERENCE_SELECT);
    EXPECT_EQ(control.ref_frame_idx[0], 3); // it is in all slots: the stream's own number
    EXPECT_EQ(control.ref_frame_idx[1], 0);
    for (const uint64_t timestamp : control.reference_frame_ts)
        EXPECT_EQ(timestamp, 1000u);
    EXPECT_EQ(control.refresh_frame_flags, 1);
    control = frame(inter(5), 12);
    EXPECT_EQ(control.reference_frame_ts[0], 2000u);
    EXPECT_EQ(control.reference_frame_ts[1], 1000u);
    EXPECT_EQ(control.ref_frame_idx[0], 1);    // the client's map still has 10 in slot 0, where the device has 11
    EXPECT_EQ(control.refresh_frame_flags, 1); // 11 is in nobody's map
    EXPECT_EQ(control.order_hints[1], 0u);
    EXPECT_EQ(references.read, (std::set<VASurfaceID>{10}));
}

// 5.9.22: the nearest reference before the frame and the nearest after it; without one after it the two nearest before.
TEST_F(Av1, SkipMode) {
    fill(); // order hints 0 to 7
    auto picture = inter(5);
    picture.mode_control_fields.bits.reference_select = 1;
    picture.mode_control_fields.bits.skip_mode_present = 1;
    std::ranges::copy(std::array<uint8_t, 7>{0, 3, 2, 6, 7, 6, 1}, picture.ref_frame_idx);
    auto control = frame(picture, 20);
    EXPECT_TRUE(control.flags & V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED);
    EXPECT_EQ(std::to_array(control.skip_mode_frame), (std::array<uint8_t, 2>{2, 4})); // hints 3 and 6
    EXPECT_EQ(control.order_hints[4], 6u);
    picture = inter(9);
    picture.mode_control_fields.bits.reference_select = 1;
    std::ranges::copy(std::array<uint8_t, 7>{7, 1, 7, 6, 2, 6, 3}, picture.ref_frame_idx);
    control = frame(picture, 21);
    EXPECT_TRUE(control.flags & V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED);
    EXPECT_EQ(std::to_array(control.skip_mode_frame), (std::array<uint8_t, 2>{1, 4})); // hints 7 and 6
    picture.mode_control_fields.bits.reference_select = 0;
    control = frame(picture, 22);
    EXPECT_FALSE(control.flags & V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED);
    EXPECT_EQ(control.skip_mode_frame[0], 0);
    std::ranges::fill(picture.ref_frame_idx, uint8_t{0}); // one reference alone
    picture.mode_control_fields.bits.reference_select = 1;
    EXPECT_FALSE(frame(picture, 23).flags & V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED);
    picture.mode_control_fields.bits.skip_mode_present = 1;
    EXPECT_EQ(build(picture, 24).error().kind, ErrorKind::InvalidParameter);
}

// Whether the device has it already, or gets it only then.
class Av1Full : public Av1, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(, Av1Full, testing::Bool());

TEST_P(Av1Full, SlotsAreDecidedByTheNextFrame) {
    held = GetParam();
    fill();
    // Eight pictures are alive and the frame may go into any slot.
    const auto full = build(inter(8), 18);
    EXPECT_EQ(frameOf(full).refresh_frame_flags, 0);
    EXPECT_TRUE(full->undecided);
    // It went into slot 3 of the client's map: the picture there is dead.
    map[3] = 18;
    const auto next = build(inter(9), 19);
    ASSERT_TRUE(next);
    ASSERT_TRUE(decision);
    EXPECT_EQ(decision->surface, 18u);
    const auto again = decision->job.controls.get<Av1Frame>();
    EXPECT_EQ(again.refresh_frame_flags, 1 << 2); // where 13 was
    EXPECT_EQ(again.order_hint, 8u);
    EXPECT_EQ(again.reference_frame_ts[2], 4000u);
    EXPECT_EQ(test::bytesOf(decision->job.bitstream), std::vector<uint8_t>(10, 0));
    EXPECT_EQ(frameOf(next).reference_frame_ts[2], held ? 9000u : 10000u); // decoded again, it has another name
    EXPECT_EQ(frameOf(next).refresh_frame_flags, 0);                       // again eight are alive
}

TEST_P(Av1Full, AFrameThatIsNotKeptIsForgotten) {
    held = GetParam();
    fill();
    EXPECT_EQ(frame(inter(8), 18).refresh_frame_flags, 0);
    ASSERT_TRUE(build(inter(9), 19)); // the map is as it was
    EXPECT_FALSE(decision);
    ASSERT_TRUE(build(shownKey(), 20));
    EXPECT_FALSE(decision);
}

TEST_P(Av1Full, AFrameThatWasNotSavedIsMissed) {
    held = GetParam();
    fill();
    EXPECT_EQ(frame(inter(8), 18).refresh_frame_flags, 0);
    map[3] = 18;
    last.reset(); // nobody decides, as where it could not be decoded again
    auto picture = inter(9);
    std::ranges::copy(std::array<uint8_t, 7>{0, 1, 2, 3, 4, 5, 6}, picture.ref_frame_idx);
    const auto next = build(picture, 19);
    ASSERT_TRUE(next);
    EXPECT_TRUE(next->damaged);
}

// A client that has a shown key frame again (show_existing_frame) has it in all slots, and calls nobody.
TEST_F(Av1, KeyFramesThatAreShownAgain) {
    fill();
    map.fill(15);
    auto picture = inter(9);
    std::ranges::fill(picture.ref_frame_idx, uint8_t{2});
    const auto control = frame(picture, 30);
    EXPECT_EQ(control.ref_frame_idx[0], 4); // where it is
    EXPECT_EQ(control.refresh_frame_flags, 1);
}

// Some clients send an empty map with each key frame: that is no proof that all pictures are dead.
TEST_F(Av1, AnEmptyMapProvesNothing) {
    fill();
    auto hidden = shownKey();
    hidden.pic_info_fields.bits.show_frame = 0;
    EXPECT_EQ(frame(hidden, 30).refresh_frame_flags, 0);
}

TEST_F(Av1, MissingReferences) {
    fill();
    auto picture = inter(9);
    std::ranges::copy(std::array<uint8_t, 7>{0, 1, 2, 3, 4, 5, 6}, picture.ref_frame_idx);
    picture.ref_frame_map[2] = VA_INVALID_SURFACE;
    auto control = frame(picture, 30);
    EXPECT_EQ(control.ref_frame_idx[2], 7); // the first one, 10, stands in
    EXPECT_FALSE(build(picture, 31)->damaged);
    picture.ref_frame_map[2] = 99; // the client believes that it is there
    EXPECT_TRUE(build(picture, 31)->damaged);
    EXPECT_EQ(build(picture, 31)->predictedFrom, (std::pmr::vector<VASurfaceID>{10, 11, 13, 14, 15, 16}));
    picture.primary_ref_frame = 2;
    EXPECT_EQ(build(picture, 31).error().kind, ErrorKind::Decoding);
    picture.ref_frame_map[2] = VA_INVALID_SURFACE;
    picture.primary_ref_frame = 2;
    EXPECT_EQ(build(picture, 31).error().kind, ErrorKind::InvalidParameter);
    picture.primary_ref_frame = 7;
    std::ranges::fill(picture.ref_frame_map, VA_INVALID_SURFACE);
    EXPECT_EQ(build(picture, 31).error().kind, ErrorKind::InvalidParameter);
}

// 5.9.15, by hand: 352 pixels are 88 blocks of 4, 6 superblocks of 64; 288 are 72 and 5.
TEST_F(Av1, UniformTiles) {
    auto picture = shownKey();
    picture.tile_cols = 3; // TileColsLog2 2: (6 + 3) >> 2 = 2 superblocks each
    picture.tile_rows = 2; // TileRowsLog2 1: 3 and 2
    picture.context_update_tile_id = 5;
    const auto submission = build(picture, 10);
    const auto info = frameOf(submission).tile_info;
    EXPECT_EQ(info.flags, V4L2_AV1_TILE_INFO_FLAG_UNIFORM_TILE_SPACING);
    EXPECT_EQ(info.tile_cols, 3);
    EXPECT_EQ(info.tile_rows, 2);
    EXPECT_EQ(info.context_update_tile_id, 5);
    const auto firstOf = [](const auto& values) { return std::array{values[0], values[1], values[2], values[3]}; };
    EXPECT_EQ(firstOf(info.mi_col_starts), (std::array<uint32_t, 4>{0, 32, 64, 88}));
    EXPECT_EQ(firstOf(info.mi_row_starts), (std::array<uint32_t, 4>{0, 48, 72, 0}));
    EXPECT_EQ(firstOf(info.width_in_sbs_minus_1), (std::array<uint32_t, 4>{1, 1, 1, 0}));
    EXPECT_EQ(firstOf(info.height_in_sbs_minus_1), (std::array<uint32_t, 4>{2, 1, 0, 0}));
    const auto entry = submission->jobs[0].controls.get<Av1TileGroupEntry>(4);
    EXPECT_EQ(entry.tile_row, 1u);
    EXPECT_EQ(entry.tile_col, 1u);
    EXPECT_EQ(entry.tile_offset, 10u + 11 + 12 + 13);
    EXPECT_EQ(entry.tile_size, 14u);
    EXPECT_EQ(submission->jobs[0].bitstream.size(), 75u);
    picture.tile_cols = 4; // 2 superblocks make 3, 1 makes 6
    EXPECT_EQ(build(picture, 10).error().kind, ErrorKind::InvalidParameter);
}

TEST_F(Av1, OtherTiles) {
    auto picture = shownKey();
    picture.pic_info_fields.bits.uniform_tile_spacing_flag = 0;
    picture.seq_info_fields.fields.use_128x128_superblock = 1; // 3 and 3
    picture.tile_cols = 2;
    picture.width_in_sbs_minus_1[0] = 1;
    picture.width_in_sbs_minus_1[1] = 99; // the last one is what is left
    const auto info = frame(picture, 10).tile_info;
    EXPECT_EQ(info.flags, 0);
    EXPECT_EQ(info.mi_col_starts[1], 64u);
    EXPECT_EQ(info.mi_col_starts[2], 88u);
    EXPECT_EQ(info.width_in_sbs_minus_1[1], 0u);
    picture.width_in_sbs_minus_1[0] = 2;
    EXPECT_EQ(build(picture, 10).error().kind, ErrorKind::InvalidParameter);
}

TEST_F(Av1, TilesComeOnceAndWhole) {
    auto picture = shownKey();
    picture.tile_cols = 2;
    build(picture, 10);
    auto input = clients.back().input;
    const auto kind = [&] {
        const auto submission = codec().build(input, references, device, state, state);
        return submission ? std::nullopt : std::optional(submission.error().kind);
    };
    std::swap(input.slices[0], input.slices[1]); // the order does not matter
    const auto submission = codec().build(input, references, device, state, state);
    ASSERT_TRUE(submission);
    EXPECT_EQ(submission->jobs[0].controls.get<Av1TileGroupEntry>(0).tile_size, 10u);
    EXPECT_EQ(submission->jobs[0].controls.get<Av1TileGroupEntry>(1).tile_offset, 10u);
    input.slices[0] = input.slices[1];
    EXPECT_EQ(kind(), ErrorKind::InvalidParameter);
    input.slices.pop_back();
    EXPECT_EQ(kind(), ErrorKind::InvalidParameter);
    picture.tile_cols = picture.tile_rows = 12;
    EXPECT_EQ(build(picture, 10).error().kind, ErrorKind::Unsupported);
}

// 5.11.1: tile_size_minus_1 is in front of every tile but the last of a group.
TEST(Av1Tiles, SizeBytesAreFound) {
    const std::vector<uint8_t> buffer{0x80, 0x03, 0x00, 1, 2, 3, 4, 9, 9, 9};
    const Bytes all = buffer;
    VASliceParameterBufferAV1 left{}, right{};
    right.tile_column = 1;
    const auto bytes = [](const VASliceParameterBufferAV1& slice) {
        return Bytes(reinterpret_cast<const uint8_t*>(&slice), sizeof(slice));
    };
    PictureInput input;
    input.slices = {{.parameters = bytes(left), .data = all.subspan(3, 4), .before = all.first(3)},
                    {.parameters = bytes(right), .data = all.subspan(7), .before = all.first(7)}};
    auto tiles = joinAv1Tiles(input, 2, 1);
    ASSERT_TRUE(tiles);
    EXPECT_EQ(tiles->sizeBytes, 2);
    EXPECT_EQ(tiles->header.size(), 3u);
    input.slices[1].data = all.subspan(6); // one byte of both
    EXPECT_EQ(joinAv1Tiles(input, 2, 1).error().kind, ErrorKind::InvalidParameter);
}

// 5.9.8 and 5.9.15: what is coded is narrower, and the tiles are those of what is coded.
TEST_F(Av1, SuperResolution) {
    auto picture = shownKey();
    picture.pic_info_fields.bits.use_superres = 1;
    picture.superres_scale_denominator = 13;
    const auto submission = build(picture, 10);
    const auto control = frameOf(submission);
    EXPECT_EQ(control.superres_denom, 13);
    EXPECT_EQ(control.upscaled_width, width);
    EXPECT_EQ(control.frame_width_minus_1, 216u); // (352 * 8 + 6) / 13 = 217
    EXPECT_EQ(control.tile_info.mi_col_starts[1], 56u);
    EXPECT_EQ(submission->codedWidth, width);
    EXPECT_TRUE(submission->jobs[0].controls.get<Av1Sequence>().flags & V4L2_AV1_SEQUENCE_FLAG_ENABLE_SUPERRES);
    picture.superres_scale_denominator = 8;
    EXPECT_EQ(build(picture, 10).error().kind, ErrorKind::InvalidParameter);
}

// 5.9.14
TEST_F(Av1, Segmentation) {
    auto picture = shownKey();
    picture.seg_info.segment_info_fields.bits.enabled = 1;
    picture.seg_info.segment_info_fields.bits.update_map = 1;
    picture.seg_info.feature_mask[2] = 1 << 0 | 1 << 4;
    picture.seg_info.feature_data[2][0] = -255;
    picture.seg_info.feature_data[2][1] = 999; // not enabled
    picture.seg_info.feature_data[2][4] = 63;
    auto segmentation = frame(picture, 10).segmentation;
    EXPECT_EQ(segmentation.flags, V4L2_AV1_SEGMENTATION_FLAG_ENABLED | V4L2_AV1_SEGMENTATION_FLAG_UPDATE_MAP);
    EXPECT_EQ(segmentation.last_active_seg_id, 2);
    EXPECT_EQ(segmentation.feature_enabled[2], 0x11);
    EXPECT_EQ(std::to_array(segmentation.feature_data[2]), (std::array<int16_t, 8>{-255, 0, 0, 0, 63, 0, 0, 0}));
    picture.seg_info.feature_mask[5] = 1 << 6;
    segmentation = frame(picture, 10).segmentation;
    EXPECT_TRUE(segmentation.flags & V4L2_AV1_SEGMENTATION_FLAG_SEG_ID_PRE_SKIP);
    EXPECT_EQ(segmentation.last_active_seg_id, 5);
    picture.seg_info.feature_data[5][6] = 1; // 0 is all that it can have
    EXPECT_EQ(build(picture, 10).error().kind, ErrorKind::InvalidParameter);
    picture.seg_info.segment_info_fields.bits.enabled = 0;
    EXPECT_EQ(frame(picture, 10).segmentation.feature_enabled[5], 0);
}

// 5.9.20
TEST_F(Av1, LoopRestoration) {
    auto picture = shownKey();
    picture.loop_restoration_fields.bits.crframe_restoration_type = 3;
    picture.loop_restoration_fields.bits.lr_unit_shift = 2;
    picture.loop_restoration_fields.bits.lr_uv_shift = 1;
    const auto submission = build(picture, 10);
    const auto restoration = frameOf(submission).loop_restoration;
    EXPECT_EQ(restoration.flags,
              V4L2_AV1_LOOP_RESTORATION_FLAG_USES_LR | V4L2_AV1_LOOP_RESTORATION_FLAG_USES_CHROMA_LR);
    EXPECT_EQ(restoration.frame_restoration_type[0], V4L2_AV1_FRAME_RESTORE_NONE);
    EXPECT_EQ(restoration.frame_restoration_type[2], V4L2_AV1_FRAME_RESTORE_SWITCHABLE);
    EXPECT_EQ(std::to_array(restoration.loop_restoration_size), (std::array<uint32_t, 3>{256, 128, 128}));
    EXPECT_TRUE(submission->jobs[0].controls.get<Av1Sequence>().flags & V4L2_AV1_SEQUENCE_FLAG_ENABLE_RESTORATION);
    // It stays a tool of the sequence.
    EXPECT_TRUE(build(shownKey(), 11)->jobs[0].controls.get<Av1Sequence>().flags &
                V4L2_AV1_SEQUENCE_FLAG_ENABLE_RESTORATION);
}

TEST_F(Av1, GlobalMotion) {
    frame(shownKey(), 10);
    map.fill(10);
    auto picture = inter();
    picture.wm[0].wmtype = VAAV1TransformationRotzoom;
    std::ranges::copy(std::array{100, -200, 65536 + 20, 30, -30, 65536 + 20}, picture.wm[0].wmmat);
    picture.wm[6].wmtype = VAAV1TransformationAffine;
    std::ranges::copy(std::array{0, 0, 65536 + 8192, 8192, 0, 65536}, picture.wm[6].wmmat);
    const auto motion = frame(picture, 11).global_motion;
    EXPECT_EQ(motion.type[1], V4L2_AV1_WARP_MODEL_ROTZOOM);
    EXPECT_EQ(motion.flags[1], V4L2_AV1_GLOBAL_MOTION_FLAG_IS_GLOBAL | V4L2_AV1_GLOBAL_MOTION_FLAG_IS_ROT_ZOOM);
    EXPECT_EQ(std::to_array(motion.params[1]), (std::array{100, -200, 65556, 30, -30, 65556}));
    EXPECT_EQ(motion.flags[2], 0);
    EXPECT_EQ(motion.params[2][2], 1 << 16);
    EXPECT_EQ(motion.flags[7], V4L2_AV1_GLOBAL_MOTION_FLAG_IS_GLOBAL);
    // 7.11.3.6: 4 * 8192 + 7 * 8192 is more than 2^16
    EXPECT_EQ(motion.invalid, 1 << 7);
    picture.wm[0].wmmat[3] = 9000; // more than 5.9.25 can code
    EXPECT_EQ(build(picture, 12).error().kind, ErrorKind::InvalidParameter);
}

// 7.11.3.6 by hand, with 65536 for a whole: alpha and delta, beta and gamma.
TEST(Av1Warp, ShearIsLimited) {
    const auto valid = [](int a, int b, int c, int d) {
        return isAv1WarpValid(std::array<int32_t, 6>{0, 0, a, b, c, d});
    };
    EXPECT_TRUE(valid(65536, 0, 0, 65536));
    EXPECT_FALSE(valid(0, 0, 0, 65536));
    EXPECT_TRUE(valid(65536 + 16320, 0, 0, 65536));  // 4 * 16320 < 65536
    EXPECT_FALSE(valid(65536 + 16384, 0, 0, 65536)); // 4 * 16384 is not
    EXPECT_TRUE(valid(65536, 9344, 0, 65536));       // 7 * 9344 = 65408
    EXPECT_FALSE(valid(65536, 9408, 0, 65536));      // 7 * 9408 = 65856
    EXPECT_TRUE(valid(65536, 0, 16320, 65536));
    EXPECT_FALSE(valid(65536, 0, 16384, 65536));
    EXPECT_FALSE(valid(65536, 0, 0, 65536 - 16384));
}

TEST_F(Av1, FilmGrain) {
    auto picture = shownKey();
    picture.seq_info_fields.fields.film_grain_params_present = 1;
    picture.current_display_picture = 40;
    picture.film_grain_info.film_grain_info_fields.bits.apply_grain = 1;
    picture.film_grain_info.film_grain_info_fields.bits.overlap_flag = 1;
    picture.film_grain_info.grain_seed = 1234;
    picture.film_grain_info.num_y_points = 2;
    picture.film_grain_info.point_y_value[1] = 255;
    picture.film_grain_info.point_y_scaling[1] = 40;
    picture.film_grain_info.point_y_value[2] = 7; // not counted
    picture.film_grain_info.ar_coeffs_cr[24] = -128;
    picture.film_grain_info.cr_mult = 9;
    auto submission = build(picture, 10);
    ASSERT_TRUE(submission);
    const auto grain = submission->jobs[0].controls.get<Av1FilmGrain>();
    EXPECT_EQ(grain.flags, V4L2_AV1_FILM_GRAIN_FLAG_APPLY_GRAIN | V4L2_AV1_FILM_GRAIN_FLAG_UPDATE_GRAIN |
                               V4L2_AV1_FILM_GRAIN_FLAG_OVERLAP);
    EXPECT_EQ(grain.grain_seed, 1234);
    EXPECT_EQ(grain.point_y_value[1], 255);
    EXPECT_EQ(grain.point_y_value[2], 0);
    EXPECT_EQ(grain.ar_coeffs_cr_plus_128[24], 0);
    EXPECT_EQ(grain.ar_coeffs_y_plus_128[0], 128);
    EXPECT_EQ(grain.cr_mult, 9);
    EXPECT_EQ(submission->display, 40u);
    EXPECT_EQ(submission->lacking, nullptr);
    picture.film_grain_info.point_y_value[1] = 0; // does not ascend
    EXPECT_EQ(build(picture, 10).error().kind, ErrorKind::InvalidParameter);
    picture.film_grain_info.film_grain_info_fields.bits.apply_grain = 0;
    const auto without = build(picture, 10);
    ASSERT_TRUE(without);
    EXPECT_EQ(without->display, VA_INVALID_SURFACE);
    EXPECT_EQ(without->jobs[0].controls.get<Av1FilmGrain>().flags, 0);
    device = {};
    device.set(Av1TileGroupEntry::id, {.elements = 512});
    picture = shownKey();
    picture.current_display_picture = 40;
    picture.film_grain_info.film_grain_info_fields.bits.apply_grain = 1;
    const auto lacking = build(picture, 10);
    ASSERT_TRUE(lacking);
    EXPECT_STREQ(lacking->lacking, "film grain");
    EXPECT_TRUE(lacking->jobs[0].controls.find(Av1FilmGrain::id).empty());
}

TEST_F(Av1, WhatCannotBeCarried) {
    auto picture = shownKey();
    picture.pic_info_fields.bits.large_scale_tile = 1;
    EXPECT_EQ(build(picture, 10).error().kind, ErrorKind::Unsupported);
    picture = shownKey();
    picture.bit_depth_idx = 2;
    EXPECT_EQ(build(picture, 10).error().kind, ErrorKind::Unsupported);
    picture = shownKey();
    picture.bit_depth_idx = 1;
    EXPECT_EQ(build(picture, 10)->bitDepth, 10);
}

TEST_F(Av1, InterFramesOfAnotherSize) {
    frame(shownKey(), 10);
    map.fill(10);
    auto picture = inter();
    picture.frame_width_minus1 = width / 2 - 1;
    EXPECT_EQ(build(picture, 11).error().kind, ErrorKind::Unsupported);
    auto key = shownKey();
    key.frame_width_minus1 = width / 2 - 1;
    EXPECT_EQ(build(key, 12)->codedWidth, width / 2);
}

// 5.9.2 up to the references, of an inter frame: all that a layout may have in between.
std::vector<uint8_t> interHeader(const bitstream::Av1KnownHeader& known, uint8_t refresh,
                                 const bitstream::Av1HeaderLayout& layout) {
    BitWriter bits;
    bits.bits(0, 1).bits(known.frameType, 2).bits(known.showFrame, 1);
    if (known.showFrame)
        bits.bits(0x1234567, layout.presentationTimeBits);
    else
        bits.bits(known.showableFrame, 1);
    bits.bits(known.errorResilient, 1).bits(known.disableCdfUpdate, 1);
    if (layout.screenContentCoded)
        bits.bits(known.allowScreenContentTools, 1);
    if (known.allowScreenContentTools && layout.integerMvCoded)
        bits.bits(known.forceIntegerMv, 1);
    bits.bits(0x5a5a, layout.frameIdBits).bits(0, 1).bits(known.orderHint, known.orderHintBits);
    if (!known.intra() && !known.errorResilient)
        bits.bits(known.primaryReference, 3);
    if (layout.removalTimes)
        bits.bits(0, 1);
    bits.bits(refresh, 8);
    if (known.errorResilient)
        for (int i = 0; i < 8; ++i)
            bits.bits(known.orderHint, known.orderHintBits);
    if (!known.intra()) {
        if (known.orderHintBits)
            bits.bits(0, 1);
        for (const uint8_t index : known.referenceIndex)
            bits.bits(index, 3).bits(0x2aaa, layout.frameIdDeltaBits);
    }
    bits.bits(0x77, 40);
    return bits.bytes();
}

TEST(Av1Header, FlagsAreFoundInEveryLayout) {
    bitstream::Av1KnownHeader known{.frameType = 1,
                                    .showableFrame = true,
                                    .allowScreenContentTools = true,
                                    .orderHintBits = 7,
                                    .orderHint = 93,
                                    .primaryReference = 4,
                                    .referenceIndex = {1, 5, 2, 7, 0, 6, 3}};
    for (const bool show : {false, true})
        for (const bool resilient : {false, true})
            for (const bitstream::Av1HeaderLayout& layout :
                 std::initializer_list<bitstream::Av1HeaderLayout>{{},
                                                                   {false, true},
                                                                   {true, false},
                                                                   {false, false, 15, 14},
                                                                   {true, true, 0, 0, 20, true},
                                                                   {true, false, 15, 14, 32, true}}) {
                known.showFrame = known.showableFrame = show;
                known.errorResilient = resilient;
                known.primaryReference = resilient ? 7 : 4;
                std::optional<bitstream::Av1HeaderLayout> remembered;
                const auto header = interHeader(known, 0x24, layout);
                EXPECT_EQ(findAv1RefreshFlags(header, known, remembered), 0x24);
                // Whole OBUs: a temporal delimiter, and a frame that reaches beyond the bytes.
                std::vector<uint8_t> chunk{0x12, 0x00, 0x32, 0xff, 0x01};
                chunk.insert(chunk.end(), header.begin(), header.end());
                EXPECT_EQ(findAv1RefreshFlags(chunk, known, remembered), 0x24);
                auto other = known;
                other.referenceIndex[6] = 4;
                remembered.reset();
                EXPECT_EQ(findAv1RefreshFlags(header, other, remembered), std::nullopt);
            }
}

// An intra frame proves no layout: it counts only in the one that an inter frame has proven.
TEST(Av1Header, IntraFramesNeedALayoutThatIsKnown) {
    const bitstream::Av1KnownHeader intra{.frameType = 2, .showableFrame = true, .orderHintBits = 7, .orderHint = 5};
    bitstream::Av1KnownHeader inter = intra;
    inter.frameType = 1;
    inter.primaryReference = 0;
    inter.referenceIndex = {3, 1, 4, 1, 5, 2, 6};
    std::optional<bitstream::Av1HeaderLayout> layout;
    const auto header = interHeader(intra, 0x10, {false, false});
    EXPECT_EQ(findAv1RefreshFlags(header, intra, layout), std::nullopt);
    EXPECT_EQ(findAv1RefreshFlags(interHeader(inter, 0x01, {false, false}), inter, layout), 0x01);
    EXPECT_EQ(findAv1RefreshFlags(header, intra, layout), 0x10);
    EXPECT_EQ(findAv1RefreshFlags(std::vector<uint8_t>{0x80, 0x12, 0x34}, intra, layout), std::nullopt);
}

// Flags that the stream has are kept as they are, as long as the device has its slots as the client has them.
TEST(Av1Slots, FlagsOfTheStream) {
    Av1Slots slots;
    Av1Slots::Map map;
    EXPECT_EQ(slots.refresh(0xff, map), 0xff);
    slots.store(0xff, {.timestamp = 1});
    map.fill(1);
    EXPECT_EQ(slots.refresh(0x24, map), 0x24);
    slots.store(0x24, {.timestamp = 2});
    map[2] = map[5] = 2;
    EXPECT_EQ(slots.refresh(0, map), 0);
    EXPECT_EQ(slots.refresh(0x04, map), 0x04);
    EXPECT_EQ(slots.refresh(0x24, map), 0x24); // nobody names 2 any more
    map.fill(2);                               // the client has 2 everywhere, the device in two slots
    EXPECT_EQ(slots.refresh(0x24, map), 0x04); // one of them has to keep it
    EXPECT_EQ(slots.refresh(0x81, map), 0x81);
    EXPECT_EQ(slots.find(2, 5), 5u);
    EXPECT_EQ(slots.find(2, 0), 2u);
    EXPECT_EQ(slots.find(3, 0), std::nullopt);
}

} // namespace
} // namespace v4l2_request::codec
