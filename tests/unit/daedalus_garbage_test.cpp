// SPDX-License-Identifier: MIT
//
// Damaged jobs: whatever a client sends, the daemon answers with pixels or an error, and lives.
#include <random>

#include <gtest/gtest.h>

#include "daedalus_h264_client.h"

namespace daedalus::test {
namespace {

void damage(std::vector<uint8_t>& bytes, std::mt19937& random) {
    if (bytes.empty())
        return;
    for (unsigned i = 1 + random() % 4; i > 0; --i)
        bytes[random() % bytes.size()] = static_cast<uint8_t>(random());
}

class H264Garbage : public testing::TestWithParam<const char*> {};

TEST_P(H264Garbage, IsSurvived) {
    const auto path = vectorsFolder() / "h264" / GetParam();
    if (vectorsFolder().empty() || !std::filesystem::exists(path))
        GTEST_SKIP() << "no folder of streams (V4L2_REQUEST_VECTORS) with " << GetParam();
    const auto bytes = readFile(path);
    const Stream stream = walk(bytes);
    ASSERT_TRUE(stream.refused.empty());
    size_t answered = 0;
    for (unsigned seed = 0; seed < 12; ++seed) {
        std::mt19937 random(seed);
        H264Client client(seed % 2 ? Mode::SliceBased : Mode::FrameBased);
        client.tamper = [&](const StreamPicture&, Job& job) {
            // Sizes stay sane: a picture of 4 gigapixels would only test the patience of libavcodec's allocator.
            if (random() % 3 == 0)
                damage(job.controls[1 + random() % (job.controls.size() - 1)].payload, random);
            if (random() % 16 == 0)
                job.controls[random() % job.controls.size()].payload.resize(random() % 300);
            if (random() % 16 == 0)
                job.header.flags = static_cast<uint32_t>(random());
        };
        for (size_t i = 0; i < stream.pictures.size() && i < 40; ++i) {
            StreamPicture picture = stream.pictures[i];
            std::vector<std::vector<uint8_t>> copies;
            for (StreamSlice& slice : picture.slices) {
                copies.emplace_back(slice.nal.begin(), slice.nal.end());
                if (random() % 4 == 0)
                    damage(copies.back(), random);
                if (random() % 8 == 0)
                    copies.back().resize(random() % (copies.back().size() + 1));
                slice.nal = copies.back();
            }
            (void)client.decode(picture, random() % 8 == 0);
            ++answered;
        }
        EXPECT_EQ(client.buffers.open, 0);
    }
    EXPECT_GT(answered, 0u);
}

INSTANTIATE_TEST_SUITE_P(Streams, H264Garbage,
                         testing::Values("bbb_avc_176x144_300kbps_60fps.h264", "cros_test-25fps.h264",
                                         "FRExt4_Panasonic.avc", "MR1_BT_A.h264", "CVPCMNL1_SVA_C.264"),
                         [](const testing::TestParamInfo<const char*>& test) {
                             std::string name = test.param;
                             for (char& letter : name) {
                                 if (!std::isalnum(static_cast<unsigned char>(letter)))
                                     letter = '_';
                             }
                             return name;
                         });

} // namespace
} // namespace daedalus::test
