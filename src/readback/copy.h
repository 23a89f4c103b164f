// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstring>

namespace v4l2_request::readback {

// Copies `rows` rows of `bytes` bytes between two linear planes.
inline void copyPlane(uint8_t* to, uint32_t toPitch, const uint8_t* from, uint32_t fromPitch, uint32_t bytes,
                      uint32_t rows) {
    // One large copy where nothing lies between the rows: most pictures.
    if (toPitch == fromPitch && toPitch == bytes) {
        std::memcpy(to, from, size_t{bytes} * rows);
        return;
    }
    for (uint32_t row = 0; row < rows; row++, to += toPitch, from += fromPitch)
        std::memcpy(to, from, bytes);
}

} // namespace v4l2_request::readback
