// SPDX-License-Identifier: MIT
#include "codec/av1_frame.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "codec/av1_tiles.h"
#include "codec/av1_warp.h"

// Clauses are those of the AV1 Bitstream & Decoding Process Specification.
namespace v4l2_request::codec {

namespace {

using Picture = VADecPictureParameterBufferAV1;

// One row of a table of flags: the flag if the bit of VA-API is set.
constexpr uint32_t flagIf(uint32_t bit, uint32_t flag) {
    return bit ? flag : 0;
}

constexpr uint8_t flagIf8(uint32_t bit, uint32_t flag) {
    return static_cast<uint8_t>(flagIf(bit, flag));
}

bool between(int value, int low, int high) {
    return value >= low && value <= high;
}

// The type as a number: what a client sends need not be one of the enumeration.
uint32_t warpType(const VAWarpedMotionParamsAV1& warp) {
    uint32_t type = 0;
    static_assert(sizeof(type) == sizeof(warp.wmtype));
    std::memcpy(&type, &warp.wmtype, sizeof(type));
    return type;
}

uint32_t frameFlags(const Picture& picture) {
    const auto& info = picture.pic_info_fields.bits;
    const auto& modes = picture.mode_control_fields.bits;
    return flagIf(info.show_frame, V4L2_AV1_FRAME_FLAG_SHOW_FRAME) |
           flagIf(info.showable_frame, V4L2_AV1_FRAME_FLAG_SHOWABLE_FRAME) |
           flagIf(info.error_resilient_mode, V4L2_AV1_FRAME_FLAG_ERROR_RESILIENT_MODE) |
           flagIf(info.disable_cdf_update, V4L2_AV1_FRAME_FLAG_DISABLE_CDF_UPDATE) |
           flagIf(info.allow_screen_content_tools, V4L2_AV1_FRAME_FLAG_ALLOW_SCREEN_CONTENT_TOOLS) |
           flagIf(info.force_integer_mv, V4L2_AV1_FRAME_FLAG_FORCE_INTEGER_MV) |
           flagIf(info.allow_intrabc, V4L2_AV1_FRAME_FLAG_ALLOW_INTRABC) |
           flagIf(info.use_superres, V4L2_AV1_FRAME_FLAG_USE_SUPERRES) |
           flagIf(info.allow_high_precision_mv, V4L2_AV1_FRAME_FLAG_ALLOW_HIGH_PRECISION_MV) |
           flagIf(info.is_motion_mode_switchable, V4L2_AV1_FRAME_FLAG_IS_MOTION_MODE_SWITCHABLE) |
           flagIf(info.use_ref_frame_mvs, V4L2_AV1_FRAME_FLAG_USE_REF_FRAME_MVS) |
           flagIf(info.disable_frame_end_update_cdf, V4L2_AV1_FRAME_FLAG_DISABLE_FRAME_END_UPDATE_CDF) |
           flagIf(info.allow_warped_motion, V4L2_AV1_FRAME_FLAG_ALLOW_WARPED_MOTION) |
           flagIf(modes.reference_select, V4L2_AV1_FRAME_FLAG_REFERENCE_SELECT) |
           flagIf(modes.reduced_tx_set_used, V4L2_AV1_FRAME_FLAG_REDUCED_TX_SET) |
           flagIf(modes.skip_mode_present, V4L2_AV1_FRAME_FLAG_SKIP_MODE_PRESENT);
}

bool diffUvDelta(const Picture& picture) {
    return picture.u_dc_delta_q != picture.v_dc_delta_q || picture.u_ac_delta_q != picture.v_ac_delta_q;
}

v4l2_av1_quantization fillQuantization(const Picture& picture) {
    const auto& matrix = picture.qmatrix_fields.bits;
    const auto& modes = picture.mode_control_fields.bits;
    const auto level = [&](unsigned value) { return static_cast<uint8_t>(matrix.using_qmatrix ? value : 0); };
    return {
        .flags = static_cast<uint8_t>(flagIf(diffUvDelta(picture), V4L2_AV1_QUANTIZATION_FLAG_DIFF_UV_DELTA) |
                                      flagIf(matrix.using_qmatrix, V4L2_AV1_QUANTIZATION_FLAG_USING_QMATRIX) |
                                      flagIf(modes.delta_q_present_flag, V4L2_AV1_QUANTIZATION_FLAG_DELTA_Q_PRESENT)),
        .base_q_idx = picture.base_qindex,
        .delta_q_y_dc = picture.y_dc_delta_q,
        .delta_q_u_dc = picture.u_dc_delta_q,
        .delta_q_u_ac = picture.u_ac_delta_q,
        .delta_q_v_dc = picture.v_dc_delta_q,
        .delta_q_v_ac = picture.v_ac_delta_q,
        .qm_y = level(matrix.qm_y),
        .qm_u = level(matrix.qm_u),
        .qm_v = level(matrix.qm_v),
        .delta_q_res = static_cast<uint8_t>(modes.delta_q_present_flag ? modes.log2_delta_q_res : 0),
    };
}

// segmentation_params() (5.9.14). What is not enabled is zero: the kernel checks the ranges of all values.
v4l2_av1_segmentation fillSegmentation(const Picture& picture) {
    constexpr int firstPreSkipFeature = 5; // SEG_LVL_REF_FRAME
    const auto& info = picture.seg_info.segment_info_fields.bits;
    v4l2_av1_segmentation segmentation{};
    if (!info.enabled)
        return segmentation;
    bool preSkip = false;
    for (uint8_t i = 0; i < 8; ++i) {
        segmentation.feature_enabled[i] = picture.seg_info.feature_mask[i];
        for (int j = 0; j < 8; ++j) {
            if (!(picture.seg_info.feature_mask[i] >> j & 1))
                continue;
            segmentation.feature_data[i][j] = picture.seg_info.feature_data[i][j];
            segmentation.last_active_seg_id = i;
            preSkip = preSkip || j >= firstPreSkipFeature;
        }
    }
    segmentation.flags = static_cast<uint8_t>(V4L2_AV1_SEGMENTATION_FLAG_ENABLED |
                                              flagIf(info.update_map, V4L2_AV1_SEGMENTATION_FLAG_UPDATE_MAP) |
                                              flagIf(info.temporal_update, V4L2_AV1_SEGMENTATION_FLAG_TEMPORAL_UPDATE) |
                                              flagIf(info.update_data, V4L2_AV1_SEGMENTATION_FLAG_UPDATE_DATA) |
                                              flagIf(preSkip, V4L2_AV1_SEGMENTATION_FLAG_SEG_ID_PRE_SKIP));
    return segmentation;
}

v4l2_av1_loop_filter fillLoopFilter(const Picture& picture) {
    const auto& info = picture.loop_filter_info_fields.bits;
    const auto& modes = picture.mode_control_fields.bits;
    v4l2_av1_loop_filter filter{
        .flags = static_cast<uint8_t>(flagIf(info.mode_ref_delta_enabled, V4L2_AV1_LOOP_FILTER_FLAG_DELTA_ENABLED) |
                                      flagIf(info.mode_ref_delta_update, V4L2_AV1_LOOP_FILTER_FLAG_DELTA_UPDATE) |
                                      flagIf(modes.delta_lf_present_flag, V4L2_AV1_LOOP_FILTER_FLAG_DELTA_LF_PRESENT) |
                                      flagIf(modes.delta_lf_multi, V4L2_AV1_LOOP_FILTER_FLAG_DELTA_LF_MULTI)),
        .level = {picture.filter_level[0], picture.filter_level[1], picture.filter_level_u, picture.filter_level_v},
        .sharpness = info.sharpness_level,
        .delta_lf_res = static_cast<uint8_t>(modes.delta_lf_present_flag ? modes.log2_delta_lf_res : 0),
    };
    std::ranges::copy(picture.ref_deltas, filter.ref_deltas);
    std::ranges::copy(picture.mode_deltas, filter.mode_deltas);
    return filter;
}

// cdef_params() (5.9.19): two bits code the secondary strength, and 3 means 4. Where the sequence or the frame has no
// CDEF, the values are what the clause then infers.
v4l2_av1_cdef fillCdef(const Picture& picture) {
    v4l2_av1_cdef cdef{};
    if (!picture.seq_info_fields.fields.enable_cdef || picture.pic_info_fields.bits.allow_intrabc)
        return cdef;
    const auto secondary = [](uint8_t packed) { return static_cast<uint8_t>((packed & 3) == 3 ? 4 : packed & 3); };
    cdef.damping_minus_3 = picture.cdef_damping_minus_3;
    cdef.bits = picture.cdef_bits;
    for (int i = 0; i < 1 << picture.cdef_bits; ++i) {
        cdef.y_pri_strength[i] = picture.cdef_y_strengths[i] >> 2;
        cdef.y_sec_strength[i] = secondary(picture.cdef_y_strengths[i]);
        cdef.uv_pri_strength[i] = picture.cdef_uv_strengths[i] >> 2;
        cdef.uv_sec_strength[i] = secondary(picture.cdef_uv_strengths[i]);
    }
    return cdef;
}

// lr_params() (5.9.20).
v4l2_av1_loop_restoration fillLoopRestoration(const Picture& picture) {
    constexpr uint32_t smallest = 64; // RESTORATION_TILESIZE_MAX >> 2
    const auto& info = picture.loop_restoration_fields.bits;
    const bool chroma = info.cbframe_restoration_type || info.crframe_restoration_type;
    const bool uses = info.yframe_restoration_type || chroma;
    if (!uses)
        return {};
    const auto type = [](unsigned value) { return static_cast<v4l2_av1_frame_restoration_type>(value); };
    const uint32_t size = smallest << info.lr_unit_shift;
    return {
        .flags = static_cast<uint8_t>(V4L2_AV1_LOOP_RESTORATION_FLAG_USES_LR |
                                      flagIf(chroma, V4L2_AV1_LOOP_RESTORATION_FLAG_USES_CHROMA_LR)),
        .lr_unit_shift = static_cast<uint8_t>(info.lr_unit_shift),
        .lr_uv_shift = static_cast<uint8_t>(chroma ? info.lr_uv_shift : 0),
        .frame_restoration_type = {type(info.yframe_restoration_type), type(info.cbframe_restoration_type),
                                   type(info.crframe_restoration_type)},
        .loop_restoration_size = {size, size >> (chroma ? info.lr_uv_shift : 0),
                                  size >> (chroma ? info.lr_uv_shift : 0)},
    };
}

// global_motion_params() (5.9.24): gm_params[] of LAST_FRAME to ALTREF_FRAME, which are the defaults where the frame is
// intra. INTRA_FRAME has none.
v4l2_av1_global_motion fillGlobalMotion(const Picture& picture) {
    v4l2_av1_global_motion motion{};
    for (size_t i = 1; i < 8; ++i) {
        motion.params[i][2] = motion.params[i][5] = av1WarpOne;
        if (isAv1Intra(picture))
            continue;
        const VAWarpedMotionParamsAV1& warp = picture.wm[i - 1];
        const uint32_t type = warpType(warp);
        motion.type[i] = static_cast<v4l2_av1_warp_model>(type);
        if (type == VAAV1TransformationIdentity)
            continue;
        std::copy_n(warp.wmmat, 6, motion.params[i]);
        motion.flags[i] = static_cast<uint8_t>(
            V4L2_AV1_GLOBAL_MOTION_FLAG_IS_GLOBAL |
            flagIf(type == VAAV1TransformationRotzoom, V4L2_AV1_GLOBAL_MOTION_FLAG_IS_ROT_ZOOM) |
            flagIf(type == VAAV1TransformationTranslation, V4L2_AV1_GLOBAL_MOTION_FLAG_IS_TRANSLATION));
        if (!isAv1WarpValid(std::span<const int32_t, 6>(motion.params[i])))
            motion.invalid = static_cast<uint8_t>(motion.invalid | V4L2_AV1_GLOBAL_MOTION_IS_INVALID(i));
    }
    return motion;
}

// What read_global_param() (5.9.25) can give: 12 bits of parameters with 15 bits behind the point, or of translation
// with 6, around the default, all brought to 16 bits behind the point.
bool isWarpInRange(const VAWarpedMotionParamsAV1& warp) {
    constexpr int translation = 1 << (12 + 16 - 6), parameter = 1 << (12 + 16 - 15);
    const auto& m = warp.wmmat;
    return warpType(warp) == VAAV1TransformationIdentity ||
           (warpType(warp) < VAAV1TransformationCount && between(m[0], -translation, translation) &&
            between(m[1], -translation, translation) && between(m[2], av1WarpOne - parameter, av1WarpOne + parameter) &&
            between(m[3], -parameter, parameter) && between(m[4], -parameter, parameter) &&
            between(m[5], av1WarpOne - parameter, av1WarpOne + parameter));
}

// Whether points of a scaling function ascend (6.8.20).
bool ascending(std::span<const uint8_t> points) {
    return std::ranges::adjacent_find(points, std::greater_equal()) == points.end();
}

Result<void> checkGrain(const VAFilmGrainStructAV1& grain) {
    if (!grain.film_grain_info_fields.bits.apply_grain)
        return {};
    if (grain.num_y_points > 14 || grain.num_cb_points > 10 || grain.num_cr_points > 10 ||
        !ascending(std::span(grain.point_y_value).first(grain.num_y_points)) ||
        !ascending(std::span(grain.point_cb_value).first(grain.num_cb_points)) ||
        !ascending(std::span(grain.point_cr_value).first(grain.num_cr_points)))
        return fail(ErrorKind::InvalidParameter, "AV1: the points of the film grain do not ascend, or are too many");
    return {};
}

// Feature_Max and the signs (5.9.14).
Result<void> checkSegmentation(const Picture& picture) {
    constexpr std::array<int, 8> most{255, 63, 63, 63, 63, 7, 0, 0};
    constexpr int firstUnsigned = 5;
    if (!picture.seg_info.segment_info_fields.bits.enabled)
        return {};
    const v4l2_av1_segmentation segmentation = fillSegmentation(picture);
    for (const auto& segment : segmentation.feature_data)
        for (int j = 0; j < 8; ++j)
            if (const int limit = most[static_cast<size_t>(j)];
                !between(segment[j], j < firstUnsigned ? -limit : 0, limit))
                return fail(ErrorKind::InvalidParameter, "AV1: a segment feature is out of range");
    return {};
}

int relativeDistance(int a, int b, int orderHintBits) {
    const int sign = 1 << (orderHintBits - 1); // get_relative_dist() (5.9.3)
    const int difference = a - b;
    return (difference & (sign - 1)) - (difference & sign);
}

} // namespace

Result<void> checkAv1Picture(const Picture& picture) {
    const auto& info = picture.pic_info_fields.bits;
    const auto& sequence = picture.seq_info_fields.fields;
    if (picture.profile != 0 || picture.bit_depth_idx > 1 || !sequence.subsampling_x || !sequence.subsampling_y)
        return fail(ErrorKind::Unsupported, "AV1: not profile 0");
    if (info.large_scale_tile)
        return fail(ErrorKind::Unsupported, "AV1: large scale tiles, for which the kernel has no controls");
    const bool superresInRange = info.use_superres ? between(picture.superres_scale_denominator, 9, 16) : true;
    if (!superresInRange || (sequence.enable_order_hint && picture.order_hint_bits_minus_1 > 7) ||
        picture.interp_filter > V4L2_AV1_INTERPOLATION_FILTER_SWITCHABLE ||
        picture.mode_control_fields.bits.tx_mode > V4L2_AV1_TX_MODE_SELECT || picture.primary_ref_frame > 7 ||
        (!isAv1Intra(picture) && std::ranges::any_of(picture.ref_frame_idx, [](uint8_t index) { return index > 7; })))
        return fail(ErrorKind::InvalidParameter, "AV1: a value of the frame header is out of range");
    if (picture.cdef_damping_minus_3 > 3 || picture.cdef_bits > 3 ||
        std::ranges::any_of(picture.cdef_y_strengths, [](uint8_t strength) { return strength > 63; }) ||
        std::ranges::any_of(picture.cdef_uv_strengths, [](uint8_t strength) { return strength > 63; }))
        return fail(ErrorKind::InvalidParameter, "AV1: a value of CDEF is out of range");
    if (std::ranges::any_of(picture.filter_level, [](uint8_t level) { return level > 63; }) ||
        picture.filter_level_u > 63 || picture.filter_level_v > 63 ||
        picture.loop_restoration_fields.bits.lr_unit_shift > 2)
        return fail(ErrorKind::InvalidParameter, "AV1: a value of the filters is out of range");
    const std::array deltas{picture.y_dc_delta_q, picture.u_dc_delta_q, picture.u_ac_delta_q, picture.v_dc_delta_q,
                            picture.v_ac_delta_q};
    const auto inRange = [](int8_t delta) { return between(delta, -64, 63); };
    if (!std::ranges::all_of(deltas, inRange) || !std::ranges::all_of(picture.ref_deltas, inRange) ||
        !std::ranges::all_of(picture.mode_deltas, inRange))
        return fail(ErrorKind::InvalidParameter, "AV1: a delta is out of range");
    if (!isAv1Intra(picture) && !std::ranges::all_of(picture.wm, isWarpInRange))
        return fail(ErrorKind::InvalidParameter, "AV1: global motion is out of range");
    return checkSegmentation(picture).and_then([&] { return checkGrain(picture.film_grain_info); });
}

// They decide what a frame header may contain (5.9.2, 5.9.8, 5.9.12, 5.9.20), nothing of the tiles: a sequence that has
// the tools of all frames so far is one that the frames belong to.
uint32_t usedAv1Tools(const Picture& picture) {
    const auto& info = picture.pic_info_fields.bits;
    const auto& restoration = picture.loop_restoration_fields.bits;
    const bool restored = restoration.yframe_restoration_type || restoration.cbframe_restoration_type ||
                          restoration.crframe_restoration_type;
    return flagIf(info.allow_warped_motion, V4L2_AV1_SEQUENCE_FLAG_ENABLE_WARPED_MOTION) |
           flagIf(info.use_ref_frame_mvs, V4L2_AV1_SEQUENCE_FLAG_ENABLE_REF_FRAME_MVS) |
           flagIf(info.use_superres, V4L2_AV1_SEQUENCE_FLAG_ENABLE_SUPERRES) |
           flagIf(restored, V4L2_AV1_SEQUENCE_FLAG_ENABLE_RESTORATION) |
           flagIf(diffUvDelta(picture), V4L2_AV1_SEQUENCE_FLAG_SEPARATE_UV_DELTA_Q);
}

v4l2_ctrl_av1_sequence fillAv1Sequence(const Picture& picture, uint32_t tools, uint32_t maxWidth, uint32_t maxHeight) {
    const auto& info = picture.seq_info_fields.fields;
    return {
        .flags = tools | flagIf(info.still_picture, V4L2_AV1_SEQUENCE_FLAG_STILL_PICTURE) |
                 flagIf(info.use_128x128_superblock, V4L2_AV1_SEQUENCE_FLAG_USE_128X128_SUPERBLOCK) |
                 flagIf(info.enable_filter_intra, V4L2_AV1_SEQUENCE_FLAG_ENABLE_FILTER_INTRA) |
                 flagIf(info.enable_intra_edge_filter, V4L2_AV1_SEQUENCE_FLAG_ENABLE_INTRA_EDGE_FILTER) |
                 flagIf(info.enable_interintra_compound, V4L2_AV1_SEQUENCE_FLAG_ENABLE_INTERINTRA_COMPOUND) |
                 flagIf(info.enable_masked_compound, V4L2_AV1_SEQUENCE_FLAG_ENABLE_MASKED_COMPOUND) |
                 flagIf(info.enable_dual_filter, V4L2_AV1_SEQUENCE_FLAG_ENABLE_DUAL_FILTER) |
                 flagIf(info.enable_order_hint, V4L2_AV1_SEQUENCE_FLAG_ENABLE_ORDER_HINT) |
                 flagIf(info.enable_jnt_comp, V4L2_AV1_SEQUENCE_FLAG_ENABLE_JNT_COMP) |
                 flagIf(info.enable_cdef, V4L2_AV1_SEQUENCE_FLAG_ENABLE_CDEF) |
                 flagIf(info.mono_chrome, V4L2_AV1_SEQUENCE_FLAG_MONO_CHROME) |
                 flagIf(info.color_range, V4L2_AV1_SEQUENCE_FLAG_COLOR_RANGE) | V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_X |
                 V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_Y | // profile 0 (6.4.2)
                 flagIf(info.film_grain_params_present, V4L2_AV1_SEQUENCE_FLAG_FILM_GRAIN_PARAMS_PRESENT),
        .seq_profile = picture.profile,
        .order_hint_bits = static_cast<uint8_t>(info.enable_order_hint ? picture.order_hint_bits_minus_1 + 1 : 0),
        .bit_depth = static_cast<uint8_t>(picture.bit_depth_idx ? 10 : 8),
        .max_frame_width_minus_1 = static_cast<uint16_t>(maxWidth - 1),
        .max_frame_height_minus_1 = static_cast<uint16_t>(maxHeight - 1),
    };
}

v4l2_ctrl_av1_frame fillAv1Frame(const Picture& picture) {
    constexpr uint8_t noSuperres = 8;
    const auto& info = picture.pic_info_fields.bits;
    return {
        .quantization = fillQuantization(picture),
        .superres_denom = info.use_superres ? picture.superres_scale_denominator : noSuperres,
        .segmentation = fillSegmentation(picture),
        .loop_filter = fillLoopFilter(picture),
        .cdef = fillCdef(picture),
        .primary_ref_frame = picture.primary_ref_frame,
        .loop_restoration = fillLoopRestoration(picture),
        .global_motion = fillGlobalMotion(picture),
        .flags = frameFlags(picture),
        .frame_type = static_cast<v4l2_av1_frame_type>(info.frame_type),
        .order_hint = picture.order_hint,
        .upscaled_width = picture.frame_width_minus1 + 1u,
        .interpolation_filter = static_cast<v4l2_av1_interpolation_filter>(picture.interp_filter),
        .tx_mode = static_cast<v4l2_av1_tx_mode>(picture.mode_control_fields.bits.tx_mode),
        .frame_width_minus_1 = av1FrameWidth(picture) - 1,
        .frame_height_minus_1 = picture.frame_height_minus1,
        // not carried, and no decoder looks at it: render_and_frame_size_different = 0 (5.9.6)
        .render_width_minus_1 = picture.frame_width_minus1,
        .render_height_minus_1 = picture.frame_height_minus1,
    };
}

// VA-API carries what is to be applied, however it was coded: update_grain = 1 (5.9.30).
v4l2_ctrl_av1_film_grain fillAv1FilmGrain(const Picture& picture) {
    const VAFilmGrainStructAV1& from = picture.film_grain_info;
    const auto& info = from.film_grain_info_fields.bits;
    v4l2_ctrl_av1_film_grain grain{};
    if (!info.apply_grain)
        return grain;
    const auto copyPoints = [](uint8_t count, const auto& values, const auto& scalings, auto& toValues,
                               auto& toScalings) {
        std::copy_n(values, count, toValues);
        std::copy_n(scalings, count, toScalings);
        return count;
    };
    const auto copyCoefficients = [](const auto& coefficients, auto& to) {
        std::ranges::transform(coefficients, to, [](int8_t value) { return static_cast<uint8_t>(value + 128); });
    };
    grain.flags =
        static_cast<uint8_t>(V4L2_AV1_FILM_GRAIN_FLAG_APPLY_GRAIN | V4L2_AV1_FILM_GRAIN_FLAG_UPDATE_GRAIN |
                             flagIf(info.chroma_scaling_from_luma, V4L2_AV1_FILM_GRAIN_FLAG_CHROMA_SCALING_FROM_LUMA) |
                             flagIf(info.overlap_flag, V4L2_AV1_FILM_GRAIN_FLAG_OVERLAP) |
                             flagIf(info.clip_to_restricted_range, V4L2_AV1_FILM_GRAIN_FLAG_CLIP_TO_RESTRICTED_RANGE));
    grain.grain_seed = from.grain_seed;
    grain.num_y_points = copyPoints(from.num_y_points, from.point_y_value, from.point_y_scaling, grain.point_y_value,
                                    grain.point_y_scaling);
    grain.num_cb_points = copyPoints(from.num_cb_points, from.point_cb_value, from.point_cb_scaling,
                                     grain.point_cb_value, grain.point_cb_scaling);
    grain.num_cr_points = copyPoints(from.num_cr_points, from.point_cr_value, from.point_cr_scaling,
                                     grain.point_cr_value, grain.point_cr_scaling);
    grain.grain_scaling_minus_8 = static_cast<uint8_t>(info.grain_scaling_minus_8);
    grain.ar_coeff_lag = static_cast<uint8_t>(info.ar_coeff_lag);
    copyCoefficients(from.ar_coeffs_y, grain.ar_coeffs_y_plus_128);
    copyCoefficients(from.ar_coeffs_cb, grain.ar_coeffs_cb_plus_128);
    copyCoefficients(from.ar_coeffs_cr, grain.ar_coeffs_cr_plus_128);
    grain.ar_coeff_shift_minus_6 = static_cast<uint8_t>(info.ar_coeff_shift_minus_6);
    grain.grain_scale_shift = static_cast<uint8_t>(info.grain_scale_shift);
    grain.cb_mult = from.cb_mult;
    grain.cb_luma_mult = from.cb_luma_mult;
    grain.cb_offset = from.cb_offset;
    grain.cr_mult = from.cr_mult;
    grain.cr_luma_mult = from.cr_luma_mult;
    grain.cr_offset = from.cr_offset;
    return grain;
}

std::optional<std::array<uint8_t, 2>> av1SkipModeFrames(const Picture& picture,
                                                        const std::array<uint8_t, 7>& orderHints) {
    if (isAv1Intra(picture) || !picture.mode_control_fields.bits.reference_select ||
        !picture.seq_info_fields.fields.enable_order_hint)
        return std::nullopt;
    const auto distance = [&](int a, int b) { return relativeDistance(a, b, picture.order_hint_bits_minus_1 + 1); };
    // The nearest references before and after the frame; of equal ones the first.
    std::optional<size_t> forward, backward, secondForward;
    for (size_t i = 0; i < orderHints.size(); ++i) {
        const int toFrame = distance(orderHints[i], picture.order_hint);
        if (toFrame < 0 && (!forward || distance(orderHints[i], orderHints[*forward]) > 0))
            forward = i;
        if (toFrame > 0 && (!backward || distance(orderHints[i], orderHints[*backward]) < 0))
            backward = i;
    }
    if (!forward)
        return std::nullopt;
    if (!backward) {
        for (size_t i = 0; i < orderHints.size(); ++i)
            if (distance(orderHints[i], orderHints[*forward]) < 0 &&
                (!secondForward || distance(orderHints[i], orderHints[*secondForward]) > 0))
                secondForward = i;
        if (!secondForward)
            return std::nullopt;
    }
    const size_t other = backward ? *backward : *secondForward;
    const auto reference = [](size_t index) { return static_cast<uint8_t>(index + 1); }; // LAST_FRAME
    return std::array{reference(std::min(*forward, other)), reference(std::max(*forward, other))};
}

} // namespace v4l2_request::codec
