// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "bitstream/big_endian.h"

namespace v4l2_request::bitstream {

// The arithmetic decoder of VP8 (RFC 6386, 7) and VP9 (VP9 specification, 9.2): the same in both. Reads from memory
// that it does not own and never leaves: past the end every bit is zero and ok() turns false for good, so that a parser
// may read a whole header and ask once at its end.
class BoolDecoder {
public:
    explicit BoolDecoder(std::span<const uint8_t> data) : data_(data) { refill(); }

    // A bool that is false with the given probability, in 256ths.
    bool boolean(unsigned probability) {
        const bool result = decide(splitOf(range_, probability));
        if (range_ < 128)
            skip(std::countl_zero(range_) - 24);
        return result;
    }

    // Even odds: one bit at most.
    bool flag() {
        const bool result = decide(splitOf(range_, 128));
        if (range_ < 128)
            skip(1);
        return result;
    }

    // Reads bools of one probability until one is true, `most` at most: how many were false before it. A false one
    // changes nothing but the range, so that all before the next normalisation are read as steps through a table.
    template <unsigned probability>
    size_t falses(size_t most) {
        static constexpr auto one = rangeAfterFalses<probability, 1>(), four = rangeAfterFalses<probability, 4>();
        size_t left = most;
        while (left > 0) {
            const uint64_t value = window_ >> 56;
            for (; left >= 4 && value < four[range_]; left -= 4)
                range_ = four[range_];
            for (; left > 0 && value < one[range_]; --left)
                range_ = one[range_];
            if (left > 0 && boolean(probability))
                return most - left;
            left -= left > 0;
        }
        return most;
    }

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

    // Bits that the decoder has done with.
    size_t position() const { return 8 * next_ - static_cast<size_t>(ahead_); }
    bool ok() const { return position() <= data_.size() * 8; }

private:
    static constexpr uint32_t splitOf(uint32_t range, unsigned probability) {
        return 1 + ((range - 1) * probability >> 8);
    }

    // The range after so many bools that are all false, or 0 where it has to be normalised by then. It only shrinks, so
    // all of them are false if the last one is.
    template <unsigned probability, unsigned count>
    static constexpr std::array<uint8_t, 256> rangeAfterFalses() {
        std::array<uint8_t, 256> after{};
        for (uint32_t range = 128; range < after.size(); ++range) {
            uint32_t split = range;
            for (unsigned i = 0; i < count && split >= 128; ++i)
                split = splitOf(split, probability);
            after[range] = static_cast<uint8_t>(split < 128 ? 0 : split);
        }
        return after;
    }

    bool decide(uint32_t split) {
        const uint64_t bound = uint64_t{split} << 56;
        const bool result = window_ >= bound;
        if (result) {
            range_ -= split;
            window_ -= bound;
        } else {
            range_ = split;
        }
        return result;
    }

    void skip(int bits) {
        range_ <<= bits;
        window_ <<= bits;
        ahead_ -= bits;
        if (ahead_ < 8) // what it takes to compare with a split, which is never more than 255
            refill();
    }

    void refill() {
        if (const auto bytes = bigEndian64(data_, next_)) {
            window_ |= *bytes >> ahead_; // and what is read there once more, from the same bits
            const int count = (63 - ahead_) / 8;
            next_ += static_cast<size_t>(count);
            ahead_ += 8 * count;
            return;
        }
        for (; ahead_ <= 56; ahead_ += 8, ++next_)
            if (next_ < data_.size())
                window_ |= uint64_t{data_[next_]} << (56 - ahead_);
    }

    std::span<const uint8_t> data_;
    size_t next_ = 0;     // byte of the data that is not in the window yet
    uint64_t window_ = 0; // the next bits, from the top
    int ahead_ = 0;       // how many of them count as read; what is below is zero, or what the next bytes have there
    uint32_t range_ = 255;
};

} // namespace v4l2_request::bitstream
