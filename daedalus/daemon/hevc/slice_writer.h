// SPDX-License-Identifier: MIT
//
// Slice segment NAL units written anew: a header in the layout of hevc_parameter_sets.h, and the data of the client.
#pragma once

#include <span>

#include "hevc/syntax.h"

namespace daedalus::hevc {

/// What a slice segment is written as.
struct WrittenPicture {
    bool idr = false; ///< without any reference picture set; its order count is 0
    int32_t poc = 0;
    ReferenceSet references; ///< in written order counts
};

/// The slice segment with a header of this layout and the data of `rbsp`.
std::vector<uint8_t> writeSlice(const SliceHeader& header, const WrittenPicture& picture, const Sps& sps,
                                const Pps& pps, std::span<const uint8_t> rbsp);

} // namespace daedalus::hevc
