// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>

namespace v4l2_request::va {

// Bytes that a client, or a copy of a picture, is about to fill: nobody writes zeros there before.
class Storage {
public:
    // Makes room, unless there is enough. What was in it is lost then.
    void reserve(size_t size) {
        if (size <= capacity_)
            return;
        bytes_ = std::make_unique_for_overwrite<uint8_t[]>(size);
        capacity_ = size;
    }
    void resize(size_t size) {
        reserve(size);
        size_ = size;
    }
    uint8_t* data() { return bytes_.get(); }
    const uint8_t* data() const { return bytes_.get(); }
    size_t size() const { return size_; }
    size_t capacity() const { return capacity_; }

private:
    std::unique_ptr<uint8_t[]> bytes_;
    size_t size_ = 0, capacity_ = 0;
};

} // namespace v4l2_request::va
