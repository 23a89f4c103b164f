// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "bitstream/vp9_uncompressed_header.h"
#include "util/result.h"

// Clauses are those of the VP9 Bitstream & Decoding Process Specification, version 0.6.
namespace v4l2_request::bitstream {

namespace detail {
template <size_t First, size_t... Rest>
struct Vp9Table {
    using Type = std::array<typename Vp9Table<Rest...>::Type, First>;
};
template <size_t Only>
struct Vp9Table<Only> {
    using Type = std::array<uint8_t, Only>;
};
} // namespace detail

// Updates of probabilities, as coded: 0 leaves a probability as it is.
template <size_t... Dimensions>
using Vp9Updates = typename detail::Vp9Table<Dimensions...>::Type;

// compressed_header() (6.3). An update is a distance, mapped by inv_map_table (6.3.5), that the decoding process has
// still to apply to the probability in force; for motion vectors it is the new probability itself (6.3.17).
struct Vp9CompressedHeader {
    uint8_t txMode = 0;        // TX_MODE, 7.3.1
    uint8_t referenceMode = 0; // 7.3.6
    Vp9Updates<2, 1> tx8;
    Vp9Updates<2, 2> tx16;
    Vp9Updates<2, 3> tx32;
    Vp9Updates<4, 2, 2, 6, 6, 3> coefficients;
    Vp9Updates<3> skip;
    Vp9Updates<7, 3> interMode;
    Vp9Updates<4, 2> interpolationFilter;
    Vp9Updates<4> isInter;
    Vp9Updates<5> compoundMode;
    Vp9Updates<5, 2> singleReference;
    Vp9Updates<5> compoundReference;
    Vp9Updates<4, 9> yMode;
    Vp9Updates<16, 3> partition;
    Vp9Updates<3> mvJoint;
    Vp9Updates<2> mvSign;
    Vp9Updates<2, 10> mvClass;
    Vp9Updates<2> mvClass0Bit;
    Vp9Updates<2, 10> mvBits;
    Vp9Updates<2, 2, 3> mvClass0Fraction;
    Vp9Updates<2, 3> mvFraction;
    Vp9Updates<2> mvClass0HighPrecision;
    Vp9Updates<2> mvHighPrecision;
};

// Parses the compressed header of the frame whose uncompressed header this is, to where it stays: it is large. `data`
// is exactly the compressed header. InvalidParameter if it is damaged or too short.
Result<void> parseVp9CompressedHeader(std::span<const uint8_t> data, const Vp9UncompressedHeader& frame,
                                      Vp9CompressedHeader& header);

} // namespace v4l2_request::bitstream
