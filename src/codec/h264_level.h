// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace v4l2_request::codec {

// What bounds the level of an H.264 stream as far as VA-API tells it: not the frame rate, not the bit rate.
struct H264LevelNeeds {
    uint32_t widthInMbs = 1; // both at most 4096
    uint32_t heightInMbs = 1;
    uint32_t numRefFrames = 0;
    bool frameMbsOnly = true;
};

struct H264Level {
    uint8_t idc;
    uint32_t maxFrameSize; // MaxFS, macroblocks
    uint32_t maxDpbMbs;

    constexpr bool allows(const H264LevelNeeds& needs) const {
        const uint64_t width = needs.widthInMbs;
        const uint64_t height = needs.heightInMbs;
        // A.3.1: neither side is longer than Sqrt( MaxFS * 8 ).
        const uint64_t longest = uint64_t{maxFrameSize} * 8;
        if (width * height > maxFrameSize || width * width > longest || height * height > longest)
            return false;
        // A.3.1: max_dec_frame_buffering, hence max_num_ref_frames, is at most MaxDpbFrames.
        if (width * height * needs.numRefFrames > maxDpbMbs)
            return false;
        // Table A-4: no fields and no MBAFF below level 2.1 nor above level 4.1.
        return needs.frameMbsOnly || (idc >= 21 && idc <= 41);
    }
};

// Table A-1 of Rec. ITU-T H.264. Level 1b holds what level 1 holds and differs in bit rate only.
inline constexpr std::array h264Levels{
    H264Level{10, 99, 396},        H264Level{11, 396, 900},       H264Level{12, 396, 2376},
    H264Level{13, 396, 2376},      H264Level{20, 396, 2376},      H264Level{21, 792, 4752},
    H264Level{22, 1620, 8100},     H264Level{30, 1620, 8100},     H264Level{31, 3600, 18000},
    H264Level{32, 5120, 20480},    H264Level{40, 8192, 32768},    H264Level{41, 8192, 32768},
    H264Level{42, 8704, 34816},    H264Level{50, 22080, 110400},  H264Level{51, 36864, 184320},
    H264Level{52, 36864, 184320},  H264Level{60, 139264, 696320}, H264Level{61, 139264, 696320},
    H264Level{62, 139264, 696320},
};

// The level_idc of the smallest level that allows all of this; the largest level's if none does, which no conforming
// stream needs.
constexpr uint8_t smallestH264Level(const H264LevelNeeds& needs) {
    const auto found = std::ranges::find_if(h264Levels, [&](const H264Level& level) { return level.allows(needs); });
    return found == h264Levels.end() ? h264Levels.back().idc : found->idc;
}

} // namespace v4l2_request::codec
