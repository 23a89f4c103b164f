// SPDX-License-Identifier: MIT
// A device that pauses, and calls that fail: what is lost is told, what is not is right, and the next picture that
// needs no other is right again.
#include <chrono>
#include <thread>

#include <sys/resource.h>

#include "dma_buf.h"
#include "machine.h"
#include "test_case.h"

namespace va_suite {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Needs a daemon that may pause for longer than the driver waits (5 s) without the kernel giving its job up:
// VA_SUITE_FAULTS=pauses.
class Pauses : public VaTest {
protected:
    void SetUp() override {
        if (setting("VA_SUITE_FAULTS") != "pauses")
            GTEST_SKIP() << "needs a device that pauses";
    }

    // Submits pictures while the device pauses, and decodes everything when it goes on.
    void pause(Player& player, size_t before, size_t meanwhile) {
        player.play(before);
        vaSyncSurface(display, player.surface(0));
        auto stopped = std::make_unique<StoppedDaemon>();
        std::thread goesOn([&] {
            std::this_thread::sleep_for(7s);
            stopped.reset();
        });
        for (size_t i = before; i < before + meanwhile; i++)
            player.submit(player.surface(player.stream().frameOf(i)), player.picture(i));
        goesOn.join();
        const auto start = Clock::now();
        player.stray();
        player.expectRestIsRight();
        EXPECT_LT(Clock::now() - start, 10s) << "the context is of no use any more";
    }
};

TEST_F(Pauses, InTheMiddleOfAPictureOfManySlices) {
    const auto stream = loadH264("slices-mbs.h264");
    Player player(display, *stream);
    pause(player, 2, 2);
}

TEST_F(Pauses, BetweenFields) {
    const auto stream = recorded("h264-HCAFF1_HHI.264");
    if (!stream)
        GTEST_SKIP() << "needs a real stream with fields";
    learn(display, *stream);
    Player player(display, *stream);
    pause(player, 4, 6);
}

class Recovery : public CodecTest {
    const NoFaultsAfter noFaults;
};

TEST_P(Recovery, OfARequestThatIsNotQueuedLosesNothingLater) {
    // The thread that waits for the device learns of the recovery when the next picture is already there: what it has
    // seen is not of that one.
    if (setting("VA_SUITE_SLOW_MS").empty())
        GTEST_SKIP() << "needs a slow device";
    Player player(display, stream());
    for (int round = 0; round < 3; round++) {
        player.rewind();
        player.play(2);
        calls::arm({.site = calls::siteOf("poll(device)"), .delay = 40ms});
        std::thread waits([&] { vaSyncSurface(display, player.surface(1)); });
        std::this_thread::sleep_for(20ms);
        calls::arm({.site = calls::siteOf("MEDIA_REQUEST_IOC_QUEUE"), .error = EIO, .times = 1});
        player.submit(player.spare(), player.picture(0));
        calls::disarm();
        EXPECT_TRUE(player.submit(player.surface(0), player.picture(0)).ok());
        waits.join();
        EXPECT_FALSE(isDamaged(display, player.surface(0))) << "round " << round;
        calls::disarm();
        player.expectPicture(0);
        if (HasFailure())
            break;
    }
}

TEST_P(Recovery, BuffersThatDoNotComeBackCostNoWork) {
    Player player(display, stream());
    player.play(2);
    ASSERT_EQ(vaSyncSurface(display, player.surface(1)), VA_STATUS_SUCCESS);
    const auto worked = [] {
        rusage usage{};
        ::getrusage(RUSAGE_SELF, &usage);
        return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
               (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
    };
    for (const int error : {EIO, EPIPE}) {
        calls::arm({.site = calls::siteOf("VIDIOC_DQBUF(CAPTURE)"), .error = error});
        const auto before = worked();
        const auto start = Clock::now();
        player.submit(player.surface(2), player.picture(0));
        vaSyncSurface(display, player.surface(2));
        calls::disarm();
        EXPECT_LT(Clock::now() - start, 12s);
        EXPECT_LT(worked() - before, 1500) << "milliseconds of the processor, for errno " << error;
        player.stray();
        player.expectRestIsRight();
    }
}

TEST_P(Recovery, WithoutDescriptorsPicturesWait) {
    Player player(display, stream());
    player.play(1);
    ASSERT_EQ(vaSyncSurface(display, player.surface(0)), VA_STATUS_SUCCESS);
    player.rewind();
    // Memory first: what is about to run out is what requests need.
    for (size_t i = 0; i < stream().pictureCount; i++)
        layoutOf(display, player.surface(i));
    const auto buffers = [] { return calls::counts()[calls::siteOf("VIDIOC_CREATE_BUFS(OUTPUT)")]; };
    rlimit limit{}, none{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    none = {openDescriptors() - 1, limit.rlim_max}; // without the one that the count itself needs
    const unsigned before = buffers();
    ::setrlimit(RLIMIT_NOFILE, &none);
    std::vector<Outcome> outcomes;
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < stream().pictureCount; i++)
            outcomes.push_back(player.submit(player.surface(i), player.picture(i)));
    ::setrlimit(RLIMIT_NOFILE, &limit);
    for (const Outcome& outcome : outcomes)
        EXPECT_TRUE(outcome.ok()) << describe(outcome);
    EXPECT_LE(buffers() - before, 8u) << "OUTPUT buffers are made and never used";
    player.stray();
    player.expectRestIsRight();
}

VA_SUITE_FOR_ALL_CODECS(Recovery);

} // namespace

} // namespace va_suite
