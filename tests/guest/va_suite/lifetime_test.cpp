// SPDX-License-Identifier: MIT
// Displays and threads: several of both, in any order.
#include <algorithm>
#include <atomic>
#include <thread>

#include <unistd.h>
#include <va/va_drmcommon.h>

#include "machine.h"
#include "test_case.h"

namespace va_suite {

namespace {

class Lifetime : public CodecTest {};

TEST_P(Lifetime, TwoDisplaysOfOneProcess) {
    Display other;
    Player one(display, stream()), two(other, stream());
    one.play(3);
    two.play(3);
    one.expectRestIsRight();
    display.terminate();
    two.expectRestIsRight();
}

TEST_P(Lifetime, OneAfterTheOther) {
    // The module stays in memory (RTLD_NODELETE): nothing of the display before must be left in it.
    for (int i = 0; i < 5; i++) {
        Display again;
        Player player(again, stream());
        player.expectRestIsRight();
    }
}

TEST_P(Lifetime, TerminatedWithEverythingAlive) {
    Display own;
    Player player(own, stream());
    player.play(4);
    VAImage derived{};
    REQUIRE_VA(vaDeriveImage(own, player.surface(0), &derived));
    void* data = nullptr;
    REQUIRE_VA(vaMapBuffer(own, derived.buf, &data));
    REQUIRE_VA(vaBeginPicture(own, player.context(), player.spare()));
    const std::vector<VABufferID> leftBehind = player.buffersOf(player.picture(4));
    own.terminate();
}

TEST_P(Lifetime, ContextOfAnotherSizeAfterwards) {
    Player player(display, stream());
    player.expectRestIsRight();
    VAContextID context = VA_INVALID_ID;
    for (const int size : {64, 512, 1024}) {
        REQUIRE_VA(vaCreateContext(display, player.config(), size, size, VA_PROGRESSIVE, nullptr, 0, &context));
        REQUIRE_VA(vaDestroyContext(display, context));
    }
    player.destroyContext();
    player.createContext();
    EXPECT_TRUE(player.submit(player.surface(0), player.picture(0)).ok());
    player.expectPicture(0);
}

TEST_P(Lifetime, ManyThreads) {
    Player player(display, stream());
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    const auto repeat = [&](auto action) {
        threads.emplace_back([&stop, action] {
            while (!stop)
                action();
        });
    };
    repeat([&] {
        VASurfaceID surfaces[3];
        REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, 64, 64, surfaces, 3, nullptr, 0));
        VADRMPRIMESurfaceDescriptor prime{};
        REQUIRE_VA(vaExportSurfaceHandle(display, surfaces[0], VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                         VA_EXPORT_SURFACE_COMPOSED_LAYERS, &prime));
        ::close(prime.objects[0].fd);
        REQUIRE_VA(vaDestroySurfaces(display, surfaces, 3));
    });
    repeat([&] { // the client's renderer
        for (size_t i = 0; i < stream().pictureCount && !stop; i++) {
            vaSyncSurface(display, player.surface(i));
            VADRMPRIMESurfaceDescriptor prime{};
            if (vaExportSurfaceHandle(display, player.surface(i), VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                      VA_EXPORT_SURFACE_SEPARATE_LAYERS, &prime) == VA_STATUS_SUCCESS)
                ::close(prime.objects[0].fd);
        }
    });
    repeat([&] {
        VASurfaceStatus status{};
        for (size_t i = 0; i < stream().pictureCount; i++)
            EXPECT_EQ(vaQuerySurfaceStatus(display, player.surface(i), &status), VA_STATUS_SUCCESS);
        VAImage derived{};
        void* data = nullptr;
        REQUIRE_VA(vaDeriveImage(display, player.surface(0), &derived));
        if (vaMapBuffer(display, derived.buf, &data) == VA_STATUS_SUCCESS)
            REQUIRE_VA(vaUnmapBuffer(display, derived.buf));
        REQUIRE_VA(vaDestroyImage(display, derived.image_id));
    });
    repeat([&] { // another decoder
        Player other(display, stream());
        other.play(3);
        other.expectPicture(0);
    });
    for (int round = 0; round < 5; round++)
        for (size_t i = 0; i < stream().pictureCount; i++) {
            const Outcome outcome = player.submit(player.surface(i), player.picture(i));
            ASSERT_TRUE(outcome.ok()) << describe(outcome);
        }
    stop = true;
    for (std::thread& thread : threads)
        thread.join();
    player.expectRestIsRight();
}

TEST_P(Lifetime, ContextDestroyedUnderAnotherThread) {
    for (int round = 0; round < 20; round++) {
        Player player(display, stream());
        std::thread thread([&] {
            try {
                player.play(stream().pictureCount);
            } catch (const std::runtime_error&) { // the context is gone
            }
        });
        std::this_thread::sleep_for(std::chrono::microseconds(500 * round));
        vaDestroyContext(display, player.context());
        thread.join();
        for (size_t i = 0; i < stream().pictureCount; i++)
            vaSyncSurface(display, player.surface(i));
    }
}

