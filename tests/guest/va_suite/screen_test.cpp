// SPDX-License-Identifier: MIT
// Decoded memory on a display, without a copy on the way: what is seen is what software decodes.
#include <algorithm>
#include <set>

#include "dma_buf.h"
#include "screen.h"
#include "test_case.h"

namespace va_suite {

namespace {

class Shown : public CodecTest {
protected:
    void SetUp() override {
        CodecTest::SetUp();
        if (!display.hasTruePixels())
            GTEST_SKIP() << "needs a device that decodes";
    }
    VADRMPRIMESurfaceDescriptor exported(VASurfaceID surface) {
        VADRMPRIMESurfaceDescriptor prime{};
        REQUIRE_VA(vaExportSurfaceHandle(display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                         VA_EXPORT_SURFACE_COMPOSED_LAYERS | VA_EXPORT_SURFACE_READ_ONLY, &prime));
        return prime;
    }
    // What software makes of picture `index`, in memory of the test's own with the same layout.
    DmaBuf rightPicture(size_t index, const VADRMPRIMESurfaceDescriptor& layout) {
        DmaBuf memory(DmaBuf::Source::Heap, layout.objects[0].size);
        const uint8_t* right = stream().expectedPicture(index).data();
        memory.begin();
        for (const unsigned plane : {0u, 1u})
            for (unsigned y = 0; y < stream().height / (plane + 1); y++, right += stream().width)
                std::copy_n(right, stream().width,
                            memory.bytes() + layout.layers[0].offset[plane] +
                                size_t{y} * layout.layers[0].pitch[plane]);
        memory.end();
        return memory;
    }
};

TEST_P(Shown, PicturesOfAStream) {
    constexpr size_t pictures = 6; // the display composes in software
    Screen screen;
    Player player(display, stream());
    const size_t mapped = mappedDmaBufs();
    player.play(pictures);
    std::set<std::vector<uint32_t>> different;
    for (size_t i = 0; i < pictures; i++) {
        VADRMPRIMESurfaceDescriptor picture = exported(player.surface(i));
        const DmaBuf memory = DmaBuf::adopt(picture.objects[0].fd);
        ASSERT_EQ(picture.width, stream().width);
        ASSERT_EQ(picture.height, stream().height);
        const auto seen = screen.show(picture);
        EXPECT_EQ(mappedDmaBufs(), mapped) << "only the display looks at the pixels";
        const DmaBuf right = rightPicture(i, picture);
        picture.objects[0].fd = right.fd();
        EXPECT_TRUE(seen == screen.show(picture)) << "picture " << i;
        different.insert(seen);
    }
    EXPECT_GT(different.size(), pictures / 2) << "a screen that shows something, and not always the same";
}

VA_SUITE_FOR_ALL_CODECS(Shown);

} // namespace

} // namespace va_suite
