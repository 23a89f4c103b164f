// SPDX-License-Identifier: MIT
#pragma once

#include <linux/v4l2-controls.h>

#include "codec/av1_uapi.h"
#include "codec/control_batch.h"
#include "codec/hevc_uapi.h"

// The compound controls of the stateless decoders, each with the struct that the kernel defines for it.
namespace v4l2_request::codec {

using Mpeg2Sequence = Control<V4L2_CID_STATELESS_MPEG2_SEQUENCE, v4l2_ctrl_mpeg2_sequence>;
using Mpeg2Picture = Control<V4L2_CID_STATELESS_MPEG2_PICTURE, v4l2_ctrl_mpeg2_picture>;
using Mpeg2Quantisation = Control<V4L2_CID_STATELESS_MPEG2_QUANTISATION, v4l2_ctrl_mpeg2_quantisation>;

using H264Sps = Control<V4L2_CID_STATELESS_H264_SPS, v4l2_ctrl_h264_sps>;
using H264Pps = Control<V4L2_CID_STATELESS_H264_PPS, v4l2_ctrl_h264_pps>;
using H264ScalingMatrix = Control<V4L2_CID_STATELESS_H264_SCALING_MATRIX, v4l2_ctrl_h264_scaling_matrix>;
using H264PredWeights = Control<V4L2_CID_STATELESS_H264_PRED_WEIGHTS, v4l2_ctrl_h264_pred_weights>;
using H264SliceParams = Control<V4L2_CID_STATELESS_H264_SLICE_PARAMS, v4l2_ctrl_h264_slice_params>;
using H264DecodeParams = Control<V4L2_CID_STATELESS_H264_DECODE_PARAMS, v4l2_ctrl_h264_decode_params>;

using Vp8FrameControl = Control<V4L2_CID_STATELESS_VP8_FRAME, v4l2_ctrl_vp8_frame>;

#ifdef HAVE_UAPI_VP9
using Vp9FrameControl = Control<V4L2_CID_STATELESS_VP9_FRAME, v4l2_ctrl_vp9_frame>;
using Vp9CompressedHdrControl = Control<V4L2_CID_STATELESS_VP9_COMPRESSED_HDR, v4l2_ctrl_vp9_compressed_hdr>;
#endif

#ifdef HAVE_UAPI_HEVC
using HevcSps = Control<V4L2_CID_STATELESS_HEVC_SPS, v4l2_ctrl_hevc_sps>;
using HevcPps = Control<V4L2_CID_STATELESS_HEVC_PPS, v4l2_ctrl_hevc_pps>;
using HevcSliceParams = Control<V4L2_CID_STATELESS_HEVC_SLICE_PARAMS, v4l2_ctrl_hevc_slice_params>;
using HevcScalingMatrix = Control<V4L2_CID_STATELESS_HEVC_SCALING_MATRIX, v4l2_ctrl_hevc_scaling_matrix>;
using HevcDecodeParams = Control<V4L2_CID_STATELESS_HEVC_DECODE_PARAMS, v4l2_ctrl_hevc_decode_params>;
using HevcEntryPointOffsets = Control<V4L2_CID_STATELESS_HEVC_ENTRY_POINT_OFFSETS, uint32_t>;
using HevcExtSpsStRps = Control<V4L2_CID_STATELESS_HEVC_EXT_SPS_ST_RPS, v4l2_ctrl_hevc_ext_sps_st_rps>;
using HevcExtSpsLtRps = Control<V4L2_CID_STATELESS_HEVC_EXT_SPS_LT_RPS, v4l2_ctrl_hevc_ext_sps_lt_rps>;
#endif

using Av1Sequence = Control<V4L2_CID_STATELESS_AV1_SEQUENCE, v4l2_ctrl_av1_sequence>;
using Av1Frame = Control<V4L2_CID_STATELESS_AV1_FRAME, v4l2_ctrl_av1_frame>;
using Av1TileGroupEntry = Control<V4L2_CID_STATELESS_AV1_TILE_GROUP_ENTRY, v4l2_ctrl_av1_tile_group_entry>;
using Av1FilmGrain = Control<V4L2_CID_STATELESS_AV1_FILM_GRAIN, v4l2_ctrl_av1_film_grain>;

// A timestamp that no CAPTURE buffer ever has, for a reference that a control must name but that does not exist: the
// kernel's drivers then fall back to the picture itself. Zero would not do, it is a timestamp like any other.
inline constexpr uint64_t noTimestamp = UINT64_MAX;

} // namespace v4l2_request::codec
