// SPDX-License-Identifier: MIT
#include "codec/h264_picture.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <optional>

#include <linux/v4l2-controls.h>

#include "codec/parameters.h"

namespace v4l2_request::codec::h264 {

using bitstream::H264SliceContext;
using bitstream::H264SliceHeader;

bool isInvalid(const VAPictureH264& picture) {
    return (picture.flags & VA_PICTURE_H264_INVALID) ||
           (picture.picture_id == VA_INVALID_SURFACE && !(picture.flags & pictureReference));
}

bool exists(const VAPictureH264& picture) {
    return picture.picture_id != VA_INVALID_SURFACE && !(picture.flags & pictureNonExisting);
}

uint8_t referenceFields(const VAPictureH264& picture) {
    constexpr uint32_t both = VA_PICTURE_H264_TOP_FIELD | VA_PICTURE_H264_BOTTOM_FIELD;
    if ((picture.flags & both) == 0 || (picture.flags & both) == both)
        return V4L2_H264_FRAME_REF;
    return picture.flags & VA_PICTURE_H264_TOP_FIELD ? V4L2_H264_TOP_FIELD_REF : V4L2_H264_BOTTOM_FIELD_REF;
}

// What a client has added to pic_init_qp_minus26, which VA-API has as it is coded: FFmpeg counts QpBdOffset into both
// initial quantisers. The other one tells: it is for SP and SI slices, which no profile of more than 8 bits has, so
// that encoders leave it at 0.
int addedToInitQp(const VAPictureParameterBufferH264& picture) {
    return picture.pic_init_qs_minus26 != 0 ? 6 * picture.bit_depth_luma_minus8 : 0;
}

namespace {

// va.h marks these as deprecated because no driver could ever use them; a client that sets them asks for slice groups.
bool hasSliceGroups(const VAPictureParameterBufferH264& picture) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    return picture.num_slice_groups_minus1 != 0;
#pragma GCC diagnostic pop
}

Result<void> checkPicture(const PictureInput& input, const VAPictureParameterBufferH264& picture) {
    const auto& sequence = picture.seq_fields.bits;
    const uint32_t width = (picture.picture_width_in_mbs_minus1 + 1u) * 16u;
    const uint32_t height = (picture.picture_height_in_mbs_minus1 + 1u) * 16u;
    if (width > 65536 || height > 65536)
        return fail(ErrorKind::InvalidParameter, "H.264: the picture is larger than 65536 pixels");
    if (!sequence.frame_mbs_only_flag && picture.picture_height_in_mbs_minus1 % 2 == 0)
        return fail(ErrorKind::InvalidParameter, "H.264: an odd number of macroblock rows cannot be interlaced");
    if (sequence.chroma_format_idc > 1)
        return fail(ErrorKind::Unsupported, "H.264: only 4:2:0 and monochrome are supported");
    // A.2.5 allows 9 bits as well, which no device has a format for.
    const unsigned extraBits = picture.bit_depth_luma_minus8;
    if (picture.bit_depth_chroma_minus8 != extraBits ||
        (extraBits != 0 && (extraBits != 2 || input.profile != VAProfileH264High10)))
        return fail(ErrorKind::Unsupported, "H.264: the bit depth is not supported in this profile");
    if (hasSliceGroups(picture))
        return fail(ErrorKind::Unsupported, "H.264: slice groups are not supported");
    if (picture.num_ref_frames > V4L2_H264_NUM_DPB_ENTRIES)
        return fail(ErrorKind::InvalidParameter, "H.264: more than 16 reference frames");
    if (sequence.log2_max_frame_num_minus4 > 12 || sequence.log2_max_pic_order_cnt_lsb_minus4 > 12 ||
        sequence.pic_order_cnt_type > 2 || picture.pic_fields.bits.weighted_bipred_idc > 2)
        return fail(ErrorKind::InvalidParameter, "H.264: a parameter set element is out of range");
    // 7.4.2.2
    const auto within = [](int value, int low, int high) { return value >= low && value <= high; };
    const int added = addedToInitQp(picture);
    if (!within(picture.pic_init_qp_minus26 - added, -26 - 6 * static_cast<int>(extraBits), 25) ||
        !within(picture.pic_init_qs_minus26 - added, -26, 25) || !within(picture.chroma_qp_index_offset, -12, 12) ||
        !within(picture.second_chroma_qp_index_offset, -12, 12))
        return fail(ErrorKind::InvalidParameter, "H.264: a quantiser of the picture parameter set is out of range");
    if (input.slices.empty())
        return fail(ErrorKind::InvalidParameter, "H.264: the picture has no slices");
    return {};
}

H264SliceContext sliceContext(const VAPictureParameterBufferH264& picture, const VASliceParameterBufferH264& slice) {
    const auto& sequence = picture.seq_fields.bits;
    const auto& fields = picture.pic_fields.bits;
    // Beyond the range the header is refused where it uses the value; here it only must not wrap.
    const auto count = [](uint8_t minus1) { return static_cast<uint8_t>(std::min<unsigned>(minus1, 31) + 1); };
    return {
        .chromaFormatIdc = static_cast<uint8_t>(sequence.chroma_format_idc),
        // 7.3.2.1.1: present, and not 0, in 4:4:4 only.
        .separateColourPlane = sequence.chroma_format_idc == 3 && sequence.residual_colour_transform_flag,
        .log2MaxFrameNum = static_cast<uint8_t>(sequence.log2_max_frame_num_minus4 + 4),
        .frameMbsOnly = sequence.frame_mbs_only_flag != 0,
        .picOrderCntType = static_cast<uint8_t>(sequence.pic_order_cnt_type),
        .log2MaxPicOrderCntLsb = static_cast<uint8_t>(sequence.log2_max_pic_order_cnt_lsb_minus4 + 4),
        .deltaPicOrderAlwaysZero = sequence.delta_pic_order_always_zero_flag != 0,
        .bottomFieldPicOrderInFramePresent = fields.pic_order_present_flag != 0,
        .weightedPred = fields.weighted_pred_flag != 0,
        .weightedBipredIdc = static_cast<uint8_t>(fields.weighted_bipred_idc),
        .entropyCodingMode = fields.entropy_coding_mode_flag != 0,
        .deblockingFilterControlPresent = fields.deblocking_filter_control_present_flag != 0,
        .redundantPicCntPresent = fields.redundant_pic_cnt_present_flag != 0,
        .numRefIdxDefault = {count(slice.num_ref_idx_l0_active_minus1), count(slice.num_ref_idx_l1_active_minus1)},
    };
}

// Fills in the header.
Result<void> parseHeader(const VAPictureParameterBufferH264& picture, ParsedSlice& slice) {
    if (slice.parameters.slice_data_bit_offset > slice.data.size() * 8)
        return fail(ErrorKind::InvalidParameter, "H.264: slice_data_bit_offset lies beyond the slice data");
    return bitstream::parseH264SliceHeader(slice.data, sliceContext(picture, slice.parameters))
        .map([&](H264SliceHeader&& header) { slice.header = std::move(header); });
}

// 7.4.1.2.4, as far as it can tell apart two pictures that were sent as one.
bool samePicture(const H264SliceHeader& a, const H264SliceHeader& b) {
    return a.idr == b.idr && (a.nalRefIdc == 0) == (b.nalRefIdc == 0) && a.frameNum == b.frameNum &&
           a.fieldPic == b.fieldPic && a.bottomField == b.bottomField && a.picOrderCntLsb == b.picOrderCntLsb;
}

// The slices of one picture, in the order of their first macroblocks. They do not depend on each other's order, which
// is arbitrary in Baseline streams; devices take the next macroblock where the slice before it ends. A slice that came
// twice is one, and one that is no slice of this picture is left out.
Result<void> readSlices(const PictureInput& input, Picture& picture) {
    const VAPictureParameterBufferH264& parameters = picture.parameters;
    const uint32_t sizeInMbs =
        (parameters.picture_width_in_mbs_minus1 + 1u) * (parameters.picture_height_in_mbs_minus1 + 1u);
    std::optional<Error> fault;
    picture.slices.reserve(input.slices.size());
    for (const Slice& slice : input.slices) {
        if (slice.parameters.size() < sizeof(VASliceParameterBufferH264))
            return fail(ErrorKind::InvalidParameter, "H.264: a slice parameter buffer is too short");
        // Parsed where it stays: it is large.
        ParsedSlice& parsed = picture.slices.emplace_back(slice);
        const H264SliceHeader& header = parsed.header;
        auto read = parseHeader(parameters, parsed);
        // 3.126: a decoder does not need redundant coded pictures where it has the primary one.
        const bool redundant = read && header.redundantPicCnt > 0;
        if (read && !redundant && header.firstMbInSlice >= sizeInMbs)
            read = fail(ErrorKind::InvalidParameter, "H.264: a slice begins beyond the picture");
        if (read && !redundant && !samePicture(picture.header(), header))
            read = fail(ErrorKind::InvalidParameter, "H.264: the slices belong to different pictures");
        // VA-API has room for one picture parameter set per picture (7.4.3 allows one per slice). Slices of another one
        // pass where their headers fit the set that was sent, to the bit.
        if (read && !redundant && header.picParameterSetId != picture.header().picParameterSetId &&
            header.bitSize != parsed.parameters.slice_data_bit_offset)
            return fail(ErrorKind::Unsupported, "H.264: slices of one picture use different parameter sets");
        if (!read || redundant)
            picture.slices.pop_back();
        else
            parsed.readLists(slice);
        if (!read) {
            picture.incomplete = true;
            fault = fault.value_or(std::move(read).error());
        }
    }
    if (picture.slices.empty() && fault)
        return tl::unexpected(damagedPicture(std::move(*fault)));
    if (picture.slices.empty())
        return fail(ErrorKind::Unsupported, "H.264: only redundant slices, no primary coded picture");
    const auto firstMb = [](const ParsedSlice& slice) { return slice.header.firstMbInSlice; };
    if (!std::ranges::is_sorted(picture.slices, {}, firstMb))
        std::ranges::stable_sort(picture.slices, {}, firstMb);
    const auto repeated =
        std::unique(picture.slices.begin(), picture.slices.end(),
                    [&](const ParsedSlice& a, const ParsedSlice& b) { return firstMb(a) == firstMb(b); });
    picture.slices.erase(repeated, picture.slices.end());
    picture.incomplete = picture.incomplete || picture.header().firstMbInSlice != 0;
    return {};
}

} // namespace

