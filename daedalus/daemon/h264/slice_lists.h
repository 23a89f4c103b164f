// SPDX-License-Identifier: MIT
//
// The reference picture lists of a slice: what the controls (or the slice, where the device builds them) say, and how
// that is said to libavcodec.
#pragma once

#include <array>
#include <vector>

#include "h264/picture.h"

namespace daedalus::h264 {

/// The lists as indices into picture.dpb.
Result<std::array<List, 2>> sliceLists(const Picture& picture, const Controls& controls, const SliceHeader& header);

/// Says the lists entry by entry, in the written numbering, as ref_pic_list_modification() of the header.
/// In the place of a picture that is missing stands the one nearest to it; that is noted as damage.
Result<void> writeLists(Picture& picture, const std::vector<Reference>& references, const std::array<List, 2>& lists,
                        SliceHeader& header);

} // namespace daedalus::h264
