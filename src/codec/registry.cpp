// SPDX-License-Identifier: MIT
#include <array>

#include "codec/codecs.h"

namespace v4l2_request::codec {

std::span<const Codec* const> registry() {
    static constexpr std::array rows{
        &mpeg2Codec, &h264Codec,
#ifdef HAVE_UAPI_HEVC
        &hevcCodec,
#endif
        &vp8Codec,
#ifdef HAVE_UAPI_VP9
        &vp9Codec,
#endif
        &av1Codec,
    };
    return rows;
}

} // namespace v4l2_request::codec
