// SPDX-License-Identifier: MIT
#include "av1/checks.h"

#include <algorithm>
#include <cstring>

namespace daedalus {
namespace {

struct Rule {
    bool wrong;
    const char* what; ///< with the clause
};

template <size_t count>
Result<void> follow(const Rule (&rules)[count]) {
    for (const Rule& rule : rules) {
        if (rule.wrong)
            return fail(EINVAL, "%s", rule.what);
    }
    return {};
}

template <typename T, size_t count>
bool allZero(const T (&values)[count]) {
    return std::ranges::all_of(values, [](T value) { return value == 0; });
}

Result<void> checkTypes(const Av1Controls& c) {
    const auto& f = c.frame;
    const bool shown = c.has(V4L2_AV1_FRAME_FLAG_SHOW_FRAME);
    const bool key = c.type() == V4L2_AV1_KEY_FRAME;
    const bool inter = !c.intra();
    const uint32_t ofInter = V4L2_AV1_FRAME_FLAG_ALLOW_HIGH_PRECISION_MV | V4L2_AV1_FRAME_FLAG_USE_REF_FRAME_MVS |
                             V4L2_AV1_FRAME_FLAG_ALLOW_WARPED_MOTION | V4L2_AV1_FRAME_FLAG_REFERENCE_SELECT |
                             V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED | V4L2_AV1_FRAME_FLAG_SKIP_MODE_PRESENT;
    const bool screen = c.has(V4L2_AV1_FRAME_FLAG_ALLOW_SCREEN_CONTENT_TOOLS);
    const bool integer = c.has(V4L2_AV1_FRAME_FLAG_FORCE_INTEGER_MV);
    return follow({
        {c.type() > V4L2_AV1_SWITCH_FRAME, "AV1_FRAME.frame_type is none"},
        {!allZero(f.reserved), "AV1_FRAME.reserved is not 0"},
        {c.refreshesAll() && f.refresh_frame_flags != av1AllSlots,
         "AV1_FRAME.refresh_frame_flags of a shown key frame or a switch frame are not all (5.9.2)"},
        {c.type() == V4L2_AV1_INTRA_ONLY_FRAME && f.refresh_frame_flags == av1AllSlots,
         "AV1_FRAME.refresh_frame_flags of an intra only frame are all (6.8.2)"},
        // A reduced still picture header does not say it, and a key frame does not read it.
        {c.refreshesAll() && !c.errorResilient() && !c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_STILL_PICTURE),
         "AV1_FRAME.flags ERROR_RESILIENT_MODE is not set in a shown key frame or a switch frame (5.9.2)"},
        {shown && c.has(V4L2_AV1_FRAME_FLAG_SHOWABLE_FRAME) == key,
         "AV1_FRAME.flags SHOWABLE_FRAME of a shown frame says whether it is no key frame (5.9.2)"},
        {c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_STILL_PICTURE) && !c.shownKey(),
         "AV1_SEQUENCE.flags STILL_PICTURE, but this is no shown key frame (6.8.2)"},
        {f.primary_ref_frame > av1PrimaryRefNone, "AV1_FRAME.primary_ref_frame is none"},
        {(c.intra() || c.errorResilient()) && f.primary_ref_frame != av1PrimaryRefNone,
         "AV1_FRAME.primary_ref_frame of an intra or error resilient frame is not 7 (5.9.2)"},
        {f.order_hint >> c.sequence.order_hint_bits != 0, "AV1_FRAME.order_hint has more bits than OrderHintBits"},
        {c.has(V4L2_AV1_FRAME_FLAG_DISABLE_CDF_UPDATE) && !c.has(V4L2_AV1_FRAME_FLAG_DISABLE_FRAME_END_UPDATE_CDF),
         "AV1_FRAME.flags DISABLE_CDF_UPDATE without DISABLE_FRAME_END_UPDATE_CDF (5.9.2)"},
        {c.intra() && (f.flags & ofInter) != 0, "AV1_FRAME.flags of an intra frame has one of inter frames (5.9.2)"},
        {inter && integer && !screen, "AV1_FRAME.flags FORCE_INTEGER_MV without ALLOW_SCREEN_CONTENT_TOOLS (5.9.2)"},
        {inter && integer && c.has(V4L2_AV1_FRAME_FLAG_ALLOW_HIGH_PRECISION_MV),
         "AV1_FRAME.flags ALLOW_HIGH_PRECISION_MV with FORCE_INTEGER_MV (5.9.2)"},
        {c.has(V4L2_AV1_FRAME_FLAG_ALLOW_INTRABC) && (inter || !screen || c.frameWidth() != f.upscaled_width),
         "AV1_FRAME.flags ALLOW_INTRABC where it cannot be (5.9.2)"},
        {c.has(V4L2_AV1_FRAME_FLAG_USE_REF_FRAME_MVS) && c.errorResilient(),
         "AV1_FRAME.flags USE_REF_FRAME_MVS in an error resilient frame (5.9.2)"},
        {c.has(V4L2_AV1_FRAME_FLAG_ALLOW_WARPED_MOTION) && c.errorResilient(),
         "AV1_FRAME.flags ALLOW_WARPED_MOTION in an error resilient frame (5.9.2)"},
        {inter && static_cast<uint32_t>(f.interpolation_filter) > V4L2_AV1_INTERPOLATION_FILTER_SWITCHABLE,
         "AV1_FRAME.interpolation_filter is none"},
    });
}

