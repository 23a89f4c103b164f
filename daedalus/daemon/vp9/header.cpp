// SPDX-License-Identifier: MIT
//
// The uncompressed header of a VP9 frame, read from the payload: nothing here is taken from a control. Clauses are
// those of the VP9 Bitstream & Decoding Process Specification, version 0.6.
#include "vp9/header.h"

#include <cstring>

#include "core/bit_reader.h"
#include "core/field_check.h"
#include "vp9/compressed_header.h"

namespace daedalus {

/// uncompressed_header() (6.2), into the fields of the control.
class Vp9HeaderReader::Uncompressed {
public:
    Uncompressed(std::span<const uint8_t> payload, const State& state, bool started)
        : bits_(payload), state_(state), started_(started) {}

    Result<void> read(Vp9Header& header) {
        v4l2_ctrl_vp9_frame& frame = header.frame;
        if (bits_.bits(2) != 2)
            return fail(EBADMSG, "no frame_marker");
        const uint32_t low = bits_.bit(), high = bits_.bit();
        frame.profile = static_cast<uint8_t>(2 * high + low);
        if (frame.profile != 0 && frame.profile != 2)
            return fail(ENOTSUP, "profile %u", frame.profile);
        frame.flags = V4L2_VP9_FRAME_FLAG_X_SUBSAMPLING | V4L2_VP9_FRAME_FLAG_Y_SUBSAMPLING;
        if (bits_.flag())
            return fail(EBADMSG, "show_existing_frame: there is nothing to decode");
        const bool key = bits_.bit() == 0;
        set(frame, key, V4L2_VP9_FRAME_FLAG_KEY_FRAME);
        const bool show = set(frame, bits_.flag(), V4L2_VP9_FRAME_FLAG_SHOW_FRAME);
        const bool resilient = set(frame, bits_.flag(), V4L2_VP9_FRAME_FLAG_ERROR_RESILIENT);
        bool intraOnly = false;
        if (!key) {
            intraOnly = set(frame, !show && bits_.flag(), V4L2_VP9_FRAME_FLAG_INTRA_ONLY);
            const uint32_t reset = resilient ? 0 : bits_.bits(2);
            frame.reset_frame_context = static_cast<uint8_t>(reset < 2 ? 0 : reset - 1);
        }
        header.intra = key || intraOnly;
        if (!key && !intraOnly && !started_)
            return fail(EINVAL, "an inter frame before the first intra frame");
        if (header.intra && bits_.bits(24) != 0x498342)
            return fail(EBADMSG, "no frame_sync_code");
        // An intra-only frame of profile 0 has the depth of that profile, and leaves the range as it is.
        if (header.intra && frame.profile == 0)
            state_.bitDepth = 8;
        if (key || (intraOnly && frame.profile == 2)) {
            if (frame.profile == 2) {
                if (bits_.flag())
                    return fail(ENOTSUP, "12 bits");
                state_.bitDepth = 10;
            }
            const uint32_t space = bits_.bits(3);
            if (space == 7)
                return fail(EBADMSG, "RGB in profile %u", frame.profile);
            state_.fullSwing = bits_.flag();
        }
        frame.bit_depth = state_.bitDepth;
        set(frame, state_.fullSwing, V4L2_VP9_FRAME_FLAG_COLOR_RANGE_FULL_SWING);
        header.refreshFrameFlags = static_cast<uint8_t>(key ? 0xff : bits_.bits(8));
        if (!header.intra)
            readReferences(header);
        readSize(header);
        if (!header.intra)
            readMotion(frame);
        set(frame, !resilient && bits_.flag(), V4L2_VP9_FRAME_FLAG_REFRESH_FRAME_CTX);
        set(frame, resilient || bits_.flag(), V4L2_VP9_FRAME_FLAG_PARALLEL_DEC_MODE);
        frame.frame_context_idx = static_cast<uint8_t>(bits_.bits(2));
        if (header.intra || resilient) { // 8.4.2
            const int8_t deltas[4] = {1, 0, -1, -1};
            state_.filter = {};
            std::memcpy(state_.filter.ref_deltas, deltas, sizeof(deltas));
            state_.segments = {};
        }
        readLoopFilter(frame);
        readQuantization(frame);
        readSegmentation(frame);
        readTiles(frame);
        frame.compressed_header_size = static_cast<uint16_t>(bits_.bits(16));
        if (bits_.overrun())
            return fail(EBADMSG, "the uncompressed header runs past the payload");
        frame.uncompressed_header_size = static_cast<uint16_t>((bits_.position() + 7) / 8);
        for (unsigned slot = 0; slot < 8; ++slot) {
            if (header.refreshFrameFlags >> slot & 1)
                state_.sizes[slot] = {frame.frame_width_minus_1, frame.frame_height_minus_1};
        }
        return {};
    }
    const State& state() const { return state_; }

private:
    static bool set(v4l2_ctrl_vp9_frame& frame, bool value, uint32_t flag) {
        if (value)
            frame.flags |= flag;
        return value;
    }
    int8_t signedValue(unsigned count) {
        const auto magnitude = static_cast<int>(bits_.bits(count));
        return static_cast<int8_t>(bits_.flag() ? -magnitude : magnitude);
    }
    uint8_t probability() { return static_cast<uint8_t>(bits_.flag() ? bits_.bits(8) : 255); }
    uint16_t u16() { return static_cast<uint16_t>(bits_.bits(16)); }

