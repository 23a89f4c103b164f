// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "core/bit_writer.h"

namespace daedalus {

/// su( 1 + bits ) of 4.10.6.
inline void writeSigned(BitWriter& writer, int32_t value, unsigned bits) {
    writer.bits(static_cast<uint32_t>(value) & ((2u << bits) - 1), bits + 1);
}

/// ns( symbols ) of 4.10.7.
inline void writeNonSymmetric(BitWriter& writer, uint32_t value, uint32_t symbols) {
    unsigned width = 0;
    while ((symbols >> width) != 0)
        ++width;
    const uint32_t shorter = (1u << width) - symbols;
    if (value < shorter) {
        writer.bits(value, width - 1);
        return;
    }
    writer.bits((value + shorter) >> 1, width - 1);
    writer.bit((value + shorter) & 1);
}

} // namespace daedalus
