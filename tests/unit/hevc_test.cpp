// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <functional>

#include <gtest/gtest.h>

#include "bit_writer.h"
#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec_fixture.h"

#ifdef HAVE_UAPI_HEVC

namespace v4l2_request::codec {
namespace {

using test::BitWriter;

constexpr VASurfaceID target = 10;
constexpr uint8_t trailR = 1;
constexpr uint8_t idrWRadl = 19;
constexpr uint8_t cra = 21;
constexpr uint32_t before = VA_PICTURE_HEVC_RPS_ST_CURR_BEFORE;
constexpr uint32_t after = VA_PICTURE_HEVC_RPS_ST_CURR_AFTER;
constexpr uint32_t longTermCurr = VA_PICTURE_HEVC_RPS_LT_CURR | VA_PICTURE_HEVC_LONG_TERM_REFERENCE;

// A slice segment that the client encodes: what is fixed has the shortest code.
struct Header {
    uint8_t type = trailR;
    uint32_t sliceType = 2; // I
    uint32_t address = 0;
    bool dependent = false;
    uint32_t pocLsb = 0;
    uint32_t set = 0; // short_term_ref_pic_set_idx
    unsigned setBits = 0;
    BitWriter longTerm;                   // the block if( long_term_ref_pics_present_flag )
    std::array<uint32_t, 2> active{1, 1}; // both lists, if the type has them
    BitWriter modification;               // ref_pic_lists_modification()
    std::vector<uint32_t> entryPoints;
    uint8_t temporalId = 0;
    uint32_t pps = 0;
};

constexpr uint32_t B = 0;
constexpr uint32_t P = 1;

VAPictureHEVC frame(VASurfaceID surface, int32_t poc, uint32_t flags = 0) {
    VAPictureHEVC picture{};
    picture.picture_id = surface;
    picture.pic_order_cnt = poc;
    picture.flags = flags;
    return picture;
}

// 416x240 in coding tree blocks of 16x16, one short-term set in the sequence.
VAPictureParameterBufferHEVC parameters(int32_t poc = 0, std::vector<VAPictureHEVC> references = {}) {
    VAPictureParameterBufferHEVC picture{};
    picture.CurrPic = frame(target, poc);
    references.resize(std::size(picture.ReferenceFrames), frame(VA_INVALID_SURFACE, 0, VA_PICTURE_HEVC_INVALID));
    std::ranges::copy(references, picture.ReferenceFrames);
    picture.pic_width_in_luma_samples = 416;
    picture.pic_height_in_luma_samples = 240;
    picture.pic_fields.bits.chroma_format_idc = 1;
    picture.sps_max_dec_pic_buffering_minus1 = 4;
    picture.log2_diff_max_min_luma_coding_block_size = 1;
    picture.log2_diff_max_min_transform_block_size = 1;
    picture.log2_max_pic_order_cnt_lsb_minus4 = 4;
    picture.num_short_term_ref_pic_sets = 1;
    return picture;
}

BitWriter encodeHeader(const VAPictureParameterBufferHEVC& picture, const Header& h) {
    const auto& fields = picture.pic_fields.bits;
    const auto& parsing = picture.slice_parsing_fields.bits;
    BitWriter w;
    w.bits(0, 1).bits(h.type, 6).bits(0, 6).bits(h.temporalId + 1u, 3);
    w.bits(h.address == 0, 1);
    if (h.type >= 16)
        w.bits(0, 1);
    w.ue(h.pps);
    if (h.address != 0) {
        if (parsing.dependent_slice_segments_enabled_flag)
            w.bits(h.dependent, 1);
        w.bits(h.address, 9); // 26 * 15 = 390 coding tree blocks
    }
    if (!h.dependent) {
        w.ue(h.sliceType);
        if (h.type != idrWRadl) {
            w.bits(h.pocLsb, picture.log2_max_pic_order_cnt_lsb_minus4 + 4u);
            w.bits(1, 1).bits(h.set, h.setBits); // short_term_ref_pic_set_sps_flag, ..._idx
            for (size_t i = 0; i < h.longTerm.size(); ++i)
                w.bits(h.longTerm.bytes()[i / 8] >> (7 - i % 8) & 1u, 1);
        }
        if (h.sliceType != 2) {
            w.bits(1, 1).ue(h.active[0] - 1);
            if (h.sliceType == B)
                w.ue(h.active[1] - 1);
            for (size_t i = 0; i < h.modification.size(); ++i)
                w.bits(h.modification.bytes()[i / 8] >> (7 - i % 8) & 1u, 1);
            if (h.sliceType == B)
                w.bits(0, 1); // mvd_l1_zero_flag
            w.ue(0);          // five_minus_max_num_merge_cand
        }
        w.se(-3);
    }
    if (fields.tiles_enabled_flag || fields.entropy_coding_sync_enabled_flag) {
        w.ue(static_cast<uint32_t>(h.entryPoints.size()));
        if (!h.entryPoints.empty())
            w.ue(15);
        for (const uint32_t offset : h.entryPoints)
            w.bits(offset - 1, 16);
    }
    w.bits(1, 1);
    while (w.size() % 8 != 0)
        w.bits(0, 1);
    return w;
}

class Hevc : public testing::Test {
protected:
    Hevc() {
        for (const uint32_t id : {HevcSps::id, HevcPps::id, HevcScalingMatrix::id, HevcDecodeParams::id})
            device.set(id, {});
        device.set(HevcSliceParams::id, {.elements = 600});
        device.set(HevcEntryPointOffsets::id, {.elements = 16});
        setModes(V4L2_STATELESS_HEVC_DECODE_MODE_FRAME_BASED, V4L2_STATELESS_HEVC_START_CODE_ANNEX_B);
        for (auto& list : slice.RefPicList)
            std::ranges::fill(list, 0xff);
        for (VASurfaceID surface = 1; surface < 9; ++surface)
            references.timestamps[surface] = surface * 1000;
    }

    void setModes(int64_t mode, int64_t startCode) {
        device.set(V4L2_CID_STATELESS_HEVC_DECODE_MODE, {.value = mode});
        device.set(V4L2_CID_STATELESS_HEVC_START_CODE, {.value = startCode});
    }

    Result<Submission> build(const VAPictureParameterBufferHEVC& picture, const std::vector<Header>& headers,
                             const VAIQMatrixBufferHEVC* matrix = nullptr) {
        test::Client& client = clients.emplace_back();
        client.input.profile = profile;
        client.input.target = picture.CurrPic.picture_id;
        client.input.width = 416;
        client.input.height = 240;
        client.picture(picture);
        if (matrix)
            client.iqMatrix(*matrix);
        for (const Header& header : headers) {
            BitWriter written = encodeHeader(picture, header);
            auto sent = slice;
            sent.slice_data_byte_offset = static_cast<uint32_t>(written.size() / 8 + byteOffsetError);
            sent.slice_segment_address = header.address;
            sent.LongSliceFlags.fields.dependent_slice_segment_flag = header.dependent;
            written.bits(0xabcdef, 24);
            auto data = written.escaped();
            data.insert(data.end(), trailingZeros, 0);
            client.slice(sent, std::move(data));
        }
        return hevcCodec.build(client.input, references, device, state, state);
    }

