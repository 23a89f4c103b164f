// SPDX-License-Identifier: MIT
//
// HEVC parameter sets as NAL units, written from the V4L2 controls.
#pragma once

#include <cstdint>
#include <vector>

#include "core/bit_writer.h"
#include "core/result.h"
#include "hevc/syntax.h"

namespace daedalus::hevc {

/// Fails for what the syntax or this decoder cannot carry. All else here expects an SPS that passed.
Result<void> checkSps(const Sps& sps);

/// The layout that every header written here has, whatever the stream's own is: all parameter sets have the id 0, the
/// order count has 16 bits, every slice header says its reference picture set itself, and nothing is ever output
/// (pic_output_flag 0): the picture of a packet is not asked for through the output.
constexpr unsigned writtenPocBits = 16;

/// Parameter sets with their NAL headers, from the controls. A PPS fails for what the syntax cannot carry.
std::vector<uint8_t> writeVps(const Sps& sps);
std::vector<uint8_t> writeSps(const Sps& sps);
Result<std::vector<uint8_t>> writePps(const Sps& sps, const Pps& pps, const ScalingMatrix* scaling);

/// nal_unit_header() of the base layer, clause 7.3.1.2.
void nalHeader(BitWriter& writer, uint8_t type);

} // namespace daedalus::hevc
