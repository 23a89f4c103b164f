// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <numeric>

#include <gtest/gtest.h>

#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec_fixture.h"

namespace v4l2_request::codec {
namespace {

constexpr VASurfaceID target = 10;
constexpr VASurfaceID older = 11;
constexpr VASurfaceID newer = 12;
constexpr int intra = 1;
constexpr int predicted = 2;
constexpr int bidirectional = 3;

VAPictureParameterBufferMPEG2 framePicture(int type = intra) {
    VAPictureParameterBufferMPEG2 picture{};
    picture.horizontal_size = 720;
    picture.vertical_size = 576;
    picture.forward_reference_picture = VA_INVALID_SURFACE;
    picture.backward_reference_picture = VA_INVALID_SURFACE;
    picture.picture_coding_type = type;
    picture.f_code = 0x1234;
    picture.picture_coding_extension.bits.picture_structure = 3;
    picture.picture_coding_extension.bits.frame_pred_frame_dct = 1;
    picture.picture_coding_extension.bits.progressive_frame = 1;
    picture.picture_coding_extension.bits.is_first_field = 1;
    return picture;
}

class Mpeg2 : public testing::Test {
protected:
    Mpeg2() {
        references.timestamps[older] = 1000;
        references.timestamps[newer] = 2000;
    }

    Result<Submission> build(const VAPictureParameterBufferMPEG2& picture,
                             const VAIQMatrixBufferMPEG2* matrices = nullptr, uint32_t row = 0,
                             VASurfaceID surface = target) {
        test::Client& client = clients.emplace_back();
        client.input.profile = profile;
        client.input.target = surface;
        client.input.width = 1920;
        client.input.height = 1088;
        client.picture(picture);
        if (matrices)
            client.iqMatrix(*matrices);
        VASliceParameterBufferMPEG2 slice{};
        slice.slice_vertical_position = row;
        client.slice(slice, {0, 0, 1, static_cast<uint8_t>(row + 1), 0x22});
        return mpeg2Codec.build(client.input, references, {}, state, state);
    }

    template <typename C>
    typename C::Payload control(const VAPictureParameterBufferMPEG2& picture,
                                const VAIQMatrixBufferMPEG2* matrices = nullptr, uint32_t row = 0) {
        const auto submission = build(picture, matrices, row);
        EXPECT_TRUE(submission) << submission.error().message;
        return submission ? submission->jobs.at(0).controls.get<C>() : typename C::Payload{};
    }

