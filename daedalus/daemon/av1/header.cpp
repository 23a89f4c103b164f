// SPDX-License-Identifier: MIT
#include "av1/header.h"

#include "av1/bits.h"
#include "av1/global_motion.h"
#include "av1/tiles.h"
#include "core/bit_writer.h"

namespace daedalus {
namespace {

enum class Obu : uint8_t { SequenceHeader = 1, TemporalDelimiter = 2, Frame = 6 };

/// obu_header() with obu_has_size_field, and the size as leb128() (5.3, 4.10.5).
std::vector<uint8_t> makeObu(Obu type, std::span<const uint8_t> content) {
    std::vector<uint8_t> obu{static_cast<uint8_t>(static_cast<unsigned>(type) << 3 | 2)};
    for (size_t size = content.size();; size >>= 7) {
        obu.push_back(static_cast<uint8_t>((size & 0x7f) | (size > 0x7f ? 0x80 : 0)));
        if (size <= 0x7f)
            break;
    }
    obu.insert(obu.end(), content.begin(), content.end());
    return obu;
}

/// 5.9.30. Hidden frames are written as shown ones: what a decoder would reset for them, applyGrain has to be 0 for.
void writeFilmGrain(BitWriter& w, const Av1Controls& c) {
    if (!c.grain || !c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_FILM_GRAIN_PARAMS_PRESENT))
        return;
    const auto& g = *c.grain;
    const auto flag = [&](uint8_t mask) { return (g.flags & mask) != 0; };
    w.flag(c.appliesGrain());
    if (!c.appliesGrain())
        return;
    const bool fromLuma = flag(V4L2_AV1_FILM_GRAIN_FLAG_CHROMA_SCALING_FROM_LUMA);
    const auto points = [&](unsigned count, const uint8_t* values, const uint8_t* scaling) {
        w.bits(count, 4);
        for (unsigned i = 0; i < count; ++i) {
            w.bits(values[i], 8);
            w.bits(scaling[i], 8);
        }
    };
    const auto coefficients = [&](const uint8_t* values, unsigned count) {
        for (unsigned i = 0; i < count; ++i)
            w.bits(values[i], 8);
    };
    w.bits(g.grain_seed, 16);
    if (c.type() == V4L2_AV1_INTER_FRAME)
        w.bit(1); // update_grain
    points(g.num_y_points, g.point_y_value, g.point_y_scaling);
    if (!c.monochrome())
        w.flag(fromLuma);
    if (!c.monochrome() && !fromLuma && g.num_y_points != 0) {
        points(g.num_cb_points, g.point_cb_value, g.point_cb_scaling);
        points(g.num_cr_points, g.point_cr_value, g.point_cr_scaling);
    }
    w.bits(g.grain_scaling_minus_8, 2);
    w.bits(g.ar_coeff_lag, 2);
    const unsigned luma = 2u * g.ar_coeff_lag * (g.ar_coeff_lag + 1u);
    const unsigned chroma = luma + (g.num_y_points != 0 ? 1 : 0);
    if (g.num_y_points != 0)
        coefficients(g.ar_coeffs_y_plus_128, luma);
    if (fromLuma || g.num_cb_points != 0)
        coefficients(g.ar_coeffs_cb_plus_128, chroma);
    if (fromLuma || g.num_cr_points != 0)
        coefficients(g.ar_coeffs_cr_plus_128, chroma);
    w.bits(g.ar_coeff_shift_minus_6, 2);
    w.bits(g.grain_scale_shift, 2);
    if (g.num_cb_points != 0) {
        w.bits(g.cb_mult, 8);
        w.bits(g.cb_luma_mult, 8);
        w.bits(g.cb_offset, 9);
    }
    if (g.num_cr_points != 0) {
        w.bits(g.cr_mult, 8);
        w.bits(g.cr_luma_mult, 8);
        w.bits(g.cr_offset, 9);
    }
    w.flag(flag(V4L2_AV1_FILM_GRAIN_FLAG_OVERLAP));
    w.flag(flag(V4L2_AV1_FILM_GRAIN_FLAG_CLIP_TO_RESTRICTED_RANGE));
}

/// frame_size() (5.9.5), superres_params() (5.9.8) and render_size() (5.9.6).
void writeSize(BitWriter& w, const Av1Controls& c, bool overridden) {
    if (overridden) {
        w.bits(c.frame.upscaled_width - 1, 16);
        w.bits(c.frame.frame_height_minus_1, 16);
    }
    const bool scaled = c.has(V4L2_AV1_FRAME_FLAG_USE_SUPERRES);
    w.flag(scaled);
    if (scaled)
        w.bits(c.frame.superres_denom - 9u, 3);
    w.bit(0); // render_and_frame_size_different
}

/// The part of an inter frame's header that names its references.
void writeReferences(BitWriter& w, const Av1Controls& c, bool overridden) {
    if (c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_ORDER_HINT))
        w.bit(0); // frame_refs_short_signaling
    for (const int8_t index : c.frame.ref_frame_idx)
        w.bits(static_cast<uint32_t>(index), 3);
    if (overridden && !c.errorResilient())
        w.bits(0, V4L2_AV1_REFS_PER_FRAME); // found_ref of 5.9.7
    writeSize(w, c, overridden);
    if (!c.has(V4L2_AV1_FRAME_FLAG_FORCE_INTEGER_MV))
        w.flag(c.has(V4L2_AV1_FRAME_FLAG_ALLOW_HIGH_PRECISION_MV));
    const auto filter = static_cast<uint32_t>(c.frame.interpolation_filter);
    w.flag(filter == V4L2_AV1_INTERPOLATION_FILTER_SWITCHABLE);
    if (filter != V4L2_AV1_INTERPOLATION_FILTER_SWITCHABLE)
        w.bits(filter, 2);
    w.flag(c.has(V4L2_AV1_FRAME_FLAG_IS_MOTION_MODE_SWITCHABLE));
    if (!c.errorResilient() && c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_ORDER_HINT))
        w.flag(c.has(V4L2_AV1_FRAME_FLAG_USE_REF_FRAME_MVS));
}