Result<void> checkSizes(const Av1Controls& c) {
    const auto& f = c.frame;
    const bool scaled = c.has(V4L2_AV1_FRAME_FLAG_USE_SUPERRES);
    const uint32_t denominator = f.superres_denom;
    if (scaled ? denominator < 9 || denominator > 16 : denominator != 8)
        return fail(EINVAL, "AV1_FRAME.superres_denom is %u, USE_SUPERRES %d (5.9.8)", denominator, scaled);
    if (f.upscaled_width == 0 || f.upscaled_width > c.sequence.max_frame_width_minus_1 + 1u ||
        c.frameHeight() > c.sequence.max_frame_height_minus_1 + 1u)
        return fail(EINVAL, "AV1_FRAME: %u x %u is larger than AV1_SEQUENCE's %u x %u (6.8.4)", f.upscaled_width,
                    c.frameHeight(), c.sequence.max_frame_width_minus_1 + 1u, c.sequence.max_frame_height_minus_1 + 1u);
    if (const uint32_t width = (f.upscaled_width * 8 + denominator / 2) / denominator; c.frameWidth() != width)
        return fail(EINVAL, "AV1_FRAME.frame_width_minus_1 is %u, not %u (5.9.8)", f.frame_width_minus_1, width - 1);
    return {};
}

