// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include <drm_fourcc.h>
#include <linux/videodev2.h>
#include <va/va.h>

// Newer than the kernel headers of some systems, or not in them at all: the Raspberry Pi's decoder is in its own tree.
#ifndef V4L2_PIX_FMT_NV15
#define V4L2_PIX_FMT_NV15 v4l2_fourcc('N', 'V', '1', '5')
#endif
#ifndef V4L2_PIX_FMT_NV15_4L4
#define V4L2_PIX_FMT_NV15_4L4 v4l2_fourcc('V', 'T', '1', '5')
#endif
#ifndef V4L2_PIX_FMT_NV12_COL128
#define V4L2_PIX_FMT_NV12_COL128 v4l2_fourcc('N', 'C', '1', '2')
#endif
#ifndef V4L2_PIX_FMT_NV12_10_COL128
#define V4L2_PIX_FMT_NV12_10_COL128 v4l2_fourcc('N', 'C', '3', '0')
#endif

namespace v4l2_request {

// How a device lays the samples of a plane into memory. The default is what clients can map: whole rows, one after
// another, each sample in one or two bytes.
struct Arrangement {
    enum class Packing : uint8_t {
        None,
        FourInFiveBytes,  // 10 bits each, little endian, no gaps
        ThreeInFourBytes, // 10 bits each, from the lowest bit of a little-endian word on; its top 2 bits are unused
    };
    Packing packing = Packing::None;
    uint8_t tileBytes = 0;             // of one row of a tile; 0: no tiles. Tiles follow one another row by row.
    std::array<uint8_t, 2> tileRows{}; // of luma and of chroma; 0: columns, each with all rows of luma, then of chroma
    constexpr bool linear() const { return packing == Packing::None && !tileBytes; }
    constexpr bool columns() const { return tileBytes && !tileRows[0]; }
    // Samples in one row of a tile.
    constexpr uint32_t tileSamples(uint32_t bytesPerSample) const {
        return packing == Packing::FourInFiveBytes    ? tileBytes / 5u * 4
               : packing == Packing::ThreeInFourBytes ? tileBytes / 4u * 3
                                                      : tileBytes / bytesPerSample;
    }
    // Bytes that a row of so many samples takes, without padding behind it.
    constexpr uint32_t rowBytes(uint32_t samples, uint32_t bytesPerSample) const {
        if (const uint32_t wide = tileSamples(bytesPerSample))
            return (samples + wide - 1) / wide * tileBytes;
        return packing == Packing::FourInFiveBytes ? (samples + 3) / 4 * 5 : samples * bytesPerSample;
    }
};

// One pixel format under all its names. A format is added by a row of pixelFormats; a new way of packing samples also
// needs a routine in readback.
struct PixelFormat {
    uint32_t v4l2; // V4L2_PIX_FMT_*; 0: only clients' images have this format
    uint32_t va;   // VA_FOURCC_* that a client reads it as; its own where the memory is linear
    uint32_t rt;   // VA_RT_FORMAT_*
    uint32_t drm;  // DRM_FORMAT_* of the whole; DRM_FORMAT_INVALID where DRM has no name for the memory
    uint64_t modifier;
    uint8_t bitDepth;
    uint8_t planeCount;       // colour planes
    uint8_t memoryPlanes = 1; // pieces of memory that hold them
    struct Plane {
        uint32_t drm;                 // DRM_FORMAT_* of the plane alone, as exported in separate layers, if linear
        uint8_t bytes;                // of one sample group, where the memory is linear
        uint8_t horizontal, vertical; // subsampling: pixels per sample group
    };
    std::array<Plane, 3> planes;
    const char* name;
    Arrangement arrangement{};

