// SPDX-License-Identifier: MIT
//
// A frame of no colour, for libavcodec to predict from where it holds nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "h264_syntax.h"
#include "result.h"

namespace daedalus::h264 {

/// An IDR access unit without its SPS: a PPS of its own, which takes the place of another of the forms, and one slice
/// of frame_num 0 and order count 0.
Result<std::vector<uint8_t>> writeGreyFrame(const Sps& sps, uint32_t idrPicId);

} // namespace daedalus::h264
