// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <vector>

#include "core/av1_uapi.h"
#include "core/job.h"

namespace daedalus {

constexpr uint8_t av1PrimaryRefNone = 7;
constexpr uint8_t av1AllSlots = 0xff;

/// The controls of a job. Clauses, here and in all av1 files, are those of the AV1 Bitstream & Decoding Process
/// Specification, version 1.0.0 with errata 1.
struct Av1Controls {
    v4l2_ctrl_av1_sequence sequence{};
    v4l2_ctrl_av1_frame frame{};
    std::vector<v4l2_ctrl_av1_tile_group_entry> tiles;
    std::optional<v4l2_ctrl_av1_film_grain> grain; ///< none: the device applies none

    bool has(uint32_t frameFlag) const { return (frame.flags & frameFlag) != 0; }
    bool sequenceHas(uint32_t flag) const { return (sequence.flags & flag) != 0; }
    bool segmented() const { return (frame.segmentation.flags & V4L2_AV1_SEGMENTATION_FLAG_ENABLED) != 0; }
    bool monochrome() const { return sequenceHas(V4L2_AV1_SEQUENCE_FLAG_MONO_CHROME); }
    unsigned planes() const { return monochrome() ? 1 : 3; }

    uint32_t type() const { return static_cast<uint32_t>(frame.frame_type); }
    bool intra() const { return type() == V4L2_AV1_KEY_FRAME || type() == V4L2_AV1_INTRA_ONLY_FRAME; }
    bool shownKey() const { return type() == V4L2_AV1_KEY_FRAME && has(V4L2_AV1_FRAME_FLAG_SHOW_FRAME); }
    bool errorResilient() const { return has(V4L2_AV1_FRAME_FLAG_ERROR_RESILIENT_MODE); }
    /// All slots become this frame, which the bitstream does not say (5.9.2).
    bool refreshesAll() const { return shownKey() || type() == V4L2_AV1_SWITCH_FRAME; }

    uint32_t frameWidth() const { return frame.frame_width_minus_1 + 1; }
    uint32_t frameHeight() const { return frame.frame_height_minus_1 + 1; }
    /// In units of 4x4, of the frame before it is upscaled (5.9.9).
    uint32_t miCols() const { return 2 * ((frameWidth() + 7) >> 3); }
    uint32_t miRows() const { return 2 * ((frameHeight() + 7) >> 3); }

    bool codedLossless() const;
    bool allLossless() const { return codedLossless() && frameWidth() == frame.upscaled_width; }
    /// Whether the filters after the reconstruction have their parameters in the bitstream (5.9.11, 5.9.19).
    bool hasFilters() const { return !codedLossless() && !has(V4L2_AV1_FRAME_FLAG_ALLOW_INTRABC); }
    bool hasRestoration() const { return !allLossless() && !has(V4L2_AV1_FRAME_FLAG_ALLOW_INTRABC); }
    bool appliesGrain() const { return grain && (grain->flags & V4L2_AV1_FILM_GRAIN_FLAG_APPLY_GRAIN) != 0; }
};

Result<Av1Controls> readAv1Controls(const Job& job);

} // namespace daedalus
