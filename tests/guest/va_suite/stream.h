// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include <va/va.h>

#include "bits.h"

namespace va_suite {

// The buffers of one picture, as a client sends them.
struct Picture {
    struct Slice {
        Bytes parameters; // VASliceParameterBuffer*
        Bytes data;
        unsigned elements = 1; // structs in `parameters`
    };
    Bytes parameters; // VAPictureParameterBuffer*
    Bytes iqMatrix;
    Bytes probabilities = {}; // VP8
    std::vector<Slice> slices;

    // Every slice parameter struct begins with this.
    static VASliceParameterBufferBase& base(Slice& slice) {
        return *reinterpret_cast<VASliceParameterBufferBase*>(slice.parameters.data());
    }
};

// A small stream of the fixtures, parsed: progressive, one sequence, no B pictures, so that pictures come out in the
// order in which they are decoded.
class Stream {
public:
    virtual ~Stream() = default;

    VAProfile profile = VAProfileNone;
    unsigned width = 0, height = 0; // of the pictures, pixels
    size_t pictureCount = 0;
    // What a decoder makes of it: NV12, picture after picture; empty where the caller of the suite gave none.
    Bytes expected;
    // One of them; throws if there is none.
    std::span<const uint8_t> expectedPicture(size_t index) const;

    // The frame that a picture is, or is a field of: what lands in one surface.
    virtual size_t frameOf(size_t picture) const { return picture; }
    virtual size_t frameCount() const { return pictureCount; }
    // The buffers of a picture; surfaces[i] holds frame i, and references are named by it.
    virtual Picture picture(size_t index, std::span<const VASurfaceID> surfaces) const = 0;
    // Makes all references of a picture name this surface.
    virtual void redirectReferences(Picture& picture, VASurfaceID surface) const = 0;
    // Makes the picture say that it has this size.
    virtual void resize(Picture& picture, unsigned width, unsigned height) const = 0;

    size_t pictureBytes() const { return size_t{width} * height * 3 / 2; }
};

// Reads $VA_SUITE_FIXTURES/<codec>/<file>, and what is expected from $VA_SUITE_EXPECTED/<file>.nv12 if there is such a
// file.
std::shared_ptr<const Stream> loadMpeg2(const std::string& file);
// Of a stream whose pictures are one slice each, `limit` may be given: the parser knows no frame_num that wraps around.
std::shared_ptr<const Stream> loadH264(const std::string& file, size_t limit = SIZE_MAX);

// The streams that every decoding test runs with, parsed once.
enum class Codec { Mpeg2, H264 };
const Stream& streamOf(Codec codec);
std::string nameOf(Codec codec);

// Of the data, or of what came before it and the data.
uint32_t crc32(const uint8_t* data, size_t size, uint32_t before = 0);

// For the loaders.
Bytes readFile(const std::string& path);
Bytes readExpected(const std::string& file);
std::string fixture(const std::string& relative);

} // namespace va_suite
