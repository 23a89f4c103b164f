// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "codec/codec.h"

// What the fuzz targets share: their input as a sequence of fields, and a surface table.
namespace v4l2_request::fuzz {

class Input {
public:
    explicit Input(std::span<const uint8_t> data) : data_(data) {}

    bool empty() const { return data_.empty(); }
    // Up to `size` bytes; fewer at the end.
    std::span<const uint8_t> bytes(size_t size) {
        const auto taken = data_.first(std::min(size, data_.size()));
        data_ = data_.subspan(taken.size());
        return taken;
    }
    // Zeros where the input has ended.
    template <typename T>
    T value() {
        T value{};
        const auto taken = bytes(sizeof(value));
        if (!taken.empty())
            std::memcpy(&value, taken.data(), taken.size());
        return value;
    }
    // A length and as many bytes, in a vector of their own, so that a read past their end is seen.
    std::vector<uint8_t> sized() {
        const auto taken = bytes(value<uint16_t>());
        return {taken.begin(), taken.end()};
    }

private:
    std::span<const uint8_t> data_;
};

// Every third surface was never decoded into.
class Surfaces : public codec::References {
public:
    std::optional<uint64_t> timestamp(VASurfaceID surface) const override {
        return surface % 3 == 0 ? std::nullopt : std::optional<uint64_t>(1000u * (surface % 97));
    }
    std::optional<uint64_t> latest() const override { return 98'000; }
};

template <typename T>
std::vector<uint8_t> bytesOf(const T& value) {
    std::vector<uint8_t> bytes(sizeof(value));
    std::memcpy(bytes.data(), &value, sizeof(value));
    return bytes;
}

inline void require(bool holds, const char* what) {
    if (holds)
        return;
    std::fprintf(stderr, "not so: %s\n", what);
    std::abort();
}

} // namespace v4l2_request::fuzz
