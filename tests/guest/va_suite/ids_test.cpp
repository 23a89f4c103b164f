// SPDX-License-Identifier: MIT
// Every entry point with ids that name nothing, name something else, or named something once; and with null pointers
// where va.h allows none.
#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <va/va_drmcommon.h>

#include "test_case.h"

namespace va_suite {

namespace {

class Ids : public VaTest {
protected:
    // One object of each type, alive, and the id of one that is not any more.
    VAConfigID config = VA_INVALID_ID, oldConfig = VA_INVALID_ID;
    VAContextID context = VA_INVALID_ID, oldContext = VA_INVALID_ID;
    VASurfaceID surface = VA_INVALID_ID, oldSurface = VA_INVALID_ID;
    VABufferID buffer = VA_INVALID_ID, oldBuffer = VA_INVALID_ID;
    VAImage image{};
    VAImageID oldImage = VA_INVALID_ID;
    VAProfile profile = VAProfileNone;

    void SetUp() override {
        profile = display.profiles().front();
        for (VAConfigID* id : {&oldConfig, &config})
            REQUIRE_VA(vaCreateConfig(display, profile, VAEntrypointVLD, nullptr, 0, id));
        for (VAContextID* id : {&oldContext, &context})
            REQUIRE_VA(vaCreateContext(display, config, 64, 64, VA_PROGRESSIVE, nullptr, 0, id));
        for (VASurfaceID* id : {&oldSurface, &surface})
            *id = makeSurface(64, 64);
        for (VABufferID* id : {&oldBuffer, &buffer})
            REQUIRE_VA(vaCreateBuffer(display, context, VASliceDataBufferType, 64, 1, nullptr, id));
        image = makeImage(64, 64);
        oldImage = image.image_id;
        REQUIRE_VA(vaDestroyImage(display, oldImage));
        image = makeImage(64, 64);
        REQUIRE_VA(vaDestroyBuffer(display, oldBuffer));
        REQUIRE_VA(vaDestroySurfaces(display, &oldSurface, 1));
        REQUIRE_VA(vaDestroyContext(display, oldContext));
        REQUIRE_VA(vaDestroyConfig(display, oldConfig));
    }

