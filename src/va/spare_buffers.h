// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <mutex>
#include <vector>

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
    std::mutex mutex_;
    std::vector<std::shared_ptr<Buffer>> buffers_; // the oldest first
    size_t bytes_ = 0;                             // that all of them have
};

} // namespace v4l2_request::va
