// SPDX-License-Identifier: MIT
// Threads of one client against each other. Small enough to be run under ThreadSanitizer (tests/guest/threads_test.py).
#include <atomic>
#include <thread>

#include "machine.h"
#include "test_case.h"

namespace va_suite {

namespace {

class Threads : public CodecTest {
protected:
    // Repeats an action until the test ends.
    class Repeating {
    public:
        template <typename Action>
        explicit Repeating(Action action)
            : thread_([this, action] {
                  while (!stop_)
                      action();
              }) {}
        ~Repeating() {
            stop_ = true;
            thread_.join();
        }
        Repeating(const Repeating&) = delete;
        Repeating& operator=(const Repeating&) = delete;

    private:
        std::atomic<bool> stop_ = false;
        std::thread thread_;
    };

    // What a player's submit() does, in a context that may be gone.
    VAStatus submit(VAContextID context, VASurfaceID target, const Picture& picture) {
        std::vector<VABufferID> buffers;
        const auto create = [&](VABufferType type, const Bytes& bytes) {
            VABufferID id = VA_INVALID_ID;
            if (!bytes.empty() && vaCreateBuffer(display, context, type, static_cast<unsigned>(bytes.size()), 1,
                                                 const_cast<uint8_t*>(bytes.data()), &id) == VA_STATUS_SUCCESS)
                buffers.push_back(id);
        };
        create(VAPictureParameterBufferType, picture.parameters);
        create(VAIQMatrixBufferType, picture.iqMatrix);
        for (const Picture::Slice& slice : picture.slices) {
            create(VASliceParameterBufferType, slice.parameters);
            create(VASliceDataBufferType, slice.data);
        }
        VAStatus status = vaBeginPicture(display, context, target);
        if (status == VA_STATUS_SUCCESS)
            status = vaRenderPicture(display, context, buffers.data(), static_cast<int>(buffers.size()));
        if (status == VA_STATUS_SUCCESS)
            status = vaEndPicture(display, context);
        for (const VABufferID buffer : buffers)
            vaDestroyBuffer(display, buffer);
        return status;
    }

    const NoFaultsAfter noFaults;
};

TEST_P(Threads, ContextsComeAndGoUnderEndPicture) {
    Player player(display, stream());
    std::atomic<VAContextID> context = player.context();
    {
        const Repeating decoder([&] {
            for (size_t i = 0; i < 4; i++)
                submit(context, player.surface(i), player.picture(i));
        });
        const Repeating another([&] {
            Player other(display, stream());
            other.submit(other.surface(0), other.picture(0));
            EXPECT_FALSE(isDamaged(display, other.surface(0)));
        });
        for (int round = 0; round < 60; round++) {
            std::this_thread::sleep_for(std::chrono::milliseconds(round % 5));
            vaDestroyContext(display, context);
            VAContextID fresh = VA_INVALID_ID;
            REQUIRE_VA(vaCreateContext(display, player.config(), static_cast<int>(stream().width),
                                       static_cast<int>(stream().height), VA_PROGRESSIVE, nullptr, 0, &fresh));
            context = fresh;
        }
    }
    player.adoptContext(context);
    player.stray();
    player.expectRestIsRight();
}

TEST_P(Threads, StatusIsAskedWhileSurfacesAreUsedAgain) {
    Player player(display, stream());
    {
        const Repeating poller([&] {
            VASurfaceStatus status{};
            for (size_t i = 0; i < stream().pictureCount; i++)
                EXPECT_EQ(vaQuerySurfaceStatus(display, player.surface(i), &status), VA_STATUS_SUCCESS);
        });
        const Repeating renderer([&] {
            for (size_t i = 0; i < stream().pictureCount; i++)
                vaSyncSurface2(display, player.surface(i), 1'000'000);
        });
        for (int round = 0; round < 6; round++) {
            player.rewind();
            player.play(stream().pictureCount);
        }
    }
    player.rewind();
    player.expectRestIsRight();
}

TEST_P(Threads, OneWaitsWhileAnotherRecovers) {
    Player player(display, stream());
    {
        const Repeating renderer([&] {
            for (size_t i = 0; i < stream().pictureCount; i++)
                vaSyncSurface(display, player.surface(i));
        });
        for (int round = 0; round < 20; round++) {
            calls::arm({.site = calls::siteOf("MEDIA_REQUEST_IOC_QUEUE"),
                        .error = EIO,
                        .after = static_cast<unsigned>(round % 3),
                        .times = 1});
            for (size_t i = 0; i < 4; i++)
                player.submit(player.surface(i), player.picture(i));
            calls::disarm();
            EXPECT_TRUE(player.submit(player.surface(0), player.picture(0)).ok());
            EXPECT_FALSE(isDamaged(display, player.surface(0))) << "round " << round;
        }
    }
    player.stray();
    player.expectRestIsRight();
}

TEST_P(Threads, TwoDecodersOnOneDisplay) {
    const auto decode = [&] {
        for (int round = 0; round < 3; round++) {
            Player player(display, stream());
            player.play(4);
            player.destroyContext();
            player.createContext();
            player.expectRestIsRight();
        }
    };
    std::thread other(decode);
    decode();
    other.join();
}

VA_SUITE_FOR_ALL_CODECS(Threads);

} // namespace

} // namespace va_suite
