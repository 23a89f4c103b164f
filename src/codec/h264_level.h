// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace v4l2_request::codec {

// What bounds the level of an H.264 stream as far as VA-API tells it: not the frame rate, not the bit rate.
struct H264LevelNeeds {
    uint32_t widthInMbs = 1;
    uint32_t heightInMbs = 1; // of a frame
    uint32_t numRefFrames = 0;
    bool frameMbsOnly = true;
};

// The level_idc of the smallest level (table A-1 of Rec. ITU-T H.264) that allows all of this; 62 if none does.
uint8_t smallestH264Level(const H264LevelNeeds& needs);

} // namespace v4l2_request::codec
