// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include "format/pixel_format.h"
#include "readback/convert.h"
#include "util/result.h"

namespace v4l2_request::readback {

// In pixels. It starts where chroma has a sample.
struct Rectangle {
    uint32_t x, y, width, height;
};

// Reads a part of a picture in the memory of a device, however that is laid out, as the linear format that clients know
// (the client format with the same VA fourcc). InvalidParameter if the memory or the part is not within the layout. The
// target has room for all planes of the part, odd sizes rounded up for chroma.
Result<void> readPicture(std::span<const uint8_t> memory, const Layout& layout, const Rectangle& part,
                         const Planes& to);

} // namespace v4l2_request::readback
