// SPDX-License-Identifier: MIT
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "va/spare_buffers.h"

namespace v4l2_request::va {
namespace {

TEST(SpareBuffers, WhatNobodyHasServesTheNext) {
    SpareBuffers spare;
    BufferRef first = spare.take(1000);
    BufferRef second = first;
    const uint8_t* const bytes = first->data.data();
    first = nullptr;
    EXPECT_NE(spare.take(1000)->data.data(), bytes); // somebody still has it
    second = nullptr;
    const BufferRef again = spare.take(900);
    EXPECT_EQ(again->data.data(), bytes);
    EXPECT_EQ(again->data.size(), 900u);
}

TEST(SpareBuffers, SizesShareNoMemory) {
    SpareBuffers spare;
    spare.take(300);
    for (const size_t size : {1, 256, 257, 512, 513, 4096, 1 << 20, (64 << 20) + 1}) {
        const BufferRef buffer = spare.take(size);
        EXPECT_GE(buffer->data.capacity(), size);
    }
}

// More than clients use for a few pictures is given back, and a buffer without memory is kept nowhere.
TEST(SpareBuffers, KeepsNoMoreThanItIsWorth) {
    SpareBuffers spare;
    std::vector<BufferRef> many;
    for (int i = 0; i < 1000; i++)
        many.push_back(spare.take(1000));
    many.clear();
    EXPECT_EQ(spare.make()->data.capacity(), 0u);
    EXPECT_GE(spare.take(1)->data.capacity(), 1u);
}

TEST(SpareBuffers, ThreadsShareBuffers) {
    SpareBuffers spare;
    const BufferRef shared = spare.take(64);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&spare, &shared] {
            for (int i = 0; i < 1000; i++) {
                const BufferRef mine = shared;
                const BufferRef other = spare.take(64);
                other->data.data()[0] = static_cast<uint8_t>(i);
            }
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(shared->shares, 1u);
}

} // namespace
} // namespace v4l2_request::va
