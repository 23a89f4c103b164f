// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include "player.h"

// libva exports these and declares them nowhere.
extern "C" {
VAStatus vaBufferInfo(VADisplay display, VAContextID context, VABufferID buffer, VABufferType* type, unsigned* size,
                      unsigned* elements);
VAStatus vaLockSurface(VADisplay display, VASurfaceID surface, unsigned* fourcc, unsigned* lumaStride,
                       unsigned* chromaUStride, unsigned* chromaVStride, unsigned* lumaOffset, unsigned* chromaUOffset,
                       unsigned* chromaVOffset, unsigned* bufferName, void** buffer);
VAStatus vaUnlockSurface(VADisplay display, VASurfaceID surface);
}

namespace va_suite {

// A test with a display of its own.
class VaTest : public testing::Test {
protected:
    Display display;

    VASurfaceID makeSurface(unsigned width, unsigned height) {
        VASurfaceID id = VA_INVALID_SURFACE;
        REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, width, height, &id, 1, nullptr, 0));
        return id;
    }
    VAImage makeImage(unsigned width, unsigned height, uint32_t fourcc = VA_FOURCC_NV12) {
        VAImageFormat format{};
        format.fourcc = fourcc;
        VAImage image{};
        REQUIRE_VA(vaCreateImage(display, &format, static_cast<int>(width), static_cast<int>(height), &image));
        return image;
    }
};

// A test that runs once per codec, and is skipped where the driver does not offer it.
class CodecTest : public testing::TestWithParam<Codec> {
protected:
    void SetUp() override {
        if (!display.offers(stream().profile))
            GTEST_SKIP() << "the driver does not offer " << nameOf(GetParam()) << " here";
    }
    const Stream& stream() const { return streamOf(GetParam()); }

    Display display;
};

#define VA_SUITE_FOR_ALL_CODECS(Suite)                                                                                 \
    INSTANTIATE_TEST_SUITE_P(All, Suite, testing::Values(Codec::Mpeg2, Codec::H264),                                   \
                             [](const auto& row) { return nameOf(row.param); })

} // namespace va_suite
