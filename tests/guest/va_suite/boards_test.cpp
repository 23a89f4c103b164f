// SPDX-License-Identifier: MIT
// On boards: the kernel's own drivers, whose jobs fail as those of hardware do, and a log of what the hardware is told.
// VA_SUITE_BOARD names the board.
#include <array>

#include <unistd.h>

#include "dma_buf.h"
#include "machine.h"
#include "test_case.h"

namespace va_suite {

namespace {

class Boards : public VaTest {
protected:
    void SetUp() override {
        if (setting("VA_SUITE_BOARD").empty())
            GTEST_SKIP() << "needs a board";
    }
};

TEST_F(Boards, ADamagedSliceDamagesItsPicture) {
    const auto stream = loadH264("slices-mbs.h264");
    const size_t slices = 15;
    if (setting("VA_SUITE_BOARD") != "h3")
        GTEST_SKIP() << "needs a board that takes slice by slice";
    Player player(display, *stream);
    ASSERT_EQ(player.picture(0).slices.size(), slices);
    // One job fails in each picture, from the last but one to the first: never the last, of which alone the picture's
    // buffer has the error.
    clearBoardLog();
    const BoardKnob knob("fail_every", slices - 1);
    for (size_t i = 0; i < 8; i++) {
        player.submit(player.surface(i), player.picture(i));
        EXPECT_TRUE(isDamaged(display, player.surface(i))) << "picture " << i;
    }
}

// A field of which the hardware sees as much as of any: on boards nobody decodes it.
Picture field(const Stream& stream, Player& player, bool second) {
    Picture picture = player.picture(0);
    auto& parameters = *reinterpret_cast<VAPictureParameterBufferMPEG2*>(picture.parameters.data());
    auto& extension = parameters.picture_coding_extension.bits;
    extension.picture_structure = second ? 2 : 1;
    extension.is_first_field = !second;
    extension.progressive_frame = extension.repeat_first_field = extension.frame_pred_frame_dct = 0;
    picture.slices.resize(stream.height / 32);
    return picture;
}

TEST_F(Boards, ADamagedFieldDamagesItsFrame) {
    const Stream& stream = streamOf(Codec::Mpeg2);
    if (!display.offers(stream.profile))
        GTEST_SKIP() << "the board has no MPEG-2";
    for (const unsigned failing : {0u, 1u, 2u}) { // no field, the first, the second
        Player player(display, stream);
        clearBoardLog();
        for (const bool second : {false, true}) {
            const BoardKnob knob("fail_every", failing == (second ? 2u : 1u));
            const Outcome outcome = player.submit(player.surface(0), field(stream, player, second));
            EXPECT_TRUE(outcome.ok()) << describe(outcome);
            // Not a sync: the client does not want to see a frame of which half is missing.
            VASurfaceStatus status = VASurfaceRendering;
            for (int tries = 0; tries < 1000 && status != VASurfaceReady; tries++) {
                ASSERT_EQ(vaQuerySurfaceStatus(display, player.surface(0), &status), VA_STATUS_SUCCESS);
                ::usleep(1000);
            }
        }
        EXPECT_EQ(isDamaged(display, player.surface(0)), failing != 0) << "field " << failing;
    }
}

TEST_F(Boards, AFieldThatStaysAloneLeavesItsFrameDamaged) {
    const Stream& stream = streamOf(Codec::Mpeg2);
    if (!display.offers(stream.profile))
        GTEST_SKIP() << "the board has no MPEG-2";
    for (const bool alone : {false, true}) {
        Player player(display, stream);
        EXPECT_TRUE(player.submit(player.surface(0), field(stream, player, false)).ok());
        if (!alone) {
            EXPECT_TRUE(player.submit(player.surface(0), field(stream, player, true)).ok());
        }
        EXPECT_TRUE(player.submit(player.surface(1), field(stream, player, false)).ok());
        EXPECT_TRUE(player.submit(player.surface(1), field(stream, player, true)).ok());
        EXPECT_EQ(vaSyncSurface(display, player.surface(0)), VA_STATUS_SUCCESS);
        EXPECT_EQ(vaSyncSurface(display, player.surface(1)), VA_STATUS_SUCCESS);
        EXPECT_EQ(isDamaged(display, player.surface(0)), alone);
        EXPECT_FALSE(isDamaged(display, player.surface(1)));
    }
}

TEST_F(Boards, TheSizeOfASequenceIsNotThatOfItsContext) {
    const Stream& stream = streamOf(Codec::Mpeg2);
    if (!display.offers(stream.profile))
        GTEST_SKIP() << "the board has no MPEG-2";
    std::array<std::string, 2> logs;
    for (const unsigned more : {0u, 64u}) {
        Player player(display, stream);
        player.destroyContext();
        VAContextID context = VA_INVALID_ID;
        REQUIRE_VA(vaCreateContext(display, player.config(), static_cast<int>(stream.width + more),
                                   static_cast<int>(stream.height + more), VA_PROGRESSIVE, nullptr, 0, &context));
        player.adoptContext(context);
        clearBoardLog();
        player.play(3);
        EXPECT_FALSE(isDamaged(display, player.surface(2)));
        logs[more != 0] = boardLog();
    }
    EXPECT_FALSE(logs[0].empty());
    EXPECT_EQ(logs[0], logs[1]) << "the hardware is told the size of the context";
}

TEST_F(Boards, MemoryThatWasLaidOutForAnotherCodecIsNotCopied) {
    const Stream& stream = streamOf(Codec::H264);
    const Stream& other = streamOf(Codec::Mpeg2);
    if (!display.offers(stream.profile) || !display.offers(other.profile))
        GTEST_SKIP() << "the board does not have both codecs";
    for (const bool otherIsFirst : {false, true}) {
        // Both decoders have the same rows where these are whole units of 64 pixels, which is all that rkvdec of RK3399
        // has; then only what it keeps behind the picture differs. For other widths it counts when the surfaces were
        // made.
        const unsigned width = otherIsFirst ? 192 : stream.width;
        Display own;
        VAConfigID config = VA_INVALID_ID;
        const auto makeOtherConfig = [&] {
            REQUIRE_VA(vaCreateConfig(own, other.profile, VAEntrypointVLD, nullptr, 0, &config));
        };
        if (otherIsFirst)
            makeOtherConfig();
        std::vector<VASurfaceID> surfaces(stream.pictureCount + 1);
        REQUIRE_VA(vaCreateSurfaces(own, VA_RT_FORMAT_YUV420, width, stream.height, surfaces.data(),
                                    static_cast<unsigned>(surfaces.size()), nullptr, 0));
        Player player(own, stream, surfaces);
        if (!otherIsFirst)
            makeOtherConfig();
        player.destroyContext();
        VAContextID context = VA_INVALID_ID;
        REQUIRE_VA(vaCreateContext(own, player.config(), static_cast<int>(width), static_cast<int>(stream.height),
                                   VA_PROGRESSIVE, nullptr, 0, &context));
        player.adoptContext(context);
        for (size_t i = 0; i < 3; i++)
            layoutOf(own, surfaces[i]);
        const auto looks = [] { return calls::counts()[calls::siteOf("DMA_BUF_IOCTL_SYNC")]; };
        const unsigned before = looks();
        for (size_t i = 0; i < 3; i++) {
            Picture picture = player.picture(i);
            stream.resize(picture, width, stream.height);
            const Outcome outcome = player.submit(surfaces[i], picture);
            EXPECT_TRUE(outcome.ok()) << describe(outcome);
            EXPECT_EQ(vaSyncSurface(own, surfaces[i]), VA_STATUS_SUCCESS);
        }
        EXPECT_EQ(looks(), before) << width << " pixels wide";
    }
}

} // namespace

} // namespace va_suite
