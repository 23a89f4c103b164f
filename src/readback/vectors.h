// SPDX-License-Identifier: MIT
// The loops that read nearly all of a picture, 16 bytes at a time: one source for SSE and NEON, in the vector
// extensions that GCC and clang share. Whatever they leave over, and processors without such vectors, are served one by
// one (samples.h, picture.cpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

// x86: bytes are permuted by SSSE3, which the oldest processors lack, so that it is asked for when the program runs.
// 32-bit ARM: NEON only if the whole driver is built for it. GCC has these shuffles since version 12.
#if !defined(__has_builtin) || !__has_builtin(__builtin_shufflevector)
#define READBACK_VECTORS 0
#elif defined(__x86_64__) || defined(__i386__)
#define READBACK_VECTORS 1
#define READBACK_HAS_VECTORS __builtin_cpu_supports("ssse3")
#define READBACK_TARGET [[gnu::target("ssse3")]]
#elif defined(__ARM_NEON)
#define READBACK_VECTORS 1
#define READBACK_HAS_VECTORS true
#define READBACK_TARGET
#else
#define READBACK_VECTORS 0
#endif
#define READBACK_INLINE READBACK_TARGET [[gnu::always_inline]] inline

namespace v4l2_request::readback::vectors {

#if READBACK_VECTORS

using Bytes = uint8_t __attribute__((vector_size(16)));
using Words = uint16_t __attribute__((vector_size(16)));
using Quads = uint32_t __attribute__((vector_size(16)));
using Halves = uint64_t __attribute__((vector_size(16)));

template <typename Vector>
READBACK_INLINE Vector load(const uint8_t* from) {
    Vector vector;
    std::memcpy(&vector, from, sizeof(vector));
    return vector;
}

template <typename Vector>
READBACK_INLINE void store(uint8_t* to, Vector vector) {
    std::memcpy(to, &vector, sizeof(vector));
}

// The lower and the upper halves of two vectors.
READBACK_INLINE Halves lower(Halves a, Halves b) {
    return __builtin_shufflevector(a, b, 0, 2);
}
READBACK_INLINE Halves upper(Halves a, Halves b) {
    return __builtin_shufflevector(a, b, 1, 3);
}

// Samples of 10 bits, so many in a group of so many bytes, from the lowest bit of a group on. A stretch is groups that
// fill so many vectors.
template <uint32_t groupSamples, uint32_t groupBytes, uint32_t vectors>
struct Stretch {
    static constexpr uint32_t samples = 8 * vectors;
    static constexpr uint32_t bytes = samples / groupSamples * groupBytes;
    static_assert(samples % groupSamples == 0);

    static constexpr uint32_t firstBit(uint32_t sample) {
        return sample / groupSamples * groupBytes * 8 + sample % groupSamples * 10;
    }
    // Where the 16 bytes with the eight samples of a vector are loaded: not behind the end of the stretch.
    static constexpr uint32_t from(uint32_t vector) { return std::min(firstBit(8 * vector) / 8, bytes - 16); }

    template <uint32_t vector, size_t... byte, size_t... lane>
    READBACK_INLINE static Words eight(const uint8_t* stretch, std::index_sequence<byte...>,
                                       std::index_sequence<lane...>) {
        const auto packed = load<Bytes>(stretch + from(vector));
        // The two bytes in which each sample lies, then the sample moved to the top: a product, for SSE has no shift
        // by another number in each lane.
        const auto pairs = reinterpret_cast<Words>(__builtin_shufflevector(
            packed, packed, (firstBit(8 * vector + byte / 2) / 8 - from(vector) + byte % 2)...));
        return pairs * Words{static_cast<uint16_t>(1 << (6 - firstBit(8 * vector + lane) % 8))...} & 0xffc0;
    }
    // Eight samples as P010 has them.
    template <uint32_t vector>
    READBACK_INLINE static Words eight(const uint8_t* stretch) {
        return eight<vector>(stretch, std::make_index_sequence<16>(), std::make_index_sequence<8>());
    }

