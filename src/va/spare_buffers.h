// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>

#include "util/mutex.h"
#include "va/buffer.h"

namespace v4l2_request::va {

// Where buffers come from, and go when nobody has them any more, for the next ones: clients make and destroy some for
// every picture, and memory that comes fresh from the kernel costs more than the copy of a picture into it. Outlives
// its buffers. Thread-safe.
class SpareBuffers {
public:
    SpareBuffers() = default;
    ~SpareBuffers();
    SpareBuffers(const SpareBuffers&) = delete;
    SpareBuffers& operator=(const SpareBuffers&) = delete;

    // A buffer with room for so many bytes.
    BufferRef take(size_t size);
    // A buffer without memory of its own.
    BufferRef make();

private:
    friend BufferRef;
    // A shelf for each power of two: what is on one has all the same room. The newest is in front.
    using Shelves = std::array<Buffer*, 27>;

    void give(Buffer& buffer) noexcept;
    static void clear(const Shelves& shelves);

    Mutex mutex_;
    Shelves shelves_{};
    size_t count_ = 0, bytes_ = 0; // that all of them have
};

} // namespace v4l2_request::va
