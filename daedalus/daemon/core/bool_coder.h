// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace daedalus {

/// The bool decoder as RFC 6386, 7.3 gives it, with two bytes in view. VP9 has the same (9.2 of its specification).
/// Past the end it reads zeros and overrun() stays true.
class BoolCoder {
public:
    explicit BoolCoder(std::span<const uint8_t> data) : data_(data) { value_ = next() << 8 | next(); }

    uint32_t read(uint32_t probability) {
        const uint32_t split = 1 + (((range_ - 1) * probability) >> 8);
        const uint32_t bigSplit = split << 8;
        const bool above = value_ >= bigSplit;
        range_ = above ? range_ - split : split;
        if (above)
            value_ -= bigSplit;
        while (range_ < 128) {
            value_ <<= 1;
            range_ <<= 1;
            if (++shifts_ % 8 == 0)
                value_ |= next();
        }
        return above;
    }

    uint32_t bits(unsigned count) {
        uint32_t value = 0;
        while (count-- > 0)
            value = 2 * value + read(128);
        return value;
    }

    bool flag() { return read(128) != 0; }

    /// A flag, then a magnitude and a sign if it is set; 0 if not.
    int8_t optional(unsigned count) {
        if (!flag())
            return 0;
        const auto magnitude = static_cast<int>(bits(count));
        return static_cast<int8_t>(flag() ? -magnitude : magnitude);
    }

    /// The state as devices want it: 7.3's "range", the byte of "value" that is compared, and what is left of the byte
    /// that is under way.
    uint8_t range() const { return static_cast<uint8_t>(range_); }
    uint8_t value() const { return static_cast<uint8_t>(value_ >> 8); }
    uint8_t bitCount() const { return static_cast<uint8_t>((8 - shifts_ % 8) % 8); }
    /// Bits that are done with.
    size_t shifts() const { return shifts_; }
    bool overrun() const { return shifts_ > data_.size() * 8; }

private:
    uint32_t next() { return position_ < data_.size() ? data_[position_++] : 0; }

    std::span<const uint8_t> data_;
    size_t position_ = 0;
    size_t shifts_ = 0;
    uint32_t value_ = 0;
    uint32_t range_ = 255;
};

} // namespace daedalus
