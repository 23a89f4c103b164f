// SPDX-License-Identifier: MIT
//
// Slice headers read from the payload with the syntax that the controls imply.
#pragma once

#include <cstddef>
#include <span>

#include "core/result.h"
#include "h264/syntax.h"

namespace daedalus::h264 {

/// What the controls say about sizes in the header, as found while reading it.
struct SliceHeaderSizes {
    size_t pocBits = 0;     ///< pic_order_cnt_lsb to delta_pic_order_cnt[1]
    size_t markingBits = 0; ///< dec_ref_pic_marking()
    size_t headerBits = 0;  ///< from the first bit of the NAL unit to slice_data(), emulation prevention not counted
};

struct ParsedSlice {
    SliceHeader header;
    SliceHeaderSizes sizes;
};

/// Reads the header of a slice NAL unit (an RBSP with its NAL header byte).
Result<ParsedSlice> parseSlice(std::span<const uint8_t> rbsp, const Sps& sps, const Pps& pps);

} // namespace daedalus::h264
