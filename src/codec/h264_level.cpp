// SPDX-License-Identifier: MIT
#include "codec/h264_level.h"

#include <algorithm>
#include <array>

namespace v4l2_request::codec {

namespace {

struct Level {
    uint8_t idc;
    uint32_t maxFrameSize; // MaxFS, macroblocks
    uint32_t maxDpbMbs;
};

// Table A-1. Level 1b is as large as level 1 and differs in bit rate only.
constexpr std::array levels{
    Level{10, 99, 396},        Level{11, 396, 900},       Level{12, 396, 2376},      Level{13, 396, 2376},
    Level{20, 396, 2376},      Level{21, 792, 4752},      Level{22, 1620, 8100},     Level{30, 1620, 8100},
    Level{31, 3600, 18000},    Level{32, 5120, 20480},    Level{40, 8192, 32768},    Level{41, 8192, 32768},
    Level{42, 8704, 34816},    Level{50, 22080, 110400},  Level{51, 36864, 184320},  Level{52, 36864, 184320},
    Level{60, 139264, 696320}, Level{61, 139264, 696320}, Level{62, 139264, 696320},
};

bool allows(const Level& level, const H264LevelNeeds& needs) {
    const uint64_t width = needs.widthInMbs;
    const uint64_t height = needs.heightInMbs;
    // A.3.1 a: neither side is longer than Sqrt( MaxFS * 8 ).
    const uint64_t longest = uint64_t{level.maxFrameSize} * 8;
    if (width * height > level.maxFrameSize || width * width > longest || height * height > longest)
        return false;
    // A.3.1 h: max_dec_frame_buffering, hence max_num_ref_frames (7.4.2.1.1), is at most MaxDpbFrames.
    if (width * height * needs.numRefFrames > level.maxDpbMbs)
        return false;
    // Table A-4: no fields and no MBAFF below level 2.1 and above level 4.1.
    return needs.frameMbsOnly || (level.idc >= 21 && level.idc <= 41);
}

} // namespace

uint8_t smallestH264Level(const H264LevelNeeds& needs) {
    const auto found = std::ranges::find_if(levels, [&](const Level& level) { return allows(level, needs); });
    return found == levels.end() ? levels.back().idc : found->idc;
}

} // namespace v4l2_request::codec
