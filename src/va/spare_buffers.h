// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "util/mutex.h"

namespace v4l2_request::va {

struct Buffer;

// Buffers that nobody has any more, for the next ones: clients make and destroy some for every picture, and memory that
// comes fresh from the kernel costs more than the copy of a picture into it. Thread-safe.
class SpareBuffers {
public:
    // A buffer with room for so many bytes.
    std::shared_ptr<Buffer> take(size_t size);
    // Keeps the buffer, if nobody else has it.
    void give(std::shared_ptr<Buffer> buffer);

private:
    // A shelf for each power of two: what is on one has all the same room.
    using Shelves = std::array<std::vector<std::shared_ptr<Buffer>>, 27>;

    Mutex mutex_;
    Shelves shelves_;
    size_t count_ = 0, bytes_ = 0; // that all of them have
};

} // namespace v4l2_request::va
