// SPDX-License-Identifier: MIT
//
// Real streams, walked into controls and decoded from them, against libavcodec decoding the stream itself.
#include <gtest/gtest.h>

#include "daedalus_h264_client.h"

namespace daedalus::test {
namespace {

struct Case {
    std::string file;
    Mode mode;
};

std::vector<Case> cases() {
    std::vector<Case> all;
    const auto folder = vectorsFolder();
    if (folder.empty() || !std::filesystem::is_directory(folder / "h264"))
        return all;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "h264")) {
        const std::string extension = entry.path().extension();
        if (extension != ".264" && extension != ".h264" && extension != ".avc" && extension != ".jsv")
            continue; // containers are the business of the guest's sweep
        for (const Mode mode : {Mode::FrameBased, Mode::SliceBased})
            all.push_back({entry.path().filename(), mode});
    }
    std::sort(all.begin(), all.end(),
              [](const Case& a, const Case& b) { return std::tie(a.file, a.mode) < std::tie(b.file, b.mode); });
    return all;
}

class H264Streams : public testing::TestWithParam<Case> {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(H264Streams);

TEST_P(H264Streams, PixelsEqualSoftware) {
    const auto bytes = readFile(vectorsFolder() / "h264" / GetParam().file);
    const Stream stream = walk(bytes);
    if (!stream.refused.empty())
        GTEST_SKIP() << "not for this walker: " << stream.refused;
    ASSERT_FALSE(stream.pictures.empty());
    if (stream.pictures.front().sps.bit_depth_luma_minus8 || stream.pictures.front().sps.chroma_format_idc > 1)
        GTEST_SKIP() << "not 4:2:0 of 8 bits";
    Comparison comparison(decodeInSoftware(AV_CODEC_ID_H264, stream.accessUnits));

    H264Client client(GetParam().mode);
    for (size_t i = 0; i < stream.pictures.size(); ++i) {
        const StreamPicture& picture = stream.pictures[i];
        const bool more = i + 1 < stream.pictures.size() && stream.pictures[i + 1].frame == picture.frame;
        const auto done = client.decode(picture, more);
        if (!done)
            comparison.failed(picture.frame, done.error());
        else if (!more)
            comparison.decoded(picture.frame, [&](unsigned width, unsigned height) {
                return cropped(client.pixels(picture.frame), H264Client::formatOf(picture.sps), picture.cropLeft,
                               picture.cropTop, width, height);
            });
    }
    // Streams with lost slices or frames: libavcodec conceals, and an oracle must not. Not crashing is the test.
    for (const char* lossy : {"BA_MW_D_P_LOST.264", "Error_I_P.264"}) {
        if (GetParam().file == lossy)
            return;
    }
    comparison.expectEqual();
    EXPECT_EQ(client.buffers.open, 0);
    RecordProperty("frames", static_cast<int>(comparison.compared()));
}

std::string nameOf(const testing::TestParamInfo<Case>& test) {
    return identifier(test.param.file + (test.param.mode == Mode::SliceBased ? "_slices" : "_frames"));
}

// A client may take a picture of which the device expects more: after a flush, or because it goes on with another one.
TEST(H264Held, PicturesAreStoredWhenTheyAreTaken) {
    const auto fixtures = std::filesystem::path(__FILE__).parent_path() / "../../fixtures/h264";
    const auto bytes = readFile(fixtures / "slices-4.h264");
    const Stream stream = walk(bytes);
    const auto expected = decodeInSoftware(AV_CODEC_ID_H264, stream.accessUnits);
    H264Client client(Mode::SliceBased);
    for (const StreamPicture& picture : stream.pictures) {
        ASSERT_TRUE(client.decode(picture, true)); // the last slice is held like the others
        const auto pixels = [&] {
            return cropped(client.pixels(picture.frame), H264Client::formatOf(picture.sps), picture.cropLeft,
                           picture.cropTop, expected.at(picture.frame).width, expected.at(picture.frame).height);
        };
        EXPECT_NE(pixels(), expected.at(picture.frame));
        const Finish finish{.id = 1, .instance = 1, .capture = client.cookieOfFrame[picture.frame]};
        EXPECT_TRUE(client.dispatcher.finish(finish));
        EXPECT_EQ(pixels(), expected.at(picture.frame));
        EXPECT_TRUE(client.dispatcher.finish(finish)) << "there is nothing left to do";
    }
}

INSTANTIATE_TEST_SUITE_P(Vectors, H264Streams, testing::ValuesIn(cases()), nameOf);

} // namespace
} // namespace daedalus::test