ParsedSlice::ParsedSlice(const Slice& slice) : data(withoutTrailingZeros(slice.data)) {
    std::memcpy(&parameters, slice.parameters.data(), offsetof(VASliceParameterBufferH264, RefPicList0));
}

void ParsedSlice::readLists(const Slice& slice) {
    const auto read = [&](VAPictureH264* list, size_t offset, size_t count) {
        std::memcpy(list, &slice.parameters[offset], count * sizeof(*list));
    };
    read(parameters.RefPicList0, offsetof(VASliceParameterBufferH264, RefPicList0), header.numRefIdxActive[0]);
    read(parameters.RefPicList1, offsetof(VASliceParameterBufferH264, RefPicList1), header.numRefIdxActive[1]);
}

Result<void> readPicture(const PictureInput& input, Picture& picture) {
    if (input.picture.size() < sizeof(VAPictureParameterBufferH264))
        return fail(ErrorKind::InvalidParameter, "H.264: no picture parameters, or too short ones");
    if (!input.iqMatrix.empty() && input.iqMatrix.size() < sizeof(VAIQMatrixBufferH264))
        return fail(ErrorKind::InvalidParameter, "H.264: the scaling matrix buffer is too short");
    picture.parameters = readParameters<VAPictureParameterBufferH264>(input.picture);
    if (auto checked = checkPicture(input, picture.parameters); !checked)
        return tl::unexpected(checked.error());
    if (auto read = readSlices(input, picture); !read)
        return tl::unexpected(read.error());
    if (picture.header().fieldPic != (picture.parameters.pic_fields.bits.field_pic_flag != 0))
        return fail(ErrorKind::InvalidParameter, "H.264: field_pic_flag differs between picture and slice");
    return {};
}

} // namespace v4l2_request::codec::h264
