// SPDX-License-Identifier: MIT
#ifdef HAVE_UAPI_VP9

#include <algorithm>
#include <array>
#include <cstring>

#include <linux/v4l2-controls.h>
#include <linux/videodev2.h>

#include "bitstream/vp9_compressed_header.h"
#include "bitstream/vp9_uncompressed_header.h"
#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec/parameters.h"

// VP9. Clauses are those of the VP9 Bitstream & Decoding Process Specification, version 0.6.
//
// VA-API carries what a decoder derives from the headers (filter levels and quantiser scales per segment), the kernel
// wants what is coded there. Both headers are in the slice data: they are read from it, and VA-API is asked only for
// what is not there: the surfaces, and the size of a frame that takes its size from a reference.
namespace v4l2_request::codec {

namespace {

using bitstream::Vp9CompressedHeader;
using bitstream::Vp9HeaderState;
using bitstream::Vp9InterpolationFilter;
using bitstream::Vp9UncompressedHeader;

// What outlives a frame.
struct Vp9State {
    Vp9HeaderState header;
    uint32_t width = 0; // of the frame before, and so of all pictures in the queue
    uint32_t height = 0;
};

// A picture as its parts, all checked against each other.
struct Frame {
    VADecPictureParameterBufferVP9 picture;
    Bytes data;
    Vp9UncompressedHeader header;
    Vp9CompressedHeader compressed;
};

// 6.4 and 9.2.1: each tile but the last is preceded by its size, none is empty, and its first bit is 0. Nothing can be
// made of a frame that breaks this, and a device need not notice.
Result<void> checkTiles(const Vp9UncompressedHeader& header, Bytes tiles) {
    const unsigned count = 1u << (header.tileColumnsLog2 + header.tileRowsLog2);
    for (unsigned i = 0; i < count; ++i) {
        size_t size = tiles.size();
        if (i + 1 < count) {
            if (tiles.size() < 4)
                return fail(ErrorKind::Decoding, "VP9: the frame ends before its last tile");
            size = static_cast<size_t>(tiles[0]) << 24 | tiles[1] << 16 | tiles[2] << 8 | tiles[3];
            tiles = tiles.subspan(4);
        }
        if (size == 0 || size > tiles.size())
            return fail(ErrorKind::Decoding, "VP9: a tile is larger than the frame, or empty");
        if (tiles[0] & 0x80)
            return fail(ErrorKind::Decoding, "VP9: the marker of a tile is set");
        tiles = tiles.subspan(size);
    }
    return {};
}

// Where it stays: the tables are large.
Result<void> readFrame(const PictureInput& input, Vp9HeaderState& state, Frame& frame) {
    if (input.picture.size() < sizeof(VADecPictureParameterBufferVP9))
        return fail(ErrorKind::InvalidParameter, "VP9: no picture parameters, or too short ones");
    if (input.slices.size() != 1)
        return fail(ErrorKind::InvalidParameter, "VP9: a frame is one slice");
    frame.picture = readParameters<VADecPictureParameterBufferVP9>(input.picture);
    frame.data = input.slices[0].data;
    if (frame.picture.frame_width == 0 || frame.picture.frame_height == 0)
        return fail(ErrorKind::InvalidParameter, "VP9: the frame has no size");

    auto parsed =
        bitstream::parseVp9UncompressedHeader(frame.data, frame.picture.frame_width, frame.picture.frame_height, state);
    if (!parsed)
        return tl::unexpected(damagedPicture(parsed.error()));
    const Vp9UncompressedHeader& header = frame.header = *parsed;
    if (frame.data.size() - header.size < header.compressedHeaderSize)
        return fail(ErrorKind::Decoding, "VP9: the compressed header is larger than the slice data");
    const auto compressed = bitstream::parseVp9CompressedHeader(
        frame.data.subspan(header.size, header.compressedHeaderSize), header, frame.compressed);
    if (!compressed)
        return tl::unexpected(damagedPicture(compressed.error()));
    return checkTiles(header, frame.data.subspan(header.size + header.compressedHeaderSize));
}

v4l2_vp9_loop_filter fillLoopFilter(const Vp9UncompressedHeader& header) {
    v4l2_vp9_loop_filter filter{
        .level = header.loopFilterLevel,
        .sharpness = header.loopFilterSharpness,
        .flags = static_cast<uint8_t>((header.loopFilterDeltaEnabled ? V4L2_VP9_LOOP_FILTER_FLAG_DELTA_ENABLED : 0) |
                                      (header.loopFilterDeltaUpdate ? V4L2_VP9_LOOP_FILTER_FLAG_DELTA_UPDATE : 0)),
    };
    std::ranges::copy(header.loopFilterDeltas.reference, filter.ref_deltas);
    std::ranges::copy(header.loopFilterDeltas.mode, filter.mode_deltas);
    return filter;
}

v4l2_vp9_quantization fillQuantization(const Vp9UncompressedHeader& header) {
    return {
        .base_q_idx = header.baseQuantizerIndex,
        .delta_q_y_dc = header.deltaYDc,
        .delta_q_uv_dc = header.deltaUvDc,
        .delta_q_uv_ac = header.deltaUvAc,
    };
}

v4l2_vp9_segmentation fillSegmentation(const Vp9UncompressedHeader& header) {
    const auto& features = header.segmentFeatures;
    v4l2_vp9_segmentation segmentation{
        .flags =
            static_cast<uint8_t>((header.segmentationEnabled ? V4L2_VP9_SEGMENTATION_FLAG_ENABLED : 0) |
                                 (header.segmentationUpdateMap ? V4L2_VP9_SEGMENTATION_FLAG_UPDATE_MAP : 0) |
                                 (header.segmentationTemporalUpdate ? V4L2_VP9_SEGMENTATION_FLAG_TEMPORAL_UPDATE : 0) |
                                 (header.segmentationUpdateData ? V4L2_VP9_SEGMENTATION_FLAG_UPDATE_DATA : 0) |
                                 (features.absolute ? V4L2_VP9_SEGMENTATION_FLAG_ABS_OR_DELTA_UPDATE : 0)),
    };
    for (size_t i = 0; i < features.segments.size(); ++i) {
        for (size_t j = 0; j < features.segments[i].size(); ++j) {
            segmentation.feature_data[i][j] = features.segments[i][j].value;
            if (features.segments[i][j].enabled)
                segmentation.feature_enabled[i] |= static_cast<uint8_t>(V4L2_VP9_SEGMENT_FEATURE_ENABLED(j));
        }
    }
    std::ranges::copy(header.segmentationTreeProbs, segmentation.tree_probs);
    std::ranges::copy(header.segmentationPredProbs, segmentation.pred_probs);
    return segmentation;
}

// 7.2: 0 and 1 reset nothing, 2 resets the context of frame_context_idx, 3 all of them. Where all are reset anyway, on
// key frames and error resilient ones, it is not coded or 0.
uint8_t resetFrameContext(const Vp9UncompressedHeader& header) {
    switch (header.resetFrameContext) {
    case 2: return V4L2_VP9_RESET_FRAME_CTX_SPEC;
    case 3: return V4L2_VP9_RESET_FRAME_CTX_ALL;
    default: return V4L2_VP9_RESET_FRAME_CTX_NONE;
    }
}

uint8_t interpolationFilter(Vp9InterpolationFilter filter) {
    switch (filter) {
    case Vp9InterpolationFilter::EightTap: return V4L2_VP9_INTERP_FILTER_EIGHTTAP;
    case Vp9InterpolationFilter::EightTapSmooth: return V4L2_VP9_INTERP_FILTER_EIGHTTAP_SMOOTH;
    case Vp9InterpolationFilter::EightTapSharp: return V4L2_VP9_INTERP_FILTER_EIGHTTAP_SHARP;
    case Vp9InterpolationFilter::Bilinear: return V4L2_VP9_INTERP_FILTER_BILINEAR;
    case Vp9InterpolationFilter::Switchable: break;
    }
    return V4L2_VP9_INTERP_FILTER_SWITCHABLE;
}

uint32_t flags(const Vp9UncompressedHeader& header) {
    return (header.keyFrame ? V4L2_VP9_FRAME_FLAG_KEY_FRAME : 0u) |
           (header.showFrame ? V4L2_VP9_FRAME_FLAG_SHOW_FRAME : 0u) |
           (header.errorResilient ? V4L2_VP9_FRAME_FLAG_ERROR_RESILIENT : 0u) |
           (header.intraOnly ? V4L2_VP9_FRAME_FLAG_INTRA_ONLY : 0u) |
           (header.allowHighPrecisionMv ? V4L2_VP9_FRAME_FLAG_ALLOW_HIGH_PREC_MV : 0u) |
           (header.refreshFrameContext ? V4L2_VP9_FRAME_FLAG_REFRESH_FRAME_CTX : 0u) |
           (header.frameParallelDecoding ? V4L2_VP9_FRAME_FLAG_PARALLEL_DEC_MODE : 0u) |
           // profiles 0 and 2 are 4:2:0 (7.2)
           V4L2_VP9_FRAME_FLAG_X_SUBSAMPLING | V4L2_VP9_FRAME_FLAG_Y_SUBSAMPLING |
           (header.fullColorRange ? V4L2_VP9_FRAME_FLAG_COLOR_RANGE_FULL_SWING : 0u);
}

uint8_t signBias(const Vp9UncompressedHeader& header) {
    const auto& bias = header.referenceSignBias;
    return static_cast<uint8_t>((bias[0] ? V4L2_VP9_SIGN_BIAS_LAST : 0) | (bias[1] ? V4L2_VP9_SIGN_BIAS_GOLDEN : 0) |
                                (bias[2] ? V4L2_VP9_SIGN_BIAS_ALT : 0));
}

v4l2_ctrl_vp9_frame fillFrame(const Frame& frame) {
    const Vp9UncompressedHeader& header = frame.header;
    const auto minus1 = [](uint32_t size) { return static_cast<uint16_t>(size - 1); };
    return {
        .lf = fillLoopFilter(header),
        .quant = fillQuantization(header),
        .seg = fillSegmentation(header),
        .flags = flags(header),
        .compressed_header_size = header.compressedHeaderSize,
        .uncompressed_header_size = static_cast<uint16_t>(header.size),
        .frame_width_minus_1 = minus1(header.width),
        .frame_height_minus_1 = minus1(header.height),
        .render_width_minus_1 = minus1(header.renderWidth),
        .render_height_minus_1 = minus1(header.renderHeight),
        .last_frame_ts = noTimestamp,
        .golden_frame_ts = noTimestamp,
        .alt_frame_ts = noTimestamp,
        .ref_frame_sign_bias = signBias(header),
        .reset_frame_context = resetFrameContext(header),
        .frame_context_idx = header.frameContextIndex,
        .profile = header.profile,
        .bit_depth = header.bitDepth,
        .interpolation_filter = interpolationFilter(header.interpolationFilter),
        .tile_cols_log2 = header.tileColumnsLog2,
        .tile_rows_log2 = header.tileRowsLog2,
        .reference_mode = frame.compressed.referenceMode,
    };
}

// An inter frame names three pictures, and every block may choose. One that is missing is replaced by another of them,
// the nearest to what it was, or by the picture decoded last; if there is no picture at all, the timestamp finds
// nothing, and the device predicts from the picture itself. A stream that was joined at an intra-only frame may name
// pictures that never were, and not use them: a client that knows so names no surface, and that is no damage.
//
// All are in the queue in one size: the prediction can scale (8.5.2.3), but a change of the kernel's CAPTURE format
// empties the queue. So a frame of another size than its references is refused, for good.
Result<void> fillReferences(const Frame& frame, const PictureInput& input, const References& references,
                            const Vp9State& state, v4l2_ctrl_vp9_frame& control, Submission& submission) {
    const auto find = [&](VASurfaceID surface) {
        const bool canBeThere = surface != VA_INVALID_SURFACE && surface != input.target;
        return canBeThere ? references.timestamp(surface) : std::nullopt;
    };
    for (const VASurfaceID surface : frame.picture.reference_frames) // all eight stay, for later frames
        if (surface != VA_INVALID_SURFACE && surface != input.target)
            references.listed(surface);
    if (frame.header.isIntra())
        return {};
    if (state.width != 0 && (state.width != frame.header.width || state.height != frame.header.height))
        return fail(ErrorKind::Unsupported, "VP9: the frame has another size than the pictures that it refers to");
    std::array<std::optional<uint64_t>, 3> found;
    for (size_t i = 0; i < found.size(); ++i) {
        const VASurfaceID surface = frame.picture.reference_frames[frame.header.referenceIndex[i]];
        found[i] = find(surface);
        if (found[i])
            submission.predictedFrom.push_back(surface);
        submission.damaged = submission.damaged || (!found[i] && surface != VA_INVALID_SURFACE);
    }
    const auto any = std::ranges::find_if(found, [](const auto& timestamp) { return timestamp.has_value(); });
    submission.damaged = submission.damaged || any == found.end();
    const uint64_t standIn = any != found.end() ? **any : references.latest().value_or(noTimestamp);
    control.last_frame_ts = found[0].value_or(standIn);
    control.golden_frame_ts = found[1].value_or(standIn);
    control.alt_frame_ts = found[2].value_or(standIn);
    return {};
}

template <typename From, typename To>
void copyTable(const From& from, To& to) {
    static_assert(sizeof(from) == sizeof(to) && std::is_trivially_copyable_v<From>);
    std::memcpy(&to, &from, sizeof(to));
}

v4l2_vp9_mv_probs fillMvProbs(const Vp9CompressedHeader& header) {
    v4l2_vp9_mv_probs probs{};
    copyTable(header.mvJoint, probs.joint);
    copyTable(header.mvSign, probs.sign);
    copyTable(header.mvClass, probs.classes);
    copyTable(header.mvClass0Bit, probs.class0_bit);
    copyTable(header.mvBits, probs.bits);
    copyTable(header.mvClass0Fraction, probs.class0_fr);
    copyTable(header.mvFraction, probs.fr);
    copyTable(header.mvClass0HighPrecision, probs.class0_hp);
    copyTable(header.mvHighPrecision, probs.hp);
    return probs;
}

// uv_mode stays zero: 6.3 codes no updates of default_uv_mode_probs, they only adapt.
v4l2_ctrl_vp9_compressed_hdr fillCompressedHeader(const Vp9CompressedHeader& header) {
    v4l2_ctrl_vp9_compressed_hdr control{.tx_mode = header.txMode, .mv = fillMvProbs(header)};
    copyTable(header.tx8, control.tx8);
    copyTable(header.tx16, control.tx16);
    copyTable(header.tx32, control.tx32);
    copyTable(header.coefficients, control.coef);
    copyTable(header.skip, control.skip);
    copyTable(header.interMode, control.inter_mode);
    copyTable(header.interpolationFilter, control.interp_filter);
    copyTable(header.isInter, control.is_inter);
    copyTable(header.compoundMode, control.comp_mode);
    copyTable(header.singleReference, control.single_ref);
    copyTable(header.compoundReference, control.comp_ref);
    copyTable(header.yMode, control.y_mode);
    copyTable(header.partition, control.partition);
    return control;
}

Result<Submission> build(const PictureInput& input, const References& references, const DeviceControls& device,
                         const std::any& before, std::any& after) {
    auto state = stateOf<Vp9State>(before);
    Frame frame;
    if (auto read = readFrame(input, state.header, frame); !read)
        return tl::unexpected(read.error());
    if (frame.header.profile != (input.profile == VAProfileVP9Profile2 ? 2 : 0))
        return fail(ErrorKind::Unsupported, "VP9: the frame has another profile than the client chose");
    if (frame.picture.bit_depth > 10) // only intra frames code it
        return fail(ErrorKind::Unsupported, "VP9: 12 bits per sample are not supported");
    Submission submission(input.memory);
    Job& job = submission.jobs.emplace_back(input.memory);
    v4l2_ctrl_vp9_frame& control = job.controls.add<Vp9FrameControl>([&] { return fillFrame(frame); });
    submission.codedWidth = frame.header.width;
    submission.codedHeight = frame.header.height;
    submission.bitDepth = frame.header.bitDepth;
    if (auto filled = fillReferences(frame, input, references, state, control, submission); !filled)
        return tl::unexpected(filled.error());
    // Devices that read the compressed header themselves do not have this control.
    if (device.has(Vp9CompressedHdrControl::id))
        job.controls.add<Vp9CompressedHdrControl>([&] { return fillCompressedHeader(frame.compressed); });
    job.bitstream.append(frame.data);

    state.width = frame.header.width;
    state.height = frame.header.height;
    keepState(after, state);
    return submission;
}

constexpr std::array profiles{
    Profile{VAProfileVP9Profile0, VA_RT_FORMAT_YUV420, V4L2_MPEG_VIDEO_VP9_PROFILE_0},
    Profile{VAProfileVP9Profile2, VA_RT_FORMAT_YUV420_10, V4L2_MPEG_VIDEO_VP9_PROFILE_2},
};

std::vector<std::byte> anySequence(uint32_t width, uint32_t height, uint8_t bitDepth) {
    const auto minus1 = [](uint32_t size) { return static_cast<uint16_t>(size - 1); };
    return bytesOf(v4l2_ctrl_vp9_frame{
        .flags = V4L2_VP9_FRAME_FLAG_KEY_FRAME | V4L2_VP9_FRAME_FLAG_SHOW_FRAME | V4L2_VP9_FRAME_FLAG_X_SUBSAMPLING |
                 V4L2_VP9_FRAME_FLAG_Y_SUBSAMPLING,
        .frame_width_minus_1 = minus1(width),
        .frame_height_minus_1 = minus1(height),
        .render_width_minus_1 = minus1(width),
        .render_height_minus_1 = minus1(height),
        .profile = static_cast<uint8_t>(bitDepth > 8 ? 2 : 0),
        .bit_depth = bitDepth,
    });
}

constexpr std::array requiredControls{Vp9FrameControl::id};
constexpr std::array optionalControls{Vp9CompressedHdrControl::id};

} // namespace

constinit const Codec vp9Codec{
    .name = "VP9",
    .fourcc = V4L2_PIX_FMT_VP9_FRAME,
    .profiles = profiles,
    .profileControl = V4L2_CID_MPEG_VIDEO_VP9_PROFILE,
    .requiredControls = requiredControls,
    .optionalControls = optionalControls,
    .sequenceControl = Vp9FrameControl::id, // the bit depth decides the CAPTURE format
    .pictureSize = sizeof(VADecPictureParameterBufferVP9),
    .iqMatrixSize = 0,
    .sliceSize = sizeof(VASliceParameterBufferVP9),
    .probabilitySize = 0,
    .anySequence = anySequence,
    .build = build,
};

} // namespace v4l2_request::codec

#endif
