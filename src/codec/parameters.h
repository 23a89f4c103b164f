// SPDX-License-Identifier: MIT
#pragma once

#include <cstring>
#include <type_traits>

#include "codec/codec.h"

// What every builder does with the VA parameter buffers.
namespace v4l2_request::codec {

// A copy of a VA parameter struct: the bytes come from a client's buffer and need not be aligned. The caller has
// checked that there are enough of them.
template <typename T>
T readParameters(Bytes bytes) {
    static_assert(std::is_trivially_copyable_v<T>);
    T parameters;
    std::memcpy(&parameters, bytes.data(), sizeof(parameters));
    return parameters;
}

// Whether a picture, in whole macroblocks, fits the buffers of its context. A context may have the display size, and
// the height of interlaced pictures is a multiple of two macroblocks.
inline bool fitsContext(const PictureInput& input, uint32_t width, uint32_t height) {
    const auto align = [](uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; };
    return align(width, 16) <= align(input.width, 16) && align(height, 16) <= align(input.height, 32);
}

} // namespace v4l2_request::codec