    // Everything but a valid id of the type in question.
    std::vector<VAGenericID> wrong(VAGenericID right, VAGenericID old) const {
        std::vector<VAGenericID> ids{0, 1, VA_INVALID_ID, VA_INVALID_ID - 1, 0x7fffffff, 0x80000000, old};
        for (const VAGenericID id : {config, context, surface, buffer, image.image_id})
            if (id != right)
                ids.push_back(id);
        ids.push_back(right + 1000);
        return ids;
    }
};

TEST_F(Ids, TypesDoNotShareNumbers) {
    const std::array ids{config, context, surface, buffer, image.image_id};
    for (size_t i = 0; i < ids.size(); i++)
        for (size_t j = 0; j < i; j++)
            EXPECT_NE(ids[i], ids[j]);
    EXPECT_NE(surface, oldSurface);
    EXPECT_NE(image.image_id, oldImage);
}

TEST_F(Ids, Configs) {
    for (const VAConfigID id : wrong(config, oldConfig)) {
        VAContextID made = VA_INVALID_ID;
        EXPECT_EQ(vaDestroyConfig(display, id), VA_STATUS_ERROR_INVALID_CONFIG) << id;
        EXPECT_EQ(vaCreateContext(display, id, 64, 64, VA_PROGRESSIVE, nullptr, 0, &made),
                  VA_STATUS_ERROR_INVALID_CONFIG);
        EXPECT_EQ(made, VA_INVALID_ID);
        std::array<VAConfigAttrib, 64> attributes{};
        VAProfile gotProfile{};
        VAEntrypoint entrypoint{};
        int count = 0;
        EXPECT_EQ(vaQueryConfigAttributes(display, id, &gotProfile, &entrypoint, attributes.data(), &count),
                  VA_STATUS_ERROR_INVALID_CONFIG);
        unsigned number = 0;
        EXPECT_EQ(vaQuerySurfaceAttributes(display, id, nullptr, &number), VA_STATUS_ERROR_INVALID_CONFIG);
    }
}

TEST_F(Ids, Contexts) {
    for (const VAContextID id : wrong(context, oldContext)) {
        EXPECT_EQ(vaDestroyContext(display, id), VA_STATUS_ERROR_INVALID_CONTEXT) << id;
        VABufferID made = VA_INVALID_ID;
        EXPECT_EQ(vaCreateBuffer(display, id, VASliceDataBufferType, 1, 1, nullptr, &made),
                  VA_STATUS_ERROR_INVALID_CONTEXT);
        EXPECT_EQ(made, VA_INVALID_ID);
        EXPECT_EQ(vaBeginPicture(display, id, surface), VA_STATUS_ERROR_INVALID_CONTEXT);
        EXPECT_EQ(vaRenderPicture(display, id, &buffer, 1), VA_STATUS_ERROR_INVALID_CONTEXT);
        EXPECT_EQ(vaEndPicture(display, id), VA_STATUS_ERROR_INVALID_CONTEXT);
    }
}

TEST_F(Ids, Surfaces) {
    for (VASurfaceID id : wrong(surface, oldSurface)) {
        constexpr VAStatus expected = VA_STATUS_ERROR_INVALID_SURFACE;
        EXPECT_EQ(vaDestroySurfaces(display, &id, 1), expected) << id;
        EXPECT_EQ(vaSyncSurface(display, id), expected);
        EXPECT_EQ(vaSyncSurface2(display, id, 0), expected);
        VASurfaceStatus status{};
        EXPECT_EQ(vaQuerySurfaceStatus(display, id, &status), expected);
        void* errors = nullptr;
        EXPECT_EQ(vaQuerySurfaceError(display, id, VA_STATUS_ERROR_DECODING_ERROR, &errors), expected);
        VADRMPRIMESurfaceDescriptor prime{};
        EXPECT_EQ(vaExportSurfaceHandle(display, id, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                        VA_EXPORT_SURFACE_SEPARATE_LAYERS | VA_EXPORT_SURFACE_READ_ONLY, &prime),
                  expected);
        VAImage derived{};
        EXPECT_EQ(vaDeriveImage(display, id, &derived), expected);
        EXPECT_EQ(vaGetImage(display, id, 0, 0, 64, 64, image.image_id), expected);
        EXPECT_EQ(vaPutImage(display, id, image.image_id, 0, 0, 64, 64, 0, 0, 64, 64), expected);
        EXPECT_EQ(vaBeginPicture(display, context, id), expected);
        VAContextID made = VA_INVALID_ID;
        EXPECT_EQ(vaCreateContext(display, config, 64, 64, VA_PROGRESSIVE, &id, 1, &made), expected);
        EXPECT_EQ(made, VA_INVALID_ID);
        // One wrong id among right ones: nothing is destroyed.
        std::array<VASurfaceID, 2> mixed{surface, id};
        EXPECT_EQ(vaDestroySurfaces(display, mixed.data(), 2), expected);
        EXPECT_EQ(vaSyncSurface(display, surface), VA_STATUS_SUCCESS);
    }
}

TEST_F(Ids, Buffers) {
    for (VABufferID id : wrong(buffer, oldBuffer)) {
        constexpr VAStatus expected = VA_STATUS_ERROR_INVALID_BUFFER;
        void* data = nullptr;
        EXPECT_EQ(vaMapBuffer(display, id, &data), expected) << id;
        EXPECT_EQ(data, nullptr);
        EXPECT_EQ(vaUnmapBuffer(display, id), expected);
        EXPECT_EQ(vaDestroyBuffer(display, id), expected);
        EXPECT_EQ(vaBufferSetNumElements(display, id, 1), expected);
        EXPECT_EQ(vaSyncBuffer(display, id, 0), expected);
        EXPECT_EQ(vaSyncBuffer(display, id, VA_TIMEOUT_INFINITE), expected);
        VABufferType type{};
        unsigned size = 0, count = 0;
        EXPECT_EQ(vaBufferInfo(display, context, id, &type, &size, &count), expected);
        REQUIRE_VA(vaBeginPicture(display, context, surface));
        EXPECT_EQ(vaRenderPicture(display, context, &id, 1), expected);
        EXPECT_NE(vaEndPicture(display, context), VA_STATUS_SUCCESS);
    }
}

TEST_F(Ids, Images) {
    for (const VAImageID id : wrong(image.image_id, oldImage)) {
        constexpr VAStatus expected = VA_STATUS_ERROR_INVALID_IMAGE;
        EXPECT_EQ(vaDestroyImage(display, id), expected) << id;
        EXPECT_EQ(vaGetImage(display, surface, 0, 0, 64, 64, id), expected);
        EXPECT_EQ(vaPutImage(display, surface, id, 0, 0, 64, 64, 0, 0, 64, 64), expected);
    }
}

TEST_F(Ids, NullPointers) {
    constexpr VAStatus expected = VA_STATUS_ERROR_INVALID_PARAMETER;
    VAEntrypoint entrypoint{};
    VAProfile gotProfile{};
    int count = 0;
    unsigned number = 0;
    EXPECT_EQ(vaQueryConfigProfiles(display, nullptr, &count), expected);
    EXPECT_EQ(vaQueryConfigEntrypoints(display, profile, nullptr, &count), expected);
    EXPECT_EQ(vaQueryConfigEntrypoints(display, profile, &entrypoint, nullptr), expected);
    EXPECT_EQ(vaGetConfigAttributes(display, profile, VAEntrypointVLD, nullptr, 1), expected);
    EXPECT_EQ(vaGetConfigAttributes(display, profile, VAEntrypointVLD, nullptr, 0), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaCreateConfig(display, profile, VAEntrypointVLD, nullptr, 0, nullptr), expected);
    VAConfigID made = VA_INVALID_ID;
    EXPECT_EQ(vaCreateConfig(display, profile, VAEntrypointVLD, nullptr, 1, &made), expected);
    EXPECT_EQ(vaQueryConfigAttributes(display, config, nullptr, &entrypoint, nullptr, &count), expected);
    EXPECT_EQ(vaQueryConfigAttributes(display, config, &gotProfile, nullptr, nullptr, nullptr), expected);
    EXPECT_EQ(vaQuerySurfaceAttributes(display, config, nullptr, nullptr), expected);
    EXPECT_EQ(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, 64, 64, nullptr, 1, nullptr, 0), expected);
    EXPECT_EQ(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, 64, 64, &made, 1, nullptr, 1), expected);
    EXPECT_EQ(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, 64, 64, nullptr, 0, nullptr, 0), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroySurfaces(display, nullptr, 1), expected);
    EXPECT_EQ(vaDestroySurfaces(display, nullptr, 0), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaCreateContext(display, config, 64, 64, 0, nullptr, 1, &made), expected);
    EXPECT_EQ(vaCreateContext(display, config, 64, 64, 0, nullptr, 0, nullptr), expected);
    EXPECT_EQ(vaCreateBuffer(display, context, VASliceDataBufferType, 1, 1, nullptr, nullptr), expected);
    EXPECT_EQ(vaMapBuffer(display, buffer, nullptr), expected);
    VABufferType type{};
    EXPECT_EQ(vaBufferInfo(display, context, buffer, nullptr, &number, &number), expected);
    EXPECT_EQ(vaBufferInfo(display, context, buffer, &type, nullptr, &number), expected);
    EXPECT_EQ(vaBufferInfo(display, context, buffer, &type, &number, nullptr), expected);
    EXPECT_EQ(vaQuerySurfaceStatus(display, surface, nullptr), expected);
    EXPECT_EQ(vaQuerySurfaceError(display, surface, VA_STATUS_ERROR_DECODING_ERROR, nullptr), expected);
    EXPECT_EQ(vaExportSurfaceHandle(display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                    VA_EXPORT_SURFACE_SEPARATE_LAYERS, nullptr),
              expected);
    EXPECT_EQ(vaQueryImageFormats(display, nullptr, &count), expected);
    VAImage other{};
    EXPECT_EQ(vaCreateImage(display, nullptr, 64, 64, &other), expected);
    EXPECT_EQ(vaCreateImage(display, &image.format, 64, 64, nullptr), expected);
    EXPECT_EQ(vaDeriveImage(display, surface, nullptr), expected);
    EXPECT_EQ(vaQuerySubpictureFormats(display, nullptr, nullptr, nullptr), expected);
    REQUIRE_VA(vaBeginPicture(display, context, surface));
    EXPECT_EQ(vaRenderPicture(display, context, nullptr, 1), expected);
    EXPECT_NE(vaEndPicture(display, context), VA_STATUS_SUCCESS);
}

