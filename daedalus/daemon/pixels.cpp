// SPDX-License-Identifier: MIT
#include "pixels.h"

#include <algorithm>
#include <cstring>

#include <linux/videodev2.h>

#include "job.h"

extern "C" {
#include <libavutil/frame.h>
#include <libavutil/pixdesc.h>
}

namespace daedalus {
namespace {

const uint8_t* row(const AVFrame& picture, int plane, size_t line) {
    return picture.data[plane] + static_cast<ptrdiff_t>(line) * picture.linesize[plane];
}

} // namespace

Result<void> storePicture(const AVFrame& picture, const daedalus_format& format, std::span<uint8_t> buffer) {
    const bool gray = picture.format == AV_PIX_FMT_GRAY8;
    if (!gray && picture.format != AV_PIX_FMT_YUV420P && picture.format != AV_PIX_FMT_YUVJ420P) {
        const char* name = av_get_pix_fmt_name(static_cast<AVPixelFormat>(picture.format));
        return fail(ENOTSUP, "picture format %s cannot be stored as %s", name ? name : "?",
                    fourccName(format.fourcc).c_str());
    }
    if (format.fourcc != V4L2_PIX_FMT_NV12)
        return fail(ENOTSUP, "CAPTURE format %s is not known", fourccName(format.fourcc).c_str());

    const size_t stride = format.bytesperline;
    const size_t width = std::min<size_t>(format.width, static_cast<size_t>(picture.width));
    const size_t height = std::min<size_t>(format.height, static_cast<size_t>(picture.height));
    const size_t chromaOffset = stride * format.height;
    if (stride < format.width || chromaOffset + stride * ((format.height + 1) / 2) > buffer.size())
        return fail(EINVAL, "format %ux%u, %u bytes per line, does not fit a buffer of %zu bytes", format.width,
                    format.height, format.bytesperline, buffer.size());

    for (size_t line = 0; line < height; ++line)
        std::memcpy(&buffer[line * stride], row(picture, 0, line), width);

    for (size_t line = 0; line < (height + 1) / 2; ++line) {
        uint8_t* target = &buffer[chromaOffset + line * stride];
        const size_t pairs = std::min((width + 1) / 2, stride / 2);
        if (gray) {
            std::memset(target, 0x80, pairs * 2);
            continue;
        }
        const uint8_t* cb = row(picture, 1, line);
        const uint8_t* cr = row(picture, 2, line);
        for (size_t x = 0; x < pairs; ++x) {
            target[2 * x] = cb[x];
            target[2 * x + 1] = cr[x];
        }
    }
    return {};
}

} // namespace daedalus
