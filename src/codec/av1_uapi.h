// SPDX-License-Identifier: MIT
#pragma once

#include <linux/v4l2-controls.h>
#include <linux/videodev2.h>

// AV1 as the kernel's stateless uAPI lays it out (Linux 6.6 and later; Documentation/userspace-api/media/v4l,
// ext-ctrls-codec-stateless.rst and pixfmt-compressed.rst), for headers that are older. The names are the kernel's, so
// that nothing else depends on which of the two is there.

#ifndef V4L2_PIX_FMT_AV1_FRAME
#define V4L2_PIX_FMT_AV1_FRAME v4l2_fourcc('A', 'V', '1', 'F')
#endif

#ifndef V4L2_CID_MPEG_VIDEO_AV1_PROFILE
#define V4L2_CID_MPEG_VIDEO_AV1_PROFILE (V4L2_CID_CODEC_BASE + 655)
#define V4L2_MPEG_VIDEO_AV1_PROFILE_MAIN 0
#endif

#ifndef V4L2_CID_STATELESS_AV1_FRAME

#define V4L2_CID_STATELESS_AV1_SEQUENCE (V4L2_CID_CODEC_STATELESS_BASE + 500)
#define V4L2_CID_STATELESS_AV1_TILE_GROUP_ENTRY (V4L2_CID_CODEC_STATELESS_BASE + 501)
#define V4L2_CID_STATELESS_AV1_FRAME (V4L2_CID_CODEC_STATELESS_BASE + 502)
#define V4L2_CID_STATELESS_AV1_FILM_GRAIN (V4L2_CID_CODEC_STATELESS_BASE + 505)

#define V4L2_AV1_SEQUENCE_FLAG_STILL_PICTURE (1u << 0)
#define V4L2_AV1_SEQUENCE_FLAG_USE_128X128_SUPERBLOCK (1u << 1)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_FILTER_INTRA (1u << 2)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_INTRA_EDGE_FILTER (1u << 3)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_INTERINTRA_COMPOUND (1u << 4)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_MASKED_COMPOUND (1u << 5)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_WARPED_MOTION (1u << 6)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_DUAL_FILTER (1u << 7)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_ORDER_HINT (1u << 8)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_JNT_COMP (1u << 9)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_REF_FRAME_MVS (1u << 10)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_SUPERRES (1u << 11)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_CDEF (1u << 12)
#define V4L2_AV1_SEQUENCE_FLAG_ENABLE_RESTORATION (1u << 13)
#define V4L2_AV1_SEQUENCE_FLAG_MONO_CHROME (1u << 14)
#define V4L2_AV1_SEQUENCE_FLAG_COLOR_RANGE (1u << 15)
#define V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_X (1u << 16)
#define V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_Y (1u << 17)
#define V4L2_AV1_SEQUENCE_FLAG_FILM_GRAIN_PARAMS_PRESENT (1u << 18)
#define V4L2_AV1_SEQUENCE_FLAG_SEPARATE_UV_DELTA_Q (1u << 19)

#define V4L2_AV1_GLOBAL_MOTION_IS_INVALID(reference) (1u << (reference))
#define V4L2_AV1_GLOBAL_MOTION_FLAG_IS_GLOBAL (1u << 0)
#define V4L2_AV1_GLOBAL_MOTION_FLAG_IS_ROT_ZOOM (1u << 1)
#define V4L2_AV1_GLOBAL_MOTION_FLAG_IS_TRANSLATION (1u << 2)

#define V4L2_AV1_LOOP_RESTORATION_FLAG_USES_LR (1u << 0)
#define V4L2_AV1_LOOP_RESTORATION_FLAG_USES_CHROMA_LR (1u << 1)

#define V4L2_AV1_SEGMENTATION_FLAG_ENABLED (1u << 0)
#define V4L2_AV1_SEGMENTATION_FLAG_UPDATE_MAP (1u << 1)
#define V4L2_AV1_SEGMENTATION_FLAG_TEMPORAL_UPDATE (1u << 2)
#define V4L2_AV1_SEGMENTATION_FLAG_UPDATE_DATA (1u << 3)
#define V4L2_AV1_SEGMENTATION_FLAG_SEG_ID_PRE_SKIP (1u << 4)

#define V4L2_AV1_LOOP_FILTER_FLAG_DELTA_ENABLED (1u << 0)
#define V4L2_AV1_LOOP_FILTER_FLAG_DELTA_UPDATE (1u << 1)
#define V4L2_AV1_LOOP_FILTER_FLAG_DELTA_LF_PRESENT (1u << 2)
#define V4L2_AV1_LOOP_FILTER_FLAG_DELTA_LF_MULTI (1u << 3)

#define V4L2_AV1_QUANTIZATION_FLAG_DIFF_UV_DELTA (1u << 0)
#define V4L2_AV1_QUANTIZATION_FLAG_USING_QMATRIX (1u << 1)
#define V4L2_AV1_QUANTIZATION_FLAG_DELTA_Q_PRESENT (1u << 2)

