// SPDX-License-Identifier: MIT
#include "h264_grey.h"

#include "bit_writer.h"
#include "h264_slice_writer.h"
#include "nal.h"

namespace daedalus::h264 {
namespace {

/// slice_data() of clause 7.3.4 in CAVLC: every macroblock is I_16x16_2_0_0, without residual. DC prediction of one
/// that has no neighbours is half of the range (8.3.3.3, 8.3.4), and that of all others the same.
std::vector<uint8_t> greyMacroblocks(const Sps& sps) {
    const bool framesOnly = has(sps, V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY);
    const bool adaptive = !framesOnly && has(sps, V4L2_H264_SPS_FLAG_MB_ADAPTIVE_FRAME_FIELD);
    const uint32_t rows = (sps.pic_height_in_map_units_minus1 + 1u) * (framesOnly ? 1 : 2);
    const uint32_t count = (sps.pic_width_in_mbs_minus1 + 1u) * rows;
    BitWriter writer;
    for (uint32_t i = 0; i < count; ++i) {
        if (adaptive && i % 2 == 0)
            writer.bit(0); // mb_field_decoding_flag, of a pair
        writer.ue(3);      // mb_type, table 7-11
        if (chromaArrayType(sps) != 0)
            writer.ue(0); // intra_chroma_pred_mode: DC
        writer.se(0);     // mb_qp_delta
        writer.bit(1);    // coeff_token of Intra16x16DCLevel: no coefficient (table 9-5)
    }
    writer.trailing();
    return writer.take();
}

} // namespace

Result<std::vector<uint8_t>> writeGreyFrame(const Sps& sps, uint32_t idrPicId) {
    Pps pps{};
    pps.seq_parameter_set_id = sps.seq_parameter_set_id;
    SliceHeader header;
    header.nalRefIdc = 1;
    header.idr = true;
    header.idrPicId = idrPicId;
    header.deblockingIdc = 1;
    const WrittenSlice slice = writeSlice(header, sps, pps, greyMacroblocks(sps), 0);
    const auto writtenPps = writePps(pps, nullptr, slice.pps);
    if (!writtenPps)
        return tl::unexpected(writtenPps.error());
    std::vector<uint8_t> stream;
    appendNal(stream, *writtenPps);
    appendNal(stream, slice.rbsp);
    return stream;
}

} // namespace daedalus::h264
