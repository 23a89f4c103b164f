// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

namespace v4l2_request::va {

// Bytes that a client, or a copy of a picture, is about to fill: nobody writes zeros there before. Moved-from: empty.
class Storage {
public:
    Storage() = default;
    explicit Storage(size_t size) : bytes_(std::make_unique_for_overwrite<uint8_t[]>(size)), size_(size) {}
    Storage(Storage&& other) noexcept { *this = std::move(other); }
    Storage& operator=(Storage&& other) noexcept {
        bytes_ = std::move(other.bytes_);
        size_ = std::exchange(other.size_, 0);
        return *this;
    }
    uint8_t* data() { return bytes_.get(); }
    const uint8_t* data() const { return bytes_.get(); }
    size_t size() const { return size_; }

private:
    std::unique_ptr<uint8_t[]> bytes_;
    size_t size_ = 0;
};

// The storage of the image that was destroyed last, for the next: clients make an image for every picture, and memory
// that comes fresh from the kernel costs more than the copy into it.
class SpareStorage {
public:
    Storage take(size_t size) {
        {
            const std::lock_guard lock(mutex_);
            if (spare_.size() == size)
                return std::move(spare_);
        }
        return Storage(size);
    }
    void give(Storage storage) {
        const std::lock_guard lock(mutex_);
        std::swap(spare_, storage);
    }

private:
    std::mutex mutex_;
    Storage spare_;
};

} // namespace v4l2_request::va
