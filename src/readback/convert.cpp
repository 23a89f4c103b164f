// SPDX-License-Identifier: MIT
#include "readback/convert.h"

#include <algorithm>
#include <cstring>

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

// Samples of 10 bits are the high ones of 16. To 8 bits they are rounded, as the values in between are as likely; from
// 8 bits they are shifted, so that there and back is the same.
uint8_t narrowed(const uint8_t* sample) {
    uint16_t wide;
    std::memcpy(&wide, sample, sizeof(wide));
    return static_cast<uint8_t>(std::min(((wide >> 6) + 2) >> 2, 255));
}

// Every sample of a row, `step` samples apart: one plane of a pair where that is 2.
void narrowRow(const uint8_t* from, uint8_t* to, uint32_t count, uint32_t step) {
    for (uint32_t i = 0; i < count; i++)
        to[i] = narrowed(from + size_t{2} * step * i);
}

void p010ToNv12(const PixelFormat&, const Planes& from, const Planes& to, uint32_t width, uint32_t height) {
    for (uint32_t y = 0; y < height; y++)
        narrowRow(from.data[0] + size_t{y} * from.pitches[0], to.data[0] + size_t{y} * to.pitches[0], width, 1);
    for (uint32_t y = 0; y < (height + 1) / 2; y++)
        narrowRow(from.data[1] + size_t{y} * from.pitches[1], to.data[1] + size_t{y} * to.pitches[1],
                  (width + 1) / 2 * 2, 1);
}

template <unsigned cb, unsigned cr>
void p010ToPlanar(const PixelFormat&, const Planes& from, const Planes& to, uint32_t width, uint32_t height) {
    for (uint32_t y = 0; y < height; y++)
        narrowRow(from.data[0] + size_t{y} * from.pitches[0], to.data[0] + size_t{y} * to.pitches[0], width, 1);
    for (uint32_t y = 0; y < (height + 1) / 2; y++) {
        const uint8_t* row = from.data[1] + size_t{y} * from.pitches[1];
        narrowRow(row, to.data[cb] + size_t{y} * to.pitches[cb], (width + 1) / 2, 2);
        narrowRow(row + 2, to.data[cr] + size_t{y} * to.pitches[cr], (width + 1) / 2, 2);
    }
}

void nv12ToP010(const PixelFormat&, const Planes& from, const Planes& to, uint32_t width, uint32_t height) {
    const auto widenRow = [](const uint8_t* source, uint8_t* target, uint32_t count) {
        for (uint32_t i = 0; i < count; i++) {
            const auto wide = static_cast<uint16_t>(source[i] << 8);
            std::memcpy(target + size_t{2} * i, &wide, sizeof(wide));
        }
    };
    for (uint32_t y = 0; y < height; y++)
        widenRow(from.data[0] + size_t{y} * from.pitches[0], to.data[0] + size_t{y} * to.pitches[0], width);
    for (uint32_t y = 0; y < (height + 1) / 2; y++)
        widenRow(from.data[1] + size_t{y} * from.pitches[1], to.data[1] + size_t{y} * to.pitches[1],
                 (width + 1) / 2 * 2);
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
    {VA_FOURCC_P010, VA_FOURCC_NV12, p010ToNv12},
    {VA_FOURCC_P010, VA_FOURCC_I420, p010ToPlanar<1, 2>},
    {VA_FOURCC_P010, VA_FOURCC_YV12, p010ToPlanar<2, 1>},
    {VA_FOURCC_NV12, VA_FOURCC_P010, nv12ToP010},
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
