// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "av1/slots.h"

namespace daedalus {

/// A temporal delimiter, which each packet begins with (7.5).
std::vector<uint8_t> av1TemporalDelimiter();

/// sequence_header_obu() (5.5.1). What gates only the syntax of frame headers is always enabled, so that it never
/// changes: a decoder drops its references with a sequence header that is another one.
std::vector<uint8_t> writeAv1Sequence(const Av1Controls& controls);

/// frame_obu() (5.10): an uncompressed header of our own, and the tiles of the payload. `shown`: what show_frame says.
Result<std::vector<uint8_t>> writeAv1Frame(const Av1Controls& controls, const Av1Slots& slots, const Av1Saved& past,
                                           std::span<const uint8_t> payload, bool shown);

} // namespace daedalus
