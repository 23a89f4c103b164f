// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace v4l2_request::bitstream {

// The eight bytes of a stream from `at` on, the first one the most significant; nothing if there are fewer.
inline std::optional<uint64_t> bigEndian64(std::span<const uint8_t> data, size_t at) {
    uint64_t value;
    if (data.size() < sizeof(value) || at > data.size() - sizeof(value))
        return std::nullopt;
    std::memcpy(&value, &data[at], sizeof(value));
    return std::endian::native == std::endian::big ? value : __builtin_bswap64(value);
}

} // namespace v4l2_request::bitstream
