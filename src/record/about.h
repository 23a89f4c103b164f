// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "decode/decoder.h"

namespace v4l2_request::record {

// What probing found out, for the start of a recording: kernel, board, each node with its codecs, profiles, sizes and
// controls, and why what is not offered is not. A line for each thing. Nothing of the user, the client or the network.
std::string describe(const decode::ProbeReport& report);

} // namespace v4l2_request::record
