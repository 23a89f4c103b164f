// SPDX-License-Identifier: MIT
//
// The HEVC controls of one job, read and held against each other and against the bitstream: pixels would not always
// show a difference, while some hardware reads the one and some the other.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "core/job.h"
#include "hevc/syntax.h"

namespace daedalus::hevc {

using SliceParams = v4l2_ctrl_hevc_slice_params;

/// The controls of one job.
struct Controls {
    Sps sps{};
    Pps pps{};
    std::optional<ScalingMatrix> scaling;
    DecodeParams decode{};
    bool sliceBased = false;
    bool startCodes = false;
    std::vector<SliceParams> slices;
    std::vector<uint32_t> entryPoints;
};

/// A slice segment of the payload.
struct Segment {
    std::span<const uint8_t> nal;
    size_t startCodeBytes = 0;
    size_t room = 0; ///< bytes up to what follows in the payload
};

/// Errors for controls that are missing, or contradict themselves.
Result<Controls> readControls(const Job& job);

/// Fields of the controls that the header of a slice segment says too, each compared. `params` is the element of
/// SLICE_PARAMS for this segment.
Result<void> compareWithStream(const Controls& controls, const SliceParams& params, const SliceHeader& header,
                               const Segment& segment);

/// ENTRY_POINT_OFFSETS of the segment, from element `next` on, which is moved on.
Result<void> compareEntryPoints(const Controls& controls, const SliceHeader& header, size_t& next);

} // namespace daedalus::hevc