    // The controls of the first job of a picture that has to be accepted.
    ControlBatch controls(const VAPictureParameterBufferHEVC& picture, const std::vector<Header>& headers,
                          const VAIQMatrixBufferHEVC* matrix = nullptr) {
        auto built = build(picture, headers, matrix);
        EXPECT_TRUE(built) << (built ? "" : built.error().message);
        return built ? built->jobs.front().controls : ControlBatch{};
    }

    void list(unsigned which, std::vector<uint8_t> entries) { std::ranges::copy(entries, slice.RefPicList[which]); }

    VAProfile profile = VAProfileHEVCMain;
    test::FakeReferences references;
    DeviceControls device;
    std::any state;
    VASliceParameterBufferHEVC slice{};
    uint32_t byteOffsetError = 0;
    size_t trailingZeros = 0;
    std::deque<test::Client> clients;
};

std::vector<uint8_t> first(const __u8* values, size_t count) {
    return {values, values + count};
}

TEST_F(Hevc, FrameBasedJobHoldsAllSlicesWithStartCodes) {
    const auto built = build(parameters(), {{.type = idrWRadl}, {.type = idrWRadl, .address = 40}});
    ASSERT_TRUE(built) << built.error().message;
    ASSERT_EQ(built->jobs.size(), 1u);
    EXPECT_EQ(built->codedWidth, 416u);
    EXPECT_EQ(built->codedHeight, 240u);
    const auto& sent = clients.back().input.slices;
    std::vector<uint8_t> expected;
    for (const Slice& each : sent) {
        expected.insert(expected.end(), {0, 0, 1});
        expected.insert(expected.end(), each.data.begin(), each.data.end());
    }
    EXPECT_EQ(test::bytesOf(built->jobs[0].bitstream), expected);

    const ControlBatch& batch = built->jobs[0].controls;
    EXPECT_EQ(batch.find(HevcSliceParams::id).size(), 2 * sizeof(v4l2_ctrl_hevc_slice_params));
    const auto second = batch.get<HevcSliceParams>(1);
    EXPECT_EQ(second.slice_segment_addr, 40u);
    EXPECT_EQ(second.bit_size, (sent[1].data.size() + 3) * 8);
    EXPECT_EQ(second.data_byte_offset, sent[1].data.size() - 3 + 3); // three bytes of data, as many of start code
    EXPECT_EQ(second.nal_unit_type, idrWRadl);
    EXPECT_EQ(second.slice_type, V4L2_HEVC_SLICE_TYPE_I);
    EXPECT_EQ(second.slice_qp_delta, -3);
    const auto params = batch.get<HevcDecodeParams>();
    EXPECT_EQ(params.flags, uint64_t{V4L2_HEVC_DECODE_PARAM_FLAG_IRAP_PIC | V4L2_HEVC_DECODE_PARAM_FLAG_IDR_PIC});
    EXPECT_TRUE(batch.find(HevcScalingMatrix::id).empty());
    EXPECT_TRUE(batch.find(HevcEntryPointOffsets::id).empty());
}

TEST_F(Hevc, SliceBasedJobsHoldOneSegmentEach) {
    setModes(V4L2_STATELESS_HEVC_DECODE_MODE_SLICE_BASED, V4L2_STATELESS_HEVC_START_CODE_NONE);
    auto picture = parameters();
    picture.slice_parsing_fields.bits.dependent_slice_segments_enabled_flag = 1;
    const auto built = build(picture, {{.type = idrWRadl}, {.type = idrWRadl, .address = 7, .dependent = true}});
    ASSERT_TRUE(built) << built.error().message;
    ASSERT_EQ(built->jobs.size(), 2u);
    for (const Job& job : built->jobs) {
        EXPECT_EQ(job.controls.find(HevcSliceParams::id).size(), sizeof(v4l2_ctrl_hevc_slice_params));
        EXPECT_FALSE(job.controls.find(HevcSps::id).empty());
    }
    const auto& sent = clients.back().input.slices[1];
    EXPECT_EQ(test::bytesOf(built->jobs[1].bitstream), std::vector<uint8_t>(sent.data.begin(), sent.data.end()));
    const auto dependent = built->jobs[1].controls.get<HevcSliceParams>();
    EXPECT_TRUE(dependent.flags & V4L2_HEVC_SLICE_PARAMS_FLAG_DEPENDENT_SLICE_SEGMENT);
    EXPECT_EQ(dependent.slice_qp_delta, -3); // of its slice
    EXPECT_EQ(dependent.bit_size, sent.data.size() * 8);
}

TEST_F(Hevc, ZerosBehindANalUnitAreNotOfIt) {
    const auto tight = build(parameters(), {{.type = idrWRadl}});
    trailingZeros = 2;
    const auto loose = build(parameters(), {{.type = idrWRadl}});
    ASSERT_TRUE(tight && loose);
    EXPECT_EQ(test::bytesOf(loose->jobs[0].bitstream), test::bytesOf(tight->jobs[0].bitstream));
    EXPECT_EQ(loose->jobs[0].controls.get<HevcSliceParams>().bit_size,
              tight->jobs[0].controls.get<HevcSliceParams>().bit_size);
}

// 8.3.2: the closest picture first, whatever the order in which the client lists them. The DPB has all of the set, also
// what this picture does not use.
TEST_F(Hevc, ReferencePictureSetIsInTheOrderOfTheSpecification) {
    list(0, {0, 2, 1, 4});
    list(1, {1, 4, 0, 2});
    const auto batch = controls(parameters(20, {frame(4, 12, before), frame(5, 24, after), frame(6, 18, before),
                                                frame(7, 8), frame(8, 36, after)}),
                                {{.sliceType = B, .pocLsb = 20, .active = {4, 4}}});
    const auto params = batch.get<HevcDecodeParams>();
    ASSERT_EQ(params.num_active_dpb_entries, 5);
    const std::array<int32_t, 5> pocs{12, 24, 18, 8, 36}; // in decoding order
    for (size_t i = 0; i < pocs.size(); ++i) {
        EXPECT_EQ(params.dpb[i].pic_order_cnt_val, pocs[i]);
        EXPECT_EQ(params.dpb[i].timestamp, (4 + i) * 1000);
        EXPECT_EQ(params.dpb[i].flags, 0);
    }
    ASSERT_EQ(params.num_poc_st_curr_before, 2);
    ASSERT_EQ(params.num_poc_st_curr_after, 2);
    EXPECT_EQ(first(params.poc_st_curr_before, 3), (std::vector<uint8_t>{2, 0, 0xff}));
    EXPECT_EQ(first(params.poc_st_curr_after, 3), (std::vector<uint8_t>{1, 4, 0xff}));
    const auto sent = batch.get<HevcSliceParams>();
    EXPECT_EQ(first(sent.ref_idx_l0, 5), (std::vector<uint8_t>{0, 2, 1, 4, 0xff}));
    EXPECT_EQ(first(sent.ref_idx_l1, 5), (std::vector<uint8_t>{1, 4, 0, 2, 0xff}));
    EXPECT_EQ(sent.num_ref_idx_l0_active_minus1, 3);
    EXPECT_EQ(sent.slice_pic_order_cnt, 20);
}

// Two long-term pictures of the slice header, the nearer one first there; by order count they would be the other way.
TEST_F(Hevc, LongTermPicturesAreInTheOrderOfTheSliceHeader) {
    auto picture = parameters(300, {frame(1, 7, longTermCurr), frame(2, 260, longTermCurr), frame(3, 299, before)});
    picture.slice_parsing_fields.bits.long_term_ref_pics_present_flag = 1;
    // num_long_term_pics 2; 260 by its low bits (4), 7 with its high ones, one cycle of 256 below 300
    const auto longTerm =
        BitWriter().ue(2).bits(260 & 255, 8).bits(1, 1).bits(0, 1).bits(7, 8).bits(1, 1).bits(1, 1).ue(1);
    list(0, {2}); // neither of them is in a list
    const auto params =
        controls(picture, {{.sliceType = P, .pocLsb = 300 & 255, .longTerm = longTerm}}).get<HevcDecodeParams>();
    ASSERT_EQ(params.num_poc_lt_curr, 2);
    EXPECT_EQ(first(params.poc_lt_curr, 2), (std::vector<uint8_t>{1, 0}));
    EXPECT_EQ(params.long_term_ref_pic_set_size, longTerm.size());
    EXPECT_EQ(params.short_term_ref_pic_set_size, 0);
    EXPECT_EQ(params.dpb[0].flags, V4L2_HEVC_DPB_ENTRY_LONG_TERM_REFERENCE);
    EXPECT_EQ(params.dpb[2].flags, 0);
}

// What the sequence parameter set says of them is not in VA-API: here only the lists tell which of them comes first.
TEST_F(Hevc, LongTermPicturesOfTheSequenceAreInTheOrderOfTheLists) {
    auto picture = parameters(300, {frame(1, 7, longTermCurr), frame(2, 60, longTermCurr), frame(3, 299, before)});
    picture.slice_parsing_fields.bits.long_term_ref_pics_present_flag = 1;
    picture.slice_parsing_fields.bits.lists_modification_present_flag = 1;
    picture.num_long_term_ref_pic_sps = 2;
    const auto longTerm = BitWriter().ue(2).ue(0).bits(0, 1).bits(0, 1).bits(1, 1).bits(0, 1);
    Header header{.sliceType = P, .pocLsb = 300 & 255, .longTerm = longTerm, .active = {3, 1}};
    header.modification.bits(0, 1);
    list(0, {2, 1, 0}); // short-term, then the second, then the first
    EXPECT_EQ(first(controls(picture, {header}).get<HevcDecodeParams>().poc_lt_curr, 2), (std::vector<uint8_t>{1, 0}));
    list(0, {2, 0, 1});
    EXPECT_EQ(first(controls(picture, {header}).get<HevcDecodeParams>().poc_lt_curr, 2), (std::vector<uint8_t>{0, 1}));
    header.modification = BitWriter().bits(1, 1).bits(2, 2).bits(0, 2).bits(1, 2); // list_entry
    list(0, {1, 2, 0});
    EXPECT_EQ(first(controls(picture, {header}).get<HevcDecodeParams>().poc_lt_curr, 2), (std::vector<uint8_t>{0, 1}));
}

TEST_F(Hevc, FewerLongTermPicturesThanTheHeaderUsesAreRefused) {
    auto picture = parameters(20, {frame(3, 19, before)});
    picture.slice_parsing_fields.bits.long_term_ref_pics_present_flag = 1;
    const auto longTerm = BitWriter().ue(1).bits(7, 8).bits(1, 1).bits(0, 1);
    const auto built = build(picture, {{.sliceType = P, .pocLsb = 20, .longTerm = longTerm}});
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().kind, ErrorKind::Decoding);
}

// A picture that decoding never reached: not listed where it is not used, replaced by the closest one where it is.
TEST_F(Hevc, MissingReferences) {
    list(0, {0, 1});
    const auto params =
        controls(parameters(20, {frame(90, 16, before), frame(4, 12, before), frame(5, 2, before), frame(91, 8)}),
                 {{.sliceType = P, .pocLsb = 20, .active = {2, 1}}})
            .get<HevcDecodeParams>();
    ASSERT_EQ(params.num_active_dpb_entries, 3);
    EXPECT_EQ(params.dpb[2].pic_order_cnt_val, 16);
    EXPECT_EQ(params.dpb[2].timestamp, 4000u);
    EXPECT_EQ(first(params.poc_st_curr_before, 3), (std::vector<uint8_t>{2, 0, 1}));

    // A random access point lists what its leading pictures would need.
    const auto access = controls(parameters(20, {frame(90, 16, before), frame(4, 12)}), {{.type = cra, .pocLsb = 20}})
                            .get<HevcDecodeParams>();
    EXPECT_EQ(access.num_active_dpb_entries, 1);
    EXPECT_EQ(access.num_poc_st_curr_before, 0);
    EXPECT_EQ(access.flags, uint64_t{V4L2_HEVC_DECODE_PARAM_FLAG_IRAP_PIC});

    // Its own surface is no reference: it is about to be overwritten.
    references.timestamps[target] = 77;
    EXPECT_EQ(controls(parameters(20, {frame(target, 16), frame(4, 12)}), {{.pocLsb = 20}})
                  .get<HevcDecodeParams>()
                  .num_active_dpb_entries,
              1);
    const auto nothing = build(parameters(20), {{.sliceType = P, .pocLsb = 20}});
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().kind, ErrorKind::Decoding);
}

