// SPDX-License-Identifier: MIT
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/unique_fd.h"
#include "daedalus_protocol.h"

namespace daedalus {

/// A piece of a buffer's memory: most buffers have just one.
struct Piece {
    uint64_t cookie; ///< the buffer's
    uint32_t index = 0;
    auto operator<=>(const Piece&) const = default; // NOLINT(modernize-use-nullptr): of what the compiler writes
};

/// Where the memory behind a cookie comes from: the module, or plain memory in a test.
class BufferSource {
public:
    virtual ~BufferSource() = default;
    /// The piece as memory, at least `bytes` long, valid until dropBuffer(). The caller brackets every access.
    virtual Result<std::span<uint8_t>> buffer(Piece piece, size_t bytes) = 0;
    virtual Result<void> beginAccess(Piece piece, bool write) = 0;
    virtual Result<void> endAccess(Piece piece, bool write) = 0;
};

/// WriteFenced: other devices wait for the running job to write it. START would wait for that, too, so there is no
/// bracket.
enum class Access { Read, Write, WriteFenced };

/// CPU access to a piece of memory: DMA_BUF_IOCTL_SYNC START at creation, END at the end of life.
class BufferAccess {
public:
    static Result<BufferAccess> open(BufferSource& source, Piece piece, size_t bytes, Access access);
    BufferAccess(BufferAccess&& other) noexcept;
    BufferAccess(const BufferAccess&) = delete;
    BufferAccess& operator=(const BufferAccess&) = delete;
    BufferAccess& operator=(BufferAccess&&) = delete;
    ~BufferAccess();

    std::span<uint8_t> bytes() const { return bytes_; }

private:
    BufferAccess(BufferSource* source, Piece piece, std::span<uint8_t> bytes, bool write)
        : source_(source), piece_(piece), bytes_(bytes), write_(write) {}

    BufferSource* source_; ///< null where nothing has to be ended
    Piece piece_;
    std::span<uint8_t> bytes_;
    bool write_;
};

/// /dev/daedalus.
class Device final : public BufferSource {
public:
    /// Opens the node and checks that both sides speak the same protocol version.
    static Result<Device> open(const std::string& path);
    Device(Device&&) = default;
    ~Device() override = default;

    int fd() const { return fd_.get(); }
    /// Blocks until there is a message. EINTR comes back as an error.
    Result<std::span<const uint8_t>> read();
    Result<void> complete(uint64_t job, int error);

    Result<std::span<uint8_t>> buffer(Piece piece, size_t bytes) override;
    Result<void> beginAccess(Piece piece, bool write) override;
    Result<void> endAccess(Piece piece, bool write) override;
    void dropBuffer(uint64_t cookie);

private:
    class Mapping {
    public:
        Mapping(UniqueFd fd, uint8_t* data, size_t size) : fd_(std::move(fd)), data_(data), size_(size) {}
        Mapping(Mapping&& other) noexcept
            : fd_(std::move(other.fd_)), data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
        Mapping(const Mapping&) = delete;
        Mapping& operator=(const Mapping&) = delete;
        Mapping& operator=(Mapping&&) = delete;
        ~Mapping();
        int fd() const { return fd_.get(); }
        std::span<uint8_t> bytes() const { return {data_, size_}; }

    private:
        UniqueFd fd_;
        uint8_t* data_;
        size_t size_;
    };

    explicit Device(UniqueFd fd) : fd_(std::move(fd)), message_(DAEDALUS_MESSAGE_MAX) {}
    Result<void> sync(Piece piece, uint64_t flags);

    UniqueFd fd_;
    std::vector<uint8_t> message_;
    std::map<Piece, Mapping> mappings_;
};

} // namespace daedalus
