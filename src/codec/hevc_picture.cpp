// SPDX-License-Identifier: MIT
#ifdef HAVE_UAPI_HEVC

#include "codec/hevc_picture.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <optional>

#include "codec/control_ids.h"
#include "codec/parameters.h"

namespace v4l2_request::codec::hevc {

namespace {

using bitstream::HevcSliceContext;
using bitstream::HevcSliceHeader;
using bitstream::HevcSliceType;

unsigned ctbLog2Size(const VAPictureParameterBufferHEVC& picture) {
    return picture.log2_min_luma_coding_block_size_minus3 + 3u + picture.log2_diff_max_min_luma_coding_block_size;
}

uint32_t inCtbs(const VAPictureParameterBufferHEVC& picture, uint32_t samples) {
    return (samples + (1u << ctbLog2Size(picture)) - 1u) >> ctbLog2Size(picture);
}

// ---- Checks ----

// What the range and screen content extensions add is not in these profiles, nor in the controls.
bool usesExtensions(const PictureInput& input) {
    if (input.picture.size() < sizeof(VAPictureParameterBufferHEVCExtension))
        return false;
    const auto extended = readParameters<VAPictureParameterBufferHEVCExtension>(input.picture);
    return extended.rext.range_extension_pic_fields.value != 0 || extended.rext.log2_sao_offset_scale_luma != 0 ||
           extended.rext.log2_sao_offset_scale_chroma != 0 ||
           extended.rext.log2_max_transform_skip_block_size_minus2 != 0 ||
           extended.scc.screen_content_pic_fields.value != 0;
}

// A.3.2, A.3.3
Result<void> checkFormat(const PictureInput& input, const VAPictureParameterBufferHEVC& picture) {
    const unsigned extraBits = input.profile == VAProfileHEVCMain10 ? 2 : 0;
    if (picture.pic_fields.bits.chroma_format_idc != 1 || picture.pic_fields.bits.separate_colour_plane_flag)
        return fail(ErrorKind::Unsupported, "HEVC: only 4:2:0 is supported");
    // A.3.3 allows 9 bits as well, which no device has a format for.
    if ((picture.bit_depth_luma_minus8 != 0 && picture.bit_depth_luma_minus8 != extraBits) ||
        picture.bit_depth_chroma_minus8 != picture.bit_depth_luma_minus8)
        return fail(ErrorKind::Unsupported, "HEVC: the bit depth is not supported in this profile");
    if (usesExtensions(input))
        return fail(ErrorKind::Unsupported, "HEVC: range and screen content extensions are not supported");
    return {};
}

// 7.4.3.2.1
Result<void> checkSequence(const VAPictureParameterBufferHEVC& picture) {
    const unsigned minCbLog2 = picture.log2_min_luma_coding_block_size_minus3 + 3u;
    const unsigned minTbLog2 = picture.log2_min_transform_block_size_minus2 + 2u;
    const unsigned maxTbLog2 = minTbLog2 + picture.log2_diff_max_min_transform_block_size;
    if (ctbLog2Size(picture) > 6)
        return fail(ErrorKind::InvalidParameter, "HEVC: coding tree blocks are larger than 64x64");
    if (ctbLog2Size(picture) < 4) // A.3.2
        return fail(ErrorKind::Unsupported, "HEVC: coding tree blocks are smaller than 16x16");
    if (minTbLog2 >= minCbLog2 || maxTbLog2 > std::min(ctbLog2Size(picture), 5u))
        return fail(ErrorKind::InvalidParameter, "HEVC: a transform block size is out of range");
    const uint32_t width = picture.pic_width_in_luma_samples;
    const uint32_t height = picture.pic_height_in_luma_samples;
    const uint32_t minCbMask = (1u << minCbLog2) - 1u;
    if (width == 0 || height == 0 || (width & minCbMask) != 0 || (height & minCbMask) != 0)
        return fail(ErrorKind::InvalidParameter, "HEVC: the picture is not a multiple of the smallest coding block");
    if (picture.pic_fields.bits.pcm_enabled_flag) {
        const unsigned minPcmLog2 = picture.log2_min_pcm_luma_coding_block_size_minus3 + 3u;
        const unsigned maxPcmLog2 = minPcmLog2 + picture.log2_diff_max_min_pcm_luma_coding_block_size;
        if (minPcmLog2 < std::min(minCbLog2, 5u) || maxPcmLog2 > std::min(ctbLog2Size(picture), 5u) ||
            picture.pcm_sample_bit_depth_luma_minus1 > picture.bit_depth_luma_minus8 + 7u ||
            picture.pcm_sample_bit_depth_chroma_minus1 > picture.bit_depth_chroma_minus8 + 7u)
            return fail(ErrorKind::InvalidParameter, "HEVC: a PCM parameter is out of range");
    }
    if (picture.log2_max_pic_order_cnt_lsb_minus4 > 12 || picture.sps_max_dec_pic_buffering_minus1 > 15 ||
        picture.num_short_term_ref_pic_sets > 64 ||
        (picture.slice_parsing_fields.bits.long_term_ref_pics_present_flag && picture.num_long_term_ref_pic_sps > 32))
        return fail(ErrorKind::InvalidParameter, "HEVC: a sequence parameter set element is out of range");
    return {};
}

// 7.4.3.3.1
Result<void> checkPictureParameterSet(const VAPictureParameterBufferHEVC& picture) {
    const auto within = [](int value, int low, int high) { return value >= low && value <= high; };
    const int qpBdOffset = 6 * picture.bit_depth_luma_minus8;
    if (!within(picture.init_qp_minus26, -26 - qpBdOffset, 25) || !within(picture.pps_cb_qp_offset, -12, 12) ||
        !within(picture.pps_cr_qp_offset, -12, 12) || !within(picture.pps_beta_offset_div2, -6, 6) ||
        !within(picture.pps_tc_offset_div2, -6, 6))
        return fail(ErrorKind::InvalidParameter, "HEVC: an offset of the picture parameter set is out of range");
    if (picture.num_ref_idx_l0_default_active_minus1 > 14 || picture.num_ref_idx_l1_default_active_minus1 > 14 ||
        picture.num_extra_slice_header_bits > 7 ||
        picture.log2_parallel_merge_level_minus2 + 2u > ctbLog2Size(picture) ||
        (picture.pic_fields.bits.cu_qp_delta_enabled_flag &&
         picture.diff_cu_qp_delta_depth > picture.log2_diff_max_min_luma_coding_block_size))
        return fail(ErrorKind::InvalidParameter, "HEVC: a picture parameter set element is out of range");
    return {};
}

Result<void> checkPicture(const PictureInput& input, const VAPictureParameterBufferHEVC& picture) {
    if (auto checked = checkFormat(input, picture); !checked)
        return checked;
    if (auto checked = checkSequence(picture); !checked)
        return checked;
    if (auto checked = checkPictureParameterSet(picture); !checked)
        return checked;
    // Without a matrix there would be nothing but a guess which of the default, the sequence's and the picture's lists
    // apply (7.4.5).
    if (picture.pic_fields.bits.scaling_list_enabled_flag && input.iqMatrix.size() < sizeof(VAIQMatrixBufferHEVC))
        return fail(ErrorKind::InvalidParameter, "HEVC: scaling lists are enabled, but there are none");
    if (input.slices.empty())
        return fail(ErrorKind::InvalidParameter, "HEVC: the picture has no slices");
    return {};
}

// ---- Tiles ----

// VA-API has room for all sizes but the last of the largest number of tiles, which is what remains of the picture.
Result<void> readTileSizes(unsigned count, std::span<const uint16_t> minus1, uint32_t total,
                           std::pmr::vector<uint16_t>& sizes) {
    uint32_t remaining = total;
    for (unsigned i = 0; i + 1 < count; ++i) {
        const uint32_t size = minus1[i] + 1u;
        if (size >= remaining)
            return fail(ErrorKind::InvalidParameter, "HEVC: the tiles are larger than the picture");
        sizes.push_back(static_cast<uint16_t>(size));
        remaining -= size;
    }
    sizes.push_back(static_cast<uint16_t>(remaining));
    if (*std::ranges::max_element(sizes) > 256)
        return fail(ErrorKind::Unsupported, "HEVC: a tile is larger than the controls can say");
    return {};
}

// 6-3, 6-4
bool isUniform(std::span<const uint16_t> sizes) {
    const uint32_t count = static_cast<uint32_t>(sizes.size());
    const uint32_t total = std::accumulate(sizes.begin(), sizes.end(), 0u);
    for (uint32_t i = 0; i < count; ++i)
        if (sizes[i] != (i + 1) * total / count - i * total / count)
            return false;
    return true;
}

// VA-API does not say whether the tiles are uniform. Where their sizes are those of uniform ones, it is all the same.
Result<void> readTiles(const VAPictureParameterBufferHEVC& picture, Tiles& tiles) {
    if (!picture.pic_fields.bits.tiles_enabled_flag) {
        tiles.columns.push_back(1);
        tiles.rows.push_back(1);
        return {};
    }
    const unsigned columnCount = picture.num_tile_columns_minus1 + 1u;
    const unsigned rowCount = picture.num_tile_rows_minus1 + 1u;
    if (columnCount > std::size(picture.column_width_minus1) + 1 || rowCount > std::size(picture.row_height_minus1) + 1)
        return fail(ErrorKind::InvalidParameter, "HEVC: more tiles than any level has");
    if (auto read = readTileSizes(columnCount, picture.column_width_minus1,
                                  inCtbs(picture, picture.pic_width_in_luma_samples), tiles.columns);
        !read)
        return read;
    if (auto read = readTileSizes(rowCount, picture.row_height_minus1,
                                  inCtbs(picture, picture.pic_height_in_luma_samples), tiles.rows);
        !read)
        return read;
    tiles.uniform = isUniform(tiles.columns) && isUniform(tiles.rows);
    return {};
}

// ---- Slices ----

HevcSliceContext sliceContext(const Picture& picture) {
    const VAPictureParameterBufferHEVC& parameters = picture.parameters;
    const auto& fields = parameters.pic_fields.bits;
    const auto& parsing = parameters.slice_parsing_fields.bits;
    const auto plus1 = [](uint8_t minus1) { return static_cast<uint8_t>(minus1 + 1); };
    return {
        .chromaFormatIdc = static_cast<uint8_t>(fields.chroma_format_idc),
        .separateColourPlane = fields.separate_colour_plane_flag != 0,
        .widthInCtbs = inCtbs(parameters, parameters.pic_width_in_luma_samples),
        .heightInCtbs = inCtbs(parameters, parameters.pic_height_in_luma_samples),
        .log2MaxPicOrderCntLsb = static_cast<uint8_t>(parameters.log2_max_pic_order_cnt_lsb_minus4 + 4),
        .numShortTermRefPicSets = parameters.num_short_term_ref_pic_sets,
        .longTermRefPicsPresent = parsing.long_term_ref_pics_present_flag != 0,
        .numLongTermRefPicsSps = parameters.num_long_term_ref_pic_sps,
        .temporalMvpEnabled = parsing.sps_temporal_mvp_enabled_flag != 0,
        .sampleAdaptiveOffsetEnabled = parsing.sample_adaptive_offset_enabled_flag != 0,
        .dependentSliceSegmentsEnabled = parsing.dependent_slice_segments_enabled_flag != 0,
        .outputFlagPresent = parsing.output_flag_present_flag != 0,
        .numExtraSliceHeaderBits = parameters.num_extra_slice_header_bits,
        .cabacInitPresent = parsing.cabac_init_present_flag != 0,
        .numRefIdxDefault = {plus1(parameters.num_ref_idx_l0_default_active_minus1),
                             plus1(parameters.num_ref_idx_l1_default_active_minus1)},
        .sliceChromaQpOffsetsPresent = parsing.pps_slice_chroma_qp_offsets_present_flag != 0,
        .weightedPred = fields.weighted_pred_flag != 0,
        .weightedBipred = fields.weighted_bipred_flag != 0,
        .tilesEnabled = fields.tiles_enabled_flag != 0,
        .numTileColumns = static_cast<uint8_t>(picture.tiles.columns.size()),
        .numTileRows = static_cast<uint8_t>(picture.tiles.rows.size()),
        .entropyCodingSyncEnabled = fields.entropy_coding_sync_enabled_flag != 0,
        .loopFilterAcrossSlicesEnabled = fields.pps_loop_filter_across_slices_enabled_flag != 0,
        .deblockingFilterOverrideEnabled = parsing.deblocking_filter_override_enabled_flag != 0,
        .deblockingFilterDisabled = parsing.pps_disable_deblocking_filter_flag != 0,
        .betaOffsetDiv2 = parameters.pps_beta_offset_div2,
        .tcOffsetDiv2 = parameters.pps_tc_offset_div2,
        .listsModificationPresent = parsing.lists_modification_present_flag != 0,
        .sliceHeaderExtensionPresent = parsing.slice_segment_header_extension_present_flag != 0,
        .numPicTotalCurr = static_cast<uint8_t>(countReferences(parameters, currentFlags)),
        .shortTermRefPicSetBits = parameters.st_rps_bits,
    };
}

// 7.4.7.1: what is the same in all slice segments of a picture, and 7.4.2.2 for their NAL units.
bool samePicture(const HevcSliceHeader& a, const HevcSliceHeader& b) {
    return a.nalUnitType == b.nalUnitType && a.temporalIdPlus1 == b.temporalIdPlus1 &&
           a.picParameterSetId == b.picParameterSetId && a.picOrderCntLsb == b.picOrderCntLsb;
}

// The header is parsed with what the client says of the parameter sets and of the references. That it ends where the
// client found its end, shows that both are the ones that the slice was coded with. The offset is defined to leave out
// emulation prevention bytes; some count them.
Result<void> checkSlice(const Picture& picture, const ParsedSlice& slice) {
    const HevcSliceHeader& header = slice.header;
    const auto& flags = slice.parameters.LongSliceFlags.fields;
    if (slice.parameters.slice_data_byte_offset != header.byteSize &&
        slice.parameters.slice_data_byte_offset != header.rawByteSize)
        return fail(ErrorKind::InvalidParameter, "HEVC: the slice header does not end at slice_data_byte_offset");
    if (slice.parameters.slice_segment_address != header.segmentAddress ||
        (flags.dependent_slice_segment_flag != 0) != header.dependentSliceSegment)
        return fail(ErrorKind::InvalidParameter, "HEVC: the slice parameters are those of another slice segment");
    const auto poc = static_cast<uint32_t>(picture.parameters.CurrPic.pic_order_cnt);
    const uint32_t maxLsb = 1u << (picture.parameters.log2_max_pic_order_cnt_lsb_minus4 + 4);
    if ((poc & (maxLsb - 1)) != header.picOrderCntLsb) // 8-2
        return fail(ErrorKind::InvalidParameter, "HEVC: the picture order count is not that of the slices");
    if (!samePicture(picture.header(), header))
        return fail(ErrorKind::InvalidParameter, "HEVC: the slices belong to different pictures");
    return {};
}

// Fills in the header.
Result<void> parseHeader(const Picture& picture, const HevcSliceContext& context, const HevcSliceHeader* independent,
                         ParsedSlice& slice) {
    auto header =
        bitstream::parseHevcSliceHeader(slice.data, context, independent, picture.slices.get_allocator().resource());
    if (!header)
        return tl::unexpected(std::move(header).error());
    slice.header = std::move(*header);
    return checkSlice(picture, slice);
}

// The slice segments of one picture, by their addresses: the order in which they are decoded (7.4.2.4.5), however they
// arrived. A segment that came twice is one. One that is no segment of this picture is left out, and those that depend
// on it.
Result<void> readSlices(const PictureInput& input, Picture& picture) {
    std::pmr::vector<Slice> slices(input.slices.begin(), input.slices.end(), input.memory);
    for (const Slice& slice : slices)
        if (slice.parameters.size() < sizeof(VASliceParameterBufferHEVC))
            return fail(ErrorKind::InvalidParameter, "HEVC: a slice parameter buffer is too short");
    const auto sent = [](const Slice& slice) { return readParameters<VASliceParameterBufferHEVC>(slice.parameters); };
    const auto address = [&](const Slice& slice) { return sent(slice).slice_segment_address; };
    if (!std::ranges::is_sorted(slices, {}, address))
        std::ranges::stable_sort(slices, {}, address);

    const HevcSliceContext context = sliceContext(picture);
    std::optional<Error> fault;
    const HevcSliceHeader* independent = nullptr;
    picture.slices.reserve(slices.size()); // headers stay where they are
    for (const Slice& slice : slices) {
        if (!picture.slices.empty() && picture.slices.back().header.segmentAddress == sent(slice).slice_segment_address)
            continue;
        // Parsed where it stays: it is large.
        ParsedSlice& parsed = picture.slices.emplace_back(slice, input.memory);
        const auto read = parseHeader(picture, context, independent, parsed);
        if (!parsed.parameters.LongSliceFlags.fields.dependent_slice_segment_flag)
            independent = read ? &parsed.header : nullptr;
        if (!read) {
            fault = fault.value_or(read.error());
            picture.slices.pop_back();
        }
    }
    if (picture.slices.empty())
        return fault ? tl::unexpected(damagedPicture(std::move(*fault)))
                     : fail(ErrorKind::InvalidParameter, "HEVC: the picture has no slices");
    picture.incomplete = fault.has_value() || picture.header().segmentAddress != 0;
    return {};
}

} // namespace

bool isInvalid(const VAPictureHEVC& picture) {
    return picture.picture_id == VA_INVALID_SURFACE || (picture.flags & VA_PICTURE_HEVC_INVALID);
}

size_t countReferences(const VAPictureParameterBufferHEVC& picture, uint32_t flags) {
    return static_cast<size_t>(std::ranges::count_if(picture.ReferenceFrames, [flags](const VAPictureHEVC& reference) {
        return !isInvalid(reference) && (reference.flags & flags) != 0;
    }));
}

bool Picture::intra() const {
    return std::ranges::all_of(slices, [](const ParsedSlice& slice) { return slice.header.type == HevcSliceType::I; });
}

uint8_t picStruct(const VAPictureHEVC& picture) {
    if (!(picture.flags & VA_PICTURE_HEVC_FIELD_PIC))
        return V4L2_HEVC_SEI_PIC_STRUCT_FRAME;
    return picture.flags & VA_PICTURE_HEVC_BOTTOM_FIELD ? V4L2_HEVC_SEI_PIC_STRUCT_BOTTOM_FIELD
                                                        : V4L2_HEVC_SEI_PIC_STRUCT_TOP_FIELD;
}

ParsedSlice::ParsedSlice(const Slice& slice, std::pmr::memory_resource* memory)
    : parameters(readParameters<VASliceParameterBufferHEVC>(slice.parameters)), header(memory),
      data(withoutTrailingZeros(slice.data)) {}

Result<void> readPicture(const PictureInput& input, Picture& picture) {
    if (input.picture.size() < sizeof(VAPictureParameterBufferHEVC))
        return fail(ErrorKind::InvalidParameter, "HEVC: no picture parameters, or too short ones");
    picture.parameters = readParameters<VAPictureParameterBufferHEVC>(input.picture);
    if (auto checked = checkPicture(input, picture.parameters); !checked)
        return tl::unexpected(checked.error());
    if (auto read = readTiles(picture.parameters, picture.tiles); !read)
        return tl::unexpected(read.error());
    return readSlices(input, picture);
}

} // namespace v4l2_request::codec::hevc

#endif // HAVE_UAPI_HEVC