// The picture decoded last stands in where none of the set is there.
TEST_F(Hevc, NoneOfTheReferencesIsThere) {
    list(0, {0});
    const auto picture = parameters(20, {frame(90, 16, before), frame(91, 12, before)});
    const Header header{.sliceType = P, .pocLsb = 20};
    EXPECT_EQ(controls(picture, {header}).get<HevcDecodeParams>().dpb[1].timestamp, noTimestamp);
    references.latestPicture = 7000;
    const auto params = controls(picture, {header}).get<HevcDecodeParams>();
    ASSERT_EQ(params.num_active_dpb_entries, 2);
    EXPECT_EQ(params.dpb[0].timestamp, 7000u);
    EXPECT_EQ(params.dpb[1].timestamp, 7000u);
    EXPECT_EQ(params.dpb[1].pic_order_cnt_val, 12);
}

// hantro's G2 takes the lists from the sets, and fails on an order count that it has not decoded.
TEST_F(Hevc, AStandInIsFoundByItsOrderCount) {
    DeviceControls withoutSlices;
    for (const uint32_t id : {HevcSps::id, HevcPps::id, HevcScalingMatrix::id, HevcDecodeParams::id})
        withoutSlices.set(id, {});
    device = withoutSlices;
    setModes(V4L2_STATELESS_HEVC_DECODE_MODE_FRAME_BASED, V4L2_STATELESS_HEVC_START_CODE_ANNEX_B);
    list(0, {0, 1});
    const auto params =
        controls(parameters(20, {frame(90, 16, before), frame(4, 12, before), frame(5, 2, before), frame(91, 8)}),
                 {{.sliceType = P, .pocLsb = 20, .active = {2, 1}}})
            .get<HevcDecodeParams>();
    ASSERT_EQ(params.num_active_dpb_entries, 2);
    EXPECT_EQ(params.dpb[0].pic_order_cnt_val, 12);
    EXPECT_EQ(params.dpb[1].pic_order_cnt_val, 2);
    ASSERT_EQ(params.num_poc_st_curr_before, 3);
    EXPECT_EQ(first(params.poc_st_curr_before, 3), (std::vector<uint8_t>{0, 0, 1})); // 16 is 12
    const auto lost = controls(parameters(20, {frame(90, 16, before)}), {{.sliceType = P, .pocLsb = 20}});
    EXPECT_EQ(lost.get<HevcDecodeParams>().num_active_dpb_entries, 0);
    EXPECT_EQ(lost.get<HevcDecodeParams>().num_poc_st_curr_before, 0);
}

