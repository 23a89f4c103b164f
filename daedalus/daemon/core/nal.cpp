// SPDX-License-Identifier: MIT
#include "core/nal.h"

#include <cstddef>

namespace daedalus {
namespace {

/// The offset of the next 00 00 01, or the size.
size_t findStartCode(std::span<const uint8_t> stream, size_t from) {
    for (size_t i = from; i + 3 <= stream.size(); ++i) {
        if (stream[i] == 0 && stream[i + 1] == 0 && stream[i + 2] == 1)
            return i;
    }
    return stream.size();
}

} // namespace

bool startsWithStartCode(std::span<const uint8_t> stream) {
    size_t zeros = 0;
    while (zeros < stream.size() && stream[zeros] == 0)
        ++zeros;
    return zeros >= 2 && zeros < stream.size() && stream[zeros] == 1;
}

std::vector<std::span<const uint8_t>> splitAnnexB(std::span<const uint8_t> stream) {
    std::vector<std::span<const uint8_t>> nals;
    size_t code = findStartCode(stream, 0);
    while (code < stream.size()) {
        const size_t begin = code + 3;
        code = findStartCode(stream, begin);
        size_t end = code;
        while (end > begin && stream[end - 1] == 0)
            --end;
        if (end > begin)
            nals.push_back(stream.subspan(begin, end - begin));
    }
    return nals;
}

std::vector<uint8_t> unescape(std::span<const uint8_t> nal) {
    std::vector<uint8_t> rbsp;
    rbsp.reserve(nal.size());
    unsigned zeros = 0;
    for (const uint8_t byte : nal) {
        if (zeros >= 2 && byte == 3) {
            zeros = 0;
            continue;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        rbsp.push_back(byte);
    }
    return rbsp;
}

void appendNal(std::vector<uint8_t>& stream, std::span<const uint8_t> rbsp) {
    stream.reserve(stream.size() + rbsp.size() + rbsp.size() / 64 + 8);
    stream.insert(stream.end(), {0, 0, 0, 1});
    unsigned zeros = 0;
    for (const uint8_t byte : rbsp) {
        if (zeros >= 2 && byte <= 3) {
            stream.push_back(3);
            zeros = 0;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        stream.push_back(byte);
    }
    if (zeros > 0)
        stream.push_back(3); // Clause 7.4.1: the last byte of a NAL unit shall not be 0.
}

} // namespace daedalus
