// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <climits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "bitstream/bit_reader.h"

namespace v4l2_request::bitstream {
namespace {

using View = BitReader::View;

TEST(BitReader, ReadsAcrossBytes) {
    constexpr std::array<uint8_t, 6> data{0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc};
    BitReader reader(data);
    EXPECT_EQ(reader.bits(4), 0x1u);
    EXPECT_EQ(reader.bits(0), 0u);
    EXPECT_EQ(reader.bits(32), 0x23456789u);
    EXPECT_EQ(reader.bits(12), 0xabcu);
    EXPECT_EQ(reader.position(), 48u);
    EXPECT_TRUE(reader.ok());
}

TEST(BitReader, PastTheEndIsZeroAndAnErrorForGood) {
    constexpr std::array<uint8_t, 1> data{0xff};
    BitReader reader(data);
    EXPECT_EQ(reader.bits(4), 0xfu);
    EXPECT_EQ(reader.bits(8), 0xf0u);
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.bits(32), 0u);
    EXPECT_EQ(reader.ue(), 0u);
    EXPECT_FALSE(reader.ok());

    BitReader empty({}, View::Rbsp);
    EXPECT_FALSE(empty.flag());
    EXPECT_FALSE(empty.ok());
}

// Table 9-2 of H.264.
TEST(BitReader, ExpGolombCodes) {
    // 1 010 011 00100 00101 00110 00111 0001000 0001001 0001010
    constexpr std::array<uint8_t, 6> data{0xa6, 0x42, 0x98, 0xe2, 0x04, 0x8a};
    BitReader plain(data);
    for (uint32_t expected = 0; expected < 10; ++expected)
        EXPECT_EQ(plain.ue(), expected);
    // Table 9-3
    BitReader mapped(data);
    for (int32_t expected : {0, 1, -1, 2, -2, 3, -3, 4, -4, 5})
        EXPECT_EQ(mapped.se(), expected);
    EXPECT_TRUE(plain.ok() && mapped.ok());
}

TEST(BitReader, ExpGolombLimits) {
    // 31 zeros, a one, 31 ones: 2^32 - 2, and -(2^31 - 1).
    constexpr std::array<uint8_t, 8> largest{0, 0, 0, 1, 0xff, 0xff, 0xff, 0xfe};
    BitReader reader(largest);
    EXPECT_EQ(reader.ue(), 0xfffffffeu);
    BitReader negative(largest);
    EXPECT_EQ(negative.se(), -INT_MAX);
    EXPECT_TRUE(reader.ok() && negative.ok());

    constexpr std::array<uint8_t, 9> tooLong{0, 0, 0, 0, 0x80, 0, 0, 0, 0};
    BitReader refused(tooLong);
    EXPECT_EQ(refused.ue(), 0u);
    EXPECT_FALSE(refused.ok());
}

struct Emulation {
    std::vector<uint8_t> data;
    std::vector<uint8_t> payload;
};

class Rbsp : public testing::TestWithParam<Emulation> {};

// 7.3.1 of H.264: 00 00 03 is two bytes of payload, wherever it stands.
TEST_P(Rbsp, SkipsEmulationPrevention) {
    const auto& [data, payload] = GetParam();
    for (const unsigned step : {1u, 3u, 8u}) {
        BitReader reader(data, View::Rbsp);
        BitReader expected(payload);
        for (size_t bit = 0; bit + step <= payload.size() * 8; bit += step) {
            ASSERT_EQ(reader.bits(step), expected.bits(step)) << "bit " << bit;
            ASSERT_EQ(reader.position(), expected.position());
        }
        EXPECT_TRUE(reader.ok());
    }
}

INSTANTIATE_TEST_SUITE_P(Placements, Rbsp,
                         testing::Values(Emulation{{0, 0, 3, 1}, {0, 0, 1}}, Emulation{{9, 0, 0, 3}, {9, 0, 0}},
                                         Emulation{{0, 0, 3, 0, 0, 3, 0}, {0, 0, 0, 0, 0}},
                                         Emulation{{0, 0, 3, 3}, {0, 0, 3}}, Emulation{{0, 3, 0, 3}, {0, 3, 0, 3}},
                                         Emulation{{1, 0, 3, 0, 0, 4}, {1, 0, 3, 0, 0, 4}},
                                         Emulation{{0, 0, 3, 0, 3}, {0, 0, 0, 3}}));

// Of bytes that are often zero or 3, in steps of every length: the bits are those of the payload, one by one.
TEST(BitReader, IsRightWhereverItRefills) {
    std::minstd_rand random(1);
    const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    constexpr std::array<uint8_t, 6> often{0, 0, 3, 1, 0x80, 0xff};
    for (int round = 0; round < 2000; ++round) {
        std::vector<uint8_t> data(below(40));
        for (uint8_t& byte : data)
            byte = round % 3 ? often[below(often.size())] : static_cast<uint8_t>(below(256));
        std::vector<bool> payload;
        for (size_t i = 0, zeros = 0; i < data.size(); ++i) {
            if (zeros >= 2 && data[i] == 3) {
                zeros = 0;
                continue;
            }
            zeros = data[i] ? 0 : zeros + 1;
            for (int bit = 7; bit >= 0; --bit)
                payload.push_back(data[i] >> bit & 1);
        }
        BitReader reader(data, View::Rbsp);
        for (size_t at = 0; at < payload.size();) {
            const auto count = static_cast<unsigned>(std::min<size_t>(below(33), payload.size() - at));
            uint32_t expected = 0;
            for (unsigned i = 0; i < count; ++i)
                expected = expected << 1 | payload[at++];
            ASSERT_EQ(reader.bits(count), expected) << "round " << round << ", bit " << at - count;
            ASSERT_EQ(reader.position(), at);
            ASSERT_TRUE(reader.ok());
        }
        reader.bits(1);
        EXPECT_FALSE(reader.ok());
    }
}

TEST(BitReader, CountsRawBitsToo) {
    constexpr std::array<uint8_t, 6> data{0x80, 0, 0, 3, 0x40, 0xff};
    BitReader reader(data, View::Rbsp);
    reader.bits(23);
    EXPECT_EQ(reader.rawPosition(), 23u);
    reader.bits(1); // the next bit is the one behind the 03
    EXPECT_EQ(reader.position(), 24u);
    EXPECT_EQ(reader.rawPosition(), 32u);
    EXPECT_EQ(reader.bits(2), 1u);
    EXPECT_EQ(reader.position(), 26u);
    EXPECT_EQ(reader.rawPosition(), 34u);
}

} // namespace
} // namespace v4l2_request::bitstream
