// SPDX-License-Identifier: MIT
#pragma once

#include "av1/slots.h"

namespace daedalus {

/// Does what the controls say agree with itself, and with what the specification derives? No picture would show most of
/// this, for the header that is written says it right.
Result<void> checkAv1Sequence(const Av1Controls& controls);
Result<void> checkAv1Frame(const Av1Controls& controls);

/// The same for what an earlier frame said: deltas and features that are not updated, grain that is taken from a slot.
Result<void> checkAv1Past(const Av1Controls& controls, const Av1Slots& slots, const Av1Saved& past);

} // namespace daedalus
