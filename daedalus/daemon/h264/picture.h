// SPDX-License-Identifier: MIT
//
// An H.264 picture on its way to libavcodec, and what of its DPB it was resolved to.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/slice_decoder.h"
#include "h264/controls.h"
#include "h264/lists.h"
#include "h264/slice_writer.h"

namespace daedalus::h264 {

constexpr int32_t writtenMaxFrameNum = 1 << writtenFrameNumBits;

/// A picture that libavcodec holds as reference.
struct Reference {
    uint64_t timestamp = 0;
    uint8_t decodedFields = 0;
    uint8_t fields = 0; ///< marked as reference in libavcodec
    uint32_t frameNum = 0;
    int32_t poc[2] = {0, 0};
    bool renumbered = false; ///< by memory_management_control_operation 5: its numbers changed after it was decoded
    uint32_t writtenFrameNum = 0;
    int32_t writtenPoc[2] = {0, 0};
    int longTermFrameIdx = -1; ///< -1: short-term
};

/// What an ACTIVE entry of the control's DPB turned out to be.
struct Resolved {
    int reference = -1;   ///< index into the references held; -1: there is none, for the reason given
    bool standIn = false; ///< the entry is another picture's, which was never decoded: its numbers are not these
    std::string reason;
    std::optional<Error> damage; ///< of the picture that is referred to
};

struct Slice {
    uint32_t firstMb = 0;
    WrittenSlice written;
};

/// A frame or field whose slices are being collected.
struct Picture : CollectedPicture {
    using CollectedPicture::CollectedPicture;
    Controls controls;
    SliceHeader first; ///< the stream's own header of the first slice
    uint8_t structure = frame;
    bool secondField = false;
    uint32_t writtenFrameNum = 0;
    int32_t writtenPoc[2] = {0, 0};
    uint32_t writtenIdrPicId = 0;
    CurrentPicture current;
    std::vector<DpbPicture> dpb;
    std::vector<Resolved> resolved; ///< parallel to dpb
    std::vector<MemoryOperation> marking;
    std::vector<size_t> released;                  ///< references that the marking releases
    std::vector<std::pair<size_t, int>> longTerms; ///< references that the marking makes long-term, and their index
    int longTermFrameIdx = -1;                     ///< of this picture, by its own marking
    bool renumbers = false;
    std::vector<Slice> slices;
    bool hasP = false, hasB = false; ///< slices of that type

    bool isReference() const { return first.nalRefIdc != 0; }
    bool isField() const { return structure != frame; }
    /// CurrPicNum (7.4.3), in the numbering of the client.
    int32_t currPicNum() const { return isField() ? 2 * current.frameNum + 1 : current.frameNum; }
    /// The number of a frame as that of its field: 2 * number + 1 for one of the picture's own parity (8.2.4.1).
    int32_t numberOf(int32_t number, uint8_t parity) const {
        return !isField() ? number : parity == structure ? 2 * number + 1 : 2 * number;
    }
};

inline const char* structureName(uint8_t structure) {
    return structure == frame ? "frame" : structure == top ? "top field" : "bottom field";
}

} // namespace daedalus::h264
