// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include <linux/v4l2-controls.h>

#include "core/result.h"

namespace daedalus {

/// What the payload of one frame says.
struct Vp9Header {
    v4l2_ctrl_vp9_frame frame{}; ///< as a client should send it; without timestamps
    v4l2_ctrl_vp9_compressed_hdr compressed{};
    bool intra = false; ///< FrameIsIntra: refers to no picture
    uint8_t refreshFrameFlags = 0;
    std::array<uint8_t, 3> refFrameIdx{}; ///< last, golden, altref
};

/// Reads the headers of the frames of one stream, in order; what lasts from frame to frame is in here. Clauses are
/// those of the VP9 Bitstream & Decoding Process Specification, version 0.6.
class Vp9HeaderReader {
public:
    /// The state changes only if the frame can be read, compressed header included. ENOTSUP for profiles other than 0.
    Result<Vp9Header> read(std::span<const uint8_t> payload);

private:
    class Uncompressed;

    struct Size {
        uint16_t widthMinus1 = 0, heightMinus1 = 0;
    };
    struct State {
        v4l2_vp9_loop_filter filter{};    ///< the deltas count
        v4l2_vp9_segmentation segments{}; ///< the features and how they count
        bool fullSwing = false;           ///< color_range
        uint8_t bitDepth = 8;
        std::array<Size, 8> sizes{}; ///< of the reference slots
    };
    State state_;
    bool started_ = false;
};

/// EINVAL that names the first field that differs and has a meaning in this frame.
Result<void> checkVp9Frame(const v4l2_ctrl_vp9_frame& has, const Vp9Header& header);

} // namespace daedalus
