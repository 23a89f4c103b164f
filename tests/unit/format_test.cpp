// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <set>

#include "format/pixel_format.h"

namespace v4l2_request {
namespace {

TEST(PixelFormats, EachNameStandsOnce) {
    std::set<uint32_t> v4l2, va;
    for (const PixelFormat& row : pixelFormats) {
        EXPECT_TRUE(!row.v4l2 || v4l2.insert(row.v4l2).second) << row.name;
        EXPECT_TRUE(va.insert(row.va).second) << row.name;
        EXPECT_EQ(findByV4l2(row.v4l2), row.v4l2 ? &row : nullptr);
        EXPECT_EQ(findByVa(row.va), &row);
    }
}

// Documentation/userspace-api/media/v4l/pixfmt-yuv-planar.rst: NV12 chroma follows the luma rows, same bytes per line.
TEST(Layout, Nv12ChromaStartsBehindTheAlignedHeight) {
    const Layout layout = Layout::linear(*findByVa(VA_FOURCC_NV12), 1920, 1088, 1920, 0);
    EXPECT_EQ(layout.offsets[1], 1920u * 1088);
    EXPECT_EQ(layout.pitches[1], 1920u);
    EXPECT_EQ(layout.size, 1920u * 1088 * 3 / 2);
}

TEST(Layout, KeepsWhatTheDeviceHasBehindThePicture) {
    const Layout layout = Layout::linear(*findByVa(VA_FOURCC_NV12), 320, 240, 320, 153600);
    EXPECT_EQ(layout.size, 153600u);
}

TEST(Layout, OddHeightRoundsChromaUp) {
    const Layout layout = Layout::linear(*findByVa(VA_FOURCC_NV12), 17, 15, 64, 0);
    EXPECT_EQ(layout.size, 64u * 15 + 64 * 8);
}

TEST(Layout, PlanesOfTheirOwnHaveHalfThePitch) {
    const Layout layout = Layout::linear(*findByVa(VA_FOURCC_I420), 17, 15, 64, 0);
    EXPECT_EQ(layout.pitches[1], 32u);
    EXPECT_EQ(layout.offsets[2], 64u * 15 + 32 * 8);
    EXPECT_EQ(layout.size, 64u * 15 + 2 * 32 * 8);
}

} // namespace
} // namespace v4l2_request
