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

    // Maps several descriptors behind one another: each from a multiple of the page size on, up to the next one.
    struct Piece {
        int fd;
        size_t begin;
    };
    static Mapping map(std::span<const Piece> pieces, size_t size) {
        Mapping mapping;
        void* reserved = ::mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (reserved == MAP_FAILED)
            return mapping;
        mapping.data_ = reserved;
        mapping.size_ = size;
        for (size_t i = 0; i < pieces.size(); i++) {
            const size_t end = i + 1 < pieces.size() ? pieces[i + 1].begin : size;
            if (::mmap(static_cast<uint8_t*>(reserved) + pieces[i].begin, end - pieces[i].begin, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_FIXED, pieces[i].fd, 0) == MAP_FAILED)
                return {};
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
