// SPDX-License-Identifier: MIT
#include <cstring>
#include <memory_resource>
#include <mutex>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "util/arena.h"
#include "util/block_pool.h"
#include "util/mutex.h"

namespace v4l2_request {
namespace {

TEST(Arena, KeepsWhatWasAllocatedUntilItIsCleared) {
    Arena arena;
    const auto play = [&] {
        std::pmr::vector<std::pmr::vector<uint64_t>> lists(&arena);
        for (uint64_t i = 0; i < 100; ++i)
            lists.emplace_back(i * 10, i);
        for (uint64_t i = 0; i < 100; ++i)
            for (const uint64_t value : lists[i])
                ASSERT_EQ(value, i);
    };
    for (int round = 0; round < 3; ++round) {
        play();
        arena.clear();
    }
}

TEST(Arena, Aligns) {
    Arena arena;
    for (const size_t alignment : {1u, 2u, 8u, 16u, 1u, 8u}) {
        const auto address = reinterpret_cast<uintptr_t>(arena.allocate(3, alignment));
        EXPECT_EQ(address % alignment, 0u);
    }
}

// The same sizes again find their memory in the block that there is.
TEST(Arena, NeedsNoMoreForTheSameAgain) {
    Arena arena;
    const std::vector<size_t> sizes{100, 40'000, 7, 100'000, 3'000};
    const auto play = [&] {
        std::vector<std::byte*> at;
        for (const size_t size : sizes) {
            at.push_back(static_cast<std::byte*>(arena.allocate(size, 8)));
            std::memset(at.back(), 0xa5, size);
        }
        arena.clear();
        return at;
    };
    play(); // in several blocks
    play(); // in one, which is new
    const auto before = play();
    EXPECT_EQ(play(), before);
    EXPECT_LT(before.back() - before.front(), 150'000) << "one after the other";
}

TEST(BlockPool, GivesABlockThatCameBack) {
    const auto pool = std::make_shared<BlockPool>();
    struct Object {
        int value;
    };
    const auto make = [&](int value) { return std::allocate_shared<Object>(PoolAllocator<Object>(pool), value); };
    auto first = make(1);
    const auto second = make(2);
    const Object* const address = first.get();
    EXPECT_NE(address, second.get());
    std::weak_ptr<Object> watcher = first;
    first.reset();
    EXPECT_TRUE(watcher.expired());
    EXPECT_NE(make(3).get(), address) << "somebody still asks whether the first object is there";
    watcher.reset();
    const auto third = make(4);
    const auto fourth = make(5);
    EXPECT_TRUE(third.get() == address || fourth.get() == address);
    EXPECT_EQ(second->value, 2);
}

// An object may be the last that has the pool.
TEST(BlockPool, LivesAsLongAsItsObjects) {
    auto pool = std::make_shared<BlockPool>();
    const std::weak_ptr<BlockPool> watcher = pool;
    auto object = std::allocate_shared<int>(PoolAllocator<int>(pool), 7);
    pool.reset();
    EXPECT_FALSE(watcher.expired());
    object.reset();
    EXPECT_TRUE(watcher.expired());
}

TEST(Mutex, LetsInOneAtATime) {
    Mutex mutex;
    constexpr int rounds = 20'000;
    int count = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round < rounds; ++round) {
                const std::lock_guard lock(mutex);
                const int seen = count;
                if (round % 1000 == 0)
                    std::this_thread::yield(); // the others have to wait
                count = seen + 1;
            }
        });
    for (std::thread& thread : threads)
        thread.join();
    EXPECT_EQ(count, 4 * rounds);
    EXPECT_TRUE(mutex.try_lock());
    EXPECT_FALSE(mutex.try_lock());
    mutex.unlock();
}

} // namespace
} // namespace v4l2_request
