// SPDX-License-Identifier: MIT
// vaGetImage and vaPutImage: pixels between surfaces and images, from one layout to another where they differ.
#include <algorithm>
#include <vector>

#include "readback/convert.h"
#include "readback/picture.h"
#include "va/entry_points.h"

namespace v4l2_request::va {

namespace {

using Access = decode::FrameMemory::Access;

struct Rectangle {
    uint32_t x, y, width, height;

    // The part of it that lies within these bounds; may be empty.
    Rectangle clipped(uint32_t boundWidth, uint32_t boundHeight) const {
        return {x, y, x < boundWidth ? std::min(width, boundWidth - x) : 0,
                y < boundHeight ? std::min(height, boundHeight - y) : 0};
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

// The planes of a picture from the pixel at x, y on.
readback::Planes planesAt(const PixelFormat& format, uint8_t* base, const uint32_t* offsets, const uint32_t* pitches,
                          uint32_t x, uint32_t y) {
    readback::Planes planes;
    for (unsigned i = 0; i < format.planeCount; i++) {
        const PixelFormat::Plane& plane = format.planes[i];
        planes.data[i] =
            base + offsets[i] + size_t{y / plane.vertical} * pitches[i] + x / plane.horizontal * plane.bytes;
        planes.pitches[i] = pitches[i];
    }
    return planes;
}

// A surface and an image, checked, and the memory of both in view.
class Transfer {
public:
    // Waits for what the surface is to hold.
    Status open(Driver& driver, VASurfaceID surfaceId, VAImageID imageId, Access access);

    decode::Surface& surface() const { return *surface_; }
    const VAImage& image() const { return image_->description; }

    // Copies the part of both rectangles, which have one size, that the surface's memory has.
    Status toImage(const Rectangle& from, const Rectangle& to) const;
    Status toSurface(const Rectangle& from, const Rectangle& to) const;

private:
    using View = decode::FrameMemory::View;

    readback::Planes surfacePlanes(const Rectangle& at) const {
        const Layout& layout = surfaceView_->layout();
        return planesAt(*layout.format, surfaceView_->bytes().data(), layout.offsets.data(), layout.pitches.data(),
                        at.x, at.y);
    }
    readback::Planes imagePlanes(const Rectangle& at) const {
        return planesAt(*imageFormat_, imageBytes_, image().offsets, image().pitches, at.x, at.y);
    }
    // The memory has the size of the stream that was first decoded into it, which may be less than what the client
    // asked for: nobody may read or write behind it.
    Rectangle within(const Rectangle& rectangle) const {
        const Layout& layout = surfaceView_->layout();
        return rectangle.clipped(layout.width, layout.height);
    }
    Status unpack(const Rectangle& part, const readback::Planes& to) const {
        return readback::readPicture(surfaceView_->bytes(), surfaceView_->layout(),
                                     {part.x, part.y, part.width, part.height}, to);
    }
    static Status noConversion(const PixelFormat& from, const PixelFormat& to) {
        return {VA_STATUS_ERROR_INVALID_IMAGE_FORMAT, strprintf("no conversion from %s to %s", from.name, to.name)};
    }

    std::shared_ptr<decode::Surface> surface_;
    std::shared_ptr<Image> image_;
    std::optional<View> surfaceView_;
    std::optional<View> imageView_; // of a derived image
    const PixelFormat* imageFormat_ = nullptr;
    uint8_t* imageBytes_ = nullptr;
};

Status Transfer::open(Driver& driver, VASurfaceID surfaceId, VAImageID imageId, Access access) {
    surface_ = driver.surfaces.find(surfaceId);
    if (!surface_)
        return {VA_STATUS_ERROR_INVALID_SURFACE, strprintf("%#x is no surface", surfaceId)};
    image_ = driver.images.find(imageId);
    if (!image_)
        return {VA_STATUS_ERROR_INVALID_IMAGE, strprintf("%#x is no image", imageId)};
    if (image_->buffer->surface == surface_) // va.h, at vaDeriveImage
        return {VA_STATUS_ERROR_SURFACE_BUSY, "the image was derived from this surface: both are the same memory"};
    imageFormat_ = findByVa(image().format.fourcc);

    const auto look = [&](decode::Surface& at, Access how, std::optional<View>& view) -> Status {
        if (auto finished = at.wait(os::Deadline::never()); !finished)
            return finished;
        auto opened =
            driver.memoryOf(at).and_then([&](const auto& memory) { return decode::FrameMemory::view(memory, how); });
        if (!opened)
            return opened.error();
        view.emplace(std::move(*opened));
        return {};
    };
    if (auto status = look(*surface_, access, surfaceView_); !status.ok())
        return status;
    if (!image_->buffer->surface) {
        imageBytes_ = image_->buffer->data.data();
        return {};
    }
    const Access other = access == Access::Read ? Access::ReadWrite : Access::Read;
    auto status = look(*image_->buffer->surface, other, imageView_);
    if (status.ok())
        imageBytes_ = imageView_->bytes().data();
    return status;
}

Status Transfer::toImage(const Rectangle& from, const Rectangle& to) const {
    const PixelFormat& format = *surfaceView_->layout().format;
    const PixelFormat& linear = *findByVa(format.va);
    const auto convert = readback::findConversion(linear, *imageFormat_);
    if (!convert)
        return noConversion(linear, *imageFormat_);
    const Rectangle part = within(from);
    if (!part.width || !part.height)
        return {};
    if (!format.linear() && &linear == imageFormat_)
        return unpack(part, imagePlanes(to));
    if (format.linear()) {
        convert(format, surfacePlanes(part), imagePlanes(to), part.width, part.height);
        return {};
    }
    // Two steps: what reads the memory of devices knows one format for each.
    const Layout between =
        Layout::linear(linear, part.width, part.height, linear.rowSamples(1, part.width) * linear.bytesPerSample(), 0);
    std::vector<uint8_t> pixels(between.size);
    const auto planes = planesAt(linear, pixels.data(), between.offsets.data(), between.pitches.data(), 0, 0);
    auto status = unpack(part, planes);
    if (status.ok())
        convert(linear, planes, imagePlanes(to), part.width, part.height);
    return status;
}

Status Transfer::toSurface(const Rectangle& from, const Rectangle& to) const {
    const PixelFormat& format = *surfaceView_->layout().format;
    if (!format.linear())
        return {VA_STATUS_ERROR_OPERATION_FAILED, strprintf("nobody but the decoder writes %s", format.name)};
    const auto convert = readback::findConversion(*imageFormat_, format);
    if (!convert)
        return noConversion(*imageFormat_, format);
    if (const Rectangle part = within(to); part.width && part.height)
        convert(format, imagePlanes(from), surfacePlanes(part), part.width, part.height);
    return {};
}

} // namespace

Status getImage(Driver& driver, VASurfaceID surfaceId, int x, int y, unsigned width, unsigned height,
                VAImageID imageId) {
    Transfer transfer;
    if (auto status = transfer.open(driver, surfaceId, imageId, Access::Read); !status.ok())
        return status;
    const VAImage& image = transfer.image();
    const decode::Surface& surface = transfer.surface();
    const auto from = checkRectangle(x, y, width, height, surface.width(), surface.height());
    const auto to = checkRectangle(0, 0, width, height, image.width, image.height);
    if (!from || !to)
        return {VA_STATUS_ERROR_INVALID_PARAMETER,
                strprintf("%ux%u at %d,%d of a surface of %ux%u into an image of %ux%u", width, height, x, y,
                          surface.width(), surface.height(), image.width, image.height)};
    return transfer.toImage(*from, *to);
}

Status putImage(Driver& driver, VASurfaceID surfaceId, VAImageID imageId, int sourceX, int sourceY,
                unsigned sourceWidth, unsigned sourceHeight, int x, int y, unsigned width, unsigned height) {
    if (sourceWidth != width || sourceHeight != height)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "vaPutImage does not scale here"};
    Transfer transfer;
    if (auto status = transfer.open(driver, surfaceId, imageId, Access::ReadWrite); !status.ok())
        return status;
    const VAImage& image = transfer.image();
    const decode::Surface& surface = transfer.surface();
    const auto from = checkRectangle(sourceX, sourceY, width, height, image.width, image.height);
    const auto to = checkRectangle(x, y, width, height, surface.width(), surface.height());
    if (!from || !to)
        return {VA_STATUS_ERROR_INVALID_PARAMETER,
                strprintf("%ux%u at %d,%d of an image of %ux%u to %d,%d of a surface of %ux%u", width, height, sourceX,
                          sourceY, image.width, image.height, x, y, surface.width(), surface.height())};
    auto status = transfer.toSurface(*from, *to);
    if (status.ok())
        transfer.surface().mend();
    return status;
}

} // namespace v4l2_request::va
