// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include <linux/videodev2.h>

#include "daedalus_protocol.h"
#include "result.h"

namespace daedalus {

struct Control {
    uint32_t id = 0;
    std::vector<uint8_t> payload;
};

/// One OUTPUT buffer with the controls of its request, as the module handed it out. Owns all it says.
struct Job {
    daedalus_job header{};
    std::vector<daedalus_frame> frames;
    std::vector<Control> controls;

    uint64_t id() const { return header.header.cookie; }
    uint64_t timestamp() const { return header.timestamp; }
    /// Are references that are not there no error, as on hardware?
    bool isLenient() const { return (header.flags & DAEDALUS_JOB_LENIENT) != 0; }
    bool isFenced() const { return (header.flags & DAEDALUS_JOB_FENCED) != 0; }
    bool holdsCapture() const { return (header.flags & DAEDALUS_JOB_HOLD_CAPTURE) != 0; }

    const Control* find(uint32_t id) const;
    bool has(uint32_t id) const { return find(id) != nullptr; }

    /// The control as its kernel struct. EINVAL when it is missing or too short; a longer payload (a dynamic array, or
    /// a struct that grew) gives its beginning.
    template <typename T>
    Result<T> control(uint32_t id, const char* name) const {
        static_assert(std::is_trivially_copyable_v<T>);
        const Control* found = find(id);
        if (!found)
            return fail(EINVAL, "control %s (0x%x) is missing from the job", name, id);
        if (found->payload.size() < sizeof(T))
            return fail(EINVAL, "control %s (0x%x) has %zu bytes, not %zu", name, id, found->payload.size(), sizeof(T));
        T value;
        std::memcpy(&value, found->payload.data(), sizeof(T));
        return value;
    }
};

struct InstanceGone {
    uint64_t instance = 0;
};
struct BufferGone {
    uint64_t cookie = 0;
};
/// The client takes a picture of which more was to follow.
struct Finish {
    uint64_t id = 0; ///< for the completion
    uint64_t instance = 0;
    uint64_t capture = 0;
};
using Message = std::variant<Job, InstanceGone, BufferGone, Finish>;

/// Parses what read(2) returned. Every length is checked against the message; nothing of it is trusted.
Result<Message> parseMessage(std::span<const uint8_t> bytes);

std::string fourccName(uint32_t fourcc);

} // namespace daedalus
