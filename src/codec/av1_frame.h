// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <optional>

#include <va/va.h>

#include "codec/control_ids.h"
#include "util/result.h"

// The controls of an AV1 frame from what VA-API says of it, but for what depends on other frames.
namespace v4l2_request::codec {

// Whether the frame refers to no other (FrameIsIntra).
inline bool isAv1Intra(const VADecPictureParameterBufferAV1& picture) {
    const auto type = picture.pic_info_fields.bits.frame_type;
    return type == V4L2_AV1_KEY_FRAME || type == V4L2_AV1_INTRA_ONLY_FRAME;
}

// Values outside the ranges of the specification are refused: kernel drivers compute addresses with some of them.
Result<void> checkAv1Picture(const VADecPictureParameterBufferAV1& picture);

// V4L2_AV1_SEQUENCE_FLAG_* of tools that VA-API does not carry and that this frame uses.
uint32_t usedAv1Tools(const VADecPictureParameterBufferAV1& picture);
v4l2_ctrl_av1_sequence fillAv1Sequence(const VADecPictureParameterBufferAV1& picture, uint32_t tools, uint32_t maxWidth,
                                       uint32_t maxHeight);

// Without tile_info.
v4l2_ctrl_av1_frame fillAv1Frame(const VADecPictureParameterBufferAV1& picture);
v4l2_ctrl_av1_film_grain fillAv1FilmGrain(const VADecPictureParameterBufferAV1& picture);

// skip_mode_params() (5.9.22): SkipModeFrame[], as LAST_FRAME = 1 and so on; nothing if skip mode is not allowed.
// `orderHints` are those of the seven references.
std::optional<std::array<uint8_t, 2>> av1SkipModeFrames(const VADecPictureParameterBufferAV1& picture,
                                                        const std::array<uint8_t, 7>& orderHints);

} // namespace v4l2_request::codec