Result<void> checkQuantization(const Av1Controls& c) {
    const auto& q = c.frame.quantization;
    const auto& filter = c.frame.loop_filter;
    const bool differs = q.delta_q_u_dc != q.delta_q_v_dc || q.delta_q_u_ac != q.delta_q_v_ac;
    const bool matrices = (q.flags & V4L2_AV1_QUANTIZATION_FLAG_USING_QMATRIX) != 0;
    const bool diff = (q.flags & V4L2_AV1_QUANTIZATION_FLAG_DIFF_UV_DELTA) != 0;
    const bool separate = c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_SEPARATE_UV_DELTA_Q);
    const bool deltaQ = (q.flags & V4L2_AV1_QUANTIZATION_FLAG_DELTA_Q_PRESENT) != 0;
    const bool deltaLf = (filter.flags & V4L2_AV1_LOOP_FILTER_FLAG_DELTA_LF_PRESENT) != 0;
    const bool multi = (filter.flags & V4L2_AV1_LOOP_FILTER_FLAG_DELTA_LF_MULTI) != 0;
    return follow({
        {differs && !diff, "AV1_FRAME.quantization: Cb and Cr differ without DIFF_UV_DELTA (5.9.12)"},
        {(diff || (matrices && q.qm_u != q.qm_v && !c.monochrome())) && !separate,
         "AV1_SEQUENCE.flags SEPARATE_UV_DELTA_Q is not set, but the frame uses it (5.9.12)"},
        {deltaQ && q.base_q_idx == 0, "AV1_FRAME.quantization.flags DELTA_Q_PRESENT with base_q_idx 0 (5.9.17)"},
        {!deltaQ && q.delta_q_res != 0, "AV1_FRAME.quantization.delta_q_res without DELTA_Q_PRESENT (5.9.17)"},
        {q.delta_q_res > 3 || filter.delta_lf_res > 3, "AV1_FRAME: delta_q_res or delta_lf_res above 3"},
        {deltaLf && (!deltaQ || c.has(V4L2_AV1_FRAME_FLAG_ALLOW_INTRABC)),
         "AV1_FRAME.loop_filter.flags DELTA_LF_PRESENT where it cannot be (5.9.18)"},
        {!deltaLf && (multi || filter.delta_lf_res != 0),
         "AV1_FRAME.loop_filter: DELTA_LF_MULTI or delta_lf_res without DELTA_LF_PRESENT (5.9.18)"},
        {!c.hasFilters() && (filter.level[0] != 0 || filter.level[1] != 0),
         "AV1_FRAME.loop_filter.level is not 0 where there is no filter (5.9.11)"},
        {(static_cast<uint32_t>(c.frame.tx_mode) == V4L2_AV1_TX_MODE_ONLY_4X4) != c.codedLossless() ||
             static_cast<uint32_t>(c.frame.tx_mode) > V4L2_AV1_TX_MODE_SELECT,
         "AV1_FRAME.tx_mode is ONLY_4X4 where the frame is lossless, and only there (5.9.21)"},
    });
}

Result<void> checkSegmentation(const Av1Controls& c) {
    const auto& s = c.frame.segmentation;
    const bool first = c.frame.primary_ref_frame == av1PrimaryRefNone;
    const bool map = (s.flags & V4L2_AV1_SEGMENTATION_FLAG_UPDATE_MAP) != 0;
    const bool temporal = (s.flags & V4L2_AV1_SEGMENTATION_FLAG_TEMPORAL_UPDATE) != 0;
    const bool data = (s.flags & V4L2_AV1_SEGMENTATION_FLAG_UPDATE_DATA) != 0;
    const bool preSkip = (s.flags & V4L2_AV1_SEGMENTATION_FLAG_SEG_ID_PRE_SKIP) != 0;
    if (!c.segmented())
        return follow({{s.flags != 0, "AV1_FRAME.segmentation.flags without ENABLED (5.9.14)"}});
    unsigned last = 0;
    bool derivedPreSkip = false;
    for (unsigned segment = 0; segment < V4L2_AV1_MAX_SEGMENTS; ++segment) {
        if (s.feature_enabled[segment] != 0)
            last = segment;
        derivedPreSkip |= s.feature_enabled[segment] >> V4L2_AV1_SEG_LVL_REF_FRAME != 0;
    }
    if (s.last_active_seg_id != last)
        return fail(EINVAL, "AV1_FRAME.segmentation.last_active_seg_id is %u, not %u (5.9.14)", s.last_active_seg_id,
                    last);
    return follow({
        {preSkip != derivedPreSkip,
         "AV1_FRAME.segmentation.flags SEG_ID_PRE_SKIP is not what the features say (5.9.14)"},
        {first && !(map && data), "AV1_FRAME.segmentation.flags: no update, but nothing to take it from (5.9.14)"},
        {temporal && (first || !map), "AV1_FRAME.segmentation.flags TEMPORAL_UPDATE where it cannot be (5.9.14)"},
    });
}

