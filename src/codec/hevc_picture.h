// SPDX-License-Identifier: MIT
#pragma once

#ifdef HAVE_UAPI_HEVC

#include <array>
#include <cstdint>
#include <vector>

#include <linux/v4l2-controls.h>
#include <va/va.h>

#include "bitstream/hevc_slice_header.h"
#include "codec/codec.h"

// An HEVC picture as its builder sees it: the VA buffers read and checked, the slices parsed, the reference picture set
// in the order of the specification. Clauses are those of Rec. ITU-T H.265.
namespace v4l2_request::codec::hevc {

// The sizes of the tiles in coding tree blocks (6.5.1): a single one where tiles are off.
struct Tiles {
    std::vector<uint16_t> columns; // 1 to 20
    std::vector<uint16_t> rows;    // 1 to 22
    bool uniform = true;           // as 6-3 and 6-4 would have it
};

struct ParsedSlice {
    VASliceParameterBufferHEVC parameters;
    bitstream::HevcSliceHeader header;
    Bytes data;
};

struct Picture {
    VAPictureParameterBufferHEVC parameters;
    Tiles tiles;
    std::vector<ParsedSlice> slices; // slice segments, in decoding order; at least one

    const bitstream::HevcSliceHeader& header() const { return slices.front().header; }
    bool intra() const; // no slice predicts from another picture
};

// Reads and checks everything but the references. What VA-API or the Main profiles cannot carry is Unsupported.
Result<Picture> readPicture(const PictureInput& input);

// In a list of indices: no picture.
inline constexpr uint8_t noPicture = 0xff;

// The references of a picture as the controls have them. Indices are into `entries`.
struct Dpb {
    std::vector<v4l2_hevc_dpb_entry> entries; // at most 15
    std::array<uint8_t, 15> indexOf{};        // of each of VA-API's ReferenceFrames
    std::vector<uint8_t> stCurrBefore;        // 8.3.2: closest first
    std::vector<uint8_t> stCurrAfter;         // closest first
    std::vector<uint8_t> ltCurr;              // in the order of the slice header
};

Result<Dpb> buildDpb(const Picture& picture, VASurfaceID target, const References& references);

// pic_struct of the picture timing SEI message (table D.2), as much as VA-API knows: frame, top or bottom field.
uint8_t picStruct(const VAPictureHEVC& picture);

} // namespace v4l2_request::codec::hevc

#endif // HAVE_UAPI_HEVC
