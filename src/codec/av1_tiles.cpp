// SPDX-License-Identifier: MIT
#include "codec/av1_tiles.h"

#include <algorithm>

#include "codec/parameters.h"

namespace v4l2_request::codec {

namespace {

constexpr uint32_t mostTiles = 128; // hantro has memory for no more

// One axis of tile_info() (5.9.15). `blocks` is MiCols or MiRows.
struct Axis {
    uint32_t blocks;
    bool largeSuperblocks;
    bool uniform;
    uint32_t tiles;
    std::span<const uint16_t> sizes; // in superblocks, minus 1, where they are not uniform; the last one is not needed

    uint32_t shift() const { return largeSuperblocks ? 5 : 4; }
    uint32_t superblocks() const { return (blocks + (1u << shift()) - 1) >> shift(); }

    // tileWidthSb, for which the number of tiles comes out. No two of them give the same number.
    std::optional<uint32_t> uniformSize() const {
        for (uint32_t log2 = 0; log2 <= 6; ++log2) {
            const uint32_t size = (superblocks() + (1u << log2) - 1) >> log2;
            if ((superblocks() + size - 1) / size == tiles)
                return size;
        }
        return std::nullopt;
    }

    Result<void> divide(std::span<uint32_t> starts, std::span<uint32_t> sizesMinus1) const {
        const auto uniformTiles = uniform ? uniformSize() : std::optional(0u);
        if (!uniformTiles)
            return fail(ErrorKind::InvalidParameter, "AV1: a frame of this size has no such number of uniform tiles");
        uint32_t start = 0;
        for (uint32_t i = 0; i < tiles; ++i) {
            if (start >= superblocks())
                return fail(ErrorKind::InvalidParameter, "AV1: the tiles reach beyond the frame");
            const uint32_t rest = superblocks() - start;
            const uint32_t size = i + 1 == tiles ? rest : uniform ? *uniformTiles : sizes[i] + 1u;
            starts[i] = start << shift();
            sizesMinus1[i] = size - 1;
            start += size;
        }
        starts[tiles] = blocks;
        return {};
    }
};

// TileSizeBytes, for which most tiles have their size in front of them: tile_size_minus_1, le(TileSizeBytes) (5.11.1).
// The last tile of a group has none.
uint8_t findSizeBytes(std::span<const Slice* const> tiles) {
    uint8_t found = 0;
    size_t most = 0;
    for (uint8_t bytes = 1; bytes <= 4; ++bytes) {
        size_t matches = 0;
        for (const Slice* tile : tiles.first(tiles.size() - 1)) {
            uint64_t value = 0;
            const size_t size = tile->data.size() - 1;
            if (size >> 8 * bytes != 0) { // then no tile has its size in so few bytes
                matches = 0;
                break;
            }
            if (tile->before.size() < bytes)
                continue;
            for (const uint8_t byte : tile->before.last(bytes))
                value = value >> 8 | uint64_t{byte} << 8 * (bytes - 1u);
            matches += value == size;
        }
        if (matches > most) {
            most = matches;
            found = bytes;
        }
    }
    return found;
}

Result<void> checkOverlap(std::span<const Slice> slices, std::pmr::memory_resource* memory) {
    std::pmr::vector<Bytes> tiles(memory);
    for (const Slice& slice : slices)
        tiles.push_back(slice.data);
    std::ranges::sort(tiles, std::less(), [](Bytes bytes) { return bytes.data(); });
    for (size_t i = 1; i < tiles.size(); ++i)
        if (std::less()(tiles[i].data(), tiles[i - 1].data() + tiles[i - 1].size()))
            return fail(ErrorKind::InvalidParameter, "AV1: tiles share their data");
    return {};
}

} // namespace

uint32_t av1FrameWidth(const VADecPictureParameterBufferAV1& picture) {
    constexpr uint32_t numerator = 8; // SUPERRES_NUM
    const uint32_t upscaled = picture.frame_width_minus1 + 1u;
    const uint32_t denominator = picture.superres_scale_denominator;
    return picture.pic_info_fields.bits.use_superres ? (upscaled * numerator + denominator / 2) / denominator
                                                     : upscaled;
}

Result<void> fillAv1TileInfo(const VADecPictureParameterBufferAV1& picture, v4l2_av1_tile_info& info) {
    const uint32_t columns = picture.tile_cols, rows = picture.tile_rows;
    if (columns == 0 || rows == 0 || columns > 64 || rows > 64)
        return fail(ErrorKind::InvalidParameter, "AV1: 1 to 64 tiles on each axis");
    if (columns * rows > mostTiles)
        return fail(ErrorKind::Unsupported, "AV1: more tiles than decoders have room for");
    if (picture.context_update_tile_id >= columns * rows)
        return fail(ErrorKind::InvalidParameter, "AV1: context_update_tile_id names no tile");
    const bool uniform = picture.pic_info_fields.bits.uniform_tile_spacing_flag;
    const auto axis = [&](uint32_t size, uint32_t tiles, std::span<const uint16_t> sizes) {
        // compute_image_size() (5.9.9)
        return Axis{2 * ((size + 7) >> 3), picture.seq_info_fields.fields.use_128x128_superblock != 0, uniform, tiles,
                    sizes};
    };
    info.flags = static_cast<uint8_t>(uniform ? V4L2_AV1_TILE_INFO_FLAG_UNIFORM_TILE_SPACING : 0);
    info.context_update_tile_id = static_cast<uint8_t>(picture.context_update_tile_id);
    info.tile_cols = static_cast<uint8_t>(columns);
    info.tile_rows = static_cast<uint8_t>(rows);
    return axis(av1FrameWidth(picture), columns, picture.width_in_sbs_minus_1)
        .divide(info.mi_col_starts, info.width_in_sbs_minus_1)
        .and_then([&] {
            return axis(picture.frame_height_minus1 + 1u, rows, picture.height_in_sbs_minus_1)
                .divide(info.mi_row_starts, info.height_in_sbs_minus_1);
        });
}

Result<Av1Tiles> joinAv1Tiles(const PictureInput& input, uint32_t columns, uint32_t rows) {
    if (input.slices.size() != columns * rows)
        return fail(ErrorKind::InvalidParameter, "AV1: tiles are missing, or there are too many");
    if (auto apart = checkOverlap(input.slices, input.memory); !apart)
        return tl::unexpected(apart.error());
    std::pmr::vector<const Slice*> places(input.slices.size(), input.memory);
    for (const Slice& slice : input.slices) {
        const auto parameters = readParameters<VASliceParameterBufferAV1>(slice.parameters);
        if (parameters.tile_row >= rows || parameters.tile_column >= columns)
            return fail(ErrorKind::InvalidParameter, "AV1: a tile lies outside the frame");
        const Slice*& place = places[parameters.tile_row * columns + parameters.tile_column];
        if (place)
            return fail(ErrorKind::InvalidParameter, "AV1: a tile came twice");
        place = &slice;
    }
    Av1Tiles tiles{.entries = std::pmr::vector<v4l2_ctrl_av1_tile_group_entry>(input.memory),
                   .bitstream = Bitstream(input.memory),
                   .header = places[0]->before};
    for (size_t i = 0; i < places.size(); ++i) {
        const Bytes data = places[i]->data;
        if (data.size() > UINT32_MAX - tiles.bitstream.size())
            return fail(ErrorKind::Unsupported, "AV1: a frame of more than 4 GiB");
        tiles.entries.push_back({.tile_offset = static_cast<uint32_t>(tiles.bitstream.size()),
                                 .tile_size = static_cast<uint32_t>(data.size()),
                                 .tile_row = static_cast<uint32_t>(i / columns),
                                 .tile_col = static_cast<uint32_t>(i % columns)});
        tiles.bitstream.append(data);
    }
    tiles.sizeBytes = findSizeBytes(places);
    return tiles;
}

} // namespace v4l2_request::codec
