// SPDX-License-Identifier: MIT
//
// Pictures that no client has sent, for libavcodec alone. Each is an access unit without its SPS: a PPS, which takes
// the place of another of the forms, and a slice.
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "h264/syntax.h"

namespace daedalus::h264 {

/// An IDR frame of no colour to predict from, frame_num and order count 0.
Result<std::vector<uint8_t>> writeGreyFrame(const Sps& sps, uint32_t idrPicId);

/// A frame that is no reference, whose first macroblock has coefficients in every block. Where slice data ends in an
/// error, libavcodec keeps the coefficients of that macroblock, and adds them to blocks of later pictures, until each
/// block is decoded once more.
Result<std::vector<uint8_t>> writeCleansingFrame(const Sps& sps, uint32_t frameNum, int32_t poc);

} // namespace daedalus::h264
