// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "decode/frame_memory.h"
#include "util/result.h"

namespace v4l2_request::tools {

// How fast the CPU copies a picture out of this memory, begin and end of the access included, as a part of the speed
// with ordinary memory of the same size: about 1 for memory that it reads through its cache, a tenth where it does not.
Result<double> copySpeed(const std::shared_ptr<decode::FrameMemory>& memory);

} // namespace v4l2_request::tools
