// SPDX-License-Identifier: MIT
//
// The H.264 controls of one job, read and held against each other and against the bitstream.
#pragma once

#include <optional>
#include <span>

#include "core/job.h"
#include "h264/slice_reader.h"

namespace daedalus::h264 {

using DecodeParams = v4l2_ctrl_h264_decode_params;
using SliceParams = v4l2_ctrl_h264_slice_params;
using PredWeights = v4l2_ctrl_h264_pred_weights;

/// The controls of one job.
struct Controls {
    Sps sps;
    Pps pps;
    std::optional<ScalingMatrix> scaling;
    DecodeParams decode;
    bool sliceBased = false;
    bool startCodes = false;
    SliceParams slice; ///< slice-based only
    std::optional<PredWeights> weights;
};

/// Errors for controls that are missing, or contradict each other.
Result<Controls> readControls(const Job& job, std::span<const uint8_t> payload);
/// Fields of DECODE_PARAMS that the slice header says too: pixels would not always show a difference, so each is
/// compared. (Hardware reads some of them instead of the header, or skips as many bits as they say.)
Result<void> compareWithStream(const Controls& controls, const ParsedSlice& parsed);
/// Puts SLICE_PARAMS (and PRED_WEIGHTS) in the place of what the slice header said.
Result<void> applySliceParams(SliceHeader& header, const Controls& controls, size_t headerBits);

} // namespace daedalus::h264
