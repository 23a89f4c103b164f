// SPDX-License-Identifier: MIT
#pragma once

#include "codec/codec.h"

namespace v4l2_request::codec {

extern const Codec mpeg2Codec; // mpeg2.cpp
extern const Codec h264Codec;  // h264.cpp
#ifdef HAVE_UAPI_HEVC
extern const Codec hevcCodec; // hevc.cpp
#endif
extern const Codec vp8Codec; // vp8.cpp
#ifdef HAVE_UAPI_VP9
extern const Codec vp9Codec; // vp9.cpp
#endif
extern const Codec av1Codec; // av1.cpp

} // namespace v4l2_request::codec