Result<void> checkCdef(const Av1Controls& c) {
    const auto& cdef = c.frame.cdef;
    const bool coded = c.hasFilters() && c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_CDEF);
    if (!coded)
        return follow({{cdef.bits != 0 || cdef.damping_minus_3 != 0 || cdef.y_pri_strength[0] != 0 ||
                            cdef.y_sec_strength[0] != 0 || cdef.uv_pri_strength[0] != 0 || cdef.uv_sec_strength[0] != 0,
                        "AV1_FRAME.cdef is not 0 where there is none (5.9.19)"}});
    for (unsigned i = 0; cdef.bits <= 3 && i < 1u << cdef.bits; ++i) {
        if (cdef.y_sec_strength[i] == 3 || cdef.uv_sec_strength[i] == 3)
            return fail(EINVAL, "AV1_FRAME.cdef: secondary strength %u is 3, which is 4 (5.9.19)", i);
    }
    return follow({{cdef.bits > 3 || cdef.damping_minus_3 > 3, "AV1_FRAME.cdef: bits or damping_minus_3 above 3"}});
}

Result<void> checkRestoration(const Av1Controls& c) {
    const auto& lr = c.frame.loop_restoration;
    bool uses = false, usesChroma = false;
    for (unsigned plane = 0; plane < V4L2_AV1_NUM_PLANES_MAX; ++plane) {
        const auto type = static_cast<uint32_t>(lr.frame_restoration_type[plane]);
        if (type > V4L2_AV1_FRAME_RESTORE_SWITCHABLE || (type != V4L2_AV1_FRAME_RESTORE_NONE && plane >= c.planes()))
            return fail(EINVAL, "AV1_FRAME.loop_restoration.frame_restoration_type[%u] is %u", plane, type);
        uses |= type != V4L2_AV1_FRAME_RESTORE_NONE;
        usesChroma |= plane > 0 && type != V4L2_AV1_FRAME_RESTORE_NONE;
    }
    const bool saysUses = (lr.flags & V4L2_AV1_LOOP_RESTORATION_FLAG_USES_LR) != 0;
    const bool saysChroma = (lr.flags & V4L2_AV1_LOOP_RESTORATION_FLAG_USES_CHROMA_LR) != 0;
    const bool large = c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_USE_128X128_SUPERBLOCK);
    if (auto checked = follow({
            {lr.reserved != 0, "AV1_FRAME.loop_restoration.reserved is not 0"},
            {uses != saysUses, "AV1_FRAME.loop_restoration.flags USES_LR is not what the types say (5.9.20)"},
            {usesChroma != saysChroma,
             "AV1_FRAME.loop_restoration.flags USES_CHROMA_LR is not what the types say (5.9.20)"},
            {uses && !c.hasRestoration(), "AV1_FRAME.loop_restoration where there is none (5.9.20)"},
            {uses && !c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_RESTORATION),
             "AV1_SEQUENCE.flags ENABLE_RESTORATION is not set, but the frame uses it (5.9.20)"},
            {uses && (lr.lr_unit_shift > 2 || (large && lr.lr_unit_shift == 0)),
             "AV1_FRAME.loop_restoration.lr_unit_shift cannot be (5.9.20)"},
            {lr.lr_uv_shift > (usesChroma ? 1 : 0), "AV1_FRAME.loop_restoration.lr_uv_shift cannot be (5.9.20)"},
        });
        !checked || !uses)
        return checked;
    for (unsigned plane = 0; plane < c.planes(); ++plane) {
        const uint32_t size = 64u << lr.lr_unit_shift >> (plane ? lr.lr_uv_shift : 0);
        if (lr.loop_restoration_size[plane] != size)
            return fail(EINVAL, "AV1_FRAME.loop_restoration.loop_restoration_size[%u] is %u, not %u (5.9.20)", plane,
                        lr.loop_restoration_size[plane], size);
    }
    return {};
}

