// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace daedalus {

class BitWriter {
public:
    void bit(uint32_t value) { bits(value & 1, 1); }
    void flag(bool value) { bits(value ? 1 : 0, 1); }

    /// u(n), n <= 32.
    void bits(uint32_t value, unsigned count) {
        while (count > 0) {
            if (used_ == 0)
                data_.push_back(0);
            const unsigned room = 8 - used_;
            const unsigned take = count < room ? count : room;
            const uint32_t part = (value >> (count - take)) & ((1u << take) - 1);
            data_.back() = static_cast<uint8_t>(data_.back() | (part << (room - take)));
            used_ = (used_ + take) & 7;
            count -= take;
        }
    }

    /// ue(v)
    void ue(uint32_t value) {
        const uint64_t code = static_cast<uint64_t>(value) + 1;
        unsigned length = 0;
        while ((code >> length) > 1)
            ++length;
        bits(0, length);
        bit(1);
        bits(static_cast<uint32_t>(code & ((uint64_t{1} << length) - 1)), length);
    }

    /// se(v)
    void se(int32_t value) {
        const auto wide = static_cast<int64_t>(value);
        ue(static_cast<uint32_t>(wide > 0 ? 2 * wide - 1 : -2 * wide));
    }

    void align(uint32_t filler) {
        while (used_ != 0)
            bit(filler);
    }

    /// rbsp_trailing_bits()
    void trailing() {
        bit(1);
        align(0);
    }

    /// Appends the bits [from, to) of data, at whatever alignment both sides have.
    void append(std::span<const uint8_t> data, size_t from, size_t to) {
        while (from < to && (from & 7) != 0) {
            bit(static_cast<uint32_t>(data[from >> 3] >> (7 - (from & 7))));
            ++from;
        }
        if (used_ == 0) {
            const size_t bytes = (to - from) / 8;
            data_.insert(data_.end(), data.begin() + static_cast<ptrdiff_t>(from / 8),
                         data.begin() + static_cast<ptrdiff_t>(from / 8 + bytes));
            from += bytes * 8;
        }
        for (; from + 8 <= to; from += 8)
            bits(data[from >> 3], 8);
        for (; from < to; ++from)
            bit(static_cast<uint32_t>(data[from >> 3] >> (7 - (from & 7))));
    }

    size_t size() const { return data_.size() * 8 - (used_ == 0 ? 0 : 8 - used_); }
    std::span<const uint8_t> bytes() const { return data_; }
    std::vector<uint8_t> take() { return std::move(data_); }

private:
    std::vector<uint8_t> data_;
    unsigned used_ = 0; ///< bits used in the last byte; 0: it is full or there is none
};

} // namespace daedalus