TEST_F(Hevc, DamageComesFromWhatThePictureIsPredictedFrom) {
    list(0, {1, 0});
    const Header header{.sliceType = P, .pocLsb = 20, .active = {2, 1}};
    auto picture = parameters(20, {frame(4, 16, before), frame(5, 12, before), frame(6, 8)});
    const auto whole = build(picture, {header});
    ASSERT_TRUE(whole);
    EXPECT_FALSE(whole->damaged);
    EXPECT_EQ(whole->predictedFrom, (std::pmr::vector<VASurfaceID>{5, 4})); // 6 is kept for others
    EXPECT_EQ(whole->damageLasts, 256u);
    picture.ReferenceFrames[2].picture_id = 90;
    EXPECT_FALSE(build(picture, {header})->damaged);
    picture.ReferenceFrames[1].picture_id = 90;
    const auto lost = build(picture, {header});
    EXPECT_TRUE(lost->damaged);
    EXPECT_EQ(lost->predictedFrom, std::pmr::vector<VASurfaceID>{4});
    list(0, {0xff, 0});
    EXPECT_TRUE(build(picture, {header})->damaged) << "a hole";
    const auto access = build(picture, {{.type = cra, .pocLsb = 20}});
    EXPECT_FALSE(access->damaged);
    EXPECT_TRUE(access->predictedFrom.empty());
}

TEST_F(Hevc, SegmentsAreInOrderAndThereOnce) {
    setModes(V4L2_STATELESS_HEVC_DECODE_MODE_SLICE_BASED, V4L2_STATELESS_HEVC_START_CODE_NONE);
    auto picture = parameters();
    picture.slice_parsing_fields.bits.dependent_slice_segments_enabled_flag = 1;
    bool damaged = false;
    const auto addresses = [&](const std::vector<Header>& headers) {
        std::vector<int> found;
        const auto built = build(picture, headers);
        if (built)
            for (const Job& job : built->jobs)
                found.push_back(static_cast<int>(job.controls.get<HevcSliceParams>().slice_segment_addr));
        damaged = built && built->damaged;
        return found;
    };
    const auto at = [](uint32_t address, bool dependent = false) {
        return Header{.type = idrWRadl, .address = address, .dependent = dependent};
    };
    EXPECT_EQ(addresses({at(0), at(7, true), at(20), at(27, true)}), (std::vector{0, 7, 20, 27}));
    EXPECT_FALSE(damaged);
    EXPECT_EQ(addresses({at(27, true), at(20), at(0), at(7, true)}), (std::vector{0, 7, 20, 27}));
    EXPECT_EQ(addresses({at(0), at(7, true), at(7, true), at(0), at(20)}), (std::vector{0, 7, 20}));
    EXPECT_FALSE(damaged);
    EXPECT_EQ(addresses({at(20), at(27, true)}), (std::vector{20, 27}));
    EXPECT_TRUE(damaged) << "the first is missing";
    EXPECT_EQ(addresses({at(7, true), at(20)}), (std::vector{20})) << "what it depends on is missing";
    EXPECT_TRUE(damaged);
    // One of another picture is left out, and what depends on it.
    Header other = at(20);
    other.type = cra;
    EXPECT_EQ(addresses({at(0), at(7, true), other, at(27, true), at(40)}), (std::vector{0, 7, 40}));
    EXPECT_TRUE(damaged);
}

TEST_F(Hevc, EntryPointsOfAllSlicesAreOneArray) {
    auto picture = parameters();
    picture.pic_fields.bits.entropy_coding_sync_enabled_flag = 1;
    const std::vector<Header> headers{{.type = idrWRadl, .entryPoints = {9, 700}},
                                      {.type = idrWRadl, .address = 100, .entryPoints = {31}}};
    const auto batch = controls(picture, headers);
    EXPECT_EQ(batch.find(HevcEntryPointOffsets::id).size(), 3 * sizeof(uint32_t));
    EXPECT_EQ(batch.get<HevcEntryPointOffsets>(0), 9u);
    EXPECT_EQ(batch.get<HevcEntryPointOffsets>(2), 31u);
    EXPECT_EQ(batch.get<HevcSliceParams>(0).num_entry_point_offsets, 2u);
    EXPECT_EQ(batch.get<HevcSliceParams>(1).num_entry_point_offsets, 1u);

    device.set(HevcEntryPointOffsets::id, {.elements = 2});
    const auto built = build(picture, headers);
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().kind, ErrorKind::Unsupported);
}

// 6-3: 26 coding tree blocks in three columns are 8, 9 and 9.
TEST_F(Hevc, TilesHaveTheirSizesWhetherUniformOrNot) {
    auto picture = parameters();
    picture.pic_fields.bits.tiles_enabled_flag = 1;
    picture.pic_fields.bits.loop_filter_across_tiles_enabled_flag = 1;
    picture.num_tile_columns_minus1 = 2;
    picture.num_tile_rows_minus1 = 1;
    picture.column_width_minus1[0] = 7;
    picture.column_width_minus1[1] = 8;
    picture.column_width_minus1[2] = 0x5555; // the last is what remains
    picture.row_height_minus1[0] = 6;
    const std::vector<Header> headers{{.type = idrWRadl, .entryPoints = {5, 6, 7, 8, 9}}};
    auto pps = controls(picture, headers).get<HevcPps>();
    EXPECT_EQ(pps.num_tile_columns_minus1, 2);
    EXPECT_EQ(first(pps.column_width_minus1, 4), (std::vector<uint8_t>{7, 8, 8, 0}));
    EXPECT_EQ(first(pps.row_height_minus1, 3), (std::vector<uint8_t>{6, 7, 0}));
    EXPECT_TRUE(pps.flags & V4L2_HEVC_PPS_FLAG_UNIFORM_SPACING);
    EXPECT_TRUE(pps.flags & V4L2_HEVC_PPS_FLAG_LOOP_FILTER_ACROSS_TILES_ENABLED);

    picture.column_width_minus1[0] = 8;
    pps = controls(picture, headers).get<HevcPps>();
    EXPECT_EQ(first(pps.column_width_minus1, 4), (std::vector<uint8_t>{8, 8, 7, 0}));
    EXPECT_FALSE(pps.flags & V4L2_HEVC_PPS_FLAG_UNIFORM_SPACING);

    picture.column_width_minus1[0] = 17;
    EXPECT_FALSE(build(picture, headers));
}

