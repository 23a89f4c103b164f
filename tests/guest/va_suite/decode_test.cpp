// SPDX-License-Identifier: MIT
// Decoding by hand, and every way of handing over buffers that va.h allows.
#include <algorithm>
#include <cstring>

#include "test_case.h"

namespace va_suite {

namespace {

class Decode : public CodecTest {};

TEST_P(Decode, EveryPictureOfAStream) {
    Player player(display, stream());
    player.expectRestIsRight();
}

TEST_P(Decode, EachPictureBeforeTheNextIsSent) {
    Player player(display, stream());
    for (size_t i = 0; i < stream().pictureCount; i++) {
        player.playOne();
        player.expectPicture(i);
    }
}

TEST_P(Decode, BuffersFilledThroughMapping) {
    Player player(display, stream());
    player.play(1);
    const Picture picture = player.picture(1);
    const auto mapped = [&](VABufferType type, const Bytes& bytes) {
        VABufferID id = VA_INVALID_ID;
        REQUIRE_VA(
            vaCreateBuffer(display, player.context(), type, static_cast<unsigned>(bytes.size()), 1, nullptr, &id));
        void* data = nullptr;
        REQUIRE_VA(vaMapBuffer(display, id, &data));
        std::memcpy(data, bytes.data(), bytes.size());
        REQUIRE_VA(vaUnmapBuffer(display, id));
        return id;
    };
    std::vector<VABufferID> buffers{mapped(VAPictureParameterBufferType, picture.parameters),
                                    mapped(VAIQMatrixBufferType, picture.iqMatrix)};
    for (const Picture::Slice& slice : picture.slices) {
        buffers.push_back(mapped(VASliceParameterBufferType, slice.parameters));
        buffers.push_back(mapped(VASliceDataBufferType, slice.data));
    }
    const Outcome outcome = player.submit(player.surface(1), buffers);
    EXPECT_TRUE(outcome.ok()) << describe(outcome);
    player.expectPicture(1);
    for (const VABufferID id : buffers)
        EXPECT_EQ(vaDestroyBuffer(display, id), VA_STATUS_SUCCESS);
}

// All slices of the picture: their parameters as one array, their data in one buffer.
struct Joined {
    Bytes parameters, data;
};
Joined join(Picture picture) {
    Joined joined;
    for (Picture::Slice& slice : picture.slices) {
        Picture::base(slice).slice_data_offset = static_cast<uint32_t>(joined.data.size());
        joined.data.insert(joined.data.end(), slice.data.begin(), slice.data.end());
        joined.parameters.insert(joined.parameters.end(), slice.parameters.begin(), slice.parameters.end());
    }
    return joined;
}

TEST_P(Decode, ManyElementsIntoOneDataBuffer) {
    Player player(display, stream());
    player.play(1);
    const Picture picture = player.picture(1);
    const Joined joined = join(picture);
    const Outcome outcome = player.submit(
        player.surface(1),
        {player.buffer(VAPictureParameterBufferType, picture.parameters),
         player.buffer(VAIQMatrixBufferType, picture.iqMatrix),
         player.buffer(VASliceParameterBufferType, joined.parameters, static_cast<unsigned>(picture.slices.size())),
         player.buffer(VASliceDataBufferType, joined.data)});
    EXPECT_TRUE(outcome.ok()) << describe(outcome);
    player.expectPicture(1);
}

TEST_P(Decode, SliceDataBehindOtherBytes) {
    Player player(display, stream());
    player.play(1);
    Picture picture = player.picture(1);
    for (Picture::Slice& slice : picture.slices) {
        slice.data.insert(slice.data.begin(), 13, 0xa5);
        slice.data.insert(slice.data.end(), 7, 0x5a);
        Picture::base(slice).slice_data_offset = 13;
    }
    const Outcome outcome = player.submit(player.surface(1), picture);
    EXPECT_TRUE(outcome.ok()) << describe(outcome);
    player.expectPicture(1);
}

TEST_P(Decode, NumElementsSetAfterwards) {
    Player player(display, stream());
    player.play(1);
    const Picture picture = player.picture(1);
    const Joined joined = join(picture);
    const auto count = static_cast<unsigned>(picture.slices.size());
    Bytes twice = joined.parameters;
    twice.insert(twice.end(), joined.parameters.size(), 0xff);
    const VABufferID parameters = player.buffer(VASliceParameterBufferType, twice, 2 * count);
    EXPECT_EQ(vaBufferSetNumElements(display, parameters, 2 * count + 1), VA_STATUS_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(vaBufferSetNumElements(display, parameters, 0), VA_STATUS_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(vaBufferSetNumElements(display, parameters, count), VA_STATUS_SUCCESS);
    const Outcome outcome =
        player.submit(player.surface(1), {player.buffer(VAPictureParameterBufferType, picture.parameters),
                                          player.buffer(VAIQMatrixBufferType, picture.iqMatrix), parameters,
                                          player.buffer(VASliceDataBufferType, joined.data)});
    EXPECT_TRUE(outcome.ok()) << describe(outcome);
    player.expectPicture(1);
}

TEST_P(Decode, BuffersInAnyOrder) {
    Player player(display, stream());
    player.play(1);
    const Picture picture = player.picture(1);
    // Slices first, each with its data before its parameters, then matrices, picture parameters last.
    std::vector<VABufferID> buffers;
    for (const Picture::Slice& slice : picture.slices) {
        buffers.push_back(player.buffer(VASliceDataBufferType, slice.data));
        buffers.push_back(player.buffer(VASliceParameterBufferType, slice.parameters));
    }
    buffers.push_back(player.buffer(VAIQMatrixBufferType, picture.iqMatrix));
    buffers.push_back(player.buffer(VAPictureParameterBufferType, picture.parameters));
    const Outcome outcome = player.submit(player.surface(1), buffers);
    EXPECT_TRUE(outcome.ok()) << describe(outcome);
    player.expectPicture(1);
}

TEST_P(Decode, ParametersOfAllSlicesBeforeTheirData) {
    // And the other way round: they belong together in their order.
    for (const bool dataFirst : {false, true}) {
        Player player(display, stream());
        player.play(1);
        const Picture picture = player.picture(1);
        std::vector<VABufferID> buffers{player.buffer(VAPictureParameterBufferType, picture.parameters),
                                        player.buffer(VAIQMatrixBufferType, picture.iqMatrix)};
        for (const bool data : {dataFirst, !dataFirst})
            for (const Picture::Slice& slice : picture.slices)
                buffers.push_back(data ? player.buffer(VASliceDataBufferType, slice.data)
                                       : player.buffer(VASliceParameterBufferType, slice.parameters));
        const Outcome outcome = player.submit(player.surface(1), buffers);
        EXPECT_TRUE(outcome.ok()) << describe(outcome);
        player.expectPicture(1);
    }
}

TEST_P(Decode, OneBufferPerRenderPicture) {
    Player player(display, stream());
    player.play(1);
    ASSERT_EQ(vaBeginPicture(display, player.context(), player.surface(1)), VA_STATUS_SUCCESS);
    for (VABufferID id : player.buffersOf(player.picture(1)))
        EXPECT_EQ(vaRenderPicture(display, player.context(), &id, 1), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaRenderPicture(display, player.context(), nullptr, 0), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaEndPicture(display, player.context()), VA_STATUS_SUCCESS);
    player.expectPicture(1);
}

TEST_P(Decode, ParameterStructsWithTailsOfNewerHeaders) {
    Player player(display, stream());
    player.play(1);
    Picture picture = player.picture(1);
    picture.parameters.resize(picture.parameters.size() + 64);
    picture.iqMatrix.resize(picture.iqMatrix.size() + 64);
    for (Picture::Slice& slice : picture.slices)
        slice.parameters.resize(slice.parameters.size() + 64);
    const Outcome outcome = player.submit(player.surface(1), picture);
    EXPECT_TRUE(outcome.ok()) << describe(outcome);
    player.expectPicture(1);
}

TEST_P(Decode, BuffersDestroyedBetweenRenderAndEnd) {
    Player player(display, stream());
    player.play(1);
    ASSERT_EQ(vaBeginPicture(display, player.context(), player.surface(1)), VA_STATUS_SUCCESS);
    std::vector<VABufferID> buffers = player.buffersOf(player.picture(1));
    EXPECT_EQ(vaRenderPicture(display, player.context(), buffers.data(), static_cast<int>(buffers.size())),
              VA_STATUS_SUCCESS);
    player.clearBuffers();
    EXPECT_EQ(vaEndPicture(display, player.context()), VA_STATUS_SUCCESS);
    player.expectPicture(1);
}

TEST_P(Decode, BuffersOfAnotherContext) {
    // va.h ties a buffer to the context that it was created with; drivers do not care, and neither does this one.
    Player player(display, stream()), other(display, stream());
    player.play(1);
    const Outcome outcome = player.submit(player.surface(1), other.buffersOf(player.picture(1)));
    EXPECT_TRUE(outcome.ok()) << describe(outcome);
    player.expectPicture(1);
    other.expectRestIsRight();
}

TEST_P(Decode, TwoContextsInTurn) {
    Player one(display, stream()), two(display, stream());
    for (size_t i = 0; i < stream().pictureCount; i++) {
        one.playOne();
        two.playOne();
    }
    one.expectRestIsRight();
    two.expectRestIsRight();
}

TEST_P(Decode, ExportedAndDerivedBeforeDecoding) {
    // What was handed out first shows what is decoded later: the memory of a surface never changes.
    Player player(display, stream());
    VAImage image{};
    ASSERT_EQ(vaDeriveImage(display, player.surface(0), &image), VA_STATUS_SUCCESS);
    player.play(1);
    ASSERT_EQ(vaSyncSurface(display, player.surface(0)), VA_STATUS_SUCCESS);
    void* data = nullptr;
    ASSERT_EQ(vaMapBuffer(display, image.buf, &data), VA_STATUS_SUCCESS);
    const Bytes pixels = readSurface(display, player.surface(0), stream().width, stream().height);
    for (unsigned y = 0; y < stream().height; y++)
        ASSERT_TRUE(std::equal(pixels.begin() + y * stream().width, pixels.begin() + (y + 1) * stream().width,
                               static_cast<uint8_t*>(data) + image.offsets[0] + y * image.pitches[0]))
            << "row " << y;
    EXPECT_EQ(vaUnmapBuffer(display, image.buf), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
    player.expectRestIsRight();
}

TEST_P(Decode, SurfacesUsedAgain) {
    Player player(display, stream());
    player.expectRestIsRight();
    // The same surfaces, a second time around: the stream begins with a picture that needs no other.
    for (size_t i = 0; i < stream().pictureCount; i++) {
        const Outcome outcome = player.submit(player.surface(i), player.picture(i));
        ASSERT_TRUE(outcome.ok()) << describe(outcome);
    }
    player.expectRestIsRight();
}

TEST_P(Decode, NewContextGoesOnWithSurfacesOfTheOld) {
    // mpv and FFmpeg make a new context in the middle of a stream. The first picture stands alone.
    Player player(display, stream());
    player.expectRestIsRight();
    player.destroyContext();
    player.createContext();
    for (size_t i = 0; i < stream().pictureCount; i++) {
        const Outcome outcome = player.submit(player.surface(i), player.picture(i));
        ASSERT_TRUE(outcome.ok()) << describe(outcome);
    }
    player.expectRestIsRight();
}

TEST_P(Decode, SmallPictureInLargeSurface) {
    // The memory has the size of the stream. A client that asks for more must not get what lies behind it.
    Player player(display, stream());
    VASurfaceID large = VA_INVALID_SURFACE;
    ASSERT_EQ(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, 1920, 1080, &large, 1, nullptr, 0), VA_STATUS_SUCCESS);
    player.submit(large, player.picture(0));
    if (vaSyncSurface(display, large) == VA_STATUS_SUCCESS) {
        EXPECT_NO_THROW(readSurface(display, large, 1920, 1080));
        VAImage image{};
        ASSERT_EQ(vaDeriveImage(display, large, &image), VA_STATUS_SUCCESS);
        EXPECT_LE(image.offsets[1] + (image.height + 1) / 2 * image.pitches[1], image.data_size);
        EXPECT_LE(image.offsets[0] + image.height * image.pitches[0], image.offsets[1]);
        EXPECT_LE(image.width, image.pitches[0]);
        EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
    }
    EXPECT_EQ(vaDestroySurfaces(display, &large, 1), VA_STATUS_SUCCESS);
    player.expectRestIsRight();
}

VA_SUITE_FOR_ALL_CODECS(Decode);

class DecodeMpeg2 : public VaTest {};

TEST_F(DecodeMpeg2, AMatrixThatNothingUses) {
    const Stream& stream = streamOf(Codec::Mpeg2);
    if (!display.offers(stream.profile))
        GTEST_SKIP() << "the driver does not offer MPEG-2 here";
    // As libva's own mpeg2vldemo sends it: a 0 is forbidden, but no block of an I picture uses this matrix.
    const auto unfinished = [](Picture picture) {
        auto& matrices = *reinterpret_cast<VAIQMatrixBufferMPEG2*>(picture.iqMatrix.data());
        std::fill(std::begin(matrices.non_intra_quantiser_matrix) + 1, std::end(matrices.non_intra_quantiser_matrix),
                  uint8_t{0});
        return picture;
    };
    Player player(display, stream);
    const Outcome outcome = player.submit(player.surface(0), unfinished(player.picture(0)));
    EXPECT_TRUE(outcome.ok()) << describe(outcome);
    player.expectPicture(0);
    // A picture with blocks that do use it is damaged, and concealed.
    const Outcome damaged = player.submit(player.spare(), unfinished(player.picture(1)));
    EXPECT_TRUE(damaged.ok()) << describe(damaged);
    EXPECT_TRUE(isDamaged(display, player.spare()));
    player.expectRestIsRight();
}

} // namespace

} // namespace va_suite
