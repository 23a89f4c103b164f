// SPDX-License-Identifier: MIT
#include "readback/convert.h"

#include <libyuv.h>

namespace v4l2_request::readback {

namespace {

int bytes(uint32_t pitch) {
    return static_cast<int>(pitch);
}

void copy(const PixelFormat& format, const Planes& from, const Planes& to, uint32_t width, uint32_t height) {
    for (unsigned i = 0; i < format.planeCount; i++) {
        const PixelFormat::Plane& plane = format.planes[i];
        const uint32_t columns = (width + plane.horizontal - 1) / plane.horizontal;
        const uint32_t rows = (height + plane.vertical - 1) / plane.vertical;
        libyuv::CopyPlane(from.data[i], bytes(from.pitches[i]), to.data[i], bytes(to.pitches[i]),
                          bytes(columns * plane.bytes), static_cast<int>(rows));
    }
}

// Where Cb and Cr are among the planes of a format that has one for each.
template <unsigned cb, unsigned cr>
void nv12ToPlanar(const PixelFormat&, const Planes& from, const Planes& to, uint32_t width, uint32_t height) {
    libyuv::NV12ToI420(from.data[0], bytes(from.pitches[0]), from.data[1], bytes(from.pitches[1]), to.data[0],
                       bytes(to.pitches[0]), to.data[cb], bytes(to.pitches[cb]), to.data[cr], bytes(to.pitches[cr]),
                       static_cast<int>(width), static_cast<int>(height));
}

template <unsigned cb, unsigned cr>
void planarToNv12(const PixelFormat&, const Planes& from, const Planes& to, uint32_t width, uint32_t height) {
    libyuv::I420ToNV12(from.data[0], bytes(from.pitches[0]), from.data[cb], bytes(from.pitches[cb]), from.data[cr],
                       bytes(from.pitches[cr]), to.data[0], bytes(to.pitches[0]), to.data[1], bytes(to.pitches[1]),
                       static_cast<int>(width), static_cast<int>(height));
}

struct Row {
    uint32_t from, to; // VA_FOURCC_*
    Conversion convert;
};

constexpr auto conversions = std::to_array<Row>({
    {VA_FOURCC_NV12, VA_FOURCC_I420, nv12ToPlanar<1, 2>},
    {VA_FOURCC_NV12, VA_FOURCC_YV12, nv12ToPlanar<2, 1>},
    {VA_FOURCC_I420, VA_FOURCC_NV12, planarToNv12<1, 2>},
    {VA_FOURCC_YV12, VA_FOURCC_NV12, planarToNv12<2, 1>},
});

} // namespace

Conversion findConversion(const PixelFormat& from, const PixelFormat& to) {
    if (&from == &to)
        return copy;
    for (const Row& row : conversions)
        if (row.from == from.va && row.to == to.va)
            return row.convert;
    return nullptr;
}

} // namespace v4l2_request::readback
