// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include <va/va.h>

#include "codec/codec.h"
#include "decode/surface.h"
#include "os/unique_fd.h"
#include "util/mutex.h"
#include "va/storage.h"

namespace v4l2_request::va {

class SpareBuffers;

// What a client handed over in vaCreateBuffer, or the memory of an image.
struct Buffer {
    explicit Buffer(SpareBuffers& owner) : home(owner) {}

    VABufferType type{};
    uint32_t elementSize = 0; // bytes
    uint32_t elements = 0;
    Storage data; // empty for a derived image

    // A derived image: the surface's own memory, in view while mapped.
    std::shared_ptr<decode::Surface> surface;
    Mutex mutex;
    std::optional<decode::FrameMemory::View> view;
    unsigned maps = 0;
    os::UniqueFd handle; // while a client has acquired it
    unsigned handles = 0;

    codec::Bytes bytes() const { return {data.data(), size_t{elementSize} * elements}; }

    // BufferRef's and SpareBuffers' own.
    SpareBuffers& home;
    std::atomic<uint32_t> shares = 0;
    Buffer* next = nullptr; // on its shelf
};

// A share in a buffer: what a shared_ptr is, but that the buffer goes home with the last one.
class BufferRef {
public:
    BufferRef(std::nullptr_t = nullptr) {}
    explicit BufferRef(Buffer& buffer) : buffer_(&buffer) { share(); }
    BufferRef(const BufferRef& other) : buffer_(other.buffer_) { share(); }
    BufferRef(BufferRef&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
    BufferRef& operator=(BufferRef other) noexcept {
        std::swap(buffer_, other.buffer_);
        return *this;
    }
    ~BufferRef() {
        if (buffer_ && buffer_->shares.fetch_sub(1, std::memory_order_acq_rel) == 1)
            goHome();
    }

    Buffer& operator*() const { return *buffer_; }
    Buffer* operator->() const { return buffer_; }
    explicit operator bool() const { return buffer_ != nullptr; }

private:
    void share() const {
        if (buffer_)
            buffer_->shares.fetch_add(1, std::memory_order_relaxed);
    }
    void goHome() const noexcept;

    Buffer* buffer_ = nullptr;
};

} // namespace v4l2_request::va
