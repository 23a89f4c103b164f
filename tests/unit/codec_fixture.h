// SPDX-License-Identifier: MIT
#pragma once

#include <any>
#include <cstring>
#include <deque>
#include <map>
#include <vector>

#include "codec/codec.h"

// What a client and a device look like to a codec builder.
namespace v4l2_request::test {

class FakeReferences : public codec::References {
public:
    std::optional<uint64_t> timestamp(VASurfaceID surface) const override {
        const auto found = timestamps.find(surface);
        return found == timestamps.end() ? std::nullopt : std::optional(found->second);
    }
    std::optional<uint64_t> latest() const override { return latestPicture; }
    std::map<VASurfaceID, uint64_t> timestamps;
    std::optional<uint64_t> latestPicture;
};

// Owns the bytes that a PictureInput refers to.
class Client {
public:
    codec::PictureInput input;

    template <typename T>
    void picture(const T& parameters) {
        input.picture = keep(parameters);
    }
    template <typename T>
    void iqMatrix(const T& parameters) {
        input.iqMatrix = keep(parameters);
    }
    template <typename T>
    void slice(const T& parameters, std::vector<uint8_t> data) {
        const codec::Bytes bytes = keep(parameters);
        input.slices.push_back({bytes, kept_.emplace_back(std::move(data))});
    }

private:
    template <typename T>
    codec::Bytes keep(const T& value) {
        std::vector<uint8_t>& bytes = kept_.emplace_back(sizeof(value));
        std::memcpy(bytes.data(), &value, sizeof(value));
        return bytes;
    }

    std::deque<std::vector<uint8_t>> kept_;
};

inline std::vector<uint8_t> bytesOf(const codec::Bitstream& bitstream) {
    std::vector<uint8_t> all;
    for (const codec::Bytes piece : bitstream.pieces())
        all.insert(all.end(), piece.begin(), piece.end());
    return all;
}

} // namespace v4l2_request::test