    VAProfile profile = VAProfileMPEG2Main;
    test::FakeReferences references;
    std::any state;
    std::deque<test::Client> clients;
};

// ISO/IEC 13818-2 6.3.11, in the order of figure 7-2, as other decoders list it.
constexpr std::array<uint8_t, 64> defaultIntra{
    8,  16, 16, 19, 16, 19, 22, 22, 22, 22, 22, 22, 26, 24, 26, 27, 27, 27, 26, 26, 26, 26,
    27, 27, 27, 29, 29, 29, 34, 34, 34, 29, 29, 29, 27, 27, 29, 29, 32, 32, 34, 34, 37, 38,
    37, 35, 35, 34, 35, 38, 38, 40, 40, 40, 48, 48, 46, 46, 56, 56, 58, 69, 69, 83,
};

TEST_F(Mpeg2, DefaultMatrices) {
    const auto quantisation = control<Mpeg2Quantisation>(framePicture());
    EXPECT_TRUE(std::ranges::equal(quantisation.intra_quantiser_matrix, defaultIntra));
    EXPECT_TRUE(std::ranges::equal(quantisation.chroma_intra_quantiser_matrix, defaultIntra));
    EXPECT_TRUE(std::ranges::all_of(quantisation.non_intra_quantiser_matrix, [](uint8_t v) { return v == 16; }));
    EXPECT_TRUE(std::ranges::all_of(quantisation.chroma_non_intra_quantiser_matrix, [](uint8_t v) { return v == 16; }));
}

// 6.3.11: what is not loaded stays; 4:2:0 chroma uses the luma matrices.
TEST_F(Mpeg2, LoadedMatricesPersist) {
    VAIQMatrixBufferMPEG2 matrices{};
    matrices.load_intra_quantiser_matrix = 1;
    matrices.load_chroma_non_intra_quantiser_matrix = 1; // not allowed in 4:2:0
    std::iota(std::begin(matrices.intra_quantiser_matrix), std::end(matrices.intra_quantiser_matrix), uint8_t{1});
    std::fill(std::begin(matrices.non_intra_quantiser_matrix), std::end(matrices.non_intra_quantiser_matrix), 99);
    std::fill(std::begin(matrices.chroma_non_intra_quantiser_matrix),
              std::end(matrices.chroma_non_intra_quantiser_matrix), 98);
    control<Mpeg2Quantisation>(framePicture(), &matrices);

    const VAIQMatrixBufferMPEG2 nothingLoaded{};
    for (const VAIQMatrixBufferMPEG2* later : {&nothingLoaded, static_cast<const VAIQMatrixBufferMPEG2*>(nullptr)}) {
        const auto quantisation = control<Mpeg2Quantisation>(framePicture(), later);
        EXPECT_TRUE(std::ranges::equal(quantisation.intra_quantiser_matrix, matrices.intra_quantiser_matrix));
        EXPECT_TRUE(std::ranges::equal(quantisation.chroma_intra_quantiser_matrix, matrices.intra_quantiser_matrix));
        EXPECT_EQ(quantisation.non_intra_quantiser_matrix[5], 16);
        EXPECT_EQ(quantisation.chroma_non_intra_quantiser_matrix[5], 16);
    }

    auto otherSequence = framePicture();
    otherSequence.horizontal_size = 704;
    EXPECT_TRUE(std::ranges::equal(control<Mpeg2Quantisation>(otherSequence).intra_quantiser_matrix, defaultIntra));
}

// 6.3.11 forbids a 0, and table B.2 has no macroblock in I pictures that would use the second matrix.
TEST_F(Mpeg2, AZeroInAMatrixIsRefusedOnceItIsUsed) {
    VAIQMatrixBufferMPEG2 matrices{};
    matrices.load_non_intra_quantiser_matrix = 1;
    matrices.non_intra_quantiser_matrix[0] = 16;
    const auto quantisation = control<Mpeg2Quantisation>(framePicture(), &matrices);
    EXPECT_TRUE(std::ranges::equal(quantisation.intra_quantiser_matrix, defaultIntra));
    EXPECT_TRUE(std::ranges::all_of(quantisation.non_intra_quantiser_matrix, [](uint8_t v) { return v == 16; }));
    EXPECT_TRUE(std::ranges::all_of(quantisation.chroma_non_intra_quantiser_matrix, [](uint8_t v) { return v == 16; }));
    EXPECT_FALSE(build(framePicture(predicted))) << "loaded for the picture before";
    EXPECT_FALSE(build(framePicture(predicted), &matrices));
    std::ranges::fill(matrices.non_intra_quantiser_matrix, uint8_t{17});
    EXPECT_EQ(control<Mpeg2Quantisation>(framePicture(predicted), &matrices).non_intra_quantiser_matrix[63], 17);

    matrices = {};
    matrices.load_intra_quantiser_matrix = 1;
    EXPECT_FALSE(build(framePicture(), &matrices));
    EXPECT_TRUE(std::ranges::equal(control<Mpeg2Quantisation>(framePicture()).intra_quantiser_matrix, defaultIntra))
        << "nothing of a picture that was refused is kept";
}

TEST_F(Mpeg2, AFailedPictureLeavesTheStateAlone) {
    VAIQMatrixBufferMPEG2 matrices{};
    matrices.load_intra_quantiser_matrix = 1;
    auto picture = framePicture();
    picture.picture_coding_extension.bits.picture_structure = 0;
    EXPECT_FALSE(build(picture, &matrices));
    EXPECT_FALSE(state.has_value());
}

TEST_F(Mpeg2, Picture) {
    auto parameters = framePicture(bidirectional);
    parameters.forward_reference_picture = older;
    parameters.backward_reference_picture = newer;
    parameters.picture_coding_extension.bits.intra_dc_precision = 2;
    auto picture = control<Mpeg2Picture>(parameters);
    EXPECT_EQ(picture.forward_ref_ts, 1000u);
    EXPECT_EQ(picture.backward_ref_ts, 2000u);
    EXPECT_EQ(picture.f_code[0][0], 1);
    EXPECT_EQ(picture.f_code[0][1], 2);
    EXPECT_EQ(picture.f_code[1][0], 3);
    EXPECT_EQ(picture.f_code[1][1], 4);
    EXPECT_EQ(picture.picture_coding_type, V4L2_MPEG2_PIC_CODING_TYPE_B);
    EXPECT_EQ(picture.picture_structure, V4L2_MPEG2_PIC_FRAME);
    EXPECT_EQ(picture.intra_dc_precision, 2);
    EXPECT_EQ(picture.flags, V4L2_MPEG2_PIC_FLAG_FRAME_PRED_DCT | V4L2_MPEG2_PIC_FLAG_PROGRESSIVE);

    auto& bits = parameters.picture_coding_extension.bits;
    bits.frame_pred_frame_dct = bits.progressive_frame = 0;
    using Bits = decltype(parameters.picture_coding_extension.bits);
    const std::pair<void (*)(Bits&), uint32_t> flags[]{
        {[](Bits& b) { b.top_field_first = 1; }, V4L2_MPEG2_PIC_FLAG_TOP_FIELD_FIRST},
        {[](Bits& b) { b.frame_pred_frame_dct = 1; }, V4L2_MPEG2_PIC_FLAG_FRAME_PRED_DCT},
        {[](Bits& b) { b.concealment_motion_vectors = 1; }, V4L2_MPEG2_PIC_FLAG_CONCEALMENT_MV},
        {[](Bits& b) { b.q_scale_type = 1; }, V4L2_MPEG2_PIC_FLAG_Q_SCALE_TYPE},
        {[](Bits& b) { b.intra_vlc_format = 1; }, V4L2_MPEG2_PIC_FLAG_INTRA_VLC},
        {[](Bits& b) { b.alternate_scan = 1; }, V4L2_MPEG2_PIC_FLAG_ALT_SCAN},
        {[](Bits& b) { b.repeat_first_field = 1; }, V4L2_MPEG2_PIC_FLAG_REPEAT_FIRST},
        {[](Bits& b) { b.progressive_frame = 1; }, V4L2_MPEG2_PIC_FLAG_PROGRESSIVE},
    };
    for (const auto& [set, flag] : flags) {
        auto one = parameters;
        set(one.picture_coding_extension.bits);
        EXPECT_EQ(control<Mpeg2Picture>(one).flags, flag);
    }
}

TEST_F(Mpeg2, References) {
    struct {
        int type;
        VASurfaceID forward, backward;
        uint64_t forwardTs, backwardTs;
    } const table[]{
        {intra, older, newer, noTimestamp, noTimestamp},
        {predicted, older, VA_INVALID_SURFACE, 1000, noTimestamp},
        {predicted, VA_INVALID_SURFACE, VA_INVALID_SURFACE, noTimestamp, noTimestamp},
        {predicted, 77, VA_INVALID_SURFACE, noTimestamp, noTimestamp}, // never decoded
        {predicted, target, VA_INVALID_SURFACE, noTimestamp, noTimestamp},
        {bidirectional, VA_INVALID_SURFACE, newer, 2000, 2000}, // open GOP after a seek
        {bidirectional, older, 77, 1000, 1000},
        {bidirectional, VA_INVALID_SURFACE, VA_INVALID_SURFACE, noTimestamp, noTimestamp},
    };
    for (const auto& row : table) {
        auto parameters = framePicture(row.type);
        parameters.forward_reference_picture = row.forward;
        parameters.backward_reference_picture = row.backward;
        const auto picture = control<Mpeg2Picture>(parameters);
        EXPECT_EQ(picture.forward_ref_ts, row.forwardTs) << row.type << ' ' << row.forward;
        EXPECT_EQ(picture.backward_ref_ts, row.backwardTs) << row.type << ' ' << row.backward;
    }
}

TEST_F(Mpeg2, FieldPairs) {
    auto top = framePicture();
    top.picture_coding_extension.bits.picture_structure = 1;
    auto bottom = framePicture(predicted);
    bottom.picture_coding_extension.bits.picture_structure = 2;
    bottom.picture_coding_extension.bits.is_first_field = 0;

    const auto lonely = build(bottom); // its first field never came
    ASSERT_TRUE(lonely);
    EXPECT_FALSE(lonely->secondField);

    state = std::any();
    ASSERT_TRUE(build(top));
    clients.clear();
    ASSERT_TRUE(build(top, nullptr, 0, older)); // another frame has begun
    const auto late = build(bottom);
    ASSERT_TRUE(late);
    EXPECT_FALSE(late->secondField) << "the first field of this target is not the picture before";

    const auto first = build(top);
    ASSERT_TRUE(first);
    EXPECT_FALSE(first->secondField);
    references.timestamps[target] = 3000;
    const auto second = build(bottom);
    ASSERT_TRUE(second);
    EXPECT_TRUE(second->secondField);
    const auto picture = second->jobs.at(0).controls.get<Mpeg2Picture>();
    EXPECT_EQ(picture.picture_structure, V4L2_MPEG2_PIC_BOTTOM_FIELD);
    EXPECT_EQ(picture.forward_ref_ts, 3000u); // 7.6.2.1: no older frame, so its own first field

    const auto third = build(bottom);
    ASSERT_TRUE(third);
    EXPECT_FALSE(third->secondField);
}

TEST_F(Mpeg2, ProfileAndLevel) {
    struct {
        VAProfile profile;
        uint16_t width, height;
        uint16_t indication;
        uint32_t vbv;
    } const table[]{
        // Table 8-2, 8-3, 8-11, 8-13. MP@ML is 48 in every SD stream there is.
        {VAProfileMPEG2Main, 176, 144, 0x48, 112},   {VAProfileMPEG2Main, 720, 576, 0x48, 112},
        {VAProfileMPEG2Main, 721, 480, 0x46, 448},   {VAProfileMPEG2Main, 1280, 720, 0x46, 448},
        {VAProfileMPEG2Main, 1440, 1080, 0x46, 448}, {VAProfileMPEG2Main, 1920, 1080, 0x44, 597},
        {VAProfileMPEG2Simple, 720, 576, 0x58, 112},
    };
    for (const auto& row : table) {
        profile = row.profile;
        auto picture = framePicture();
        picture.horizontal_size = row.width;
        picture.vertical_size = row.height;
        const auto sequence = control<Mpeg2Sequence>(picture);
        EXPECT_EQ(sequence.horizontal_size, row.width);
        EXPECT_EQ(sequence.vertical_size, row.height);
        EXPECT_EQ(sequence.profile_and_level_indication, row.indication);
        EXPECT_EQ(sequence.vbv_buffer_size, row.vbv);
        EXPECT_EQ(sequence.chroma_format, 1);
    }
}

// 6.3.3 and 6.3.10
TEST_F(Mpeg2, ProgressiveSequence) {
    using Extension = decltype(VAPictureParameterBufferMPEG2::picture_coding_extension);
    struct {
        const char* what;
        void (*change)(Extension&);
        uint32_t row;
        bool progressive;
    } const table[]{
        {"nothing", [](Extension&) {}, 0, true},
        {"interlaced frame", [](Extension& e) { e.bits.progressive_frame = 0; }, 0, false},
        {"field DCT", [](Extension& e) { e.bits.frame_pred_frame_dct = 0; }, 0, false},
        {"field picture", [](Extension& e) { e.bits.picture_structure = 1; }, 0, false},
        {"top field first", [](Extension& e) { e.bits.top_field_first = 1; }, 0, false},
        {"frame doubling", [](Extension& e) { e.bits.repeat_first_field = 1; }, 0, true},
        {"frame tripling", [](Extension& e) { e.bits.repeat_first_field = e.bits.top_field_first = 1; }, 0, true},
        {"a row more than a progressive frame has", [](Extension&) {}, 45, false},
        {"the last row of a progressive frame", [](Extension&) {}, 44, true},
    };
    for (const auto& row : table) {
        state.reset();
        auto picture = framePicture();
        picture.vertical_size = 720; // 45 rows, or 46
        row.change(picture.picture_coding_extension);
        const auto flags = control<Mpeg2Sequence>(picture, nullptr, row.row).flags;
        EXPECT_EQ(flags, row.progressive ? V4L2_MPEG2_SEQ_FLAG_PROGRESSIVE : 0) << row.what;

        picture = framePicture();
        picture.vertical_size = 720;
        EXPECT_EQ(control<Mpeg2Sequence>(picture).flags, flags) << "after " << row.what;
    }
}

TEST_F(Mpeg2, SlicesAreConcatenatedAsTheyAre) {
    test::Client client;
    client.input.target = target;
    client.input.width = 720;
    client.input.height = 576;
    client.picture(framePicture());
    client.slice(VASliceParameterBufferMPEG2{}, {0, 0, 1, 1, 0xaa});
    client.slice(VASliceParameterBufferMPEG2{}, {0, 0, 0, 1, 2, 0xbb});
    const auto submission = mpeg2Codec.build(client.input, references, {}, state, state);
    ASSERT_TRUE(submission);
    ASSERT_EQ(submission->jobs.size(), 1u);
    EXPECT_EQ(test::bytesOf(submission->jobs[0].bitstream),
              (std::vector<uint8_t>{0, 0, 1, 1, 0xaa, 0, 0, 0, 1, 2, 0xbb}));
    EXPECT_EQ(submission->jobs[0].controls.entries().size(), 3u);
}

TEST_F(Mpeg2, TheEndOfTheSequenceIsNotOfTheSlice) {
    test::Client client;
    client.input.target = target;
    client.input.width = 720;
    client.input.height = 576;
    client.picture(framePicture());
    client.slice(VASliceParameterBufferMPEG2{}, {0, 0, 1, 1, 0xaa, 0, 0, 1, 0xb7});
    const auto submission = mpeg2Codec.build(client.input, references, {}, state, state);
    ASSERT_TRUE(submission);
    EXPECT_EQ(test::bytesOf(submission->jobs[0].bitstream), (std::vector<uint8_t>{0, 0, 1, 1, 0xaa}));
}

// ---- Streams as they come ----

class Mpeg2Damaged : public Mpeg2 {
protected:
    Submission submit(const std::vector<std::vector<uint8_t>>& slices,
                      const VAPictureParameterBufferMPEG2& picture = framePicture()) {
        test::Client& client = clients.emplace_back();
        client.input.target = target;
        client.input.width = 1280;
        client.input.height = 720;
        client.picture(picture);
        for (const auto& data : slices)
            client.slice(VASliceParameterBufferMPEG2{}, data);
        auto submission = mpeg2Codec.build(client.input, references, {}, state, state);
        EXPECT_TRUE(submission) << submission.error().message;
        return submission ? std::move(*submission) : Submission{};
    }
    static std::vector<uint8_t> at(uint8_t row, uint8_t data = 0x22) {
        return {0, 0, 1, static_cast<uint8_t>(row + 1), data};
    }
    static std::vector<uint8_t> joined(const std::vector<std::vector<uint8_t>>& slices) {
        std::vector<uint8_t> all;
        for (const auto& slice : slices)
            all.insert(all.end(), slice.begin(), slice.end());
        return all;
    }
};

TEST_F(Mpeg2Damaged, SlicesAreInOrderAndThereOnce) {
    const std::vector<std::vector<uint8_t>> sorted{at(0), at(1), at(1, 0x44), at(2)}; // two slices in a row
    for (const auto& sent :
         {sorted, {at(1), at(1, 0x44), at(0), at(2)}, {at(0), at(1), at(1), at(1, 0x44), at(2), at(2)}}) {
        const Submission submission = submit(sent);
        EXPECT_EQ(test::bytesOf(submission.jobs.at(0).bitstream), joined(sorted));
        EXPECT_FALSE(submission.damaged);
    }
}

TEST_F(Mpeg2Damaged, ASliceThatIsNoneOfThisPictureIsLeftOut) {
    for (const auto& other : std::vector<std::vector<uint8_t>>{at(36), {0, 0, 1, 0xb3, 9}, {0, 0, 1, 0, 9}, {7}}) {
        const Submission submission = submit({at(0), other, at(35)});
        EXPECT_EQ(test::bytesOf(submission.jobs.at(0).bitstream), joined({at(0), at(35)}));
        EXPECT_TRUE(submission.damaged);
    }
    EXPECT_TRUE(submit({at(1)}).damaged) << "the first is missing";
}

TEST_F(Mpeg2Damaged, DamageComesFromWhatThePictureIsPredictedFrom) {
    auto picture = framePicture(bidirectional);
    picture.forward_reference_picture = older;
    picture.backward_reference_picture = newer;
    const Submission whole = submit({at(0)}, picture);
    EXPECT_FALSE(whole.damaged);
    EXPECT_EQ(whole.predictedFrom, (std::pmr::vector<VASurfaceID>{older, newer}));
    EXPECT_TRUE(submit({at(0)}).predictedFrom.empty());
    references.timestamps.erase(older);
    const Submission lost = submit({at(0)}, picture);
    EXPECT_TRUE(lost.damaged);
    EXPECT_EQ(lost.predictedFrom, std::pmr::vector<VASurfaceID>{newer});
    references.timestamps.clear();
    references.latestPicture = 5000;
    const auto last = submit({at(0)}, picture).jobs.at(0).controls.get<Mpeg2Picture>();
    EXPECT_EQ(last.forward_ref_ts, 5000u);
    EXPECT_EQ(last.backward_ref_ts, 5000u);
}

TEST_F(Mpeg2Damaged, ASecondFieldAlone) {
    auto bottom = framePicture();
    bottom.picture_coding_extension.bits.picture_structure = 2;
    bottom.picture_coding_extension.bits.is_first_field = 0;
    const Submission alone = submit({at(0)}, bottom);
    EXPECT_FALSE(alone.firstField) << "nothing is to follow";
    EXPECT_FALSE(alone.secondField);
    EXPECT_TRUE(alone.damaged);
    auto top = framePicture();
    top.picture_coding_extension.bits.picture_structure = 1;
    EXPECT_TRUE(submit({at(0)}, top).firstField) << "it left nothing behind";
    EXPECT_TRUE(submit({at(0)}, top).firstField) << "the second was lost";
    bottom.picture_coding_type = predicted;
    references.timestamps[target] = 3000;
    const Submission second = submit({at(0)}, bottom);
    EXPECT_TRUE(second.secondField);
    EXPECT_FALSE(second.damaged) << "it has its first field";
}

// 720 lines are 45 rows, or 46 of an interlaced frame (6.3.3): each frame shows which.
TEST_F(Mpeg2Damaged, AProgressiveSequenceFollowsAnInterlacedOne) {
    auto picture = framePicture();
    picture.horizontal_size = 1280;
    picture.vertical_size = 720;
    const auto progressive = [&](uint8_t lastRow) {
        const Submission submission = submit({at(0), at(lastRow)}, picture);
        const auto sequence = submission.jobs.at(0).controls.get<Mpeg2Sequence>();
        EXPECT_EQ(submission.codedWidth, 1280u);
        EXPECT_EQ(submission.codedHeight, 720u);
        return sequence.flags != 0;
    };
    EXPECT_TRUE(progressive(44));
    EXPECT_FALSE(progressive(45));
    EXPECT_FALSE(progressive(30)) << "its last slices are missing";
    EXPECT_TRUE(progressive(44));
}

TEST_F(Mpeg2Damaged, TheEndOfASequenceEndsItsMatrices) {
    VAIQMatrixBufferMPEG2 matrices{};
    matrices.load_intra_quantiser_matrix = 1;
    std::ranges::fill(matrices.intra_quantiser_matrix, uint8_t{99});
    ASSERT_TRUE(build(framePicture(), &matrices));
    const auto intraMatrix = [&](const std::vector<uint8_t>& slice) {
        return submit({slice}).jobs.at(0).controls.get<Mpeg2Quantisation>().intra_quantiser_matrix[0];
    };
    EXPECT_EQ(intraMatrix({0, 0, 1, 1, 0x22, 0, 0, 1, 0xb7}), 99);
    EXPECT_EQ(intraMatrix(at(0)), 8);
}

TEST_F(Mpeg2, Refusals) {
    struct {
        const char* what;
        ErrorKind kind;
        void (*change)(VAPictureParameterBufferMPEG2&);
    } const pictures[]{
        {"no width", ErrorKind::InvalidParameter, [](auto& p) { p.horizontal_size = 0; }},
        {"no height", ErrorKind::InvalidParameter, [](auto& p) { p.vertical_size = 0; }},
        {"type 0", ErrorKind::Decoding, [](auto& p) { p.picture_coding_type = 0; }},
        {"type 5", ErrorKind::Decoding, [](auto& p) { p.picture_coding_type = 5; }},
        {"D", ErrorKind::Unsupported, [](auto& p) { p.picture_coding_type = 4; }},
        {"structure", ErrorKind::Decoding, [](auto& p) { p.picture_coding_extension.bits.picture_structure = 0; }},
    };
    for (const auto& row : pictures) {
        auto picture = framePicture();
        row.change(picture);
        const auto submission = build(picture);
        ASSERT_FALSE(submission) << row.what;
        EXPECT_EQ(submission.error().kind, row.kind) << row.what;
    }

    VASliceParameterBufferMPEG2 beyond{};
    beyond.macroblock_offset = 40;
    struct {
        const char* what;
        VASliceParameterBufferMPEG2 parameters;
        std::vector<uint8_t> data;
    } const slices[]{
        {"no data", {}, {}},
        {"no start code", {}, {0xff, 0, 0, 1, 1, 5}},
        {"a picture start code", {}, {0, 0, 1, 0, 5}},
        {"a user data start code", {}, {0, 0, 1, 0xb2, 5}},
        {"half a start code", {}, {0, 0, 1}},
        {"zeros", {}, {0, 0, 0, 0}},
        {"macroblock_offset", beyond, {0, 0, 1, 1, 5}},
    };
    for (const auto& row : slices) {
        test::Client client;
        client.input.target = target;
        client.input.width = 720;
        client.input.height = 576;
        client.picture(framePicture());
        client.slice(row.parameters, row.data);
        const auto submission = mpeg2Codec.build(client.input, references, {}, state, state);
        ASSERT_FALSE(submission) << row.what;
        EXPECT_EQ(submission.error().kind, ErrorKind::Decoding) << row.what; // the stream's fault, not the client's
    }

    test::Client empty;
    empty.input.width = 720;
    empty.input.height = 576;
    EXPECT_FALSE(mpeg2Codec.build(empty.input, references, {}, state, state)) << "no picture parameters";
    empty.picture(framePicture());
    EXPECT_FALSE(mpeg2Codec.build(empty.input, references, {}, state, state)) << "no slices";
    empty.input.iqMatrix = empty.input.picture.first(4);
    EXPECT_FALSE(mpeg2Codec.build(empty.input, references, {}, state, state)) << "a short matrix buffer";
    empty.input.iqMatrix = {};
    empty.input.slices.push_back({empty.input.picture.first(4), empty.input.picture});
    EXPECT_FALSE(mpeg2Codec.build(empty.input, references, {}, state, state)) << "short slice parameters";
}

} // namespace
} // namespace v4l2_request::codec
