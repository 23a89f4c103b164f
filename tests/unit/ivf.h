// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace v4l2_request::test {

// The frames of an IVF file below the folder of test streams (V4L2_REQUEST_VECTORS); none if it is not there.
inline std::vector<std::vector<uint8_t>> ivfFrames(const std::string& name) {
    const char* folder = std::getenv("V4L2_REQUEST_VECTORS");
    if (!folder)
        return {};
    std::ifstream file(std::filesystem::path(folder) / name, std::ios::binary);
    const std::vector<uint8_t> bytes(std::istreambuf_iterator<char>(file), {});
    constexpr size_t fileHeader = 32, frameHeader = 12;
    std::vector<std::vector<uint8_t>> frames;
    for (size_t at = fileHeader; at + frameHeader <= bytes.size();) {
        const size_t size = bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16;
        at += frameHeader;
        if (size > bytes.size() - at)
            break;
        frames.emplace_back(bytes.begin() + static_cast<ptrdiff_t>(at),
                            bytes.begin() + static_cast<ptrdiff_t>(at + size));
        at += size;
    }
    return frames;
}

} // namespace v4l2_request::test
