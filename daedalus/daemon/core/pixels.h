// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>

#include "core/result.h"
#include "daedalus_protocol.h"

struct AVFrame;

namespace daedalus {

/// Writes a decoded picture into a CAPTURE buffer of the negotiated format, whose chroma may have a piece of memory of
/// its own. What of the picture does not fit the format is clipped, what of the format the picture does not cover is
/// left alone.
Result<void> storePicture(const AVFrame& picture, const daedalus_format& format, std::span<uint8_t> buffer,
                          std::span<uint8_t> chroma = {});

} // namespace daedalus
