// SPDX-License-Identifier: MIT
#include "tools/replay/comparison_picture.h"

#include <algorithm>
#include <array>
#include <vector>

#include <png.h>

namespace v4l2_request::tools {

namespace {

constexpr uint32_t blockSize = Difference::blockSize;

// Two planes, luma and interleaved chroma, in the upper bits of one or two bytes.
class Samples {
public:
    Samples(const Pair& pair, std::span<const uint8_t> bytes)
        : bytes_(bytes), wide_(pair.format.bytesPerSample()), lumaRow_(pair.format.rowSamples(0, pair.width)),
          chromaRow_(pair.format.rowSamples(1, pair.width)), chroma_(size_t{lumaRow_} * pair.height) {}

    int luma(uint32_t x, uint32_t y) const { return sample(size_t{y} * lumaRow_ + x); }
    int chroma(uint32_t x, uint32_t y, unsigned which) const {
        return sample(chroma_ + size_t{y / 2} * chromaRow_ + x / 2 * 2 + which);
    }
    // Including the low bits, which are not shown.
    bool equal(const Samples& other, uint32_t x, uint32_t y) const {
        const auto same = [&](size_t index) {
            return std::equal(bytes_.begin() + static_cast<ptrdiff_t>(index * wide_),
                              bytes_.begin() + static_cast<ptrdiff_t>((index + 1) * wide_),
                              other.bytes_.begin() + static_cast<ptrdiff_t>(index * wide_));
        };
        const size_t uv = chroma_ + size_t{y / 2} * chromaRow_ + x / 2 * 2;
        return same(size_t{y} * lumaRow_ + x) && same(uv) && same(uv + 1);
    }

private:
    int sample(size_t index) const { return bytes_[index * wide_ + wide_ - 1]; } // little endian: the upper byte
    std::span<const uint8_t> bytes_;
    size_t wide_;
    uint32_t lumaRow_, chromaRow_;
    size_t chroma_;
};

bool blockDiffers(const Pair& pair, uint32_t left, uint32_t top) {
    const Samples a(pair, pair.left), b(pair, pair.right);
    for (uint32_t y = top; y < std::min(top + blockSize, pair.height); y++)
        for (uint32_t x = left; x < std::min(left + blockSize, pair.width); x++)
            if (!a.equal(b, x, y))
                return true;
    return false;
}

// ITU-R BT.601, narrow range; good enough to look at.
std::array<uint8_t, 3> toRgb(const Samples& picture, uint32_t x, uint32_t y) {
    const int c = 298 * (picture.luma(x, y) - 16), u = picture.chroma(x, y, 0) - 128, v = picture.chroma(x, y, 1) - 128;
    const auto level = [](int value) { return static_cast<uint8_t>(std::clamp((value + 128) >> 8, 0, 255)); };
    return {level(c + 409 * v), level(c - 100 * u - 208 * v), level(c + 516 * u)};
}

} // namespace

Difference compare(const Pair& pair) {
    Difference result;
    for (uint32_t y = 0; y < pair.height; y += blockSize)
        for (uint32_t x = 0; x < pair.width; x += blockSize, result.ofBlocks++)
            if (blockDiffers(pair, x, y) && result.blocks++ == 0) {
                result.x = x;
                result.y = y;
            }
    return result;
}

Result<void> writePng(const Pair& pair, const std::string& path) {
    constexpr uint32_t gap = 8;
    const uint32_t width = 2 * pair.width + gap;
    std::vector<uint8_t> pixels(size_t{width} * pair.height * 3, 255);
    const Samples left(pair, pair.left), right(pair, pair.right);
    const auto put = [&](uint32_t x, uint32_t y, std::array<uint8_t, 3> rgb) {
        std::copy(rgb.begin(), rgb.end(), pixels.begin() + static_cast<ptrdiff_t>((size_t{y} * width + x) * 3));
    };
    for (uint32_t y = 0; y < pair.height; y++)
        for (uint32_t x = 0; x < pair.width; x++) {
            put(x, y, toRgb(left, x, y));
            put(pair.width + gap + x, y, toRgb(right, x, y));
        }
    constexpr std::array<uint8_t, 3> red = {255, 0, 0};
    for (uint32_t top = 0; top < pair.height; top += blockSize)
        for (uint32_t edge = 0; edge < pair.width; edge += blockSize) {
            if (!blockDiffers(pair, edge, top))
                continue;
            const uint32_t bottom = std::min(top + blockSize, pair.height),
                           end = std::min(edge + blockSize, pair.width);
            for (const uint32_t shift : {0u, pair.width + gap}) {
                for (uint32_t x = edge; x < end; x++) {
                    put(shift + x, top, red);
                    put(shift + x, bottom - 1, red);
                }
                for (uint32_t y = top; y < bottom; y++) {
                    put(shift + edge, y, red);
                    put(shift + end - 1, y, red);
                }
            }
        }
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = width;
    image.height = pair.height;
    image.format = PNG_FORMAT_RGB;
    if (!png_image_write_to_file(&image, path.c_str(), 0, pixels.data(), 0, nullptr))
        return fail(ErrorKind::Device, path + ": " + image.message);
    return {};
}

} // namespace v4l2_request::tools
