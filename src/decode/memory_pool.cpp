// SPDX-License-Identifier: MIT
#include "decode/memory_pool.h"

#include <algorithm>
#include <functional>
#include <iterator>

namespace v4l2_request::decode {

namespace {

// Nobody is left who could pass it on.
bool isSpare(const std::shared_ptr<FrameMemory>& memory) {
    return memory.use_count() == 1;
}

} // namespace

Result<std::shared_ptr<FrameMemory>> MemoryPool::get() {
    {
        const std::lock_guard lock(mutex_);
        const auto spare = std::ranges::find_if(memories_, isSpare);
        if (spare != memories_.end()) {
            auto memory = std::move(*spare);
            memories_.erase(spare);
            return memory;
        }
    }
    return FrameMemory::allocate(decoder_, format_);
}

void MemoryPool::keep(std::shared_ptr<FrameMemory> memory) {
    constexpr size_t most = 8;            // more than a pipeline of pictures ever leaves behind
    std::shared_ptr<FrameMemory> tooMuch; // ends outside the lock
    const std::lock_guard lock(mutex_);
    if (memories_.size() >= most) {
        const auto spare = std::ranges::find_if(memories_, isSpare);
        tooMuch = std::exchange(spare == memories_.end() ? memories_.front() : *spare, std::move(memory));
        return;
    }
    memories_.push_back(std::move(memory));
}

void MemoryPool::trim() {
    std::vector<std::shared_ptr<FrameMemory>> spare; // end outside the lock
    const std::lock_guard lock(mutex_);
    const auto rest = std::partition(memories_.begin(), memories_.end(), std::not_fn(isSpare));
    spare.assign(std::move_iterator(rest), std::move_iterator(memories_.end()));
    memories_.erase(rest, memories_.end());
}

} // namespace v4l2_request::decode
