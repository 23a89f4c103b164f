// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "record/format.h"

namespace v4l2_request::tools {

// What a job of HEVC says of its slices, read from their headers, for a device that wants it where that of the
// recording did not: HEVC_SLICE_PARAMS and HEVC_ENTRY_POINT_OFFSETS. Nothing if the job has no start codes, or its
// slices cannot be read with its parameter sets.
std::vector<record::Control> readHevcSlices(const record::Job& job);

} // namespace v4l2_request::tools
