// SPDX-License-Identifier: MIT
// Buffers and calls that make no sense: each is answered with an error, harms nothing, and is forgotten with the next
// picture.
#include <algorithm>
#include <functional>

#include "test_case.h"

namespace va_suite {

namespace {

class Hostile : public CodecTest {
protected:
    // Decodes the start of the stream, lets `attempt` do its worst with a picture that is not part of it, and decodes
    // the rest; or all of it, if the attempt was accepted.
    void between(const std::function<void(Player&)>& attempt) {
        Player player(display, stream());
        player.play(3);
        attempt(player);
        player.clearBuffers();
        player.expectRestIsRight();
    }

    // The next picture of the stream, changed, into the spare surface.
    Outcome attempt(Player& player, const std::function<void(Picture&)>& change) {
        Picture picture = player.picture(player.next());
        change(picture);
        return player.submit(player.spare(), picture);
    }

    // Nothing of it must reach the device, and the surface is known to be damaged.
    void expectRefused(const std::function<void(Picture&)>& change) {
        between([&](Player& player) {
            const Outcome outcome = attempt(player, change);
            EXPECT_FALSE(outcome.ok()) << describe(outcome);
            EXPECT_NE(outcome.end, VA_STATUS_SUCCESS) << describe(outcome);
            EXPECT_TRUE(isDamaged(display, player.spare()));
            VASurfaceStatus status{};
            EXPECT_EQ(vaQuerySurfaceStatus(display, player.spare(), &status), VA_STATUS_SUCCESS);
            EXPECT_EQ(status, VASurfaceReady);
        });
    }

