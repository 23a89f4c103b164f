// SPDX-License-Identifier: MIT
#include "core/picture_decoder.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

extern "C" {
#include <libavutil/error.h>
#include <libavutil/log.h>
#include <libavutil/pixdesc.h>
}

namespace daedalus {
namespace {

thread_local std::string complaints;

/// What HEVC pictures refer to although it is not there is known from the control.
constexpr const char* missingReference = "Could not find ref with POC";

/// libavcodec says what is wrong only in its log: keep that for the message of the job.
void collectLog(void* context, int level, const char* format, va_list arguments) {
    if (level > AV_LOG_ERROR || !std::strncmp(format, missingReference, std::strlen(missingReference)))
        return;
    char line[256];
    int prefix = 0;
    av_log_format_line2(context, level, format, arguments, line, sizeof(line), &prefix);
    std::string text(line);
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    if (const size_t bracket = text.find("] "); text.starts_with('[') && bracket != std::string::npos)
        text.erase(0, bracket + 2);
    if (complaints.size() < 300)
        complaints += (complaints.empty() ? "" : "; ") + text;
}

/// What memory looks like before libavcodec writes into it: the same in every run, and like no picture.
constexpr auto untouched = [] {
    std::array<uint8_t, 64> pattern{};
    uint32_t state = 0x2545f491;
    for (uint8_t& byte : pattern) {
        state = state * 1664525 + 1013904223;
        byte = static_cast<uint8_t>(state >> 24);
    }
    return pattern;
}();

void fillUntouched(AVBufferRef& buffer) {
    const auto size = static_cast<size_t>(buffer.size);
    for (size_t at = 0; at < size; at += untouched.size())
        std::memcpy(buffer.data + at, untouched.data(), std::min(untouched.size(), size - at));
}

/// A block of 16x16 in the lines of one field.
struct Block {
    int x;
    int y;
    int field;
};

/// Has nobody written the inside of the block? (A loop filter may reach the outside.)
bool isUntouched(const AVFrame& frame, const Block& block, int bytes) {
    const uint8_t* base = frame.buf[0]->data;
    for (int line = 4 + block.field; line < 12; line += 2) {
        const uint8_t* row =
            frame.data[0] + (block.y + line) * static_cast<ptrdiff_t>(frame.linesize[0]) + block.x * bytes;
        for (int column = 4 * bytes; column < 12 * bytes; ++column) {
            if (row[column] != untouched[static_cast<size_t>(row + column - base) % untouched.size()])
                return false;
        }
    }
    return true;
}

/// Copies the block from the picture before; null: grey.
void conceal(const AVFrame& frame, const AVFrame* before, const Block& block, const AVComponentDescriptor& component) {
    const int bytes = component.depth > 8 ? 2 : 1;
    for (int plane = 0; plane < 3 && frame.data[plane]; ++plane) {
        const int divisor = plane == 0 ? 1 : 2;
        const size_t width = static_cast<size_t>(16 / divisor);
        for (int line = block.y / divisor + block.field; line < (block.y + 16) / divisor; line += 2) {
            const ptrdiff_t column = block.x / divisor * bytes;
            uint8_t* to = frame.data[plane] + static_cast<ptrdiff_t>(line) * frame.linesize[plane] + column;
            if (before)
                std::memcpy(to, before->data[plane] + static_cast<ptrdiff_t>(line) * before->linesize[plane] + column,
                            width * static_cast<size_t>(bytes));
            else if (bytes == 1)
                std::memset(to, 128, width);
            else
                std::fill_n(reinterpret_cast<uint16_t*>(to), width, static_cast<uint16_t>(1 << (component.depth - 1)));
        }
    }
}

/// Fills what nobody has written of a complete frame, and counts the blocks.
unsigned concealUntouched(const AVFrame& frame, const AVFrame& before) {
    const AVPixFmtDescriptor* format = av_pix_fmt_desc_get(static_cast<AVPixelFormat>(frame.format));
    if (!format)
        return 0;
    const bool alike =
        before.data[0] && before.format == frame.format && before.width == frame.width && before.height == frame.height;
    unsigned count = 0;
    for (int y = 0; y + 16 <= frame.height; y += 16) {
        for (int x = 0; x + 16 <= frame.width; x += 16) {
            unsigned fields = 0;
            for (int field = 0; field < 2; ++field) {
                const Block block{x, y, field};
                if (!isUntouched(frame, block, format->comp[0].depth > 8 ? 2 : 1))
                    continue;
                conceal(frame, alike ? &before : nullptr, block, format->comp[0]);
                ++fields;
            }
            count += fields > 0 ? 1 : 0;
        }
    }
    return count;
}

} // namespace

void collectComplaints() {
    av_log_set_callback(collectLog);
}

void forgetComplaints() {
    complaints.clear();
}

std::string describeAvError(int error) {
    char text[AV_ERROR_MAX_STRING_SIZE] = {};
    av_strerror(error, text, sizeof(text));
    return complaints.empty() ? std::string(text) : std::string(text) + " (" + complaints + ")";
}

Result<std::unique_ptr<PictureDecoder>> PictureDecoder::create(AVCodecID codecId) {
    collectComplaints();
    const AVCodec* codec = avcodec_find_decoder(codecId);
    if (!codec)
        return fail(ENOTSUP, "this libavcodec has no decoder for %s", avcodec_get_name(codecId));

    std::unique_ptr<PictureDecoder> self(new PictureDecoder);
    self->context_.reset(avcodec_alloc_context3(codec));
    self->packet_.reset(av_packet_alloc());
    self->output_.reset(av_frame_alloc());
    self->picture_.reset(av_frame_alloc());
    self->before_.reset(av_frame_alloc());
    if (!self->context_ || !self->packet_ || !self->output_ || !self->picture_ || !self->before_)
        return fail(ENOMEM, "no memory for a decoder");

    AVCodecContext* context = self->context_.get();
    context->opaque = self.get();
    context->get_buffer2 = getBuffer;
    context->thread_count = 1;
    context->thread_type = 0;
    // A wrong control must become an error or a wrong pixel, never a plausible guess. What can be decoded of a damaged
    // picture is decoded: libavcodec complains, and goes on.
    context->error_concealment = 0;
    context->err_recognition = 0;
    // A stream may begin at a recovery point or an open GOP: a stateless decoder knows no such thing as a bad start.
    context->flags |= AV_CODEC_FLAG_OUTPUT_CORRUPT;
    context->flags2 |= AV_CODEC_FLAG2_SHOW_ALL;
    if (const int status = avcodec_open2(context, codec, nullptr); status < 0)
        return fail(EIO, "avcodec_open2(%s): %s", codec->name, describeAvError(status).c_str());
    return self;
}

Result<void> PictureDecoder::renew(std::unique_ptr<PictureDecoder>& decoder, AVCodecID codec) {
    auto created = create(codec);
    if (!created)
        return tl::unexpected(created.error());
    decoder = std::move(*created);
    return {};
}

int PictureDecoder::getBuffer(AVCodecContext* context, AVFrame* frame, int flags) {
    auto* self = static_cast<PictureDecoder*>(context->opaque);
    if (const int status = avcodec_default_get_buffer2(context, frame, flags); status < 0)
        return status;
    for (AVBufferRef* buffer : frame->buf) {
        if (buffer)
            fillUntouched(*buffer);
    }
    if (self->buffersAskedFor_++ == 0) {
        av_frame_unref(self->before_.get());
        av_frame_move_ref(self->before_.get(), self->picture_.get());
        av_frame_unref(self->picture_.get());
        if (const int status = av_frame_ref(self->picture_.get(), frame); status < 0)
            return status;
    }
    return 0;
}

Result<PictureDecoder::Picture> PictureDecoder::decode(std::span<const uint8_t> accessUnit, Expect expect) {
    padded_.assign(accessUnit.begin(), accessUnit.end());
    padded_.resize(accessUnit.size() + AV_INPUT_BUFFER_PADDING_SIZE, 0);
    packet_->data = padded_.data();
    packet_->size = static_cast<int>(accessUnit.size());
    buffersAskedFor_ = 0;
    forgetComplaints();

    int status = avcodec_send_packet(context_.get(), packet_.get());
    int failure = status < 0 && status != AVERROR(EAGAIN) ? status : 0;
    while (true) {
        status = avcodec_receive_frame(context_.get(), output_.get());
        if (status == AVERROR(EAGAIN) || status == AVERROR_EOF)
            break;
        if (status < 0) {
            failure = failure ? failure : status;
            break;
        }
        av_frame_unref(output_.get());
    }
    const bool expected = (buffersAskedFor_ == 0) == (expect == Expect::SecondField);
    if (failure && (!expected || !picture_->data[0]))
        return fail(EIO, "libavcodec: %s", describeAvError(failure).c_str());
    if (expect != Expect::SecondField && buffersAskedFor_ == 0)
        return fail(EIO, "libavcodec decoded no picture%s%s", complaints.empty() ? "" : ": ", complaints.c_str());
    if (expect == Expect::SecondField && buffersAskedFor_ != 0)
        return fail(EIO, "libavcodec did not take this field as the second of its frame%s%s",
                    complaints.empty() ? "" : ": ", complaints.c_str());
    if (!picture_->data[0])
        return fail(EIO, "libavcodec has no picture");
    Picture picture;
    picture.frame = picture_.get();
    picture.kept = failure == 0;
    if (failure || !complaints.empty())
        picture.damage = Error{EIO, "libavcodec: " + (failure ? describeAvError(failure) : complaints)};
    if (expect != Expect::FirstField)
        picture.missingBlocks = concealUntouched(*picture_, *before_);
    return picture;
}

Result<void> PictureDecoder::decodeAside(std::span<const uint8_t> accessUnit) {
    AvFrame picture(av_frame_alloc()), before(av_frame_alloc());
    if (!picture || !before)
        return fail(ENOMEM, "no memory for a picture");
    picture.swap(picture_);
    before.swap(before_);
    const auto decoded = decode(accessUnit, Expect::Frame);
    picture.swap(picture_);
    before.swap(before_);
    return decoded ? Result<void>{} : tl::unexpected(decoded.error());
}

} // namespace daedalus
