// SPDX-License-Identifier: MIT
#include <algorithm>
#include <random>

#include <gtest/gtest.h>

#include "bitstream/bool_decoder.h"
#include "bool_encoder.h"

namespace v4l2_request::bitstream {
namespace {

TEST(BoolDecoder, ReadsWhatAnEncoderWrote) {
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        struct Bool {
            unsigned probability;
            bool value;
            size_t position;
        };
        std::vector<Bool> bools;
        test::BoolEncoder encoder;
        for (int i = 0; i < 500; ++i) {
            const unsigned probability = 1 + random() % 255;
            const bool value = random() % 256 >= probability;
            encoder.boolean(probability, value);
            bools.push_back({probability, value, encoder.position()});
        }
        const auto bytes = encoder.finish();
        BoolDecoder decoder(bytes);
        EXPECT_EQ(decoder.position(), 0u);
        for (const Bool& expected : bools) {
            ASSERT_EQ(decoder.boolean(expected.probability), expected.value);
            ASSERT_EQ(decoder.position(), expected.position);
        }
        EXPECT_TRUE(decoder.ok());
    }
}

// A run is what its bools are one by one, wherever it is cut.
TEST(BoolDecoder, ReadsRunsOfFalses) {
    constexpr unsigned probability = 252;
    std::mt19937 random(11);
    for (int round = 0; round < 200; ++round) {
        test::BoolEncoder encoder;
        for (int i = 0; i < 500; ++i)
            encoder.boolean(probability, random() % 256 >= probability);
        const auto bytes = encoder.finish();
        BoolDecoder decoder(bytes), single(bytes);
        for (size_t left = 500; left > 0;) {
            const size_t most = std::min<size_t>(left, random() % 100);
            const size_t falses = decoder.falses<probability>(most);
            size_t expected = 0;
            while (expected < most && !single.boolean(probability))
                ++expected;
            ASSERT_EQ(falses, expected);
            ASSERT_EQ(decoder.position(), single.position());
            left -= std::min(most, falses + 1);
        }
        EXPECT_TRUE(decoder.ok());
    }
}

TEST(BoolDecoder, ReadsNumbers) {
    const auto bytes = test::BoolEncoder().literal(0x12345678, 32).optional(-5, 4).optional(0, 4).finish();
    BoolDecoder decoder(bytes);
    EXPECT_EQ(decoder.literal(32), 0x12345678u);
    EXPECT_TRUE(decoder.flag());
    EXPECT_EQ(decoder.signedLiteral(4), -5);
    EXPECT_FALSE(decoder.flag());
    EXPECT_EQ(decoder.literal(0), 0u);
}

// RFC 6386, 7.3: with even odds and no input but zeros every bool is false and costs about one bit.
TEST(BoolDecoder, StaysInItsMemory) {
    const uint8_t byte = 0;
    BoolDecoder decoder({&byte, 1});
    EXPECT_EQ(decoder.literal(8), 0u);
    EXPECT_TRUE(decoder.ok());
    EXPECT_EQ(decoder.literal(8), 0u);
    EXPECT_FALSE(decoder.ok());
    EXPECT_FALSE(BoolDecoder({}).flag());
}

} // namespace
} // namespace v4l2_request::bitstream
