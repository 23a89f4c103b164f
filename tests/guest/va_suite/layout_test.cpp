// SPDX-License-Identifier: MIT
// Surfaces that were laid out before the stream was known, for another size than it turns out to have.
#include <algorithm>

#include "dma_buf.h"
#include "test_case.h"

namespace va_suite {

namespace {

class Layouts : public CodecTest {
protected:
    void createSurfaces(unsigned width, unsigned height) {
        surfaces.resize(stream().pictureCount + 1);
        REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, width, height, surfaces.data(),
                                    static_cast<unsigned>(surfaces.size()), nullptr, 0));
    }
    VADRMPRIMESurfaceDescriptor exported(VASurfaceID surface) {
        VADRMPRIMESurfaceDescriptor prime{};
        REQUIRE_VA(vaExportSurfaceHandle(display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                         VA_EXPORT_SURFACE_SEPARATE_LAYERS | VA_EXPORT_SURFACE_READ_ONLY, &prime));
        return prime;
    }
    void expectPicture(const VADRMPRIMESurfaceDescriptor& prime, DmaBuf& memory, size_t index) {
        if (!display.hasTruePixels())
            return;
        const uint8_t* right = stream().expectedPicture(index).data();
        memory.begin();
        for (const unsigned plane : {0u, 1u})
            for (unsigned y = 0; y < stream().height / (plane + 1); y++, right += stream().width)
                ASSERT_TRUE(std::equal(right, right + stream().width,
                                       memory.bytes() + prime.layers[plane].offset[0] +
                                           size_t{y} * prime.layers[plane].pitch[0]))
                    << "picture " << index << ", plane " << plane << ", row " << y;
        memory.end();
    }

    std::vector<VASurfaceID> surfaces;
};

// Sizes that clients take for the stream: its own, that of the macroblocks, what a window or a pool of old has.
constexpr std::array<std::pair<unsigned, unsigned>, 6> largerBy{
    {{0, 0}, {1, 1}, {14, 14}, {64, 0}, {0, 64}, {742, 334}}};

TEST_P(Layouts, ExportedFirstDecodedLater) {
    for (const auto& [right, below] : largerBy) {
        SCOPED_TRACE(testing::Message() << right << " pixels wider, " << below << " higher");
        createSurfaces(stream().width + right, stream().height + below);
        std::vector<VADRMPRIMESurfaceDescriptor> before;
        std::vector<DmaBuf> memory;
        for (const VASurfaceID surface : surfaces)
            memory.push_back(DmaBuf::adopt(before.emplace_back(exported(surface)).objects[0].fd));
        VAImage derived{};
        REQUIRE_VA(vaDeriveImage(display, surfaces[0], &derived));
        Player player(display, stream(), surfaces);
        player.expectRestIsRight();
        for (size_t i = 0; i < stream().pictureCount; i++)
            expectPicture(before[i], memory[i], i);
        VAImage after{};
        REQUIRE_VA(vaDeriveImage(display, surfaces[0], &after));
        for (const unsigned plane : {0u, 1u}) {
            EXPECT_EQ(derived.offsets[plane], after.offsets[plane]);
            EXPECT_EQ(derived.pitches[plane], after.pitches[plane]);
            EXPECT_EQ(derived.offsets[plane], before[0].layers[plane].offset[0]);
        }
        EXPECT_EQ(derived.width, after.width);
        EXPECT_EQ(derived.height, after.height);
        REQUIRE_VA(vaDestroyImage(display, derived.image_id));
        REQUIRE_VA(vaDestroyImage(display, after.image_id));
    }
}

TEST_P(Layouts, SomeExportedFirstSomeLater) {
    // A pool of which a few were looked at: all have to be decoded into in one session, as they refer to one another.
    for (const auto& [right, below] : largerBy) {
        SCOPED_TRACE(testing::Message() << right << " pixels wider, " << below << " higher");
        for (const size_t first : {size_t{0}, size_t{1}}) {
            createSurfaces(stream().width + right, stream().height + below);
            for (size_t i = first; i < surfaces.size(); i += 2)
                layoutOf(display, surfaces[i]);
            Player player(display, stream(), surfaces);
            player.expectRestIsRight();
        }
    }
}

