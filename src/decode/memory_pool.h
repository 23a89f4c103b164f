// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <vector>

#include "decode/frame_memory.h"
#include "util/mutex.h"

namespace v4l2_request::decode {

// Memory that surfaces have left, all laid out for one session. A surface may be given its next picture while its last
// one is still being decoded or read as a reference: then it gets other memory, and leaves its own here. Thread-safe.
class MemoryPool {
public:
    MemoryPool(const Decoder& decoder, const StreamFormat& format) : decoder_(decoder), format_(format) {}

    // Memory that nobody else has: from here, or allocated.
    Result<std::shared_ptr<FrameMemory>> get();
    // Keeps this memory for when its last picture is gone.
    void keep(std::shared_ptr<FrameMemory> memory);
    // Gives back what nobody uses.
    void trim();

private:
    const Decoder& decoder_;
    const StreamFormat format_;
    Mutex mutex_; // of memories_, for a few instructions
    std::vector<std::shared_ptr<FrameMemory>> memories_;
};

} // namespace v4l2_request::decode
