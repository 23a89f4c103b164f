// SPDX-License-Identifier: MIT
//
// Damage as hardware has it: what can be decoded is there, and the error is told. A control that is wrong is another
// matter.
#include <random>

#include <gtest/gtest.h>

#include "daedalus_h264_client.h"

namespace daedalus::test {
namespace {

const auto fixtures = std::filesystem::path(__FILE__).parent_path() / "../../fixtures";

struct Case {
    const char* file;
    AVCodecID codec;
    unsigned
        least; ///< so often, of 16 times, libavcodec notices damage: seldom where any bytes are a picture (CABAC, VPx)
};

/// The access units of an elementary stream, as libavcodec's parser has them, or the frames of an IVF file.
std::vector<std::vector<uint8_t>> unitsOf(const Case& stream) {
    const auto bytes = readFile(fixtures / stream.file);
    std::vector<std::vector<uint8_t>> units;
    if (std::string(stream.file).ends_with(".ivf")) {
        for (size_t at = 32; at + 12 <= bytes.size();) {
            const size_t size = bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16;
            units.emplace_back(bytes.begin() + static_cast<ptrdiff_t>(at + 12),
                               bytes.begin() + static_cast<ptrdiff_t>(at + 12 + size));
            at += 12 + size;
        }
        return units;
    }
    const AvContext context(avcodec_alloc_context3(avcodec_find_decoder(stream.codec)));
    AVCodecParserContext* parser = av_parser_init(stream.codec);
    std::vector<uint8_t> padded(bytes);
    padded.resize(bytes.size() + AV_INPUT_BUFFER_PADDING_SIZE, 0);
    for (size_t at = 0;;) {
        uint8_t* unit = nullptr;
        int size = 0;
        const auto left = static_cast<int>(bytes.size() - at);
        const int used = av_parser_parse2(parser, context.get(), &unit, &size, padded.data() + at, left, 0, 0, 0);
        at += static_cast<size_t>(used);
        if (size)
            units.emplace_back(unit, unit + size);
        else if (left == 0)
            break;
    }
    av_parser_close(parser);
    return units;
}

class Damaged : public testing::TestWithParam<Case> {};

TEST_P(Damaged, EachPictureIsThere) {
    const auto good = unitsOf(GetParam());
    ASSERT_GE(good.size(), 6u);
    unsigned told = 0;
    for (unsigned seed = 0; seed < 8; ++seed) {
        std::mt19937 random(seed);
        auto decoder = PictureDecoder::create(GetParam().codec);
        ASSERT_TRUE(decoder);
        for (size_t i = 0; i < good.size(); ++i) {
            auto unit = good[i];
            const bool hurt = i == 3 || i == 5;
            // Behind the headers: the damage is in what is decoded.
            for (size_t at = unit.size() / 2; hurt && at < unit.size() / 2 + 12; ++at)
                unit[at] = static_cast<uint8_t>(random());
            const auto decoded = (*decoder)->decode(unit, PictureDecoder::Expect::Frame);
            ASSERT_TRUE(decoded) << "picture " << i << ", seed " << seed << ": " << decoded.error().message;
            ASSERT_TRUE(decoded->frame->data[0]);
            const bool damaged = decoded->damage || decoded->missingBlocks;
            EXPECT_TRUE(i >= 3 || !damaged) << "picture " << i << (decoded->damage ? decoded->damage->message : "");
            told += hurt && damaged ? 1 : 0;
        }
    }
    EXPECT_GE(told, GetParam().least) << "of 16";
}

INSTANTIATE_TEST_SUITE_P(
    Codecs, Damaged,
    testing::Values(Case{"h264/main.h264", AV_CODEC_ID_H264, 6}, Case{"h264/main-b-cavlc.h264", AV_CODEC_ID_H264, 6},
                    Case{"hevc/p.h265", AV_CODEC_ID_HEVC, 1}, Case{"mpeg2/ipb.m2v", AV_CODEC_ID_MPEG2VIDEO, 6},
                    Case{"vp8/plain.ivf", AV_CODEC_ID_VP8, 0}, Case{"vp9/plain.ivf", AV_CODEC_ID_VP9, 0}),
    [](const auto& test) { return identifier(test.param.file); });

TEST(DamagedPicture, LooksLikeTheOneBeforeWhereNobodyHasWritten) {
    const auto bytes = readFile(fixtures / "h264/slices-4.h264");
    const Stream stream = walk(bytes);
    H264Client client(Mode::FrameBased);
    ASSERT_TRUE(client.decode(stream.pictures[0], false));
    StreamPicture second = stream.pictures[1];
    ASSERT_EQ(second.slices.size(), 4u);
    second.slices.pop_back();
    EXPECT_FALSE(client.decode(second, false));
    const auto format = H264Client::formatOf(second.sps);
    const auto before = client.pixels(stream.pictures[0].frame), now = client.pixels(second.frame);
    const size_t last = static_cast<size_t>(format.bytesperline) * (format.height - 8);
    EXPECT_TRUE(std::equal(now.begin() + static_cast<ptrdiff_t>(last),
                           now.begin() + static_cast<ptrdiff_t>(last + format.width - 64),
                           before.begin() + static_cast<ptrdiff_t>(last)));
}

/// The second picture, an inter picture, with a job that is changed: the outcome, and whether the buffer was written.
std::pair<Result<void>, bool> decodeSecond(Mode mode, const std::function<void(Job&)>& change) {
    const auto bytes = readFile(fixtures / "h264/main.h264");
    const Stream stream = walk(bytes);
    H264Client client(mode);
    client.tamper = [&](const StreamPicture& picture, Job& job) {
        if (picture.frame == 1)
            change(job);
    };
    EXPECT_TRUE(client.decode(stream.pictures[0], false));
    auto done = client.decode(stream.pictures[1], false);
    const auto pixels = client.pixels(stream.pictures[1].frame);
    const bool written = std::any_of(pixels.begin(), pixels.begin() + 16, [](uint8_t byte) { return byte != 0x11; });
    return {std::move(done), written};
}

class References : public testing::TestWithParam<Mode> {};

TEST_P(References, ThatAreMissingOrDamagedAreToldAndThePictureIsThere) {
    const std::function<void(Job&)> changes[] = {
        [](Job&) {},
        [](Job& job) { job.frames.at(0).error = 1; },
        [](Job& job) { job.frames.clear(); },
    };
    for (const auto& change : changes) {
        const bool good = &change == &changes[0];
        const auto [strict, written] = decodeSecond(GetParam(), change);
        EXPECT_EQ(strict.has_value(), good);
        EXPECT_TRUE(written);
        const auto [lenient, writtenToo] = decodeSecond(GetParam(), [&](Job& job) {
            change(job);
            job.header.flags |= DAEDALUS_JOB_LENIENT;
        });
        EXPECT_TRUE(lenient) << lenient.error().message;
        EXPECT_TRUE(writtenToo);
    }
}

/// A stream that is joined in the middle: each picture is predicted from what there is, beginning with grey, as
/// hardware predicts from whatever is in memory, and a picture that needs no other is right.
TEST_P(References, ThatThereNeverWereAreGrey) {
    const auto bytes = readFile(fixtures / "h264/main.h264");
    const Stream stream = walk(bytes);
    const StreamPicture& first = stream.pictures[0];
    H264Client good(GetParam());
    ASSERT_TRUE(good.decode(first, false));
    for (const bool lenient : {false, true}) {
        H264Client client(GetParam());
        client.tamper = [&](const StreamPicture&, Job& job) { job.header.flags |= lenient ? DAEDALUS_JOB_LENIENT : 0; };
        for (const size_t joined : {1, 2, 3}) {
            const StreamPicture& picture = stream.pictures[joined];
            const auto done = client.decode(picture, false);
            // Those behind the first one may name no other picture than it.
            EXPECT_TRUE(joined > 1 || done.has_value() == lenient);
            EXPECT_TRUE(done || done.error().code == ENODATA) << done.error().message;
            const auto pixels = client.pixels(picture.frame);
            const auto [least, most] =
                std::minmax_element(pixels.begin(), pixels.begin() + picture.sps.pic_width_in_mbs_minus1 * 16);
            EXPECT_LT(*least, *most) << "it has its own residual";
        }
        EXPECT_TRUE(client.decode(first, false));
        EXPECT_TRUE(std::ranges::equal(client.pixels(first.frame), good.pixels(first.frame)));
    }
}

TEST_P(References, AControlThatIsWrongMakesNoPicture) {
    const auto [done, written] = decodeSecond(GetParam(), [](Job& job) {
        for (Control& control : job.controls) {
            if (control.id == V4L2_CID_STATELESS_H264_DECODE_PARAMS)
                reinterpret_cast<v4l2_ctrl_h264_decode_params*>(control.payload.data())->frame_num ^= 1;
        }
    });
    EXPECT_FALSE(done);
    EXPECT_FALSE(written);
}

/// Whatever libavcodec made of a slice that ends in its header, or soon behind it: a picture that needs no other is
/// right.
TEST_P(References, SlicesThatEndAnywhereLeaveNoTrace) {
    for (const char* file : {"h264/baseline.h264", "h264/main.h264"}) {
        const auto bytes = readFile(fixtures / file);
        const Stream stream = walk(bytes);
        const StreamPicture& first = stream.pictures[0];
        H264Client good(GetParam());
        ASSERT_TRUE(good.decode(first, false));
        H264Client client(GetParam());
        for (size_t length = 1; length < 40; ++length) {
            for (size_t i = 0; i < 3; ++i)
                ASSERT_TRUE(client.decode(stream.pictures[i], false)) << file << ", " << length;
            StreamPicture cut = stream.pictures[3];
            cut.slices[0].nal = cut.slices[0].nal.first(std::min(length, cut.slices[0].nal.size()));
            (void)client.decode(cut, false);
            ASSERT_TRUE(client.decode(first, false));
            ASSERT_TRUE(std::ranges::equal(client.pixels(first.frame), good.pixels(first.frame)))
                << file << ", " << length;
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Modes, References, testing::Values(Mode::FrameBased, Mode::SliceBased),
                         [](const auto& test) { return test.param == Mode::FrameBased ? "frames" : "slices"; });

} // namespace
} // namespace daedalus::test
