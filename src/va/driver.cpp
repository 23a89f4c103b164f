// SPDX-License-Identifier: MIT
#include "va/driver.h"

#include <algorithm>

namespace v4l2_request::va {

// Clients leave things behind. Contexts go first: they finish what the device still writes.
Driver::~Driver() {
    for (const auto& context : contexts.removeAll())
        context->stream->finish();
}

const decode::Decoder* Driver::decoderForSize(uint32_t width, uint32_t height) const {
    const auto fits = [&](const decode::Decoder& decoder) {
        return width <= decoder.sizes.maxWidth && height <= decoder.sizes.maxHeight;
    };
    const auto found = std::find_if(decoders.begin(), decoders.end(), fits);
    return found == decoders.end() ? nullptr : &*found;
}

Result<std::shared_ptr<decode::FrameMemory>> Driver::memoryOf(decode::Surface& surface) const {
    if (auto memory = surface.memoryIfAny())
        return memory;
    const decode::Decoder* decoder = decoderForSize(surface.width(), surface.height());
    if (!decoder)
        return fail(ErrorKind::Unsupported,
                    strprintf("no decoder takes pictures of %ux%u", surface.width(), surface.height()));
    // Smaller than the device's smallest: the client sees a corner of what the device has.
    return surface.memory(*decoder, {.width = std::max(surface.width(), decoder->sizes.minWidth),
                                     .height = std::max(surface.height(), decoder->sizes.minHeight)});
}

} // namespace v4l2_request::va
