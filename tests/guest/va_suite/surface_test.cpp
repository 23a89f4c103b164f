// SPDX-License-Identifier: MIT
// Surfaces before any context: exported, derived, written and read, as clients do to see what they may expect.
#include <algorithm>
#include <array>
#include <cstring>

#include <drm_fourcc.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <va/va_drmcommon.h>

#include "test_case.h"

namespace va_suite {

namespace {

struct Size {
    unsigned width, height;
};

// Noise that depends on plane and place: whatever lands elsewhere shows.
uint8_t sample(unsigned plane, unsigned x, unsigned y) {
    return static_cast<uint8_t>((plane * 89 + x * 7 + y * 31) ^ (x * y >> 3));
}

class Surface : public VaTest, public testing::WithParamInterface<Size> {
protected:
    const unsigned width = GetParam().width, height = GetParam().height;
    VASurfaceID surface = makeSurface(width, height);

    ~Surface() override {
        if (display.isAlive())
            vaDestroySurfaces(display, &surface, 1);
    }

    VADRMPRIMESurfaceDescriptor exported(uint32_t layers) {
        VADRMPRIMESurfaceDescriptor prime{};
        REQUIRE_VA(vaExportSurfaceHandle(display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                         layers | VA_EXPORT_SURFACE_READ_ONLY, &prime));
        return prime;
    }

    uint8_t* map(const VAImage& image) {
        void* data = nullptr;
        REQUIRE_VA(vaMapBuffer(display, image.buf, &data));
        return static_cast<uint8_t*>(data);
    }

    void fill(const VAImage& image) {
        uint8_t* bytes = map(image);
        for (unsigned plane = 0; plane < 2; plane++)
            forEach(image, plane, [&](size_t at, unsigned x, unsigned y) { bytes[at] = sample(plane, x, y); });
        REQUIRE_VA(vaUnmapBuffer(display, image.buf));
    }

    // Calls back with the offset of every byte of a plane.
    template <typename Function>
    static void forEach(const VAImage& image, unsigned plane, Function function) {
        const unsigned columns = plane ? (image.width + 1u) / 2 * 2 : image.width;
        const unsigned rows = plane ? (image.height + 1u) / 2 : image.height;
        for (unsigned y = 0; y < rows; y++)
            for (unsigned x = 0; x < columns; x++)
                function(size_t{image.offsets[plane]} + size_t{y} * image.pitches[plane] + x, x, y);
    }

