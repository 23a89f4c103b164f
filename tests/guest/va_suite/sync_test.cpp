// SPDX-License-Identifier: MIT
// Pictures take time: what returns at once, what waits, and how long. Needs a device that is slow on purpose:
// VA_SUITE_SLOW_MS says how many milliseconds it takes for a picture.
#include <chrono>
#include <thread>

#include <unistd.h>
#include <va/va_drmcommon.h>

#include "test_case.h"

namespace va_suite {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

class Sync : public CodecTest {
protected:
    void SetUp() override {
        CodecTest::SetUp();
        if (setting("VA_SUITE_SLOW_MS").empty())
            GTEST_SKIP() << "needs a slow device";
        slow = milliseconds(std::stol(setting("VA_SUITE_SLOW_MS")));
    }
    VASurfaceStatus status(VASurfaceID surface) {
        VASurfaceStatus answer{};
        EXPECT_EQ(vaQuerySurfaceStatus(display, surface, &answer), VA_STATUS_SUCCESS);
        return answer;
    }
    static milliseconds since(Clock::time_point start) {
        return std::chrono::duration_cast<milliseconds>(Clock::now() - start);
    }

    milliseconds slow{};
};

TEST_P(Sync, EndPictureDoesNotWait) {
    Player player(display, stream());
    player.play(1);
    ASSERT_EQ(vaSyncSurface(display, player.surface(0)), VA_STATUS_SUCCESS);
    const auto start = Clock::now();
    player.play(4);
    EXPECT_LT(since(start), 3 * slow)
        << "a call that waits for the picture before its own is there after three of them";
    EXPECT_EQ(status(player.surface(4)), VASurfaceRendering);
    EXPECT_EQ(vaSyncSurface(display, player.surface(4)), VA_STATUS_SUCCESS);
    EXPECT_GE(since(start), 4 * slow);
    for (size_t i = 1; i <= 4; i++)
        EXPECT_EQ(status(player.surface(i)), VASurfaceReady);
}

TEST_P(Sync, TimeoutsAreHonoured) {
    Player player(display, stream());
    player.play(1);
    const auto start = Clock::now();
    EXPECT_EQ(vaSyncSurface2(display, player.surface(0), 0), VA_STATUS_ERROR_TIMEDOUT);
    EXPECT_LT(since(start), slow / 2);
    EXPECT_EQ(vaSyncSurface2(display, player.surface(0), nanoseconds(slow / 4).count()), VA_STATUS_ERROR_TIMEDOUT);
    EXPECT_GE(since(start), slow / 4);
    EXPECT_LT(since(start), slow);
    EXPECT_EQ(status(player.surface(0)), VASurfaceRendering);
    EXPECT_EQ(vaSyncSurface2(display, player.surface(0), nanoseconds(slow * 20).count()), VA_STATUS_SUCCESS);
    EXPECT_GE(since(start), slow - milliseconds(20));
    EXPECT_EQ(vaSyncSurface2(display, player.surface(0), 0), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaSyncSurface2(display, player.surface(0), VA_TIMEOUT_INFINITE), VA_STATUS_SUCCESS);
    player.play(1);
    EXPECT_EQ(vaSyncSurface2(display, player.surface(1), VA_TIMEOUT_INFINITE - 1), VA_STATUS_SUCCESS);
}

TEST_P(Sync, StatusTurnsReadyWithoutASync) {
    Player player(display, stream());
    player.play(1);
    const auto start = Clock::now();
    EXPECT_EQ(status(player.surface(0)), VASurfaceRendering);
    while (status(player.surface(0)) != VASurfaceReady && since(start) < 50 * slow)
        std::this_thread::sleep_for(slow / 10);
    EXPECT_EQ(status(player.surface(0)), VASurfaceReady);
}

TEST_P(Sync, UnusedSurfacesAreReadyAtOnce) {
    Player player(display, stream());
    player.play(3);
    const auto start = Clock::now();
    EXPECT_EQ(status(player.spare()), VASurfaceReady);
    EXPECT_EQ(vaSyncSurface(display, player.spare()), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaSyncSurface2(display, player.spare(), 0), VA_STATUS_SUCCESS);
    EXPECT_LT(since(start), slow);
}

TEST_P(Sync, FromManyThreads) {
    Player player(display, stream());
    player.play(4);
    std::vector<std::thread> threads;
    for (size_t i = 0; i < 12; i++)
        threads.emplace_back([&, i] {
            const VASurfaceID surface = player.surface(3 - i % 4);
            if (i % 3 == 0) // some are impatient
                vaSyncSurface2(display, surface, nanoseconds(slow / 3).count());
            EXPECT_EQ(vaSyncSurface(display, surface), VA_STATUS_SUCCESS);
            EXPECT_EQ(status(surface), VASurfaceReady);
        });
    // Pictures go on while they wait.
    player.play(3);
    for (std::thread& thread : threads)
        thread.join();
    player.expectRestIsRight();
}

TEST_P(Sync, ExportAndMapWaitForThePicture) {
    Player player(display, stream());
    player.play(2);
    VADRMPRIMESurfaceDescriptor prime{};
    EXPECT_EQ(vaExportSurfaceHandle(display, player.surface(0), VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                    VA_EXPORT_SURFACE_SEPARATE_LAYERS | VA_EXPORT_SURFACE_READ_ONLY, &prime),
              VA_STATUS_SUCCESS);
    EXPECT_EQ(status(player.surface(0)), VASurfaceReady);
    ::close(prime.objects[0].fd);
    VAImage image{};
    EXPECT_EQ(vaDeriveImage(display, player.surface(1), &image), VA_STATUS_SUCCESS);
    void* data = nullptr;
    EXPECT_EQ(vaMapBuffer(display, image.buf, &data), VA_STATUS_SUCCESS);
    EXPECT_EQ(status(player.surface(1)), VASurfaceReady);
    EXPECT_EQ(vaUnmapBuffer(display, image.buf), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
    player.expectRestIsRight();
}

TEST_P(Sync, BuffersAreReadyWhenTheirPictureIs) {
    Player player(display, stream());
    VAImage image{};
    ASSERT_EQ(vaDeriveImage(display, player.surface(0), &image), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaSyncBuffer(display, image.buf, 0), VA_STATUS_SUCCESS); // nothing is written to it yet
    const VABufferID parameters = player.buffer(VAPictureParameterBufferType, player.picture(0).parameters);
    const auto start = Clock::now();
    ASSERT_EQ(vaBeginPicture(display, player.context(), player.surface(0)), VA_STATUS_SUCCESS);
    std::vector<VABufferID> buffers = player.buffersOf(player.picture(0));
    ASSERT_EQ(vaRenderPicture(display, player.context(), buffers.data(), static_cast<int>(buffers.size())),
              VA_STATUS_SUCCESS);
    ASSERT_EQ(vaEndPicture(display, player.context()), VA_STATUS_SUCCESS);
    // What was sent is the driver's own by now, whatever the device does.
    EXPECT_EQ(vaSyncBuffer(display, parameters, 0), VA_STATUS_SUCCESS);
    for (const VABufferID buffer : buffers)
        EXPECT_EQ(vaSyncBuffer(display, buffer, 0), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaSyncBuffer(display, image.buf, 0), VA_STATUS_ERROR_TIMEDOUT);
    EXPECT_EQ(vaSyncBuffer(display, image.buf, nanoseconds(slow / 4).count()), VA_STATUS_ERROR_TIMEDOUT);
    EXPECT_EQ(vaSyncBuffer(display, image.buf, VA_TIMEOUT_INFINITE), VA_STATUS_SUCCESS);
    EXPECT_GE(since(start), slow - milliseconds(20));
    EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
    player.clearBuffers();
}

TEST_P(Sync, PicturesOutliveTheirContext) {
    Player player(display, stream());
    player.play(4);
    player.destroyContext();
    for (size_t i = 0; i < 4; i++)
        player.expectPicture(i);
}

TEST_P(Sync, SurfacesDestroyedWhilePending) {
    std::vector<VASurfaceID> surfaces(4);
    Player player(display, stream());
    REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width, stream().height, surfaces.data(), 4,
                                nullptr, 0));
    for (const VASurfaceID surface : surfaces)
        EXPECT_TRUE(player.submit(surface, player.picture(0)).ok());
    EXPECT_EQ(vaDestroySurfaces(display, surfaces.data(), 4), VA_STATUS_SUCCESS);
    player.expectRestIsRight();
}

TEST_P(Sync, TerminatedWithPicturesPending) {
    Display own;
    VAConfigID config = VA_INVALID_ID;
    VAContextID context = VA_INVALID_ID;
    Player player(own, stream());
    player.play(4);
    REQUIRE_VA(vaCreateConfig(own, stream().profile, VAEntrypointVLD, nullptr, 0, &config));
    REQUIRE_VA(vaCreateContext(own, config, 64, 64, 0, nullptr, 0, &context));
    REQUIRE_VA(vaBeginPicture(own, player.context(), player.spare()));
    const std::vector<VABufferID> leftBehind = player.buffersOf(player.picture(4));
    own.terminate();
}

VA_SUITE_FOR_ALL_CODECS(Sync);

} // namespace

} // namespace va_suite