    template <size_t... vector>
    READBACK_INLINE static void unpack(const uint8_t* stretch, uint8_t* to, std::index_sequence<vector...>) {
        // All at once, then stored: processors that keep the order of instructions do not wait for each.
        const Words all[] = {eight<vector>(stretch)...};
        (store(to + 16 * vector, all[vector]), ...);
    }
    READBACK_TARGET static void unpack(const uint8_t* stretch, uint32_t count, uint8_t* to) {
        for (; count; count--, stretch += bytes, to += 2 * samples)
            unpack(stretch, to, std::make_index_sequence<vectors>());
    }
};

// Tiles of 4x4 samples that follow one another: so many are read at once, for 16 bytes of four rows.
struct ByteTiles {
    static constexpr uint32_t tiles = 4, bytes = 16;
    READBACK_INLINE static void read(const uint8_t* from, uint8_t* to, size_t pitch) {
        const auto a = load<Quads>(from), b = load<Quads>(from + 16), c = load<Quads>(from + 32),
                   d = load<Quads>(from + 48);
        const auto ab = reinterpret_cast<Halves>(__builtin_shufflevector(a, b, 0, 4, 1, 5));
        const auto cd = reinterpret_cast<Halves>(__builtin_shufflevector(c, d, 0, 4, 1, 5));
        store(to, lower(ab, cd));
        store(to + pitch, upper(ab, cd));
        const auto abBelow = reinterpret_cast<Halves>(__builtin_shufflevector(a, b, 2, 6, 3, 7));
        const auto cdBelow = reinterpret_cast<Halves>(__builtin_shufflevector(c, d, 2, 6, 3, 7));
        store(to + 2 * pitch, lower(abBelow, cdBelow));
        store(to + 3 * pitch, upper(abBelow, cdBelow));
    }
};
struct PackedTiles {
    static constexpr uint32_t tiles = 2, bytes = 20; // a tile is a stretch: two rows of four in each vector
    READBACK_INLINE static void read(const uint8_t* from, uint8_t* to, size_t pitch) {
        using Tile = Stretch<4, 5, 2>;
        const auto a = reinterpret_cast<Halves>(Tile::eight<0>(from));
        const auto b = reinterpret_cast<Halves>(Tile::eight<0>(from + bytes));
        const auto aBelow = reinterpret_cast<Halves>(Tile::eight<1>(from));
        const auto bBelow = reinterpret_cast<Halves>(Tile::eight<1>(from + bytes));
        const Halves rows[] = {lower(a, b), upper(a, b), lower(aBelow, bBelow), upper(aBelow, bBelow)};
        store(to, rows[0]);
        store(to + pitch, rows[1]);
        store(to + 2 * pitch, rows[2]);
        store(to + 3 * pitch, rows[3]);
    }
};

template <typename Tiles>
READBACK_TARGET void readTileRow(const uint8_t* from, uint32_t count, uint8_t* to, size_t pitch) {
    for (; count; count -= Tiles::tiles, from += Tiles::tiles * Tiles::bytes, to += 16)
        Tiles::read(from, to, pitch);
}

// What of `count` samples or tiles whole steps take; 0 where there are no vectors.
inline uint32_t whole(uint32_t count, uint32_t step) {
    return READBACK_HAS_VECTORS ? count / step * step : 0;
}

// Reads samples from the start of a group on, in whole groups, and tells how many it read.
template <uint32_t groupSamples, uint32_t groupBytes>
uint32_t unpack(const uint8_t* from, uint32_t samples, uint8_t* to) {
    using Run = Stretch<groupSamples, groupBytes, groupSamples == 4 ? 4 : 6>;
    const uint32_t read = whole(samples, Run::samples);
    Run::unpack(from, read / Run::samples, to);
    return read;
}

// Reads tiles of 4x4 samples that follow one another, of 8 or of 10 bits, and tells how many it read.
template <typename Tiles>
uint32_t readTiles(const uint8_t* from, uint32_t count, uint8_t* to, uint32_t pitch) {
    const uint32_t read = whole(count, Tiles::tiles);
    readTileRow<Tiles>(from, read, to, pitch);
    return read;
}

#else

struct ByteTiles {};
struct PackedTiles {};

template <uint32_t groupSamples, uint32_t groupBytes>
uint32_t unpack(const uint8_t*, uint32_t, uint8_t*) {
    return 0;
}
template <typename Tiles>
uint32_t readTiles(const uint8_t*, uint32_t, uint8_t*, uint32_t) {
    return 0;
}

#endif

} // namespace v4l2_request::readback::vectors