TEST_P(Lifetime, ContextReplacedUnderAnotherThread) {
    // vaEndPicture has found the context, and is late; meanwhile it is destroyed, and another one made.
    // Late at the session's locks; in the build for ThreadSanitizer at each lock, those of the context and of the
    // tables among them (util/mutex.h).
    const NoFaultsAfter noFaults;
    for (unsigned late = 0; late < 12; late++) {
        Player player(display, stream());
        player.play(2);
        ASSERT_EQ(vaSyncSurface(display, player.surface(1)), VA_STATUS_SUCCESS);
        REQUIRE_VA(vaBeginPicture(display, player.context(), player.surface(2)));
        auto buffers = player.buffersOf(player.picture(2));
        REQUIRE_VA(vaRenderPicture(display, player.context(), buffers.data(), static_cast<int>(buffers.size())));
        std::atomic<bool> begun = false;
        VAStatus ended = VA_STATUS_SUCCESS;
        const VAContextID old = player.context();
        std::thread thread([&] {
            calls::arm({.site = calls::siteOf("lock"),
                        .after = late,
                        .times = 1,
                        .delay = std::chrono::milliseconds(60),
                        .thisThreadOnly = true});
            begun = true;
            ended = vaEndPicture(display, old);
        });
        while (!begun)
            std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(15));
        player.destroyContext();
        player.createContext();
        player.rewind();
        std::vector<Outcome> outcomes;
        for (size_t i = 3; i < 7; i++) // the new context, while the old one may still submit
            outcomes.push_back(player.submit(player.surface(i), player.picture(0)));
        thread.join();
        calls::disarm();
        for (const Outcome& outcome : outcomes)
            EXPECT_TRUE(outcome.ok()) << describe(outcome);
        for (size_t i = 3; i < 7; i++)
            EXPECT_FALSE(isDamaged(display, player.surface(i))) << "picture " << i << ", late at lock " << late;
        if (ended == VA_STATUS_SUCCESS && !isDamaged(display, player.surface(2)))
            player.expectPicture(2);
        player.clearBuffers();
        player.stray();
        player.expectRestIsRight();
        if (HasFailure())
            break;
    }
}

VA_SUITE_FOR_ALL_CODECS(Lifetime);

class Late : public VaTest {};

TEST_F(Late, PicturesLeaveNothingInAnotherContext) {
    // vaEndPicture has found its context, and is late; meanwhile the context is destroyed, and another one made and
    // used. The late picture's matrices are not for that one (ISO/IEC 13818-2, 6.3.11: what is not loaded stays as it
    // is). Late at the session's locks; in the build for ThreadSanitizer at each lock (util/mutex.h).
    const Stream& plain = streamOf(Codec::Mpeg2);
    if (!display.offers(plain.profile) || !display.hasTruePixels())
        GTEST_SKIP() << "needs a device that decodes MPEG-2";
    const NoFaultsAfter noFaults;
    const auto own = loadMpeg2("intra-matrix.m2v");
    for (unsigned late = 0; late < 12 && !HasFailure(); late++) {
        Player before(display, *own);
        before.play(2);
        ASSERT_EQ(vaSyncSurface(display, before.surface(1)), VA_STATUS_SUCCESS);
        REQUIRE_VA(vaBeginPicture(display, before.context(), before.surface(2)));
        auto buffers = before.buffersOf(before.picture(2));
        REQUIRE_VA(vaRenderPicture(display, before.context(), buffers.data(), static_cast<int>(buffers.size())));
        std::atomic<bool> begun = false;
        const VAContextID old = before.context();
        std::thread thread([&] {
            calls::arm({.site = calls::siteOf("lock"),
                        .after = late,
                        .times = 1,
                        .delay = std::chrono::milliseconds(150),
                        .thisThreadOnly = true});
            begun = true;
            vaEndPicture(display, old);
        });
        while (!begun)
            std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(15));
        before.destroyContext();
        Player player(display, plain);
        const Outcome first = player.submit(player.surface(0), player.picture(0));
        thread.join();
        calls::disarm();
        Picture picture = player.picture(0);
        picture.iqMatrix.clear();
        const Outcome second = player.submit(player.surface(1), picture);
        EXPECT_TRUE(first.ok() && second.ok()) << describe(first) << describe(second);
        const Bytes pixels = readSurface(display, player.surface(1), plain.width, plain.height);
        EXPECT_TRUE(std::ranges::equal(pixels, plain.expectedPicture(0))) << "late at lock " << late;
        before.clearBuffers();
    }
}

} // namespace

} // namespace va_suite
