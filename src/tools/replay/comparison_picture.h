// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "format/pixel_format.h"
#include "util/result.h"

namespace v4l2_request::tools {

// Two pictures of the same format and size, without padding (record::tightPixels).
struct Pair {
    const PixelFormat& format;
    uint32_t width, height;
    std::span<const uint8_t> left, right;
};

// Where they differ, in blocks of 16x16 pixels.
struct Difference {
    static constexpr uint32_t blockSize = 16;
    size_t blocks = 0, ofBlocks = 0;
    uint32_t x = 0, y = 0; // of the first such block in the order of decoding, pixels
};
Difference compare(const Pair& pair);

// Both beside one another, with the blocks that differ framed in red.
Result<void> writePng(const Pair& pair, const std::string& path);

} // namespace v4l2_request::tools
