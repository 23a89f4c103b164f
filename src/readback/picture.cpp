// SPDX-License-Identifier: MIT
#include "readback/picture.h"

#include <string>
#include <utility>

#include "readback/samples.h"

namespace v4l2_request::readback {

namespace {

// A part of one plane, in units of Samples::bytesOut bytes and in rows.
struct Part {
    uint32_t first, count;
    uint32_t firstRow, rows;
};

// Where a part goes.
struct Target {
    uint8_t* data;
    uint32_t pitch;
    Target at(uint32_t bytes, uint32_t row) const { return {data + bytes + size_t{row} * pitch, pitch}; }
};

template <Arrangement memory>
void readWholeRows(const uint8_t* plane, uint32_t pitch, const Part& part, Target to) {
    plane += size_t{part.firstRow} * pitch;
    for (uint32_t row = 0; row < part.rows; row++, plane += pitch, to.data += to.pitch)
        Samples<memory.packing>::read(plane, part.first, part.count, to.data);
}

// A plane in tiles of so many rows (0: columns with all rows).
template <Arrangement memory, uint32_t tileRows>
class Tiles {
public:
    Tiles(const uint8_t* plane, uint32_t pitch)
        : plane_(plane), pitch_(pitch), nextTile_(size_t{memory.tileBytes} * (tileRows ? tileRows : pitch)) {}

    void read(const Part& part, Target to) const {
        if constexpr (tileRows == 0)
            readRows(part, to);
        else
            for (uint32_t done = 0, rows = 0; done < part.rows; done += rows) {
                const uint32_t row = part.firstRow + done;
                rows = std::min(tileRows - row % tileRows, part.rows - done);
                readBand({part.first, part.count, row, rows}, to.at(0, done));
            }
    }

private:
    using Run = Samples<memory.packing>;
    static constexpr uint32_t wide = memory.tileSamples(1); // of a row of a tile

    // The row of a tile.
    const uint8_t* at(uint32_t tile, uint32_t row) const {
        const uint8_t* from = plane_ + tile * nextTile_;
        if constexpr (tileRows == 0)
            return from + size_t{row} * memory.tileBytes;
        else
            return from + size_t{row / tileRows} * tileRows * pitch_ + size_t{row % tileRows} * memory.tileBytes;
    }

    // One row after the other, across the tiles that it runs through.
    void readRows(const Part& part, Target to) const {
        for (uint32_t n = 0; n < part.rows; n++, to.data += to.pitch) {
            const uint8_t* from = at(part.first / wide, part.firstRow + n);
            uint8_t* out = to.data;
            uint32_t left = part.count;
            if (const uint32_t within = part.first % wide) {
                const uint32_t count = std::min(wide - within, left);
                Run::read(from, within, count, out);
                out += size_t{count} * Run::bytesOut;
                left -= count;
                from += nextTile_;
            }
            for (; left >= wide; left -= wide, from += nextTile_, out += wide * Run::bytesOut)
                Run::read(from, 0, wide, out);
            if (left)
                Run::read(from, 0, left, out);
        }
    }

    // A part of one row of tiles: most of it in whole tiles, what is left and right of them by rows.
    void readBand(const Part& band, Target to) const {
        const uint32_t left = std::min((wide - band.first % wide) % wide, band.count);
        const auto piece = [&](uint32_t from, uint32_t end) {
            return Part{band.first + from, end - from, band.firstRow, band.rows};
        };
        readRows(piece(0, left), to);
        const uint32_t right = left + readWholeTiles(piece(left, band.count), to.at(left * Run::bytesOut, 0));
        readRows(piece(right, band.count), to.at(right * Run::bytesOut, 0));
    }

    // Reads from the start of a tile on, and tells how many samples of each row it read.
    uint32_t readWholeTiles(const Part& part, Target to) const {
        const uint8_t* from = at(part.first / wide, part.firstRow);
        if constexpr (tileRows == 4 && wide == 4) {
            using Kind = std::conditional_t<memory.packing == Packing::None, vectors::ByteTiles, vectors::PackedTiles>;
            return part.rows == 4 ? wide * vectors::readTiles<Kind>(from, part.count / wide, to.data, to.pitch) : 0;
        } else {
            // So many neighbours together that each row writes a few cache lines, and their memory is still in the
            // cache for the next row. (Measured: 64, 128 and 512 bytes are slower, and so are whole rows.)
            constexpr uint32_t tiles = std::max(256 / memory.tileBytes, 1), width = tiles * wide;
            const uint32_t steps = part.count / width;
            for (uint32_t step = 0; step < steps; step++)
                for (uint32_t row = 0; row < part.rows; row++) {
                    const uint8_t* start = from + step * tiles * nextTile_ + size_t{row} * memory.tileBytes;
                    const Target line = to.at(step * width * Run::bytesOut, row);
                    for (uint32_t tile = 0; tile < tiles; tile++)
                        Run::read(start + tile * nextTile_, 0, wide, line.data + tile * wide * Run::bytesOut);
                }
            return steps * width;
        }
    }

    const uint8_t* plane_;
    uint32_t pitch_;
    size_t nextTile_;
};

template <Arrangement memory>
void readPlane(unsigned index, const uint8_t* plane, uint32_t pitch, const Part& part, Target to) {
    if constexpr (!memory.tileBytes)
        readWholeRows<memory>(plane, pitch, part, to);
    else if (index == 0)
        Tiles<memory, memory.tileRows[0]>(plane, pitch).read(part, to);
    else
        Tiles<memory, memory.tileRows[1]>(plane, pitch).read(part, to);
}

template <size_t row>
void readFormat(const uint8_t* memory, const Layout& layout, const Rectangle& area, const Planes& to) {
    constexpr const PixelFormat& format = pixelFormats[row];
    constexpr Arrangement arrangement = format.arrangement;
    // Unpacked samples are copied as the bytes that they are.
    constexpr uint32_t unit = format.bytesPerSample() / Samples<arrangement.packing>::bytesOut;
    for (unsigned i = 0; i < format.planeCount; i++) {
        const Part part{format.rowSamples(i, area.x) * unit, format.rowSamples(i, area.width) * unit,
                        area.y / format.planes[i].vertical, format.rows(i, area.height)};
        readPlane<arrangement>(i, memory + layout.offsets[i], layout.pitches[i], part,
                               Target{to.data[i], to.pitches[i]});
    }
}

using Reader = void (*)(const uint8_t* memory, const Layout& layout, const Rectangle& area, const Planes& to);

// The routine of each row of pixelFormats, made from the row.
template <size_t... row>
constexpr std::array<Reader, sizeof...(row)> readersOf(std::index_sequence<row...>) {
    return {readFormat<row>...};
}
constexpr auto readers = readersOf(std::make_index_sequence<pixelFormats.size()>());

} // namespace

Result<void> readPicture(std::span<const uint8_t> memory, const Layout& layout, const Rectangle& part,
                         const Planes& to) {
    if (!part.width || !part.height)
        return {};
    if (memory.size() < layout.size || part.x % 2 || part.y % 2 || uint64_t{part.x} + part.width > layout.width ||
        uint64_t{part.y} + part.height > layout.height)
        return fail(ErrorKind::InvalidParameter, "the part to be read is not within the picture");
    for (size_t row = 0; row < pixelFormats.size(); row++)
        if (&pixelFormats[row] == layout.format) {
            readers[row](memory.data(), layout, part, to);
            return {};
        }
    return fail(ErrorKind::InvalidParameter, std::string(layout.format->name) + " is no memory of a device");
}

} // namespace v4l2_request::readback
