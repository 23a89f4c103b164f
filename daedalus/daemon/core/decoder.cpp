// SPDX-License-Identifier: MIT
#include "core/decoder.h"

#include "core/av1_uapi.h"

namespace daedalus {
namespace {

struct Codec {
    uint32_t fourcc;
    std::unique_ptr<Decoder> (*make)();
};

constexpr Codec codecs[] = {
    {V4L2_PIX_FMT_H264_SLICE, makeH264Decoder},   {V4L2_PIX_FMT_HEVC_SLICE, makeHevcDecoder},
    {V4L2_PIX_FMT_MPEG2_SLICE, makeMpeg2Decoder}, {V4L2_PIX_FMT_VP8_FRAME, makeVp8Decoder},
    {V4L2_PIX_FMT_VP9_FRAME, makeVp9Decoder},     {V4L2_PIX_FMT_AV1_FRAME, makeAv1Decoder},
};

} // namespace

Result<std::unique_ptr<Decoder>> makeDecoder(uint32_t fourcc) {
    for (const Codec& codec : codecs) {
        if (codec.fourcc == fourcc)
            return codec.make();
    }
    return fail(ENOTSUP, "no decoder for %s", fourccName(fourcc).c_str());
}

} // namespace daedalus
