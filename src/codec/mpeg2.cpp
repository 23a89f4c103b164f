// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include <linux/v4l2-controls.h>
#include <linux/videodev2.h>

#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "codec/parameters.h"

// MPEG-2 video. Clauses and tables are those of ISO/IEC 13818-2 (Rec. ITU-T H.262).
namespace v4l2_request::codec {

namespace {

using Matrix = std::array<uint8_t, 64>;

// Figure 7-2: positions in a raster, in the order in which matrices are transmitted (7.3.1 uses no other for them).
constexpr std::array<uint8_t, 64> zigzagScan() {
    std::array<uint8_t, 64> scan{};
    int x = 0;
    int y = 0;
    for (uint8_t& position : scan) {
        position = static_cast<uint8_t>(y * 8 + x);
        const bool upwards = (x + y) % 2 == 0;
        int& along = upwards ? x : y;
        int& against = upwards ? y : x;
        if (along == 7)
            ++against;
        else {
            ++along;
            against -= against > 0;
        }
    }
    return scan;
}

// 6.3.11, as printed there: a raster.
constexpr Matrix defaultIntraRaster{
    8,  16, 19, 22, 26, 27, 29, 34, //
    16, 16, 22, 24, 27, 29, 34, 37, //
    19, 22, 26, 27, 29, 34, 34, 38, //
    22, 22, 26, 27, 29, 34, 37, 40, //
    22, 26, 27, 29, 32, 35, 40, 48, //
    26, 27, 29, 32, 35, 40, 48, 58, //
    26, 27, 29, 34, 38, 46, 56, 69, //
    27, 29, 35, 38, 46, 56, 69, 83,
};

constexpr Matrix defaultIntraMatrix() {
    Matrix matrix{};
    std::ranges::transform(zigzagScan(), matrix.begin(), [](uint8_t position) { return defaultIntraRaster[position]; });
    return matrix;
}

constexpr Matrix defaultNonIntraMatrix() {
    Matrix matrix{};
    matrix.fill(16);
    return matrix;
}

// What outlives a picture: the matrices in force (6.3.11), and what earlier pictures told of the sequence. VA-API does
// not tell where a sequence begins.
struct Mpeg2State {
    uint16_t width = 0;
    uint16_t height = 0;
    bool interlacedSequence = false;
    Matrix intra = defaultIntraMatrix();
    Matrix nonIntra = defaultNonIntraMatrix();
    // The target and parity of a first field whose second has not come yet.
    VASurfaceID openField = VA_INVALID_SURFACE;
    uint8_t openParity = 0;
};

bool isFieldPicture(const VAPictureParameterBufferMPEG2& picture) {
    return picture.picture_coding_extension.bits.picture_structure != V4L2_MPEG2_PIC_FRAME;
}

bool isSecondField(const VAPictureParameterBufferMPEG2& picture, VASurfaceID target, const Mpeg2State& state) {
    const auto& extension = picture.picture_coding_extension.bits;
    return isFieldPicture(picture) && !extension.is_first_field && state.openField == target &&
           state.openParity + extension.picture_structure == V4L2_MPEG2_PIC_FRAME;
}

// The row of macroblocks that a slice is in, from 0. A slice is a start code, 00 00 01 and slice_vertical_position from
// 01 to AF (table 6-1), perhaps after more zeros; what is above 2800 lines is not wanted here (6.3.16, table 8-11).
std::optional<uint8_t> rowOf(Bytes data) {
    size_t zeros = 0;
    while (zeros < data.size() && data[zeros] == 0)
        ++zeros;
    if (zeros < 2 || data.size() - zeros < 2 || data[zeros] != 1)
        return std::nullopt;
    const uint8_t position = data[zeros + 1];
    return position >= 0x01 && position <= 0xaf ? std::optional(static_cast<uint8_t>(position - 1)) : std::nullopt;
}

// sequence_end_code (table 6-1) is not of the slice, but some clients leave it behind the last one of a stream.
Bytes withoutSequenceEnd(Bytes slice) {
    constexpr std::array<uint8_t, 4> sequenceEnd{0, 0, 1, 0xb7};
    const bool ends =
        slice.size() > sequenceEnd.size() && std::ranges::equal(slice.last(sequenceEnd.size()), sequenceEnd);
    return ends ? slice.first(slice.size() - sequenceEnd.size()) : slice;
}

// The most rows that a frame of this height can have (6.3.3), and its fields half of them.
uint32_t mostRows(const VAPictureParameterBufferMPEG2& picture) {
    const uint32_t frameRows = (picture.vertical_size + 31u) / 32u * 2;
    return isFieldPicture(picture) ? frameRows / 2 : frameRows;
}

// The slices in the order of their rows: in a picture that is not damaged they are. One that came twice is one, and one
// that is none of this picture is left out.
struct Slices {
    struct Entry {
        uint8_t row;
        Bytes data;
    };
    std::pmr::vector<Entry> entries; // at least one
    bool incomplete = false;
    bool endsSequence = false;

