// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace daedalus {

/// The NAL units of an Annex B byte stream (H.264 and H.265, clause B.2), without start codes and trailing zero bytes.
std::vector<std::span<const uint8_t>> splitAnnexB(std::span<const uint8_t> stream);

bool startsWithStartCode(std::span<const uint8_t> stream);

/// NAL unit to RBSP with its NAL header: emulation_prevention_three_bytes removed (clause 7.3.1).
std::vector<uint8_t> unescape(std::span<const uint8_t> nal);

/// Appends a start code and the NAL unit, emulation prevention added.
void appendNal(std::vector<uint8_t>& stream, std::span<const uint8_t> rbsp);

} // namespace daedalus