    static void expectWithin(const VAImage& image) {
        const unsigned chromaRow = (image.width + 1u) / 2 * 2, chromaRows = (image.height + 1u) / 2;
        EXPECT_GE(image.pitches[0], image.width);
        EXPECT_GE(image.pitches[1], chromaRow);
        EXPECT_GE(image.offsets[1], image.offsets[0] + image.pitches[0] * image.height);
        EXPECT_GE(image.data_size, image.offsets[1] + image.pitches[1] * chromaRows);
    }
};

TEST_P(Surface, ExportedInSeparateLayers) {
    const VADRMPRIMESurfaceDescriptor prime = exported(VA_EXPORT_SURFACE_SEPARATE_LAYERS);
    EXPECT_EQ(prime.fourcc, static_cast<uint32_t>(VA_FOURCC_NV12));
    EXPECT_GE(prime.width, width);
    EXPECT_GE(prime.height, height);
    ASSERT_EQ(prime.num_objects, 1u); // Chromium takes no other
    EXPECT_EQ(prime.objects[0].drm_format_modifier, static_cast<uint64_t>(DRM_FORMAT_MOD_LINEAR));
    ASSERT_EQ(prime.num_layers, 2u);
    EXPECT_EQ(prime.layers[0].drm_format, static_cast<uint32_t>(DRM_FORMAT_R8));
    EXPECT_EQ(prime.layers[1].drm_format, static_cast<uint32_t>(DRM_FORMAT_GR88));
    for (const auto& layer : {prime.layers[0], prime.layers[1]}) {
        EXPECT_EQ(layer.num_planes, 1u);
        EXPECT_EQ(layer.object_index[0], 0u);
        EXPECT_GE(layer.pitch[0], width);
    }
    EXPECT_EQ(prime.layers[0].offset[0], 0u);
    EXPECT_GE(prime.layers[1].offset[0], prime.layers[0].pitch[0] * height);
    EXPECT_GE(prime.objects[0].size, prime.layers[1].offset[0] + prime.layers[1].pitch[0] * ((height + 1) / 2));
    EXPECT_GE(::lseek(prime.objects[0].fd, 0, SEEK_END), static_cast<off_t>(prime.objects[0].size));
    EXPECT_TRUE(::fcntl(prime.objects[0].fd, F_GETFD) & FD_CLOEXEC);
    ::close(prime.objects[0].fd);
}

TEST_P(Surface, CreatedImagesAreLaidOutLikeDerivedOnes) {
    VAImage derived{};
    REQUIRE_VA(vaDeriveImage(display, surface, &derived));
    const VAImage created = makeImage(width, height);
    for (const unsigned plane : {0u, 1u}) {
        EXPECT_EQ(created.offsets[plane], derived.offsets[plane]);
        EXPECT_EQ(created.pitches[plane], derived.pitches[plane]);
    }
    expectWithin(created);
    for (const VAImage& image : {derived, created})
        REQUIRE_VA(vaDestroyImage(display, image.image_id));
}

TEST_P(Surface, ExportedInComposedLayers) {
    const VADRMPRIMESurfaceDescriptor separate = exported(VA_EXPORT_SURFACE_SEPARATE_LAYERS);
    const VADRMPRIMESurfaceDescriptor prime = exported(VA_EXPORT_SURFACE_COMPOSED_LAYERS);
    ASSERT_EQ(prime.num_objects, 1u);
    ASSERT_EQ(prime.num_layers, 1u);
    EXPECT_EQ(prime.layers[0].drm_format, static_cast<uint32_t>(DRM_FORMAT_NV12));
    ASSERT_EQ(prime.layers[0].num_planes, 2u);
    for (const unsigned plane : {0u, 1u}) {
        EXPECT_EQ(prime.layers[0].object_index[plane], 0u);
        EXPECT_EQ(prime.layers[0].offset[plane], separate.layers[plane].offset[0]);
        EXPECT_EQ(prime.layers[0].pitch[plane], separate.layers[plane].pitch[0]);
    }
    // Clients know a surface again by the inode of its dma-buf.
    struct stat one {
    }, two{};
    ASSERT_EQ(::fstat(separate.objects[0].fd, &one), 0);
    ASSERT_EQ(::fstat(prime.objects[0].fd, &two), 0);
    EXPECT_EQ(one.st_ino, two.st_ino);
    ::close(separate.objects[0].fd);
    ::close(prime.objects[0].fd);
}

TEST_P(Surface, ExportedInSeparateLayersUnlessAsked) {
    const VADRMPRIMESurfaceDescriptor prime = exported(VA_EXPORT_SURFACE_READ_ONLY);
    EXPECT_EQ(prime.num_layers, 2u);
    EXPECT_EQ(prime.layers[1].drm_format, static_cast<uint32_t>(DRM_FORMAT_GR88));
    ::close(prime.objects[0].fd);
}

TEST_P(Surface, WrongExportsAreRefused) {
    VADRMPRIMESurfaceDescriptor prime{};
    const auto attempt = [&](uint32_t type, uint32_t flags) {
        return vaExportSurfaceHandle(display, surface, type, flags, &prime);
    };
    EXPECT_EQ(attempt(VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                      VA_EXPORT_SURFACE_SEPARATE_LAYERS | VA_EXPORT_SURFACE_COMPOSED_LAYERS),
              VA_STATUS_ERROR_INVALID_PARAMETER);
    for (const uint32_t type :
         {0u, uint32_t{VA_SURFACE_ATTRIB_MEM_TYPE_VA}, uint32_t{VA_SURFACE_ATTRIB_MEM_TYPE_KERNEL_DRM}, UINT32_MAX})
        EXPECT_EQ(attempt(type, VA_EXPORT_SURFACE_SEPARATE_LAYERS), VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE);
}

TEST_P(Surface, DerivedImageHandsOutTheSameMemory) {
    VAImage image{};
    ASSERT_EQ(vaDeriveImage(display, surface, &image), VA_STATUS_SUCCESS);
    const VADRMPRIMESurfaceDescriptor prime = exported(VA_EXPORT_SURFACE_SEPARATE_LAYERS);
    EXPECT_EQ(vaReleaseBufferHandle(display, image.buf), VA_STATUS_ERROR_INVALID_BUFFER);
    VABufferInfo any{}, named{}, wrong{};
    ASSERT_EQ(vaAcquireBufferHandle(display, image.buf, &any), VA_STATUS_SUCCESS);
    named.mem_type = VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME;
    ASSERT_EQ(vaAcquireBufferHandle(display, image.buf, &named), VA_STATUS_SUCCESS);
    EXPECT_EQ(any.mem_type, uint32_t{VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME});
    EXPECT_EQ(any.type, uint32_t{VAImageBufferType});
    EXPECT_EQ(any.mem_size, image.data_size);
    EXPECT_EQ(any.handle, named.handle);
    struct stat one {
    }, two{};
    ASSERT_EQ(::fstat(static_cast<int>(any.handle), &one), 0);
    ASSERT_EQ(::fstat(prime.objects[0].fd, &two), 0);
    EXPECT_EQ(one.st_ino, two.st_ino);
    wrong.mem_type = VA_SURFACE_ATTRIB_MEM_TYPE_KERNEL_DRM;
    EXPECT_EQ(vaAcquireBufferHandle(display, image.buf, &wrong), VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE);
    EXPECT_EQ(vaAcquireBufferHandle(display, image.buf, nullptr), VA_STATUS_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(vaAcquireBufferHandle(display, VA_INVALID_ID, &wrong), VA_STATUS_ERROR_INVALID_BUFFER);

    EXPECT_EQ(vaReleaseBufferHandle(display, image.buf), VA_STATUS_SUCCESS);
    EXPECT_EQ(::fstat(static_cast<int>(any.handle), &one), 0); // the second client's
    EXPECT_EQ(vaReleaseBufferHandle(display, image.buf), VA_STATUS_SUCCESS);
    EXPECT_EQ(::fstat(static_cast<int>(any.handle), &one), -1);
    ::close(prime.objects[0].fd);
    EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
}

TEST_P(Surface, DerivedImageIsTheExportedMemory) {
    VAImage image{};
    ASSERT_EQ(vaDeriveImage(display, surface, &image), VA_STATUS_SUCCESS);
    EXPECT_EQ(image.width, width);
    EXPECT_EQ(image.height, height);
    expectWithin(image);
    const VADRMPRIMESurfaceDescriptor prime = exported(VA_EXPORT_SURFACE_SEPARATE_LAYERS);
    for (const unsigned plane : {0u, 1u}) {
        EXPECT_EQ(image.offsets[plane], prime.layers[plane].offset[0]);
        EXPECT_EQ(image.pitches[plane], prime.layers[plane].pitch[0]);
    }
    EXPECT_GE(prime.objects[0].size, image.data_size);
    EXPECT_EQ(static_cast<off_t>(prime.objects[0].size), ::lseek(prime.objects[0].fd, 0, SEEK_END));
    fill(image);
    const uint8_t* derived = map(image);
    void* shared = ::mmap(nullptr, prime.objects[0].size, PROT_READ, MAP_SHARED, prime.objects[0].fd, 0);
    ASSERT_NE(shared, MAP_FAILED);
    EXPECT_TRUE(std::equal(derived, derived + image.data_size, static_cast<uint8_t*>(shared)));
    EXPECT_EQ(vaUnmapBuffer(display, image.buf), VA_STATUS_SUCCESS);
    ::munmap(shared, prime.objects[0].size);
    ::close(prime.objects[0].fd);
    EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaSyncSurface(display, surface), VA_STATUS_SUCCESS); // only the image is gone
}

TEST_P(Surface, WhatIsPutIsSeenEverywhere) {
    VAImage image = makeImage(width, height);
    expectWithin(image);
    fill(image);
    ASSERT_EQ(vaPutImage(display, surface, image.image_id, 0, 0, width, height, 0, 0, width, height),
              VA_STATUS_SUCCESS);
    VAImage back = makeImage(width, height), derived{};
    ASSERT_EQ(vaGetImage(display, surface, 0, 0, width, height, back.image_id), VA_STATUS_SUCCESS);
    ASSERT_EQ(vaDeriveImage(display, surface, &derived), VA_STATUS_SUCCESS);
    for (const VAImage& other : {back, derived}) {
        const uint8_t* bytes = map(other);
        for (const unsigned plane : {0u, 1u}) {
            size_t wrong = 0;
            forEach(other, plane,
                    [&](size_t at, unsigned x, unsigned y) { wrong += bytes[at] != sample(plane, x, y); });
            EXPECT_EQ(wrong, 0u) << "plane " << plane;
        }
        EXPECT_EQ(vaUnmapBuffer(display, other.buf), VA_STATUS_SUCCESS);
    }
    for (const VAImage& each : {image, back, derived})
        EXPECT_EQ(vaDestroyImage(display, each.image_id), VA_STATUS_SUCCESS);
}

TEST_P(Surface, PartsArePutAndGot) {
    if (width < 16 || height < 16)
        GTEST_SKIP() << "too small for parts";
    VAImage black = makeImage(width, height);
    std::memset(map(black), 0, black.data_size); // a new image holds anything
    EXPECT_EQ(vaUnmapBuffer(display, black.buf), VA_STATUS_SUCCESS);
    ASSERT_EQ(vaPutImage(display, surface, black.image_id, 0, 0, width, height, 0, 0, width, height),
              VA_STATUS_SUCCESS);
    VAImage image = makeImage(width, height), part = makeImage(7, 5);
    fill(image);
    // 7x5 pixels from 2,4 of the image to 8,6 of the surface, and from there to 0,0 of another image.
    ASSERT_EQ(vaPutImage(display, surface, image.image_id, 2, 4, 7, 5, 8, 6, 7, 5), VA_STATUS_SUCCESS);
    ASSERT_EQ(vaGetImage(display, surface, 8, 6, 7, 5, part.image_id), VA_STATUS_SUCCESS);
    const uint8_t* bytes = map(part);
    forEach(part, 0, [&](size_t at, unsigned x, unsigned y) { EXPECT_EQ(bytes[at], sample(0, x + 2, y + 4)); });
    forEach(part, 1, [&](size_t at, unsigned x, unsigned y) { EXPECT_EQ(bytes[at], sample(1, x + 2, y + 2)); });
    EXPECT_EQ(vaUnmapBuffer(display, part.buf), VA_STATUS_SUCCESS);
    // Nothing else has changed.
    const auto whole = readSurface(display, surface, width, height);
    for (unsigned y = 0; y < height; y++)
        for (unsigned x = 0; x < width; x++) {
            const bool inside = x >= 8 && x < 15 && y >= 6 && y < 11;
            ASSERT_EQ(whole[y * width + x], inside ? sample(0, x - 6, y - 2) : 0) << x << "," << y;
        }
    for (const VAImage& each : {black, image, part})
        EXPECT_EQ(vaDestroyImage(display, each.image_id), VA_STATUS_SUCCESS);
}

TEST_P(Surface, PartsBeyondTheEdgesAreRefused) {
    VAImage image = makeImage(width, height);
    const auto get = [&](int x, int y, unsigned w, unsigned h) {
        return vaGetImage(display, surface, x, y, w, h, image.image_id);
    };
    const auto put = [&](int fromX, int fromY, int toX, int toY, unsigned w, unsigned h) {
        return vaPutImage(display, surface, image.image_id, fromX, fromY, w, h, toX, toY, w, h);
    };
    constexpr VAStatus expected = VA_STATUS_ERROR_INVALID_PARAMETER;
    const auto right = static_cast<int>(width), bottom = static_cast<int>(height);
    EXPECT_EQ(get(0, 0, width + 1, height), expected);
    EXPECT_EQ(get(0, 0, width, height + 1), expected);
    EXPECT_EQ(get(2, 0, width, height), expected);
    EXPECT_EQ(get(-2, 0, 2, 2), expected);
    EXPECT_EQ(get(0, INT32_MIN, 2, 2), expected);
    EXPECT_EQ(get(INT32_MAX - 1, 0, 2, 2), expected);
    EXPECT_EQ(get(right, bottom, 2, 2), expected);
    EXPECT_EQ(get(2, 2, UINT32_MAX, UINT32_MAX), expected);
    EXPECT_EQ(get(0, 0, 0, 0), expected);
    EXPECT_EQ(put(0, 0, 2, 0, width, height), expected);
    EXPECT_EQ(put(2, 0, 0, 0, width, height), expected);
    EXPECT_EQ(put(0, -2, 0, 0, 2, 2), expected);
    EXPECT_EQ(put(0, 0, 0, -2, 2, 2), expected);
    EXPECT_EQ(put(0, 0, 0, 0, UINT32_MAX, UINT32_MAX), expected);
    EXPECT_EQ(vaPutImage(display, surface, image.image_id, 0, 0, width, height, 0, 0, 2 * width, height), expected);
    EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
}

TEST_P(Surface, OutlivedByWhatCameFromIt) {
    VAImage derived{};
    ASSERT_EQ(vaDeriveImage(display, surface, &derived), VA_STATUS_SUCCESS);
    const VADRMPRIMESurfaceDescriptor prime = exported(VA_EXPORT_SURFACE_COMPOSED_LAYERS);
    uint8_t* bytes = map(derived);
    ASSERT_EQ(vaDestroySurfaces(display, &surface, 1), VA_STATUS_SUCCESS);
    std::fill_n(bytes, derived.data_size, uint8_t{42}); // still there while it is mapped
    EXPECT_EQ(vaUnmapBuffer(display, derived.buf), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroyImage(display, derived.image_id), VA_STATUS_SUCCESS);
    display.terminate();
    auto* shared =
        static_cast<uint8_t*>(::mmap(nullptr, prime.objects[0].size, PROT_READ, MAP_SHARED, prime.objects[0].fd, 0));
    ASSERT_NE(shared, MAP_FAILED);
    EXPECT_EQ(shared[0], 42);
    ::munmap(shared, prime.objects[0].size);
    ::close(prime.objects[0].fd);
}

INSTANTIATE_TEST_SUITE_P(Sizes, Surface,
                         testing::Values(Size{2, 2}, Size{1, 1}, Size{16, 16}, Size{64, 64}, Size{128, 128},
                                         Size{178, 146}, Size{177, 145}, Size{1920, 1080}),
                         [](const auto& row) {
                             return std::to_string(row.param.width) + "x" + std::to_string(row.param.height);
                         });

class Images : public VaTest {};

TEST_F(Images, OfTheLargestSurfaces) {
    // As wide, or as high, as the driver says that surfaces can be.
    for (const VAProfile profile : display.profiles()) {
        VAConfigID config = VA_INVALID_ID;
        REQUIRE_VA(vaCreateConfig(display, profile, VAEntrypointVLD, nullptr, 0, &config));
        std::array<VASurfaceAttrib, 64> attributes{};
        auto count = static_cast<unsigned>(attributes.size());
        REQUIRE_VA(vaQuerySurfaceAttributes(display, config, attributes.data(), &count));
        const auto value = [&](VASurfaceAttribType type) {
            const auto* found = std::find_if(attributes.data(), attributes.data() + count,
                                             [&](const VASurfaceAttrib& one) { return one.type == type; });
            return static_cast<unsigned>(found->value.value.i);
        };
        const unsigned maxWidth = value(VASurfaceAttribMaxWidth), maxHeight = value(VASurfaceAttribMaxHeight);
        for (const auto& [width, height] : {std::pair{maxWidth, 64u}, {64u, maxHeight}}) {
            VASurfaceID surface = makeSurface(width, height);
            VAImage image{};
            EXPECT_EQ(vaDeriveImage(display, surface, &image), VA_STATUS_SUCCESS)
                << "profile " << profile << ", " << width << "x" << height;
            vaDestroyImage(display, image.image_id);
            REQUIRE_VA(vaDestroySurfaces(display, &surface, 1));
        }
        REQUIRE_VA(vaDestroyConfig(display, config));
    }
}

TEST_F(Images, SizesThatCannotBe) {
    VAImageFormat format{};
    format.fourcc = VA_FOURCC_NV12;
    VAImage image{};
    for (const auto& [width, height] : std::initializer_list<std::pair<int, int>>{
             {0, 16}, {16, 0}, {-16, 16}, {16, INT32_MIN}, {65536, 16}, {16, 65536}, {INT32_MAX, INT32_MAX}})
        EXPECT_EQ(vaCreateImage(display, &format, width, height, &image), VA_STATUS_ERROR_INVALID_PARAMETER);
    // 6 GB: whatever the answer is, the image must have the memory that it claims.
    if (vaCreateImage(display, &format, 65535, 65535, &image) == VA_STATUS_SUCCESS) {
        EXPECT_GE(uint64_t{image.data_size}, uint64_t{65535} * 65535 * 3 / 2);
        EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
    }
    format.fourcc = VA_FOURCC_ARGB;
    EXPECT_EQ(vaCreateImage(display, &format, 16, 16, &image), VA_STATUS_ERROR_INVALID_IMAGE_FORMAT);
}

TEST_F(Images, SurfacesBeyondTheDevice) {
    // Can be created, as nothing is allocated; whatever needs memory says that there is none.
    VASurfaceID surface = makeSurface(65535, 65535);
    VAImage image{};
    EXPECT_EQ(vaDeriveImage(display, surface, &image), VA_STATUS_ERROR_OPERATION_FAILED);
    VADRMPRIMESurfaceDescriptor prime{};
    EXPECT_EQ(vaExportSurfaceHandle(display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                    VA_EXPORT_SURFACE_SEPARATE_LAYERS, &prime),
              VA_STATUS_ERROR_OPERATION_FAILED);
    image = makeImage(16, 16);
    EXPECT_EQ(vaGetImage(display, surface, 0, 0, 16, 16, image.image_id), VA_STATUS_ERROR_OPERATION_FAILED);
    EXPECT_EQ(vaPutImage(display, surface, image.image_id, 0, 0, 16, 16, 0, 0, 16, 16),
              VA_STATUS_ERROR_OPERATION_FAILED);
    EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaSyncSurface(display, surface), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroySurfaces(display, &surface, 1), VA_STATUS_SUCCESS);
}

TEST_F(Images, DerivedOntoItself) {
    // va.h, at vaDeriveImage: busy for its own image, with other surfaces and images it works.
    VASurfaceID surface = makeSurface(64, 64), other = makeSurface(64, 64);
    VAImage derived{};
    ASSERT_EQ(vaDeriveImage(display, surface, &derived), VA_STATUS_SUCCESS);
    for (const int at : {0, 2}) {
        EXPECT_EQ(vaGetImage(display, surface, at, at, 32, 32, derived.image_id), VA_STATUS_ERROR_SURFACE_BUSY);
        EXPECT_EQ(vaPutImage(display, surface, derived.image_id, 0, 0, 32, 32, at, at, 32, 32),
                  VA_STATUS_ERROR_SURFACE_BUSY);
    }
    EXPECT_EQ(vaGetImage(display, other, 0, 0, 64, 64, derived.image_id), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaPutImage(display, other, derived.image_id, 0, 0, 64, 64, 0, 0, 64, 64), VA_STATUS_SUCCESS);
    const VAImage copy = makeImage(64, 64);
    EXPECT_EQ(vaGetImage(display, surface, 0, 0, 64, 64, copy.image_id), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroyImage(display, copy.image_id), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroyImage(display, derived.image_id), VA_STATUS_SUCCESS);
    for (VASurfaceID id : {surface, other})
        EXPECT_EQ(vaDestroySurfaces(display, &id, 1), VA_STATUS_SUCCESS);
}

} // namespace

} // namespace va_suite
