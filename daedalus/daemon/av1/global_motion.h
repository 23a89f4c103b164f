// SPDX-License-Identifier: MIT
#pragma once

#include "av1/slots.h"
#include "core/bit_writer.h"

namespace daedalus {

/// global_motion_params() (5.9.24) of an inter frame: the inverse of 5.9.25 to 5.9.28, against the parameters of the
/// primary reference. An error names what of the control no bitstream can say, or contradicts itself.
Result<void> writeAv1GlobalMotion(BitWriter& writer, const Av1Controls& controls, const Av1Saved& past);

} // namespace daedalus
