// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <thread>

#include "va/object_table.h"

namespace v4l2_request::va {
namespace {

TEST(ObjectTable, IdsOfOneTypeMeanNothingToAnother) {
    ObjectTable<int, 1> ones;
    ObjectTable<int, 2> twos;
    const VAGenericID one = ones.add(std::make_shared<int>(1));
    EXPECT_EQ(*ones.find(one), 1);
    EXPECT_EQ(twos.find(one), nullptr);
    EXPECT_NE(one, 0u);
    EXPECT_NE(one, VA_INVALID_ID);
}

TEST(ObjectTable, StaleIdsStayInvalid) {
    ObjectTable<int, 1> table;
    const VAGenericID first = table.add(std::make_shared<int>(1));
    EXPECT_NE(table.remove(first), nullptr);
    const VAGenericID second = table.add(std::make_shared<int>(2));
    EXPECT_NE(first, second);
    EXPECT_EQ(table.find(first), nullptr);
    EXPECT_EQ(table.remove(first), nullptr);
}

TEST(ObjectTable, WhatIsInUseOutlivesItsRemoval) {
    ObjectTable<int, 1> table;
    const VAGenericID id = table.add(std::make_shared<int>(7));
    const auto held = table.find(id);
    table.remove(id);
    EXPECT_EQ(*held, 7);
}

// As clients do: surfaces that stay, and buffers that come and go.
TEST(ObjectTable, ObjectsThatStayAreFoundWhileOthersComeAndGo) {
    ObjectTable<int, 1> table;
    std::vector<VAGenericID> stay;
    VAGenericID last = 0;
    for (int i = 0; i < 5000; i++) {
        const VAGenericID id = table.add(std::make_shared<int>(i));
        EXPECT_GT(id, last);
        last = id;
        if (i % 7 == 0)
            stay.push_back(id);
        else
            EXPECT_EQ(*table.remove(id), i);
    }
    for (size_t i = 0; i < stay.size(); i++)
        EXPECT_EQ(*table.find(stay[i]), static_cast<int>(i) * 7);
    EXPECT_EQ(table.all().size(), stay.size());
    EXPECT_EQ(table.find(0), nullptr);
    EXPECT_EQ(table.find(VA_INVALID_ID), nullptr);
}

TEST(ObjectTable, ThreadsGetDifferentIds) {
    ObjectTable<int, 1> table;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; t++)
        threads.emplace_back([&] {
            for (int i = 0; i < 1000; i++)
                table.add(std::make_shared<int>(i));
        });
    for (auto& thread : threads)
        thread.join();
    EXPECT_EQ(table.removeAll().size(), 4000u);
}

} // namespace
} // namespace v4l2_request::va
