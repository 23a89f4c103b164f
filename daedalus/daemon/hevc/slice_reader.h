// SPDX-License-Identifier: MIT
//
// Slice segment headers read from the payload with the syntax that the controls imply.
#pragma once

#include <span>

#include "core/result.h"
#include "hevc/syntax.h"

namespace daedalus::hevc {

/// Reads the header of a slice segment NAL unit (an RBSP with its NAL header). `slice` is the header of the slice that
/// a dependent segment continues, or null. Expects an SPS that checkSps passed.
Result<SliceHeader> parseSlice(std::span<const uint8_t> rbsp, const Sps& sps, const Pps& pps,
                               const DecodeParams& params, const SliceHeader* slice);

} // namespace daedalus::hevc
