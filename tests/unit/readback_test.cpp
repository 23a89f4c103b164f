// SPDX-License-Identifier: MIT
// Pictures are put into memory here sample by sample, as the kernel's documentation of each format says, and have to
// come out of it as they went in.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>
#include <vector>

#include <libyuv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "format/pixel_format.h"
#include "readback/picture.h"

namespace v4l2_request {
namespace {

// Memory that ends where nothing may be read.
class FencedMemory {
public:
    explicit FencedMemory(size_t size) : size_(size) {
        const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
        length_ = (size + page - 1) / page * page + page;
        void* map = mmap(nullptr, length_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        EXPECT_NE(map, MAP_FAILED);
        base_ = static_cast<uint8_t*>(map);
        EXPECT_EQ(mprotect(base_ + length_ - page, page, PROT_NONE), 0);
        start_ = base_ + length_ - page - size;
    }
    FencedMemory(const FencedMemory&) = delete;
    FencedMemory& operator=(const FencedMemory&) = delete;
    ~FencedMemory() { munmap(base_, length_); }
    std::span<uint8_t> bytes() const { return {start_, size_}; }

private:
    size_t size_, length_;
    uint8_t* base_;
    uint8_t* start_;
};

// One sample, somewhere in the memory of a plane: `column` counts samples, Cb and Cr in turn for chroma.
using Put =
    std::function<void(std::span<uint8_t> memory, unsigned plane, uint32_t column, uint32_t row, unsigned value)>;

struct Case {
    const char* name;
    uint32_t fourcc;
    uint32_t width, height, bytesperline; // as a device answers
    uint32_t size;                        // of all planes, by the documentation
    Put put;
};

// `count` bits of a little-endian stream of bits.
void putBits(std::span<uint8_t> memory, size_t at, unsigned count, unsigned value) {
    for (unsigned bit = 0; bit < count; bit++)
        if (value >> bit & 1)
            memory[(at + bit) / 8] = static_cast<uint8_t>(memory[(at + bit) / 8] | 1u << (at + bit) % 8);
}

// The number of the tile, then the place within it.
size_t inTile(uint32_t byte, uint32_t row, uint32_t pitch, uint32_t tileWidth, uint32_t tileHeight) {
    const size_t tile = size_t{row / tileHeight} * (pitch / tileWidth) + byte / tileWidth;
    return tile * tileWidth * tileHeight + row % tileHeight * tileWidth + byte % tileWidth;
}

Put tiled(size_t chroma, uint32_t pitch, uint32_t tileWidth, uint32_t lumaRows, uint32_t chromaRows) {
    return [=](std::span<uint8_t> memory, unsigned plane, uint32_t column, uint32_t row, unsigned value) {
        memory[(plane ? chroma : 0) + inTile(column, row, pitch, tileWidth, plane ? chromaRows : lumaRows)] =
            static_cast<uint8_t>(value);
    };
}

const Case cases[] = {
    {"NV12", V4L2_PIX_FMT_NV12, 176, 66, 192, 192 * 66 + 192 * 33,
     [](std::span<uint8_t> memory, unsigned plane, uint32_t column, uint32_t row, unsigned value) {
         memory[(plane ? 192 * 66 : 0) + row * 192 + column] = static_cast<uint8_t>(value);
     }},
    {"P010", V4L2_PIX_FMT_P010, 176, 66, 384, 384 * 66 + 384 * 33,
     [](std::span<uint8_t> memory, unsigned plane, uint32_t column, uint32_t row, unsigned value) {
         const size_t at = (plane ? 384 * 66 : 0) + row * 384 + column * 2;
         memory[at] = static_cast<uint8_t>(value << 6);
         memory[at + 1] = static_cast<uint8_t>(value >> 2);
     }},
    // a width that no group of four divides
    {"NV15", V4L2_PIX_FMT_NV15, 178, 66, 256, 256 * 66 + 256 * 33,
     [](std::span<uint8_t> memory, unsigned plane, uint32_t column, uint32_t row, unsigned value) {
         putBits(memory.subspan((plane ? 256 * 66 : 0) + row * 256), size_t{column} * 10, 10, value);
     }},
    {"NV12_32L32", V4L2_PIX_FMT_NV12_32L32, 352, 96, 352, 352 * 96 + 352 * 64, tiled(352 * 96, 352, 32, 32, 32)},
    {"NV12_4L4", V4L2_PIX_FMT_NV12_4L4, 176, 72, 176, 176 * 72 + 176 * 36, tiled(176 * 72, 176, 4, 4, 4)},
    {"MM21", V4L2_PIX_FMT_MM21, 336, 96, 336, 336 * 96 + 336 * 48, tiled(336 * 96, 336, 16, 32, 16)},
    // 4x4 samples are 20 bytes, one row after the other
    {"NV15_4L4", V4L2_PIX_FMT_NV15_4L4, 176, 72, 220, 220 * 72 + 220 * 36,
     [](std::span<uint8_t> memory, unsigned plane, uint32_t column, uint32_t row, unsigned value) {
         const size_t tile = size_t{row / 4} * (176 / 4) + column / 4;
         putBits(memory.subspan((plane ? 220 * 72 : 0) + tile * 20), (row % 4 * 4 + column % 4) * 10, 10, value);
     }},
    // two columns of 128 bytes, 120 rows from one to the next: 72 of luma, 36 of chroma and some that nobody uses
    {"NV12_COL128", V4L2_PIX_FMT_NV12_COL128, 256, 72, 120, 120 * 128 + (72 + 36) * 128,
     [](std::span<uint8_t> memory, unsigned plane, uint32_t column, uint32_t row, unsigned value) {
         memory[column / 128 * 128 * 120 + ((plane ? 72 : 0) + row) * 128 + column % 128] = static_cast<uint8_t>(value);
     }},
    // 96 samples to a column
    {"NV12_10_COL128", V4L2_PIX_FMT_NV12_10_COL128, 192, 72, 120, 120 * 128 + (72 + 36) * 128,
     [](std::span<uint8_t> memory, unsigned plane, uint32_t column, uint32_t row, unsigned value) {
         const size_t word = column / 96 * 128 * 120 + ((plane ? 72 : 0) + row) * 128 + column % 96 / 3 * 4;
         putBits(memory.subspan(word), column % 3 * 10, 10, value);
     }},
};

// The picture that is put in: values of samples, plane after plane.
struct Picture {
    uint32_t width, height;
    std::vector<unsigned> luma, chroma;

