// SPDX-License-Identifier: MIT
#include "core/pixels.h"

#include <algorithm>
#include <vector>

#include <linux/videodev2.h>

#include "core/job.h"

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

/// Where the rows of a plane lie.
struct Plane {
    std::span<uint8_t> memory;
    size_t stride;
    size_t tileRows; ///< of tiles 16 bytes wide, one after another; 0: whole rows

    void put(size_t line, std::span<const uint8_t> bytes) const {
        if (!tileRows) {
            std::ranges::copy(bytes, &memory[line * stride]);
            return;
        }
        const size_t first = line / tileRows * tileRows * stride + line % tileRows * 16;
        for (size_t x = 0; x < bytes.size(); ++x)
            memory[first + x / 16 * tileRows * 16 + x % 16] = bytes[x];
    }
};

struct Planes {
    Plane luma, chroma;
};

/// The planes of a buffer, if they fit into it.
Result<Planes> planesOf(const daedalus_format& format, std::span<uint8_t> buffer, std::span<uint8_t> chroma,
                        bool tiled) {
    const size_t stride = format.bytesperline;
    const size_t lumaBytes = stride * format.height;
    if (lumaBytes <= buffer.size() && chroma.empty())
        chroma = buffer.subspan(lumaBytes);
    if (lumaBytes > buffer.size() || stride * ((format.height + 1) / 2) > chroma.size() ||
        (tiled && (stride % 16 || format.height % 32)))
        return fail(EINVAL, "format %ux%u, %u bytes per line, does not fit a buffer of %zu and %zu bytes", format.width,
                    format.height, format.bytesperline, buffer.size(), chroma.size());
    return Planes{{buffer, stride, tiled ? size_t{32} : 0}, {chroma, stride, tiled ? size_t{16} : 0}};
}

template <typename Row>
Result<void> store(const Source& source, const daedalus_format& format, const Planes& planes) {
    const size_t width = std::min<size_t>(format.width, static_cast<size_t>(source.picture.width));
    const size_t height = std::min<size_t>(format.height, static_cast<size_t>(source.picture.height));
    if (format.bytesperline < Row::bytes(format.width))
        return fail(EINVAL, "%u samples in a line of %u bytes", format.width, format.bytesperline);

    using Sample = typename Row::Sample;
    std::vector<uint8_t> bytes(Row::bytes(width));
    for (size_t line = 0; line < height; ++line) {
        const Sample* luma = source.row<Sample>(0, line);
        {
            Row row(bytes.data());
            for (size_t x = 0; x < width; ++x)
                row.put(luma[x]);
        }
        planes.luma.put(line, bytes);
    }
    const std::vector<Sample> grey(source.gray ? (width + 1) / 2 : 0, static_cast<Sample>(1u << (source.depth - 1)));
    const size_t pairs = std::min((width + 1) / 2, size_t{format.width} / 2);
    bytes.resize(Row::bytes(2 * pairs));
    for (size_t line = 0; line < (height + 1) / 2; ++line) {
        const Sample* cb = source.gray ? grey.data() : source.row<Sample>(1, line);
        const Sample* cr = source.gray ? grey.data() : source.row<Sample>(2, line);
        {
            Row row(bytes.data());
            for (size_t x = 0; x < pairs; ++x) {
                row.put(cb[x]);
                row.put(cr[x]);
            }
        }
        planes.chroma.put(line, bytes);
    }
    return {};
}

} // namespace

Result<void> storePicture(const AVFrame& picture, const daedalus_format& format, std::span<uint8_t> buffer,
                          std::span<uint8_t> chroma) {
    const auto source = sourceOf(picture);
    if (!source)
        return tl::unexpected(source.error());
    const struct {
        uint32_t fourcc;
        unsigned depth;
        bool tiled;
        Result<void> (*store)(const Source&, const daedalus_format&, const Planes&);
    } formats[] = {
        {V4L2_PIX_FMT_NV12, 8, false, store<ByteRow>},
        {V4L2_PIX_FMT_MM21, 8, true, store<ByteRow>},
        {V4L2_PIX_FMT_P010, 10, false, store<WordRow>},
        {v4l2_fourcc('N', 'V', '1', '5'), 10, false, store<BitRow>}, // newer than the headers of some systems
    };
    for (const auto& known : formats) {
        if (known.fourcc != format.fourcc)
            continue;
        if (known.depth != source->depth)
            return fail(EINVAL, "a picture of %u bits for CAPTURE format %s", source->depth,
                        fourccName(format.fourcc).c_str());
        const auto planes = planesOf(format, buffer, chroma, known.tiled);
        return planes ? known.store(*source, format, *planes) : tl::unexpected(planes.error());
    }
    return fail(ENOTSUP, "CAPTURE format %s is not known", fourccName(format.fourcc).c_str());
}

} // namespace daedalus
