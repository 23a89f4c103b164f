// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "av1/controls.h"
#include "core/bit_writer.h"

namespace daedalus {

/// tile_info() (5.9.15), if the control's grid is one that it can say, and what is derived from it is right.
Result<void> writeAv1TileInfo(BitWriter& writer, const Av1Controls& controls);

/// tile_group_obu() (5.11.1) with all tiles of the frame, from where TILE_GROUP_ENTRY says that they are.
Result<void> appendAv1Tiles(std::vector<uint8_t>& stream, const Av1Controls& controls,
                            std::span<const uint8_t> payload);

} // namespace daedalus
