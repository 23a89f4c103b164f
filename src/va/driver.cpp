// SPDX-License-Identifier: MIT
#include "va/driver.h"

#include <algorithm>

namespace v4l2_request::va {

// Clients leave things behind. Contexts go first: they finish what the device still writes.
Driver::~Driver() {
    for (const auto& context : contexts.removeAll())
        context->stream->finish();
}

const decode::Decoder* Driver::decoderFor(const PixelFormat& format, uint32_t width, uint32_t height) const {
    const auto fits = [&](const decode::Decoder& decoder) {
        return width <= decoder.sizes.maxWidth && height <= decoder.sizes.maxHeight &&
               std::any_of(decoder.profiles.begin(), decoder.profiles.end(),
                           [&](const codec::Profile& profile) { return (profile.rtFormats & format.rt) != 0; });
    };
    if (const decode::Decoder* decoder = recent_; decoder && fits(*decoder))
        return decoder;
    const auto found = std::find_if(decoders.begin(), decoders.end(), fits);
    return found == decoders.end() ? nullptr : &*found;
}

namespace {

// For a surface that no picture was decoded into. Smaller than the device's smallest: the client sees a corner of what
// the device has.
decode::StreamFormat streamFormat(const decode::Decoder& decoder, const PixelFormat& format, uint32_t width,
                                  uint32_t height) {
    const auto coded = [](uint32_t pixels, uint32_t least, uint32_t most) {
        return std::clamp(decode::wholeUnits(pixels), least, std::max(pixels, most));
    };
    const v4l2::FrameSizes& sizes = decoder.sizes;
    return {.width = coded(width, sizes.minWidth, sizes.maxWidth),
            .height = coded(height, sizes.minHeight, sizes.maxHeight),
            .bitDepth = format.bitDepth,
            .sequence = {}};
}

} // namespace

std::optional<Layout> Driver::surfaceLayout(const PixelFormat& format, uint32_t width, uint32_t height) {
    const decode::Decoder* decoder = isForSurfaces(format) ? decoderFor(format, width, height) : nullptr;
    if (!decoder)
        return std::nullopt;
    const LayoutQuestion question{decoder, &format, width, height};
    {
        const std::lock_guard lock(mutex_);
        if (lastLayout_.question == question)
            return lastLayout_.answer;
    }
    const auto layout = decode::layoutFor(*decoder, streamFormat(*decoder, format, width, height));
    const auto answer = layout && layout->format == &format ? std::optional(*layout) : std::nullopt;
    const std::lock_guard lock(mutex_); // not while the device is asked
    lastLayout_ = {question, answer};
    return answer;
}

Result<std::shared_ptr<decode::FrameMemory>> Driver::memoryOf(decode::Surface& surface) const {
    if (auto memory = surface.memoryIfAny())
        return memory;
    const decode::Decoder* decoder = decoderFor(surface.format(), surface.width(), surface.height());
    if (!decoder) // va.h wants VA_STATUS_ERROR_OPERATION_FAILED where an image cannot be derived
        return fail(ErrorKind::Device, strprintf("no decoder writes %s of %ux%u", surface.format().name,
                                                 surface.width(), surface.height()));
    return surface.memory(*decoder, streamFormat(*decoder, surface.format(), surface.width(), surface.height()));
}

std::shared_ptr<decode::Stream> Driver::takeStream(const decode::Decoder& decoder) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(parked_.begin(), parked_.end(), [&](const auto& stream) {
        return stream->decoder().codec == decoder.codec && stream->decoder().node.videoPath == decoder.node.videoPath;
    });
    if (found == parked_.end())
        return decode::Stream::create(decoder, log);
    auto stream = std::move(*found);
    parked_.erase(found);
    return stream;
}

void Driver::parkStream(std::shared_ptr<decode::Stream> stream) {
    std::vector<std::shared_ptr<decode::Stream>> replaced; // closed outside the lock
    const std::lock_guard lock(mutex_);
    std::erase_if(parked_, [&](auto& other) {
        const bool same = other->decoder().codec == stream->decoder().codec;
        if (same)
            replaced.push_back(std::move(other));
        return same;
    });
    if (stream->isReferable())
        parked_.push_back(std::move(stream));
}

void Driver::dropUnusedStreams() {
    std::vector<std::shared_ptr<decode::Stream>> unused; // closed outside the lock
    const std::lock_guard lock(mutex_);
    std::erase_if(parked_, [&](auto& stream) {
        const bool drop = !stream->isReferable();
        if (drop)
            unused.push_back(std::move(stream));
        return drop;
    });
}

} // namespace v4l2_request::va