TEST_F(Ids, NegativeCounts) {
    VAConfigID made = VA_INVALID_ID;
    vaGetConfigAttributes(display, profile, VAEntrypointVLD, nullptr, -1);
    if (vaCreateConfig(display, profile, VAEntrypointVLD, nullptr, -1, &made) == VA_STATUS_SUCCESS)
        vaDestroyConfig(display, made);
    if (vaCreateContext(display, config, 64, 64, 0, nullptr, -1, &made) == VA_STATUS_SUCCESS)
        vaDestroyContext(display, made);
    vaDestroySurfaces(display, &surface, -1);
    REQUIRE_VA(vaBeginPicture(display, context, surface));
    vaRenderPicture(display, context, nullptr, -1);
    EXPECT_NE(vaEndPicture(display, context), VA_STATUS_SUCCESS);
    EXPECT_TRUE(isDamaged(display, surface));
}

TEST_F(Ids, ChildrenOutliveTheirParents) {
    // Surfaces know nothing of contexts, contexts keep their config.
    EXPECT_EQ(vaDestroyConfig(display, config), VA_STATUS_SUCCESS);
    VABufferID made = VA_INVALID_ID;
    EXPECT_EQ(vaCreateBuffer(display, context, VASliceDataBufferType, 1, 1, nullptr, &made), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroyContext(display, context), VA_STATUS_SUCCESS);
    void* data = nullptr;
    EXPECT_EQ(vaMapBuffer(display, made, &data), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroyBuffer(display, made), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroySurfaces(display, &surface, 1), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroySurfaces(display, &surface, 1), VA_STATUS_ERROR_INVALID_SURFACE);
}