    void readReferences(Vp9Header& header) {
        constexpr uint8_t bias[3] = {V4L2_VP9_SIGN_BIAS_LAST, V4L2_VP9_SIGN_BIAS_GOLDEN, V4L2_VP9_SIGN_BIAS_ALT};
        for (unsigned i = 0; i < 3; ++i) {
            header.refFrameIdx[i] = static_cast<uint8_t>(bits_.bits(3));
            if (bits_.flag())
                header.frame.ref_frame_sign_bias |= bias[i];
        }
    }

    /// 6.2.3 to 6.2.5
    void readSize(Vp9Header& header) {
        v4l2_ctrl_vp9_frame& frame = header.frame;
        bool found = false;
        for (unsigned i = 0; i < 3 && !header.intra && !found; ++i) {
            found = bits_.flag();
            frame.frame_width_minus_1 = state_.sizes[header.refFrameIdx[i]].widthMinus1;
            frame.frame_height_minus_1 = state_.sizes[header.refFrameIdx[i]].heightMinus1;
        }
        if (!found) {
            frame.frame_width_minus_1 = u16();
            frame.frame_height_minus_1 = u16();
        }
        const bool different = bits_.flag();
        frame.render_width_minus_1 = different ? u16() : frame.frame_width_minus_1;
        frame.render_height_minus_1 = different ? u16() : frame.frame_height_minus_1;
    }

    /// 6.2.7. literal_to_type counts EIGHTTAP_SMOOTH before EIGHTTAP, the control the other way round.
    void readMotion(v4l2_ctrl_vp9_frame& frame) {
        set(frame, bits_.flag(), V4L2_VP9_FRAME_FLAG_ALLOW_HIGH_PREC_MV);
        constexpr uint8_t filters[4] = {V4L2_VP9_INTERP_FILTER_EIGHTTAP_SMOOTH, V4L2_VP9_INTERP_FILTER_EIGHTTAP,
                                        V4L2_VP9_INTERP_FILTER_EIGHTTAP_SHARP, V4L2_VP9_INTERP_FILTER_BILINEAR};
        frame.interpolation_filter = bits_.flag() ? uint8_t{V4L2_VP9_INTERP_FILTER_SWITCHABLE} : filters[bits_.bits(2)];
    }

    /// 6.2.8
    void readLoopFilter(v4l2_ctrl_vp9_frame& frame) {
        v4l2_vp9_loop_filter& filter = state_.filter;
        filter.level = static_cast<uint8_t>(bits_.bits(6));
        filter.sharpness = static_cast<uint8_t>(bits_.bits(3));
        filter.flags = bits_.flag() ? V4L2_VP9_LOOP_FILTER_FLAG_DELTA_ENABLED : 0;
        if (filter.flags && bits_.flag()) {
            filter.flags |= V4L2_VP9_LOOP_FILTER_FLAG_DELTA_UPDATE;
            for (int8_t& delta : filter.ref_deltas)
                delta = bits_.flag() ? signedValue(6) : delta;
            for (int8_t& delta : filter.mode_deltas)
                delta = bits_.flag() ? signedValue(6) : delta;
        }
        frame.lf = filter;
    }

