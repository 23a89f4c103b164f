// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "util/mutex.h"

namespace v4l2_request {

// Blocks of one size that come and go all the time: what has gone serves the next. Thread-safe.
class BlockPool {
public:
    BlockPool() = default;
    ~BlockPool() {
        for (void* block : spare_)
            ::operator delete(block);
    }
    BlockPool(const BlockPool&) = delete;
    BlockPool& operator=(const BlockPool&) = delete;

    // `size` is the same in each call.
    void* take(size_t size) {
        {
            const std::lock_guard lock(mutex_);
            if (!spare_.empty()) {
                void* const block = spare_.back();
                spare_.pop_back();
                return block;
            }
            spare_.reserve(++made_); // so that give() cannot fail
        }
        return ::operator new(size);
    }
    void give(void* block) noexcept {
        const std::lock_guard lock(mutex_);
        spare_.push_back(block);
    }

private:
    Mutex mutex_;
    std::vector<void*> spare_;
    size_t made_ = 0;
};

// For std::allocate_shared: the objects keep the pool.
template <typename T>
class PoolAllocator {
public:
    using value_type = T;

    explicit PoolAllocator(std::shared_ptr<BlockPool> pool) : pool_(std::move(pool)) {}
    template <typename Other>
    PoolAllocator(const PoolAllocator<Other>& other) : pool_(other.pool()) {} // NOLINT: as allocators convert

    T* allocate(size_t count) { return static_cast<T*>(pool_->take(count * sizeof(T))); }
    void deallocate(T* block, size_t) noexcept { pool_->give(block); }
    const std::shared_ptr<BlockPool>& pool() const { return pool_; }
    bool operator==(const PoolAllocator& other) const { return pool_ == other.pool_; }

private:
    std::shared_ptr<BlockPool> pool_;
};

} // namespace v4l2_request
