// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <span>

#include "core/picture_decoder.h"

namespace daedalus {

/// libdav1d through libavcodec, which hands out each shown frame with the packet that has it. libavcodec's wrapper has
/// memory of its own for pictures, so that PictureDecoder cannot see them.
class Av1PictureDecoder {
public:
    static Result<std::unique_ptr<Av1PictureDecoder>> create();

    /// Decodes one temporal unit with one frame. `shown`: there must be a picture; else none, and null is returned. It
    /// is valid until the next call.
    Result<const AVFrame*> decode(std::span<const uint8_t> unit, bool shown);

private:
    Av1PictureDecoder() = default;

    AvContext context_;
    AvPacket packet_;
    AvFrame picture_;
};

} // namespace daedalus
