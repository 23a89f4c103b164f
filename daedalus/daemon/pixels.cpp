// SPDX-License-Identifier: MIT
#include "pixels.h"

#include <algorithm>
#include <vector>

#include <linux/videodev2.h>

#include "job.h"

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
}

namespace daedalus {
namespace {

/// What a decoded picture is made of, as far as it can be stored.
struct Source {
    const AVFrame& picture;
    bool gray;
    unsigned depth; ///< bits of a sample

    template <typename Sample>
    const Sample* row(int plane, size_t line) const {
        return reinterpret_cast<const Sample*>(picture.data[plane] +
                                               static_cast<ptrdiff_t>(line) * picture.linesize[plane]);
    }
};

Result<Source> sourceOf(const AVFrame& picture) {
    switch (picture.format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P: return Source{picture, false, 8};
    case AV_PIX_FMT_GRAY8: return Source{picture, true, 8};
    case AV_PIX_FMT_YUV420P10: return Source{picture, false, 10};
    case AV_PIX_FMT_GRAY10: return Source{picture, true, 10};
    default: break;
    }
    const char* name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(picture.format));
    return fail(ENOTSUP, "picture format %s cannot be stored", name ? name : "?");
}

/// A row of samples on its way into memory: one writer for each format.
class ByteRow {
public:
    using Sample = uint8_t;
    explicit ByteRow(uint8_t* to) : to_(to) {}
    void put(uint16_t value) { *to_++ = static_cast<uint8_t>(value); }
    static size_t bytes(size_t samples) { return samples; }

private:
    uint8_t* to_;
};

/// P010: the value in the upper bits of 16, little endian.
class WordRow {
public:
    using Sample = uint16_t;
    explicit WordRow(uint8_t* to) : to_(to) {}
    void put(uint16_t value) {
        *to_++ = static_cast<uint8_t>(value << 6);
        *to_++ = static_cast<uint8_t>(value >> 2);
    }
    static size_t bytes(size_t samples) { return 2 * samples; }

private:
    uint8_t* to_;
};

/// NV15: a stream of bits, the lowest of each value first.
class BitRow {
public:
    using Sample = uint16_t;
    explicit BitRow(uint8_t* to) : to_(to) {}
    BitRow(const BitRow&) = delete;
    BitRow& operator=(const BitRow&) = delete;
    ~BitRow() {
        if (count_)
            *to_ = static_cast<uint8_t>(pending_);
    }
    void put(uint16_t value) {
        pending_ |= static_cast<uint32_t>(value) << count_;
        for (count_ += 10; count_ >= 8; count_ -= 8, pending_ >>= 8)
            *to_++ = static_cast<uint8_t>(pending_);
    }
    static size_t bytes(size_t samples) { return (samples * 10 + 7) / 8; }

private:
    uint8_t* to_;
    uint32_t pending_ = 0;
    unsigned count_ = 0;
};

template <typename Row>
Result<void> store(const Source& source, const daedalus_format& format, std::span<uint8_t> buffer) {
    const size_t stride = format.bytesperline;
    const size_t width = std::min<size_t>(format.width, static_cast<size_t>(source.picture.width));
    const size_t height = std::min<size_t>(format.height, static_cast<size_t>(source.picture.height));
    const size_t chromaOffset = stride * format.height;
    if (stride < Row::bytes(format.width) || chromaOffset + stride * ((format.height + 1) / 2) > buffer.size())
        return fail(EINVAL, "format %ux%u, %u bytes per line, does not fit a buffer of %zu bytes", format.width,
                    format.height, format.bytesperline, buffer.size());

    using Sample = typename Row::Sample;
    for (size_t line = 0; line < height; ++line) {
        const Sample* luma = source.row<Sample>(0, line);
        Row row(&buffer[line * stride]);
        for (size_t x = 0; x < width; ++x)
            row.put(luma[x]);
    }
    const std::vector<Sample> grey(source.gray ? (width + 1) / 2 : 0, static_cast<Sample>(1u << (source.depth - 1)));
    for (size_t line = 0; line < (height + 1) / 2; ++line) {
        const Sample* cb = source.gray ? grey.data() : source.row<Sample>(1, line);
        const Sample* cr = source.gray ? grey.data() : source.row<Sample>(2, line);
        Row row(&buffer[chromaOffset + line * stride]);
        for (size_t x = 0; x < std::min((width + 1) / 2, size_t{format.width} / 2); ++x) {
            row.put(cb[x]);
            row.put(cr[x]);
        }
    }
    return {};
}

} // namespace

Result<void> storePicture(const AVFrame& picture, const daedalus_format& format, std::span<uint8_t> buffer) {
    const auto source = sourceOf(picture);
    if (!source)
        return tl::unexpected(source.error());
    const struct {
        uint32_t fourcc;
        unsigned depth;
        Result<void> (*store)(const Source&, const daedalus_format&, std::span<uint8_t>);
    } formats[] = {
        {V4L2_PIX_FMT_NV12, 8, store<ByteRow>},
        {V4L2_PIX_FMT_P010, 10, store<WordRow>},
        {v4l2_fourcc('N', 'V', '1', '5'), 10, store<BitRow>}, // newer than the headers of some systems
    };
    for (const auto& known : formats) {
        if (known.fourcc != format.fourcc)
            continue;
        if (known.depth != source->depth)
            return fail(EINVAL, "a picture of %u bits for CAPTURE format %s", source->depth,
                        fourccName(format.fourcc).c_str());
        return known.store(*source, format, buffer);
    }
    return fail(ENOTSUP, "CAPTURE format %s is not known", fourccName(format.fourcc).c_str());
}

} // namespace daedalus