Result<void> checkGrain(const Av1Controls& c) {
    if (!c.grain)
        return {};
    const auto& g = *c.grain;
    const bool applies = c.appliesGrain();
    const auto flag = [&](uint8_t mask) { return (g.flags & mask) != 0; };
    const bool fromLuma = flag(V4L2_AV1_FILM_GRAIN_FLAG_CHROMA_SCALING_FROM_LUMA);
    const bool noChroma = c.monochrome() || fromLuma || g.num_y_points == 0;
    return follow({
        {!allZero(g.reserved), "AV1_FILM_GRAIN.reserved is not 0"},
        {applies && !c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_FILM_GRAIN_PARAMS_PRESENT),
         "AV1_FILM_GRAIN.flags APPLY_GRAIN without AV1_SEQUENCE.flags FILM_GRAIN_PARAMS_PRESENT (5.9.30)"},
        {applies && !c.has(V4L2_AV1_FRAME_FLAG_SHOW_FRAME) && !c.has(V4L2_AV1_FRAME_FLAG_SHOWABLE_FRAME),
         "AV1_FILM_GRAIN.flags APPLY_GRAIN in a frame that is never shown (5.9.30)"},
        {applies && fromLuma && c.monochrome(),
         "AV1_FILM_GRAIN.flags CHROMA_SCALING_FROM_LUMA without chroma (5.9.30)"},
        {applies && noChroma && (g.num_cb_points != 0 || g.num_cr_points != 0),
         "AV1_FILM_GRAIN: points of chroma where none can be (5.9.30)"},
        {applies && (g.num_y_points > 14 || g.num_cb_points > 10 || g.num_cr_points > 10),
         "AV1_FILM_GRAIN: too many points (6.8.20)"},
        {applies && (g.num_cb_points == 0) != (g.num_cr_points == 0),
         "AV1_FILM_GRAIN: points of one chroma plane only (6.8.20)"},
        {applies && (g.grain_scaling_minus_8 > 3 || g.ar_coeff_lag > 3 || g.ar_coeff_shift_minus_6 > 3 ||
                     g.grain_scale_shift > 3 || g.cb_offset > 511 || g.cr_offset > 511),
         "AV1_FILM_GRAIN: a value has more bits than its syntax element (5.9.30)"},
    });
}

/// Are the parameters those of another frame, but for what each frame has of its own (load_grain_params() of 6.8.20)?
bool isSameGrain(v4l2_ctrl_av1_film_grain a, v4l2_ctrl_av1_film_grain b) {
    for (auto* grain : {&a, &b}) {
        grain->grain_seed = 0;
        grain->film_grain_params_ref_idx = 0;
        grain->flags &= static_cast<uint8_t>(~V4L2_AV1_FILM_GRAIN_FLAG_UPDATE_GRAIN);
    }
    return std::memcmp(&a, &b, sizeof(a)) == 0;
}

} // namespace

