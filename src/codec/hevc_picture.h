// SPDX-License-Identifier: MIT
#pragma once

#ifdef HAVE_UAPI_HEVC

#include <array>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include <linux/v4l2-controls.h>
#include <va/va.h>

#include "bitstream/hevc_slice_header.h"
#include "codec/codec.h"

// An HEVC picture as its builder sees it: the VA buffers read and checked, the slices parsed and put in order. Clauses
// are those of Rec. ITU-T H.265.
namespace v4l2_request::codec::hevc {

// The sizes of the tiles in coding tree blocks (6.5.1): a single one where tiles are off.
struct Tiles {
    std::pmr::vector<uint16_t> columns; // 1 to 20
    std::pmr::vector<uint16_t> rows;    // 1 to 22
    bool uniform = true;                // as 6-3 and 6-4 would have it
};

struct ParsedSlice {
    ParsedSlice(const Slice& slice, std::pmr::memory_resource* memory);
    VASliceParameterBufferHEVC parameters;
    bitstream::HevcSliceHeader header;
    Bytes data;
};

struct Picture {
    explicit Picture(std::pmr::memory_resource* memory)
        : tiles{.columns = std::pmr::vector<uint16_t>(memory), .rows = std::pmr::vector<uint16_t>(memory)},
          slices(memory) {}

    VAPictureParameterBufferHEVC parameters;
    Tiles tiles;
    std::pmr::vector<ParsedSlice> slices; // slice segments, in decoding order; at least one
    bool incomplete = false;              // a segment is missing, or one was left out

    const bitstream::HevcSliceHeader& header() const { return slices.front().header; }
    bool intra() const; // no slice predicts from another picture
};

// Reads and checks everything but the references, to where it stays. What VA-API or the Main profiles cannot carry is
// Unsupported. A slice segment whose header makes no sense is left out, as one that never arrived: the picture is
// refused only if none is left.
Result<void> readPicture(const PictureInput& input, Picture& picture);

// The kinds of references that this picture itself may be predicted from.
inline constexpr uint32_t currentFlags =
    VA_PICTURE_HEVC_RPS_ST_CURR_BEFORE | VA_PICTURE_HEVC_RPS_ST_CURR_AFTER | VA_PICTURE_HEVC_RPS_LT_CURR;

bool isInvalid(const VAPictureHEVC& picture);
size_t countReferences(const VAPictureParameterBufferHEVC& picture, uint32_t flags);

// pic_struct of the picture timing SEI message (table D.2), as much as VA-API knows: frame, top or bottom field.
uint8_t picStruct(const VAPictureHEVC& picture);

} // namespace v4l2_request::codec::hevc

#endif // HAVE_UAPI_HEVC
