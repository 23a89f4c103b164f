// SPDX-License-Identifier: MIT
//
// The VP8 frame header, read to its last bit: nothing here is taken from a control. Clauses are those of RFC 6386.
#include "vp8/header.h"

#include <cstring>

#include "core/bool_coder.h"
#include "core/field_check.h"
#include "vp8/tables.h"

namespace daedalus {
namespace {

constexpr size_t interTagSize = 3;
constexpr size_t keyTagSize = 10;

template <typename T>
void assign(T& to, const T& from) {
    std::memcpy(&to, &from, sizeof(T));
}

/// 9.1
Result<size_t> readTag(std::span<const uint8_t> payload, v4l2_ctrl_vp8_frame& frame) {
    if (payload.size() < interTagSize)
        return fail(EBADMSG, "a payload of %zu bytes is shorter than a frame tag", payload.size());
    const uint32_t tag = payload[0] + (payload[1] << 8) + (payload[2] << 16);
    frame.version = (tag >> 1) & 7;
    frame.first_part_size = tag >> 5;
    if (tag & 16)
        frame.flags |= V4L2_VP8_FRAME_FLAG_SHOW_FRAME;
    if (tag & 1)
        return interTagSize;
    frame.flags |= V4L2_VP8_FRAME_FLAG_KEY_FRAME;
    if (payload.size() < keyTagSize || payload[3] != 0x9d || payload[4] != 0x01 || payload[5] != 0x2a)
        return fail(EBADMSG, "a key frame without its start code");
    const unsigned width = payload[6] + payload[7] * 256u;
    const unsigned height = payload[8] + payload[9] * 256u;
    frame.width = width & 0x3fff;
    frame.horizontal_scale = static_cast<uint8_t>(width >> 14);
    frame.height = height & 0x3fff;
    frame.vertical_scale = static_cast<uint8_t>(height >> 14);
    return keyTagSize;
}

/// A key frame forgets what came before (9.3, 9.6, 9.7, 13.5, 16.2, 17.2).
void startAnew(v4l2_ctrl_vp8_frame& frame) {
    frame.segment = {};
    frame.segment.flags = V4L2_VP8_SEGMENT_FLAG_DELTA_VALUE_MODE;
    frame.lf = {};
    assign(frame.entropy.coeff_probs, vp8DefaultCoefficientProbs);
    assign(frame.entropy.mv_probs, vp8DefaultMvProbs);
    assign(frame.entropy.y_mode_probs, vp8DefaultYModeProbs);
    assign(frame.entropy.uv_mode_probs, vp8DefaultUvModeProbs);
}

/// 9.3
void readSegmentation(BoolCoder& coder, v4l2_vp8_segment& segment) {
    segment.flags &= V4L2_VP8_SEGMENT_FLAG_DELTA_VALUE_MODE;
    if (!coder.flag())
        return;
    segment.flags |= V4L2_VP8_SEGMENT_FLAG_ENABLED;
    if (coder.flag())
        segment.flags |= V4L2_VP8_SEGMENT_FLAG_UPDATE_MAP;
    if (coder.flag()) {
        segment.flags |= V4L2_VP8_SEGMENT_FLAG_UPDATE_FEATURE_DATA;
        segment.flags &= ~V4L2_VP8_SEGMENT_FLAG_DELTA_VALUE_MODE;
        if (!coder.flag())
            segment.flags |= V4L2_VP8_SEGMENT_FLAG_DELTA_VALUE_MODE;
        for (int8_t& value : segment.quant_update)
            value = coder.optional(7);
        for (int8_t& value : segment.lf_update)
            value = coder.optional(6);
    }
    if (segment.flags & V4L2_VP8_SEGMENT_FLAG_UPDATE_MAP) {
        for (uint8_t& probability : segment.segment_probs)
            probability = static_cast<uint8_t>(coder.flag() ? coder.bits(8) : 255);
    }
}

/// 9.4 and 9.6: type, level and sharpness, then the adjustments
void readLoopFilter(BoolCoder& coder, v4l2_vp8_loop_filter& filter) {
    filter.flags = coder.flag() ? V4L2_VP8_LF_FILTER_TYPE_SIMPLE : 0;
    filter.level = static_cast<uint8_t>(coder.bits(6));
    filter.sharpness_level = static_cast<uint8_t>(coder.bits(3));
    if (!coder.flag())
        return;
    filter.flags |= V4L2_VP8_LF_ADJ_ENABLE;
    if (!coder.flag())
        return;
    filter.flags |= V4L2_VP8_LF_DELTA_UPDATE;
    for (auto* deltas : {&filter.ref_frm_delta, &filter.mb_mode_delta}) {
        for (int8_t& delta : *deltas) {
            if (!coder.flag())
                continue;
            const auto magnitude = static_cast<int>(coder.bits(6));
            delta = static_cast<int8_t>(coder.flag() ? -magnitude : magnitude);
        }
    }
}

/// 9.6, 19.2
v4l2_vp8_quantization readQuantization(BoolCoder& coder) {
    v4l2_vp8_quantization quant{};
    quant.y_ac_qi = static_cast<uint8_t>(coder.bits(7));
    quant.y_dc_delta = coder.optional(4);
    quant.y2_dc_delta = coder.optional(4);
    quant.y2_ac_delta = coder.optional(4);
    quant.uv_dc_delta = coder.optional(4);
    quant.uv_ac_delta = coder.optional(4);
    return quant;
}

/// 9.7: what becomes of the golden and the alternate picture, and the signs of their vectors.
void readReferences(BoolCoder& coder, Vp8Header& header) {
    const bool refreshGolden = coder.flag();
    const bool refreshAlternate = coder.flag();
    constexpr Vp8Source toGolden[] = {Vp8Source::Keep, Vp8Source::Last, Vp8Source::Alternate, Vp8Source::Keep};
    constexpr Vp8Source toAlternate[] = {Vp8Source::Keep, Vp8Source::Last, Vp8Source::Golden, Vp8Source::Keep};
    header.golden = refreshGolden ? Vp8Source::Current : toGolden[coder.bits(2)];
    header.alternate = refreshAlternate ? Vp8Source::Current : toAlternate[coder.bits(2)];
    if (coder.flag())
        header.control.flags |= V4L2_VP8_FRAME_FLAG_SIGN_BIAS_GOLDEN;
    if (coder.flag())
        header.control.flags |= V4L2_VP8_FRAME_FLAG_SIGN_BIAS_ALT;
}

/// 13.4
void readCoefficientProbs(BoolCoder& coder, v4l2_vp8_entropy& entropy) {
    auto* probability = &entropy.coeff_probs[0][0][0][0];
    const auto* update = &vp8CoefficientUpdateProbs[0][0][0][0];
    for (size_t i = 0; i < sizeof(entropy.coeff_probs); ++i) {
        if (coder.read(update[i]))
            probability[i] = static_cast<uint8_t>(coder.bits(8));
    }
}

/// 9.10, 16.2 and 17.2, of inter frames
void readModeAndMvProbs(BoolCoder& coder, v4l2_vp8_entropy& entropy) {
    if (coder.flag()) {
        for (uint8_t& probability : entropy.y_mode_probs)
            probability = static_cast<uint8_t>(coder.bits(8));
    }
    if (coder.flag()) {
        for (uint8_t& probability : entropy.uv_mode_probs)
            probability = static_cast<uint8_t>(coder.bits(8));
    }
    auto* probability = &entropy.mv_probs[0][0];
    const auto* update = &vp8MvUpdateProbs[0][0];
    for (size_t i = 0; i < sizeof(entropy.mv_probs); ++i) {
        if (!coder.read(update[i]))
            continue;
        const uint32_t value = coder.bits(7);
        probability[i] = static_cast<uint8_t>(value ? value << 1 : 1);
    }
}

/// 9.5
Result<void> readPartitionSizes(std::span<const uint8_t> partitions, v4l2_ctrl_vp8_frame& frame) {
    const size_t table = 3u * (frame.num_dct_parts - 1u);
    if (partitions.size() < table)
        return fail(EBADMSG, "the payload ends before the sizes of its %u partitions", frame.num_dct_parts);
    size_t left = partitions.size() - table;
    for (unsigned i = 0; i + 1u < frame.num_dct_parts; ++i) {
        const uint32_t size = partitions[3 * i] + (partitions[3 * i + 1] << 8) + (partitions[3 * i + 2] << 16);
        if (size > left)
            return fail(EBADMSG, "partition %u of %u bytes lies past the payload", i, size);
        frame.dct_part_sizes[i] = size;
        left -= size;
    }
    frame.dct_part_sizes[frame.num_dct_parts - 1] = static_cast<uint32_t>(left);
    return {};
}

/// What lasts of a frame. The rest of the control belongs to the frame alone.
v4l2_ctrl_vp8_frame lasting(const v4l2_ctrl_vp8_frame& frame) {
    v4l2_ctrl_vp8_frame state{};
    state.segment = frame.segment;
    state.lf = frame.lf;
    state.entropy = frame.entropy;
    state.width = frame.width;
    state.height = frame.height;
    state.horizontal_scale = frame.horizontal_scale;
    state.vertical_scale = frame.vertical_scale;
    return state;
}

} // namespace

Result<Vp8Header> Vp8HeaderReader::read(std::span<const uint8_t> payload) {
    Vp8Header header;
    v4l2_ctrl_vp8_frame& frame = header.control;
    frame = last_;
    const auto tagSize = readTag(payload, frame);
    if (!tagSize)
        return tl::unexpected(tagSize.error());
    header.keyFrame = *tagSize == keyTagSize;
    if (!header.keyFrame && !started_)
        return fail(EINVAL, "an inter frame before the first key frame");
    payload = payload.subspan(*tagSize);
    if (frame.first_part_size > payload.size())
        return fail(EBADMSG, "a first partition of %u bytes in a payload of %zu", frame.first_part_size,
                    payload.size());

    BoolCoder coder(payload.first(frame.first_part_size));
    if (header.keyFrame) {
        startAnew(frame);
        coder.bits(2); // color_space, clamping_type
    }
    readSegmentation(coder, frame.segment);
    readLoopFilter(coder, frame.lf);
    frame.num_dct_parts = static_cast<uint8_t>(1u << coder.bits(2));
    frame.quant = readQuantization(coder);
    if (header.keyFrame)
        header.golden = header.alternate = Vp8Source::Current;
    else
        readReferences(coder, header);
    const bool refreshEntropy = coder.flag();
    const v4l2_vp8_entropy before = frame.entropy; // 9.11
    header.refreshLast = header.keyFrame || coder.flag();
    readCoefficientProbs(coder, frame.entropy);
    if (coder.flag()) {
        frame.flags |= V4L2_VP8_FRAME_FLAG_MB_NO_SKIP_COEFF;
        frame.prob_skip_false = static_cast<uint8_t>(coder.bits(8));
    }
    if (!header.keyFrame) {
        frame.prob_intra = static_cast<uint8_t>(coder.bits(8));
        frame.prob_last = static_cast<uint8_t>(coder.bits(8));
        frame.prob_gf = static_cast<uint8_t>(coder.bits(8));
        readModeAndMvProbs(coder, frame.entropy);
    }
    if (coder.overrun())
        return fail(EBADMSG, "the frame header runs past its partition of %u bytes", frame.first_part_size);
    frame.first_part_header_bits = static_cast<uint32_t>(coder.shifts());
    frame.coder_state = {coder.range(), coder.value(), coder.bitCount(), 0};
    if (auto sizes = readPartitionSizes(payload.subspan(frame.first_part_size), frame); !sizes)
        return tl::unexpected(sizes.error());

    last_ = lasting(frame);
    if (!refreshEntropy)
        last_.entropy = before;
    started_ = true;
    if (header.keyFrame) { // 16.2: it does not use the probabilities that it leaves
        assign(frame.entropy.y_mode_probs, vp8KeyFrameYModeProbs);
        assign(frame.entropy.uv_mode_probs, vp8KeyFrameUvModeProbs);
    }
    return header;
}

Result<void> checkVp8Frame(const v4l2_ctrl_vp8_frame& has, const v4l2_ctrl_vp8_frame& expected) {
    FieldCheck check("VP8_FRAME");
    const bool segments = (expected.segment.flags & V4L2_VP8_SEGMENT_FLAG_ENABLED) != 0;
    const uint32_t segmentFlags = segments ? ~0u : V4L2_VP8_SEGMENT_FLAG_ENABLED;
    check.field("segment.flags", has.segment.flags & segmentFlags, expected.segment.flags & segmentFlags);
    if (segments) {
        check.field("segment.quant_update", has.segment.quant_update, expected.segment.quant_update);
        check.field("segment.lf_update", has.segment.lf_update, expected.segment.lf_update);
    }
    if (expected.segment.flags & V4L2_VP8_SEGMENT_FLAG_UPDATE_MAP)
        check.field("segment.segment_probs", has.segment.segment_probs, expected.segment.segment_probs);

    const bool adjusted = (expected.lf.flags & V4L2_VP8_LF_ADJ_ENABLE) != 0;
    const uint32_t filterFlags = adjusted ? ~0u : ~uint32_t{V4L2_VP8_LF_DELTA_UPDATE};
    check.field("lf.flags", has.lf.flags & filterFlags, expected.lf.flags & filterFlags);
    check.field("lf.level", has.lf.level, expected.lf.level);
    check.field("lf.sharpness_level", has.lf.sharpness_level, expected.lf.sharpness_level);
    if (adjusted) {
        check.field("lf.ref_frm_delta", has.lf.ref_frm_delta, expected.lf.ref_frm_delta);
        check.field("lf.mb_mode_delta", has.lf.mb_mode_delta, expected.lf.mb_mode_delta);
    }

    check.field("quant.y_ac_qi", has.quant.y_ac_qi, expected.quant.y_ac_qi);
    check.field("quant.y_dc_delta", has.quant.y_dc_delta, expected.quant.y_dc_delta);
    check.field("quant.y2_dc_delta", has.quant.y2_dc_delta, expected.quant.y2_dc_delta);
    check.field("quant.y2_ac_delta", has.quant.y2_ac_delta, expected.quant.y2_ac_delta);
    check.field("quant.uv_dc_delta", has.quant.uv_dc_delta, expected.quant.uv_dc_delta);
    check.field("quant.uv_ac_delta", has.quant.uv_ac_delta, expected.quant.uv_ac_delta);

    check.field("entropy.coeff_probs", has.entropy.coeff_probs, expected.entropy.coeff_probs);
    check.field("entropy.y_mode_probs", has.entropy.y_mode_probs, expected.entropy.y_mode_probs);
    check.field("entropy.uv_mode_probs", has.entropy.uv_mode_probs, expected.entropy.uv_mode_probs);
    check.field("entropy.mv_probs", has.entropy.mv_probs, expected.entropy.mv_probs);

    check.field("coder_state.range", has.coder_state.range, expected.coder_state.range);
    check.field("coder_state.value", has.coder_state.value, expected.coder_state.value);
    check.field("coder_state.bit_count", has.coder_state.bit_count, expected.coder_state.bit_count);

    check.field("width", has.width, expected.width);
    check.field("height", has.height, expected.height);
    check.field("horizontal_scale", has.horizontal_scale, expected.horizontal_scale);
    check.field("vertical_scale", has.vertical_scale, expected.vertical_scale);
    check.field("version", has.version, expected.version);
    check.field("flags", has.flags, expected.flags);
    if (expected.flags & V4L2_VP8_FRAME_FLAG_MB_NO_SKIP_COEFF)
        check.field("prob_skip_false", has.prob_skip_false, expected.prob_skip_false);
    if (!(expected.flags & V4L2_VP8_FRAME_FLAG_KEY_FRAME)) {
        check.field("prob_intra", has.prob_intra, expected.prob_intra);
        check.field("prob_last", has.prob_last, expected.prob_last);
        check.field("prob_gf", has.prob_gf, expected.prob_gf);
    }
    check.field("num_dct_parts", has.num_dct_parts, expected.num_dct_parts);
    check.field("first_part_size", has.first_part_size, expected.first_part_size);
    check.field("first_part_header_bits", has.first_part_header_bits, expected.first_part_header_bits);
    check.field("dct_part_sizes", has.dct_part_sizes, expected.dct_part_sizes);
    return check.result();
}

} // namespace daedalus
