// SPDX-License-Identifier: MIT
// What the driver says of itself. The strict points are those of libva-utils' test_va_api.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include <va/va_drmcommon.h>

#include "test_case.h"

namespace va_suite {

namespace {

constexpr int firstProfile = VAProfileNone;
constexpr int lastProfile = VAProfileAV1Profile1;

class Configuration : public VaTest {
protected:
    VAConfigID makeConfig(VAProfile profile) {
        VAConfigID id = VA_INVALID_ID;
        REQUIRE_VA(vaCreateConfig(display, profile, VAEntrypointVLD, nullptr, 0, &id));
        return id;
    }
    std::vector<VASurfaceAttrib> surfaceAttributes(VAConfigID config) {
        unsigned count = 0;
        REQUIRE_VA(vaQuerySurfaceAttributes(display, config, nullptr, &count));
        std::vector<VASurfaceAttrib> attributes(count);
        REQUIRE_VA(vaQuerySurfaceAttributes(display, config, attributes.data(), &count));
        EXPECT_EQ(count, attributes.size());
        return attributes;
    }
};

TEST_F(Configuration, MaximaAndVendor) {
    EXPECT_GT(vaMaxNumProfiles(display), 0);
    EXPECT_GT(vaMaxNumEntrypoints(display), 0);
    EXPECT_GT(vaMaxNumConfigAttributes(display), 0);
    EXPECT_GT(vaMaxNumImageFormats(display), 0);
    EXPECT_GT(vaMaxNumSubpictureFormats(display), 0);
    const std::string vendor = vaQueryVendorString(display);
    EXPECT_FALSE(vendor.empty());
    // Clients take these for drivers with faults of their own.
    for (const char* taken : {"ubit", "i965", "VDPAU backend", "NVDEC driver", "Mesa", "iHD"})
        EXPECT_EQ(vendor.find(taken), std::string::npos) << taken;
}

TEST_F(Configuration, ProfilesAreListedOnce) {
    const auto profiles = display.profiles();
    EXPECT_FALSE(profiles.empty());
    EXPECT_EQ(std::set<VAProfile>(profiles.begin(), profiles.end()).size(), profiles.size());
    EXPECT_LE(profiles.size(), static_cast<size_t>(vaMaxNumProfiles(display)));
}

TEST_F(Configuration, EntrypointsOfEveryProfile) {
    const auto profiles = display.profiles();
    for (int i = firstProfile; i <= lastProfile; i++) {
        const auto profile = static_cast<VAProfile>(i);
        std::vector<VAEntrypoint> entrypoints(static_cast<size_t>(vaMaxNumEntrypoints(display)));
        int count = 0;
        const VAStatus status = vaQueryConfigEntrypoints(display, profile, entrypoints.data(), &count);
        if (std::find(profiles.begin(), profiles.end(), profile) == profiles.end()) {
            EXPECT_EQ(status, VA_STATUS_ERROR_UNSUPPORTED_PROFILE) << "profile " << i;
            EXPECT_LE(count, 0);
        } else {
            EXPECT_EQ(status, VA_STATUS_SUCCESS) << "profile " << i;
            ASSERT_EQ(count, 1);
            EXPECT_EQ(entrypoints[0], VAEntrypointVLD);
        }
    }
}

TEST_F(Configuration, EveryProfileWithEveryEntrypoint) {
    const auto profiles = display.profiles();
    for (int i = firstProfile; i <= lastProfile; i++)
        for (int j = VAEntrypointVLD; j <= VAEntrypointStats; j++) {
            const bool listed =
                std::find(profiles.begin(), profiles.end(), static_cast<VAProfile>(i)) != profiles.end();
            const VAStatus expected = !listed                ? VA_STATUS_ERROR_UNSUPPORTED_PROFILE
                                      : j != VAEntrypointVLD ? VA_STATUS_ERROR_UNSUPPORTED_ENTRYPOINT
                                                             : VA_STATUS_SUCCESS;
            VAConfigAttrib attribute{VAConfigAttribRTFormat, 0};
            EXPECT_EQ(
                vaGetConfigAttributes(display, static_cast<VAProfile>(i), static_cast<VAEntrypoint>(j), &attribute, 1),
                expected);
            VAConfigID config = VA_INVALID_ID;
            EXPECT_EQ(
                vaCreateConfig(display, static_cast<VAProfile>(i), static_cast<VAEntrypoint>(j), nullptr, 0, &config),
                expected);
            EXPECT_EQ(config == VA_INVALID_ID, expected != VA_STATUS_SUCCESS);
            EXPECT_EQ(vaDestroyConfig(display, config),
                      expected == VA_STATUS_SUCCESS ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_CONFIG);
        }
}

TEST_F(Configuration, EveryAttributeOfEveryProfile) {
    for (const VAProfile profile : display.profiles()) {
        std::vector<VAConfigAttrib> attributes;
        for (int type = VAConfigAttribRTFormat; type < VAConfigAttribTypeMax; type++)
            attributes.push_back({static_cast<VAConfigAttribType>(type), 0xdeadbeef});
        ASSERT_EQ(vaGetConfigAttributes(display, profile, VAEntrypointVLD, attributes.data(),
                                        static_cast<int>(attributes.size())),
                  VA_STATUS_SUCCESS);
        for (const VAConfigAttrib& attribute : attributes) {
            EXPECT_NE(attribute.value, 0xdeadbeef) << "attribute " << attribute.type;
            VAConfigAttrib wanted = attribute;
            VAConfigID config = VA_INVALID_ID;
            if (attribute.type == VAConfigAttribRTFormat) {
                EXPECT_TRUE(attribute.value & (VA_RT_FORMAT_YUV420 | VA_RT_FORMAT_YUV420_10));
                for (uint32_t bit = 1; bit; bit <<= 1) {
                    wanted.value = bit;
                    EXPECT_EQ(vaCreateConfig(display, profile, VAEntrypointVLD, &wanted, 1, &config),
                              attribute.value & bit ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT);
                    EXPECT_EQ(vaDestroyConfig(display, config),
                              attribute.value & bit ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_CONFIG);
                }
                wanted.value = attribute.value; // the whole mask at once, as VLC does
                EXPECT_EQ(vaCreateConfig(display, profile, VAEntrypointVLD, &wanted, 1, &config), VA_STATUS_SUCCESS);
                EXPECT_EQ(vaDestroyConfig(display, config), VA_STATUS_SUCCESS);
            } else if (attribute.value == VA_ATTRIB_NOT_SUPPORTED) {
                for (const uint32_t value : {0u, 1u, 0x20u, VA_ATTRIB_NOT_SUPPORTED}) {
                    wanted.value = value;
                    EXPECT_EQ(vaCreateConfig(display, profile, VAEntrypointVLD, &wanted, 1, &config),
                              VA_STATUS_ERROR_INVALID_VALUE)
                        << "attribute " << attribute.type;
                    EXPECT_EQ(config, VA_INVALID_ID);
                }
            } else {
                EXPECT_EQ(vaCreateConfig(display, profile, VAEntrypointVLD, &wanted, 1, &config), VA_STATUS_SUCCESS)
                    << "attribute " << attribute.type;
                EXPECT_EQ(vaDestroyConfig(display, config), VA_STATUS_SUCCESS);
            }
        }
    }
}

TEST_F(Configuration, AttributesOfAConfig) {
    for (const VAProfile profile : display.profiles()) {
        const VAConfigID config = makeConfig(profile);
        std::vector<VAConfigAttrib> attributes(static_cast<size_t>(vaMaxNumConfigAttributes(display)));
        VAProfile gotProfile{};
        VAEntrypoint gotEntrypoint{};
        int count = 0;
        ASSERT_EQ(vaQueryConfigAttributes(display, config, &gotProfile, &gotEntrypoint, attributes.data(), &count),
                  VA_STATUS_SUCCESS);
        EXPECT_EQ(gotProfile, profile);
        EXPECT_EQ(gotEntrypoint, VAEntrypointVLD);
        ASSERT_GT(count, 0);
        ASSERT_LE(count, vaMaxNumConfigAttributes(display));
        bool hasRtFormat = false;
        for (int i = 0; i < count; i++) {
            EXPECT_NE(attributes[static_cast<size_t>(i)].value, VA_ATTRIB_NOT_SUPPORTED);
            hasRtFormat |= attributes[static_cast<size_t>(i)].type == VAConfigAttribRTFormat;
        }
        EXPECT_TRUE(hasRtFormat);
        EXPECT_EQ(vaDestroyConfig(display, config), VA_STATUS_SUCCESS);
    }
}

TEST_F(Configuration, SurfaceAttributes) {
    for (const VAProfile profile : display.profiles()) {
        const VAConfigID config = makeConfig(profile);
        const auto attributes = surfaceAttributes(config);
        EXPECT_FALSE(attributes.empty());
        std::map<VASurfaceAttribType, VASurfaceAttrib> byType;
        for (const VASurfaceAttrib& attribute : attributes) {
            EXPECT_NE(attribute.flags, VA_SURFACE_ATTRIB_NOT_SUPPORTED) << attribute.type;
            const bool isPointer = attribute.type == VASurfaceAttribExternalBufferDescriptor ||
                                   attribute.type == VASurfaceAttribDRMFormatModifiers;
            EXPECT_EQ(attribute.value.type, isPointer ? VAGenericValueTypePointer : VAGenericValueTypeInteger)
                << attribute.type;
            byType[attribute.type] = attribute;
        }
        for (const auto type :
             {VASurfaceAttribMinWidth, VASurfaceAttribMinHeight, VASurfaceAttribMaxWidth, VASurfaceAttribMaxHeight}) {
            ASSERT_TRUE(byType.count(type));
            EXPECT_GE(byType[type].value.value.i, 1);
        }
        EXPECT_LE(byType[VASurfaceAttribMinWidth].value.value.i, byType[VASurfaceAttribMaxWidth].value.value.i);
        EXPECT_LE(byType[VASurfaceAttribMinHeight].value.value.i, byType[VASurfaceAttribMaxHeight].value.value.i);
        ASSERT_TRUE(byType.count(VASurfaceAttribPixelFormat));
        EXPECT_TRUE(byType[VASurfaceAttribPixelFormat].flags & VA_SURFACE_ATTRIB_SETTABLE);
        ASSERT_TRUE(byType.count(VASurfaceAttribMemoryType));
        EXPECT_TRUE(byType[VASurfaceAttribMemoryType].value.value.i & VA_SURFACE_ATTRIB_MEM_TYPE_VA);
        EXPECT_TRUE(byType[VASurfaceAttribMemoryType].value.value.i & VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2);

        unsigned tooFew = static_cast<unsigned>(attributes.size()) - 1;
        std::vector<VASurfaceAttrib> room(attributes.size());
        EXPECT_EQ(vaQuerySurfaceAttributes(display, config, room.data(), &tooFew), VA_STATUS_ERROR_MAX_NUM_EXCEEDED);
        EXPECT_EQ(tooFew, attributes.size());
        EXPECT_EQ(vaDestroyConfig(display, config), VA_STATUS_SUCCESS);
    }
}

constexpr std::array<std::pair<unsigned, unsigned>, 17> resolutions{{{16, 16},
                                                                     {176, 144},
                                                                     {320, 240},
                                                                     {352, 288},
                                                                     {640, 480},
                                                                     {720, 480},
                                                                     {1280, 720},
                                                                     {1920, 1080},
                                                                     {2048, 1536},
                                                                     {2560, 1600},
                                                                     {3840, 2160},
                                                                     {4096, 2160},
                                                                     {4096, 3112},
                                                                     {5120, 5120},
                                                                     {7680, 4320},
                                                                     {8192, 8192},
                                                                     {10240, 10240}}};

// Clients create surfaces of any size to see what happens: memory is not made before it is needed.
TEST_F(Configuration, TenSurfacesOfEverySizeWithEveryAttribute) {
    for (const VAProfile profile : display.profiles()) {
        const VAConfigID config = makeConfig(profile);
        const auto attributes = surfaceAttributes(config);
        for (const auto& [width, height] : resolutions) {
            std::array<VASurfaceID, 10> surfaces{};
            const auto create = [&, w = width, h = height](VASurfaceAttrib* attribute) {
                surfaces.fill(VA_INVALID_SURFACE);
                const VAStatus status = vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, w, h, surfaces.data(),
                                                         surfaces.size(), attribute, attribute ? 1 : 0);
                EXPECT_EQ(status, VA_STATUS_SUCCESS)
                    << w << "x" << h << " with attribute " << (attribute ? attribute->type : -1);
                if (status == VA_STATUS_SUCCESS) {
                    EXPECT_EQ(std::count(surfaces.begin(), surfaces.end(), VA_INVALID_SURFACE), 0);
                    EXPECT_EQ(vaDestroySurfaces(display, surfaces.data(), surfaces.size()), VA_STATUS_SUCCESS);
                }
            };
            create(nullptr);
            // All at once, as they were queried: older versions of that suite do so.
            std::vector<VASurfaceAttrib> all = attributes;
            EXPECT_EQ(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, width, height, surfaces.data(), surfaces.size(),
                                       all.data(), static_cast<unsigned>(all.size())),
                      VA_STATUS_SUCCESS);
            EXPECT_EQ(vaDestroySurfaces(display, surfaces.data(), surfaces.size()), VA_STATUS_SUCCESS);
            for (VASurfaceAttrib attribute : attributes) {
                attribute.flags = VA_SURFACE_ATTRIB_SETTABLE;
                if (attribute.type != VASurfaceAttribMemoryType) {
                    create(&attribute);
                    continue;
                }
                for (int bit = 1; bit > 0; bit <<= 1)
                    if (VASurfaceAttrib single = attribute; attribute.value.value.i & bit) {
                        single.value.value.i = bit;
                        create(&single);
                    }
            }
        }
        EXPECT_EQ(vaDestroyConfig(display, config), VA_STATUS_SUCCESS);
    }
}

