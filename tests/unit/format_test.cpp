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
        EXPECT_EQ(findByV4l2(row.v4l2), row.v4l2 ? &row : nullptr);
    }
    for (const PixelFormat* row : clientFormats) {
        EXPECT_TRUE(va.insert(row->va).second) << row->name;
        EXPECT_EQ(findByVa(row->va), row);
        EXPECT_EQ(row->modifier, DRM_FORMAT_MOD_LINEAR) << row->name;
    }
}

TEST(PixelFormats, WhatIsNotLinearIsReadAsSomethingThatIs) {
    for (const PixelFormat& row : pixelFormats) {
        const PixelFormat* client = findByVa(row.va);
        ASSERT_TRUE(client) << row.name;
        EXPECT_TRUE(client->linear()) << row.name;
        EXPECT_EQ(client->bitDepth, row.bitDepth) << row.name;
        EXPECT_EQ(client->rt, row.rt) << row.name;
        EXPECT_EQ(client->planeCount, row.planeCount) << row.name;
        EXPECT_LE(client, &row) << row.name << " stands before the format that needs no conversion";
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

// What real drivers answered: the size and the bytes per line, the offset of chroma in the same driver's source.
TEST(Layout, OfDevices) {
    struct Answer {
        uint32_t fourcc, width, height, bytesperline, sizeimage;
        uint32_t chroma, size;
    };
    constexpr Answer answers[] = {
        // rkvdec: 128 bytes per macroblock behind the picture
        {V4L2_PIX_FMT_NV12, 320, 240, 320, 153600, 320 * 240, 153600},
        {V4L2_PIX_FMT_NV15, 320, 240, 400, 182400, 400 * 240, 182400},
        // cedrus: a row of tiles more in chroma than it needs
        {V4L2_PIX_FMT_NV12_32L32, 320, 256, 320, 320 * 256 + 320 * 128, 320 * 256, 320 * 256 + 320 * 128},
        {V4L2_PIX_FMT_NV12_32L32, 320, 224, 320, 320 * 224 + 320 * 128, 320 * 224, 320 * 224 + 320 * 128},
        // hantro G2
        {V4L2_PIX_FMT_NV12_4L4, 320, 256, 320, 0, 320 * 256, 320 * 256 * 3 / 2},
        {V4L2_PIX_FMT_NV15_4L4, 320, 256, 400, 0, 320 * 256 * 10 / 8, 320 * 256 * 15 / 8},
        {V4L2_PIX_FMT_P010, 320, 256, 640, 0, 640 * 256, 640 * 256 * 3 / 2},
        // the Raspberry Pi: bytesperline counts the rows of a column
        {V4L2_PIX_FMT_NV12_COL128, 384, 240, 360, 384 * 360, 128 * 240, 384 * 360},
        {V4L2_PIX_FMT_NV12_10_COL128, 384, 240, 360, 4 * 128 * 360, 128 * 240, 4 * 128 * 360},
    };
    for (const Answer& answer : answers) {
        const PixelFormat* format = findByV4l2(answer.fourcc);
        ASSERT_TRUE(format);
        const auto layout =
            Layout::ofDevice(*format, answer.width, answer.height, answer.bytesperline, answer.sizeimage);
        ASSERT_TRUE(layout) << format->name;
        EXPECT_EQ(layout->offsets[1], answer.chroma) << format->name;
        EXPECT_EQ(layout->size, answer.size) << format->name;
    }
}

// MediaTek's luma and chroma have memory of their own, which is mapped behind that of luma.
TEST(Layout, OfTwoPieces) {
    const PixelFormat& mm21 = *findByV4l2(V4L2_PIX_FMT_MM21);
    constexpr uint32_t luma = 192 * 160, page = 4096, second = (luma + page - 1) / page * page;
    const auto layout = Layout::ofDevice(mm21, 192, 160, 192, second + luma / 2, second);
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->offsets[1], second);
    EXPECT_EQ(layout->size, second + luma / 2);
    EXPECT_FALSE(Layout::ofDevice(mm21, 192, 160, 192, luma + luma / 2, luma - page)) << "luma reaches into chroma";
    EXPECT_FALSE(layout->serves(*Layout::ofDevice(mm21, 192, 160, 192, luma + luma / 2)));
}

TEST(Layout, RefusesRowsThatThePictureDoesNotFit) {
    constexpr struct {
        uint32_t fourcc, width, height, bytesperline;
    } answers[] = {
        {V4L2_PIX_FMT_NV12, 320, 240, 319},        {V4L2_PIX_FMT_P010, 320, 240, 638},
        {V4L2_PIX_FMT_NV15, 320, 240, 399},        {V4L2_PIX_FMT_NV12_32L32, 320, 240, 288},
        {V4L2_PIX_FMT_NV12_32L32, 300, 240, 300},  {V4L2_PIX_FMT_NV15_4L4, 320, 240, 320},
        {V4L2_PIX_FMT_NV12_COL128, 320, 240, 320}, {V4L2_PIX_FMT_NV12, 65535, 65535, 65535},
    };
    for (const auto& answer : answers) {
        const PixelFormat* format = findByV4l2(answer.fourcc);
        EXPECT_FALSE(Layout::ofDevice(*format, answer.width, answer.height, answer.bytesperline, 0)) << format->name;
    }
    EXPECT_TRUE(Layout::ofDevice(*findByV4l2(V4L2_PIX_FMT_NV12_COL128), 320, 240, 360, 0));
}

} // namespace
} // namespace v4l2_request