Result<void> checkAv1Sequence(const Av1Controls& c) {
    const auto& s = c.sequence;
    const bool hints = c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_ORDER_HINT);
    const uint32_t needHints = V4L2_AV1_SEQUENCE_FLAG_ENABLE_JNT_COMP | V4L2_AV1_SEQUENCE_FLAG_ENABLE_REF_FRAME_MVS;
    const struct {
        uint32_t sequence, frame;
    } tools[] = {
        {V4L2_AV1_SEQUENCE_FLAG_ENABLE_WARPED_MOTION, V4L2_AV1_FRAME_FLAG_ALLOW_WARPED_MOTION},
        {V4L2_AV1_SEQUENCE_FLAG_ENABLE_REF_FRAME_MVS, V4L2_AV1_FRAME_FLAG_USE_REF_FRAME_MVS},
        {V4L2_AV1_SEQUENCE_FLAG_ENABLE_SUPERRES, V4L2_AV1_FRAME_FLAG_USE_SUPERRES},
    };
    for (const auto& tool : tools) {
        if (c.has(tool.frame) && !c.sequenceHas(tool.sequence))
            return fail(EINVAL, "AV1_SEQUENCE.flags lacks 0x%x, but the frame uses it (5.9.2)", tool.sequence);
    }
    return follow({
        {s.reserved != 0, "AV1_SEQUENCE.reserved is not 0"},
        {s.seq_profile != 0, "AV1_SEQUENCE.seq_profile is not 0, and no other is offered"},
        {s.bit_depth != 8 && s.bit_depth != 10, "AV1_SEQUENCE.bit_depth is neither 8 nor 10 (5.5.2)"},
        {!c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_X) || !c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_SUBSAMPLING_Y),
         "AV1_SEQUENCE.flags SUBSAMPLING_X and SUBSAMPLING_Y are those of profile 0 (5.5.2)"},
        {s.order_hint_bits > 8 || hints != (s.order_hint_bits != 0),
         "AV1_SEQUENCE: order_hint_bits and ENABLE_ORDER_HINT do not agree (5.5.1)"},
        {!hints && (s.flags & needHints) != 0, "AV1_SEQUENCE.flags needs ENABLE_ORDER_HINT (5.5.1)"},
        {c.monochrome() && c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_SEPARATE_UV_DELTA_Q),
         "AV1_SEQUENCE.flags SEPARATE_UV_DELTA_Q without chroma (5.5.2)"},
    });
}

Result<void> checkAv1Frame(const Av1Controls& controls) {
    const auto& info = controls.frame.tile_info;
    if (!allZero(info.reserved) || !allZero(controls.frame.global_motion.reserved))
        return fail(EINVAL, "AV1_FRAME: a reserved field is not 0");
    for (const auto check :
         {checkTypes, checkSizes, checkQuantization, checkSegmentation, checkCdef, checkRestoration, checkGrain}) {
        if (auto checked = check(controls); !checked)
            return checked;
    }
    return {};
}

Result<void> checkAv1Past(const Av1Controls& c, const Av1Slots& slots, const Av1Saved& past) {
    const auto& filter = c.frame.loop_filter;
    const auto& segments = c.frame.segmentation;
    const bool deltas = c.hasFilters() && (filter.flags & V4L2_AV1_LOOP_FILTER_FLAG_DELTA_ENABLED) != 0;
    const bool oldDeltas = deltas && (filter.flags & V4L2_AV1_LOOP_FILTER_FLAG_DELTA_UPDATE) == 0;
    const bool oldFeatures = c.segmented() && (segments.flags & V4L2_AV1_SEGMENTATION_FLAG_UPDATE_DATA) == 0;
    const bool oldGrain = c.appliesGrain() && c.type() == V4L2_AV1_INTER_FRAME &&
                          (c.grain->flags & V4L2_AV1_FILM_GRAIN_FLAG_UPDATE_GRAIN) == 0;
    return follow({
        {oldDeltas && !(std::ranges::equal(filter.ref_deltas, past.refDeltas) &&
                        std::ranges::equal(filter.mode_deltas, past.modeDeltas)),
         "AV1_FRAME.loop_filter: other deltas than those before, without DELTA_UPDATE (5.9.11)"},
        {oldFeatures &&
             !(std::ranges::equal(segments.feature_enabled, past.segmentation.feature_enabled) &&
               std::memcmp(segments.feature_data, past.segmentation.feature_data, sizeof(segments.feature_data)) == 0),
         "AV1_FRAME.segmentation: other features than those before, without UPDATE_DATA (5.9.14)"},
        {oldGrain && (c.grain->film_grain_params_ref_idx > 7 ||
                      !isSameGrain(*c.grain, slots[c.grain->film_grain_params_ref_idx & 7].saved.grain)),
         "AV1_FILM_GRAIN: other parameters than those of film_grain_params_ref_idx, without UPDATE_GRAIN (5.9.30)"},
    });
}

} // namespace daedalus
