// SPDX-License-Identifier: MIT
#include "record/format.h"

#include <bit>
#include <cstring>

namespace v4l2_request::record {

namespace {

constexpr uint64_t prime1 = 0x9E3779B185EBCA87u, prime2 = 0xC2B2AE3D27D4EB4Fu, prime3 = 0x165667B19E3779F9u,
                   prime4 = 0x85EBCA77C2B2AE63u, prime5 = 0x27D4EB2F165667C5u;

template <typename T>
T load(const uint8_t* at) {
    T value;
    std::memcpy(&value, at, sizeof(value));
    if constexpr (std::endian::native == std::endian::big)
        value = sizeof(T) == 8 ? static_cast<T>(__builtin_bswap64(value))
                               : static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
    return value;
}

uint64_t step(uint64_t lane, uint64_t input) {
    return std::rotl(lane + input * prime2, 31) * prime1;
}

uint64_t merge(uint64_t sum, uint64_t lane) {
    return (sum ^ step(0, lane)) * prime1 + prime4;
}

} // namespace

uint64_t xxh64(std::span<const uint8_t> bytes) {
    const uint8_t* at = bytes.data();
    const uint8_t* const end = at + bytes.size();
    uint64_t sum = prime5;
    if (bytes.size() >= 32) {
        std::array<uint64_t, 4> lanes = {prime1 + prime2, prime2, 0, 0 - prime1};
        for (; end - at >= 32; at += 32)
            for (size_t i = 0; i < lanes.size(); i++)
                lanes[i] = step(lanes[i], load<uint64_t>(at + 8 * i));
        sum = std::rotl(lanes[0], 1) + std::rotl(lanes[1], 7) + std::rotl(lanes[2], 12) + std::rotl(lanes[3], 18);
        for (const uint64_t lane : lanes)
            sum = merge(sum, lane);
    }
    sum += bytes.size();
    for (; end - at >= 8; at += 8)
        sum = std::rotl(sum ^ step(0, load<uint64_t>(at)), 27) * prime1 + prime4;
    if (end - at >= 4) {
        sum = std::rotl(sum ^ load<uint32_t>(at) * prime1, 23) * prime2 + prime3;
        at += 4;
    }
    for (; at < end; at++)
        sum = std::rotl(sum ^ *at * prime5, 11) * prime1;
    sum ^= sum >> 33;
    sum *= prime2;
    sum ^= sum >> 29;
    sum *= prime3;
    return sum ^ sum >> 32;
}

} // namespace v4l2_request::record