    Picture(uint32_t w, uint32_t h, unsigned bits)
        : width(w), height(h), luma(size_t{w} * h), chroma(size_t{w} * h / 2) {
        std::mt19937 random(w * 7919 + h);
        for (auto* plane : {&luma, &chroma})
            for (unsigned& value : *plane)
                value = random() & ((1u << bits) - 1);
    }
};

class Readback : public testing::TestWithParam<Case> {};

TEST_P(Readback, GivesEverySampleBack) {
    const Case& test = GetParam();
    const PixelFormat& format = *findByV4l2(test.fourcc);
    const auto layout = Layout::ofDevice(format, test.width, test.height, test.bytesperline, 0);
    ASSERT_TRUE(layout);
    EXPECT_EQ(layout->size, test.size);

    const FencedMemory memory(layout->size);
    const Picture picture(test.width, test.height, format.bitDepth);
    for (uint32_t row = 0; row < test.height; row++)
        for (uint32_t column = 0; column < test.width; column++)
            test.put(memory.bytes(), 0, column, row, picture.luma[row * test.width + column]);
    for (uint32_t row = 0; row < test.height / 2; row++)
        for (uint32_t column = 0; column < test.width; column++)
            test.put(memory.bytes(), 1, column, row, picture.chroma[row * test.width + column]);

    const readback::Rectangle parts[] = {
        {0, 0, test.width, test.height},
        {0, 0, 1, 1},
        {0, 0, test.width - 3, test.height - 1},
        {2, 2, 33, 31},
        {2, 4, test.width - 7, test.height - 9},
        {4, 0, test.width - 6, 4},
        {10, 6, 31, test.height - 6},
        {0, 2, test.width, 1},
        {6, 34, 1, 5},
        {98, 30, 70, 36},
        {test.width - 2, test.height - 2, 2, 2},
        {94, 0, 40, 6},
        {30, 62, 3, 3},
    };
    const uint32_t bytes = format.bytesPerSample();
    for (const readback::Rectangle& part : parts) {
        const uint32_t chromaWidth = (part.width + 1) / 2 * 2;
        const uint32_t pitch = chromaWidth * bytes + 3; // an odd one: nothing is aligned
        constexpr uint8_t untouched = 0xa5;
        std::vector<uint8_t> luma(size_t{pitch} * part.height, untouched);
        std::vector<uint8_t> chroma(size_t{pitch} * ((part.height + 1) / 2), untouched);
        ASSERT_TRUE(readback::readPicture(memory.bytes(), *layout, part,
                                          {{luma.data(), chroma.data(), nullptr}, {pitch, pitch, 0}}));
        const auto check = [&](const std::vector<uint8_t>& got, const std::vector<unsigned>& plane, uint32_t y,
                               uint32_t width, uint32_t height) {
            for (uint32_t row = 0; row < height; row++) {
                for (uint32_t column = 0; column < width; column++) {
                    const unsigned value = plane[(y + row) * test.width + part.x + column];
                    const uint8_t* at = &got[row * pitch + column * bytes];
                    const unsigned read = bytes == 1 ? at[0] : (at[0] | at[1] << 8);
                    // P010: the value is in the upper ten bits
                    ASSERT_EQ(read, bytes == 1 ? value : value * 64)
                        << part.width << "x" << part.height << " at " << part.x << "," << part.y << ": sample "
                        << column << " of row " << row;
                }
                for (uint32_t behind = width * bytes; behind < pitch; behind++)
                    ASSERT_EQ(got[row * pitch + behind], untouched) << "written behind row " << row;
            }
        };
        check(luma, picture.luma, part.y, part.width, part.height);
        check(chroma, picture.chroma, part.y / 2, chromaWidth, (part.height + 1) / 2);
    }
}

TEST_P(Readback, RefusesWhatIsNotInThePicture) {
    const Case& test = GetParam();
    const auto layout =
        Layout::ofDevice(*findByV4l2(test.fourcc), test.width, test.height, test.bytesperline, test.size);
    ASSERT_TRUE(layout);
    std::vector<uint8_t> memory(layout->size), target(size_t{test.width} * test.height * 4);
    const readback::Planes to{{target.data(), target.data(), nullptr}, {test.width * 2, test.width * 2, 0}};
    const std::span<const uint8_t> bytes = memory;
    EXPECT_TRUE(readback::readPicture(bytes, *layout, {0, 0, test.width, test.height}, to));
    EXPECT_TRUE(readback::readPicture(bytes, *layout, {0, 0, 0, test.height}, to)) << "nothing is a part, too";
    EXPECT_FALSE(readback::readPicture(bytes, *layout, {0, 0, test.width + 1, 1}, to));
    EXPECT_FALSE(readback::readPicture(bytes, *layout, {2, 0, test.width - 1, 1}, to));
    EXPECT_FALSE(readback::readPicture(bytes, *layout, {0, test.height, 1, 1}, to));
    EXPECT_FALSE(readback::readPicture(bytes, *layout, {UINT32_MAX - 1, 0, 4, 1}, to));
    EXPECT_FALSE(readback::readPicture(bytes, *layout, {1, 0, 1, 1}, to)) << "chroma has no sample there";
    EXPECT_FALSE(readback::readPicture(bytes, *layout, {0, 1, 1, 1}, to)) << "chroma has no sample there";
    EXPECT_FALSE(readback::readPicture(bytes.first(layout->size - 1), *layout, {0, 0, 1, 1}, to));
}

INSTANTIATE_TEST_SUITE_P(Formats, Readback, testing::ValuesIn(cases),
                         [](const auto& row) { return std::string(row.param.name); });

TEST(Readback, EveryFormatIsTested) {
    for (const PixelFormat& row : pixelFormats) {
        const auto isIt = [&](const Case& test) { return test.fourcc == row.v4l2; };
        EXPECT_EQ(std::count_if(std::begin(cases), std::end(cases), isIt), row.v4l2 ? 1 : 0) << row.name;
    }
}

// The bytes of pixfmt-yuv-planar.rst, section NV15, for the samples 0x001, 0x155, 0x2aa, 0x3fe.
TEST(Readback, UnpacksTheBytesOfTheDocumentation) {
    const auto layout = Layout::ofDevice(*findByV4l2(V4L2_PIX_FMT_NV15), 4, 2, 5, 0);
    ASSERT_TRUE(layout);
    // sample 0 bits 7:0 | 1 bits 5:0, 0 bits 9:8 | 2 bits 3:0, 1 bits 9:6 | 3 bits 1:0, 2 bits 9:4 | 3 bits 9:2
    const uint8_t row[] = {0x01, 0x54, 0xa5, 0xaa, 0xff};
    std::vector<uint8_t> memory;
    for (int rows = 0; rows < 3; rows++)
        memory.insert(memory.end(), std::begin(row), std::end(row));
    uint8_t luma[16], chroma[8];
    ASSERT_TRUE(readback::readPicture(memory, *layout, {0, 0, 4, 2}, {{luma, chroma, nullptr}, {8, 8, 0}}));
    const uint8_t expected[] = {0x40, 0x00, 0x40, 0x55, 0x80, 0xaa, 0x80, 0xff};
    EXPECT_EQ(std::memcmp(luma, expected, 8), 0);
    EXPECT_EQ(std::memcmp(luma + 8, expected, 8), 0);
    EXPECT_EQ(std::memcmp(chroma, expected, 8), 0);
}

// A second opinion.
TEST(Readback, Mm21IsWhatLibyuvMakesOfIt) {
    constexpr uint32_t width = 176, height = 96;
    const auto layout = Layout::ofDevice(*findByV4l2(V4L2_PIX_FMT_MM21), width, height, width, 0);
    ASSERT_TRUE(layout);
    std::vector<uint8_t> memory(layout->size);
    std::mt19937 random(21);
    std::generate(memory.begin(), memory.end(), [&] { return static_cast<uint8_t>(random()); });
    std::vector<uint8_t> ours(width * height * 3 / 2), theirs(ours.size());
    ASSERT_TRUE(readback::readPicture(memory, *layout, {0, 0, width, height},
                                      {{ours.data(), &ours[width * height], nullptr}, {width, width, 0}}));
    ASSERT_EQ(libyuv::MM21ToNV12(memory.data(), width, &memory[width * height], width, theirs.data(), width,
                                 &theirs[width * height], width, width, height),
              0);
    EXPECT_EQ(ours, theirs);
}

} // namespace
} // namespace v4l2_request