void writeDeltaQ(BitWriter& w, int8_t value) {
    w.flag(value != 0);
    if (value != 0)
        writeSigned(w, value, 6);
}

/// 5.9.12
void writeQuantization(BitWriter& w, const Av1Controls& c) {
    const auto& q = c.frame.quantization;
    w.bits(q.base_q_idx, 8);
    writeDeltaQ(w, q.delta_q_y_dc);
    if (!c.monochrome()) {
        const bool differs = q.delta_q_u_dc != q.delta_q_v_dc || q.delta_q_u_ac != q.delta_q_v_ac;
        w.flag(differs); // separate_uv_delta_q is 1
        writeDeltaQ(w, q.delta_q_u_dc);
        writeDeltaQ(w, q.delta_q_u_ac);
        if (differs) {
            writeDeltaQ(w, q.delta_q_v_dc);
            writeDeltaQ(w, q.delta_q_v_ac);
        }
    }
    const bool matrices = (q.flags & V4L2_AV1_QUANTIZATION_FLAG_USING_QMATRIX) != 0;
    w.flag(matrices);
    if (!matrices)
        return;
    w.bits(q.qm_y, 4);
    w.bits(q.qm_u, 4);
    if (!c.monochrome())
        w.bits(q.qm_v, 4);
}

/// 5.9.14, with all features
void writeSegmentation(BitWriter& w, const Av1Controls& c) {
    const auto& s = c.frame.segmentation;
    w.flag(c.segmented());
    if (!c.segmented())
        return;
    if (c.frame.primary_ref_frame != av1PrimaryRefNone) {
        const bool map = (s.flags & V4L2_AV1_SEGMENTATION_FLAG_UPDATE_MAP) != 0;
        w.flag(map);
        if (map)
            w.flag((s.flags & V4L2_AV1_SEGMENTATION_FLAG_TEMPORAL_UPDATE) != 0);
        w.bit(1); // segmentation_update_data
    }
    constexpr struct {
        unsigned bits;
        bool isSigned;
    } features[] = {{8, true}, {6, true}, {6, true}, {6, true}, {6, true}, {3, false}, {0, false}, {0, false}};
    for (unsigned segment = 0; segment < V4L2_AV1_MAX_SEGMENTS; ++segment) {
        for (unsigned feature = 0; feature < V4L2_AV1_SEG_LVL_MAX; ++feature) {
            const bool enabled = (s.feature_enabled[segment] >> feature & 1) != 0;
            const int16_t value = s.feature_data[segment][feature];
            w.flag(enabled);
            if (enabled && features[feature].isSigned)
                writeSigned(w, value, features[feature].bits);
            else if (enabled)
                w.bits(static_cast<uint32_t>(value), features[feature].bits);
        }
    }
}

