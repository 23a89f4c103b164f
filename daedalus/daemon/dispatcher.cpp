// SPDX-License-Identifier: MIT
#include "dispatcher.h"

#include <chrono>
#include <cstring>
#include <exception>
#include <thread>
#include <vector>

#include <linux/videodev2.h>

#include "picture_decoder.h"
#include "pixels.h"

namespace daedalus {

Result<void> Dispatcher::run(const Job& job) {
    ++jobs_;
    stored_ = false;
    fenced_ = job.isFenced();
    Result<void> done = decode(job);
    if (done || done.error().code != ENODATA)
        return done;
    if (!stored_) {
        if (auto stored = storeGrey(job); !stored)
            return stored;
    }
    return job.isLenient() ? Result<void>{} : done;
}

/// A picture of no colour, as large as the buffer.
Result<void> Dispatcher::storeGrey(const Job& job) {
    const daedalus_format& format = job.header.format;
    const bool deep = format.fourcc != V4L2_PIX_FMT_NV12 && format.fourcc != V4L2_PIX_FMT_MM21;
    const AvFrame grey(av_frame_alloc());
    if (!grey)
        return fail(ENOMEM, "no memory for a picture");
    grey->format = deep ? AV_PIX_FMT_YUV420P10 : AV_PIX_FMT_YUV420P;
    grey->width = static_cast<int>(job.header.coded_width);
    grey->height = static_cast<int>(job.header.coded_height);
    if (av_frame_get_buffer(grey.get(), 0) < 0)
        return fail(ENOMEM, "no memory for a picture");
    for (int plane = 0; plane < 3; ++plane) {
        const int lines = plane == 0 ? grey->height : (grey->height + 1) / 2;
        for (int line = 0; line < lines; ++line) {
            uint8_t* row = grey->data[plane] + static_cast<ptrdiff_t>(line) * grey->linesize[plane];
            if (deep)
                std::fill_n(reinterpret_cast<uint16_t*>(row), grey->linesize[plane] / 2, uint16_t{512});
            else
                std::memset(row, 128, static_cast<size_t>(grey->linesize[plane]));
        }
    }
    return store(*grey, format, job.header.capture);
}

Result<void> Dispatcher::decode(const Job& job) {
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
        auto access = BufferAccess::open(buffers_, {job.header.output.cookie}, job.header.output.bytes, Access::Read);
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
    fenced_ = false; // its jobs have ended
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
    stored_ = true;
    if (knobs_.lateMs)
        std::this_thread::sleep_for(std::chrono::milliseconds(knobs_.lateMs));
    if (knobs_.loseEvery && jobs_ % knobs_.loseEvery == 0)
        return {};
    const Access access = fenced_ ? Access::WriteFenced : Access::Write;
    auto all = BufferAccess::open(buffers_, {capture.cookie}, capture.bytes, access);
    if (!all)
        return tl::unexpected(all.error());
    if (!format.sizechroma)
        return storePicture(picture, format, all->bytes());
    auto chroma = BufferAccess::open(buffers_, {capture.cookie, 1}, format.sizechroma, access);
    if (!chroma)
        return tl::unexpected(chroma.error());
    return storePicture(picture, format, all->bytes(), chroma->bytes());
}

} // namespace daedalus
