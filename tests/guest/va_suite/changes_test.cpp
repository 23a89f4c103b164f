// SPDX-License-Identifier: MIT
// What changes while a client runs: place in the stream, size, codec, contexts, processes.
#include <algorithm>
#include <array>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dma_buf.h"
#include "test_case.h"

namespace va_suite {

namespace {

class Changes : public CodecTest {};

TEST_P(Changes, Seeks) {
    // Back to the picture that needs no other, from anywhere, without waiting for what is under way.
    Player player(display, stream());
    for (const size_t count : {size_t{1}, size_t{5}, size_t{2}, stream().pictureCount, size_t{3}}) {
        player.rewind();
        player.play(count);
    }
    player.rewind();
    player.expectRestIsRight();
}

TEST_P(Changes, ContextsOfAllCodecsInTurn) {
    const Codec otherCodec = GetParam() == Codec::Mpeg2 ? Codec::H264 : Codec::Mpeg2;
    if (!display.offers(streamOf(otherCodec).profile))
        GTEST_SKIP() << "the driver does not offer " << nameOf(otherCodec) << " here";
    Player one(display, stream()), two(display, streamOf(otherCodec)), three(display, stream());
    for (size_t i = 0; i < 6; i++)
        for (Player* player : {&one, &two, &three})
            player->playOne();
    two.destroyContext();
    one.expectRestIsRight();
    two.createContext();
    two.rewind();
    two.expectRestIsRight();
    three.expectRestIsRight();
}

TEST_P(Changes, SurfacesOfOneCodecForAnother) {
    // A change of profile in mid stream: the pool stays, config and context do not.
    const Codec otherCodec = GetParam() == Codec::Mpeg2 ? Codec::H264 : Codec::Mpeg2;
    if (!display.offers(streamOf(otherCodec).profile))
        GTEST_SKIP() << "the driver does not offer " << nameOf(otherCodec) << " here";
    const Stream& other = streamOf(otherCodec);
    ASSERT_EQ(other.pictureCount, stream().pictureCount);
    std::vector<VASurfaceID> surfaces(stream().pictureCount + 1);
    REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, std::max(stream().width, other.width),
                                std::max(stream().height, other.height), surfaces.data(),
                                static_cast<unsigned>(surfaces.size()), nullptr, 0));
    Player player(display, stream(), surfaces);
    player.expectRestIsRight();
    player.destroyContext();
    {
        Player second(display, other, surfaces);
        second.expectRestIsRight();
        second.disownSurfaces();
    }
    player.createContext();
    player.rewind();
    player.expectRestIsRight();
}

TEST_P(Changes, LastPicturesAfterTheContext) {
    // The newest FFmpeg destroys the context while the last frames are still on their way to the screen.
    for (int round = 0; round < 100; round++) {
        Player player(display, stream());
        player.play(4);
        player.destroyContext();
        const VADRMPRIMESurfaceDescriptor layout = layoutOf(display, player.surface(3));
        EXPECT_EQ(layout.num_layers, 2u);
        for (const size_t i : {size_t{3}, size_t{0}, size_t{1}, size_t{2}})
            player.expectPicture(i);
        if (HasFailure())
            FAIL() << "round " << round;
    }
}

TEST_P(Changes, TwoProcesses) {
    std::array<pid_t, 2> children{};
    posix_spawn_file_actions_t actions;
    ASSERT_EQ(::posix_spawn_file_actions_init(&actions), 0);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    for (pid_t& child : children) {
        const std::string filter = "--gtest_filter=*Changes.Seeks/" + nameOf(GetParam());
        std::array<char*, 4> arguments{const_cast<char*>("va_suite"), const_cast<char*>(filter.c_str()),
                                       const_cast<char*>("--gtest_repeat=5"), nullptr};
        ASSERT_EQ(::posix_spawn(&child, "/proc/self/exe", &actions, nullptr, arguments.data(), environ), 0);
    }
    ::posix_spawn_file_actions_destroy(&actions);
    for (int i = 0; i < 5; i++) {
        Player player(display, stream());
        player.expectRestIsRight();
    }
    for (const pid_t child : children) {
        int status = -1;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_EQ(status, 0);
    }
}

TEST_P(Changes, TwoDecodersRebuiltInAnyOrder) {
    // Each goes on where it was, with its own references, whichever was destroyed or made first.
    for (const bool sameOrder : {true, false}) {
        Player one(display, stream()), two(display, stream());
        one.play(5);
        two.play(3);
        one.destroyContext();
        two.destroyContext();
        (sameOrder ? one : two).createContext();
        (sameOrder ? two : one).createContext();
        EXPECT_NO_THROW(one.play(2));
        EXPECT_NO_THROW(two.play(2));
        EXPECT_FALSE(isDamaged(display, one.surface(5)));
        EXPECT_FALSE(isDamaged(display, two.surface(3)));
        one.expectRestIsRight();
        two.expectRestIsRight();
    }
}

VA_SUITE_FOR_ALL_CODECS(Changes);

class Matrices : public VaTest {};

TEST_F(Matrices, EndWithTheirContext) {
    // A new context is a new sequence: without matrices of its own it has the default ones (6.3.11), even if a picture
    // of the sequence before is still shown.
    const Stream& plain = streamOf(Codec::Mpeg2);
    if (!display.offers(plain.profile) || !display.hasTruePixels())
        GTEST_SKIP() << "needs a device that decodes MPEG-2";
    const auto own = loadMpeg2("intra-matrix.m2v");
    Player before(display, *own);
    before.play(3);
    ASSERT_EQ(vaSyncSurface(display, before.surface(2)), VA_STATUS_SUCCESS);
    before.destroyContext();
    Player player(display, plain);
    Picture picture = player.picture(0);
    picture.iqMatrix.clear();
    const Outcome outcome = player.submit(player.surface(0), picture);
    EXPECT_TRUE(outcome.ok()) << describe(outcome);
    player.expectPicture(0);
}

class Sizes : public VaTest {};

TEST_F(Sizes, ChangeWithinOneContext) {
    // As streams do whose size changes without a new sequence of calls: same context, surfaces of another size.
    const Stream& large = streamOf(Codec::H264);
    const auto small = loadH264("size-16x16.h264", 8);
    if (!display.offers(large.profile) || !display.hasTruePixels())
        GTEST_SKIP() << "needs a device that decodes pictures of 16x16";
    Player player(display, large);
    Player smallPlayer(display, *small);
    player.play(4);
    for (size_t i = 0; i < small->pictureCount; i++) {
        const Outcome outcome = player.submit(smallPlayer.surface(i), smallPlayer.picture(i));
        ASSERT_TRUE(outcome.ok()) << describe(outcome);
    }
    for (size_t i = 0; i < small->pictureCount; i++)
        smallPlayer.expectPicture(i);
    for (size_t i = 0; i < 4; i++)
        player.expectPicture(i); // decoded before the change
    player.rewind();
    player.expectRestIsRight();
}

} // namespace

} // namespace va_suite
