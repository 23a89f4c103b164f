// SPDX-License-Identifier: MIT
//
// H.264 parameter sets as NAL units, written from the V4L2 controls.
#pragma once

#include <cstdint>
#include <vector>

#include "core/result.h"
#include "h264/syntax.h"

namespace daedalus::h264 {

/// The layout that every header written here has, whatever the stream's own is: picture order count type 0 and
/// frame_num in 16 bits each, so that any order count and any numbering can be said;
/// bottom_field_pic_order_in_frame_present and deblocking_filter_control_present set.
constexpr unsigned writtenFrameNumBits = 16;
constexpr unsigned writtenPocBits = 16;
constexpr unsigned writtenMaxRefFrames = 16;

/// seq_parameter_set_rbsp() with its NAL header, from the control. Fails for what the syntax cannot carry.
Result<std::vector<uint8_t>> writeSps(const Sps& sps);

/// One of the forms in which the PPS of the control is written. They differ in nothing but the number of bits that a
/// slice header takes which refers to them.
struct PpsForm {
    uint8_t id = 0;
    bool redundantPicCnt = false; ///< redundant_pic_cnt_present_flag: one bit more in the slice header
    bool operator==(const PpsForm&) const = default;
};

/// pic_parameter_set_rbsp() with its NAL header; `scaling` is null when the PPS has no SCALING_MATRIX_PRESENT.
Result<std::vector<uint8_t>> writePps(const Pps& pps, const ScalingMatrix* scaling, PpsForm form);

} // namespace daedalus::h264
