// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace v4l2_request::test {

// Writes bits, most significant first: what the tests encode headers with.
class BitWriter {
public:
    BitWriter& bits(uint64_t value, unsigned count) {
        while (count-- > 0)
            put(value >> count & 1);
        return *this;
    }
    BitWriter& ue(uint32_t value) {
        const uint64_t code = uint64_t{value} + 1;
        unsigned length = 0;
        while (code >> (length + 1))
            ++length;
        return bits(0, length).bits(code, length + 1);
    }
    BitWriter& se(int32_t value) {
        const int64_t wide = value;
        return ue(static_cast<uint32_t>(wide > 0 ? 2 * wide - 1 : -2 * wide));
    }

    size_t size() const { return size_; }
    const std::vector<uint8_t>& bytes() const { return bytes_; }

    // The bytes as a NAL unit carries them: an 03 before each byte below 04 that follows two zeros.
    std::vector<uint8_t> escaped() const {
        std::vector<uint8_t> out;
        unsigned zeros = 0;
        for (const uint8_t byte : bytes_) {
            if (zeros >= 2 && byte <= 3) {
                out.push_back(3);
                zeros = 0;
            }
            out.push_back(byte);
            zeros = byte == 0 ? zeros + 1 : 0;
        }
        return out;
    }

private:
    void put(bool bit) {
        if (size_ % 8 == 0)
            bytes_.push_back(0);
        bytes_.back() = static_cast<uint8_t>(bytes_.back() | bit << (7 - size_ % 8));
        ++size_;
    }

    std::vector<uint8_t> bytes_;
    size_t size_ = 0;
};

} // namespace v4l2_request::test
