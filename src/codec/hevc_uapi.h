// SPDX-License-Identifier: MIT
#pragma once

#include <linux/v4l2-controls.h>

// What newer kernels know of HEVC, for headers that are older than that.

namespace v4l2_request::codec {

// NumDeltaPocs[RefRpsIdx] in V4L2_CID_STATELESS_HEVC_DECODE_PARAMS. Older headers have it as the first byte of the
// padding, which kernels that do not know it ignore.
template <typename DecodeParams>
constexpr __u8& numDeltaPocsOfRefRpsIdx(DecodeParams& params) {
    if constexpr (requires { params.num_delta_pocs_of_ref_rps_idx; })
        return params.num_delta_pocs_of_ref_rps_idx;
    else
        return params.reserved[0];
}

} // namespace v4l2_request::codec

// The reference picture sets of the sequence parameter set: controls of Linux 7.0 and later.
#ifndef V4L2_CID_STATELESS_HEVC_EXT_SPS_ST_RPS

#define V4L2_CID_STATELESS_HEVC_EXT_SPS_ST_RPS (V4L2_CID_CODEC_STATELESS_BASE + 408)
#define V4L2_CID_STATELESS_HEVC_EXT_SPS_LT_RPS (V4L2_CID_CODEC_STATELESS_BASE + 409)

#define V4L2_HEVC_EXT_SPS_ST_RPS_FLAG_INTER_REF_PIC_SET_PRED 0x1
#define V4L2_HEVC_EXT_SPS_LT_RPS_FLAG_USED_LT 0x1

struct v4l2_ctrl_hevc_ext_sps_st_rps {
    __u8 delta_idx_minus1;
    __u8 delta_rps_sign;
    __u8 num_negative_pics;
    __u8 num_positive_pics;
    __u32 used_by_curr_pic;
    __u32 use_delta_flag;
    __u16 abs_delta_rps_minus1;
    __u16 delta_poc_s0_minus1[16];
    __u16 delta_poc_s1_minus1[16];
    __u16 flags;
};

struct v4l2_ctrl_hevc_ext_sps_lt_rps {
    __u16 lt_ref_pic_poc_lsb_sps;
    __u16 flags;
};

#endif
