// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include <linux/v4l2-controls.h>

#include "core/result.h"

namespace daedalus {

/// Where a reference buffer takes its next picture from (9.7).
enum class Vp8Source : uint8_t { Keep, Current, Last, Golden, Alternate };

/// What the payload of one frame says.
struct Vp8Header {
    v4l2_ctrl_vp8_frame control{}; ///< as a client should send it; without timestamps
    bool keyFrame = false;
    bool refreshLast = false;
    Vp8Source golden = Vp8Source::Keep;
    Vp8Source alternate = Vp8Source::Keep;
};

/// Reads the headers of the frames of one stream, in order; what lasts from frame to frame is in here. Clauses are
/// those of RFC 6386.
class Vp8HeaderReader {
public:
    /// The state changes only if the frame can be read: the tag, the frame header and the sizes of its partitions.
    Result<Vp8Header> read(std::span<const uint8_t> payload);

private:
    v4l2_ctrl_vp8_frame last_{}; ///< the state: what a frame leaves to the next, in the fields it has in the control
    bool started_ = false;
};

/// EINVAL that names the first field that differs and has a meaning in this frame.
Result<void> checkVp8Frame(const v4l2_ctrl_vp8_frame& has, const v4l2_ctrl_vp8_frame& expected);

} // namespace daedalus
