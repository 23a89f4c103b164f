// SPDX-License-Identifier: MIT
#include "h264/slice_writer.h"

#include "core/bit_writer.h"

namespace daedalus::h264 {
namespace {

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
