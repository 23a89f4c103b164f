// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

// Global motion of AV1 that cannot be used as a warp.
namespace v4l2_request::codec {

inline constexpr int32_t av1WarpOne = 1 << 16; // WARPEDMODEL_PREC_BITS

// warpValid of the setup shear process (AV1 specification, 7.11.3.6). Clients have it from their own parser, or not at
// all.
inline bool isAv1WarpValid(std::span<const int32_t, 6> params) {
    if (params[2] <= 0)
        return false;
    const auto clamp = [](int64_t value) { return std::clamp<int64_t>(value, INT16_MIN, INT16_MAX); };
    const auto roundSigned = [](int64_t value, unsigned bits) {
        const int64_t rounded = (std::abs(value) + (bits ? int64_t{1} << (bits - 1) : 0)) >> bits;
        return value < 0 ? -rounded : rounded;
    };
    // resolve divisor (7.11.3.7); Div_Lut[f] is 2^22 / (256 + f), rounded.
    const auto divisor = static_cast<uint32_t>(params[2]);
    unsigned log2 = 0; // FloorLog2()
    while (divisor >> (log2 + 1) != 0)
        ++log2;
    const int64_t rest = divisor - (int64_t{1} << log2);
    const int64_t fraction = log2 > 8 ? roundSigned(rest, log2 - 8) : rest << (8 - log2);
    const unsigned shift = log2 + 14;
    const int64_t factor = ((int64_t{1} << 22) + (256 + fraction) / 2) / (256 + fraction);

    const auto coarse = [&](int64_t value) { return roundSigned(value, 6) * 64; }; // WARP_PARAM_REDUCE_BITS
    const auto divided = [&](int64_t value) { return roundSigned(value * factor, shift); };
    const int64_t alpha = coarse(clamp(params[2] - av1WarpOne));
    const int64_t beta = coarse(clamp(params[3]));
    const int64_t gamma = coarse(clamp(divided(int64_t{params[4]} * av1WarpOne)));
    const int64_t delta = coarse(clamp(params[5] - divided(int64_t{params[3]} * params[4]) - av1WarpOne));
    return 4 * std::abs(alpha) + 7 * std::abs(beta) < av1WarpOne &&
           4 * std::abs(gamma) + 4 * std::abs(delta) < av1WarpOne;
}

} // namespace v4l2_request::codec
