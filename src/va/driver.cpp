// SPDX-License-Identifier: MIT
#include "va/driver.h"

#include <algorithm>

namespace v4l2_request::va {

void Driver::finish() {
    for (const auto& context : contexts.removeAll())
        if (const auto stream = context->close())
            stream->finish();
}

std::shared_ptr<decode::Stream> Context::close() {
    std::unique_lock lock(mutex);
    destroyed = true;
    idle.wait(lock, [&] { return !submitting; });
    return std::move(stream);
}

const decode::Decoder* Driver::decoderFor(const PixelFormat& format, uint32_t width, uint32_t height,
                                          const decode::Decoder* expected) const {
    const auto fits = [&](const decode::Decoder& decoder) {
        return width <= decoder.sizes.maxWidth && height <= decoder.sizes.maxHeight &&
               std::any_of(decoder.profiles.begin(), decoder.profiles.end(),
                           [&](const codec::Profile& profile) { return (profile.rtFormats & format.rt) != 0; });
    };
    if (expected && fits(*expected))
        return expected;
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

std::optional<Layout> Driver::layoutOf(const decode::Decoder& decoder, const PixelFormat& format, uint32_t width,
                                       uint32_t height) const {
    const LayoutQuestion question{&decoder, &format, width, height};
    {
        const std::lock_guard lock(mutex_);
        if (const auto known = layouts_.find(question); known != layouts_.end())
            return known->second;
    }
    const auto layout = decode::layoutFor(decoder, streamFormat(decoder, format, width, height));
    if (!layout && layout.error().kind != ErrorKind::Unsupported)
        return std::nullopt; // it could not be asked: that is no answer
    const auto answer = layout && layout->format == &format ? std::optional(*layout) : std::nullopt;
    const std::lock_guard lock(mutex_); // not while the device is asked
    constexpr size_t most = 64;
    if (layouts_.size() >= most)
        layouts_.clear();
    return layouts_[question] = answer;
}

std::optional<Layout> Driver::surfaceLayout(const PixelFormat& format, uint32_t width, uint32_t height) {
    const decode::Decoder* decoder = isForSurfaces(format) ? decoderFor(format, width, height, lastUsed_) : nullptr;
    return decoder ? layoutOf(*decoder, format, width, height) : std::nullopt;
}

const decode::Decoder* Driver::memoryDecoderFor(const decode::Surface& surface) const {
    const PixelFormat& format = surface.format();
    const uint32_t width = surface.width(), height = surface.height();
    const decode::Decoder* best =
        decoderFor(format, width, height, surface.expected() ? surface.expected() : firstUsed_.load());
    auto layout = best ? layoutOf(*best, format, width, height) : std::nullopt;
    if (!layout)
        return best;
    for (const decode::Decoder& decoder : decoders) {
        if (width > decoder.sizes.maxWidth || height > decoder.sizes.maxHeight)
            continue;
        if (const auto other = layoutOf(decoder, format, width, height); other && other->serves(*layout)) {
            best = &decoder;
            layout = other;
        }
    }
    return best;
}

Result<std::shared_ptr<decode::FrameMemory>> Driver::memoryOf(decode::Surface& surface) const {
    if (auto memory = surface.memory())
        return memory;
    const decode::Decoder* decoder = memoryDecoderFor(surface);
    if (!decoder) // va.h wants VA_STATUS_ERROR_OPERATION_FAILED where an image cannot be derived
        return fail(ErrorKind::Device, strprintf("no decoder writes %s of %ux%u", surface.format().name,
                                                 surface.width(), surface.height()));
    return decode::FrameMemory::allocate(*decoder,
                                         streamFormat(*decoder, surface.format(), surface.width(), surface.height()))
        .map([&](auto memory) { return surface.memoryOr(std::move(memory)); });
}

tl::expected<std::shared_ptr<decode::FrameMemory>, Status>
Driver::promisedMemoryOf(decode::Surface& surface, const std::function<Status(const Layout&)>& check) const {
    for (;;) { // another thread may give the surface its next picture, and with it other memory
        auto memory = memoryOf(surface);
        if (!memory)
            return tl::unexpected(Status(memory.error()));
        if (auto status = check((*memory)->layout()); !status.ok())
            return tl::unexpected(std::move(status));
        if (surface.promise(*memory))
            return std::move(*memory);
    }
}

std::shared_ptr<decode::Stream> Driver::takeStream(const decode::Decoder& decoder, const codec::PictureInput& picture) {
    const auto lookup = [this](VASurfaceID id) { return surfaces.find(id); };
    const std::lock_guard choosing(choosing_);
    std::vector<std::shared_ptr<decode::Stream>> candidates;
    {
        const std::lock_guard lock(mutex_);
        candidates = parked_;
    }
    for (const auto& stream : candidates) {
        if (&stream->decoder() != &decoder || !stream->continues(picture, lookup))
            continue;
        const std::lock_guard lock(mutex_);
        if (std::erase(parked_, stream)) // or its last surface was destroyed
            return stream;
    }
    return std::make_shared<decode::Stream>(decoder, log);
}

void Driver::parkStream(std::shared_ptr<decode::Stream> stream) {
    if (!stream->isReferable())
        return;
    const std::lock_guard lock(mutex_);
    parked_.push_back(std::move(stream));
}

void Driver::dropUnused() {
    std::vector<std::shared_ptr<decode::Stream>> streams;
    {
        const std::lock_guard lock(mutex_);
        streams = parked_;
    }
    for (const auto& stream : streams)
        if (!stream->isReferable()) {
            const std::lock_guard lock(mutex_);
            std::erase(parked_, stream);
        }
    for (const auto& context : contexts.all()) {
        const std::lock_guard lock(context->mutex);
        if (context->stream)
            streams.push_back(context->stream);
    }
    for (const auto& stream : streams)
        stream->dropUnownedMemory();
}

} // namespace v4l2_request::va
