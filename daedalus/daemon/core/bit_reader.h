// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace daedalus {

/// Reads an RBSP or any big-endian bit string. Past the end every bit is 0 and overrun() stays true, so that a parser
/// can read a whole header and look once.
class BitReader {
public:
    explicit BitReader(std::span<const uint8_t> data) : data_(data) {}

    uint32_t bit() {
        const size_t byte = position_ >> 3;
        if (byte >= data_.size()) {
            overrun_ = true;
            return 0;
        }
        const uint32_t value = (data_[byte] >> (7 - (position_ & 7))) & 1;
        ++position_;
        return value;
    }

    bool flag() { return bit() != 0; }

    /// u(n), n <= 32.
    uint32_t bits(unsigned count) {
        uint32_t value = 0;
        while (count-- > 0)
            value = (value << 1) | bit();
        return value;
    }

    /// ue(v), clause 9.1 of H.264 and 9.2 of H.265.
    uint32_t ue() {
        unsigned zeros = 0;
        while (!overrun_ && bit() == 0) {
            if (++zeros > 32) {
                overrun_ = true; // No codeword is that long: the stream is no Exp-Golomb code here.
                return 0;
            }
        }
        if (zeros == 0 || overrun_)
            return 0;
        const uint64_t base = (uint64_t{1} << zeros) - 1;
        return static_cast<uint32_t>(base + bits(zeros));
    }

    /// se(v), clause 9.1.1.
    int32_t se() {
        const uint32_t code = ue();
        const auto magnitude = static_cast<int64_t>((static_cast<uint64_t>(code) + 1) / 2);
        return static_cast<int32_t>((code & 1) ? magnitude : -magnitude);
    }

    size_t position() const { return position_; }
    bool overrun() const { return overrun_; }

private:
    std::span<const uint8_t> data_;
    size_t position_ = 0;
    bool overrun_ = false;
};

} // namespace daedalus
