// SPDX-License-Identifier: MIT
#include "va/spare_buffers.h"

#include <algorithm>
#include <bit>
#include <mutex>

namespace v4l2_request::va {

namespace {

constexpr size_t mostBuffers = 256, mostBytes = size_t{64} << 20; // of a few pictures

constexpr size_t shelfOf(size_t size) {
    constexpr size_t smallest = 256;
    return static_cast<size_t>(std::bit_width(std::max(size, smallest) - 1));
}

} // namespace

SpareBuffers::~SpareBuffers() {
    clear(shelves_);
}

void SpareBuffers::clear(const Shelves& shelves) {
    for (Buffer* first : shelves)
        while (first)
            delete std::exchange(first, first->next);
}

BufferRef SpareBuffers::make() {
    return BufferRef(*new Buffer(*this));
}

BufferRef SpareBuffers::take(size_t size) {
    static_assert(shelfOf(mostBytes) < std::tuple_size_v<Shelves>);
    const bool kept = size <= mostBytes;
    const size_t shelf = shelfOf(size);
    if (kept) {
        const std::lock_guard lock(mutex_);
        if (Buffer* const spare = shelves_[shelf]) {
            shelves_[shelf] = spare->next;
            count_--;
            bytes_ -= spare->data.capacity();
            spare->data.resize(size);
            return BufferRef(*spare);
        }
    }
    BufferRef made = make();
    made->data.reserve(kept ? size_t{1} << shelf : size);
    made->data.resize(size);
    return made;
}

void BufferRef::goHome() const noexcept {
    buffer_->home.give(*buffer_);
}

void SpareBuffers::give(Buffer& buffer) noexcept {
    const size_t capacity = buffer.data.capacity();
    if (capacity == 0 || capacity > mostBytes) {
        delete &buffer;
        return;
    }
    std::unique_lock lock(mutex_);
    if (count_ >= mostBuffers || bytes_ + capacity > mostBytes) {
        // Others than those that are in use now. They end outside the lock.
        const Shelves tooMuch = std::exchange(shelves_, {});
        count_ = bytes_ = 0;
        lock.unlock();
        clear(tooMuch);
        lock.lock();
    }
    buffer.next = std::exchange(shelves_[shelfOf(capacity)], &buffer);
    count_++;
    bytes_ += capacity;
}

} // namespace v4l2_request::va
