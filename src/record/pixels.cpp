// SPDX-License-Identifier: MIT
#include "record/pixels.h"

#include "readback/picture.h"

namespace v4l2_request::record {

Blob tightPixels(std::span<const uint8_t> memory, const Layout& layout, uint32_t width, uint32_t height) {
    const PixelFormat& format = *findByVa(layout.format->va);
    size_t size = 0;
    std::array<size_t, 3> offsets{};
    readback::Planes planes;
    for (unsigned i = 0; i < format.planeCount; i++) {
        planes.pitches[i] = format.rowSamples(i, width) * format.bytesPerSample();
        offsets[i] = size;
        size += size_t{planes.pitches[i]} * format.rows(i, height);
    }
    Blob pixels(size);
    for (unsigned i = 0; i < format.planeCount; i++)
        planes.data[i] = pixels.data() + offsets[i];
    if (!readback::readPicture(memory, layout, {.x = 0, .y = 0, .width = width, .height = height}, planes))
        pixels.clear();
    return pixels;
}

} // namespace v4l2_request::record
