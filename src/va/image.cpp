// SPDX-License-Identifier: MIT
#include <algorithm>

#include "readback/copy.h"
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
void publish(Driver& driver, VAImage description, std::shared_ptr<Buffer> buffer, VAImage& answer) {
    buffer->type = VAImageBufferType;
    buffer->elementSize = description.data_size;
    buffer->elements = 1;
    description.buf = driver.buffers.add(buffer);
    auto image = std::make_shared<Image>(Image{description, std::move(buffer)});
    image->description.image_id = description.image_id = driver.images.add(image);
    answer = description;
}

// What a client sees of a surface's memory. The memory has the size of the stream that was first decoded into it, which
// may be less than what the client asked for: nobody may read or write behind it.
struct Extent {
    uint32_t width, height;
};

Extent visible(const decode::Surface& surface, const Layout& layout) {
    return {std::min(surface.width(), layout.width), std::min(surface.height(), layout.height)};
}

struct Rectangle {
    uint32_t x, y, width, height;

    // The part of it that lies within the extent; may be empty.
    Rectangle clipped(Extent extent) const {
        return {x, y, x < extent.width ? std::min(width, extent.width - x) : 0,
                y < extent.height ? std::min(height, extent.height - y) : 0};
    }
};

// The rectangle if it lies within the bounds and starts where chroma has a sample.
std::optional<Rectangle> checkRectangle(int x, int y, unsigned width, unsigned height, uint32_t boundWidth,
                                        uint32_t boundHeight) {
    const auto fits = [](int at, unsigned length, uint32_t bound) {
        return at >= 0 && at % 2 == 0 && length > 0 && uint64_t(at) + length <= bound;
    };
    if (!fits(x, width, boundWidth) || !fits(y, height, boundHeight))
        return std::nullopt;
    return Rectangle{static_cast<uint32_t>(x), static_cast<uint32_t>(y), width, height};
}

// One side of a copy: planes somewhere in memory.
struct Planes {
    uint8_t* base;
    const uint32_t* offsets;
    const uint32_t* pitches;
    uint32_t x, y;

    uint8_t* at(unsigned index, const PixelFormat::Plane& plane) const {
        return base + offsets[index] + size_t{y / plane.vertical} * pitches[index] + x / plane.horizontal * plane.bytes;
    }
};

void copyRectangle(const PixelFormat& pixels, const Planes& to, const Planes& from, uint32_t width, uint32_t height) {
    if (!width || !height)
        return;
    for (unsigned i = 0; i < pixels.planeCount; i++) {
        const PixelFormat::Plane& plane = pixels.planes[i];
        readback::copyPlane(to.at(i, plane), to.pitches[i], from.at(i, plane), from.pitches[i],
                            (width + plane.horizontal - 1) / plane.horizontal * plane.bytes,
                            (height + plane.vertical - 1) / plane.vertical);
    }
}

// What vaGetImage and vaPutImage have in common: the objects, checked, and the memory of both sides in view.
struct Transfer {
    std::shared_ptr<decode::Surface> surface;
    std::shared_ptr<Image> image;
    std::optional<decode::FrameMemory::View> surfaceView;
    std::optional<decode::FrameMemory::View> imageView; // of a derived image
    uint8_t* imageBytes = nullptr;

    Status open(Driver& driver, VASurfaceID surfaceId, VAImageID imageId, decode::FrameMemory::Access access);
    Planes surfacePlanes(uint32_t x, uint32_t y) const {
        const Layout& layout = surfaceView->layout();
        return {surfaceView->bytes().data(), layout.offsets.data(), layout.pitches.data(), x, y};
    }
    Planes imagePlanes(uint32_t x, uint32_t y) const {
        return {imageBytes, image->description.offsets, image->description.pitches, x, y};
    }
};

Status Transfer::open(Driver& driver, VASurfaceID surfaceId, VAImageID imageId, decode::FrameMemory::Access access) {
    surface = driver.surfaces.find(surfaceId);
    if (!surface)
        return {VA_STATUS_ERROR_INVALID_SURFACE, strprintf("%#x is no surface", surfaceId)};
    image = driver.images.find(imageId);
    if (!image)
        return noImage(imageId);
    if (image->description.format.fourcc != surface->format().va)
        return {VA_STATUS_ERROR_INVALID_IMAGE_FORMAT, "image and surface have different formats"};
    // What is to be overwritten may be damaged.
    const bool reads = access == decode::FrameMemory::Access::Read;
    if (auto finished = surface->wait(os::Deadline::never());
        !finished && (reads || finished.error().kind != ErrorKind::Decoding))
        return finished;
    const auto look = [&](decode::Surface& at, auto& view) -> Status {
        auto opened =
            driver.memoryOf(at).and_then([&](const auto& memory) { return decode::FrameMemory::view(memory, access); });
        if (!opened)
            return opened.error();
        view.emplace(std::move(*opened));
        return {};
    };
    if (auto status = look(*surface, surfaceView); !status.ok())
        return status;
    if (!image->buffer->surface) {
        imageBytes = image->buffer->data.data();
        return {};
    }
    auto status = look(*image->buffer->surface, imageView);
    if (status.ok())
        imageBytes = imageView->bytes().data();
    return status;
}

} // namespace

