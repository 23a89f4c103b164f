// SPDX-License-Identifier: MIT
// Pictures that others are predicted from: kept for as long as they are needed, and known to be lost when they are.
#include <algorithm>
#include <cctype>
#include <chrono>
#include <thread>

#include "dma_buf.h"
#include "machine.h"
#include "test_case.h"

namespace va_suite {

namespace {

using namespace std::chrono_literals;

class References : public CodecTest {
    const NoFaultsAfter noFaults;
};

TEST_P(References, OfDestroyedSurfacesStay) {
    // Wants a slow device: the picture is still being decoded when its reference goes and another takes its place.
    if (setting("VA_SUITE_SLOW_MS").empty())
        GTEST_SKIP() << "needs a slow device";
    const auto makeSurface = [&] {
        VASurfaceID surface = VA_INVALID_SURFACE;
        REQUIRE_VA(
            vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width, stream().height, &surface, 1, nullptr, 0));
        return surface;
    };
    for (int round = 0; round < 3; round++) {
        Player player(display, stream());
        const VASurfaceID intra = makeSurface(), fresh = makeSurface();
        const auto redirected = [&](size_t index, VASurfaceID target, VASurfaceID reference) {
            std::vector<VASurfaceID> surfaces(stream().pictureCount + 1, reference);
            surfaces[index] = target;
            return stream().picture(index, surfaces);
        };
        ASSERT_TRUE(player.submit(intra, redirected(0, intra, intra)).ok());
        ASSERT_EQ(vaSyncSurface(display, intra), VA_STATUS_SUCCESS);
        Player other(display, stream());
        other.play(3); // keeps the device at work
        ASSERT_TRUE(player.submit(player.surface(1), redirected(1, player.surface(1), intra)).ok());
        VASurfaceID gone = intra;
        ASSERT_EQ(vaDestroySurfaces(display, &gone, 1), VA_STATUS_SUCCESS);
        ASSERT_TRUE(player.submit(fresh, redirected(0, fresh, fresh)).ok());
        EXPECT_FALSE(isDamaged(display, player.surface(1)));
        player.expectPicture(1);
        gone = fresh;
        vaDestroySurfaces(display, &gone, 1);
    }
}

// A call that fails at the third picture: what is predicted from that picture, or from one that is lost with it, is
// damaged, and the next picture that needs no other is right.
void expectDamageIsTold(const Display& display, const Stream& stream, const char* call, bool stopsTheQueues) {
    SCOPED_TRACE(call);
    const NoFaultsAfter noFaults;
    Player player(display, stream);
    player.play(2);
    ASSERT_EQ(vaSyncSurface(display, player.surface(1)), VA_STATUS_SUCCESS);
    layoutOf(display, player.surface(2)); // it has its memory from here on: no call tries it out
    calls::arm({.site = calls::siteOf(call), .error = EIO, .times = 1});
    player.submit(player.surface(2), player.picture(2));
    ASSERT_EQ(calls::met(), 1u);
    calls::disarm();
    EXPECT_TRUE(isDamaged(display, player.surface(2)));
    if (stopsTheQueues) { // what it is predicted from is good and still there, but the device finds it no more
        player.submit(player.surface(2), player.picture(2));
        EXPECT_TRUE(isDamaged(display, player.surface(2)));
    }
    for (size_t i = 3; i < 5; i++) {
        player.submit(player.surface(i), player.picture(i));
        EXPECT_TRUE(isDamaged(display, player.surface(i))) << "picture " << i << " is predicted from one that is lost";
    }
    player.stray();
    player.expectRestIsRight();
    for (size_t i = 0; i < stream.frameCount(); i++)
        EXPECT_FALSE(isDamaged(display, player.surface(i))) << "picture " << i;
}

// The request alone does not reach the device. Without the CAPTURE buffer, the queues are stopped and restarted, so
// that the kernel forgets every reference.
void expectDamageIsTold(const Display& display, const Stream& stream) {
    expectDamageIsTold(display, stream, "MEDIA_REQUEST_IOC_QUEUE", false);
    expectDamageIsTold(display, stream, "VIDIOC_QBUF(CAPTURE)", true);
}

TEST_P(References, LostOnesAreNotForgotten) {
    expectDamageIsTold(display, stream());
}

VA_SUITE_FOR_ALL_CODECS(References);

class RecordedReferences : public testing::TestWithParam<const char*> {
protected:
    void SetUp() override {
        stream = recorded(GetParam());
        if (!stream || !display.offers(stream->profile))
            GTEST_SKIP() << "needs a recording, and a device for " << GetParam();
    }
    Display display;
    std::shared_ptr<Recording> stream;
};

TEST_P(RecordedReferences, LostOnesAreNotForgotten) {
    if (display.hasTruePixels())
        learn(display, *stream);
    expectDamageIsTold(display, *stream);
}

TEST_P(RecordedReferences, AreKeptAmongManySurfaces) {
    // More surfaces than a queue has buffers, where the stream has as many pictures.
    if (!display.hasTruePixels())
        GTEST_SKIP() << "needs a device that decodes";
    learn(display, *stream);
    Player player(display, *stream);
    player.expectRestIsRight();
}

TEST_P(RecordedReferences, AreKeptWhenOneBufferCouldNotBeMade) {
    if (!display.hasTruePixels())
        GTEST_SKIP() << "needs a device that decodes";
    const NoFaultsAfter noFaults;
    learn(display, *stream);
    for (const unsigned after : {0u, 1u}) { // the call that makes memory, the one that makes an index for it
        Player player(display, *stream);
        player.play(1);
        ASSERT_EQ(vaSyncSurface(display, player.surface(0)), VA_STATUS_SUCCESS);
        calls::arm({.site = calls::siteOf("VIDIOC_CREATE_BUFS(CAPTURE)"), .error = ENOMEM, .after = after, .times = 1});
        player.submit(player.surface(1), player.picture(1));
        calls::disarm();
        player.stray();
        player.expectRestIsRight();
    }
}

class RebuiltContexts : public RecordedReferences {};

TEST_P(RebuiltContexts, GoOnWithTheStream) {
    // Before every picture, also between the fields of a frame; before some, as the new context then knows more than
    // one picture.
    if (!display.hasTruePixels())
        GTEST_SKIP() << "needs a device that decodes";
    learn(display, *stream);
    for (const size_t period : {1u, 3u}) {
        Player player(display, *stream);
        for (size_t i = 0; i < stream->pictureCount; i++) {
            if (i % period == 0 && stream->tellsItsStream(i)) {
                player.destroyContext();
                player.createContext();
            }
            player.playOne();
        }
        for (size_t i = 0; i < stream->frameCount(); i++) {
            EXPECT_FALSE(isDamaged(display, player.surface(i))) << "frame " << i << ", rebuilt every " << period;
            player.expectPicture(i);
        }
    }
}

std::string nameOfRow(const testing::TestParamInfo<const char*>& row) {
    std::string name = row.param;
    std::ranges::replace_if(
        name, [](char c) { return !std::isalnum(c); }, '_');
    return name;
}

INSTANTIATE_TEST_SUITE_P(All, RecordedReferences,
                         testing::Values("h264-baseline-refs.h264", "hevc-short-term-sets.h265", "vp8-plain.ivf",
                                         "vp8-altref.ivf", "vp9-plain.ivf", "vp9-golden-late.ivf"),
                         nameOfRow);
INSTANTIATE_TEST_SUITE_P(All, RebuiltContexts,
                         testing::Values("mpeg2-frame-fields.m2v", "h264-HCAFF1_HHI.264", "h264-baseline-refs.h264",
                                         "hevc-short-term-sets.h265", "vp8-altref.ivf", "vp9-golden-late.ivf",
                                         "av1-altref.ivf"),
                         nameOfRow);

class Pool : public CodecTest {};

TEST_P(Pool, MemoryOfDestroyedSurfacesGoes) {
    const size_t before = dmaBufsOfTheMachine();
    Player player(display, stream());
    player.play(stream().pictureCount);
    std::vector<VASurfaceID> surfaces;
    for (size_t i = 0; i <= stream().pictureCount; i++) {
        vaSyncSurface(display, player.surface(i));
        surfaces.push_back(player.surface(i));
    }
    const size_t full = dmaBufsOfTheMachine();
    ASSERT_GE(full, before + stream().pictureCount);
    ASSERT_EQ(vaDestroySurfaces(display, surfaces.data(), static_cast<int>(surfaces.size())), VA_STATUS_SUCCESS);
    player.disownSurfaces();
    // The context goes on with other surfaces: after a picture, what it holds is theirs.
    VASurfaceID fresh = VA_INVALID_SURFACE;
    REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width, stream().height, &fresh, 1, nullptr, 0));
    const std::vector<VASurfaceID> all(stream().pictureCount + 1, fresh);
    for (int i = 0; i < 2; i++)
        EXPECT_TRUE(player.submit(fresh, stream().picture(0, all)).ok());
    EXPECT_FALSE(isDamaged(display, fresh));
    EXPECT_LE(dmaBufsOfTheMachine(), before + stream().pictureCount / 2)
        << "memory of surfaces that are destroyed stays in the queue";
    vaDestroySurfaces(display, &fresh, 1);
}

VA_SUITE_FOR_ALL_CODECS(Pool);

} // namespace

} // namespace va_suite
