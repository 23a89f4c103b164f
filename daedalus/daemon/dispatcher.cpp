// SPDX-License-Identifier: MIT
#include "dispatcher.h"

#include <exception>
#include <vector>

#include "pixels.h"

namespace daedalus {

Result<void> Dispatcher::run(const Job& job) {
    Instance& instance = decoders_[job.header.instance];
    if (!instance.decoder || instance.codec != job.header.codec) {
        auto decoder = makeDecoder(job.header.codec);
        if (!decoder)
            return tl::unexpected(decoder.error());
        instance = {job.header.codec, std::move(*decoder)};
    }

    // The payload is copied out, so that the buffer is only held for a moment and cannot change under a parser.
    std::vector<uint8_t> payload;
    {
        auto access = BufferAccess::open(buffers_, {job.header.output.cookie}, job.header.output.bytes, false);
        if (!access)
            return tl::unexpected(access.error());
        payload.assign(access->bytes().begin(), access->bytes().end());
    }
    try {
        return instance.decoder->decode(job, payload, *this);
    } catch (const std::exception& exception) {
        instance.decoder.reset();
        return fail(ENOMEM, "%s", exception.what());
    }
}

Result<void> Dispatcher::finish(const Finish& finish) {
    const auto instance = decoders_.find(finish.instance);
    if (instance == decoders_.end() || !instance->second.decoder)
        return {};
    try {
        return instance->second.decoder->finishHeld(finish.capture, *this);
    } catch (const std::exception& exception) {
        instance->second.decoder.reset();
        return fail(ENOMEM, "%s", exception.what());
    }
}

void Dispatcher::bufferGone(uint64_t cookie) {
    for (auto& [id, instance] : decoders_) {
        if (instance.decoder)
            instance.decoder->forgetBuffer(cookie);
    }
}

Result<void> Dispatcher::store(const AVFrame& picture, const daedalus_format& format, const daedalus_buffer& capture) {
    auto all = BufferAccess::open(buffers_, {capture.cookie}, capture.bytes, true);
    if (!all)
        return tl::unexpected(all.error());
    if (!format.sizechroma)
        return storePicture(picture, format, all->bytes());
    auto chroma = BufferAccess::open(buffers_, {capture.cookie, 1}, format.sizechroma, true);
    if (!chroma)
        return tl::unexpected(chroma.error());
    return storePicture(picture, format, all->bytes(), chroma->bytes());
}

} // namespace daedalus
