// SPDX-License-Identifier: MIT
// AV1 as other clients than the recorded one submit it, and frames whose slot only the next one tells.
#include <algorithm>

#include "machine.h"
#include "test_case.h"

namespace va_suite {

namespace {

class Av1 : public testing::Test {
protected:
    // False if there is nothing to be tested with.
    bool use(const char* name) {
        stream = recorded(name);
        if (!stream || !display.offers(stream->profile) || !display.hasTruePixels())
            return false;
        learn(display, *stream);
        return true;
    }
    static unsigned jobs() { return calls::counts()[calls::siteOf("MEDIA_REQUEST_IOC_QUEUE")]; }

    Display display;
    std::shared_ptr<Recording> stream;
};

constexpr const char* groups = "av1-tile-groups.ivf"; // tiles in four groups, each with its own data
constexpr const char* full = "av1-pyramid-full.ivf";  // eight pictures alive
#define USE(name)                                                                                                      \
    if (!use(name))                                                                                                    \
    GTEST_SKIP() << "needs a recording, and a device that decodes, for " << (name)

// One buffer of data for the whole frame, with what the stream has in front of it, and then a buffer of parameters for
// each tile: Chromium.
TEST_F(Av1, OneDataBufferAndThenParametersForEachTile) {
    USE(groups);
    for (const bool reversed : {false, true}) {
        Player player(display, *stream);
        for (size_t i = 0; i < stream->pictureCount; i++) {
            const Picture picture = player.picture(i);
            Bytes data(5, 0xa5);
            std::vector<Bytes> tiles;
            for (const Picture::Slice& slice : picture.slices)
                for (size_t at = 0; at < slice.elements; at++) {
                    const size_t size = slice.parameters.size() / slice.elements;
                    Bytes& tile =
                        tiles.emplace_back(slice.parameters.begin() + static_cast<std::ptrdiff_t>(at * size),
                                           slice.parameters.begin() + static_cast<std::ptrdiff_t>((at + 1) * size));
                    reinterpret_cast<VASliceParameterBufferBase*>(tile.data())->slice_data_offset +=
                        static_cast<uint32_t>(data.size());
                    if (at + 1 == slice.elements)
                        data.insert(data.end(), slice.data.begin(), slice.data.end());
                }
            ASSERT_GT(tiles.size(), 4u);
            if (reversed)
                std::ranges::reverse(tiles);
            std::vector<VABufferID> buffers{player.buffer(VAPictureParameterBufferType, picture.parameters),
                                            player.buffer(VASliceDataBufferType, data)};
            for (const Bytes& tile : tiles)
                buffers.push_back(player.buffer(VASliceParameterBufferType, tile));
            const Outcome outcome = player.submit(player.surface(i), buffers);
            EXPECT_TRUE(outcome.ok()) << describe(outcome);
            player.expectPicture(i);
        }
    }
}

TEST_F(Av1, FramesThatNobodyReadsWaitForTheNext) {
    USE(full);
    constexpr size_t behind = 4;
    Player player(display, *stream);
    const unsigned before = jobs();
    for (size_t i = 0; i < stream->pictureCount; i++) {
        player.playOne();
        if (i >= behind)
            player.expectPicture(i - behind);
    }
    for (size_t i = stream->pictureCount - behind; i < stream->pictureCount; i++)
        player.expectPicture(i);
    EXPECT_EQ(jobs() - before, stream->pictureCount) << "pictures were decoded twice";
}

// However they are asked for.
TEST_F(Av1, FramesThatAreReadAtOnceAreDecodedAgain) {
    USE(full);
    const auto sync = [&](VASurfaceID surface) { EXPECT_EQ(vaSyncSurface(display, surface), VA_STATUS_SUCCESS); };
    const auto poll = [&](VASurfaceID surface) {
        VASurfaceStatus status = VASurfaceRendering;
        while (vaQuerySurfaceStatus(display, surface, &status) == VA_STATUS_SUCCESS && status != VASurfaceReady) {
        }
        EXPECT_EQ(status, VASurfaceReady);
    };
    const auto derive = [&](VASurfaceID surface) {
        VAImage image{};
        ASSERT_EQ(vaDeriveImage(display, surface, &image), VA_STATUS_SUCCESS);
        void* pixels = nullptr;
        EXPECT_EQ(vaMapBuffer(display, image.buf, &pixels), VA_STATUS_SUCCESS);
        vaUnmapBuffer(display, image.buf);
        vaDestroyImage(display, image.image_id);
    };
    for (const std::function<void(VASurfaceID)>& ask : {std::function<void(VASurfaceID)>(sync), {poll}, {derive}}) {
        Player player(display, *stream);
        const unsigned before = jobs();
        for (size_t i = 0; i < stream->pictureCount; i++) {
            player.playOne();
            ask(player.surface(i));
            player.expectPicture(i);
        }
        EXPECT_GT(jobs() - before, stream->pictureCount) << "no frame was undecided";
        for (size_t i = 0; i < stream->pictureCount; i++)
            EXPECT_FALSE(isDamaged(display, player.surface(i))) << "frame " << i;
    }
}

// Nothing comes after it: the surface is destroyed, or the context.
TEST_F(Av1, FramesThatWaitEndWithTheirContext) {
    USE(full);
    for (const size_t count : {8u, 9u, 10u, 11u, 12u}) {
        Player player(display, *stream);
        player.play(count);
        player.destroyContext();
        player.expectPicture(count - 1);
        player.createContext();
        player.expectRestIsRight();
    }
}

} // namespace

} // namespace va_suite