/// delta_q_params() and delta_lf_params() (5.9.17, 5.9.18)
void writeDeltas(BitWriter& w, const Av1Controls& c) {
    const auto& q = c.frame.quantization;
    const auto& filter = c.frame.loop_filter;
    const bool deltaQ = (q.flags & V4L2_AV1_QUANTIZATION_FLAG_DELTA_Q_PRESENT) != 0;
    if (q.base_q_idx > 0)
        w.flag(deltaQ);
    if (!deltaQ)
        return;
    w.bits(q.delta_q_res, 2);
    if (c.has(V4L2_AV1_FRAME_FLAG_ALLOW_INTRABC))
        return;
    const bool deltaLf = (filter.flags & V4L2_AV1_LOOP_FILTER_FLAG_DELTA_LF_PRESENT) != 0;
    w.flag(deltaLf);
    if (!deltaLf)
        return;
    w.bits(filter.delta_lf_res, 2);
    w.flag((filter.flags & V4L2_AV1_LOOP_FILTER_FLAG_DELTA_LF_MULTI) != 0);
}

/// 5.9.11, with all deltas
void writeLoopFilter(BitWriter& w, const Av1Controls& c) {
    const auto& filter = c.frame.loop_filter;
    if (!c.hasFilters())
        return;
    w.bits(filter.level[0], 6);
    w.bits(filter.level[1], 6);
    if (!c.monochrome() && (filter.level[0] != 0 || filter.level[1] != 0)) {
        w.bits(filter.level[2], 6);
        w.bits(filter.level[3], 6);
    }
    w.bits(filter.sharpness, 3);
    const bool deltas = (filter.flags & V4L2_AV1_LOOP_FILTER_FLAG_DELTA_ENABLED) != 0;
    w.flag(deltas);
    if (!deltas)
        return;
    w.bit(1); // loop_filter_delta_update
    const auto each = [&](int8_t value) {
        w.bit(1);
        writeSigned(w, value, 6);
    };
    for (const int8_t value : filter.ref_deltas)
        each(value);
    for (const int8_t value : filter.mode_deltas)
        each(value);
}

/// 5.9.19
void writeCdef(BitWriter& w, const Av1Controls& c) {
    const auto& cdef = c.frame.cdef;
    if (!c.hasFilters() || !c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_CDEF))
        return;
    const auto secondary = [](uint8_t strength) { return strength == 4 ? 3u : strength; };
    w.bits(cdef.damping_minus_3, 2);
    w.bits(cdef.bits, 2);
    for (unsigned i = 0; i < 1u << cdef.bits; ++i) {
        w.bits(cdef.y_pri_strength[i], 4);
        w.bits(secondary(cdef.y_sec_strength[i]), 2);
        if (c.monochrome())
            continue;
        w.bits(cdef.uv_pri_strength[i], 4);
        w.bits(secondary(cdef.uv_sec_strength[i]), 2);
    }
}