    /// 6.2.9
    void readQuantization(v4l2_ctrl_vp9_frame& frame) {
        frame.quant.base_q_idx = static_cast<uint8_t>(bits_.bits(8));
        for (int8_t* delta : {&frame.quant.delta_q_y_dc, &frame.quant.delta_q_uv_dc, &frame.quant.delta_q_uv_ac})
            *delta = bits_.flag() ? signedValue(4) : int8_t{0};
    }

    /// 6.2.11
    void readSegmentation(v4l2_ctrl_vp9_frame& frame) {
        v4l2_vp9_segmentation& segments = state_.segments;
        segments.flags &= V4L2_VP9_SEGMENTATION_FLAG_ABS_OR_DELTA_UPDATE;
        if (bits_.flag()) {
            segments.flags |= V4L2_VP9_SEGMENTATION_FLAG_ENABLED;
            if (bits_.flag()) {
                segments.flags |= V4L2_VP9_SEGMENTATION_FLAG_UPDATE_MAP;
                for (uint8_t& tree : segments.tree_probs)
                    tree = probability();
                const bool temporal = bits_.flag();
                segments.flags |= temporal ? V4L2_VP9_SEGMENTATION_FLAG_TEMPORAL_UPDATE : 0;
                for (uint8_t& prediction : segments.pred_probs)
                    prediction = temporal ? probability() : uint8_t{255};
            }
            if (bits_.flag())
                readFeatures(segments);
        }
        frame.seg = segments;
    }

    void readFeatures(v4l2_vp9_segmentation& segments) {
        segments.flags = static_cast<uint8_t>((segments.flags | V4L2_VP9_SEGMENTATION_FLAG_UPDATE_DATA) &
                                              ~V4L2_VP9_SEGMENTATION_FLAG_ABS_OR_DELTA_UPDATE);
        segments.flags |= bits_.flag() ? V4L2_VP9_SEGMENTATION_FLAG_ABS_OR_DELTA_UPDATE : 0;
        for (unsigned segment = 0; segment < 8; ++segment) {
            int16_t* data = segments.feature_data[segment];
            uint8_t enabled = 0;
            for (unsigned feature = 0; feature < 4; ++feature) {
                data[feature] = 0;
                if (!bits_.flag())
                    continue;
                enabled = static_cast<uint8_t>(enabled | 1u << feature);
                if (feature == V4L2_VP9_SEG_LVL_ALT_Q || feature == V4L2_VP9_SEG_LVL_ALT_L) {
                    const auto value = static_cast<int16_t>(bits_.bits(feature == V4L2_VP9_SEG_LVL_ALT_Q ? 8 : 6));
                    data[feature] = static_cast<int16_t>(bits_.flag() ? -value : value);
                } else if (feature == V4L2_VP9_SEG_LVL_REF_FRAME) {
                    data[feature] = static_cast<int16_t>(bits_.bits(2));
                }
            }
            segments.feature_enabled[segment] = enabled;
        }
    }

    /// 6.2.13, 6.2.14: tile columns are 4 to 64 superblocks wide.
    void readTiles(v4l2_ctrl_vp9_frame& frame) {
        const unsigned superblocks = (frame.frame_width_minus_1 + 64u) / 64;
        unsigned columns = 0;
        while ((64u << columns) < superblocks)
            ++columns;
        while ((superblocks >> (columns + 1)) >= 4 && bits_.flag())
            ++columns;
        frame.tile_cols_log2 = static_cast<uint8_t>(columns);
        frame.tile_rows_log2 = static_cast<uint8_t>(bits_.flag() ? 1 + bits_.bit() : 0);
    }