TEST_F(Hevc, WithoutTilesThereAreNoSizesAndSpacingIsUniform) {
    auto picture = parameters();
    picture.pic_fields.bits.loop_filter_across_tiles_enabled_flag = 1; // inferred; means nothing
    picture.num_tile_columns_minus1 = 3;
    picture.column_width_minus1[0] = 99;
    const auto pps = controls(picture, {{.type = idrWRadl}}).get<HevcPps>();
    EXPECT_EQ(pps.num_tile_columns_minus1, 0);
    EXPECT_EQ(pps.column_width_minus1[0], 0);
    EXPECT_EQ(pps.flags, uint64_t{V4L2_HEVC_PPS_FLAG_UNIFORM_SPACING});
}

TEST_F(Hevc, TenBits) {
    auto picture = parameters();
    EXPECT_EQ(build(picture, {{.type = idrWRadl}})->bitDepth, 8);
    picture.bit_depth_luma_minus8 = picture.bit_depth_chroma_minus8 = 2;
    EXPECT_EQ(build(picture, {{.type = idrWRadl}}).error().kind, ErrorKind::Unsupported) << "Main has 8";
    profile = VAProfileHEVCMain10;
    picture.init_qp_minus26 = -38; // 7.4.3.3.1: QpBdOffset is 12
    picture.pic_fields.bits.pcm_enabled_flag = 1;
    picture.pcm_sample_bit_depth_luma_minus1 = picture.pcm_sample_bit_depth_chroma_minus1 = 9;
    picture.log2_diff_max_min_pcm_luma_coding_block_size = 1;
    const auto submission = build(picture, {{.type = idrWRadl}});
    ASSERT_TRUE(submission) << submission.error().message;
    EXPECT_EQ(submission->bitDepth, 10);
    const auto sps = submission->jobs[0].controls.get<HevcSps>();
    EXPECT_EQ(sps.bit_depth_luma_minus8, 2);
    EXPECT_EQ(sps.bit_depth_chroma_minus8, 2);
    EXPECT_EQ(sps.pcm_sample_bit_depth_luma_minus1, 9);
    EXPECT_EQ(submission->jobs[0].controls.get<HevcPps>().init_qp_minus26, -38);
    picture.init_qp_minus26 = -39;
    EXPECT_FALSE(build(picture, {{.type = idrWRadl}}));
    for (const auto& [luma, chroma] : {std::pair(2, 0), std::pair(0, 2), std::pair(1, 1), std::pair(4, 4)}) {
        picture = parameters();
        picture.bit_depth_luma_minus8 = static_cast<uint8_t>(luma);
        picture.bit_depth_chroma_minus8 = static_cast<uint8_t>(chroma);
        EXPECT_EQ(build(picture, {{.type = idrWRadl}}).error().kind, ErrorKind::Unsupported) << luma << chroma;
    }
}

// What a device is asked with before a stream is known has to be a sequence of that depth within that size.
TEST_F(Hevc, AnySequence) {
    const auto bytes = hevcCodec.anySequence(64, 70, 10);
    v4l2_ctrl_hevc_sps sps;
    ASSERT_EQ(bytes.size(), sizeof(sps));
    std::memcpy(&sps, bytes.data(), sizeof(sps));
    EXPECT_EQ(sps.bit_depth_luma_minus8, 2);
    EXPECT_EQ(sps.bit_depth_chroma_minus8, 2);
    EXPECT_EQ(sps.chroma_format_idc, 1);
    EXPECT_EQ(sps.pic_width_in_luma_samples, 64);
    EXPECT_EQ(sps.pic_height_in_luma_samples, 64) << "whole coding blocks";
}

TEST_F(Hevc, PcmFieldsAreZeroWithoutPcm) {
    auto picture = parameters();
    picture.pcm_sample_bit_depth_luma_minus1 = 0xff;
    picture.pcm_sample_bit_depth_chroma_minus1 = 0xff;
    picture.log2_min_pcm_luma_coding_block_size_minus3 = 0xfd;
    picture.log2_diff_max_min_pcm_luma_coding_block_size = 0xff;
    picture.pic_fields.bits.pcm_loop_filter_disabled_flag = 1;
    auto sps = controls(picture, {{.type = idrWRadl}}).get<HevcSps>();
    EXPECT_EQ(sps.pcm_sample_bit_depth_luma_minus1, 0);
    EXPECT_EQ(sps.pcm_sample_bit_depth_chroma_minus1, 0);
    EXPECT_EQ(sps.log2_min_pcm_luma_coding_block_size_minus3, 0);
    EXPECT_EQ(sps.log2_diff_max_min_pcm_luma_coding_block_size, 0);
    EXPECT_EQ(sps.flags, 0u);

    picture.pic_fields.bits.pcm_enabled_flag = 1;
    EXPECT_FALSE(build(picture, {{.type = idrWRadl}}));
    picture.pcm_sample_bit_depth_luma_minus1 = 7;
    picture.pcm_sample_bit_depth_chroma_minus1 = 4;
    picture.log2_min_pcm_luma_coding_block_size_minus3 = 0;
    picture.log2_diff_max_min_pcm_luma_coding_block_size = 1;
    sps = controls(picture, {{.type = idrWRadl}}).get<HevcSps>();
    EXPECT_EQ(sps.pcm_sample_bit_depth_luma_minus1, 7);
    EXPECT_EQ(sps.pcm_sample_bit_depth_chroma_minus1, 4);
    EXPECT_EQ(sps.flags, uint64_t{V4L2_HEVC_SPS_FLAG_PCM_ENABLED | V4L2_HEVC_SPS_FLAG_PCM_LOOP_FILTER_DISABLED});
}

