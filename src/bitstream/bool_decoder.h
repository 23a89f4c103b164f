// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace v4l2_request::bitstream {

// The arithmetic decoder of VP8 (RFC 6386, 7) and VP9 (VP9 specification, 9.2): the same in both. Reads from memory
// that it does not own and never leaves: past the end every bit is zero and ok() turns false for good, so that a parser
// may read a whole header and ask once at its end.
class BoolDecoder {
public:
    explicit BoolDecoder(std::span<const uint8_t> data) : data_(data) {
        for (unsigned i = 0; i < windowBits; ++i)
            value_ = value_ << 1 | nextBit();
    }

    // A bool that is false with the given probability, in 256ths.
    bool boolean(unsigned probability) {
        const uint32_t split = 1 + ((range_ - 1) * probability >> 8);
        const bool result = value_ >= split;
        if (result) {
            range_ -= split;
            value_ -= split;
        } else {
            range_ = split;
        }
        for (; range_ < 128; range_ <<= 1)
            value_ = value_ << 1 | nextBit();
        return result;
    }

    bool flag() { return boolean(128); }

    // An unsigned number of `count` bits, the most significant first: L(n) of both documents. At most 32.
    uint32_t literal(unsigned count) {
        uint32_t value = 0;
        for (; count > 0; --count)
            value = value << 1 | static_cast<uint32_t>(flag());
        return value;
    }

    // A magnitude of `count` bits, then a sign (RFC 6386, 9.3 and 9.6).
    int32_t signedLiteral(unsigned count) {
        const auto magnitude = static_cast<int32_t>(literal(count));
        return flag() ? -magnitude : magnitude;
    }

    // Bits that the decoder has done with. It looks eight bits ahead; those do not count.
    size_t position() const { return read_ - windowBits; }
    bool ok() const { return position() <= data_.size() * 8; }

private:
    // What it takes to compare with a split, which is never more than 255.
    static constexpr unsigned windowBits = 8;

    uint32_t nextBit() {
        const size_t byte = read_ / 8;
        const uint32_t bit = byte < data_.size() ? data_[byte] >> (7 - read_ % 8) & 1u : 0u;
        ++read_;
        return bit;
    }

    std::span<const uint8_t> data_;
    size_t read_ = 0; // bits
    uint32_t value_ = 0;
    uint32_t range_ = 255;
};

} // namespace v4l2_request::bitstream