/// 5.9.20
void writeRestoration(BitWriter& w, const Av1Controls& c) {
    const auto& lr = c.frame.loop_restoration;
    if (!c.hasRestoration())
        return;
    constexpr uint8_t coded[] = {0, 2, 3, 1}; // lr_type of each type: the inverse of Remap_Lr_Type
    for (unsigned plane = 0; plane < c.planes(); ++plane)
        w.bits(coded[static_cast<uint32_t>(lr.frame_restoration_type[plane])], 2);
    if ((lr.flags & V4L2_AV1_LOOP_RESTORATION_FLAG_USES_LR) == 0)
        return;
    if (c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_USE_128X128_SUPERBLOCK)) {
        w.flag(lr.lr_unit_shift > 1);
    } else {
        w.flag(lr.lr_unit_shift > 0);
        if (lr.lr_unit_shift > 0)
            w.flag(lr.lr_unit_shift > 1);
    }
    if ((lr.flags & V4L2_AV1_LOOP_RESTORATION_FLAG_USES_CHROMA_LR) != 0)
        w.flag(lr.lr_uv_shift != 0);
}

/// From disable_frame_end_update_cdf to the end of 5.9.2.
Result<void> writeTools(BitWriter& w, const Av1Controls& c, const Av1Saved& past) {
    if (!c.has(V4L2_AV1_FRAME_FLAG_DISABLE_CDF_UPDATE))
        w.flag(c.has(V4L2_AV1_FRAME_FLAG_DISABLE_FRAME_END_UPDATE_CDF));
    if (auto written = writeAv1TileInfo(w, c); !written)
        return written;
    writeQuantization(w, c);
    writeSegmentation(w, c);
    writeDeltas(w, c);
    writeLoopFilter(w, c);
    writeCdef(w, c);
    writeRestoration(w, c);
    if (!c.codedLossless())
        w.flag(static_cast<uint32_t>(c.frame.tx_mode) == V4L2_AV1_TX_MODE_SELECT);
    if (!c.intra())
        w.flag(c.has(V4L2_AV1_FRAME_FLAG_REFERENCE_SELECT));
    if (c.has(V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED))
        w.flag(c.has(V4L2_AV1_FRAME_FLAG_SKIP_MODE_PRESENT));
    if (!c.intra() && !c.errorResilient())
        w.flag(c.has(V4L2_AV1_FRAME_FLAG_ALLOW_WARPED_MOTION));
    w.flag(c.has(V4L2_AV1_FRAME_FLAG_REDUCED_TX_SET));
    if (!c.intra()) {
        if (auto written = writeAv1GlobalMotion(w, c, past); !written)
            return written;
    }
    writeFilmGrain(w, c);
    return {};
}

/// uncompressed_header() (5.9.2)
Result<void> writeHeader(BitWriter& w, const Av1Controls& c, const Av1Slots& slots, const Av1Saved& past, bool shown) {
    const auto& frame = c.frame;
    const unsigned hintBits = c.sequence.order_hint_bits;
    const bool isSwitch = c.type() == V4L2_AV1_SWITCH_FRAME;
    const bool allSlots = isSwitch || (c.type() == V4L2_AV1_KEY_FRAME && shown);
    const bool resized = frame.upscaled_width != c.sequence.max_frame_width_minus_1 + 1u ||
                         frame.frame_height_minus_1 != c.sequence.max_frame_height_minus_1;
    w.bit(0); // show_existing_frame
    w.bits(c.type(), 2);
    w.flag(shown);
    if (!shown)
        w.flag(c.has(V4L2_AV1_FRAME_FLAG_SHOWABLE_FRAME));
    if (!allSlots)
        w.flag(c.errorResilient());
    w.flag(c.has(V4L2_AV1_FRAME_FLAG_DISABLE_CDF_UPDATE));
    w.flag(c.has(V4L2_AV1_FRAME_FLAG_ALLOW_SCREEN_CONTENT_TOOLS));
    if (c.has(V4L2_AV1_FRAME_FLAG_ALLOW_SCREEN_CONTENT_TOOLS))
        w.flag(c.has(V4L2_AV1_FRAME_FLAG_FORCE_INTEGER_MV));
    if (!isSwitch)
        w.flag(resized); // frame_size_override_flag
    w.bits(frame.order_hint, hintBits);
    if (!c.intra() && !c.errorResilient())
        w.bits(frame.primary_ref_frame, 3);
    if (!allSlots)
        w.bits(frame.refresh_frame_flags, 8);
    if ((!c.intra() || (!allSlots && frame.refresh_frame_flags != av1AllSlots)) && c.errorResilient()) {
        for (size_t i = 0; hintBits != 0 && i < V4L2_AV1_TOTAL_REFS_PER_FRAME; ++i)
            w.bits(slots[i].saved.orderHint, hintBits); // ref_order_hint
    }
    if (c.intra()) {
        writeSize(w, c, resized);
        if (c.has(V4L2_AV1_FRAME_FLAG_ALLOW_SCREEN_CONTENT_TOOLS) && c.frameWidth() == frame.upscaled_width)
            w.flag(c.has(V4L2_AV1_FRAME_FLAG_ALLOW_INTRABC));
    } else {
        writeReferences(w, c, resized || isSwitch);
    }
    return writeTools(w, c, past);
}

} // namespace