// Every flag of VA-API sets the one flag of the same name, and nothing else. (VA bits by the order in va_dec_hevc.h.)
TEST_F(Hevc, Flags) {
    struct Row {
        const char* name;
        std::function<void(VAPictureParameterBufferHEVC&)> set;
        uint64_t sps, pps;
    };
#define PIC(member) [](VAPictureParameterBufferHEVC& p) { p.pic_fields.bits.member = 1; }
#define PARSING(member) [](VAPictureParameterBufferHEVC& p) { p.slice_parsing_fields.bits.member = 1; }
    constexpr uint64_t control = V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_CONTROL_PRESENT;
    const Row rows[] = {
        {"AMP", PIC(amp_enabled_flag), V4L2_HEVC_SPS_FLAG_AMP_ENABLED, 0},
        {"strong intra smoothing", PIC(strong_intra_smoothing_enabled_flag),
         V4L2_HEVC_SPS_FLAG_STRONG_INTRA_SMOOTHING_ENABLED, 0},
        {"long-term", PARSING(long_term_ref_pics_present_flag), V4L2_HEVC_SPS_FLAG_LONG_TERM_REF_PICS_PRESENT, 0},
        {"temporal MVP", PARSING(sps_temporal_mvp_enabled_flag), V4L2_HEVC_SPS_FLAG_SPS_TEMPORAL_MVP_ENABLED, 0},
        {"transform skip", PIC(transform_skip_enabled_flag), 0, V4L2_HEVC_PPS_FLAG_TRANSFORM_SKIP_ENABLED},
        {"sign hiding", PIC(sign_data_hiding_enabled_flag), 0, V4L2_HEVC_PPS_FLAG_SIGN_DATA_HIDING_ENABLED},
        {"constrained intra", PIC(constrained_intra_pred_flag), 0, V4L2_HEVC_PPS_FLAG_CONSTRAINED_INTRA_PRED},
        {"QP delta", PIC(cu_qp_delta_enabled_flag), 0, V4L2_HEVC_PPS_FLAG_CU_QP_DELTA_ENABLED},
        {"weighted", PIC(weighted_pred_flag), 0, V4L2_HEVC_PPS_FLAG_WEIGHTED_PRED},
        {"weighted B", PIC(weighted_bipred_flag), 0, V4L2_HEVC_PPS_FLAG_WEIGHTED_BIPRED},
        {"bypass", PIC(transquant_bypass_enabled_flag), 0, V4L2_HEVC_PPS_FLAG_TRANSQUANT_BYPASS_ENABLED},
        {"lists", PARSING(lists_modification_present_flag), 0, V4L2_HEVC_PPS_FLAG_LISTS_MODIFICATION_PRESENT},
        {"CABAC init", PARSING(cabac_init_present_flag), 0, V4L2_HEVC_PPS_FLAG_CABAC_INIT_PRESENT},
        {"dependent", PARSING(dependent_slice_segments_enabled_flag), 0,
         V4L2_HEVC_PPS_FLAG_DEPENDENT_SLICE_SEGMENT_ENABLED},
        {"no deblocking", PARSING(pps_disable_deblocking_filter_flag), 0,
         V4L2_HEVC_PPS_FLAG_PPS_DISABLE_DEBLOCKING_FILTER | control},
        {"beta", [](VAPictureParameterBufferHEVC& p) { p.pps_beta_offset_div2 = -2; }, 0, control},
        {"tc", [](VAPictureParameterBufferHEVC& p) { p.pps_tc_offset_div2 = 3; }, 0, control},
    };
#undef PIC
#undef PARSING
    for (const Row& row : rows) {
        auto picture = parameters();
        row.set(picture);
        const auto batch = controls(picture, {{.type = idrWRadl}});
        EXPECT_EQ(batch.get<HevcSps>().flags, row.sps) << row.name;
        EXPECT_EQ(batch.get<HevcPps>().flags, row.pps | V4L2_HEVC_PPS_FLAG_UNIFORM_SPACING) << row.name;
    }
}

TEST_F(Hevc, WhatVaDoesNotCarryIsBoundedByWhatItDoes) {
    auto picture = parameters();
    const auto sps = controls(picture, {{.type = idrWRadl, .pps = 5}}).get<HevcSps>();
    EXPECT_EQ(sps.sps_max_num_reorder_pics, sps.sps_max_dec_pic_buffering_minus1);
    EXPECT_EQ(sps.sps_max_latency_increase_plus1, 0);
    EXPECT_EQ(sps.sps_max_sub_layers_minus1, 0);
    picture.pic_fields.bits.NoPicReorderingFlag = 1;
    EXPECT_EQ(controls(picture, {{.type = idrWRadl}}).get<HevcSps>().sps_max_num_reorder_pics, 0);

    // 7.4.2.2: a picture of sub-layer 2 has shown that there are three of them.
    list(0, {0});
    const auto higher = parameters(4, {frame(1, 0, before)});
    EXPECT_EQ(
        controls(higher, {{.sliceType = P, .pocLsb = 4, .temporalId = 2}}).get<HevcSps>().sps_max_sub_layers_minus1, 2);
    const auto batch = controls(higher, {{.sliceType = P, .pocLsb = 4, .pps = 5}});
    EXPECT_EQ(batch.get<HevcSps>().sps_max_sub_layers_minus1, 2);
    EXPECT_EQ(batch.get<HevcPps>().pic_parameter_set_id, 5);
}

TEST_F(Hevc, ScalingListsAreThoseOfTheClient) {
    auto picture = parameters();
    picture.pic_fields.bits.scaling_list_enabled_flag = 1;
    VAIQMatrixBufferHEVC matrix{};
    auto* bytes = reinterpret_cast<uint8_t*>(&matrix);
    for (size_t i = 0; i < sizeof(matrix); ++i)
        bytes[i] = static_cast<uint8_t>(1 + i % 251);
    const auto batch = controls(picture, {{.type = idrWRadl}}, &matrix);
    const auto scaling = batch.get<HevcScalingMatrix>();
    EXPECT_EQ(scaling.scaling_list_4x4[5][15], matrix.ScalingList4x4[5][15]);
    EXPECT_EQ(scaling.scaling_list_8x8[3][9], matrix.ScalingList8x8[3][9]);
    EXPECT_EQ(scaling.scaling_list_16x16[5][63], matrix.ScalingList16x16[5][63]);
    EXPECT_EQ(scaling.scaling_list_32x32[1][0], matrix.ScalingList32x32[1][0]);
    EXPECT_EQ(scaling.scaling_list_dc_coef_16x16[5], matrix.ScalingListDC16x16[5]);
    EXPECT_EQ(scaling.scaling_list_dc_coef_32x32[1], matrix.ScalingListDC32x32[1]);
    EXPECT_TRUE(batch.get<HevcSps>().flags & V4L2_HEVC_SPS_FLAG_SCALING_LIST_ENABLED);

    const auto without = build(picture, {{.type = idrWRadl}});
    ASSERT_FALSE(without);
    EXPECT_EQ(without.error().kind, ErrorKind::InvalidParameter);

    DeviceControls plain;
    plain.set(V4L2_CID_STATELESS_HEVC_DECODE_MODE, {.value = V4L2_STATELESS_HEVC_DECODE_MODE_FRAME_BASED});
    device = plain;
    const auto unable = build(picture, {{.type = idrWRadl}}, &matrix);
    ASSERT_FALSE(unable);
    EXPECT_EQ(unable.error().kind, ErrorKind::Unsupported);
}

