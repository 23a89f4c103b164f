// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <vector>

#include "readback/convert.h"

namespace v4l2_request::readback {
namespace {

using Bytes = std::vector<uint8_t>;

// A picture of its own memory, filled with one value, rows three bytes longer than they need be.
struct Picture {
    const PixelFormat& format;
    std::array<Bytes, 3> memory;
    Planes planes;

    Picture(uint32_t fourcc, uint32_t width, uint32_t height, uint8_t value) : format(*findByVa(fourcc)) {
        for (unsigned i = 0; i < format.planeCount; i++) {
            const PixelFormat::Plane& plane = format.planes[i];
            planes.pitches[i] = (width + plane.horizontal - 1) / plane.horizontal * plane.bytes + 3;
            memory[i].assign(size_t{planes.pitches[i]} * ((height + plane.vertical - 1) / plane.vertical), value);
            planes.data[i] = memory[i].data();
        }
    }
};

void convert(const Picture& from, const Picture& to, uint32_t width, uint32_t height) {
    const auto routine = findConversion(from.format, to.format);
    ASSERT_TRUE(routine);
    routine(from.format, from.planes, to.planes, width, height);
}

TEST(Conversion, SameFormatLeavesTheBytesBetweenRowsAlone) {
    const Picture from(VA_FOURCC_NV12, 3, 3, 1), to(VA_FOURCC_NV12, 3, 3, 9);
    convert(from, to, 3, 3);
    EXPECT_EQ(to.memory[0], Bytes({1, 1, 1, 9, 9, 9, 1, 1, 1, 9, 9, 9, 1, 1, 1, 9, 9, 9}));
    EXPECT_EQ(to.memory[1], Bytes({1, 1, 1, 1, 9, 9, 9, 1, 1, 1, 1, 9, 9, 9}));
}

// The names of the formats tell the order of the planes: I420 is Y, Cb, Cr and YV12 is Y, Cr, Cb.
TEST(Conversion, ChromaOfNv12IsSplit) {
    Picture from(VA_FOURCC_NV12, 3, 1, 0);
    from.memory[0] = {10, 11, 12, 0, 0, 0};
    from.memory[1] = {20, 30, 21, 31, 0, 0, 0};
    from.planes.data = {from.memory[0].data(), from.memory[1].data(), nullptr};
    const Picture i420(VA_FOURCC_I420, 3, 1, 9), yv12(VA_FOURCC_YV12, 3, 1, 9);
    convert(from, i420, 3, 1);
    EXPECT_EQ(i420.memory[0], Bytes({10, 11, 12, 9, 9, 9}));
    EXPECT_EQ(i420.memory[1], Bytes({20, 21, 9, 9, 9}));
    EXPECT_EQ(i420.memory[2], Bytes({30, 31, 9, 9, 9}));
    convert(from, yv12, 3, 1);
    EXPECT_EQ(yv12.memory[1], i420.memory[2]);
    EXPECT_EQ(yv12.memory[2], i420.memory[1]);
}

// 10 bits in the high ones of 16, the low byte first.
TEST(Conversion, TenBitsAreRounded) {
    Picture from(VA_FOURCC_P010, 3, 1, 0);
    // 4 * 16 + 1, + 2, and the largest
    from.memory[0] = {0x40, 0x10, 0x80, 0x10, 0xc0, 0xff, 0, 0, 0};
    from.memory[1] = {0, 0x20, 0, 0x30, 0, 0x21, 0, 0x31, 0, 0, 0};
    from.planes.data = {from.memory[0].data(), from.memory[1].data(), nullptr};
    const Picture nv12(VA_FOURCC_NV12, 3, 1, 9), i420(VA_FOURCC_I420, 3, 1, 9), yv12(VA_FOURCC_YV12, 3, 1, 9);
    convert(from, nv12, 3, 1);
    EXPECT_EQ(nv12.memory[0], Bytes({16, 17, 255, 9, 9, 9}));
    EXPECT_EQ(nv12.memory[1], Bytes({0x20, 0x30, 0x21, 0x31, 9, 9, 9}));
    convert(from, i420, 3, 1);
    EXPECT_EQ(i420.memory[0], nv12.memory[0]);
    EXPECT_EQ(i420.memory[1], Bytes({0x20, 0x21, 9, 9, 9}));
    EXPECT_EQ(i420.memory[2], Bytes({0x30, 0x31, 9, 9, 9}));
    convert(from, yv12, 3, 1);
    EXPECT_EQ(yv12.memory[1], i420.memory[2]);
    EXPECT_EQ(yv12.memory[2], i420.memory[1]);
    const Picture wide(VA_FOURCC_P010, 3, 1, 9);
    convert(nv12, wide, 3, 1);
    EXPECT_EQ(wide.memory[0], Bytes({0, 16, 0, 17, 0, 255, 9, 9, 9}));
    EXPECT_EQ(wide.memory[1], Bytes({0, 0x20, 0, 0x30, 0, 0x21, 0, 0x31, 9, 9, 9}));
}

TEST(Conversion, ThereAndBackIsTheSame) {
    for (const uint32_t fourcc : {VA_FOURCC_I420, VA_FOURCC_YV12})
        for (const auto& [width, height] :
             std::initializer_list<std::pair<uint32_t, uint32_t>>{{1, 1}, {2, 2}, {3, 5}, {64, 64}, {177, 145}}) {
            const Picture from(VA_FOURCC_NV12, width, height, 0), between(fourcc, width, height, 9);
            const Picture back(VA_FOURCC_NV12, width, height, 0);
            for (const unsigned i : {0u, 1u}) {
                const uint32_t columns = from.planes.pitches[i] - 3;
                for (size_t at = 0; at < from.memory[i].size(); at++)
                    if (at % from.planes.pitches[i] < columns)
                        from.planes.data[i][at] = static_cast<uint8_t>(at * 37 + i);
            }
            convert(from, between, width, height);
            convert(between, back, width, height);
            EXPECT_EQ(from.memory, back.memory) << width << "x" << height;
        }
}

TEST(Conversion, OfFormatsThatHaveNone) {
    EXPECT_FALSE(findConversion(*findByVa(VA_FOURCC_I420), *findByVa(VA_FOURCC_YV12)));
}

} // namespace
} // namespace v4l2_request::readback
