// SPDX-License-Identifier: MIT
//
// The compressed header of a VP9 frame, read from the payload: nothing here is taken from a control. Clauses are those
// of the VP9 Bitstream & Decoding Process Specification, version 0.6.
#pragma once

#include <cstdint>
#include <span>

#include "vp9/header.h"

namespace daedalus {

/// Reads `data`, which is the whole of it, into header.compressed, and header.frame.reference_mode, which it decides.
/// Expects the rest of header.frame.
Result<void> readVp9CompressedHeader(std::span<const uint8_t> data, Vp9Header& header);

/// EINVAL that names the first field that differs.
Result<void> checkVp9CompressedHeader(const v4l2_ctrl_vp9_compressed_hdr& has,
                                      const v4l2_ctrl_vp9_compressed_hdr& expected);

} // namespace daedalus