    // May be decoded or refused, as long as nothing else suffers.
    void expectHarmless(const std::function<void(Picture&)>& change) {
        between([&](Player& player) {
            attempt(player, change);
            vaSyncSurface(display, player.spare());
        });
    }
};

TEST_P(Hostile, SliceSizeBeyondTheBuffer) {
    expectRefused([](Picture& picture) { Picture::base(picture.slices[0]).slice_data_size++; });
}

TEST_P(Hostile, SliceSizeHuge) {
    expectRefused([](Picture& picture) { Picture::base(picture.slices[0]).slice_data_size = UINT32_MAX; });
}

TEST_P(Hostile, SliceSizeZero) {
    expectRefused([](Picture& picture) { Picture::base(picture.slices[0]).slice_data_size = 0; });
}

TEST_P(Hostile, SliceOffsetBeyondTheBuffer) {
    expectRefused([](Picture& picture) {
        Picture::base(picture.slices[0]).slice_data_offset = static_cast<uint32_t>(picture.slices[0].data.size());
    });
}

TEST_P(Hostile, SliceOffsetPlusSizeWraps) {
    expectRefused([](Picture& picture) {
        Picture::base(picture.slices[0]).slice_data_offset = UINT32_MAX;
        Picture::base(picture.slices[0]).slice_data_size = 2;
    });
}

TEST_P(Hostile, SliceInParts) {
    expectRefused(
        [](Picture& picture) { Picture::base(picture.slices[0]).slice_data_flag = VA_SLICE_DATA_FLAG_BEGIN; });
}

TEST_P(Hostile, SliceDataOfOneByte) {
    expectHarmless([](Picture& picture) {
        picture.slices[0].data.resize(1);
        Picture::base(picture.slices[0]).slice_data_size = 1;
    });
}

TEST_P(Hostile, SliceDataCutAtEveryLength) {
    Player player(display, stream());
    player.play(3);
    const Picture whole = player.picture(3);
    for (size_t length = 1; length < std::min<size_t>(24, whole.slices[0].data.size()); length++) {
        Picture picture = whole;
        picture.slices[0].data.resize(length);
        Picture::base(picture.slices[0]).slice_data_size = static_cast<uint32_t>(length);
        if (player.submit(player.spare(), picture).ok())
            player.stray(); // what can be decoded of it is
    }
    vaSyncSurface(display, player.spare());
    player.expectRestIsRight();
}

TEST_P(Hostile, SliceDataOfOnes) {
    expectHarmless([](Picture& picture) {
        for (Picture::Slice& slice : picture.slices)
            std::fill(slice.data.begin(), slice.data.end(), uint8_t{0xff});
    });
}

TEST_P(Hostile, SliceDataOfZeros) {
    expectHarmless([](Picture& picture) {
        for (Picture::Slice& slice : picture.slices)
            std::fill(slice.data.begin(), slice.data.end(), uint8_t{0});
    });
}

TEST_P(Hostile, NoPictureParameters) {
    expectRefused([](Picture& picture) { picture.parameters.clear(); });
}

TEST_P(Hostile, NoSlices) {
    expectRefused([](Picture& picture) { picture.slices.clear(); });
}

TEST_P(Hostile, NoSliceData) {
    expectRefused([](Picture& picture) { picture.slices.back().data.clear(); });
}

TEST_P(Hostile, NoSliceParameters) {
    expectRefused([](Picture& picture) { picture.slices.back().parameters.clear(); });
}

TEST_P(Hostile, NothingAtAll) {
    expectRefused([](Picture& picture) { picture = {}; });
}

TEST_P(Hostile, PictureParametersCutShort) {
    expectRefused([](Picture& picture) { picture.parameters.resize(picture.parameters.size() / 2); });
}

TEST_P(Hostile, PictureParametersOfOneByte) {
    expectRefused([](Picture& picture) { picture.parameters.resize(1); });
}

TEST_P(Hostile, MatricesCutShort) {
    expectRefused([](Picture& picture) { picture.iqMatrix.resize(3); });
}

TEST_P(Hostile, SliceParametersCutShort) {
    expectRefused([](Picture& picture) { picture.slices[0].parameters.resize(sizeof(VASliceParameterBufferBase)); });
}

TEST_P(Hostile, SliceParametersOfOneByte) {
    expectRefused([](Picture& picture) { picture.slices[0].parameters.resize(1); });
}

TEST_P(Hostile, SizeOfZero) {
    // H.264 cannot say 0: its fields count from 1, and what 0 wraps to is the largest size.
    expectRefused([this](Picture& picture) { stream().resize(picture, 0, 0); });
}

TEST_P(Hostile, SizeBeyondTheContext) {
    expectRefused([this](Picture& picture) { stream().resize(picture, 1920, 1088); });
}

TEST_P(Hostile, SizeBeyondTheDevice) {
    expectRefused([this](Picture& picture) { stream().resize(picture, 65520, 65520); });
}

TEST_P(Hostile, SmallerSizeInMidStream) {
    // A new sequence for the driver: it may open another session, and the old references are gone with it.
    Player player(display, stream());
    player.play(3);
    Picture picture = player.picture(0);
    stream().resize(picture, 64, 64);
    player.submit(player.spare(), picture);
    vaSyncSurface(display, player.spare());
    readSurface(display, player.surface(1), stream().width, stream().height);
    player.expectRestIsRight();
}

TEST_P(Hostile, PictureParametersOfOnes) {
    expectHarmless([](Picture& picture) { std::fill(picture.parameters.begin(), picture.parameters.end(), 0xff); });
}

TEST_P(Hostile, PictureParametersOfZeros) {
    expectHarmless([](Picture& picture) { std::fill(picture.parameters.begin(), picture.parameters.end(), 0); });
}

TEST_P(Hostile, SliceParametersOfOnes) {
    expectRefused([](Picture& picture) {
        std::fill(picture.slices[0].parameters.begin(), picture.slices[0].parameters.end(), 0xff);
    });
}

TEST_P(Hostile, EveryByteOfTheParametersChanged) {
    Player player(display, stream());
    player.play(3);
    const Picture whole = player.picture(3);
    const auto sweep = [&](auto member) {
        for (size_t i = 0; i < (whole.*member).size(); i += 3)
            for (const uint8_t value : {0x00, 0x7f, 0xff}) {
                Picture picture = whole;
                (picture.*member)[i] = value;
                player.submit(player.spare(), picture);
            }
    };
    // Sizes aside: those that fit would end the session and with it the references.
    sweep(&Picture::iqMatrix);
    for (size_t i = 0; i < whole.slices[0].parameters.size(); i += 5) {
        Picture picture = whole;
        picture.slices[0].parameters[i] = static_cast<uint8_t>(~picture.slices[0].parameters[i]);
        player.submit(player.spare(), picture);
    }
    vaSyncSurface(display, player.spare());
    player.expectRestIsRight();
}

TEST_P(Hostile, EveryByteOfThePictureParametersChanged) {
    Player player(display, stream());
    player.play(3);
    const Picture whole = player.picture(3);
    for (size_t i = 0; i < whole.parameters.size(); i += 2)
        for (const uint8_t value : {0x00, 0x7f, 0xff}) {
            Picture picture = whole;
            picture.parameters[i] = value;
            player.submit(player.spare(), picture);
        }
    vaSyncSurface(display, player.spare());
    player.expectRestIsRight();
}

TEST_P(Hostile, ReferencesThatNameNothing) {
    const VASurfaceID never = VA_INVALID_SURFACE;
    expectHarmless([&](Picture& picture) { stream().redirectReferences(picture, never); });
    expectHarmless([&](Picture& picture) { stream().redirectReferences(picture, 0); });
    expectHarmless([&](Picture& picture) { stream().redirectReferences(picture, 0x7fffffff); });
}

TEST_P(Hostile, ReferencesThatWereDestroyed) {
    between([&](Player& player) {
        VASurfaceID gone = VA_INVALID_SURFACE;
        REQUIRE_VA(
            vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width, stream().height, &gone, 1, nullptr, 0));
        EXPECT_TRUE(player.submit(gone, player.picture(0)).ok());
        REQUIRE_VA(vaDestroySurfaces(display, &gone, 1));
        attempt(player, [&](Picture& picture) { stream().redirectReferences(picture, gone); });
        vaSyncSurface(display, player.spare());
    });
}

TEST_P(Hostile, ReferencesThatWereNeverDecoded) {
    between([&](Player& player) {
        VASurfaceID empty = VA_INVALID_SURFACE;
        REQUIRE_VA(
            vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width, stream().height, &empty, 1, nullptr, 0));
        attempt(player, [&](Picture& picture) { stream().redirectReferences(picture, empty); });
        vaSyncSurface(display, player.spare());
        REQUIRE_VA(vaDestroySurfaces(display, &empty, 1));
    });
}

