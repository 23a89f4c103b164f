// SPDX-License-Identifier: MIT
//
// Slice NAL units written anew: a header in the layout of h264_parameter_sets.h, and the slice data of the client.
#pragma once

#include <cstddef>
#include <span>

#include "h264/parameter_sets.h"

namespace daedalus::h264 {

struct WrittenSlice {
    PpsForm pps;               ///< that the slice refers to
    std::vector<uint8_t> rbsp; ///< with the NAL header
};

/// A slice NAL unit: the header in the written layout, then the slice data of `original`, which begins at its bit
/// `headerBits`. header.pocLsb and header.frameNum hold the written values, header.ppsId and redundantPicCnt do not
/// count.
///
/// CAVLC slice data keeps its alignment to bytes: pcm_alignment_zero_bit (clause 7.3.5) depends on it. So the header is
/// made as long as the original one, modulo 8, by the choice among eight forms of the PPS.
WrittenSlice writeSlice(const SliceHeader& header, const Sps& sps, const Pps& pps, std::span<const uint8_t> original,
                        size_t headerBits);

} // namespace daedalus::h264
