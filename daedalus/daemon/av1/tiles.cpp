// SPDX-License-Identifier: MIT
#include "av1/tiles.h"

#include <algorithm>

#include "av1/bits.h"

namespace daedalus {
namespace {

using TileInfo = v4l2_av1_tile_info;

constexpr uint32_t sizeBytes = 4; // TileSizeBytes of what is written, whatever the client's stream has

/// tile_log2() of 5.9.16.
unsigned log2Of(uint32_t unit, uint32_t target) {
    unsigned k = 0;
    while ((unit << k) < target)
        ++k;
    return k;
}

/// Columns or rows of tiles.
struct Axis {
    const char* name; ///< of the control's fields
    uint32_t superblocks, mi;
    uint32_t tiles;
    std::span<const uint32_t> starts, sizesMinus1;
    unsigned minLog2 = 0, maxLog2 = 0;

    /// The sizes cover the frame, and the starts are where they say; shift: from 4x4 to superblocks.
    Result<void> check(unsigned shift) const {
        if (tiles == 0 || tiles > 64)
            return fail(EINVAL, "AV1_FRAME.tile_info.tile_%ss is %u", name, tiles);
        uint32_t start = 0;
        for (uint32_t i = 0; i < tiles; ++i) {
            if (starts[i] != start << shift)
                return fail(EINVAL, "AV1_FRAME.tile_info.mi_%s_starts[%u] is %u, not %u (5.9.15)", name, i, starts[i],
                            start << shift);
            if (sizesMinus1[i] >= superblocks - start || (i + 1 == tiles && sizesMinus1[i] + 1 != superblocks - start))
                return fail(EINVAL, "AV1_FRAME.tile_info: the size of tile %s %u is %u superblocks of %u left", name, i,
                            sizesMinus1[i] + 1, superblocks - start);
            start += sizesMinus1[i] + 1;
        }
        if (starts[tiles] != mi)
            return fail(EINVAL, "AV1_FRAME.tile_info.mi_%s_starts[%u] is %u, not %u (5.9.15)", name, tiles,
                        starts[tiles], mi);
        return {};
    }

    /// The logarithm that gives this grid in uniform spacing.
    Result<unsigned> uniformLog2() const {
        for (unsigned log2 = minLog2; log2 <= maxLog2; ++log2) {
            const uint32_t size = (superblocks + (1u << log2) - 1) >> log2;
            if (size == sizesMinus1[0] + 1 && (superblocks + size - 1) / size == tiles &&
                std::all_of(sizesMinus1.begin(), sizesMinus1.begin() + (tiles - 1),
                            [&](uint32_t has) { return has + 1 == size; }))
                return log2;
        }
        return fail(EINVAL, "AV1_FRAME.tile_info.flags UNIFORM_TILE_SPACING, but the %ss are not uniform", name);
    }

    void writeUniform(BitWriter& writer, unsigned log2) const {
        for (unsigned at = minLog2; at < maxLog2; ++at) {
            writer.flag(at < log2);
            if (at >= log2)
                break;
        }
    }

    Result<void> writeSizes(BitWriter& writer, uint32_t most) const {
        uint32_t left = superblocks;
        for (uint32_t i = 0; i < tiles; ++i) {
            if (sizesMinus1[i] >= most)
                return fail(EINVAL, "AV1_FRAME.tile_info: tile %s %u has %u superblocks, %u are the most (5.9.15)",
                            name, i, sizesMinus1[i] + 1, most);
            writeNonSymmetric(writer, sizesMinus1[i], std::min(left, most));
            left -= sizesMinus1[i] + 1;
        }
        return {};
    }
};

struct Grid {
    Axis columns, rows;
    unsigned sizeShift = 0; ///< of a superblock, from samples
    unsigned minLog2Tiles = 0;
};

Grid gridOf(const Av1Controls& controls) {
    const TileInfo& info = controls.frame.tile_info;
    const unsigned shift = controls.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_USE_128X128_SUPERBLOCK) ? 5 : 4;
    const auto superblocks = [&](uint32_t mi) { return (mi + (1u << shift) - 1) >> shift; };
    Grid grid{
        {"col", superblocks(controls.miCols()), controls.miCols(), info.tile_cols, info.mi_col_starts,
         info.width_in_sbs_minus_1},
        {"row", superblocks(controls.miRows()), controls.miRows(), info.tile_rows, info.mi_row_starts,
         info.height_in_sbs_minus_1},
        shift + 2,
    };
    grid.columns.minLog2 = log2Of(4096u >> grid.sizeShift, grid.columns.superblocks);
    grid.columns.maxLog2 = log2Of(1, std::min(grid.columns.superblocks, 64u));
    grid.rows.maxLog2 = log2Of(1, std::min(grid.rows.superblocks, 64u));
    grid.minLog2Tiles = std::max(grid.columns.minLog2, log2Of((4096u * 2304u) >> (2 * grid.sizeShift),
                                                              grid.columns.superblocks * grid.rows.superblocks));
    return grid;
}

Result<unsigned> writeUniformGrid(BitWriter& writer, Grid& grid) {
    auto columns = grid.columns.uniformLog2();
    if (!columns)
        return columns;
    grid.columns.writeUniform(writer, *columns);
    grid.rows.minLog2 = grid.minLog2Tiles > *columns ? grid.minLog2Tiles - *columns : 0;
    auto rows = grid.rows.uniformLog2();
    if (!rows)
        return rows;
    grid.rows.writeUniform(writer, *rows);
    return *columns + *rows;
}

Result<unsigned> writeOwnGrid(BitWriter& writer, const Grid& grid) {
    if (auto written = grid.columns.writeSizes(writer, 4096u >> grid.sizeShift); !written)
        return tl::unexpected(written.error());
    const uint32_t all = grid.columns.superblocks * grid.rows.superblocks;
    const uint32_t area = grid.minLog2Tiles > 0 ? all >> (grid.minLog2Tiles + 1) : all;
    const auto& widths = grid.columns.sizesMinus1;
    const uint32_t widest = *std::max_element(widths.begin(), widths.begin() + grid.columns.tiles) + 1;
    if (auto written = grid.rows.writeSizes(writer, std::max(area / widest, 1u)); !written)
        return tl::unexpected(written.error());
    return log2Of(1, grid.columns.tiles) + log2Of(1, grid.rows.tiles);
}

} // namespace