TEST_P(Hostile, ReferencesOfAnotherKindOfObject) {
    between([&](Player& player) {
        for (const VAGenericID id : {player.context(), player.config()})
            attempt(player, [&](Picture& picture) { stream().redirectReferences(picture, id); });
        vaSyncSurface(display, player.spare());
    });
}

TEST_P(Hostile, ReferencesToTheTarget) {
    between([&](Player& player) {
        attempt(player, [&](Picture& picture) { stream().redirectReferences(picture, player.spare()); });
        vaSyncSurface(display, player.spare());
    });
}

TEST_P(Hostile, TwoPictureParameterBuffers) {
    between([&](Player& player) {
        const Picture picture = player.picture(player.next());
        std::vector<VABufferID> buffers = player.buffersOf(picture);
        buffers.push_back(player.buffer(VAPictureParameterBufferType, picture.parameters));
        const Outcome outcome = player.submit(player.spare(), buffers);
        EXPECT_TRUE(outcome.ok()) << describe(outcome); // the last one counts
        EXPECT_EQ(vaSyncSurface(display, player.spare()), VA_STATUS_SUCCESS);
    });
}

TEST_P(Hostile, SliceDataTwice) {
    between([&](Player& player) {
        const Picture picture = player.picture(player.next());
        const VABufferID data = player.buffer(VASliceDataBufferType, picture.slices[0].data);
        const Outcome outcome =
            player.submit(player.spare(), {player.buffer(VAPictureParameterBufferType, picture.parameters), data, data,
                                           player.buffer(VASliceParameterBufferType, picture.slices[0].parameters)});
        // Whether slices have both parameters and data shows when all of them are there.
        EXPECT_EQ(outcome.end, VA_STATUS_ERROR_INVALID_PARAMETER) << describe(outcome);
    });
}

TEST_P(Hostile, BufferTypesThatHaveNoPlace) {
    between([&](Player& player) {
        const Picture picture = player.picture(player.next());
        for (const VABufferType type : {VAResidualDataBufferType, VADeblockingParameterBufferType, VAImageBufferType}) {
            std::vector<VABufferID> buffers = player.buffersOf(picture);
            buffers.insert(buffers.begin(), player.buffer(type, Bytes(64)));
            const Outcome outcome = player.submit(player.spare(), buffers);
            EXPECT_EQ(outcome.render, VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE) << "type " << type;
            EXPECT_NE(outcome.end, VA_STATUS_SUCCESS);
        }
    });
}

TEST_P(Hostile, BuffersThatDoNotExist) {
    between([&](Player& player) {
        for (const VABufferID id : {VABufferID{0}, VABufferID{VA_INVALID_ID}, VABufferID{player.spare()}}) {
            std::vector<VABufferID> buffers = player.buffersOf(player.picture(player.next()));
            buffers.push_back(id);
            const Outcome outcome = player.submit(player.spare(), buffers);
            EXPECT_EQ(outcome.render, VA_STATUS_ERROR_INVALID_BUFFER);
            EXPECT_NE(outcome.end, VA_STATUS_SUCCESS);
        }
    });
}

TEST_P(Hostile, RenderAfterAFailure) {
    between([&](Player& player) {
        REQUIRE_VA(vaBeginPicture(display, player.context(), player.spare()));
        VABufferID nothing = VA_INVALID_ID;
        EXPECT_EQ(vaRenderPicture(display, player.context(), &nothing, 1), VA_STATUS_ERROR_INVALID_BUFFER);
        std::vector<VABufferID> buffers = player.buffersOf(player.picture(player.next()));
        vaRenderPicture(display, player.context(), buffers.data(), static_cast<int>(buffers.size()));
        // A picture that lacks a buffer which its client believes to have sent is not decoded.
        EXPECT_NE(vaEndPicture(display, player.context()), VA_STATUS_SUCCESS);
    });
}

