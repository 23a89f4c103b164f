// SPDX-License-Identifier: MIT
#include "va/spare_buffers.h"

#include <algorithm>
#include <iterator>

#include "va/driver.h"

namespace v4l2_request::va {

std::shared_ptr<Buffer> SpareBuffers::take(size_t size) {
    std::shared_ptr<Buffer> buffer;
    {
        const std::lock_guard lock(mutex_);
        // The memory of an image is not for the parameters of a slice.
        const size_t most = std::max<size_t>(2 * size, 4096);
        // The newest first: it is cached, and those behind it need not move.
        const auto found = std::find_if(buffers_.rbegin(), buffers_.rend(), [&](const auto& spare) {
            return spare->data.capacity() >= size && spare->data.capacity() <= most;
        });
        if (found != buffers_.rend()) {
            buffer = std::move(*found);
            buffers_.erase(std::next(found).base());
            bytes_ -= buffer->data.capacity();
        }
    }
    if (!buffer)
        buffer = std::make_shared<Buffer>();
    buffer->data.resize(size);
    return buffer;
}

void SpareBuffers::give(std::shared_ptr<Buffer> buffer) {
    constexpr size_t mostBuffers = 64, mostBytes = size_t{32} << 20; // of a few pictures
    if (!buffer || buffer.use_count() > 1 || buffer->surface || buffer->data.capacity() > mostBytes)
        return;
    std::vector<std::shared_ptr<Buffer>> tooMuch; // ends outside the lock
    const std::lock_guard lock(mutex_);
    bytes_ += buffer->data.capacity();
    buffers_.push_back(std::move(buffer));
    while (buffers_.size() > mostBuffers || bytes_ > mostBytes) {
        bytes_ -= buffers_.front()->data.capacity();
        tooMuch.push_back(std::move(buffers_.front()));
        buffers_.erase(buffers_.begin());
    }
}

} // namespace v4l2_request::va
