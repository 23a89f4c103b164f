// SPDX-License-Identifier: MIT
#include "readback/picture.h"

#include <bit>
#include <cstring>
#include <string>
#include <utility>

namespace v4l2_request::readback {

namespace {

using Packing = Arrangement::Packing;

// A run of packed samples, which starts at the first sample of a group. All forms read exactly the bytes of the groups
// that they need, and write 16 bits a sample with the value at the top, as P010 has it.
template <Packing packing>
struct Samples;

// Bytes as they are: "samples" are whatever the plane is made of.
template <>
struct Samples<Packing::None> {
    static constexpr uint32_t bytesOut = 1;
    static void read(const uint8_t* from, uint32_t first, uint32_t count, uint8_t* to) {
        std::memcpy(to, from + first, count);
    }
};

// What is loaded and stored below is little endian, as the formats are.
static_assert(std::endian::native == std::endian::little);

template <typename Word>
Word load(const uint8_t* from) {
    Word word;
    std::memcpy(&word, from, sizeof(word));
    return word;
}

template <typename Word>
void store(uint8_t* to, Word word) {
    std::memcpy(to, &word, sizeof(word));
}

// Walks over samples that are packed in groups: single ones up to a whole group, whole groups, single ones again.
template <uint32_t groupSamples, uint32_t groupBytes, typename One, typename Group>
void readGroups(const uint8_t* from, uint32_t first, uint32_t count, uint8_t* to, One one, Group group) {
    from += first / groupSamples * groupBytes;
    uint32_t at = first % groupSamples;
    for (; at && count; count--, to += 2) {
        store(to, one(from, at));
        if (++at == groupSamples) {
            at = 0;
            from += groupBytes;
        }
    }
    for (; count >= groupSamples; count -= groupSamples, from += groupBytes, to += 2 * groupSamples)
        group(from, to);
    for (; at < count; at++, to += 2)
        store(to, one(from, at));
}

// Sample n of a group of four starts at bit 2n of byte n.
template <>
struct Samples<Packing::FourInFiveBytes> {
    static constexpr uint32_t bytesOut = 2;
    static uint16_t one(const uint8_t* group, uint32_t at) {
        return static_cast<uint16_t>((load<uint16_t>(group + at) << (6 - 2 * at)) & 0xffc0);
    }
    // All four in one register: 40 bits become twice 20, then four times 10.
    static void four(const uint8_t* group, uint8_t* out) {
        const uint64_t low = load<uint32_t>(group), top = group[4];
        const uint64_t halves = (low & 0xfffff) | (low >> 20 | top << 12) << 32;
        store(out, (halves & 0x000003ff000003ff) << 6 | (halves & 0x000ffc00000ffc00) << 12);
    }
    static void read(const uint8_t* from, uint32_t first, uint32_t count, uint8_t* to) {
        readGroups<4, 5>(from, first, count, to, one, four);
    }
};

template <>
struct Samples<Packing::ThreeInFourBytes> {
    static constexpr uint32_t bytesOut = 2;
    static uint16_t one(const uint8_t* group, uint32_t at) {
        return static_cast<uint16_t>((load<uint32_t>(group) >> 10 * at & 0x3ff) << 6);
    }
    static void three(const uint8_t* group, uint8_t* out) {
        const auto word = load<uint32_t>(group);
        store(out, (word & 0x3ff) << 6 | (word & 0xffc00) << 12);
        store(out + 4, static_cast<uint16_t>(word >> 14 & 0xffc0));
    }
    static void read(const uint8_t* from, uint32_t first, uint32_t count, uint8_t* to) {
        readGroups<3, 4>(from, first, count, to, one, three);
    }
};

// A part of one plane, in units of Samples::bytesOut bytes and in rows.
struct Part {
    uint32_t first, count;
    uint32_t firstRow, rows;
};

template <Arrangement memory>
void readWholeRows(const uint8_t* plane, uint32_t pitch, const Part& part, uint8_t* to, uint32_t toPitch) {
    plane += size_t{part.firstRow} * pitch;
    for (uint32_t row = 0; row < part.rows; row++, plane += pitch, to += toPitch)
        Samples<memory.packing>::read(plane, part.first, part.count, to);
}

// One row after the other, across the tiles that it runs through.
template <Arrangement memory, uint32_t tileRows>
void readTiles(const uint8_t* plane, uint32_t pitch, const Part& part, uint8_t* to, uint32_t toPitch) {
    using Run = Samples<memory.packing>;
    constexpr uint32_t wide = memory.tileSamples(1);
    const size_t nextTile = size_t{memory.tileBytes} * (tileRows ? tileRows : pitch);
    for (uint32_t n = 0; n < part.rows; n++, to += toPitch) {
        const uint32_t row = part.firstRow + n;
        const uint8_t* from = plane;
        if constexpr (tileRows != 0)
            from += size_t{row / tileRows} * tileRows * pitch + size_t{row % tileRows} * memory.tileBytes;
        else
            from += size_t{row} * memory.tileBytes;
        from += part.first / wide * nextTile;
        uint8_t* out = to;
        uint32_t left = part.count;
        if (const uint32_t within = part.first % wide) {
            const uint32_t count = std::min(wide - within, left);
            Run::read(from, within, count, out);
            out += size_t{count} * Run::bytesOut;
            left -= count;
            from += nextTile;
        }
        for (; left >= wide; left -= wide, from += nextTile, out += wide * Run::bytesOut)
            Run::read(from, 0, wide, out);
        if (left)
            Run::read(from, 0, left, out);
    }
}

template <Arrangement memory>
void readPlane(unsigned index, const uint8_t* plane, uint32_t pitch, const Part& part, uint8_t* to, uint32_t toPitch) {
    if constexpr (!memory.tileBytes)
        readWholeRows<memory>(plane, pitch, part, to, toPitch);
    else if (index == 0)
        readTiles<memory, memory.tileRows[0]>(plane, pitch, part, to, toPitch);
    else
        readTiles<memory, memory.tileRows[1]>(plane, pitch, part, to, toPitch);
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
        readPlane<arrangement>(i, memory + layout.offsets[i], layout.pitches[i], part, to.data[i], to.pitches[i]);
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
