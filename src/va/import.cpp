// SPDX-License-Identifier: MIT
#include "va/import.h"

#include <algorithm>

#include <sys/stat.h>

namespace v4l2_request::va {

namespace {

// What both kinds of descriptors say: one dma-buf, and where the colour planes are in it.
struct Description {
    int fd = -1;
    uint32_t size = 0; // bytes; 0: not said
    uint32_t width = 0, height = 0;
    unsigned planeCount = 0;
    std::array<uint32_t, 4> offsets{};
    std::array<uint32_t, 4> pitches{};
};
using DescriptionOr = tl::expected<Description, Status>;

// Contradicts itself or the surface.
tl::unexpected<Status> invalid(std::string why) {
    return tl::unexpected(Status{VA_STATUS_ERROR_INVALID_PARAMETER, std::move(why)});
}

// Makes sense, and is more than decoders here can do.
tl::unexpected<Status> notSupported(std::string why) {
    return tl::unexpected(Status{VA_STATUS_ERROR_ATTR_NOT_SUPPORTED, std::move(why)});
}

// Whether a layer of one plane, or of all, may be called so. DRM has two names for two bytes of chroma.
bool isLayerFormat(uint32_t drm, const PixelFormat& format, unsigned firstPlane, unsigned planes) {
    if (planes == format.planeCount)
        return drm == format.drm;
    const uint32_t expected = format.planes[firstPlane].drm;
    return planes == 1 && (drm == expected || (expected == DRM_FORMAT_GR88 && drm == DRM_FORMAT_RG88));
}

// Whether two descriptors are of one dma-buf.
bool isSameMemory(int a, int b) {
    struct stat one {
    }, other{};
    return a == b || (::fstat(a, &one) == 0 && ::fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
                      one.st_ino == other.st_ino);
}

// Some clients list the dma-buf of a picture once for each plane.
DescriptionOr describe(const VADRMPRIMESurfaceDescriptor& prime, const PixelFormat& format) {
    if (prime.fourcc != format.va)
        return notSupported("memory of format " + fourccName(prime.fourcc) + " for a surface of " + format.name);
    if (prime.num_objects < 1 || prime.num_objects > std::size(prime.objects))
        return notSupported(strprintf("a picture in %u objects", prime.num_objects));
    for (const auto& object : std::span(prime.objects, prime.num_objects)) {
        if (!isSameMemory(object.fd, prime.objects[0].fd))
            return notSupported(strprintf("a picture in %u pieces of memory", prime.num_objects));
        if (object.drm_format_modifier != format.modifier)
            return notSupported(
                strprintf("memory with modifier %#llx", static_cast<unsigned long long>(object.drm_format_modifier)));
    }
    if (prime.num_layers < 1 || prime.num_layers > std::size(prime.layers))
        return invalid(strprintf("%u layers", prime.num_layers));
    Description description{
        .fd = prime.objects[0].fd, .size = prime.objects[0].size, .width = prime.width, .height = prime.height};
    for (const auto& layer : std::span(prime.layers, prime.num_layers)) {
        if (layer.num_planes < 1 || layer.num_planes > format.planeCount - description.planeCount ||
            !isLayerFormat(layer.drm_format, format, description.planeCount, layer.num_planes))
            return invalid(strprintf("a layer of format %s with %u planes", fourccName(layer.drm_format).c_str(),
                                     layer.num_planes));
        for (unsigned i = 0; i < layer.num_planes; i++) {
            if (layer.object_index[i] >= prime.num_objects)
                return invalid(strprintf("a plane in object %u of %u", layer.object_index[i], prime.num_objects));
            description.offsets[description.planeCount] = layer.offset[i];
            description.pitches[description.planeCount++] = layer.pitch[i];
        }
    }
    return description;
}

DescriptionOr describe(const VASurfaceAttribExternalBuffers& buffers, unsigned index, unsigned count,
                       const PixelFormat& format) {
    if (buffers.pixel_format != format.va)
        return notSupported("memory of format " + fourccName(buffers.pixel_format) + " for a surface of " +
                            format.name);
    if (buffers.flags & (VA_SURFACE_EXTBUF_DESC_ENABLE_TILING | VA_SURFACE_EXTBUF_DESC_PROTECTED))
        return notSupported("memory that is tiled or protected");
    if (!buffers.buffers || buffers.num_buffers != count || buffers.num_planes > std::size(buffers.pitches) ||
        buffers.buffers[index] > INT32_MAX)
        return invalid(
            strprintf("%u buffers of %u planes for %u surfaces", buffers.num_buffers, buffers.num_planes, count));
    Description description{.fd = static_cast<int>(buffers.buffers[index]),
                            .size = buffers.data_size,
                            .width = buffers.width,
                            .height = buffers.height,
                            .planeCount = buffers.num_planes};
    std::copy(std::begin(buffers.offsets), std::end(buffers.offsets), description.offsets.begin());
    std::copy(std::begin(buffers.pitches), std::end(buffers.pitches), description.pitches.begin());
    return description;
}

// The layout, if it is one that the kernel can name: planes right behind one another, from the start of the memory.
tl::expected<Layout, Status> layoutOf(const Description& description, const PixelFormat& format, uint32_t width,
                                      uint32_t height) {
    const uint32_t pitch = description.pitches[0], lumaEnd = description.offsets[1];
    if (description.width < width || description.height < height)
        return invalid(
            strprintf("memory for %ux%u, a surface of %ux%u", description.width, description.height, width, height));
    if (description.planeCount != format.planeCount)
        return invalid(strprintf("%u planes for %s", description.planeCount, format.name));
    if (pitch / format.planes[0].bytes < width || lumaEnd > INT32_MAX || lumaEnd / pitch < height)
        return invalid(
            strprintf("%u bytes per row, chroma at %u, for a picture of %ux%u", pitch, lumaEnd, width, height));
    const Layout layout = Layout::linear(format, pitch / format.planes[0].bytes, lumaEnd / pitch, pitch, 0);
    if (!std::equal(layout.offsets.begin(), layout.offsets.end(), description.offsets.begin()) ||
        !std::equal(layout.pitches.begin(), layout.pitches.end(), description.pitches.begin()))
        return notSupported("planes that do not follow one another");
    if (description.size && description.size < layout.size)
        return invalid(strprintf("%u bytes for a picture of %u", description.size, layout.size));
    return layout;
}

// Whether some decoder could write this. The one for this stream is asked again with its first picture.
Status checkDecoders(const Driver& driver, const Layout& layout, uint32_t width, uint32_t height) {
    Status status{VA_STATUS_ERROR_ATTR_NOT_SUPPORTED, strprintf("no decoder takes pictures of %ux%u", width, height)};
    for (const decode::Decoder& decoder : driver.decoders) {
        if (width > decoder.sizes.maxWidth || height > decoder.sizes.maxHeight)
            continue;
        const auto fits = decode::FrameMemory::checkLayout(
            decoder,
            {.width = std::max(width, decoder.sizes.minWidth), .height = std::max(height, decoder.sizes.minHeight)},
            layout);
        if (fits)
            return {};
        status.reason = fits.error().message;
    }
    return status;
}

} // namespace

tl::expected<std::shared_ptr<decode::FrameMemory>, Status> importMemory(const Driver& driver, const SurfaceWish& wish,
                                                                        unsigned index, unsigned count, uint32_t width,
                                                                        uint32_t height) {
    const auto description =
        wish.memoryType == VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2
            ? describe(static_cast<const VADRMPRIMESurfaceDescriptor*>(wish.external)[index], *wish.format)
            : describe(*static_cast<const VASurfaceAttribExternalBuffers*>(wish.external), index, count, *wish.format);
    if (!description)
        return tl::unexpected(description.error());
    auto layout = layoutOf(*description, *wish.format, width, height);
    if (!layout)
        return tl::unexpected(std::move(layout).error());
    layout->size = std::max(layout->size, description->size);
    auto memory = decode::FrameMemory::import(description->fd, *layout);
    if (!memory)
        return tl::unexpected(Status(memory.error()));
    if (auto status = checkDecoders(driver, (*memory)->layout(), width, height); !status.ok())
        return tl::unexpected(std::move(status));
    return std::move(*memory);
}

} // namespace v4l2_request::va
