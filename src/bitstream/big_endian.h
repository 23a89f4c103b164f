// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace v4l2_request::bitstream {

// Eight bytes as they are in a stream, the first one the most significant.
inline uint64_t bigEndian64(const uint8_t* bytes) {
    uint64_t value;
    std::memcpy(&value, bytes, sizeof(value));
    return std::endian::native == std::endian::big ? value : __builtin_bswap64(value);
}

} // namespace v4l2_request::bitstream
