// SPDX-License-Identifier: MIT
#include "h264_headers.h"

#include <algorithm>

namespace daedalus::h264 {
namespace {

constexpr uint8_t nalSliceNonIdr = 1;
constexpr uint8_t nalSliceIdr = 5;
constexpr uint8_t nalSps = 7;
constexpr uint8_t nalPps = 8;

// Clause 8.5.6, table 8-2: the zig-zag scan, as raster positions.
constexpr std::array<uint8_t, 16> zigzag4x4 = {0, 1, 4, 8, 5, 2, 3, 6, 9, 12, 13, 10, 7, 11, 14, 15};

constexpr std::array<uint8_t, 64> makeZigzag8x8() {
    std::array<uint8_t, 64> scan{};
    int x = 0, y = 0;
    bool up = true;
    for (uint8_t& position : scan) {
        position = static_cast<uint8_t>(8 * y + x);
        if (up) {
            if (x == 7) {
                ++y;
                up = false;
            } else if (y == 0) {
                ++x;
                up = false;
            } else {
                ++x;
                --y;
            }
        } else {
            if (y == 7) {
                ++x;
                up = true;
            } else if (x == 0) {
                ++y;
                up = true;
            } else {
                --x;
                ++y;
            }
        }
    }
    return scan;
}
constexpr std::array<uint8_t, 64> zigzag8x8 = makeZigzag8x8();
static_assert(zigzag8x8[1] == 1 && zigzag8x8[2] == 8 && zigzag8x8[62] == 62 && zigzag8x8[63] == 63);

bool has(const Sps& sps, uint32_t flag) {
    return (sps.flags & flag) != 0;
}
bool has(const Pps& pps, uint16_t flag) {
    return (pps.flags & flag) != 0;
}

/// pred_weight_table(), clause 7.3.3.2.
Result<WeightTable> parseWeights(BitReader& reader, const SliceHeader& header, bool chroma) {
    WeightTable table;
    table.lumaLog2Denom = reader.ue();
    table.chromaLog2Denom = chroma ? reader.ue() : 0;
    if (table.lumaLog2Denom > 7 || table.chromaLog2Denom > 7)
        return fail(EBADMSG, "slice header: weight denominators 2^%u, 2^%u (at most 2^7)", table.lumaLog2Denom,
                    table.chromaLog2Denom);
    for (unsigned list = 0; list < header.lists(); ++list) {
        for (uint32_t i = 0; i < header.activeRefs[list]; ++i) {
            Weight weight;
            weight.luma = 1 << table.lumaLog2Denom;
            weight.chroma = {1 << table.chromaLog2Denom, 1 << table.chromaLog2Denom};
            if (reader.flag()) {
                weight.luma = reader.se();
                weight.lumaOffset = reader.se();
            }
            if (chroma && reader.flag()) {
                for (size_t j = 0; j < 2; ++j) {
                    weight.chroma[j] = reader.se();
                    weight.chromaOffset[j] = reader.se();
                }
            }
            table.lists[list].push_back(weight);
        }
    }
    return table;
}

void writeWeights(BitWriter& writer, const WeightTable& table, const SliceHeader& header, bool chroma) {
    writer.ue(table.lumaLog2Denom);
    if (chroma)
        writer.ue(table.chromaLog2Denom);
    for (unsigned list = 0; list < header.lists(); ++list) {
        for (const Weight& weight : table.lists[list]) {
            const bool luma = weight.luma != 1 << table.lumaLog2Denom || weight.lumaOffset != 0;
            writer.flag(luma);
            if (luma) {
                writer.se(weight.luma);
                writer.se(weight.lumaOffset);
            }
            if (!chroma)
                continue;
            const int flat = 1 << table.chromaLog2Denom;
            const bool coded = weight.chroma != std::array{flat, flat} || weight.chromaOffset != std::array{0, 0};
            writer.flag(coded);
            for (size_t j = 0; coded && j < 2; ++j) {
                writer.se(weight.chroma[j]);
                writer.se(weight.chromaOffset[j]);
            }
        }
    }
}

/// ref_pic_list_modification(), clause 7.3.3.1.
Result<void> parseModifications(BitReader& reader, SliceHeader& header) {
    for (unsigned list = 0; list < header.lists(); ++list) {
        if (!reader.flag())
            continue;
        while (true) {
            ListModification modification;
            modification.idc = reader.ue();
            if (modification.idc == 3)
                break;
            if (modification.idc > 2)
                return fail(EBADMSG, "slice header: modification_of_pic_nums_idc %u", modification.idc);
            modification.value = reader.ue();
            if (reader.overrun() || header.modifications[list].size() >= header.activeRefs[list])
                return fail(EBADMSG, "slice header: ref_pic_list_modification() has more than %u commands",
                            header.activeRefs[list]);
            header.modifications[list].push_back(modification);
        }
    }
    return {};
}

/// dec_ref_pic_marking(), clause 7.3.3.3.
Result<void> parseMarking(BitReader& reader, SliceHeader& header) {
    if (header.idr) {
        header.noOutputOfPriorPics = reader.flag();
        header.longTermReference = reader.flag();
        return {};
    }
    header.adaptiveMarking = reader.flag();
    while (header.adaptiveMarking) {
        MemoryOperation operation;
        operation.operation = reader.ue();
        if (operation.operation == 0)
            break;
        if (operation.operation > 6 || reader.overrun() || header.operations.size() > 64)
            return fail(EBADMSG, "slice header: memory_management_control_operation %u", operation.operation);
        if (operation.operation == 1 || operation.operation == 3)
            operation.differenceOfPicNumsMinus1 = reader.ue();
        if (operation.operation == 2)
            operation.longTermPicNum = reader.ue();
        if (operation.operation == 3 || operation.operation == 6)
            operation.longTermFrameIdx = reader.ue();
        if (operation.operation == 4)
            operation.maxLongTermFrameIdxPlus1 = reader.ue();
        header.operations.push_back(operation);
    }
    return {};
}

void writeMarking(BitWriter& writer, const SliceHeader& header) {
    if (header.idr) {
        writer.flag(header.noOutputOfPriorPics);
        writer.flag(header.longTermReference);
        return;
    }
    writer.flag(header.adaptiveMarking);
    if (!header.adaptiveMarking)
        return;
    for (const MemoryOperation& operation : header.operations) {
        writer.ue(operation.operation);
        if (operation.operation == 1 || operation.operation == 3)
            writer.ue(operation.differenceOfPicNumsMinus1);
        if (operation.operation == 2)
            writer.ue(operation.longTermPicNum);
        if (operation.operation == 3 || operation.operation == 6)
            writer.ue(operation.longTermFrameIdx);
        if (operation.operation == 4)
            writer.ue(operation.maxLongTermFrameIdxPlus1);
    }
    writer.ue(0);
}

/// scaling_list(), clause 7.3.2.1.1.1, of a list in raster order.
template <size_t Size>
bool writeScalingList(BitWriter& writer, const uint8_t (&raster)[Size], const std::array<uint8_t, Size>& scan) {
    int last = 8;
    for (const uint8_t position : scan) {
        const int value = raster[position];
        if (value == 0)
            return false; // 0 would mean "repeat the last" or "use the default": no list has it as a value.
        int delta = value - last;
        if (delta > 127)
            delta -= 256;
        if (delta < -128)
            delta += 256;
        writer.se(delta);
        last = value;
    }
    return true;
}

} // namespace

unsigned chromaArrayType(const Sps& sps) {
    return has(sps, V4L2_H264_SPS_FLAG_SEPARATE_COLOUR_PLANE) ? 0 : sps.chroma_format_idc;
}

int32_t maxFrameNum(const Sps& sps) {
    return 1 << (sps.log2_max_frame_num_minus4 + 4);
}

Result<ParsedSlice> parseSlice(std::span<const uint8_t> rbsp, const Sps& sps, const Pps& pps) {
    if (sps.log2_max_frame_num_minus4 > 12 || sps.log2_max_pic_order_cnt_lsb_minus4 > 12)
        return fail(EINVAL, "SPS.log2_max_frame_num_minus4 %u, log2_max_pic_order_cnt_lsb_minus4 %u (at most 12)",
                    sps.log2_max_frame_num_minus4, sps.log2_max_pic_order_cnt_lsb_minus4);
    if (sps.pic_order_cnt_type > 2)
        return fail(EINVAL, "SPS.pic_order_cnt_type %u", sps.pic_order_cnt_type);

    BitReader reader(rbsp);
    ParsedSlice parsed;
    SliceHeader& header = parsed.header;
    if (reader.flag())
        return fail(EBADMSG, "forbidden_zero_bit is set");
    header.nalRefIdc = static_cast<uint8_t>(reader.bits(2));
    const uint32_t nalType = reader.bits(5);
    if (nalType != nalSliceNonIdr && nalType != nalSliceIdr)
        return fail(ENOTSUP, "NAL unit type %u is no slice that this decoder knows", nalType);
    header.idr = nalType == nalSliceIdr;

    header.firstMb = reader.ue();
    const uint32_t type = reader.ue();
    if (type > 9)
        return fail(EBADMSG, "slice header: slice_type %u", type);
    header.type = static_cast<SliceType>(type % 5);
    if (header.type == SliceType::SP || header.type == SliceType::SI)
        return fail(ENOTSUP, "slice header: SP and SI slices are not supported");
    header.ppsId = reader.ue();
    if (has(sps, V4L2_H264_SPS_FLAG_SEPARATE_COLOUR_PLANE))
        header.colourPlane = reader.bits(2);
    header.frameNum = reader.bits(sps.log2_max_frame_num_minus4 + 4u);
    if (!has(sps, V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY)) {
        header.fieldPic = reader.flag();
        if (header.fieldPic)
            header.bottomField = reader.flag();
    }
    if (header.idr)
        header.idrPicId = reader.ue();

    const size_t pocBegin = reader.position();
    const bool deltasPresent = has(pps, V4L2_H264_PPS_FLAG_BOTTOM_FIELD_PIC_ORDER_IN_FRAME_PRESENT) && !header.fieldPic;
    if (sps.pic_order_cnt_type == 0) {
        header.pocLsb = reader.bits(sps.log2_max_pic_order_cnt_lsb_minus4 + 4u);
        if (deltasPresent)
            header.deltaPocBottom = reader.se();
    }
    if (sps.pic_order_cnt_type == 1 && !has(sps, V4L2_H264_SPS_FLAG_DELTA_PIC_ORDER_ALWAYS_ZERO)) {
        header.deltaPoc[0] = reader.se();
        if (deltasPresent)
            header.deltaPoc[1] = reader.se();
    }
    parsed.sizes.pocBits = reader.position() - pocBegin;

    if (has(pps, V4L2_H264_PPS_FLAG_REDUNDANT_PIC_CNT_PRESENT))
        header.redundantPicCnt = reader.ue();
    if (header.isB())
        header.directSpatial = reader.flag();
    if (!header.isIntra()) {
        header.activeRefs[0] = pps.num_ref_idx_l0_default_active_minus1 + 1u;
        header.activeRefs[1] = header.isB() ? pps.num_ref_idx_l1_default_active_minus1 + 1u : 0;
        if (reader.flag()) {
            header.activeRefs[0] = reader.ue() + 1;
            if (header.isB())
                header.activeRefs[1] = reader.ue() + 1;
        }
        const uint32_t most = header.fieldPic ? 32 : 16;
        for (unsigned list = 0; list < header.lists(); ++list) {
            if (header.activeRefs[list] == 0 || header.activeRefs[list] > most)
                return fail(EBADMSG, "slice header: num_ref_idx_l%u_active_minus1 %u (at most %u)", list,
                            header.activeRefs[list] - 1, most - 1);
        }
    }
    if (auto done = parseModifications(reader, header); !done)
        return tl::unexpected(done.error());
    if ((has(pps, V4L2_H264_PPS_FLAG_WEIGHTED_PRED) && header.type == SliceType::P) ||
        (pps.weighted_bipred_idc == 1 && header.isB())) {
        auto weights = parseWeights(reader, header, chromaArrayType(sps) != 0);
        if (!weights)
            return tl::unexpected(weights.error());
        header.weights = std::move(*weights);
    }
    if (header.nalRefIdc != 0) {
        const size_t markingBegin = reader.position();
        if (auto done = parseMarking(reader, header); !done)
            return tl::unexpected(done.error());
        parsed.sizes.markingBits = reader.position() - markingBegin;
    }
    if (has(pps, V4L2_H264_PPS_FLAG_ENTROPY_CODING_MODE) && !header.isIntra())
        header.cabacInitIdc = reader.ue();
    header.qpDelta = reader.se();
    if (has(pps, V4L2_H264_PPS_FLAG_DEBLOCKING_FILTER_CONTROL_PRESENT)) {
        header.deblockingIdc = reader.ue();
        if (header.deblockingIdc != 1) {
            header.alphaOffsetDiv2 = reader.se();
            header.betaOffsetDiv2 = reader.se();
        }
    }
    parsed.sizes.headerBits = reader.position();
    if (reader.overrun())
        return fail(EBADMSG, "slice header: lies past the end of the slice (%zu bytes)", rbsp.size());
    if (header.cabacInitIdc > 2 || header.deblockingIdc > 2)
        return fail(EBADMSG, "slice header: cabac_init_idc %u, disable_deblocking_filter_idc %u (at most 2)",
                    header.cabacInitIdc, header.deblockingIdc);
    return parsed;
}

Result<std::vector<uint8_t>> writeSps(const Sps& sps) {
    const bool high = V4L2_H264_SPS_HAS_CHROMA_FORMAT(&sps);
    if (!high && (sps.chroma_format_idc != 1 || sps.bit_depth_luma_minus8 || sps.bit_depth_chroma_minus8))
        return fail(EINVAL, "SPS.chroma_format_idc %u, bit depths %u and %u: profile_idc %u is always 4:2:0 of 8 bits",
                    sps.chroma_format_idc, sps.bit_depth_luma_minus8 + 8, sps.bit_depth_chroma_minus8 + 8,
                    sps.profile_idc);
    if (sps.seq_parameter_set_id > 31)
        return fail(EINVAL, "SPS.seq_parameter_set_id %u (at most 31)", sps.seq_parameter_set_id);

    BitWriter writer;
    writer.bits((3 << 5) | nalSps, 8);
    writer.bits(sps.profile_idc, 8);
    for (unsigned set = 0; set < 6; ++set) // constraint_set0_flag comes first and is bit 0 of the control
        writer.bit(static_cast<uint32_t>(sps.constraint_set_flags >> set));
    writer.bits(0, 2);
    writer.bits(sps.level_idc, 8);
    writer.ue(sps.seq_parameter_set_id);
    if (high) {
        writer.ue(sps.chroma_format_idc);
        if (sps.chroma_format_idc == 3)
            writer.flag(has(sps, V4L2_H264_SPS_FLAG_SEPARATE_COLOUR_PLANE));
        writer.ue(sps.bit_depth_luma_minus8);
        writer.ue(sps.bit_depth_chroma_minus8);
        writer.flag(has(sps, V4L2_H264_SPS_FLAG_QPPRIME_Y_ZERO_TRANSFORM_BYPASS));
        writer.flag(false); // seq_scaling_matrix_present_flag: the control's matrices go into the PPS
    }
    writer.ue(writtenFrameNumBits - 4);
    writer.ue(0); // pic_order_cnt_type
    writer.ue(writtenPocBits - 4);
    writer.ue(writtenMaxRefFrames);
    writer.flag(false); // gaps_in_frame_num_value_allowed_flag
    writer.ue(sps.pic_width_in_mbs_minus1);
    writer.ue(sps.pic_height_in_map_units_minus1);
    const bool framesOnly = has(sps, V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY);
    writer.flag(framesOnly);
    if (!framesOnly)
        writer.flag(has(sps, V4L2_H264_SPS_FLAG_MB_ADAPTIVE_FRAME_FIELD));
    writer.flag(has(sps, V4L2_H264_SPS_FLAG_DIRECT_8X8_INFERENCE));
    writer.flag(false); // frame_cropping_flag: hardware writes whole macroblocks
    writer.flag(false); // vui_parameters_present_flag
    writer.trailing();
    return writer.take();
}

Result<std::vector<uint8_t>> writePps(const Pps& pps, const ScalingMatrix* scaling, PpsForm form) {
    if (pps.num_slice_groups_minus1 != 0)
        return fail(ENOTSUP, "PPS.num_slice_groups_minus1 %u: the controls carry no slice group map",
                    pps.num_slice_groups_minus1);
    if (pps.seq_parameter_set_id > 31)
        return fail(EINVAL, "PPS.seq_parameter_set_id %u (at most 31)", pps.seq_parameter_set_id);
    if (pps.weighted_bipred_idc > 2)
        return fail(EINVAL, "PPS.weighted_bipred_idc %u (at most 2)", pps.weighted_bipred_idc);

    const bool transform8x8 = has(pps, V4L2_H264_PPS_FLAG_TRANSFORM_8X8_MODE);
    BitWriter writer;
    writer.bits((3 << 5) | nalPps, 8);
    writer.ue(form.id);
    writer.ue(pps.seq_parameter_set_id);
    writer.flag(has(pps, V4L2_H264_PPS_FLAG_ENTROPY_CODING_MODE));
    writer.flag(true); // bottom_field_pic_order_in_frame_present_flag
    writer.ue(0);      // num_slice_groups_minus1
    writer.ue(pps.num_ref_idx_l0_default_active_minus1);
    writer.ue(pps.num_ref_idx_l1_default_active_minus1);
    writer.flag(has(pps, V4L2_H264_PPS_FLAG_WEIGHTED_PRED));
    writer.bits(pps.weighted_bipred_idc, 2);
    writer.se(pps.pic_init_qp_minus26);
    writer.se(pps.pic_init_qs_minus26);
    writer.se(pps.chroma_qp_index_offset);
    writer.flag(true); // deblocking_filter_control_present_flag
    writer.flag(has(pps, V4L2_H264_PPS_FLAG_CONSTRAINED_INTRA_PRED));
    writer.flag(form.redundantPicCnt);
    // The rest belongs to the High profiles: left out where it says nothing, so that a Main profile stays one.
    if (transform8x8 || scaling || pps.second_chroma_qp_index_offset != pps.chroma_qp_index_offset) {
        writer.flag(transform8x8);
        writer.flag(scaling != nullptr);
        if (scaling) {
            for (unsigned list = 0; list < 6; ++list) {
                writer.flag(true);
                if (!writeScalingList(writer, scaling->scaling_list_4x4[list], zigzag4x4))
                    return fail(EINVAL, "SCALING_MATRIX.scaling_list_4x4[%u] has a 0", list);
            }
            for (unsigned list = 0; transform8x8 && list < 2; ++list) {
                writer.flag(true);
                if (!writeScalingList(writer, scaling->scaling_list_8x8[list], zigzag8x8))
                    return fail(EINVAL, "SCALING_MATRIX.scaling_list_8x8[%u] has a 0", list);
            }
        }
        writer.se(pps.second_chroma_qp_index_offset);
    }
    writer.trailing();
    return writer.take();
}

namespace {

// pic_parameter_set_id takes 1, 3, 5 or 7 bits; with redundant_pic_cnt (1 bit) 4, 6, 8 or 10: every residue of 8.
constexpr PpsForm ppsForms[] = {{0, false}, {1, false}, {3, false}, {7, false},
                                {2, true},  {4, true},  {8, true},  {15, true}};

BitWriter writeSliceHeader(const SliceHeader& header, const Sps& sps, const Pps& pps, PpsForm form) {
    BitWriter writer;
    writer.bits(static_cast<uint32_t>(header.nalRefIdc << 5) | (header.idr ? nalSliceIdr : nalSliceNonIdr), 8);
    writer.ue(header.firstMb);
    writer.ue(static_cast<uint32_t>(header.type));
    writer.ue(form.id);
    if (has(sps, V4L2_H264_SPS_FLAG_SEPARATE_COLOUR_PLANE))
        writer.bits(header.colourPlane, 2);
    writer.bits(header.frameNum, writtenFrameNumBits);
    if (!has(sps, V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY)) {
        writer.flag(header.fieldPic);
        if (header.fieldPic)
            writer.flag(header.bottomField);
    }
    if (header.idr)
        writer.ue(header.idrPicId);
    writer.bits(header.pocLsb, writtenPocBits);
    if (!header.fieldPic)
        writer.se(header.deltaPocBottom);
    if (form.redundantPicCnt)
        writer.ue(0);
    if (header.isB())
        writer.flag(header.directSpatial);
    if (!header.isIntra()) {
        writer.flag(true); // num_ref_idx_active_override_flag
        for (unsigned list = 0; list < header.lists(); ++list)
            writer.ue(header.activeRefs[list] - 1);
    }
    for (unsigned list = 0; list < header.lists(); ++list) {
        writer.flag(!header.modifications[list].empty());
        if (header.modifications[list].empty())
            continue;
        for (const ListModification& modification : header.modifications[list]) {
            writer.ue(modification.idc);
            writer.ue(modification.value);
        }
        writer.ue(3);
    }
    if (header.weights)
        writeWeights(writer, *header.weights, header, chromaArrayType(sps) != 0);
    if (header.nalRefIdc != 0)
        writeMarking(writer, header);
    if (has(pps, V4L2_H264_PPS_FLAG_ENTROPY_CODING_MODE) && !header.isIntra())
        writer.ue(header.cabacInitIdc);
    writer.se(header.qpDelta);
    writer.ue(header.deblockingIdc);
    if (header.deblockingIdc != 1) {
        writer.se(header.alphaOffsetDiv2);
        writer.se(header.betaOffsetDiv2);
    }
    return writer;
}

} // namespace

WrittenSlice writeSlice(const SliceHeader& header, const Sps& sps, const Pps& pps, std::span<const uint8_t> original,
                        size_t headerBits) {
    const bool cabac = has(pps, V4L2_H264_PPS_FLAG_ENTROPY_CODING_MODE);
    WrittenSlice slice{ppsForms[0], {}};
    BitWriter writer = writeSliceHeader(header, sps, pps, slice.pps);
    for (size_t i = 1; !cabac && writer.size() % 8 != headerBits % 8 && i < std::size(ppsForms); ++i) {
        slice.pps = ppsForms[i];
        writer = writeSliceHeader(header, sps, pps, slice.pps);
    }

    // slice_data(): cabac_zero_words (clause 7.3.2.10) carry nothing and are dropped with the trailing zeros.
    size_t end = original.size();
    while (end > 0 && original[end - 1] == 0)
        --end;
    size_t from = headerBits;
    if (cabac) {
        writer.align(1); // cabac_alignment_one_bit
        from = (from + 7) & ~size_t{7};
        if (from < end * 8)
            writer.append(original, from, end * 8);
    } else if (from < end * 8) {
        // Up to and with the rbsp_stop_one_bit; its alignment zeros are not those of the original.
        size_t stop = end * 8;
        while (((original[(stop - 1) >> 3] >> (7 - ((stop - 1) & 7))) & 1) == 0)
            --stop;
        if (from < stop)
            writer.append(original, from, stop);
        writer.align(0);
    }
    slice.rbsp = writer.take();
    return slice;
}

} // namespace daedalus::h264