#define V4L2_AV1_TILE_INFO_FLAG_UNIFORM_TILE_SPACING (1u << 0)

#define V4L2_AV1_FRAME_FLAG_SHOW_FRAME (1u << 0)
#define V4L2_AV1_FRAME_FLAG_SHOWABLE_FRAME (1u << 1)
#define V4L2_AV1_FRAME_FLAG_ERROR_RESILIENT_MODE (1u << 2)
#define V4L2_AV1_FRAME_FLAG_DISABLE_CDF_UPDATE (1u << 3)
#define V4L2_AV1_FRAME_FLAG_ALLOW_SCREEN_CONTENT_TOOLS (1u << 4)
#define V4L2_AV1_FRAME_FLAG_FORCE_INTEGER_MV (1u << 5)
#define V4L2_AV1_FRAME_FLAG_ALLOW_INTRABC (1u << 6)
#define V4L2_AV1_FRAME_FLAG_USE_SUPERRES (1u << 7)
#define V4L2_AV1_FRAME_FLAG_ALLOW_HIGH_PRECISION_MV (1u << 8)
#define V4L2_AV1_FRAME_FLAG_IS_MOTION_MODE_SWITCHABLE (1u << 9)
#define V4L2_AV1_FRAME_FLAG_USE_REF_FRAME_MVS (1u << 10)
#define V4L2_AV1_FRAME_FLAG_DISABLE_FRAME_END_UPDATE_CDF (1u << 11)
#define V4L2_AV1_FRAME_FLAG_ALLOW_WARPED_MOTION (1u << 12)
#define V4L2_AV1_FRAME_FLAG_REFERENCE_SELECT (1u << 13)
#define V4L2_AV1_FRAME_FLAG_REDUCED_TX_SET (1u << 14)
#define V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED (1u << 15)
#define V4L2_AV1_FRAME_FLAG_SKIP_MODE_PRESENT (1u << 16)
#define V4L2_AV1_FRAME_FLAG_FRAME_SIZE_OVERRIDE (1u << 17)
#define V4L2_AV1_FRAME_FLAG_BUFFER_REMOVAL_TIME_PRESENT (1u << 18)
#define V4L2_AV1_FRAME_FLAG_FRAME_REFS_SHORT_SIGNALING (1u << 19)

#define V4L2_AV1_FILM_GRAIN_FLAG_APPLY_GRAIN (1u << 0)
#define V4L2_AV1_FILM_GRAIN_FLAG_UPDATE_GRAIN (1u << 1)
#define V4L2_AV1_FILM_GRAIN_FLAG_CHROMA_SCALING_FROM_LUMA (1u << 2)
#define V4L2_AV1_FILM_GRAIN_FLAG_OVERLAP (1u << 3)
#define V4L2_AV1_FILM_GRAIN_FLAG_CLIP_TO_RESTRICTED_RANGE (1u << 4)

enum v4l2_av1_warp_model {
    V4L2_AV1_WARP_MODEL_IDENTITY,
    V4L2_AV1_WARP_MODEL_TRANSLATION,
    V4L2_AV1_WARP_MODEL_ROTZOOM,
    V4L2_AV1_WARP_MODEL_AFFINE,
};

enum v4l2_av1_frame_restoration_type {
    V4L2_AV1_FRAME_RESTORE_NONE,
    V4L2_AV1_FRAME_RESTORE_WIENER,
    V4L2_AV1_FRAME_RESTORE_SGRPROJ,
    V4L2_AV1_FRAME_RESTORE_SWITCHABLE,
};

enum v4l2_av1_frame_type {
    V4L2_AV1_KEY_FRAME,
    V4L2_AV1_INTER_FRAME,
    V4L2_AV1_INTRA_ONLY_FRAME,
    V4L2_AV1_SWITCH_FRAME,
};

enum v4l2_av1_interpolation_filter {
    V4L2_AV1_INTERPOLATION_FILTER_EIGHTTAP,
    V4L2_AV1_INTERPOLATION_FILTER_EIGHTTAP_SMOOTH,
    V4L2_AV1_INTERPOLATION_FILTER_EIGHTTAP_SHARP,
    V4L2_AV1_INTERPOLATION_FILTER_BILINEAR,
    V4L2_AV1_INTERPOLATION_FILTER_SWITCHABLE,
};

enum v4l2_av1_tx_mode {
    V4L2_AV1_TX_MODE_ONLY_4X4,
    V4L2_AV1_TX_MODE_LARGEST,
    V4L2_AV1_TX_MODE_SELECT,
};

struct v4l2_ctrl_av1_sequence {
    __u32 flags;
    __u8 seq_profile;
    __u8 order_hint_bits;
    __u8 bit_depth;
    __u8 reserved;
    __u16 max_frame_width_minus_1;
    __u16 max_frame_height_minus_1;
};

