// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include <sys/mman.h>
#include <unistd.h>

namespace v4l2_request::os {

inline uint64_t wholePages(uint64_t bytes) {
    const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
}

// Memory behind a descriptor, from its start on.
struct Piece {
    int fd;
    uint32_t length; // bytes
};

// Owns one shared memory mapping.
class Mapping final {
public:
    Mapping() = default;
    Mapping(Mapping&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Mapping& operator=(Mapping&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~Mapping() {
        if (data_)
            ::munmap(data_, size_);
    }

    // Maps `size` bytes of `fd` for reading and writing; not valid (and errno set) on failure.
    static Mapping map(int fd, size_t size, off_t offset = 0) {
        Mapping mapping;
        void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
        if (data != MAP_FAILED) {
            mapping.data_ = data;
            mapping.size_ = size;
        }
        return mapping;
    }

    // Maps pieces behind one another: all but the last have whole pages.
    static Mapping map(std::span<const Piece> pieces) {
        Mapping mapping;
        size_t size = 0;
        for (const Piece& piece : pieces)
            size += piece.length;
        void* reserved = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (reserved == MAP_FAILED)
            return mapping;
        mapping.data_ = reserved;
        mapping.size_ = size;
        auto* at = static_cast<uint8_t*>(reserved);
        for (const Piece& piece : pieces) {
            if (::mmap(at, piece.length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, piece.fd, 0) == MAP_FAILED)
                return {};
            at += piece.length;
        }
        return mapping;
    }

    bool valid() const { return data_ != nullptr; }
    std::span<uint8_t> bytes() const { return {static_cast<uint8_t*>(data_), size_}; }

private:
    void* data_ = nullptr;
    size_t size_ = 0;
};

} // namespace v4l2_request::os
