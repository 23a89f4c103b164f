// SPDX-License-Identifier: MIT
#include <algorithm>

#include "va/entry_points.h"

namespace v4l2_request::va {

namespace {

Status noImage(VAImageID id) {
    return {VA_STATUS_ERROR_INVALID_IMAGE, strprintf("%#x is no image", id)};
}

VAImageFormat imageFormat(const PixelFormat& pixels) {
    VAImageFormat format{};
    format.fourcc = pixels.va;
    format.byte_order = VA_LSB_FIRST;
    for (unsigned i = 0; i < pixels.planeCount; i++) // averaged over the picture
        format.bits_per_pixel += 8u * pixels.planes[i].bytes / pixels.planes[i].horizontal / pixels.planes[i].vertical;
    return format;
}

VAImage describe(const Layout& layout, uint32_t width, uint32_t height) {
    VAImage image{};
    image.format = imageFormat(*layout.format);
    image.width = static_cast<uint16_t>(width);
    image.height = static_cast<uint16_t>(height);
    image.data_size = layout.size;
    image.num_planes = layout.format->planeCount;
    std::copy(layout.offsets.begin(), layout.offsets.end(), image.offsets);
    std::copy(layout.pitches.begin(), layout.pitches.end(), image.pitches);
    return image;
}

// Registers the image and its buffer, and tells the client.
void publish(Driver& driver, VAImage description, BufferRef buffer, VAImage& answer) {
    buffer->type = VAImageBufferType;
    buffer->elementSize = description.data_size;
    buffer->elements = 1;
    description.buf = driver.buffers.add(buffer);
    auto image = std::make_shared<Image>(Image{description, std::move(buffer)});
    image->description.image_id = description.image_id = driver.images.add(image);
    answer = description;
}

} // namespace

int imageFormatCount() {
    return static_cast<int>(clientFormats.size());
}

Status queryImageFormats(Driver&, VAImageFormat* formats, int* count) {
    if (!formats || !count)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the answer"};
    std::transform(clientFormats.begin(), clientFormats.end(), formats,
                   [](const PixelFormat* row) { return imageFormat(*row); });
    *count = imageFormatCount();
    return {};
}

Status createImage(Driver& driver, VAImageFormat* format, int width, int height, VAImage* image) {
    constexpr int largest = UINT16_MAX; // VAImage has no more bits
    if (!format || !image || width <= 0 || height <= 0 || width > largest || height > largest)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, strprintf("an image of %dx%d", width, height)};
    const PixelFormat* pixels = findByVa(format->fourcc);
    if (!pixels)
        return {VA_STATUS_ERROR_INVALID_IMAGE_FORMAT, "image format " + fourccName(format->fourcc)};
    const auto columns = static_cast<uint32_t>(width), rows = static_cast<uint32_t>(height);
    // As a surface of this size, where there are such: GStreamer 1.22 maps images derived from surfaces with the
    // offsets of created ones. Others have rows that start at multiples of 64: vector units and clients' own copies
    // like it.
    const auto surface = driver.surfaceLayout(*pixels, columns, rows);
    const uint32_t pitch = surface ? surface->pitches[0] : (columns * pixels->planes[0].bytes + 63) / 64 * 64;
    const uint32_t allRows = surface ? surface->height : rows;
    // A bound on all planes together: offsets and sizes have 32 bits.
    if (uint64_t{pitch} * (allRows + 1) * pixels->planeCount > INT32_MAX)
        return {VA_STATUS_ERROR_ALLOCATION_FAILED, strprintf("an image of %dx%d", width, height)};
    const Layout layout = Layout::linear(*pixels, columns, allRows, pitch, 0);
    auto buffer = driver.spareBuffers.take(layout.size);
    publish(driver, describe(layout, columns, rows), std::move(buffer), *image);
    return {};
}

// The surface's own memory as an image: no copy, and the offsets and pitches are those of an export.
Status deriveImage(Driver& driver, VASurfaceID surfaceId, VAImage* image) {
    const auto surface = driver.surfaces.find(surfaceId);
    if (!surface)
        return {VA_STATUS_ERROR_INVALID_SURFACE, strprintf("%#x is no surface", surfaceId)};
    if (!image)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the image"};
    const auto isLinear = [](const Layout& layout) -> Status {
        if (layout.format->linear())
            return {};
        // Clients then have the picture copied into an image.
        return {VA_STATUS_ERROR_OPERATION_FAILED,
                strprintf("the memory of the surface, %s, can only be read by vaGetImage", layout.format->name)};
    };
    const auto memory = driver.promisedMemoryOf(*surface, isLinear);
    if (!memory)
        return memory.error();
    const Layout& layout = (*memory)->layout();
    auto buffer = driver.spareBuffers.make();
    buffer->surface = surface;
    // The stream that was first decoded into it may be smaller than what the client asked for.
    publish(driver,
            describe(layout, std::min(surface->width(), layout.width), std::min(surface->height(), layout.height)),
            std::move(buffer), *image);
    return {};
}

Status destroyImage(Driver& driver, VAImageID id) {
    const auto image = driver.images.remove(id);
    if (!image)
        return noImage(id);
    driver.buffers.remove(image->description.buf);
    return {};
}

} // namespace v4l2_request::va
