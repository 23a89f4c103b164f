// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cstring>

#include <linux/v4l2-controls.h>
#include <linux/videodev2.h>

#include "bitstream/vp8_frame_header.h"
#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec/parameters.h"

// VP8. Clauses are those of RFC 6386.
//
// VA-API carries the frame header after an application has worked it out: indices and levels absolute for every
// segment, and clipped. The kernel wants them as they are coded, with the deltas that clipping hides. The header is in
// the slice data, so what VA-API has changed is read from there, and all else is taken from VA-API, which needs no
// memory of the frames before.
namespace v4l2_request::codec {

namespace {

using bitstream::Vp8FrameHeader;
using bitstream::Vp8FrameTag;
using bitstream::Vp8SegmentData;

// 16.2 and 16.3: a key frame has these, and leaves those of inter frames alone.
constexpr std::array<uint8_t, 4> keyFrameYModeProbs{145, 156, 163, 128};
constexpr std::array<uint8_t, 3> keyFrameUvModeProbs{142, 114, 183};

// What outlives a frame. The rest of the decoder's state is in VA-API: probabilities (9.9 to 9.11), filter deltas.
struct Vp8State {
    std::optional<Vp8SegmentData> segmentData; // nothing: the stream was joined after its last key frame
    uint8_t horizontalScale = 0;
    uint8_t verticalScale = 0;
};

// A picture as its parts, all checked against each other.
struct Frame {
    VAPictureParameterBufferVP8 picture;
    VASliceParameterBufferVP8 slice;
    VAIQMatrixBufferVP8 quantization; // zero if the client sent none
    Bytes probabilities;
    Vp8FrameTag tag;
    Bytes tagBytes; // as the client sent them; empty if it did not
    Bytes data;     // what follows the tag
    Vp8FrameHeader header;

