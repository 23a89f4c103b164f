// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "codec/control_ids.h"

// The eight slots of reference frames (AV1 specification, 7.20) as the device has them.
//
// Which slots a frame goes into, refresh_frame_flags, is the one thing of a frame header that VA-API lacks, and devices
// keep the probabilities of a frame by the number of its slot. But the numbers mean nothing beyond one stream: a
// permuted numbering is another stream of the same pictures. So the driver has slots of its own. A frame goes into one
// whose picture the client cannot refer to any more, and references are named by the slots that they are in here. Where
// the stream's own flags are known, the numbers are kept as near to the stream's as that allows.
namespace v4l2_request::codec {

class Av1Slots {
public:
    static constexpr size_t count = 8;
    // The timestamps of the pictures that the client's map names, before the frame; nothing where it names none.
    using Map = std::array<std::optional<uint64_t>, count>;
    struct Slot {
        uint64_t timestamp = noTimestamp; // of the picture; noTimestamp: none yet
        uint8_t orderHint = 0;
    };

    // The slot that has the picture: the preferred one, if it is in several.
    std::optional<size_t> find(uint64_t timestamp, size_t preferred) const;
    // A slot whose picture the client does not name, or that another slot has as well. None if eight pictures are
    // alive, or if the map is empty: some clients send none with key frames.
    std::optional<size_t> findFree(const Map& map) const;
    // The slots for a frame that goes into these slots of the client's map, one at least unless there are none.
    uint8_t refresh(uint8_t flags, const Map& map) const;

    void store(uint8_t mask, const Slot& slot);
    const Slot& operator[](size_t index) const { return slots_[index]; }

private:
    bool spare(size_t index, uint8_t taken, std::span<const std::optional<uint64_t>> alive) const;

    std::array<Slot, count> slots_;
};

} // namespace v4l2_request::codec
