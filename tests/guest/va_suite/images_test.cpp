// SPDX-License-Identifier: MIT
// Images of every 4:2:0 layout, whole and in part, of even and of odd sizes.
#include <tuple>

#include "test_case.h"

namespace va_suite {

namespace {

struct Size {
    unsigned width, height;
};

constexpr uint32_t nv12 = VA_FOURCC_NV12, i420 = VA_FOURCC_I420, yv12 = VA_FOURCC_YV12;

std::string nameOf(uint32_t fourcc) {
    return std::string(reinterpret_cast<const char*>(&fourcc), 4);
}

// The components of a pixel, whatever the layout.
enum Component { Y, Cb, Cr };

// A mapped image.
class Pixels {
public:
    Pixels(VADisplay display, const VAImage& image) : display_(display), image_(image) {
        void* data = nullptr;
        REQUIRE_VA(vaMapBuffer(display_, image_.buf, &data));
        bytes_ = static_cast<uint8_t*>(data);
    }
    ~Pixels() { vaUnmapBuffer(display_, image_.buf); }
    Pixels(const Pixels&) = delete;
    Pixels& operator=(const Pixels&) = delete;

    // x and y count samples of this component.
    uint8_t& at(Component component, unsigned x, unsigned y) {
        if (component == Y)
            return plane(0, x, y);
        if (image_.format.fourcc == nv12)
            return plane(1, 2 * x + (component == Cr), y);
        const bool second = (component == Cr) == (image_.format.fourcc == i420);
        return plane(second ? 2 : 1, x, y);
    }
    // Calls back with every sample of a part: component, place in the part, value.
    template <typename Function>
    void forEach(unsigned left, unsigned top, unsigned width, unsigned height, Function function) {
        for (const Component component : {Y, Cb, Cr}) {
            const unsigned step = component == Y ? 1 : 2;
            for (unsigned y = 0; y < (height + step - 1) / step; y++)
                for (unsigned x = 0; x < (width + step - 1) / step; x++)
                    function(component, x, y, at(component, left / step + x, top / step + y));
        }
    }

private:
    uint8_t& plane(unsigned index, unsigned x, unsigned y) {
        const size_t offset = size_t{image_.offsets[index]} + size_t{y} * image_.pitches[index] + x;
        EXPECT_LT(offset, image_.data_size);
        return bytes_[offset];
    }

    VADisplay display_;
    VAImage image_;
    uint8_t* bytes_ = nullptr;
};

// Noise that depends on component and place: whatever lands elsewhere shows.
uint8_t sample(Component component, unsigned x, unsigned y) {
    return static_cast<uint8_t>((component * 89 + x * 7 + y * 31) ^ (x * y >> 3));
}

class Images : public VaTest, public testing::WithParamInterface<std::tuple<Size, uint32_t>> {
protected:
    const unsigned width = std::get<0>(GetParam()).width, height = std::get<0>(GetParam()).height;
    const uint32_t fourcc = std::get<1>(GetParam());
    VASurfaceID surface = makeSurface(width, height);

    ~Images() override { vaDestroySurfaces(display, &surface, 1); }

