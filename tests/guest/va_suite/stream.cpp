// SPDX-License-Identifier: MIT
#include "stream.h"

#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "display.h"

namespace va_suite {

Bytes readFile(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw std::runtime_error("cannot read " + path);
    return Bytes(std::istreambuf_iterator<char>(file), {});
}

uint32_t crc32(const uint8_t* data, size_t size, uint32_t before) {
    static const auto table = [] {
        std::array<uint32_t, 256> entries{};
        for (uint32_t i = 0; i < 256; i++) {
            entries[i] = i;
            for (int bit = 0; bit < 8; bit++)
                entries[i] = entries[i] >> 1 ^ (entries[i] & 1 ? 0xedb88320u : 0);
        }
        return entries;
    }();
    uint32_t crc = ~before;
    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ data[i]) & 0xff] ^ crc >> 8;
    return ~crc;
}

std::string fixture(const std::string& relative) {
    const std::string folder = setting("VA_SUITE_FIXTURES");
    if (folder.empty())
        throw std::runtime_error("VA_SUITE_FIXTURES does not name the folder of the fixtures");
    return folder + "/" + relative;
}

Bytes readExpected(const std::string& file) {
    const std::string folder = setting("VA_SUITE_EXPECTED");
    return folder.empty() ? Bytes() : readFile(folder + "/" + file + ".nv12");
}

std::span<const uint8_t> Stream::expectedPicture(size_t index) const {
    if (expected.empty())
        throw std::runtime_error("VA_SUITE_EXPECTED does not name a folder with what a decoder makes of the streams");
    if (expected.size() < (index + 1) * pictureBytes())
        throw std::runtime_error("what VA_SUITE_EXPECTED has of a stream is too short");
    return std::span(expected).subspan(index * pictureBytes(), pictureBytes());
}

const Stream& streamOf(Codec codec) {
    static const auto mpeg2 = loadMpeg2("ip.m2v");
    static const auto h264 = loadH264("baseline.h264");
    return codec == Codec::Mpeg2 ? *mpeg2 : *h264;
}

std::string nameOf(Codec codec) {
    return codec == Codec::Mpeg2 ? "Mpeg2" : "H264";
}

} // namespace va_suite