TEST_F(Hevc, FieldsAreNamedInTheSliceAndInTheDpb) {
    auto picture = parameters(4, {frame(1, 0, before | VA_PICTURE_HEVC_FIELD_PIC)});
    picture.CurrPic.flags = VA_PICTURE_HEVC_FIELD_PIC | VA_PICTURE_HEVC_BOTTOM_FIELD;
    list(0, {0});
    const auto batch = controls(picture, {{.sliceType = P, .pocLsb = 4}});
    EXPECT_EQ(batch.get<HevcSliceParams>().pic_struct, V4L2_HEVC_SEI_PIC_STRUCT_BOTTOM_FIELD);
    EXPECT_EQ(batch.get<HevcDecodeParams>().dpb[0].field_pic, V4L2_HEVC_SEI_PIC_STRUCT_TOP_FIELD);
}

// 7.3.7: distances less one, used ones marked, from both sides of the picture. Of three sets this picture shows one.
TEST_F(Hevc, SetsOfTheSequenceAreThoseThatPicturesShow) {
    device.set(HevcExtSpsStRps::id, {.elements = 65});
    auto picture = parameters(20, {frame(4, 12, before), frame(5, 24, after), frame(6, 18, before), frame(7, 8),
                                   frame(8, 36), frame(3, 19, longTermCurr)});
    picture.num_short_term_ref_pic_sets = 3;
    picture.slice_parsing_fields.bits.long_term_ref_pics_present_flag = 1;
    list(0, {0});
    const auto longTerm = BitWriter().ue(1).bits(19, 8).bits(1, 1).bits(0, 1);
    const Header header{.sliceType = P, .pocLsb = 20, .set = 2, .setBits = 2, .longTerm = longTerm};
    const auto batch = controls(picture, {header});
    ASSERT_EQ(batch.find(HevcExtSpsStRps::id).size(), 3 * sizeof(v4l2_ctrl_hevc_ext_sps_st_rps));
    const auto set = batch.get<HevcExtSpsStRps>(2);
    EXPECT_EQ(set.num_negative_pics, 3);
    EXPECT_EQ(set.num_positive_pics, 2);
    EXPECT_EQ(set.delta_poc_s0_minus1[0], 1);
    EXPECT_EQ(set.delta_poc_s0_minus1[1], 5);
    EXPECT_EQ(set.delta_poc_s0_minus1[2], 3);
    EXPECT_EQ(set.delta_poc_s1_minus1[0], 3);
    EXPECT_EQ(set.delta_poc_s1_minus1[1], 11);
    EXPECT_EQ(set.used_by_curr_pic, 0b01011u);
    EXPECT_EQ(set.flags, 0);
    // The first set differs from before, for drivers that compare no other.
    const auto untouched = batch.get<HevcExtSpsStRps>(0);
    EXPECT_EQ(untouched.num_negative_pics + untouched.num_positive_pics, 0);
    EXPECT_NE(untouched.abs_delta_rps_minus1, 0);
    EXPECT_EQ(controls(picture, {header}).get<HevcExtSpsStRps>(0).abs_delta_rps_minus1, untouched.abs_delta_rps_minus1);
    picture.ReferenceFrames[3].pic_order_cnt = 9;
    const auto later = controls(picture, {header});
    EXPECT_NE(later.get<HevcExtSpsStRps>(0).abs_delta_rps_minus1, untouched.abs_delta_rps_minus1);
    EXPECT_EQ(later.get<HevcExtSpsStRps>(2).delta_poc_s0_minus1[2], 2);
}

// Another sequence parameter set with as many sets: VA-API tells it by another element, or a picture does by its set.
TEST_F(Hevc, SetsOfAnotherSequenceAreForgotten) {
    device.set(HevcExtSpsStRps::id, {.elements = 65});
    list(0, {0});
    const auto shows = [&](uint32_t set, int32_t poc, uint8_t buffering = 4) {
        auto picture = parameters(20, {frame(4, poc, before)});
        picture.num_short_term_ref_pic_sets = 2;
        picture.sps_max_dec_pic_buffering_minus1 = buffering;
        const auto batch = controls(picture, {{.sliceType = P, .pocLsb = 20, .set = set, .setBits = 1}});
        return std::pair<int, int>(batch.get<HevcExtSpsStRps>(0).num_negative_pics,
                                   batch.get<HevcExtSpsStRps>(1).num_negative_pics);
    };
    using Pair = std::pair<int, int>;
    EXPECT_EQ(shows(0, 16), Pair(1, 0));
    EXPECT_EQ(shows(1, 12), Pair(1, 1));
    EXPECT_EQ(shows(1, 12), Pair(1, 1));
    EXPECT_EQ(shows(0, 8), Pair(1, 0)) << "the first set is another";
    EXPECT_EQ(shows(1, 12), Pair(1, 1));
    EXPECT_EQ(shows(1, 12, 5), Pair(0, 1)) << "more pictures are buffered";
}

TEST_F(Hevc, SequenceWithoutSetsGetsAnEmptyOne) {
    device.set(HevcExtSpsStRps::id, {.elements = 65});
    device.set(HevcExtSpsLtRps::id, {.elements = 65});
    auto picture = parameters();
    picture.num_short_term_ref_pic_sets = 0;
    const auto batch = controls(picture, {{.type = idrWRadl}});
    EXPECT_EQ(batch.find(HevcExtSpsStRps::id).size(), sizeof(v4l2_ctrl_hevc_ext_sps_st_rps));
    EXPECT_EQ(batch.find(HevcExtSpsLtRps::id).size(), sizeof(v4l2_ctrl_hevc_ext_sps_lt_rps));
    EXPECT_EQ(batch.get<HevcExtSpsStRps>().num_negative_pics, 0);
}

