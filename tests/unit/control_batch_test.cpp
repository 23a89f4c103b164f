// SPDX-License-Identifier: MIT
#include <memory_resource>

#include <gtest/gtest.h>

#include "codec/control_batch.h"

namespace v4l2_request {
namespace {

struct Five {
    uint8_t bytes[5];
};
using FiveControl = Control<17, Five>;
using WordControl = Control<23, uint32_t>;

TEST(ControlBatch, KeepsEveryPayloadWhole) {
    ControlBatch batch;
    batch.add<FiveControl>({{1, 2, 3, 4, 5}});
    batch.add<WordControl>(0xdeadbeef);
    ASSERT_EQ(batch.entries().size(), 2u);
    EXPECT_EQ(batch.entries()[0].size, 5u);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(batch.entries()[1].payload) % 8, 0u);
    EXPECT_EQ(batch.get<FiveControl>().bytes[4], 5);
    EXPECT_EQ(batch.get<WordControl>(), 0xdeadbeef);
}

TEST(ControlBatch, SendsNoEmptyArray) {
    ControlBatch batch;
    batch.addArray<WordControl>({});
    EXPECT_TRUE(batch.entries().empty());
    const uint32_t values[] = {1, 2, 3};
    batch.addArray<WordControl>(values);
    EXPECT_EQ(batch.find(23).size(), 12u);
    EXPECT_EQ(batch.get<WordControl>(2), 3u);
    EXPECT_TRUE(batch.find(99).empty());
}

// What is copied, or moved into other memory, owns its payloads.
TEST(ControlBatch, MovesBetweenMemories) {
    std::pmr::monotonic_buffer_resource memory;
    ControlBatch made(&memory);
    made.add<WordControl>(7);
    const ControlBatch copy = made;
    ControlBatch other;
    other.add<FiveControl>({});
    other = std::move(made);
    ASSERT_EQ(other.entries().size(), 1u);
    EXPECT_EQ(other.get<WordControl>(), 7u);
    EXPECT_EQ(copy.get<WordControl>(), 7u);
    EXPECT_NE(copy.entries()[0].payload, other.entries()[0].payload);
}

} // namespace
} // namespace v4l2_request
