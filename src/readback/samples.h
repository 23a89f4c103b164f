// SPDX-License-Identifier: MIT
// Samples as devices pack them, one after another: a run of them is read as clients know them.
#pragma once

#include <bit>
#include <cstring>

#include "format/pixel_format.h"
#include "readback/vectors.h"

namespace v4l2_request::readback {

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

// Walks over samples that are packed in groups: single ones up to a whole group, as many groups as vectors take, whole
// groups, single ones again.
template <typename Group>
void readGroups(const uint8_t* from, uint32_t first, uint32_t count, uint8_t* to) {
    from += first / Group::samples * Group::bytes;
    uint32_t at = first % Group::samples;
    for (; at && count; count--, to += 2) {
        store(to, Group::one(from, at));
        if (++at == Group::samples) {
            at = 0;
            from += Group::bytes;
        }
    }
    const uint32_t vectors = vectors::unpack<Group::samples, Group::bytes>(from, count, to);
    from += vectors / Group::samples * Group::bytes;
    to += size_t{2} * vectors;
    count -= vectors;
    for (; count >= Group::samples; count -= Group::samples, from += Group::bytes, to += 2 * Group::samples)
        Group::all(from, to);
    for (; at < count; at++, to += 2)
        store(to, Group::one(from, at));
}

// Sample n of a group of four starts at bit 2n of byte n.
template <>
struct Samples<Packing::FourInFiveBytes> {
    static constexpr uint32_t samples = 4, bytes = 5, bytesOut = 2;
    static uint16_t one(const uint8_t* group, uint32_t at) {
        return static_cast<uint16_t>((load<uint16_t>(group + at) << (6 - 2 * at)) & 0xffc0);
    }
    // All four in one register: 40 bits become twice 20, then four times 10.
    static void all(const uint8_t* group, uint8_t* out) {
        const uint64_t low = load<uint32_t>(group), top = group[4];
        const uint64_t halves = (low & 0xfffff) | (low >> 20 | top << 12) << 32;
        store(out, (halves & 0x000003ff000003ff) << 6 | (halves & 0x000ffc00000ffc00) << 12);
    }
    static void read(const uint8_t* from, uint32_t first, uint32_t count, uint8_t* to) {
        readGroups<Samples>(from, first, count, to);
    }
};

template <>
struct Samples<Packing::ThreeInFourBytes> {
    static constexpr uint32_t samples = 3, bytes = 4, bytesOut = 2;
    static uint16_t one(const uint8_t* group, uint32_t at) {
        return static_cast<uint16_t>((load<uint32_t>(group) >> 10 * at & 0x3ff) << 6);
    }
    static void all(const uint8_t* group, uint8_t* out) {
        const auto word = load<uint32_t>(group);
        store(out, (word & 0x3ff) << 6 | (word & 0xffc00) << 12);
        store(out + 4, static_cast<uint16_t>(word >> 14 & 0xffc0));
    }
    static void read(const uint8_t* from, uint32_t first, uint32_t count, uint8_t* to) {
        readGroups<Samples>(from, first, count, to);
    }
};

} // namespace v4l2_request::readback
