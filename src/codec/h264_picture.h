// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory_resource>
#include <vector>

#include <va/va.h>

#include "bitstream/h264_slice_header.h"
#include "codec/codec.h"

// An H.264 picture as its builder sees it: the VA buffers read and checked, the slices parsed and put in order. Clauses
// are those of Rec. ITU-T H.264.
namespace v4l2_request::codec::h264 {

struct ParsedSlice {
    // Reads the parameters up to their lists.
    explicit ParsedSlice(const Slice& slice);
    // Reads of the lists what the header says is there.
    void readLists(const Slice& slice);

    VASliceParameterBufferH264 parameters; // of 3 KB, most is never looked at: that is not read
    bitstream::H264SliceHeader header;
    Bytes data;
};

// The parameters, and the slices of the primary coded picture.
struct Picture {
    explicit Picture(std::pmr::memory_resource* memory) : slices(memory) {}

    VAPictureParameterBufferH264 parameters;
    std::pmr::vector<ParsedSlice> slices; // in the order of their first macroblocks; at least one
    bool incomplete = false;              // a slice is missing, or one was left out

    const bitstream::H264SliceHeader& header() const { return slices.front().header; }
    // MaxFrameNum (7-10)
    int64_t maxFrameNum() const { return int64_t{16} << parameters.seq_fields.bits.log2_max_frame_num_minus4; }
};

// In newer headers of libva only: a frame that the decoder inferred from a gap in frame_num (8.2.5.2).
inline constexpr uint32_t pictureNonExisting = 0x20;
inline constexpr uint32_t pictureReference = VA_PICTURE_H264_SHORT_TERM_REFERENCE | VA_PICTURE_H264_LONG_TERM_REFERENCE;

// An entry without a picture. Some clients name no surface for a frame that was inferred from a gap, but say all else
// of it: that is an entry.
bool isInvalid(const VAPictureH264& picture);
// Whether an entry has a picture that was ever coded.
bool exists(const VAPictureH264& picture);
// V4L2_H264_*_REF: the fields of the frame that an entry stands for.
uint8_t referenceFields(const VAPictureH264& picture);

// What a client has added to pic_init_qp_minus26, which VA-API has as it is coded.
int addedToInitQp(const VAPictureParameterBufferH264& picture);

// Reads and checks everything but the references, to where it stays. A slice whose header makes no sense is left out,
// as one that never arrived: the picture is refused only if none is left.
Result<void> readPicture(const PictureInput& input, Picture& picture);

} // namespace v4l2_request::codec::h264
