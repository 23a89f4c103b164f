// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace va_suite {

// A recording is this, and for each picture in the order of submission a RecordedPicture, followed by its buffers: a
// RecordedBuffer and its bytes each. Numbers are those of the machine.
constexpr uint32_t recordingMagic = 0x52434156;

struct RecordedStream {
    uint32_t magic;
    int32_t profile; // VAProfile
    uint32_t width, height;
};
struct RecordedPicture {
    uint32_t target; // VASurfaceID
    uint32_t buffers;
};
struct RecordedBuffer {
    uint32_t type; // VABufferType
    uint32_t size; // of an element, bytes
    uint32_t elements;
};

} // namespace va_suite