int imageFormatCount() {
    return static_cast<int>(pixelFormats.size());
}

Status queryImageFormats(Driver&, VAImageFormat* formats, int* count) {
    if (!formats || !count)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the answer"};
    std::transform(pixelFormats.begin(), pixelFormats.end(), formats, imageFormat);
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
    // Rows start at multiples of 64: vector units and clients' own copies like it.
    const uint32_t pitch = (static_cast<uint32_t>(width) * pixels->planes[0].bytes + 63) / 64 * 64;
    // A bound on all planes together: offsets and sizes have 32 bits.
    if (uint64_t{pitch} * (static_cast<uint32_t>(height) + 1) * pixels->planeCount > INT32_MAX)
        return {VA_STATUS_ERROR_ALLOCATION_FAILED, strprintf("an image of %dx%d", width, height)};
    const Layout layout =
        Layout::linear(*pixels, static_cast<uint32_t>(width), static_cast<uint32_t>(height), pitch, 0);
    auto buffer = std::make_shared<Buffer>();
    buffer->data.resize(layout.size);
    publish(driver, describe(layout, layout.width, layout.height), std::move(buffer), *image);
    return {};
}

// The surface's own memory as an image: no copy, and the offsets and pitches are those of an export.
Status deriveImage(Driver& driver, VASurfaceID surfaceId, VAImage* image) {
    const auto surface = driver.surfaces.find(surfaceId);
    if (!surface)
        return {VA_STATUS_ERROR_INVALID_SURFACE, strprintf("%#x is no surface", surfaceId)};
    if (!image)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the image"};
    const auto memory = driver.memoryOf(*surface);
    if (!memory)
        return memory.error();
    auto buffer = std::make_shared<Buffer>();
    buffer->surface = surface;
    const Layout& layout = (*memory)->layout();
    const Extent extent = visible(*surface, layout);
    publish(driver, describe(layout, extent.width, extent.height), std::move(buffer), *image);
    return {};
}

Status destroyImage(Driver& driver, VAImageID id) {
    const auto image = driver.images.remove(id);
    if (!image)
        return noImage(id);
    driver.buffers.remove(image->description.buf);
    return {};
}

Status getImage(Driver& driver, VASurfaceID surfaceId, int x, int y, unsigned width, unsigned height,
                VAImageID imageId) {
    Transfer transfer;
    if (auto status = transfer.open(driver, surfaceId, imageId, decode::FrameMemory::Access::Read); !status.ok())
        return status;
    const VAImage& image = transfer.image->description;
    const auto from = checkRectangle(x, y, width, height, transfer.surface->width(), transfer.surface->height());
    if (!from || width > image.width || height > image.height)
        return {VA_STATUS_ERROR_INVALID_PARAMETER,
                strprintf("%ux%u at %d,%d of a surface of %ux%u into an image of %ux%u", width, height, x, y,
                          transfer.surface->width(), transfer.surface->height(), image.width, image.height)};
    const Rectangle part = from->clipped(visible(*transfer.surface, transfer.surfaceView->layout()));
    copyRectangle(transfer.surface->format(), transfer.imagePlanes(0, 0), transfer.surfacePlanes(part.x, part.y),
                  part.width, part.height);
    return {};
}

Status putImage(Driver& driver, VASurfaceID surfaceId, VAImageID imageId, int sourceX, int sourceY,
                unsigned sourceWidth, unsigned sourceHeight, int x, int y, unsigned width, unsigned height) {
    if (sourceWidth != width || sourceHeight != height)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "vaPutImage does not scale here"};
    Transfer transfer;
    if (auto status = transfer.open(driver, surfaceId, imageId, decode::FrameMemory::Access::ReadWrite); !status.ok())
        return status;
    const VAImage& image = transfer.image->description;
    const auto from = checkRectangle(sourceX, sourceY, width, height, image.width, image.height);
    const auto to = checkRectangle(x, y, width, height, transfer.surface->width(), transfer.surface->height());
    if (!from || !to)
        return {VA_STATUS_ERROR_INVALID_PARAMETER,
                strprintf("%ux%u at %d,%d of an image of %ux%u to %d,%d of a surface of %ux%u", width, height, sourceX,
                          sourceY, image.width, image.height, x, y, transfer.surface->width(),
                          transfer.surface->height())};
    const Rectangle part = to->clipped(visible(*transfer.surface, transfer.surfaceView->layout()));
    copyRectangle(transfer.surface->format(), transfer.surfacePlanes(part.x, part.y),
                  transfer.imagePlanes(from->x, from->y), part.width, part.height);
    return {};
}

} // namespace v4l2_request::va