TEST_F(Ids, BuffersWithoutDataAreZero) {
    // gstreamer1.0-vaapi fills in parameters by itself, all but the fields that va.h deprecates.
    const std::vector<uint8_t> ones(512, 0xff);
    for (int round = 0; round < 3; round++) {
        VABufferID made = VA_INVALID_ID;
        REQUIRE_VA(vaCreateBuffer(display, context, VAPictureParameterBufferType, static_cast<unsigned>(ones.size()), 1,
                                  nullptr, &made));
        void* data = nullptr;
        REQUIRE_VA(vaMapBuffer(display, made, &data));
        const auto* bytes = static_cast<const uint8_t*>(data);
        EXPECT_TRUE(std::all_of(bytes, bytes + ones.size(), [](uint8_t byte) { return byte == 0; }))
            << "round " << round;
        std::memcpy(data, ones.data(), ones.size()); // what the next one must not see
        EXPECT_EQ(vaUnmapBuffer(display, made), VA_STATUS_SUCCESS);
        EXPECT_EQ(vaDestroyBuffer(display, made), VA_STATUS_SUCCESS);
    }
}

TEST_F(Ids, BufferOfAnImage) {
    // The image's buffer can be destroyed under it: GetImage still has a place to write to, mapping has not.
    EXPECT_EQ(vaDestroyBuffer(display, image.buf), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaGetImage(display, surface, 0, 0, 64, 64, image.image_id), VA_STATUS_SUCCESS);
    void* data = nullptr;
    EXPECT_EQ(vaMapBuffer(display, image.buf, &data), VA_STATUS_ERROR_INVALID_BUFFER);
    EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_ERROR_INVALID_IMAGE);
}

} // namespace

} // namespace va_suite