    bool keyFrame() const { return tag.keyFrame; }
};

// va.h: partition_size[0] is what is left of the first partition after its header, without the byte that is under way.
uint32_t firstPartSize(const VASliceParameterBufferVP8& slice) {
    return slice.partition_size[0] + (slice.macroblock_offset + 7) / 8;
}

// The tag precedes the first partition (9.1). Some clients hand it over, in front of slice_data_offset; the others cut
// it off, and it is made again from what VA-API says. Then show_frame and the scales are lost; they say nothing about
// decoding (9.1: scaling is for the presentation), and a frame that is never shown is as well decoded as shown.
void findTag(const Slice& input, Frame& frame, const Vp8State& state) {
    const auto& fields = frame.picture.pic_fields.bits;
    frame.tag = {.keyFrame = fields.key_frame == 0, // va.h: 0 means a key frame
                 .version = static_cast<uint8_t>(fields.version),
                 .showFrame = true,
                 .firstPartSize = firstPartSize(frame.slice),
                 .width = static_cast<uint16_t>(frame.picture.frame_width),
                 .height = static_cast<uint16_t>(frame.picture.frame_height),
                 .horizontalScale = state.horizontalScale,
                 .verticalScale = state.verticalScale};
    const size_t size = Vp8FrameTag::size(frame.keyFrame());
    if (input.before.size() < size)
        return;
    const Bytes candidate = input.before.last(size);
    const auto tag = bitstream::parseVp8FrameTag(candidate);
    if (!tag || tag->keyFrame != frame.tag.keyFrame || tag->version != frame.tag.version ||
        tag->firstPartSize != frame.tag.firstPartSize)
        return;
    if (tag->keyFrame && (tag->width != frame.tag.width || tag->height != frame.tag.height))
        return;
    frame.tagBytes = candidate;
    frame.tag.showFrame = tag->showFrame;
    if (tag->keyFrame) {
        frame.tag.horizontalScale = tag->horizontalScale;
        frame.tag.verticalScale = tag->verticalScale;
    }
}

// Whether VA-API and the slice data speak of the same header.
bool agrees(const VAPictureParameterBufferVP8& picture, const Vp8FrameHeader& header) {
    const auto& fields = picture.pic_fields.bits;
    return header.segmentationEnabled == (fields.segmentation_enabled != 0) &&
           header.simpleFilter == (fields.filter_type != 0) && header.sharpness == fields.sharpness_level &&
           header.loopFilterAdjust == (fields.loop_filter_adj_enable != 0);
}

Result<void> checkSizes(const Frame& frame) {
    const auto& [picture, slice, quantization, probabilities, tag, tagBytes, data, header] = frame;
    constexpr uint32_t maxSide = (1 << 14) - 1;
    if (picture.frame_width == 0 || picture.frame_height == 0 || picture.frame_width > maxSide ||
        picture.frame_height > maxSide)
        return fail(ErrorKind::InvalidParameter, "VP8: the frame has a size that no frame can have");
    if (picture.pic_fields.bits.version > 3) // 9.1
        return fail(ErrorKind::Unsupported, "VP8: versions above 3 are reserved");
    if (slice.macroblock_offset > data.size() * 8 || slice.partition_size[0] > data.size() ||
        firstPartSize(slice) > data.size())
        return fail(ErrorKind::Decoding, "VP8: the first partition is larger than the slice data");
    return {};
}

Result<Frame> takeFrame(const PictureInput& input, const Vp8State& state) {
    if (input.picture.size() < sizeof(VAPictureParameterBufferVP8))
        return fail(ErrorKind::InvalidParameter, "VP8: no picture parameters, or too short ones");
    if (input.probability.size() < sizeof(VAProbabilityDataBufferVP8))
        return fail(ErrorKind::InvalidParameter, "VP8: no coefficient probabilities");
    if (!input.iqMatrix.empty() && input.iqMatrix.size() < sizeof(VAIQMatrixBufferVP8))
        return fail(ErrorKind::InvalidParameter, "VP8: the quantisation buffer is too short");
    if (input.slices.size() != 1 || input.slices[0].parameters.size() < sizeof(VASliceParameterBufferVP8))
        return fail(ErrorKind::InvalidParameter, "VP8: a frame is one slice");

    Frame frame{.picture = readParameters<VAPictureParameterBufferVP8>(input.picture),
                .slice = readParameters<VASliceParameterBufferVP8>(input.slices[0].parameters),
                .probabilities = input.probability,
                .data = input.slices[0].data};
    if (!input.iqMatrix.empty())
        frame.quantization = readParameters<VAIQMatrixBufferVP8>(input.iqMatrix);
    if (auto checked = checkSizes(frame); !checked)
        return tl::unexpected(checked.error());
    findTag(input.slices[0], frame, state);
    auto header = bitstream::parseVp8FrameHeader(frame.data.first(frame.tag.firstPartSize), frame.keyFrame());
    if (!header)
        return tl::unexpected(damagedPicture(header.error()));
    if (!agrees(frame.picture, *header))
        return fail(ErrorKind::Decoding, "VP8: the slice data does not begin with the header of this frame");
    frame.header = *header;
    return frame;
}

// 9.3: what a segment has stays until it is updated, and a key frame starts anew.
void updateState(const Frame& frame, Vp8State& state) {
    if (frame.keyFrame())
        state = {Vp8SegmentData{}, frame.tag.horizontalScale, frame.tag.verticalScale};
    if (frame.header.segmentData)
        state.segmentData = frame.header.segmentData;
}

// Without the values as they were coded there are those of VA-API: absolute, and clipped as the decoder clips them.
Vp8SegmentData absoluteSegmentData(const Frame& frame) {
    Vp8SegmentData data{.absolute = true};
    for (size_t i = 0; i < 4; ++i) {
        data.quantizer[i] = static_cast<int8_t>(std::min<int>(frame.quantization.quantization_index[i][0], 127));
        data.loopFilter[i] = static_cast<int8_t>(std::min<int>(frame.picture.loop_filter_level[i], 63));
    }
    return data;
}

v4l2_vp8_segment fillSegment(const Frame& frame, const Vp8State& state) {
    const Vp8SegmentData data = state.segmentData                  ? *state.segmentData
                                : frame.header.segmentationEnabled ? absoluteSegmentData(frame)
                                                                   : Vp8SegmentData{};
    v4l2_vp8_segment segment{
        .flags = (frame.header.segmentationEnabled ? V4L2_VP8_SEGMENT_FLAG_ENABLED : 0u) |
                 (frame.header.updateSegmentMap ? V4L2_VP8_SEGMENT_FLAG_UPDATE_MAP : 0u) |
                 (frame.header.segmentData ? V4L2_VP8_SEGMENT_FLAG_UPDATE_FEATURE_DATA : 0u) |
                 (data.absolute ? 0u : V4L2_VP8_SEGMENT_FLAG_DELTA_VALUE_MODE),
    };
    std::ranges::copy(data.quantizer, segment.quant_update);
    std::ranges::copy(data.loopFilter, segment.lf_update);
    std::ranges::copy(frame.picture.mb_segment_tree_probs, segment.segment_probs);
    return segment;
}

v4l2_vp8_loop_filter fillLoopFilter(const Frame& frame) {
    v4l2_vp8_loop_filter filter{
        .sharpness_level = frame.header.sharpness,
        .level = frame.header.loopFilterLevel,
        .flags = (frame.header.loopFilterAdjust ? V4L2_VP8_LF_ADJ_ENABLE : 0u) |
                 (frame.header.loopFilterDeltaUpdate ? V4L2_VP8_LF_DELTA_UPDATE : 0u) |
                 (frame.header.simpleFilter ? V4L2_VP8_LF_FILTER_TYPE_SIMPLE : 0u),
    };
    std::ranges::copy(frame.picture.loop_filter_deltas_ref_frame, filter.ref_frm_delta);
    std::ranges::copy(frame.picture.loop_filter_deltas_mode, filter.mb_mode_delta);
    return filter;
}

v4l2_vp8_quantization fillQuantization(const Vp8FrameHeader& header) {
    return {
        .y_ac_qi = header.yAcIndex,
        .y_dc_delta = header.yDcDelta,
        .y2_dc_delta = header.y2DcDelta,
        .y2_ac_delta = header.y2AcDelta,
        .uv_dc_delta = header.uvDcDelta,
        .uv_ac_delta = header.uvAcDelta,
    };
}

v4l2_vp8_entropy fillEntropy(const Frame& frame) {
    v4l2_vp8_entropy entropy{};
    static_assert(sizeof(entropy.coeff_probs) == sizeof(VAProbabilityDataBufferVP8::dct_coeff_probs));
    static_assert(sizeof(entropy.mv_probs) == sizeof(VAPictureParameterBufferVP8::mv_probs));
    std::memcpy(entropy.coeff_probs, frame.probabilities.data() + offsetof(VAProbabilityDataBufferVP8, dct_coeff_probs),
                sizeof(entropy.coeff_probs));
    std::memcpy(entropy.mv_probs, frame.picture.mv_probs, sizeof(entropy.mv_probs));
    if (frame.keyFrame()) {
        std::ranges::copy(keyFrameYModeProbs, entropy.y_mode_probs);
        std::ranges::copy(keyFrameUvModeProbs, entropy.uv_mode_probs);
    } else {
        std::ranges::copy(frame.picture.y_mode_probs, entropy.y_mode_probs);
        std::ranges::copy(frame.picture.uv_mode_probs, entropy.uv_mode_probs);
    }
    return entropy;
}

// The state in which the header leaves the bool decoder (7.3), for devices that go on from there.
v4l2_vp8_entropy_coder_state fillCoderState(const VABoolCoderContextVPX& context) {
    return {.range = context.range, .value = context.value, .bit_count = context.count};
}

// 9.5: the sizes of all token partitions but the last follow the first partition, three bytes each; the last one has
// what is left.
Result<void> fillPartitions(const Frame& frame, v4l2_ctrl_vp8_frame& control) {
    const size_t count = frame.header.dctPartitions;
    const Bytes rest = frame.data.subspan(frame.tag.firstPartSize);
    if (rest.size() < 3 * (count - 1))
        return fail(ErrorKind::Decoding, "VP8: the slice data ends before the sizes of the partitions");
    size_t left = rest.size() - 3 * (count - 1);
    for (size_t i = 0; i < count; ++i) {
        const size_t size = i + 1 == count ? left : rest[3 * i] | rest[3 * i + 1] << 8 | rest[3 * i + 2] << 16;
        if (size > left)
            return fail(ErrorKind::Decoding, "VP8: a partition is larger than the slice data");
        control.dct_part_sizes[i] = static_cast<uint32_t>(size);
        left -= size;
    }
    control.num_dct_parts = static_cast<uint8_t>(count);
    control.first_part_size = frame.tag.firstPartSize;
    control.first_part_header_bits = frame.slice.macroblock_offset;
    return {};
}

// 9.7: an inter frame predicts from three pictures, and every macroblock may choose. One that is missing, after a loss,
// is replaced by another of them: the nearest to what it was; if none is left, by the picture decoded last. If there is
// no picture at all, the timestamp finds nothing, and the device predicts from the picture itself. A key frame predicts
// from nothing, whatever surfaces its client still names.
void fillReferences(const Frame& frame, const PictureInput& input, const References& references,
                    v4l2_ctrl_vp8_frame& control, Submission& submission) {
    control.last_frame_ts = control.golden_frame_ts = control.alt_frame_ts = noTimestamp;
    if (frame.keyFrame())
        return;
    const auto find = [&](VASurfaceID surface) -> std::optional<uint64_t> {
        const bool canBeThere = surface != VA_INVALID_SURFACE && surface != input.target;
        const auto timestamp = canBeThere ? references.timestamp(surface) : std::nullopt;
        if (timestamp)
            submission.predictedFrom.push_back(surface);
        submission.damaged = submission.damaged || !timestamp;
        return timestamp;
    };
    const auto last = find(frame.picture.last_ref_frame);
    const auto golden = find(frame.picture.golden_ref_frame);
    const auto alternate = find(frame.picture.alt_ref_frame);
    const auto found = last ? last : golden ? golden : alternate;
    const uint64_t any = found ? *found : references.latest().value_or(noTimestamp);
    control.last_frame_ts = last.value_or(any);
    control.golden_frame_ts = golden.value_or(any);
    control.alt_frame_ts = alternate.value_or(any);
}

v4l2_ctrl_vp8_frame fillFrame(const Frame& frame, const Vp8State& state) {
    const auto& fields = frame.picture.pic_fields.bits;
    const bool inter = !frame.keyFrame();
    return {
        .segment = fillSegment(frame, state),
        .lf = fillLoopFilter(frame),
        .quant = fillQuantization(frame.header),
        .entropy = fillEntropy(frame),
        .coder_state = fillCoderState(frame.picture.bool_coder_ctx),
        .width = static_cast<uint16_t>(frame.picture.frame_width),
        .height = static_cast<uint16_t>(frame.picture.frame_height),
        .horizontal_scale = state.horizontalScale,
        .vertical_scale = state.verticalScale,
        .version = frame.tag.version,
        // 19.2: not in every frame. Clients leave what an earlier frame had.
        .prob_skip_false = fields.mb_no_coeff_skip ? frame.picture.prob_skip_false : uint8_t{0},
        .prob_intra = inter ? frame.picture.prob_intra : uint8_t{0},
        .prob_last = inter ? frame.picture.prob_last : uint8_t{0},
        .prob_gf = inter ? frame.picture.prob_gf : uint8_t{0},
        .flags = (inter ? 0u : V4L2_VP8_FRAME_FLAG_KEY_FRAME) |
                 (frame.tag.showFrame ? V4L2_VP8_FRAME_FLAG_SHOW_FRAME : 0u) |
                 (fields.mb_no_coeff_skip ? V4L2_VP8_FRAME_FLAG_MB_NO_SKIP_COEFF : 0u) |
                 (inter && fields.sign_bias_golden ? V4L2_VP8_FRAME_FLAG_SIGN_BIAS_GOLDEN : 0u) |
                 (inter && fields.sign_bias_alternate ? V4L2_VP8_FRAME_FLAG_SIGN_BIAS_ALT : 0u),
    };
}

Result<Submission> build(const PictureInput& input, const References& references, const DeviceControls&,
                         const std::any& before, std::any& after) {
    auto state = stateOf<Vp8State>(before);
    const auto frame = takeFrame(input, state);
    if (!frame)
        return tl::unexpected(frame.error());
    updateState(*frame, state);

    Submission submission(input.memory);
    Job& job = submission.jobs.emplace_back(input.memory);
    v4l2_ctrl_vp8_frame& control = job.controls.add<Vp8FrameControl>([&] { return fillFrame(*frame, state); });
    if (auto filled = fillPartitions(*frame, control); !filled)
        return tl::unexpected(filled.error());

    submission.codedWidth = control.width;
    submission.codedHeight = control.height;
    fillReferences(*frame, input, references, control, submission);
    if (frame->tagBytes.empty())
        job.bitstream.appendCopy(
            Bytes(bitstream::writeVp8FrameTag(frame->tag)).first(Vp8FrameTag::size(frame->keyFrame())));
    else
        job.bitstream.append(frame->tagBytes);
    job.bitstream.append(frame->data);

    keepState(after, state);
    return submission;
}

// One VA profile for all versions. The kernel numbers the versions as profiles; no device has only some of them.
constexpr std::array profiles{
    Profile{VAProfileVP8Version0_3, VA_RT_FORMAT_YUV420, V4L2_MPEG_VIDEO_VP8_PROFILE_0},
};

constexpr std::array requiredControls{Vp8FrameControl::id};

} // namespace

constinit const Codec vp8Codec{
    .name = "VP8",
    .fourcc = V4L2_PIX_FMT_VP8_FRAME,
    .profiles = profiles,
    .profileControl = V4L2_CID_MPEG_VIDEO_VP8_PROFILE,
    .requiredControls = requiredControls,
    .optionalControls = {},
    .sequenceControl = 0,
    .pictureSize = sizeof(VAPictureParameterBufferVP8),
    .iqMatrixSize = sizeof(VAIQMatrixBufferVP8),
    .sliceSize = sizeof(VASliceParameterBufferVP8),
    .probabilitySize = sizeof(VAProbabilityDataBufferVP8),
    .clampSliceData = true,
    .unitWidth = 16,
    .unitHeight = 16,
    .build = build,
};

} // namespace v4l2_request::codec