TEST_F(Hevc, LongTermPictureOfTheSequence) {
    device.set(HevcExtSpsLtRps::id, {.elements = 65});
    auto picture = parameters(300, {frame(1, 7, longTermCurr), frame(3, 299, before)});
    picture.slice_parsing_fields.bits.long_term_ref_pics_present_flag = 1;
    picture.num_long_term_ref_pic_sps = 2;
    list(0, {1});
    const auto longTerm = BitWriter().ue(1).ue(0).bits(1, 1).bits(0, 1);
    const Header header{.sliceType = P, .pocLsb = 300 & 255, .longTerm = longTerm};
    const auto set = controls(picture, {header}).get<HevcExtSpsLtRps>(1);
    EXPECT_EQ(set.lt_ref_pic_poc_lsb_sps, 7);
    EXPECT_EQ(set.flags, V4L2_HEVC_EXT_SPS_LT_RPS_FLAG_USED_LT);

    // What is known tells the other: entry 0 is the picture that entry 1 is not.
    picture.ReferenceFrames[2] = frame(4, 9, VA_PICTURE_HEVC_LONG_TERM_REFERENCE);
    const auto both = BitWriter().ue(2).ue(0).bits(1, 1).bits(0, 1).bits(0, 1).bits(0, 1);
    const Header bothHeader{.sliceType = P, .pocLsb = 300 & 255, .longTerm = both};
    const auto sets = controls(picture, {bothHeader});
    EXPECT_EQ(sets.get<HevcExtSpsLtRps>(0).lt_ref_pic_poc_lsb_sps, 9);
    EXPECT_EQ(sets.get<HevcExtSpsLtRps>(0).flags, 0);
    EXPECT_EQ(sets.get<HevcExtSpsLtRps>(1).lt_ref_pic_poc_lsb_sps, 7);

    // Another sequence has another picture there; a lost one changes nothing.
    picture.ReferenceFrames[0].pic_order_cnt = 6;
    EXPECT_EQ(controls(picture, {bothHeader}).get<HevcExtSpsLtRps>(1).lt_ref_pic_poc_lsb_sps, 6);
    picture.ReferenceFrames[2] = {.picture_id = VA_INVALID_SURFACE, .flags = VA_PICTURE_HEVC_INVALID};
    EXPECT_EQ(controls(picture, {bothHeader}).get<HevcExtSpsLtRps>(0).lt_ref_pic_poc_lsb_sps, 9);

    state.reset(); // nothing known: which of the two?
    picture.ReferenceFrames[2] = frame(4, 9, VA_PICTURE_HEVC_LONG_TERM_REFERENCE);
    const auto built = build(picture, {bothHeader});
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().kind, ErrorKind::Unsupported);
}

// Entries of the slice itself name their pictures: what is left is that of the sequence.
TEST_F(Hevc, LongTermPictureOfTheSequenceBesideOneOfTheSlice) {
    device.set(HevcExtSpsLtRps::id, {.elements = 65});
    auto picture = parameters(300, {frame(1, 7, longTermCurr), frame(2, 263, longTermCurr), frame(3, 299, before)});
    picture.slice_parsing_fields.bits.long_term_ref_pics_present_flag = 1;
    picture.num_long_term_ref_pic_sps = 2;
    list(0, {2});
    // Both have the same least significant bits; delta_poc_msb_cycle_lt 1 is the picture of the count 7 (7-52, 8-5).
    const auto longTerm = BitWriter().ue(1).ue(1).bits(1, 1).bits(0, 1).bits(7, 8).bits(1, 1).bits(1, 1).ue(1);
    const auto set = controls(picture, {{.sliceType = P, .pocLsb = 300 & 255, .longTerm = longTerm}});
    EXPECT_EQ(set.get<HevcExtSpsLtRps>(1).lt_ref_pic_poc_lsb_sps, 7);
    EXPECT_EQ(set.get<HevcExtSpsLtRps>(1).flags, V4L2_HEVC_EXT_SPS_LT_RPS_FLAG_USED_LT);
}

TEST_F(Hevc, MoreSlicesThanTheDeviceTakesAreRefused) {
    device.set(HevcSliceParams::id, {.elements = 1});
    const auto built = build(parameters(), {{.type = idrWRadl}, {.type = idrWRadl, .address = 1}});
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().kind, ErrorKind::Unsupported);
}

TEST_F(Hevc, ARefusedPictureLeavesTheStateAsItWas) {
    auto picture = parameters();
    picture.pic_width_in_luma_samples = 4;
    EXPECT_FALSE(build(picture, {{.type = idrWRadl, .temporalId = 3}}));
    EXPECT_FALSE(state.has_value());
}

TEST_F(Hevc, ContradictionsAreInvalid) {
    const auto kind = [&](const VAPictureParameterBufferHEVC& picture, const std::vector<Header>& headers) {
        const auto built = build(picture, headers);
        return built ? ErrorKind::Device : built.error().kind; // Device: accepted
    };
    const std::vector<Header> idr{{.type = idrWRadl}};
    const auto changed = [](auto&& change) {
        auto picture = parameters();
        change(picture);
        return picture;
    };
    constexpr ErrorKind invalid = ErrorKind::InvalidParameter;
    constexpr ErrorKind unsupported = ErrorKind::Unsupported;
    EXPECT_EQ(kind(parameters(), {}), invalid);
    // Slices that make no sense are the stream's, not the client's.
    constexpr ErrorKind damaged = ErrorKind::Decoding;
    EXPECT_EQ(kind(parameters(20), {{.pocLsb = 21}}), damaged) << "order count";
    EXPECT_EQ(kind(parameters(), {{.type = idrWRadl, .address = 5, .dependent = true}}), damaged);
    EXPECT_EQ(kind(changed([](auto& p) { p.pic_width_in_luma_samples = 412; }), idr), invalid);
    EXPECT_EQ(kind(changed([](auto& p) { p.log2_diff_max_min_luma_coding_block_size = 4; }), idr), invalid);
    EXPECT_EQ(kind(changed([](auto& p) { p.log2_diff_max_min_luma_coding_block_size = 0; }), idr), unsupported);
    EXPECT_EQ(kind(changed([](auto& p) { p.log2_min_transform_block_size_minus2 = 1; }), idr), invalid);
    EXPECT_EQ(kind(changed([](auto& p) { p.pic_fields.bits.chroma_format_idc = 2; }), idr), unsupported);
    EXPECT_EQ(kind(changed([](auto& p) { p.bit_depth_luma_minus8 = 2; }), idr), unsupported);
    EXPECT_EQ(kind(changed([](auto& p) { p.num_short_term_ref_pic_sets = 65; }), idr), invalid);
    EXPECT_EQ(kind(changed([](auto& p) { p.log2_max_pic_order_cnt_lsb_minus4 = 13; }), idr), invalid);
    EXPECT_EQ(kind(changed([](auto& p) { p.num_ref_idx_l0_default_active_minus1 = 15; }), idr), invalid);
    EXPECT_EQ(kind(changed([](auto& p) { p.init_qp_minus26 = 26; }), idr), invalid);
    byteOffsetError = 1;
    EXPECT_EQ(kind(parameters(), idr), damaged) << "slice_data_byte_offset";
}

TEST_F(Hevc, ExtensionsAreRefused) {
    test::Client client;
    VAPictureParameterBufferHEVCExtension extended{};
    extended.base = parameters();
    client.input.profile = VAProfileHEVCMain;
    client.input.width = 416;
    client.input.height = 240;
    const BitWriter written = encodeHeader(extended.base, {.type = idrWRadl});
    slice.slice_data_byte_offset = static_cast<uint32_t>(written.size() / 8);
    client.slice(slice, BitWriter(written).bits(0xabcdef, 24).escaped());
    client.picture(extended);
    EXPECT_TRUE(hevcCodec.build(client.input, references, device, state, state));
    extended.rext.range_extension_pic_fields.bits.implicit_rdpcm_enabled_flag = 1;
    client.picture(extended);
    const auto built = hevcCodec.build(client.input, references, device, state, state);
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().kind, ErrorKind::Unsupported);
}

} // namespace
} // namespace v4l2_request::codec

#endif // HAVE_UAPI_HEVC
