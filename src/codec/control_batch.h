// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace v4l2_request {

// Binds a control id to the one struct that the kernel defines for it, so that a size can never be wrong.
template <uint32_t Id, typename T>
struct Control {
    static constexpr uint32_t id = Id;
    using Payload = T;
    static_assert(std::is_trivially_copyable_v<T>);
};

// A payload as the bytes that it is.
template <typename T>
std::vector<std::byte> bytesOf(const T& payload) {
    static_assert(std::is_trivially_copyable_v<T>);
    std::vector<std::byte> bytes(sizeof(payload));
    std::memcpy(bytes.data(), &payload, sizeof(payload));
    return bytes;
}

// The controls of one request: codec builders write them, the decode layer hands them to the device as they are.
class ControlBatch {
public:
    struct Entry {
        uint32_t id;
        uint32_t size; // bytes: element size * number of elements
        std::byte* payload;
    };

    explicit ControlBatch(std::pmr::memory_resource* memory = std::pmr::get_default_resource()) : memory_(memory) {}
    ~ControlBatch() { clear(); }
    // A copy is in the heap, and what is assigned in the memory that the batch has.
    ControlBatch(const ControlBatch& other) : ControlBatch() { append(other); }
    ControlBatch(ControlBatch&& other) noexcept : memory_(other.memory_) { take(other); }
    ControlBatch& operator=(const ControlBatch& other) {
        if (this == &other)
            return *this;
        clear();
        append(other);
        return *this;
    }
    // NOLINTNEXTLINE(performance-noexcept-move-constructor,bugprone-exception-escape): into other memory, it copies
    ControlBatch& operator=(ControlBatch&& other) {
        if (memory_ != other.memory_)
            return *this = other;
        clear();
        take(other);
        return *this;
    }

    template <typename C>
    void add(const typename C::Payload& payload) {
        append(C::id, &payload, sizeof(payload));
    }
    // What `make` returns: it is made where it stays, and can be changed there.
    template <typename C, typename Make>
    requires std::is_invocable_r_v<typename C::Payload, Make>
    typename C::Payload& add(Make make) {
        return *new (reserve(C::id, sizeof(typename C::Payload))) typename C::Payload(make());
    }

    // A dynamic array control: as many elements as the span has. An empty one is not sent.
    template <typename C>
    void addArray(std::span<const typename C::Payload> payload) {
        if (!payload.empty())
            append(C::id, payload.data(), payload.size_bytes());
    }

    // A payload that somebody else has made; false if there is no room for one more.
    [[nodiscard]] bool addBytes(uint32_t id, std::span<const std::byte> payload) {
        const bool room = count_ < entries_.size();
        if (room)
            append(id, payload.data(), payload.size());
        return room;
    }

    std::span<const Entry> entries() const { return std::span(entries_).first(count_); }
    static std::span<const std::byte> payload(const Entry& entry) { return {entry.payload, entry.size}; }

    // The bytes of a control; empty if the batch has none of that id.
    std::span<const std::byte> find(uint32_t id) const {
        for (const Entry& entry : entries())
            if (entry.id == id)
                return payload(entry);
        return {};
    }

    // A copy of a control's (n-th) payload, for tests and for readers of what was written.
    template <typename C>
    typename C::Payload get(size_t n = 0) const {
        typename C::Payload copy{};
        const auto bytes = find(C::id);
        if (bytes.size() >= (n + 1) * sizeof(copy))
            std::memcpy(&copy, bytes.data() + n * sizeof(copy), sizeof(copy));
        return copy;
    }

private:
    static constexpr size_t alignment = 8;

    std::byte* reserve(uint32_t id, size_t size) {
        assert(count_ < entries_.size());
        auto* const payload = static_cast<std::byte*>(memory_->allocate(size, alignment));
        entries_[count_++] = {id, static_cast<uint32_t>(size), payload};
        return payload;
    }
    void append(uint32_t id, const void* data, size_t size) { std::memcpy(reserve(id, size), data, size); }
    void append(const ControlBatch& other) {
        for (const Entry& entry : other.entries())
            append(entry.id, entry.payload, entry.size);
    }
    void take(ControlBatch& other) noexcept {
        std::copy_n(other.entries_.begin(), other.count_, entries_.begin());
        count_ = std::exchange(other.count_, 0);
    }
    void clear() noexcept {
        for (const Entry& entry : entries())
            memory_->deallocate(entry.payload, entry.size, alignment);
        count_ = 0;
    }

    std::pmr::memory_resource* memory_;
    std::array<Entry, 8> entries_; // no codec has more controls
    size_t count_ = 0;
};

} // namespace v4l2_request
