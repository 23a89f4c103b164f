// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

namespace va_suite {

using Bytes = std::vector<uint8_t>;

// Reads the headers of the suite's own streams, most significant bit first. Those are well formed: whatever is not is
// a mistake in the suite and ends the test.
class Bits {
public:
    explicit Bits(std::span<const uint8_t> bytes) : bytes_(bytes) {}

    uint32_t read(unsigned count) {
        uint32_t value = 0;
        while (count--) {
            if (position_ / 8 >= bytes_.size())
                throw std::runtime_error("a header of a stream is too short");
            value = value << 1 | (bytes_[position_ / 8] >> (7 - position_ % 8) & 1u);
            position_++;
        }
        return value;
    }
    bool flag() { return read(1) != 0; }
    // ue(v) and se(v), H.264 clause 9.1.
    uint32_t unsignedGolomb() {
        unsigned zeros = 0;
        while (!flag())
            zeros++;
        return (1u << zeros) - 1 + read(zeros);
    }
    int32_t signedGolomb() {
        const uint32_t code = unsignedGolomb();
        return code % 2 ? static_cast<int32_t>(code / 2 + 1) : -static_cast<int32_t>(code / 2);
    }
    size_t position() const { return position_; }

private:
    std::span<const uint8_t> bytes_;
    size_t position_ = 0;
};

// The pieces between the start codes 00 00 01, without them. Zeros at their ends stay: in MPEG-2 they may belong to the
// last codeword.
inline std::vector<std::span<const uint8_t>> splitAtStartCodes(std::span<const uint8_t> stream) {
    std::vector<std::span<const uint8_t>> units;
    size_t begin = 0;
    for (size_t i = 0; i <= stream.size(); i++) {
        const bool code = i + 3 <= stream.size() && stream[i] == 0 && stream[i + 1] == 0 && stream[i + 2] == 1;
        if (!code && i < stream.size())
            continue;
        if (begin)
            units.push_back(stream.subspan(begin, i - begin));
        begin = i + 3;
        i += code ? 2 : 0;
    }
    return units;
}

// The bytes of any plain struct, as vaCreateBuffer takes them.
template <typename T>
Bytes bytesOf(const T& value) {
    const auto* first = reinterpret_cast<const uint8_t*>(&value);
    return Bytes(first, first + sizeof(value));
}

} // namespace va_suite