TEST_P(Hostile, RenderAndEndWithoutBegin) {
    between([&](Player& player) {
        std::vector<VABufferID> buffers = player.buffersOf(player.picture(player.next()));
        EXPECT_EQ(vaRenderPicture(display, player.context(), buffers.data(), static_cast<int>(buffers.size())),
                  VA_STATUS_ERROR_OPERATION_FAILED);
        EXPECT_EQ(vaEndPicture(display, player.context()), VA_STATUS_ERROR_OPERATION_FAILED);
    });
}

TEST_P(Hostile, BeginTwice) {
    between([&](Player& player) {
        REQUIRE_VA(vaBeginPicture(display, player.context(), player.spare()));
        std::vector<VABufferID> half = player.buffersOf(player.picture(0));
        half.pop_back(); // slice parameters wait for their data, and are forgotten
        EXPECT_EQ(vaRenderPicture(display, player.context(), half.data(), static_cast<int>(half.size())),
                  VA_STATUS_SUCCESS);
        player.clearBuffers();
        const Outcome outcome = player.submit(player.spare(), player.picture(player.next()));
        EXPECT_TRUE(outcome.ok()) << describe(outcome);
        EXPECT_EQ(vaSyncSurface(display, player.spare()), VA_STATUS_SUCCESS);
    });
}

TEST_P(Hostile, BeginWithoutEnd) {
    between([&](Player& player) { REQUIRE_VA(vaBeginPicture(display, player.context(), player.spare())); });
}

TEST_P(Hostile, TargetThatIsNoSurface) {
    between([&](Player& player) {
        for (const VASurfaceID id : {VASurfaceID{0}, VASurfaceID{VA_INVALID_SURFACE}, VASurfaceID{player.context()}}) {
            const Outcome outcome = player.submit(id, player.picture(player.next()));
            EXPECT_EQ(outcome.begin, VA_STATUS_ERROR_INVALID_SURFACE);
            EXPECT_EQ(outcome.end, VA_STATUS_ERROR_OPERATION_FAILED);
        }
    });
}

TEST_P(Hostile, TargetDestroyedBetweenBeginAndEnd) {
    between([&](Player& player) {
        VASurfaceID target = VA_INVALID_SURFACE;
        REQUIRE_VA(
            vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width, stream().height, &target, 1, nullptr, 0));
        REQUIRE_VA(vaBeginPicture(display, player.context(), target));
        std::vector<VABufferID> buffers = player.buffersOf(player.picture(player.next()));
        REQUIRE_VA(vaRenderPicture(display, player.context(), buffers.data(), static_cast<int>(buffers.size())));
        REQUIRE_VA(vaDestroySurfaces(display, &target, 1));
        vaEndPicture(display, player.context()); // into memory that nobody will see, or not at all
        player.stray();
        EXPECT_EQ(vaSyncSurface(display, target), VA_STATUS_ERROR_INVALID_SURFACE);
    });
}

TEST_P(Hostile, TargetOfAnotherSize) {
    between([&](Player& player) {
        for (const unsigned size : {2u, 16u, 1024u}) {
            VASurfaceID target = VA_INVALID_SURFACE;
            REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, size, size, &target, 1, nullptr, 0));
            VAImage image{}; // its memory is made now, for a size that is not the stream's
            REQUIRE_VA(vaDeriveImage(display, target, &image));
            REQUIRE_VA(vaDestroyImage(display, image.image_id));
            const Outcome outcome = player.submit(target, player.picture(player.next()));
            // The larger one gets a copy: the device writes like the pictures that this one refers to.
            EXPECT_EQ(outcome.ok(), size > stream().width) << size << ": " << describe(outcome);
            EXPECT_EQ(isDamaged(display, target), !outcome.ok());
            REQUIRE_VA(vaDestroySurfaces(display, &target, 1));
        }
    });
}

TEST_P(Hostile, ManyMoreTargetsThanTheDeviceHasBuffers) {
    Player player(display, stream());
    player.play(1);
    std::vector<VASurfaceID> surfaces(100);
    REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream().width, stream().height, surfaces.data(),
                                static_cast<unsigned>(surfaces.size()), nullptr, 0));
    for (const VASurfaceID surface : surfaces) {
        const Outcome outcome = player.submit(surface, player.picture(0));
        ASSERT_TRUE(outcome.ok()) << describe(outcome);
    }
    for (const VASurfaceID surface : surfaces)
        EXPECT_EQ(vaSyncSurface(display, surface), VA_STATUS_SUCCESS);
    REQUIRE_VA(vaDestroySurfaces(display, surfaces.data(), static_cast<int>(surfaces.size())));
    player.expectRestIsRight();
}

VA_SUITE_FOR_ALL_CODECS(Hostile);

} // namespace

} // namespace va_suite