Result<void> writeAv1TileInfo(BitWriter& writer, const Av1Controls& controls) {
    const TileInfo& info = controls.frame.tile_info;
    const bool uniform = (info.flags & V4L2_AV1_TILE_INFO_FLAG_UNIFORM_TILE_SPACING) != 0;
    Grid grid = gridOf(controls);
    auto checked = grid.columns.check(grid.sizeShift - 2);
    if (checked)
        checked = grid.rows.check(grid.sizeShift - 2);
    if (!checked)
        return checked;
    writer.flag(uniform);
    const auto log2 = uniform ? writeUniformGrid(writer, grid) : writeOwnGrid(writer, grid);
    if (!log2)
        return tl::unexpected(log2.error());
    if (info.context_update_tile_id >= grid.columns.tiles * grid.rows.tiles)
        return fail(EINVAL, "AV1_FRAME.tile_info.context_update_tile_id is %u of %u tiles", info.context_update_tile_id,
                    grid.columns.tiles * grid.rows.tiles);
    if (*log2 > 0) {
        writer.bits(info.context_update_tile_id, *log2);
        writer.bits(sizeBytes - 1, 2);
    }
    return {};
}

Result<void> appendAv1Tiles(std::vector<uint8_t>& stream, const Av1Controls& controls,
                            std::span<const uint8_t> payload) {
    const TileInfo& info = controls.frame.tile_info;
    const size_t count = size_t{info.tile_cols} * info.tile_rows;
    if (controls.tiles.size() != count)
        return fail(EINVAL, "%zu elements of AV1_TILE_GROUP_ENTRY, %u x %u tiles", controls.tiles.size(),
                    info.tile_cols, info.tile_rows);
    // The client's own TileSizeBytes, of which decoders have a register; 0 where it cannot know.
    if (info.tile_size_bytes > 4 || (count == 1 && info.tile_size_bytes != 0))
        return fail(EINVAL, "AV1_FRAME.tile_info.tile_size_bytes is %u for %zu tiles (5.9.15)", info.tile_size_bytes,
                    count);
    if (count > 1)
        stream.push_back(0); // tile_start_and_end_present_flag
    for (size_t i = 0; i < count; ++i) {
        const auto& tile = controls.tiles[i];
        if (tile.tile_row != i / info.tile_cols || tile.tile_col != i % info.tile_cols)
            return fail(EINVAL, "AV1_TILE_GROUP_ENTRY[%zu] is of row %u, column %u, which is not its place", i,
                        tile.tile_row, tile.tile_col);
        if (tile.tile_size == 0 || tile.tile_offset > payload.size() ||
            tile.tile_size > payload.size() - tile.tile_offset)
            return fail(EINVAL, "AV1_TILE_GROUP_ENTRY[%zu]: %u bytes at %u in a payload of %zu", i, tile.tile_size,
                        tile.tile_offset, payload.size());
        if (i + 1 < count) {
            const uint32_t sizeMinus1 = tile.tile_size - 1;
            if (info.tile_size_bytes != 0 && (uint64_t{sizeMinus1} >> (8 * info.tile_size_bytes)) != 0)
                return fail(EINVAL, "AV1_FRAME.tile_info.tile_size_bytes is %u, tile %zu has %u bytes",
                            info.tile_size_bytes, i, tile.tile_size);
            for (unsigned byte = 0; byte < sizeBytes; ++byte)
                stream.push_back(static_cast<uint8_t>(sizeMinus1 >> (8 * byte)));
        }
        const auto bytes = payload.subspan(tile.tile_offset, tile.tile_size);
        stream.insert(stream.end(), bytes.begin(), bytes.end());
    }
    return {};
}

} // namespace daedalus
