// SPDX-License-Identifier: MIT
#include "h264/slice_reader.h"

#include "core/bit_reader.h"

namespace daedalus::h264 {
namespace {

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

} // namespace

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

} // namespace daedalus::h264
