// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include "format/pixel_format.h"
#include "record/format.h"

namespace v4l2_request::record {

// A picture in whatever memory as a client reads it: its planes behind one another, without padding, rows of chroma
// rounded up. Empty if the memory has no such picture.
Blob tightPixels(std::span<const uint8_t> memory, const Layout& layout, uint32_t width, uint32_t height);

} // namespace v4l2_request::record