TEST_F(Configuration, SurfacesThatCannotBe) {
    VASurfaceID id = VA_INVALID_SURFACE;
    const auto create = [&](unsigned rtFormat, unsigned width, unsigned height) {
        return vaCreateSurfaces(display, rtFormat, width, height, &id, 1, nullptr, 0);
    };
    EXPECT_EQ(create(VA_RT_FORMAT_YUV420, 0, 16), VA_STATUS_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(create(VA_RT_FORMAT_YUV420, 16, 0), VA_STATUS_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(create(VA_RT_FORMAT_YUV420, UINT32_MAX, 16), VA_STATUS_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(create(VA_RT_FORMAT_YUV420, 65536, 65536), VA_STATUS_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(create(0, 16, 16), VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT);
    EXPECT_EQ(create(VA_RT_FORMAT_RGB32, 16, 16), VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT);
    EXPECT_EQ(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, 16, 16, nullptr, 1, nullptr, 0),
              VA_STATUS_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, 16, 16, &id, 1, nullptr, 1),
              VA_STATUS_ERROR_INVALID_PARAMETER);

    const auto createWith = [&](VASurfaceAttribType type, VAGenericValue value) {
        VASurfaceAttrib attribute{};
        attribute.type = type;
        attribute.flags = VA_SURFACE_ATTRIB_SETTABLE;
        attribute.value = value;
        return vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, 64, 64, &id, 1, &attribute, 1);
    };
    const auto integer = [](int value) {
        VAGenericValue generic{};
        generic.type = VAGenericValueTypeInteger;
        generic.value.i = value;
        return generic;
    };
    const auto pointer = [](void* value) {
        VAGenericValue generic{};
        generic.type = VAGenericValueTypePointer;
        generic.value.p = value;
        return generic;
    };
    for (const uint32_t fourcc : {uint32_t{VA_FOURCC_YV12}, uint32_t{VA_FOURCC_ARGB}, uint32_t{VA_FOURCC_422H}, 0u})
        EXPECT_EQ(createWith(VASurfaceAttribPixelFormat, integer(static_cast<int>(fourcc))),
                  VA_STATUS_ERROR_ATTR_NOT_SUPPORTED);
    EXPECT_EQ(createWith(VASurfaceAttribMemoryType, integer(VA_SURFACE_ATTRIB_MEM_TYPE_USER_PTR)),
              VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE);
    EXPECT_EQ(createWith(VASurfaceAttribMemoryType, integer(0)), VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE);
    EXPECT_EQ(createWith(VASurfaceAttribMemoryType, integer(-1)), VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE);
    for (const int unknown : {0, -1, int{VASurfaceAttribCount}, 1000})
        EXPECT_EQ(createWith(static_cast<VASurfaceAttribType>(unknown), integer(0)),
                  VA_STATUS_ERROR_ATTR_NOT_SUPPORTED);
    VADRMFormatModifierList list{};
    EXPECT_EQ(createWith(VASurfaceAttribDRMFormatModifiers, integer(1)), VA_STATUS_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(createWith(VASurfaceAttribExternalBufferDescriptor, integer(1)), VA_STATUS_ERROR_INVALID_PARAMETER);
    EXPECT_EQ(createWith(VASurfaceAttribDRMFormatModifiers, pointer(&list)), VA_STATUS_ERROR_ATTR_NOT_SUPPORTED);
    uint64_t tiled = 0x0100000000000001, linear = 0;
    list = {1, &tiled};
    EXPECT_EQ(createWith(VASurfaceAttribDRMFormatModifiers, pointer(&list)), VA_STATUS_ERROR_ATTR_NOT_SUPPORTED);
    EXPECT_EQ(id, VA_INVALID_SURFACE);
    list = {1, &linear};
    EXPECT_EQ(createWith(VASurfaceAttribDRMFormatModifiers, pointer(&list)), VA_STATUS_SUCCESS);
    EXPECT_EQ(vaDestroySurfaces(display, &id, 1), VA_STATUS_SUCCESS);
    for (const int hint : {VA_SURFACE_ATTRIB_USAGE_HINT_GENERIC, VA_SURFACE_ATTRIB_USAGE_HINT_DECODER,
                           VA_SURFACE_ATTRIB_USAGE_HINT_ENCODER, VA_SURFACE_ATTRIB_USAGE_HINT_VPP_READ,
                           VA_SURFACE_ATTRIB_USAGE_HINT_DISPLAY | VA_SURFACE_ATTRIB_USAGE_HINT_EXPORT}) {
        EXPECT_EQ(createWith(VASurfaceAttribUsageHint, integer(hint)), VA_STATUS_SUCCESS);
        EXPECT_EQ(vaDestroySurfaces(display, &id, 1), VA_STATUS_SUCCESS);
    }
}

TEST_F(Configuration, Contexts) {
    for (const VAProfile profile : display.profiles()) {
        const VAConfigID config = makeConfig(profile);
        int minWidth = 0, minHeight = 0, maxWidth = 0, maxHeight = 0;
        for (const VASurfaceAttrib& attribute : surfaceAttributes(config)) {
            if (attribute.type == VASurfaceAttribMinWidth)
                minWidth = attribute.value.value.i;
            if (attribute.type == VASurfaceAttribMinHeight)
                minHeight = attribute.value.value.i;
            if (attribute.type == VASurfaceAttribMaxWidth)
                maxWidth = attribute.value.value.i;
            if (attribute.type == VASurfaceAttribMaxHeight)
                maxHeight = attribute.value.value.i;
        }
        const auto expectContext = [&](int width, int height, VAStatus expected) {
            VAContextID context = VA_INVALID_ID;
            EXPECT_EQ(vaCreateContext(display, config, width, height, VA_PROGRESSIVE, nullptr, 0, &context), expected)
                << width << "x" << height;
            EXPECT_NE(context, 0u);
            EXPECT_EQ(vaDestroyContext(display, expected == VA_STATUS_SUCCESS ? context : 0),
                      expected == VA_STATUS_SUCCESS ? VA_STATUS_SUCCESS : VA_STATUS_ERROR_INVALID_CONTEXT);
        };
        expectContext(minWidth, minHeight, VA_STATUS_SUCCESS);
        expectContext(maxWidth, maxHeight, VA_STATUS_SUCCESS);
        expectContext(maxWidth, minHeight, VA_STATUS_SUCCESS);
        for (const auto& [width, height] : std::initializer_list<std::pair<int, int>>{{minWidth - 1, minHeight},
                                                                                      {minWidth, minHeight - 1},
                                                                                      {maxWidth + 1, maxHeight},
                                                                                      {maxWidth, maxHeight + 1},
                                                                                      {0, 0},
                                                                                      {-1, 64},
                                                                                      {64, INT32_MIN},
                                                                                      {INT32_MAX, INT32_MAX}})
            expectContext(width, height, VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED);
        EXPECT_EQ(vaDestroyConfig(display, config), VA_STATUS_SUCCESS);
    }
}

TEST_F(Configuration, BuffersOfEveryDecodingType) {
    constexpr std::array types{VAPictureParameterBufferType,
                               VAIQMatrixBufferType,
                               VASliceParameterBufferType,
                               VASliceDataBufferType,
                               VAProbabilityBufferType,
                               VAQMatrixBufferType,
                               VAHuffmanTableBufferType,
                               VABitPlaneBufferType,
                               VASliceGroupMapBufferType,
                               VAMacroblockParameterBufferType,
                               VAResidualDataBufferType,
                               VADeblockingParameterBufferType,
                               VAImageBufferType};
    for (const VAProfile profile : display.profiles()) {
        const VAConfigID config = makeConfig(profile);
        VAContextID context = VA_INVALID_ID;
        REQUIRE_VA(vaCreateContext(display, config, 352, 288, VA_PROGRESSIVE, nullptr, 0, &context));
        for (const VABufferType type : types)
            for (const unsigned elements : {1u, 7u}) {
                VABufferID buffer = VA_INVALID_ID;
                EXPECT_EQ(vaCreateBuffer(display, context, type, 1000, elements, nullptr, &buffer), VA_STATUS_SUCCESS)
                    << "type " << type;
                VABufferType gotType{};
                unsigned size = 0, count = 0;
                EXPECT_EQ(vaBufferInfo(display, context, buffer, &gotType, &size, &count), VA_STATUS_SUCCESS);
                EXPECT_EQ(gotType, type);
                EXPECT_EQ(size, 1000u);
                EXPECT_EQ(count, elements);
                void* data = nullptr;
                EXPECT_EQ(vaMapBuffer(display, buffer, &data), VA_STATUS_SUCCESS);
                ASSERT_TRUE(data);
                std::fill_n(static_cast<uint8_t*>(data), 1000 * elements, uint8_t{0x55});
                EXPECT_EQ(vaUnmapBuffer(display, buffer), VA_STATUS_SUCCESS);
                EXPECT_EQ(vaDestroyBuffer(display, buffer), VA_STATUS_SUCCESS);
                EXPECT_EQ(vaDestroyBuffer(display, buffer), VA_STATUS_ERROR_INVALID_BUFFER);
            }
        const auto expectRefused = [&](VABufferType type, unsigned size, unsigned elements, VAStatus expected) {
            VABufferID buffer = VA_INVALID_ID;
            EXPECT_EQ(vaCreateBuffer(display, context, type, size, elements, nullptr, &buffer), expected)
                << "type " << type << ", " << size << " bytes, " << elements << " elements";
            EXPECT_EQ(buffer, VA_INVALID_ID);
        };
        expectRefused(VAEncCodedBufferType, 1000, 1, VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE);
        expectRefused(static_cast<VABufferType>(-1), 1000, 1, VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE);
        expectRefused(static_cast<VABufferType>(12345), 1000, 1, VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE);
        expectRefused(VASliceDataBufferType, 0, 1, VA_STATUS_ERROR_INVALID_PARAMETER);
        expectRefused(VASliceDataBufferType, 1, 0, VA_STATUS_ERROR_INVALID_PARAMETER);
        expectRefused(VASliceDataBufferType, UINT32_MAX, 1, VA_STATUS_ERROR_ALLOCATION_FAILED);
        expectRefused(VASliceDataBufferType, UINT32_MAX, UINT32_MAX, VA_STATUS_ERROR_ALLOCATION_FAILED);
        expectRefused(VASliceDataBufferType, 0x80000000u, 2, VA_STATUS_ERROR_ALLOCATION_FAILED);
        EXPECT_EQ(vaDestroyContext(display, context), VA_STATUS_SUCCESS);
        EXPECT_EQ(vaDestroyConfig(display, config), VA_STATUS_SUCCESS);
    }
}

TEST_F(Configuration, DisplayAttributesDoNotExist) {
    EXPECT_LE(vaMaxNumDisplayAttributes(display), 0);
    VADisplayAttribute attribute{};
    attribute.type = VADisplayAttribBrightness;
    EXPECT_EQ(vaGetDisplayAttributes(display, nullptr, 0), VA_STATUS_ERROR_UNIMPLEMENTED);
    EXPECT_EQ(vaSetDisplayAttributes(display, nullptr, 0), VA_STATUS_ERROR_UNIMPLEMENTED);
    EXPECT_EQ(vaGetDisplayAttributes(display, &attribute, 1), VA_STATUS_ERROR_UNIMPLEMENTED);
    EXPECT_EQ(vaSetDisplayAttributes(display, &attribute, 1), VA_STATUS_ERROR_UNIMPLEMENTED);
    int count = -1;
    const VAStatus status = vaQueryDisplayAttributes(display, &attribute, &count);
    EXPECT_TRUE(status == VA_STATUS_ERROR_UNIMPLEMENTED || (status == VA_STATUS_SUCCESS && count == 0));
}

TEST_F(Configuration, WhatIsNotImplementedSaysSo) {
    VASubpictureID subpicture = VA_INVALID_ID;
    EXPECT_EQ(vaCreateSubpicture(display, 1, &subpicture), VA_STATUS_ERROR_UNIMPLEMENTED);
    EXPECT_EQ(vaDestroySubpicture(display, 1), VA_STATUS_ERROR_UNIMPLEMENTED);
    EXPECT_EQ(vaSetSubpictureImage(display, 1, 1), VA_STATUS_ERROR_UNIMPLEMENTED);
    EXPECT_EQ(vaSetSubpictureChromakey(display, 1, 0, 0, 0), VA_STATUS_ERROR_UNIMPLEMENTED);
    EXPECT_EQ(vaSetSubpictureGlobalAlpha(display, 1, 1), VA_STATUS_ERROR_UNIMPLEMENTED);
    EXPECT_EQ(vaAssociateSubpicture(display, 1, nullptr, 0, 0, 0, 1, 1, 0, 0, 1, 1, 0), VA_STATUS_ERROR_UNIMPLEMENTED);
    EXPECT_EQ(vaDeassociateSubpicture(display, 1, nullptr, 0), VA_STATUS_ERROR_UNIMPLEMENTED);
    EXPECT_EQ(vaSetImagePalette(display, 1, nullptr), VA_STATUS_ERROR_UNIMPLEMENTED);
    VAImageFormat format{};
    unsigned flags = 0, count = 1;
    EXPECT_EQ(vaQuerySubpictureFormats(display, &format, &flags, &count), VA_STATUS_SUCCESS);
    EXPECT_EQ(count, 0u);
    unsigned word = 0;
    void* data = nullptr;
    EXPECT_EQ(vaLockSurface(display, 1, &word, &word, &word, &word, &word, &word, &word, &word, &data),
              VA_STATUS_ERROR_UNIMPLEMENTED);
    EXPECT_EQ(vaUnlockSurface(display, 1), VA_STATUS_ERROR_UNIMPLEMENTED);
    VACopyObject object{};
    EXPECT_EQ(vaCopy(display, &object, &object, {}), VA_STATUS_ERROR_UNIMPLEMENTED);
}

TEST_F(Configuration, ImageFormats) {
    std::vector<VAImageFormat> formats(static_cast<size_t>(vaMaxNumImageFormats(display)));
    int count = 0;
    ASSERT_EQ(vaQueryImageFormats(display, formats.data(), &count), VA_STATUS_SUCCESS);
    ASSERT_GT(count, 0);
    formats.resize(static_cast<size_t>(count));
    EXPECT_TRUE(std::any_of(formats.begin(), formats.end(),
                            [](const VAImageFormat& format) { return format.fourcc == VA_FOURCC_NV12; }));
    for (VAImageFormat& format : formats) {
        EXPECT_EQ(format.byte_order, static_cast<uint32_t>(VA_LSB_FIRST));
        EXPECT_GT(format.bits_per_pixel, 0u);
        VAImage image{};
        EXPECT_EQ(vaCreateImage(display, &format, 64, 64, &image), VA_STATUS_SUCCESS);
        EXPECT_EQ(vaDestroyImage(display, image.image_id), VA_STATUS_SUCCESS);
    }
    // Every pixel format of surfaces is one of images: FFmpeg refuses the decoder otherwise.
    for (const VAProfile profile : display.profiles()) {
        const VAConfigID config = makeConfig(profile);
        for (const VASurfaceAttrib& attribute : surfaceAttributes(config))
            EXPECT_TRUE(attribute.type != VASurfaceAttribPixelFormat ||
                        std::any_of(formats.begin(), formats.end(), [&](const VAImageFormat& format) {
                            return format.fourcc == static_cast<uint32_t>(attribute.value.value.i);
                        }));
        EXPECT_EQ(vaDestroyConfig(display, config), VA_STATUS_SUCCESS);
    }
}

} // namespace

} // namespace va_suite
