// SPDX-License-Identifier: MIT
#include "va/spare_buffers.h"

#include <algorithm>
#include <bit>

#include "va/driver.h"

namespace v4l2_request::va {

namespace {

constexpr size_t mostBuffers = 256, mostBytes = size_t{64} << 20; // of a few pictures

size_t shelfOf(size_t size) {
    constexpr size_t smallest = 256;
    return static_cast<size_t>(std::bit_width(std::max(size, smallest) - 1));
}

} // namespace

std::shared_ptr<Buffer> SpareBuffers::take(size_t size) {
    const bool kept = size <= mostBytes;
    std::shared_ptr<Buffer> buffer;
    if (kept) {
        static_assert(mostBytes == size_t{1} << (std::tuple_size_v<Shelves> - 1));
        const std::lock_guard lock(mutex_);
        if (auto& shelf = shelves_[shelfOf(size)]; !shelf.empty()) {
            buffer = std::move(shelf.back()); // the newest: it is cached
            shelf.pop_back();
            count_--;
            bytes_ -= buffer->data.capacity();
        }
    }
    if (!buffer) {
        buffer = std::make_shared<Buffer>();
        buffer->data.reserve(kept ? size_t{1} << shelfOf(size) : size);
    }
    buffer->data.resize(size);
    return buffer;
}

void SpareBuffers::give(std::shared_ptr<Buffer> buffer) {
    if (!buffer || buffer.use_count() > 1 || buffer->surface)
        return;
    const size_t capacity = buffer->data.capacity();
    if (capacity == 0 || capacity > mostBytes)
        return;
    std::unique_ptr<Shelves> tooMuch; // ends outside the lock
    const std::lock_guard lock(mutex_);
    if (count_ >= mostBuffers || bytes_ + capacity > mostBytes) { // others than those that are in use now
        tooMuch = std::make_unique<Shelves>();
        tooMuch->swap(shelves_);
        count_ = bytes_ = 0;
    }
    shelves_[shelfOf(capacity)].push_back(std::move(buffer));
    count_++;
    bytes_ += capacity;
}

} // namespace v4l2_request::va
