// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "decode/decoder.h"
#include "format/pixel_format.h"
#include "os/deadline.h"
#include "os/mapping.h"
#include "os/unique_fd.h"
#include "util/result.h"

namespace v4l2_request::decode {

// How long a picture waits for those who still read its memory, as the fences of the dma-buf tell. No display shows a
// picture for so long without a sign of life.
constexpr std::chrono::seconds readerTimeout{2};

// The memory of one picture: a dma-buf, or one for luma and one for chroma, and where the colour planes lie in it. It
// belongs to a surface, not to a queue: clients export surfaces before they decode, and read them after the decoder is
// gone.
class FrameMemory {
public:
    enum class Access { Read, ReadWrite };

    // The only way to the bytes: DMA_BUF_IOCTL_SYNC opens the access on construction and ends it on destruction.
    class View {
    public:
        View(View&&) = default;
        View& operator=(View&&) = delete;
        ~View();
        std::span<uint8_t> bytes() const { return memory_->mapping_.bytes(); }
        uint8_t* plane(unsigned index) const { return bytes().data() + memory_->layout_.offsets[index]; }
        const Layout& layout() const { return memory_->layout_; }

    private:
        friend class FrameMemory;
        View(std::shared_ptr<FrameMemory> memory, uint64_t flags) : memory_(std::move(memory)), flags_(flags) {}
        std::shared_ptr<FrameMemory> memory_; // moved-from: null
        uint64_t flags_;
    };

    // Somebody reads the picture without a fence of the dma-buf: the memory is not decoded into meanwhile.
    class Reading {
    public:
        explicit Reading(std::shared_ptr<FrameMemory> memory);
        Reading(Reading&&) = default;
        Reading& operator=(Reading&&) = delete;
        ~Reading();
        const std::shared_ptr<FrameMemory>& memory() const { return memory_; }

    private:
        std::shared_ptr<FrameMemory> memory_; // moved-from: null
    };

    // Memory that the device can surely write, with the layout and the size that its driver wants: from a heap whose
    // memory it takes, or a CAPTURE buffer of the node's own, kept as a dma-buf. The file handle used for it is closed
    // again.
    static Result<std::shared_ptr<FrameMemory>> allocate(const Decoder& decoder, const StreamFormat& format);
    // The latter, whatever heaps there are.
    static Result<std::shared_ptr<FrameMemory>> allocateOwn(const Decoder& decoder, const StreamFormat& format);
    // Memory of a client's own, which keeps its descriptor: a dma-buf that may be written and has room for the layout.
    static Result<std::shared_ptr<FrameMemory>> import(int fd, const Layout& layout);
    // Whether this decoder can write memory of this layout for streams of this format.
    static Result<void> checkLayout(const Decoder& decoder, const StreamFormat& format, const Layout& layout);

    // The dma-bufs, as the device takes them and as they are mapped.
    std::span<const os::Piece> pieces() const { return pieces_; }
    // Another descriptor of the first dma-buf, for a client. Formats with a second one have no name for other devices.
    os::UniqueFd duplicateFd() const { return fds_.front().duplicate(); }
    const Layout& layout() const { return layout_; }

    // Waits until nobody reads or writes the memory any more, as far as the fences of the dma-buf and Reading tell;
    // false if the deadline comes first.
    bool waitUntilUnused(os::Deadline deadline) const;
    bool beingRead() const { return readings_ != 0; }

    // Copies the upper left corner of a picture, of this size at most, into linear memory that clients read as the same
    // format.
    static Result<void> copy(const std::shared_ptr<FrameMemory>& from, const std::shared_ptr<FrameMemory>& to,
                             uint32_t width, uint32_t height);

    // Copies a whole picture into memory of the same layout; Unsupported if it is another.
    static Result<void> duplicate(const std::shared_ptr<FrameMemory>& from, const std::shared_ptr<FrameMemory>& to);

    // A view for the CPU. Does not wait for the decoder: that is the surface's business.
    static Result<View> view(const std::shared_ptr<FrameMemory>& memory, Access access);

private:
    FrameMemory(std::vector<os::UniqueFd> fds, const Layout& layout);

    std::vector<os::UniqueFd> fds_;
    Layout layout_;
    std::vector<os::Piece> pieces_;
    mutable std::mutex mutex_;
    mutable std::condition_variable wasRead_;
    std::atomic<unsigned> readings_ = 0; // changed under the lock
    os::Mapping mapping_;                // made at the first view, kept; all pieces behind one another
};

} // namespace v4l2_request::decode
