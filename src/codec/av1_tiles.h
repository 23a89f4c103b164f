// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include <va/va.h>

#include "codec/codec.h"
#include "codec/control_ids.h"

// The tiles of an AV1 frame: where they lie in the picture, and where in the data.
namespace v4l2_request::codec {

// FrameWidth (AV1 specification, 5.9.8): what is coded, before superres_params() makes it wider again.
uint32_t av1FrameWidth(const VADecPictureParameterBufferAV1& picture);

// tile_info() (5.9.15), all of it from the size of the frame and the number of tiles, but tile_size_bytes. `info` is
// zero before.
Result<void> fillAv1TileInfo(const VADecPictureParameterBufferAV1& picture, v4l2_av1_tile_info& info);

// Every tile once, in the order of the picture, whatever tile groups it came in.
struct Av1Tiles {
    std::pmr::vector<v4l2_ctrl_av1_tile_group_entry> entries;
    Bitstream bitstream;   // the tiles alone, one after the other
    uint8_t sizeBytes = 0; // TileSizeBytes, if it can be told
    Bytes header;          // what came before the first tile
};
Result<Av1Tiles> joinAv1Tiles(const PictureInput& input, uint32_t columns, uint32_t rows);

} // namespace v4l2_request::codec
