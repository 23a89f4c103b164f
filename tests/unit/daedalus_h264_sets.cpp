// SPDX-License-Identifier: MIT
#include "daedalus_h264_sets.h"

#include "core/bit_reader.h"

namespace daedalus::test {
namespace {

// Tables 7-3 and 7-4, in zig-zag order.
constexpr List4x4 default4x4[2] = {{6, 13, 13, 20, 20, 20, 28, 28, 28, 28, 32, 32, 32, 37, 37, 42},
                                   {10, 14, 14, 20, 20, 20, 24, 24, 24, 24, 27, 27, 27, 30, 30, 34}};
constexpr List8x8 default8x8[2] = {
    {6,  10, 10, 13, 11, 13, 16, 16, 16, 16, 18, 18, 18, 18, 18, 23, 23, 23, 23, 23, 23, 25,
     25, 25, 25, 25, 25, 25, 27, 27, 27, 27, 27, 27, 27, 27, 29, 29, 29, 29, 29, 29, 29, 31,
     31, 31, 31, 31, 31, 33, 33, 33, 33, 33, 36, 36, 36, 36, 38, 38, 38, 40, 40, 42},
    {9,  13, 13, 15, 13, 15, 17, 17, 17, 17, 19, 19, 19, 19, 19, 21, 21, 21, 21, 21, 21, 22,
     22, 22, 22, 22, 22, 22, 24, 24, 24, 24, 24, 24, 24, 24, 25, 25, 25, 25, 25, 25, 25, 27,
     27, 27, 27, 27, 27, 28, 28, 28, 28, 28, 30, 30, 30, 30, 32, 32, 32, 33, 33, 35}};

template <size_t Size>
bool readList(BitReader& reader, std::array<uint8_t, Size>& list) {
    int last = 8, next = 8;
    for (size_t j = 0; j < Size; ++j) {
        if (next != 0) {
            next = (last + reader.se() + 256) % 256;
            if (j == 0 && next == 0)
                return false; // use the default
        }
        list[j] = static_cast<uint8_t>(next == 0 ? last : next);
        last = list[j];
    }
    return true;
}

/// Scaling lists of an SPS or PPS; `fallback` holds what fall-back rule A or B starts from.
Lists readLists(BitReader& reader, size_t count, const Lists& fallback) {
    Lists lists;
    lists.present = true;
    for (size_t i = 0; i < 12; ++i) {
        const bool coded = i < count && reader.flag();
        if (i < 6) {
            if (!coded)
                lists.four[i] = i % 3 == 0 ? fallback.four[i] : lists.four[i - 1];
            else if (!readList(reader, lists.four[i]))
                lists.four[i] = default4x4[i / 3];
        } else {
            const size_t j = i - 6;
            if (!coded)
                lists.eight[j] = j < 2 ? fallback.eight[j] : lists.eight[j - 2];
            else if (!readList(reader, lists.eight[j]))
                lists.eight[j] = default8x8[j % 2];
        }
    }
    return lists;
}

Lists defaultLists() {
    Lists lists;
    for (size_t i = 0; i < 6; ++i) {
        lists.four[i] = default4x4[i / 3];
        lists.eight[i] = default8x8[i % 2];
    }
    return lists;
}

} // namespace

SpsInfo readSps(std::span<const uint8_t> rbsp) {
    SpsInfo info;
    v4l2_ctrl_h264_sps& sps = info.control;
    BitReader r(rbsp);
    r.bits(8);
    sps.profile_idc = static_cast<uint8_t>(r.bits(8));
    for (unsigned i = 0; i < 6; ++i)
        sps.constraint_set_flags = static_cast<uint8_t>(sps.constraint_set_flags | (r.bit() << i));
    r.bits(2);
    sps.level_idc = static_cast<uint8_t>(r.bits(8));
    sps.seq_parameter_set_id = static_cast<uint8_t>(r.ue());
    sps.chroma_format_idc = 1;
    if (V4L2_H264_SPS_HAS_CHROMA_FORMAT(&sps)) {
        sps.chroma_format_idc = static_cast<uint8_t>(r.ue());
        if (sps.chroma_format_idc == 3 && r.flag())
            sps.flags |= V4L2_H264_SPS_FLAG_SEPARATE_COLOUR_PLANE;
        sps.bit_depth_luma_minus8 = static_cast<uint8_t>(r.ue());
        sps.bit_depth_chroma_minus8 = static_cast<uint8_t>(r.ue());
        if (r.flag())
            sps.flags |= V4L2_H264_SPS_FLAG_QPPRIME_Y_ZERO_TRANSFORM_BYPASS;
        if (r.flag())
            info.lists = readLists(r, sps.chroma_format_idc == 3 ? 12 : 8, defaultLists());
    }
    sps.log2_max_frame_num_minus4 = static_cast<uint8_t>(r.ue());
    sps.pic_order_cnt_type = static_cast<uint8_t>(r.ue());
    if (sps.pic_order_cnt_type == 0) {
        sps.log2_max_pic_order_cnt_lsb_minus4 = static_cast<uint8_t>(r.ue());
    } else if (sps.pic_order_cnt_type == 1) {
        if (r.flag())
            sps.flags |= V4L2_H264_SPS_FLAG_DELTA_PIC_ORDER_ALWAYS_ZERO;
        sps.offset_for_non_ref_pic = r.se();
        sps.offset_for_top_to_bottom_field = r.se();
        sps.num_ref_frames_in_pic_order_cnt_cycle = static_cast<uint8_t>(r.ue());
        for (unsigned i = 0; i < sps.num_ref_frames_in_pic_order_cnt_cycle; ++i)
            sps.offset_for_ref_frame[i] = r.se();
    }
    sps.max_num_ref_frames = static_cast<uint8_t>(r.ue());
    if (r.flag())
        sps.flags |= V4L2_H264_SPS_FLAG_GAPS_IN_FRAME_NUM_VALUE_ALLOWED;
    sps.pic_width_in_mbs_minus1 = static_cast<uint16_t>(r.ue());
    sps.pic_height_in_map_units_minus1 = static_cast<uint16_t>(r.ue());
    const bool framesOnly = r.flag();
    if (framesOnly)
        sps.flags |= V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY;
    else if (r.flag())
        sps.flags |= V4L2_H264_SPS_FLAG_MB_ADAPTIVE_FRAME_FIELD;
    if (r.flag())
        sps.flags |= V4L2_H264_SPS_FLAG_DIRECT_8X8_INFERENCE;
    if (r.flag()) {
        const unsigned unitX = sps.chroma_format_idc == 1 || sps.chroma_format_idc == 2 ? 2 : 1;
        const unsigned unitY = (sps.chroma_format_idc == 1 ? 2u : 1u) * (framesOnly ? 1u : 2u);
        info.cropLeft = unitX * r.ue();
        r.ue();
        info.cropTop = unitY * r.ue();
    }
    return info;
}

PpsInfo readPps(std::vector<uint8_t> rbsp) {
    PpsInfo info;
    v4l2_ctrl_h264_pps& pps = info.control;
    BitReader r(rbsp);
    r.bits(8);
    pps.pic_parameter_set_id = static_cast<uint8_t>(r.ue());
    pps.seq_parameter_set_id = static_cast<uint8_t>(r.ue());
    info.rbsp = std::move(rbsp);
    return info;
}

bool completePps(PpsInfo& info, const SpsInfo& sps, Lists& lists) {
    v4l2_ctrl_h264_pps& pps = info.control;
    pps.flags = 0;
    size_t end = info.rbsp.size();
    while (end > 0 && info.rbsp[end - 1] == 0)
        --end;
    size_t stop = end * 8;
    while (stop > 0 && ((info.rbsp[(stop - 1) / 8] >> (7 - (stop - 1) % 8)) & 1) == 0)
        --stop;
    BitReader r(info.rbsp);
    r.bits(8);
    r.ue();
    r.ue();
    const auto flag = [&](uint16_t bit) {
        if (r.flag())
            pps.flags = static_cast<uint16_t>(pps.flags | bit);
    };
    flag(V4L2_H264_PPS_FLAG_ENTROPY_CODING_MODE);
    flag(V4L2_H264_PPS_FLAG_BOTTOM_FIELD_PIC_ORDER_IN_FRAME_PRESENT);
    pps.num_slice_groups_minus1 = static_cast<uint8_t>(r.ue());
    if (pps.num_slice_groups_minus1 > 0)
        return false;
    pps.num_ref_idx_l0_default_active_minus1 = static_cast<uint8_t>(r.ue());
    pps.num_ref_idx_l1_default_active_minus1 = static_cast<uint8_t>(r.ue());
    flag(V4L2_H264_PPS_FLAG_WEIGHTED_PRED);
    pps.weighted_bipred_idc = static_cast<uint8_t>(r.bits(2));
    pps.pic_init_qp_minus26 = static_cast<int8_t>(r.se());
    pps.pic_init_qs_minus26 = static_cast<int8_t>(r.se());
    pps.chroma_qp_index_offset = static_cast<int8_t>(r.se());
    pps.second_chroma_qp_index_offset = pps.chroma_qp_index_offset;
    flag(V4L2_H264_PPS_FLAG_DEBLOCKING_FILTER_CONTROL_PRESENT);
    flag(V4L2_H264_PPS_FLAG_CONSTRAINED_INTRA_PRED);
    flag(V4L2_H264_PPS_FLAG_REDUNDANT_PIC_CNT_PRESENT);
    lists = sps.lists;
    if (r.position() + 1 < stop) {
        flag(V4L2_H264_PPS_FLAG_TRANSFORM_8X8_MODE);
        if (r.flag()) {
            const size_t eights = sps.control.chroma_format_idc == 3 ? 6 : 2;
            const bool transform = (pps.flags & V4L2_H264_PPS_FLAG_TRANSFORM_8X8_MODE) != 0;
            lists = readLists(r, 6 + (transform ? eights : 0), sps.lists.present ? sps.lists : defaultLists());
        }
        pps.second_chroma_qp_index_offset = static_cast<int8_t>(r.se());
    }
    if (lists.present)
        pps.flags |= V4L2_H264_PPS_FLAG_SCALING_MATRIX_PRESENT;
    return true;
}

} // namespace daedalus::test