    uint8_t lastRow() const { return entries.back().row; }
};

Result<Slices> readSlices(const PictureInput& input, const VAPictureParameterBufferMPEG2& picture) {
    Slices slices{.entries = std::pmr::vector<Slices::Entry>(input.memory)};
    slices.entries.reserve(input.slices.size());
    for (const Slice& slice : input.slices) {
        if (slice.parameters.size() < sizeof(VASliceParameterBufferMPEG2))
            return fail(ErrorKind::InvalidParameter, "MPEG-2: a slice parameter buffer is too short");
        const auto parameters = readParameters<VASliceParameterBufferMPEG2>(slice.parameters);
        const auto row = rowOf(slice.data);
        if (!row || *row >= mostRows(picture) || parameters.macroblock_offset >= slice.data.size() * 8) {
            slices.incomplete = true;
            continue;
        }
        const Bytes data = withoutSequenceEnd(slice.data);
        slices.entries.push_back({.row = *row, .data = data});
        slices.endsSequence = slices.endsSequence || data.size() != slice.data.size();
    }
    if (slices.entries.empty())
        return fail(slices.incomplete ? ErrorKind::Decoding : ErrorKind::InvalidParameter,
                    "MPEG-2: the picture has no slices");
    if (!std::ranges::is_sorted(slices.entries, {}, &Slices::Entry::row))
        std::ranges::stable_sort(slices.entries, {}, &Slices::Entry::row);
    const auto repeated =
        std::unique(slices.entries.begin(), slices.entries.end(), [](const Slices::Entry& a, const Slices::Entry& b) {
            return a.row == b.row && std::ranges::equal(a.data, b.data);
        });
    slices.entries.erase(repeated, slices.entries.end());
    slices.incomplete = slices.incomplete || slices.entries.front().row != 0;
    return slices;
}

// progressive_sequence is not in VA-API. Where it is 1 every picture is a frame picture with progressive_frame and
// frame_pred_frame_dct set (6.3.10), top_field_first is 1 only together with repeat_first_field (6.3.10), and a frame
// has (height + 15) / 16 rows of macroblocks, not twice (height + 31) / 32 (6.3.3). One picture that breaks one of
// these proves an interlaced sequence. Where the two numbers of rows differ, one that has the smaller proves the
// opposite; where they do not, a picture that breaks none is decoded alike whatever the flag says.
bool isInterlacedSequence(const VAPictureParameterBufferMPEG2& picture, const Slices& slices, bool before) {
    const auto& extension = picture.picture_coding_extension.bits;
    if (isFieldPicture(picture) || !extension.progressive_frame || !extension.frame_pred_frame_dct)
        return true;
    if (extension.top_field_first && !extension.repeat_first_field)
        return true;
    const uint32_t rows = (picture.vertical_size + 15u) / 16u;
    if (slices.lastRow() >= rows)
        return true;
    const bool endsWithRow = slices.lastRow() + 1u == rows && rows != mostRows(picture);
    return before && !endsWithRow;
}

// Neither is the level. It bounds what a decoder must provide (table 8-11 for the size, table 8-13 for vbv_buffer_size
// in units of 16384 bits), so the smallest one that holds the picture serves. Main is the floor: Low also bounds the
// bit rate and the frame rate, which VA-API does not tell, and Simple profile has no Low level (table 8-10).
struct Level {
    uint16_t width;
    uint16_t height;
    uint8_t code; // table 8-3
    uint16_t vbvBufferSize;
};
constexpr std::array levels{
    Level{720, 576, 8, 112},
    Level{1440, 1152, 6, 448},
    Level{1920, 1152, 4, 597},
};

const Level& levelFor(uint16_t width, uint16_t height) {
    const auto holds = [=](const Level& level) { return width <= level.width && height <= level.height; };
    const auto found = std::ranges::find_if(levels, holds);
    return found == levels.end() ? levels.back() : *found;
}

v4l2_ctrl_mpeg2_sequence fillSequence(const PictureInput& input, const VAPictureParameterBufferMPEG2& picture,
                                      const Mpeg2State& state) {
    const Level& level = levelFor(picture.horizontal_size, picture.vertical_size);
    const uint16_t profile = input.profile == VAProfileMPEG2Simple ? 5 : 4; // table 8-2
    return {
        .horizontal_size = picture.horizontal_size,
        .vertical_size = picture.vertical_size,
        .vbv_buffer_size = level.vbvBufferSize,
        // 8.1: one escape bit, three of profile, four of level.
        .profile_and_level_indication = static_cast<uint16_t>(profile << 4 | level.code),
        .chroma_format = 1, // table 6-5: 4:2:0, the only one in these profiles (table 8-5)
        .flags = static_cast<uint8_t>(state.interlacedSequence ? 0 : V4L2_MPEG2_SEQ_FLAG_PROGRESSIVE),
    };
}

struct ReferenceTimestamps {
    uint64_t forward = noTimestamp;
    uint64_t backward = noTimestamp;
};

// A P or B picture may come without a reference: after a seek into an open GOP, or after a loss. The other reference is
// then the closest picture there is. Without either, the second field of a frame can still name its first field (it is
// one of the two fields that a P field predicts from, 7.6.2.1), and anything else the picture decoded last. If there is
// no picture at all, the timestamp finds nothing, which makes the drivers predict from the picture itself: garbage
// inside this picture only, as in any decoder that is told to go on.
ReferenceTimestamps findReferences(const PictureInput& input, const VAPictureParameterBufferMPEG2& picture,
                                   const References& references, bool secondField, Submission& submission) {
    const auto find = [&](VASurfaceID surface) -> std::optional<uint64_t> {
        const bool canBeThere = surface != VA_INVALID_SURFACE && (surface != input.target || secondField);
        const auto timestamp = canBeThere ? references.timestamp(surface) : std::nullopt;
        if (timestamp)
            submission.predictedFrom.push_back(surface);
        // The second field of a stream's first frame has no other reference than its first field.
        const bool needsNone = surface == VA_INVALID_SURFACE && secondField;
        submission.damaged = submission.damaged || (!timestamp && !needsNone);
        return timestamp;
    };
    const auto fallback = [&] {
        const auto firstField = secondField ? references.timestamp(input.target) : std::nullopt;
        return firstField ? *firstField : references.latest().value_or(noTimestamp);
    };

    switch (picture.picture_coding_type) {
    case V4L2_MPEG2_PIC_CODING_TYPE_P: {
        const auto forward = find(picture.forward_reference_picture);
        return {.forward = forward ? *forward : fallback()};
    }
    case V4L2_MPEG2_PIC_CODING_TYPE_B: {
        const auto forward = find(picture.forward_reference_picture);
        const auto backward = find(picture.backward_reference_picture);
        const uint64_t any = forward ? *forward : backward ? *backward : fallback();
        return {.forward = forward.value_or(any), .backward = backward.value_or(any)};
    }
    default: return {}; // I: nothing is predicted from another picture
    }
}

v4l2_ctrl_mpeg2_picture fillPicture(const VAPictureParameterBufferMPEG2& picture,
                                    const ReferenceTimestamps& timestamps) {
    const auto& extension = picture.picture_coding_extension.bits;
    const auto fCode = [&](unsigned shift) { return static_cast<uint8_t>(picture.f_code >> shift & 0xf); };
    return {
        .backward_ref_ts = timestamps.backward,
        .forward_ref_ts = timestamps.forward,
        .flags = (extension.top_field_first ? V4L2_MPEG2_PIC_FLAG_TOP_FIELD_FIRST : 0u) |
                 (extension.frame_pred_frame_dct ? V4L2_MPEG2_PIC_FLAG_FRAME_PRED_DCT : 0u) |
                 (extension.concealment_motion_vectors ? V4L2_MPEG2_PIC_FLAG_CONCEALMENT_MV : 0u) |
                 (extension.q_scale_type ? V4L2_MPEG2_PIC_FLAG_Q_SCALE_TYPE : 0u) |
                 (extension.intra_vlc_format ? V4L2_MPEG2_PIC_FLAG_INTRA_VLC : 0u) |
                 (extension.alternate_scan ? V4L2_MPEG2_PIC_FLAG_ALT_SCAN : 0u) |
                 (extension.repeat_first_field ? V4L2_MPEG2_PIC_FLAG_REPEAT_FIRST : 0u) |
                 (extension.progressive_frame ? V4L2_MPEG2_PIC_FLAG_PROGRESSIVE : 0u),
        .f_code = {{fCode(12), fCode(8)}, {fCode(4), fCode(0)}},
        .picture_coding_type = static_cast<uint8_t>(picture.picture_coding_type),
        .picture_structure = static_cast<uint8_t>(extension.picture_structure),
        .intra_dc_precision = static_cast<uint8_t>(extension.intra_dc_precision),
    };
}

// 6.3.11: a matrix that is not loaded stays what it was. Both APIs keep them in zig-zag order. In 4:2:0 the chroma
// blocks use the luma matrices, and the chroma matrices must not be loaded at all, so whatever a client put there is
// not used.
void loadMatrices(const VAIQMatrixBufferMPEG2& matrices, Mpeg2State& state) {
    if (matrices.load_intra_quantiser_matrix)
        std::ranges::copy(matrices.intra_quantiser_matrix, state.intra.begin());
    if (matrices.load_non_intra_quantiser_matrix)
        std::ranges::copy(matrices.non_intra_quantiser_matrix, state.nonIntra.begin());
}

// 6.3.11 forbids a 0. An I picture has intra blocks only (table B.2): clients that decode nothing else, such as libva's
// own mpeg2vldemo, leave the other matrix unfinished. The device is told a valid one.
Result<v4l2_ctrl_mpeg2_quantisation> fillQuantisation(const Mpeg2State& state, int32_t codingType) {
    const auto forbidden = [](const Matrix& matrix) { return std::ranges::count(matrix, 0) != 0; };
    const bool unused = codingType == V4L2_MPEG2_PIC_CODING_TYPE_I && forbidden(state.nonIntra);
    const Matrix nonIntra = unused ? defaultNonIntraMatrix() : state.nonIntra;
    if (forbidden(state.intra) || forbidden(nonIntra))
        return fail(ErrorKind::Decoding, "MPEG-2: a quantiser matrix has a value of 0");
    v4l2_ctrl_mpeg2_quantisation quantisation{};
    std::ranges::copy(state.intra, quantisation.intra_quantiser_matrix);
    std::ranges::copy(nonIntra, quantisation.non_intra_quantiser_matrix);
    std::ranges::copy(state.intra, quantisation.chroma_intra_quantiser_matrix);
    std::ranges::copy(nonIntra, quantisation.chroma_non_intra_quantiser_matrix);
    return quantisation;
}

Result<void> checkPicture(const VAPictureParameterBufferMPEG2& picture) {
    if (picture.horizontal_size == 0 || picture.vertical_size == 0)
        return fail(ErrorKind::InvalidParameter, "MPEG-2: the picture has no size");
    if (picture.picture_coding_extension.bits.picture_structure == 0) // table 6-14: reserved
        return fail(ErrorKind::Decoding, "MPEG-2: picture_structure is reserved");
    if (picture.picture_coding_type == V4L2_MPEG2_PIC_CODING_TYPE_D)
        return fail(ErrorKind::Unsupported, "MPEG-2: D pictures exist in MPEG-1 only");
    if (picture.picture_coding_type < V4L2_MPEG2_PIC_CODING_TYPE_I ||
        picture.picture_coding_type > V4L2_MPEG2_PIC_CODING_TYPE_B)
        return fail(ErrorKind::Decoding, "MPEG-2: picture_coding_type is forbidden or reserved");
    return {};
}

Result<Submission> build(const PictureInput& input, const References& references, const DeviceControls&,
                         const std::any& before, std::any& after) {
    if (input.picture.size() < sizeof(VAPictureParameterBufferMPEG2))
        return fail(ErrorKind::InvalidParameter, "MPEG-2: no picture parameters, or too short ones");
    if (!input.iqMatrix.empty() && input.iqMatrix.size() < sizeof(VAIQMatrixBufferMPEG2))
        return fail(ErrorKind::InvalidParameter, "MPEG-2: the quantisation matrix buffer is too short");
    const auto picture = readParameters<VAPictureParameterBufferMPEG2>(input.picture);
    if (auto checked = checkPicture(picture); !checked)
        return tl::unexpected(checked.error());

    const auto slices = readSlices(input, picture);
    if (!slices)
        return tl::unexpected(slices.error());

    auto state = stateOf<Mpeg2State>(before);
    if (state.width != picture.horizontal_size || state.height != picture.vertical_size) {
        // Another size is another sequence, whose matrices start from the defaults (6.3.11).
        state = {.width = picture.horizontal_size, .height = picture.vertical_size};
    }
    if (!input.iqMatrix.empty())
        loadMatrices(readParameters<VAIQMatrixBufferMPEG2>(input.iqMatrix), state);
    const auto quantisation = fillQuantisation(state, picture.picture_coding_type);
    if (!quantisation)
        return tl::unexpected(quantisation.error());
    state.interlacedSequence = isInterlacedSequence(picture, *slices, state.interlacedSequence);

    const bool secondField = isSecondField(picture, input.target, state);
    const bool opensFrame = isFieldPicture(picture) && picture.picture_coding_extension.bits.is_first_field;
    state.openField = opensFrame ? input.target : VA_INVALID_SURFACE;
    state.openParity = static_cast<uint8_t>(picture.picture_coding_extension.bits.picture_structure);

    // A second field whose first never came is a frame of its own, half of which is missing.
    const bool halfMissing = isFieldPicture(picture) && !opensFrame && !secondField;
    Submission submission(input.memory);
    submission.firstField = opensFrame;
    submission.secondField = secondField;
    submission.codedWidth = picture.horizontal_size;
    submission.codedHeight = picture.vertical_size;
    submission.damaged = halfMissing || slices->incomplete;
    const auto timestamps = findReferences(input, picture, references, secondField, submission);
    Job& job = submission.jobs.emplace_back(input.memory);
    job.controls.add<Mpeg2Sequence>(fillSequence(input, picture, state));
    job.controls.add<Mpeg2Picture>(fillPicture(picture, timestamps));
    job.controls.add<Mpeg2Quantisation>(*quantisation);
    job.bitstream.reserve(slices->entries.size());
    for (const Slices::Entry& slice : slices->entries)
        job.bitstream.append(slice.data);

    // What follows is another sequence.
    if (slices->endsSequence)
        state = {.openField = state.openField, .openParity = state.openParity};
    keepState(after, state);
    return submission;
}

constexpr std::array profiles{
    Profile{VAProfileMPEG2Simple, VA_RT_FORMAT_YUV420, V4L2_MPEG_VIDEO_MPEG2_PROFILE_SIMPLE},
    Profile{VAProfileMPEG2Main, VA_RT_FORMAT_YUV420, V4L2_MPEG_VIDEO_MPEG2_PROFILE_MAIN},
};

constexpr std::array requiredControls{Mpeg2Sequence::id, Mpeg2Picture::id, Mpeg2Quantisation::id};

} // namespace

constinit const Codec mpeg2Codec{
    .name = "MPEG-2",
    .fourcc = V4L2_PIX_FMT_MPEG2_SLICE,
    .profiles = profiles,
    .profileControl = V4L2_CID_MPEG_VIDEO_MPEG2_PROFILE,
    .requiredControls = requiredControls,
    .optionalControls = {},
    .sequenceControl = Mpeg2Sequence::id,
    .pictureSize = sizeof(VAPictureParameterBufferMPEG2),
    .iqMatrixSize = sizeof(VAIQMatrixBufferMPEG2),
    .sliceSize = sizeof(VASliceParameterBufferMPEG2),
    .probabilitySize = 0,
    .unitWidth = 16,
    .unitHeight = 32,
    .build = build,
};

} // namespace v4l2_request::codec
