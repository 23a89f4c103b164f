// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
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
        uint32_t size;   // bytes: element size * number of elements
        uint32_t offset; // into the batch's own storage
    };

    template <typename C>
    void add(const typename C::Payload& payload) {
        append(C::id, &payload, sizeof(payload));
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
    std::span<const std::byte> payload(const Entry& entry) const {
        return std::span(storage_).subspan(entry.offset, entry.size);
    }

    // The bytes of a control; empty if the batch has none of that id.
    std::span<const std::byte> find(uint32_t id) const {
        for (const Entry& entry : entries())
            if (entry.id == id)
                return payload(entry);
        return {};
    }

    // A copy of a control's (n-th) payload, for tests and for whoever needs to read what was written.
    template <typename C>
    typename C::Payload get(size_t n = 0) const {
        typename C::Payload copy{};
        const auto bytes = find(C::id);
        if (bytes.size() >= (n + 1) * sizeof(copy))
            std::memcpy(&copy, bytes.data() + n * sizeof(copy), sizeof(copy));
        return copy;
    }

private:
    void append(uint32_t id, const void* data, size_t size) {
        assert(count_ < entries_.size());
        if (count_ == 0)
            storage_.reserve(4096); // for nearly every request: it is not moved again and again as it grows
        constexpr size_t alignment = 8;
        const size_t offset = storage_.size();
        const auto* bytes = static_cast<const std::byte*>(data);
        storage_.insert(storage_.end(), bytes, bytes + size);
        if (const size_t over = size % alignment)
            storage_.resize(storage_.size() + alignment - over);
        entries_[count_++] = {id, static_cast<uint32_t>(size), static_cast<uint32_t>(offset)};
    }

    std::array<Entry, 8> entries_{}; // no codec has more controls
    size_t count_ = 0;
    std::vector<std::byte> storage_;
};

} // namespace v4l2_request