    BitReader bits_;
    State state_;
    bool started_;
};

Result<Vp9Header> Vp9HeaderReader::read(std::span<const uint8_t> payload) {
    Vp9Header header;
    Uncompressed uncompressed(payload, state_, started_);
    if (auto read = uncompressed.read(header); !read)
        return tl::unexpected(read.error());
    const size_t size = header.frame.uncompressed_header_size;
    if (header.frame.compressed_header_size == 0 || header.frame.compressed_header_size > payload.size() - size)
        return fail(EBADMSG, "a compressed header of %u bytes in the %zu that are left",
                    header.frame.compressed_header_size, payload.size() - size);
    const auto compressed = payload.subspan(size, header.frame.compressed_header_size);
    if (auto read = readVp9CompressedHeader(compressed, header); !read)
        return tl::unexpected(read.error());
    state_ = uncompressed.state();
    started_ = true;
    return header;
}

Result<void> checkVp9Frame(const v4l2_ctrl_vp9_frame& has, const Vp9Header& header) {
    const v4l2_ctrl_vp9_frame& expected = header.frame;
    FieldCheck check("VP9_FRAME");
    check.field("flags", has.flags, expected.flags);
    check.field("profile", has.profile, expected.profile);
    check.field("bit_depth", has.bit_depth, expected.bit_depth);
    check.field("compressed_header_size", has.compressed_header_size, expected.compressed_header_size);
    check.field("uncompressed_header_size", has.uncompressed_header_size, expected.uncompressed_header_size);
    check.field("frame_width_minus_1", has.frame_width_minus_1, expected.frame_width_minus_1);
    check.field("frame_height_minus_1", has.frame_height_minus_1, expected.frame_height_minus_1);
    check.field("render_width_minus_1", has.render_width_minus_1, expected.render_width_minus_1);
    check.field("render_height_minus_1", has.render_height_minus_1, expected.render_height_minus_1);
    check.field("reset_frame_context", has.reset_frame_context, expected.reset_frame_context);
    check.field("frame_context_idx", has.frame_context_idx, expected.frame_context_idx);
    check.field("tile_cols_log2", has.tile_cols_log2, expected.tile_cols_log2);
    check.field("tile_rows_log2", has.tile_rows_log2, expected.tile_rows_log2);
    if (!header.intra) {
        check.field("ref_frame_sign_bias", has.ref_frame_sign_bias, expected.ref_frame_sign_bias);
        check.field("interpolation_filter", has.interpolation_filter, expected.interpolation_filter);
        check.field("reference_mode", has.reference_mode, expected.reference_mode);
    }

    // 7.2.8: without deltas there is nothing that an update could mean.
    const bool deltas = (expected.lf.flags & V4L2_VP9_LOOP_FILTER_FLAG_DELTA_ENABLED) != 0;
    const uint8_t filterFlags = deltas ? 0xff : V4L2_VP9_LOOP_FILTER_FLAG_DELTA_ENABLED;
    check.field("lf.flags", has.lf.flags & filterFlags, expected.lf.flags & filterFlags);
    check.field("lf.level", has.lf.level, expected.lf.level);
    check.field("lf.sharpness", has.lf.sharpness, expected.lf.sharpness);
    check.field("lf.ref_deltas", has.lf.ref_deltas, expected.lf.ref_deltas);
    check.field("lf.mode_deltas", has.lf.mode_deltas, expected.lf.mode_deltas);

    check.field("quant.base_q_idx", has.quant.base_q_idx, expected.quant.base_q_idx);
    check.field("quant.delta_q_y_dc", has.quant.delta_q_y_dc, expected.quant.delta_q_y_dc);
    check.field("quant.delta_q_uv_dc", has.quant.delta_q_uv_dc, expected.quant.delta_q_uv_dc);
    check.field("quant.delta_q_uv_ac", has.quant.delta_q_uv_ac, expected.quant.delta_q_uv_ac);

    const bool segments = (expected.seg.flags & V4L2_VP9_SEGMENTATION_FLAG_ENABLED) != 0;
    const uint8_t segmentFlags = segments ? 0xff : V4L2_VP9_SEGMENTATION_FLAG_ENABLED;
    check.field("seg.flags", has.seg.flags & segmentFlags, expected.seg.flags & segmentFlags);
    if (segments) {
        check.field("seg.feature_enabled", has.seg.feature_enabled, expected.seg.feature_enabled);
        check.field("seg.feature_data", has.seg.feature_data, expected.seg.feature_data);
    }
    if (expected.seg.flags & V4L2_VP9_SEGMENTATION_FLAG_UPDATE_MAP)
        check.field("seg.tree_probs", has.seg.tree_probs, expected.seg.tree_probs);
    if (expected.seg.flags & V4L2_VP9_SEGMENTATION_FLAG_TEMPORAL_UPDATE)
        check.field("seg.pred_probs", has.seg.pred_probs, expected.seg.pred_probs);
    return check.result();
}

} // namespace daedalus