TEST_P(Layouts, AreFilledWhenTheSurfaceIsReady) {
    createSurfaces(stream().width + 64, stream().height + 64);
    const VADRMPRIMESurfaceDescriptor prime = exported(surfaces[0]);
    DmaBuf memory = DmaBuf::adopt(prime.objects[0].fd);
    Player player(display, stream(), surfaces);
    player.playOne();
    VASurfaceStatus status = VASurfaceRendering;
    while (status != VASurfaceReady)
        REQUIRE_VA(vaQuerySurfaceStatus(display, surfaces[0], &status));
    expectPicture(prime, memory, 0);
    player.expectRestIsRight();
}

TEST_P(Layouts, AreAsLargeAsTheirSurfaces) {
    if (!display.writesLarger())
        GTEST_SKIP() << "the device does not let clients choose";
    createSurfaces(stream().width + 100, stream().height + 100);
    Player player(display, stream(), surfaces);
    player.expectRestIsRight();
    const VADRMPRIMESurfaceDescriptor prime = layoutOf(display, player.surface(0));
    EXPECT_GE(prime.width, stream().width + 100);
    EXPECT_GE(prime.height, stream().height + 100);
}

TEST_P(Layouts, NothingIsCopied) {
    // Pixels that the driver does not map it cannot copy; that the client sees them is shown above.
    Player player(display, stream());
    const size_t mapped = mappedDmaBufs();
    std::vector<DmaBuf> memory;
    player.play(stream().pictureCount);
    for (size_t i = 0; i < stream().pictureCount; i++) {
        memory.push_back(DmaBuf::adopt(exported(player.surface(i)).objects[0].fd));
        EXPECT_EQ(vaSyncSurface(display, player.surface(i)), VA_STATUS_SUCCESS);
    }
    EXPECT_EQ(mappedDmaBufs(), mapped);
    player.expectPicture(0); // by vaGetImage
    EXPECT_EQ(mappedDmaBufs(), mapped + 1) << "this test sees what is mapped";
}

TEST_P(Layouts, OfAnotherPoolForTheSameStream) {
    // A client that makes its surfaces anew, larger, in the middle: it begins again with a picture that needs no other.
    {
        Player player(display, stream());
        player.expectRestIsRight();
    }
    Player first(display, stream());
    first.play(3);
    createSurfaces(stream().width * 2, stream().height * 2);
    for (const VASurfaceID surface : surfaces)
        layoutOf(display, surface);
    Player second(display, stream(), surfaces);
    second.expectRestIsRight();
    first.expectRestIsRight();
}

TEST_P(Layouts, RefusedImagesPromiseNothing) {
    // Clients derive an image of the first surface to see whether they can. Where they cannot, the surface is as good
    // as any.
    createSurfaces(stream().width + 64, stream().height + 64);
    VAImage derived{};
    if (vaDeriveImage(display, surfaces[0], &derived) == VA_STATUS_SUCCESS) {
        vaDestroyImage(display, derived.image_id);
        GTEST_SKIP() << "the device writes what can be derived";
    }
    VADRMPRIMESurfaceDescriptor prime{};
    EXPECT_NE(vaExportSurfaceHandle(display, surfaces[1], VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                    VA_EXPORT_SURFACE_SEPARATE_LAYERS | VA_EXPORT_SURFACE_COMPOSED_LAYERS, &prime),
              VA_STATUS_SUCCESS);
    Player player(display, stream(), surfaces);
    player.expectRestIsRight();
}

VA_SUITE_FOR_ALL_CODECS(Layouts);

} // namespace

} // namespace va_suite
