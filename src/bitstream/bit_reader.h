// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace v4l2_request::bitstream {

// Reads bits, most significant first, from memory that it does not own and never leaves: a read past the end gives
// zeros and makes ok() false for good, so that a parser may read a whole header and ask once at its end.
class BitReader {
public:
    enum class View {
        Plain, // the bytes as they are
        Rbsp   // a NAL unit of H.264 or HEVC: the 03 of each 00 00 03 is not part of the payload (H.264 7.3.1, 7.4.1)
    };

    explicit BitReader(std::span<const uint8_t> data, View view = View::Plain) : data_(data), view_(view) {}

    bool ok() const { return ok_; }

    // The next `count` bits, 0 to 32.
    uint32_t bits(unsigned count) {
        uint32_t value = 0;
        while (count > 0) {
            const unsigned step = count < 8u - bit_ ? count : 8u - bit_;
            const uint32_t byte = current();
            const uint32_t chunk = byte >> (8u - bit_ - step) & ((1u << step) - 1u);
            value = value << step | chunk;
            count -= step;
            advance(step);
        }
        return value;
    }

    bool flag() { return bits(1) != 0; }

    // ue(v) of H.264 9.1: 0 to 2^32 - 2. A prefix of more than 31 zeros names no such value and is an error.
    uint32_t ue() {
        unsigned zeros = 0;
        while (ok_ && !flag())
            if (++zeros > 31)
                ok_ = false;
        return ok_ ? (1u << zeros) - 1u + bits(zeros) : 0;
    }

    // se(v) of H.264 9.1.1: 1, -1, 2, -2 ... stand for 1, 2, 3, 4 ...
    int32_t se() {
        const uint32_t code = ue();
        const auto magnitude = static_cast<int32_t>(code / 2 + code % 2);
        return code % 2 ? magnitude : -magnitude;
    }

    // Bits of payload read so far: what syntax tables count.
    size_t position() const { return (byte_ - skipped_) * 8 + bit_; }
    // The same point as an offset into the bytes as they are, emulation prevention included.
    size_t rawPosition() const { return byte_ * 8 + bit_; }

private:
    uint32_t current() {
        if (byte_ < data_.size())
            return data_[byte_];
        ok_ = false;
        return 0;
    }

    void advance(unsigned count) {
        bit_ += count;
        if (bit_ < 8)
            return;
        bit_ = 0;
        zeros_ = byte_ < data_.size() && data_[byte_] == 0 ? zeros_ + 1 : 0;
        if (byte_ < data_.size())
            ++byte_;
        if (view_ == View::Rbsp && zeros_ >= 2 && byte_ < data_.size() && data_[byte_] == 3) {
            ++byte_;
            ++skipped_;
            zeros_ = 0;
        }
    }

    std::span<const uint8_t> data_;
    View view_;
    size_t byte_ = 0;    // the byte that holds the next bit
    size_t skipped_ = 0; // emulation prevention bytes before it
    size_t zeros_ = 0;   // zero bytes right before it
    unsigned bit_ = 0;
    bool ok_ = true;
};

} // namespace v4l2_request::bitstream
