// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

#include "format/pixel_format.h"

namespace v4l2_request::readback {

// The colour planes of a picture or of a part of one, in the order of its format: first byte, and bytes per row.
struct Planes {
    std::array<uint8_t*, 3> data{};
    std::array<uint32_t, 3> pitches{};
};

// Copies width x height pixels between two pictures in memory that do not overlap. Where chroma is subsampled an odd
// column or row at the end has a sample of its own.
using Conversion = void (*)(const PixelFormat& format, const Planes& from, const Planes& to, uint32_t width,
                            uint32_t height);

// The routine from one format to another, or to the same; null if there is none.
Conversion findConversion(const PixelFormat& from, const PixelFormat& to);

} // namespace v4l2_request::readback
