// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>

#include <drm_fourcc.h>
#include <linux/videodev2.h>
#include <va/va.h>

namespace v4l2_request {

// One pixel format under all its names. A format is added by a row of pixelFormats, and by a readback routine only if
// its memory is not linear.
struct PixelFormat {
    uint32_t v4l2; // V4L2_PIX_FMT_*: one memory plane holds all colour planes; 0: only clients' images have this format
    uint32_t va;   // VA_FOURCC_*
    uint32_t rt;   // VA_RT_FORMAT_*
    uint32_t drm;  // DRM_FORMAT_* of the whole
    uint64_t modifier;
    uint8_t bitDepth;
    uint8_t planeCount; // colour planes
    struct Plane {
        uint32_t drm;                 // DRM_FORMAT_* of the plane alone, as exported in separate layers
        uint8_t bytes;                // of one sample group
        uint8_t horizontal, vertical; // subsampling: pixels per sample group
    };
    std::array<Plane, 3> planes;
    const char* name;
};

// In the order of preference when a device offers several.
inline constexpr std::array pixelFormats = std::to_array<PixelFormat>({
    {
        .v4l2 = V4L2_PIX_FMT_NV12,
        .va = VA_FOURCC_NV12,
        .rt = VA_RT_FORMAT_YUV420,
        .drm = DRM_FORMAT_NV12,
        .modifier = DRM_FORMAT_MOD_LINEAR,
        .bitDepth = 8,
        .planeCount = 2,
        .planes = {{{DRM_FORMAT_R8, 1, 1, 1}, {DRM_FORMAT_GR88, 2, 2, 2}}},
        .name = "NV12",
    },
    {
        .v4l2 = 0,
        .va = VA_FOURCC_I420,
        .rt = VA_RT_FORMAT_YUV420,
        .drm = DRM_FORMAT_YUV420,
        .modifier = DRM_FORMAT_MOD_LINEAR,
        .bitDepth = 8,
        .planeCount = 3, // Y, Cb, Cr
        .planes = {{{DRM_FORMAT_R8, 1, 1, 1}, {DRM_FORMAT_R8, 1, 2, 2}, {DRM_FORMAT_R8, 1, 2, 2}}},
        .name = "I420",
    },
    {
        .v4l2 = 0,
        .va = VA_FOURCC_YV12,
        .rt = VA_RT_FORMAT_YUV420,
        .drm = DRM_FORMAT_YVU420,
        .modifier = DRM_FORMAT_MOD_LINEAR,
        .bitDepth = 8,
        .planeCount = 3, // Y, Cr, Cb
        .planes = {{{DRM_FORMAT_R8, 1, 1, 1}, {DRM_FORMAT_R8, 1, 2, 2}, {DRM_FORMAT_R8, 1, 2, 2}}},
        .name = "YV12",
    },
});

// Whether surfaces can have this format: a device can write it.
constexpr bool isForSurfaces(const PixelFormat& format) {
    return format.v4l2 != 0;
}

constexpr const PixelFormat* findByV4l2(uint32_t fourcc) {
    for (const PixelFormat& row : pixelFormats)
        if (fourcc && row.v4l2 == fourcc)
            return &row;
    return nullptr;
}

constexpr const PixelFormat* findByVa(uint32_t fourcc) {
    for (const PixelFormat& row : pixelFormats)
        if (row.va == fourcc)
            return &row;
    return nullptr;
}

// The format of surfaces of which the client says no more than this.
constexpr const PixelFormat* findByRt(uint32_t rtFormat) {
    for (const PixelFormat& row : pixelFormats)
        if (isForSurfaces(row) && (row.rt & rtFormat))
            return &row;
    return nullptr;
}

// Where the colour planes of a picture lie in one linear piece of memory, bytes.
struct Layout {
    const PixelFormat* format = nullptr;
    uint32_t width = 0; // of the memory, pixels: the picture's size, aligned as the device needs it
    uint32_t height = 0;
    uint32_t size = 0; // all of it, including what the device keeps behind the picture
    std::array<uint32_t, 3> offsets{};
    std::array<uint32_t, 3> pitches{};

    // Colour planes follow one another, each with the pitch of the first scaled by its subsampling, as the kernel
    // defines the formats with one memory plane (Documentation/userspace-api/media/v4l/pixfmt-yuv-planar.rst).
    static constexpr Layout linear(const PixelFormat& format, uint32_t width, uint32_t height, uint32_t bytesperline,
                                   uint32_t size) {
        Layout layout{&format, width, height, size, {}, {}};
        uint32_t offset = 0;
        for (unsigned i = 0; i < format.planeCount; i++) {
            const PixelFormat::Plane& plane = format.planes[i];
            layout.offsets[i] = offset;
            layout.pitches[i] = bytesperline / format.planes[0].bytes * plane.bytes / plane.horizontal;
            offset += layout.pitches[i] * ((height + plane.vertical - 1) / plane.vertical);
        }
        layout.size = size > offset ? size : offset;
        return layout;
    }
};

} // namespace v4l2_request
