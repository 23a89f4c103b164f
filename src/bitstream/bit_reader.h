// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "bitstream/big_endian.h"

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

    bool ok() const { return ok_ && ahead_ >= 0; }

    // The next `count` bits, 0 to 32.
    uint32_t bits(unsigned count) {
        if (ahead_ < static_cast<int>(count))
            refill();
        const auto value = static_cast<uint32_t>(window_ >> 32 >> (32 - count));
        skip(count);
        return value;
    }

    bool flag() { return bits(1) != 0; }

    // ue(v) of H.264 9.1: 0 to 2^32 - 2. A prefix of more than 31 zeros names no such value and is an error.
    uint32_t ue() {
        if (ahead_ < 32)
            refill();
        const auto zeros = static_cast<unsigned>(std::countl_zero(window_));
        if (zeros > 31) {
            ok_ = false;
            return 0;
        }
        skip(zeros + 1);
        return (1u << zeros) - 1u + bits(zeros);
    }

    // se(v) of H.264 9.1.1: 1, -1, 2, -2 ... stand for 1, 2, 3, 4 ...
    int32_t se() {
        const uint32_t code = ue();
        const auto magnitude = static_cast<int32_t>(code / 2 + code % 2);
        return code % 2 ? magnitude : -magnitude;
    }

    // Bits of payload read so far: what syntax tables count.
    size_t position() const { return loaded_ - static_cast<size_t>(std::max(ahead_, 0)); }
    // The same point as an offset into the bytes as they are, emulation prevention included.
    size_t rawPosition() const {
        size_t byte = 0, zeros = 0;
        for (size_t payload = position() / 8; payload > 0; --payload) {
            zeros = data_[byte] == 0 ? zeros + 1 : 0;
            ++byte;
            if (isPrevention(byte, zeros)) {
                ++byte;
                zeros = 0;
            }
        }
        return byte * 8 + position() % 8;
    }

private:
    bool isPrevention(size_t byte, size_t zeros) const {
        return view_ == View::Rbsp && zeros >= 2 && byte < data_.size() && data_[byte] == 3;
    }

    static constexpr bool hasZero(uint64_t bytes) { return (bytes - 0x0101010101010101) & ~bytes & 0x8080808080808080; }

    [[gnu::noinline]] void refill() { // not in each of the many places that read a bit
        const auto bytes = bigEndian64(data_, next_);
        if (bytes && (view_ == View::Plain || !hasZero(*bytes))) { // nothing to leave out
            window_ |= *bytes >> ahead_; // and what is read there once more, from the same bits
            const int count = (64 - ahead_) / 8;
            next_ += static_cast<size_t>(count);
            loaded_ += static_cast<size_t>(8 * count);
            ahead_ += 8 * count;
            zeros_ = 0;
            return;
        }
        for (; ahead_ <= 56 && next_ < data_.size(); ahead_ += 8, loaded_ += 8) {
            const uint8_t byte = data_[next_++];
            window_ |= uint64_t{byte} << (56 - ahead_);
            zeros_ = byte == 0 ? zeros_ + 1 : 0;
            if (isPrevention(next_, zeros_)) {
                ++next_;
                zeros_ = 0;
            }
        }
    }

    // At most 32.
    void skip(unsigned count) {
        window_ <<= count;
        ahead_ -= static_cast<int>(count);
    }

    std::span<const uint8_t> data_;
    View view_;
    size_t next_ = 0;     // byte of the data that is not in the window yet
    size_t zeros_ = 0;    // zero bytes right before it
    uint64_t window_ = 0; // the next bits of payload, from the top
    int ahead_ = 0;       // how many of them count as read, negative past the end; below is what may come next, or zero
    size_t loaded_ = 0;   // bits of payload that the window has seen
    bool ok_ = true;
};

} // namespace v4l2_request::bitstream