struct v4l2_ctrl_av1_tile_group_entry {
    __u32 tile_offset;
    __u32 tile_size;
    __u32 tile_row;
    __u32 tile_col;
};

// Arrays of eight by reference have the intra frame as their first element.
struct v4l2_av1_global_motion {
    __u8 flags[8];
    enum v4l2_av1_warp_model type[8];
    __s32 params[8][6];
    __u8 invalid;
    __u8 reserved[3];
};

struct v4l2_av1_loop_restoration {
    __u8 flags;
    __u8 lr_unit_shift;
    __u8 lr_uv_shift;
    __u8 reserved;
    enum v4l2_av1_frame_restoration_type frame_restoration_type[3];
    __u32 loop_restoration_size[3];
};

struct v4l2_av1_cdef {
    __u8 damping_minus_3;
    __u8 bits;
    __u8 y_pri_strength[8];
    __u8 y_sec_strength[8];
    __u8 uv_pri_strength[8];
    __u8 uv_sec_strength[8];
};

struct v4l2_av1_segmentation {
    __u8 flags;
    __u8 last_active_seg_id;
    __u8 feature_enabled[8];
    __s16 feature_data[8][8];
};

struct v4l2_av1_loop_filter {
    __u8 flags;
    __u8 level[4];
    __u8 sharpness;
    __s8 ref_deltas[8];
    __s8 mode_deltas[2];
    __u8 delta_lf_res;
};

struct v4l2_av1_quantization {
    __u8 flags;
    __u8 base_q_idx;
    __s8 delta_q_y_dc;
    __s8 delta_q_u_dc;
    __s8 delta_q_u_ac;
    __s8 delta_q_v_dc;
    __s8 delta_q_v_ac;
    __u8 qm_y;
    __u8 qm_u;
    __u8 qm_v;
    __u8 delta_q_res;
};

struct v4l2_av1_tile_info {
    __u8 flags;
    __u8 context_update_tile_id;
    __u8 tile_cols;
    __u8 tile_rows;
    __u32 mi_col_starts[65];
    __u32 mi_row_starts[65];
    __u32 width_in_sbs_minus_1[64];
    __u32 height_in_sbs_minus_1[64];
    __u8 tile_size_bytes;
    __u8 reserved[3];
};

struct v4l2_ctrl_av1_frame {
    struct v4l2_av1_tile_info tile_info;
    struct v4l2_av1_quantization quantization;
    __u8 superres_denom;
    struct v4l2_av1_segmentation segmentation;
    struct v4l2_av1_loop_filter loop_filter;
    struct v4l2_av1_cdef cdef;
    __u8 skip_mode_frame[2];
    __u8 primary_ref_frame;
    struct v4l2_av1_loop_restoration loop_restoration;
    struct v4l2_av1_global_motion global_motion;
    __u32 flags;
    enum v4l2_av1_frame_type frame_type;
    __u32 order_hint;
    __u32 upscaled_width;
    enum v4l2_av1_interpolation_filter interpolation_filter;
    enum v4l2_av1_tx_mode tx_mode;
    __u32 frame_width_minus_1;
    __u32 frame_height_minus_1;
    __u16 render_width_minus_1;
    __u16 render_height_minus_1;
    __u32 current_frame_id;
    __u32 buffer_removal_time[32];
    __u8 reserved[4];
    __u32 order_hints[8];
    __u64 reference_frame_ts[8];
    __s8 ref_frame_idx[7];
    __u8 refresh_frame_flags;
};

struct v4l2_ctrl_av1_film_grain {
    __u8 flags;
    __u8 cr_mult;
    __u16 grain_seed;
    __u8 film_grain_params_ref_idx;
    __u8 num_y_points;
    __u8 point_y_value[16];
    __u8 point_y_scaling[16];
    __u8 num_cb_points;
    __u8 point_cb_value[16];
    __u8 point_cb_scaling[16];
    __u8 num_cr_points;
    __u8 point_cr_value[16];
    __u8 point_cr_scaling[16];
    __u8 grain_scaling_minus_8;
    __u8 ar_coeff_lag;
    __u8 ar_coeffs_y_plus_128[25];
    __u8 ar_coeffs_cb_plus_128[25];
    __u8 ar_coeffs_cr_plus_128[25];
    __u8 ar_coeff_shift_minus_6;
    __u8 grain_scale_shift;
    __u8 cb_mult;
    __u8 cb_luma_mult;
    __u8 cr_luma_mult;
    __u16 cb_offset;
    __u16 cr_offset;
    __u8 reserved[4];
};

#endif

// The kernel takes a payload of exactly its own size.
static_assert(sizeof(v4l2_ctrl_av1_sequence) == 12);
static_assert(sizeof(v4l2_ctrl_av1_tile_group_entry) == 16);
static_assert(sizeof(v4l2_ctrl_av1_frame) == 1784);
static_assert(sizeof(v4l2_ctrl_av1_film_grain) == 194);