    constexpr bool linear() const { return arrangement.linear(); }
    constexpr uint32_t bytesPerSample() const { return bitDepth > 8 ? 2 : 1; } // where the memory is linear
    // Samples in a row of a plane, of a picture so many pixels wide.
    constexpr uint32_t rowSamples(unsigned plane, uint32_t width) const {
        return (width + planes[plane].horizontal - 1) / planes[plane].horizontal * planes[plane].bytes /
               bytesPerSample();
    }
    // Rows of a plane, of a picture so many pixels high.
    constexpr uint32_t rows(unsigned plane, uint32_t height) const {
        return (height + planes[plane].vertical - 1) / planes[plane].vertical;
    }
};

namespace rows {
inline constexpr std::array<PixelFormat::Plane, 3> semiPlanar8{{{DRM_FORMAT_R8, 1, 1, 1}, {DRM_FORMAT_GR88, 2, 2, 2}}};
inline constexpr std::array<PixelFormat::Plane, 3> semiPlanar16{
    {{DRM_FORMAT_R16, 2, 1, 1}, {DRM_FORMAT_GR1616, 4, 2, 2}}};
} // namespace rows

// In the order of preference when a device offers several of the same depth: what needs no conversion comes first.
inline constexpr std::array pixelFormats = std::to_array<PixelFormat>({
    {
        .v4l2 = V4L2_PIX_FMT_NV12,
        .va = VA_FOURCC_NV12,
        .rt = VA_RT_FORMAT_YUV420,
        .drm = DRM_FORMAT_NV12,
        .modifier = DRM_FORMAT_MOD_LINEAR,
        .bitDepth = 8,
        .planeCount = 2,
        .planes = rows::semiPlanar8,
        .name = "NV12",
    },
    {
        .v4l2 = V4L2_PIX_FMT_P010,
        .va = VA_FOURCC_P010,
        .rt = VA_RT_FORMAT_YUV420_10,
        .drm = DRM_FORMAT_P010,
        .modifier = DRM_FORMAT_MOD_LINEAR,
        .bitDepth = 10,
        .planeCount = 2,
        .planes = rows::semiPlanar16,
        .name = "P010",
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
    // Rockchip rkvdec
    {
        .v4l2 = V4L2_PIX_FMT_NV15,
        .va = VA_FOURCC_P010,
        .rt = VA_RT_FORMAT_YUV420_10,
        .drm = DRM_FORMAT_NV15,
        .modifier = DRM_FORMAT_MOD_LINEAR,
        .bitDepth = 10,
        .planeCount = 2,
        .planes = rows::semiPlanar16,
        .name = "NV15",
        .arrangement = {.packing = Arrangement::Packing::FourInFiveBytes},
    },
    // Allwinner cedrus
    {
        .v4l2 = V4L2_PIX_FMT_NV12_32L32,
        .va = VA_FOURCC_NV12,
        .rt = VA_RT_FORMAT_YUV420,
        .drm = DRM_FORMAT_NV12,
        .modifier = DRM_FORMAT_MOD_ALLWINNER_TILED,
        .bitDepth = 8,
        .planeCount = 2,
        .planes = rows::semiPlanar8,
        .name = "NV12_32L32",
        .arrangement = {.tileBytes = 32, .tileRows = {32, 32}},
    },
    // Hantro G2 and its successors
    {
        .v4l2 = V4L2_PIX_FMT_NV12_4L4,
        .va = VA_FOURCC_NV12,
        .rt = VA_RT_FORMAT_YUV420,
        .drm = DRM_FORMAT_INVALID,
        .modifier = DRM_FORMAT_MOD_INVALID,
        .bitDepth = 8,
        .planeCount = 2,
        .planes = rows::semiPlanar8,
        .name = "NV12_4L4",
        .arrangement = {.tileBytes = 4, .tileRows = {4, 4}},
    },
    {
        .v4l2 = V4L2_PIX_FMT_NV15_4L4,
        .va = VA_FOURCC_P010,
        .rt = VA_RT_FORMAT_YUV420_10,
        .drm = DRM_FORMAT_INVALID,
        .modifier = DRM_FORMAT_MOD_INVALID,
        .bitDepth = 10,
        .planeCount = 2,
        .planes = rows::semiPlanar16,
        .name = "NV15_4L4",
        .arrangement = {.packing = Arrangement::Packing::FourInFiveBytes, .tileBytes = 5, .tileRows = {4, 4}},
    },
    // Raspberry Pi: the modifier is completed with the rows of a column
    {
        .v4l2 = V4L2_PIX_FMT_NV12_COL128,
        .va = VA_FOURCC_NV12,
        .rt = VA_RT_FORMAT_YUV420,
        .drm = DRM_FORMAT_NV12,
        .modifier = DRM_FORMAT_MOD_BROADCOM_SAND128,
        .bitDepth = 8,
        .planeCount = 2,
        .planes = rows::semiPlanar8,
        .name = "NV12_COL128",
        .arrangement = {.tileBytes = 128},
    },
    {
        .v4l2 = V4L2_PIX_FMT_NV12_10_COL128,
        .va = VA_FOURCC_P010,
        .rt = VA_RT_FORMAT_YUV420_10,
        .drm = DRM_FORMAT_P030,
        .modifier = DRM_FORMAT_MOD_BROADCOM_SAND128,
        .bitDepth = 10,
        .planeCount = 2,
        .planes = rows::semiPlanar16,
        .name = "NV12_10_COL128",
        .arrangement = {.packing = Arrangement::Packing::ThreeInFourBytes, .tileBytes = 128},
    },
    // MediaTek: luma and chroma in a piece of memory each
    {
        .v4l2 = V4L2_PIX_FMT_MM21,
        .va = VA_FOURCC_NV12,
        .rt = VA_RT_FORMAT_YUV420,
        .drm = DRM_FORMAT_INVALID,
        .modifier = DRM_FORMAT_MOD_INVALID,
        .bitDepth = 8,
        .planeCount = 2,
        .memoryPlanes = 2,
        .planes = rows::semiPlanar8,
        .name = "MM21",
        .arrangement = {.tileBytes = 16, .tileRows = {32, 16}},
    },
});

// The rows that clients can map, as images at least. The others are read as one of these.
inline constexpr auto clientFormats = [] {
    std::array<const PixelFormat*,
               std::count_if(pixelFormats.begin(), pixelFormats.end(), [](const auto& row) { return row.linear(); })>
        linear{};
    size_t count = 0;
    for (const PixelFormat& row : pixelFormats)
        if (row.linear())
            linear[count++] = &row;
    return linear;
}();

// Whether clients can ask for surfaces of this format: a device can write it, or something that is read as it.
constexpr bool isForSurfaces(const PixelFormat& format) {
    return format.v4l2 != 0 && format.linear();
}

constexpr const PixelFormat* findByV4l2(uint32_t fourcc) {
    for (const PixelFormat& row : pixelFormats)
        if (fourcc && row.v4l2 == fourcc)
            return &row;
    return nullptr;
}

// Of the formats that clients can map.
constexpr const PixelFormat* findByVa(uint32_t fourcc) {
    for (const PixelFormat* row : clientFormats)
        if (row->va == fourcc)
            return row;
    return nullptr;
}

// The format of surfaces of which the client says no more than this.
constexpr const PixelFormat* findByRt(uint32_t rtFormat) {
    for (const PixelFormat& row : pixelFormats)
        if (isForSurfaces(row) && (row.rt & rtFormat))
            return &row;
    return nullptr;
}

// Where the colour planes of a picture lie in memory, bytes. Two pieces of memory count as one, the second behind the
// first, for so they are mapped.
struct Layout {
    const PixelFormat* format = nullptr;
    uint32_t width = 0; // of the memory, pixels: the picture's size, aligned as the device needs it
    uint32_t height = 0;
    uint32_t size = 0; // all of it, including what the device keeps behind the picture
    std::array<uint32_t, 3> offsets{};
    // From one row to the next; with tiles, of a row of pixels, so that a row of tiles takes as many times that as it
    // has rows; with columns, the number of rows from one column to the next.
    std::array<uint32_t, 3> pitches{};
    uint32_t secondPiece = 0; // where the memory that chroma has of its own begins; 0: all is in one piece

    // The DRM modifier; columns have their height in it.
    constexpr uint64_t modifier() const {
        return format->arrangement.columns() ? DRM_FORMAT_MOD_BROADCOM_SAND128_COL_HEIGHT(uint64_t{pitches[0]})
                                             : format->modifier;
    }

    // Colour planes follow one another, each with the pitch of the first scaled by its subsampling, as the kernel
    // defines the formats with one memory plane (Documentation/userspace-api/media/v4l/pixfmt-yuv-planar.rst).
    static constexpr Layout linear(const PixelFormat& format, uint32_t width, uint32_t height, uint32_t bytesperline,
                                   uint32_t size) {
        Layout layout{&format, width, height, size, {}, {}, 0};
        uint64_t offset = 0;
        for (unsigned i = 0; i < format.planeCount; i++) {
            const PixelFormat::Plane& plane = format.planes[i];
            layout.offsets[i] = static_cast<uint32_t>(offset);
            layout.pitches[i] = bytesperline / format.planes[0].bytes * plane.bytes / plane.horizontal;
            offset += uint64_t{layout.pitches[i]} * format.rows(i, height);
        }
        layout.size = static_cast<uint32_t>(std::max<uint64_t>(size, offset));
        return layout;
    }

    // The memory of a device, from the answer to VIDIOC_S_FMT. Nothing if the picture does not fit into such rows: then
    // the two sides do not mean the same format. Every sample of the picture lies within `size` bytes.
    static constexpr std::optional<Layout> ofDevice(const PixelFormat& format, uint32_t width, uint32_t height,
                                                    uint32_t bytesperline, uint32_t size, uint32_t secondPiece = 0) {
        const Arrangement& memory = format.arrangement;
        Layout layout{&format, width, height, 0, {}, {}, secondPiece};
        uint64_t end = 0;
        for (unsigned i = 0; i < format.planeCount; i++) {
            if (i == 1 && secondPiece) {
                if (end > secondPiece)
                    return std::nullopt;
                end = secondPiece;
            }
            const uint32_t row = memory.rowBytes(format.rowSamples(i, width), format.bytesPerSample());
            const uint32_t rows = format.rows(i, height);
            layout.offsets[i] = static_cast<uint32_t>(end);
            if (memory.columns()) {
                // The offset of chroma is that of its first row within a column; all planes share the columns.
                layout.pitches[i] = bytesperline;
                end += uint64_t{memory.tileBytes} * rows;
                if (end > uint64_t{memory.tileBytes} * bytesperline)
                    return std::nullopt;
                if (i + 1u == format.planeCount)
                    end += uint64_t{row - memory.tileBytes} * bytesperline;
                continue;
            }
            const PixelFormat::Plane& plane = format.planes[i];
            layout.pitches[i] =
                static_cast<uint32_t>(uint64_t{bytesperline} * plane.bytes / format.planes[0].bytes / plane.horizontal);
            if (layout.pitches[i] < row || (memory.tileBytes && layout.pitches[i] % memory.tileBytes))
                return std::nullopt;
            const uint32_t tileRows = memory.tileBytes ? memory.tileRows[i != 0] : 1;
            end += uint64_t{layout.pitches[i]} * ((rows + tileRows - 1) / tileRows * tileRows);
        }
        if (end > UINT32_MAX)
            return std::nullopt;
        layout.size = std::max(size, static_cast<uint32_t>(end));
        return layout;
    }

    // Whether memory of this layout can be used where a device asks for the other.
    constexpr bool serves(const Layout& needed) const {
        return format == needed.format && offsets == needed.offsets && pitches == needed.pitches &&
               secondPiece == needed.secondPiece && size >= needed.size;
    }
};

} // namespace v4l2_request
