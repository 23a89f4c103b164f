// SPDX-License-Identifier: MIT
//
// Test only: H.264 parameter sets as controls. Written from Rec. ITU-T H.264 without a look at the daemon.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <linux/v4l2-controls.h>

namespace daedalus::test {

using List4x4 = std::array<uint8_t, 16>;
using List8x8 = std::array<uint8_t, 64>;

/// In zig-zag order, as the syntax has them.
struct Lists {
    bool present = false;
    std::array<List4x4, 6> four{};
    std::array<List8x8, 6> eight{};
};

// Clause 8.5.6, the scan written out: raster position of each scan position.
inline constexpr uint8_t scan4x4[16] = {0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15};
inline constexpr uint8_t scan8x8[64] = {0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,
                                        12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
                                        35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
                                        58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

struct SpsInfo {
    v4l2_ctrl_h264_sps control{};
    Lists lists;
    unsigned cropLeft = 0, cropTop = 0;
};
struct PpsInfo {
    v4l2_ctrl_h264_pps control{};
    std::vector<uint8_t> rbsp; ///< read again when used: its end depends on the SPS
    std::string refused;
};

SpsInfo readSps(std::span<const uint8_t> rbsp);
PpsInfo readPps(std::vector<uint8_t> rbsp);
/// The PPS control, with the scaling lists that apply (table 7-2). False for slice groups.
bool completePps(PpsInfo& info, const SpsInfo& sps, Lists& lists);

} // namespace daedalus::test
