// SPDX-License-Identifier: MIT
//
// Test only: walks an H.264 byte stream as a kernel-direct client does, and says what its controls would hold. Written
// from Rec. ITU-T H.264 without a look at the daemon, except that slice headers are read by the daemon's parser.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <linux/v4l2-controls.h>

#include "h264/slice_reader.h"

namespace daedalus::test {

struct StreamSlice {
    std::span<const uint8_t> nal;
    h264::ParsedSlice parsed;
};

/// A coded frame, or one field of it.
struct StreamPicture {
    size_t frame = 0; ///< number of the frame in decoding order; both fields of a frame have the same
    bool secondField = false;
    std::vector<StreamSlice> slices;
    v4l2_ctrl_h264_sps sps{};
    v4l2_ctrl_h264_pps pps{};
    v4l2_ctrl_h264_scaling_matrix scaling{};
    v4l2_ctrl_h264_decode_params params{};
    std::vector<size_t> references; ///< frames that the DPB lists: their buffers must be kept
    unsigned cropLeft = 0, cropTop = 0;
};

struct Stream {
    std::vector<StreamPicture> pictures;
    std::vector<std::span<const uint8_t>> accessUnits; ///< one per frame, with all that precedes it
    std::string refused;                               ///< why this walker cannot do the stream; empty: it can
};

/// Timestamp that the walker gives a frame, in nanoseconds.
constexpr uint64_t timestampOf(size_t frame) {
    return (frame + 1) * 1000;
}

Stream walk(std::span<const uint8_t> bytes);

} // namespace daedalus::test