    void fill(const VAImage& image, uint8_t bias = 0) {
        Pixels(display, image)
            .forEach(0, 0, image.width, image.height, [&](Component component, unsigned x, unsigned y, uint8_t& value) {
                value = static_cast<uint8_t>(sample(component, x, y) + bias);
            });
    }
    // How many samples of the part at `left`, `top` are not what fill() writes from `fromX`, `fromY` on.
    size_t wrong(const VAImage& image, unsigned left, unsigned top, unsigned w, unsigned h, unsigned fromX,
                 unsigned fromY, uint8_t bias = 0) {
        size_t count = 0;
        Pixels(display, image)
            .forEach(left, top, w, h, [&](Component component, unsigned x, unsigned y, uint8_t value) {
                const unsigned step = component == Y ? 1 : 2;
                count += value != static_cast<uint8_t>(sample(component, fromX / step + x, fromY / step + y) + bias);
            });
        return count;
    }
    VAStatus put(const VAImage& image, int fromX, int fromY, int x, int y, unsigned w, unsigned h) {
        return vaPutImage(display, surface, image.image_id, fromX, fromY, w, h, x, y, w, h);
    }
    void destroy(std::initializer_list<VAImage> images) {
        for (const VAImage& image : images)
            EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
    }
};

TEST_P(Images, DescribeTheirMemory) {
    const VAImage image = makeImage(width, height, fourcc);
    EXPECT_EQ(image.format.fourcc, fourcc);
    EXPECT_EQ(image.format.bits_per_pixel, 12u);
    EXPECT_EQ(image.width, width);
    EXPECT_EQ(image.height, height);
    ASSERT_EQ(image.num_planes, fourcc == nv12 ? 2u : 3u);
    uint32_t end = 0;
    for (unsigned i = 0; i < image.num_planes; i++) {
        const unsigned samples = i == 0 ? width : (width + 1) / 2 * (fourcc == nv12 ? 2 : 1);
        EXPECT_GE(image.offsets[i], end);
        EXPECT_GE(image.pitches[i], samples);
        end = image.offsets[i] + image.pitches[i] * (i == 0 ? height : (height + 1) / 2);
    }
    EXPECT_GE(image.data_size, end);
    destroy({image});
}

TEST_P(Images, WhatIsPutComesBackInEveryLayout) {
    const VAImage image = makeImage(width, height, fourcc);
    fill(image);
    ASSERT_EQ(put(image, 0, 0, 0, 0, width, height), VA_STATUS_SUCCESS);
    for (const uint32_t other : {nv12, i420, yv12}) {
        const VAImage back = makeImage(width, height, other);
        ASSERT_EQ(vaGetImage(display, surface, 0, 0, width, height, back.image_id), VA_STATUS_SUCCESS);
        EXPECT_EQ(wrong(back, 0, 0, width, height, 0, 0), 0u) << nameOf(other);
        destroy({back});
    }
    destroy({image});
}

class ImageParts : public Images {};

TEST_P(ImageParts, LandWhereTheyShould) {
    const VAImage all = makeImage(width, height, nv12), part = makeImage(10, 6, fourcc);
    const VAImage back = makeImage(width, height, nv12);
    fill(all);
    fill(part, 1);
    ASSERT_EQ(put(all, 0, 0, 0, 0, width, height), VA_STATUS_SUCCESS);
    ASSERT_EQ(put(part, 2, 2, 4, 8, 8, 4), VA_STATUS_SUCCESS);
    ASSERT_EQ(vaGetImage(display, surface, 0, 0, width, height, back.image_id), VA_STATUS_SUCCESS);
    EXPECT_EQ(wrong(back, 4, 8, 8, 4, 2, 2, 1), 0u);
    // Around it, nothing has changed.
    EXPECT_EQ(wrong(back, 0, 0, width, 8, 0, 0), 0u);
    EXPECT_EQ(wrong(back, 0, 12, width, height - 12, 0, 12), 0u);
    EXPECT_EQ(wrong(back, 0, 8, 4, 4, 0, 8), 0u);
    EXPECT_EQ(wrong(back, 12, 8, width - 12, 4, 12, 8), 0u);
    // The other way: into the upper left corner of the image, and no further.
    fill(part, 2);
    ASSERT_EQ(vaGetImage(display, surface, 6, 2, 6, 4, part.image_id), VA_STATUS_SUCCESS);
    EXPECT_EQ(wrong(part, 0, 0, 6, 4, 6, 2), 0u);
    EXPECT_EQ(wrong(part, 6, 0, 4, 6, 6, 0, 2), 0u);
    EXPECT_EQ(wrong(part, 0, 4, 10, 2, 0, 4, 2), 0u);
    destroy({all, part, back});
}

TEST_P(Images, TheLastRowAndColumn) {
    // From the last place where chroma has a sample: one or two pixels, as the size is odd or even.
    const unsigned x = (width - 1) / 2 * 2, y = (height - 1) / 2 * 2, w = width - x, h = height - y;
    const VAImage all = makeImage(width, height, fourcc), corner = makeImage(w, h, fourcc);
    fill(all);
    ASSERT_EQ(put(all, 0, 0, 0, 0, width, height), VA_STATUS_SUCCESS);
    ASSERT_EQ(vaGetImage(display, surface, static_cast<int>(x), static_cast<int>(y), w, h, corner.image_id),
              VA_STATUS_SUCCESS);
    EXPECT_EQ(wrong(corner, 0, 0, w, h, x, y), 0u);
    fill(corner, 3);
    ASSERT_EQ(put(corner, 0, 0, static_cast<int>(x), static_cast<int>(y), w, h), VA_STATUS_SUCCESS);
    ASSERT_EQ(vaGetImage(display, surface, static_cast<int>(x), static_cast<int>(y), w, h, corner.image_id),
              VA_STATUS_SUCCESS);
    EXPECT_EQ(wrong(corner, 0, 0, w, h, 0, 0, 3), 0u);
    destroy({all, corner});
}

TEST_P(Images, BetweenTwoSurfacesByADerivedOne) {
    const VASurfaceID other = makeSurface(width, height);
    const VAImage image = makeImage(width, height, fourcc);
    fill(image);
    ASSERT_EQ(put(image, 0, 0, 0, 0, width, height), VA_STATUS_SUCCESS);
    VAImage derived{};
    ASSERT_EQ(vaDeriveImage(display, surface, &derived), VA_STATUS_SUCCESS);
    ASSERT_EQ(vaPutImage(display, other, derived.image_id, 0, 0, width, height, 0, 0, width, height),
              VA_STATUS_SUCCESS);
    fill(image, 5);
    ASSERT_EQ(vaGetImage(display, other, 0, 0, width, height, image.image_id), VA_STATUS_SUCCESS);
    EXPECT_EQ(wrong(image, 0, 0, width, height, 0, 0), 0u);
    destroy({image, derived});
    VASurfaceID gone = other;
    EXPECT_EQ(vaDestroySurfaces(display, &gone, 1), VA_STATUS_SUCCESS);
}

std::string nameOfRow(const testing::TestParamInfo<std::tuple<Size, uint32_t>>& row) {
    const Size& size = std::get<0>(row.param);
    return std::to_string(size.width) + "x" + std::to_string(size.height) + "_" + nameOf(std::get<1>(row.param));
}

INSTANTIATE_TEST_SUITE_P(Sizes, Images,
                         testing::Combine(testing::Values(Size{1, 1}, Size{2, 2}, Size{3, 17}, Size{64, 64},
                                                          Size{177, 145}, Size{320, 240}),
                                          testing::Values(nv12, i420, yv12)),
                         nameOfRow);
INSTANTIATE_TEST_SUITE_P(Sizes, ImageParts,
                         testing::Combine(testing::Values(Size{64, 64}, Size{177, 145}),
                                          testing::Values(nv12, i420, yv12)),
                         nameOfRow);

} // namespace

} // namespace va_suite
