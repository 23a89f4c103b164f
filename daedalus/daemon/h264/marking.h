// SPDX-License-Identifier: MIT
//
// Decoded reference picture marking, clause 8.2.5 of Rec. ITU-T H.264, from what the controls list.
#pragma once

#include <vector>

#include "h264/picture.h"

namespace daedalus::h264 {

/// Chooses the dec_ref_pic_marking() to write, of a picture whose DPB is resolved: what the control's DPB does not list
/// is released, what the stream makes long-term is made so.
void chooseMarking(Picture& picture, const std::vector<Reference>& references);

/// Does to the references what libavcodec does with them by the marking of the picture that it has decoded, but for
/// adding that picture.
void applyMarking(const Picture& picture, std::vector<Reference>& references);

} // namespace daedalus::h264
