// SPDX-License-Identifier: MIT
#pragma once

#ifdef HAVE_UAPI_HEVC

#include <cstddef>
#include <cstdint>

#include <linux/v4l2-controls.h>

#include "bitstream/hevc_slice_header.h"

namespace v4l2_request::codec::hevc {

// All that the slice header says, without the reference lists. `size`: of the slice in the OUTPUT buffer, with its
// start code, bytes.
v4l2_ctrl_hevc_slice_params sliceParams(const bitstream::HevcSliceHeader& header, size_t size, size_t startCodeSize,
                                        int32_t picOrderCnt, uint8_t picStruct);

} // namespace v4l2_request::codec::hevc

#endif // HAVE_UAPI_HEVC
