// SPDX-License-Identifier: MIT
#pragma once

#include "record/recording.h"
#include "tools/replay/controls.h"

namespace v4l2_request::tools {

// Compares two recordings without any device: each picture's jobs, byte for byte, references and checksums; what is
// about time or the machine is passed over. Prints what differs, with the fields. Whether all is equal.
bool compareRecordings(const record::Recording& a, const record::Recording& b, const ControlTable& table,
                       bool pictures);

} // namespace v4l2_request::tools
