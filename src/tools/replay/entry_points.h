// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "record/format.h"

namespace v4l2_request::tools {

// The entry points of a job of HEVC that has none, for a device that wants them: not every device has the control, but
// the slice headers have them all. Nothing if they have none, or the job does not say where its slices are.
std::optional<record::Control> entryPointsOf(const record::Job& job);

} // namespace v4l2_request::tools
