// SPDX-License-Identifier: MIT
#include "h264/own_pictures.h"

#include "core/bit_writer.h"
#include "core/nal.h"
#include "h264/slice_writer.h"

namespace daedalus::h264 {
namespace {

bool isAdaptive(const Sps& sps) {
    return !has(sps, V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY) && has(sps, V4L2_H264_SPS_FLAG_MB_ADAPTIVE_FRAME_FIELD);
}

uint32_t macroblocks(const Sps& sps) {
    const uint32_t fields = has(sps, V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY) ? 1 : 2;
    return (sps.pic_width_in_mbs_minus1 + 1u) * (sps.pic_height_in_map_units_minus1 + 1u) * fields;
}

/// macroblock_layer() of clause 7.3.5, in CAVLC, of an I_16x16 macroblock with DC prediction: without coefficients, or
/// with one of level 1 in each AC block.
void writeMacroblock(BitWriter& writer, const Sps& sps, bool coefficients) {
    constexpr unsigned dcPrediction = 2;
    const bool chroma = chromaArrayType(sps) != 0;
    writer.ue(1 + dcPrediction + (coefficients ? (chroma ? 8 : 0) + 12 : 0)); // mb_type, table 7-11
    if (chroma)
        writer.ue(0); // intra_chroma_pred_mode: DC
    writer.se(0);     // mb_qp_delta
    writer.bit(1);    // coeff_token of Intra16x16DCLevel: no coefficient (table 9-5)
    if (!coefficients)
        return;
    // Table 9-5 for less than two coefficients around: 01 is one, a trailing one. Then its sign, then total_zeros: 1 is
    // 0.
    const auto blocks = [&](unsigned count) {
        for (unsigned i = 0; i < count; ++i)
            writer.bits(0b0101, 4);
    };
    blocks(16);
    if (chroma) {
        writer.bits(0b0101, 4); // no coefficient in both chroma DC blocks
        blocks(8);
    }
}

Result<std::vector<uint8_t>> write(const Sps& sps, SliceHeader header, uint32_t count, bool coefficients) {
    BitWriter data; // slice_data(), clause 7.3.4
    for (uint32_t i = 0; i < count; ++i) {
        if (isAdaptive(sps) && i % 2 == 0)
            data.bit(0); // mb_field_decoding_flag, of a pair
        writeMacroblock(data, sps, coefficients);
    }
    data.trailing();
    Pps pps{};
    pps.seq_parameter_set_id = sps.seq_parameter_set_id;
    header.deblockingIdc = 1;
    const WrittenSlice slice = writeSlice(header, sps, pps, data.bytes(), 0);
    const auto writtenPps = writePps(pps, nullptr, slice.pps);
    if (!writtenPps)
        return tl::unexpected(writtenPps.error());
    std::vector<uint8_t> stream;
    appendNal(stream, *writtenPps);
    appendNal(stream, slice.rbsp);
    return stream;
}

} // namespace

// A macroblock without neighbours is predicted as half of the range (8.3.3.3, 8.3.4), and all others from it.
Result<std::vector<uint8_t>> writeGreyFrame(const Sps& sps, uint32_t idrPicId) {
    SliceHeader header;
    header.nalRefIdc = 1;
    header.idr = true;
    header.idrPicId = idrPicId;
    return write(sps, header, macroblocks(sps), false);
}

Result<std::vector<uint8_t>> writeCleansingFrame(const Sps& sps, uint32_t frameNum, int32_t poc) {
    SliceHeader header;
    header.frameNum = frameNum;
    header.pocLsb = static_cast<uint32_t>(poc) & ((1u << writtenPocBits) - 1);
    return write(sps, header, isAdaptive(sps) ? 2 : 1, true);
}

} // namespace daedalus::h264
