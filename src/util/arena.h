// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <vector>

namespace v4l2_request {

// Memory for what is made for one picture and ends with it: to allocate is to add, and nothing is freed before clear().
// That keeps the memory, so that pictures that are all alike need no more from the second on.
class Arena final : public std::pmr::memory_resource {
public:
    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    // Nothing that was allocated here may be used any more.
    void clear() noexcept {
        if (blocks_.size() > 1) // the next time in one piece
            blocks_.clear();
        at_ = blocks_.empty() ? nullptr : blocks_.back().get();
        left_ = blocks_.empty() ? 0 : size_;
    }

private:
    void* do_allocate(size_t bytes, size_t alignment) override {
        if (!std::align(alignment, bytes, at_, left_))
            addBlock(bytes);
        void* const place = at_;
        at_ = static_cast<std::byte*>(at_) + bytes;
        left_ -= bytes;
        return place;
    }
    void do_deallocate(void*, size_t, size_t) override {}
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    // Twice as large as the one before: what did not fit into several fits into one.
    [[gnu::noinline, gnu::cold]] void addBlock(size_t bytes) {
        constexpr size_t smallest = 16384;
        const size_t size = std::max({smallest, 2 * size_, 2 * bytes});
        blocks_.push_back(std::make_unique_for_overwrite<std::byte[]>(size));
        size_ = left_ = size;
        at_ = blocks_.back().get();
    }

    std::vector<std::unique_ptr<std::byte[]>> blocks_; // the last one is being filled
    size_t size_ = 0;                                  // of the last one
    void* at_ = nullptr;                               // in it: what is free
    size_t left_ = 0;
};

} // namespace v4l2_request
