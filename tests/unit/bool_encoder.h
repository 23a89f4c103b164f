// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace v4l2_request::test {

// The encoder to the bool decoder of VP8 and VP9 (RFC 6386, 7.3): what the tests encode headers with.
class BoolEncoder {
public:
    BoolEncoder& boolean(unsigned probability, bool value) {
        const uint32_t split = 1 + ((range_ - 1) * probability >> 8);
        if (value) {
            low_ += split;
            range_ -= split;
        } else {
            range_ = split;
        }
        for (; range_ < 128; range_ <<= 1)
            shift();
        return *this;
    }
    BoolEncoder& flag(bool value) { return boolean(128, value); }
    BoolEncoder& literal(uint32_t value, unsigned count) {
        while (count-- > 0)
            flag(value >> count & 1);
        return *this;
    }
    // flag, magnitude, sign: how VP8 codes a value that may be absent.
    BoolEncoder& optional(int value, unsigned count) {
        flag(value != 0);
        if (value != 0)
            literal(static_cast<uint32_t>(value < 0 ? -value : value), count).flag(value < 0);
        return *this;
    }

    // Bits that a decoder is done with once it has read everything written so far.
    size_t position() const { return bytes_.size() * 8 + pending_; }
    // All that was written, with as many bits more as a decoder looks ahead.
    std::vector<uint8_t> finish() const {
        BoolEncoder end = *this;
        for (unsigned i = 0; i < 16; ++i)
            end.shift();
        return end.bytes_;
    }

private:
    void shift() {
        low_ <<= 1;
        if (++pending_ < 8)
            return;
        const uint32_t out = low_ >> 8;
        if (out > 0xff) // a carry into what is already out
            for (size_t i = bytes_.size(); i-- > 0 && ++bytes_[i] == 0;)
                ;
        bytes_.push_back(static_cast<uint8_t>(out));
        low_ &= 0xff;
        pending_ = 0;
    }

    std::vector<uint8_t> bytes_;
    uint32_t low_ = 0;
    uint32_t range_ = 255;
    unsigned pending_ = 0;
};

} // namespace v4l2_request::test
