// SPDX-License-Identifier: MIT
#include "codec/av1_slots.h"

#include <algorithm>

namespace v4l2_request::codec {

namespace {

constexpr uint8_t bit(size_t index) {
    return static_cast<uint8_t>(1u << index);
}

bool namesNothing(std::span<const std::optional<uint64_t>> map) {
    return std::ranges::none_of(map, [](const auto& entry) { return entry.has_value(); });
}

} // namespace

std::optional<size_t> Av1Slots::find(uint64_t timestamp, size_t preferred) const {
    if (preferred < count && slots_[preferred].timestamp == timestamp)
        return preferred;
    for (size_t i = 0; i < count; ++i)
        if (slots_[i].timestamp == timestamp)
            return i;
    return std::nullopt;
}

// Whether nobody misses what the slot has, if those of `taken` get another picture as well.
bool Av1Slots::spare(size_t index, uint8_t taken, std::span<const std::optional<uint64_t>> alive) const {
    const uint64_t timestamp = slots_[index].timestamp;
    if (timestamp == noTimestamp)
        return true;
    for (size_t i = 0; i < count; ++i)
        if (i != index && !(taken & bit(i)) && slots_[i].timestamp == timestamp)
            return true;
    return !alive.empty() && std::ranges::none_of(alive, [&](const auto& entry) { return entry == timestamp; });
}

std::optional<size_t> Av1Slots::findFree(const Map& map) const {
    const std::span<const std::optional<uint64_t>> alive =
        namesNothing(map) ? std::span<const std::optional<uint64_t>>() : std::span(map);
    for (size_t i = 0; i < count; ++i)
        if (spare(i, 0, alive))
            return i;
    return std::nullopt;
}

uint8_t Av1Slots::refresh(uint8_t flags, const Map& map) const {
    constexpr uint8_t allFrames = 0xff;
    if (flags == 0 || flags == allFrames)
        return flags;
    Map rest = map; // what the client names after the frame
    for (size_t i = 0; i < count; ++i)
        if (flags & bit(i))
            rest[i].reset();
    const std::span<const std::optional<uint64_t>> alive =
        namesNothing(map) ? std::span<const std::optional<uint64_t>>() : std::span(rest);
    uint8_t mask = 0;
    for (size_t i = 0; i < count; ++i)
        if (flags & bit(i) && spare(i, mask, alive))
            mask = static_cast<uint8_t>(mask | bit(i));
    for (size_t i = 0; mask == 0 && i < count; ++i)
        if (spare(i, 0, alive))
            mask = bit(i);
    return mask;
}

void Av1Slots::store(uint8_t mask, const Slot& slot) {
    for (size_t i = 0; i < count; ++i)
        if (mask & bit(i))
            slots_[i] = slot;
}

} // namespace v4l2_request::codec