std::vector<uint8_t> av1TemporalDelimiter() {
    return makeObu(Obu::TemporalDelimiter, {});
}

std::vector<uint8_t> writeAv1Sequence(const Av1Controls& c) {
    const auto& s = c.sequence;
    const bool hints = c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_ORDER_HINT);
    BitWriter w;
    w.bits(s.seq_profile, 3);
    w.flag(c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_STILL_PICTURE));
    w.bit(0);      // reduced_still_picture_header
    w.bit(0);      // timing_info_present_flag
    w.bit(0);      // initial_display_delay_present_flag
    w.bits(0, 5);  // operating_points_cnt_minus_1
    w.bits(0, 12); // operating_point_idc: all layers
    w.bits(31, 5); // seq_level_idx: no limits
    w.bit(0);      // seq_tier
    w.bits(15, 4); // frame_width_bits_minus_1
    w.bits(15, 4); // frame_height_bits_minus_1
    w.bits(s.max_frame_width_minus_1, 16);
    w.bits(s.max_frame_height_minus_1, 16);
    w.bit(0); // frame_id_numbers_present_flag
    w.flag(c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_USE_128X128_SUPERBLOCK));
    w.flag(c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_FILTER_INTRA));
    w.flag(c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_INTRA_EDGE_FILTER));
    w.flag(c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_INTERINTRA_COMPOUND));
    w.flag(c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_MASKED_COMPOUND));
    w.bit(1); // enable_warped_motion
    w.flag(c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_DUAL_FILTER));
    w.flag(hints);
    if (hints) {
        w.flag(c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_JNT_COMP));
        w.bit(1); // enable_ref_frame_mvs
    }
    w.bit(1); // seq_choose_screen_content_tools
    w.bit(1); // seq_choose_integer_mv
    if (hints)
        w.bits(s.order_hint_bits - 1u, 3);
    w.bit(1); // enable_superres
    w.flag(c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_CDEF));
    w.bit(1); // enable_restoration
    // color_config() (5.5.2)
    w.flag(s.bit_depth == 10);
    w.flag(c.monochrome());
    w.bit(0); // color_description_present_flag
    w.flag(c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_COLOR_RANGE));
    if (!c.monochrome()) {
        w.bits(0, 2); // chroma_sample_position
        w.bit(1);     // separate_uv_delta_q
    }
    w.flag(c.grain && c.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_FILM_GRAIN_PARAMS_PRESENT));
    w.trailing();
    return makeObu(Obu::SequenceHeader, w.bytes());
}

Result<std::vector<uint8_t>> writeAv1Frame(const Av1Controls& controls, const Av1Slots& slots, const Av1Saved& past,
                                           std::span<const uint8_t> payload, bool shown) {
    BitWriter writer;
    if (auto written = writeHeader(writer, controls, slots, past, shown); !written)
        return tl::unexpected(written.error());
    writer.align(0);
    std::vector<uint8_t> content = writer.take();
    if (auto appended = appendAv1Tiles(content, controls, payload); !appended)
        return tl::unexpected(appended.error());
    return makeObu(Obu::Frame, content);
}

} // namespace daedalus
