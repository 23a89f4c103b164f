// SPDX-License-Identifier: MIT
//
// Test only: submits a walked stream to a dispatcher, job by job, with a small pool of CAPTURE buffers.
#pragma once

#include <algorithm>
#include <functional>

#include "daedalus_bench.h"
#include "daedalus_h264_stream.h"
#include "h264/lists.h"

namespace daedalus::test {

enum class Mode { FrameBased, SliceBased };

struct H264Client {
    explicit H264Client(Mode decodeMode) : mode(decodeMode), dispatcher(buffers) {}

    Mode mode;
    MemoryBuffers buffers;
    Dispatcher dispatcher;
    std::map<size_t, uint64_t> cookieOfFrame;
    std::map<uint64_t, size_t> frameInCookie;
    /// Changes a job before it is submitted.
    std::function<void(const StreamPicture&, Job&)> tamper;

    static constexpr uint64_t outputCookie = 1, firstCapture = 100, captures = 20;

    static daedalus_format formatOf(const v4l2_ctrl_h264_sps& sps) {
        daedalus_format format{};
        format.fourcc = V4L2_PIX_FMT_NV12;
        format.width = (sps.pic_width_in_mbs_minus1 + 1u) * 16;
        format.height =
            (sps.pic_height_in_map_units_minus1 + 1u) * 16 * ((sps.flags & V4L2_H264_SPS_FLAG_FRAME_MBS_ONLY) ? 1 : 2);
        format.bytesperline = format.width + 64; // not the width, so that a mix-up shows
        format.sizeimage = format.bytesperline * format.height * 3 / 2;
        return format;
    }

    uint64_t chooseCapture(const StreamPicture& picture) {
        if (const auto found = cookieOfFrame.find(picture.frame); found != cookieOfFrame.end())
            return found->second;
        for (uint64_t cookie = firstCapture;; ++cookie) {
            const auto inUse = frameInCookie.find(cookie);
            const bool referenced = inUse != frameInCookie.end() &&
                                    std::find(picture.references.begin(), picture.references.end(), inUse->second) !=
                                        picture.references.end();
            if (referenced)
                continue;
            if (inUse != frameInCookie.end())
                cookieOfFrame.erase(inUse->second);
            frameInCookie[cookie] = picture.frame;
            cookieOfFrame[picture.frame] = cookie;
            return cookie;
        }
    }

    Job makeJob(const StreamPicture& picture, uint64_t capture) {
        Job job;
        job.header.instance = 1;
        job.header.timestamp = timestampOf(picture.frame);
        job.header.codec = V4L2_PIX_FMT_H264_SLICE;
        job.header.format = formatOf(picture.sps);
        job.header.capture = {capture, job.header.format.sizeimage, 0};
        for (const auto& [cookie, frame] : frameInCookie) {
            if (cookie != capture)
                job.frames.push_back({timestampOf(frame), cookie, static_cast<uint32_t>(cookie - firstCapture), 0});
        }
        job.controls.push_back(makeControl(V4L2_CID_STATELESS_H264_SPS, picture.sps));
        job.controls.push_back(makeControl(V4L2_CID_STATELESS_H264_PPS, picture.pps));
        job.controls.push_back(makeControl(V4L2_CID_STATELESS_H264_SCALING_MATRIX, picture.scaling));
        job.controls.push_back(makeControl(V4L2_CID_STATELESS_H264_DECODE_PARAMS, picture.params));
        const int32_t decodeMode = mode == Mode::SliceBased ? V4L2_STATELESS_H264_DECODE_MODE_SLICE_BASED
                                                            : V4L2_STATELESS_H264_DECODE_MODE_FRAME_BASED;
        const int32_t startCode =
            mode == Mode::SliceBased ? V4L2_STATELESS_H264_START_CODE_NONE : V4L2_STATELESS_H264_START_CODE_ANNEX_B;
        job.controls.push_back(makeControl(V4L2_CID_STATELESS_H264_DECODE_MODE, decodeMode));
        job.controls.push_back(makeControl(V4L2_CID_STATELESS_H264_START_CODE, startCode));
        return job;
    }

    static void addSliceControls(const StreamPicture& picture, const StreamSlice& slice, Job& job) {
        const h264::SliceHeader& header = slice.parsed.header;
        v4l2_ctrl_h264_slice_params params{};
        params.header_bit_size = static_cast<uint32_t>(slice.parsed.sizes.headerBits);
        params.first_mb_in_slice = header.firstMb;
        params.slice_type = static_cast<uint8_t>(header.type);
        params.colour_plane_id = static_cast<uint8_t>(header.colourPlane);
        params.redundant_pic_cnt = static_cast<uint8_t>(header.redundantPicCnt);
        params.cabac_init_idc = static_cast<uint8_t>(header.cabacInitIdc);
        params.slice_qp_delta = static_cast<int8_t>(header.qpDelta);
        params.disable_deblocking_filter_idc = static_cast<uint8_t>(header.deblockingIdc);
        params.slice_alpha_c0_offset_div2 = static_cast<int8_t>(header.alphaOffsetDiv2);
        params.slice_beta_offset_div2 = static_cast<int8_t>(header.betaOffsetDiv2);
        params.num_ref_idx_l0_active_minus1 = static_cast<uint8_t>(header.activeRefs[0] ? header.activeRefs[0] - 1 : 0);
        params.num_ref_idx_l1_active_minus1 = static_cast<uint8_t>(header.activeRefs[1] ? header.activeRefs[1] - 1 : 0);
        params.flags = header.directSpatial ? V4L2_H264_SLICE_FLAG_DIRECT_SPATIAL_MV_PRED : 0u;

        std::vector<h264::DpbPicture> dpb;
        for (unsigned i = 0; i < V4L2_H264_NUM_DPB_ENTRIES; ++i) {
            const v4l2_h264_dpb_entry& entry = picture.params.dpb[i];
            if (!(entry.flags & V4L2_H264_DPB_ENTRY_FLAG_ACTIVE))
                continue;
            h264::DpbPicture reference;
            reference.entry = i;
            reference.fields = entry.fields;
            reference.longTerm = (entry.flags & V4L2_H264_DPB_ENTRY_FLAG_LONG_TERM) != 0;
            reference.frameNumWrap = static_cast<int32_t>(entry.pic_num);
            reference.longTermFrameIdx = entry.frame_num;
            reference.poc[0] = entry.top_field_order_cnt;
            reference.poc[1] = entry.bottom_field_order_cnt;
            dpb.push_back(reference);
        }
        h264::CurrentPicture current;
        current.structure = !header.fieldPic ? 3 : header.bottomField ? 2 : 1;
        current.frameNum = static_cast<int32_t>(header.frameNum);
        current.maxFrameNum = h264::maxFrameNum(picture.sps);
        current.pocTypeZero = picture.sps.pic_order_cnt_type == 0;
        const auto& p = picture.params;
        current.poc = current.structure == 3   ? std::min(p.top_field_order_cnt, p.bottom_field_order_cnt)
                      : current.structure == 1 ? p.top_field_order_cnt
                                               : p.bottom_field_order_cnt;
        auto lists = h264::initialLists(dpb, current, header.isB());
        for (unsigned list = 0; list < 2; ++list) {
            auto& out = list == 0 ? params.ref_pic_list0 : params.ref_pic_list1;
            std::fill(std::begin(out), std::end(out), v4l2_h264_reference{0xff, 0xff});
            if (list >= header.lists())
                continue;
            auto modified =
                h264::modifiedList(lists[list], header.activeRefs[list], header.modifications[list], dpb, current);
            if (!modified)
                continue;
            for (size_t i = 0; i < modified->size(); ++i) {
                const h264::ListEntry& entry = (*modified)[i];
                if (entry.picture >= 0)
                    out[i] = {entry.fields, static_cast<uint8_t>(dpb[static_cast<size_t>(entry.picture)].entry)};
            }
        }
        job.controls.push_back(makeControl(V4L2_CID_STATELESS_H264_SLICE_PARAMS, params));

        v4l2_ctrl_h264_pred_weights weights{};
        if (header.weights) {
            weights.luma_log2_weight_denom = static_cast<uint16_t>(header.weights->lumaLog2Denom);
            weights.chroma_log2_weight_denom = static_cast<uint16_t>(header.weights->chromaLog2Denom);
            for (unsigned list = 0; list < 2; ++list) {
                for (size_t i = 0; i < header.weights->lists[list].size(); ++i) {
                    const h264::Weight& weight = header.weights->lists[list][i];
                    auto& factors = weights.weight_factors[list];
                    factors.luma_weight[i] = static_cast<int16_t>(weight.luma);
                    factors.luma_offset[i] = static_cast<int16_t>(weight.lumaOffset);
                    for (size_t j = 0; j < 2; ++j) {
                        factors.chroma_weight[i][j] = static_cast<int16_t>(weight.chroma[j]);
                        factors.chroma_offset[i][j] = static_cast<int16_t>(weight.chromaOffset[j]);
                    }
                }
            }
        }
        job.controls.push_back(makeControl(V4L2_CID_STATELESS_H264_PRED_WEIGHTS, weights));
    }

    Result<void> submit(const StreamPicture& picture, Job job, std::span<const uint8_t> payload) {
        if (tamper)
            tamper(picture, job);
        buffers.memory[outputCookie].assign(payload.begin(), payload.end());
        job.header.output = {outputCookie, static_cast<uint32_t>(payload.size()), 0};
        return dispatcher.run(job);
    }

    /// Decodes one picture; `more`: the other field of its frame follows.
    Result<void> decode(const StreamPicture& picture, bool more) {
        const uint64_t capture = chooseCapture(picture);
        if (!picture.secondField)
            buffers.memory[capture].assign(formatOf(picture.sps).sizeimage, 0x11);
        const Job job = makeJob(picture, capture);
        if (mode == Mode::FrameBased) {
            std::vector<uint8_t> payload;
            for (const StreamSlice& slice : picture.slices) {
                payload.insert(payload.end(), {0, 0, 1});
                payload.insert(payload.end(), slice.nal.begin(), slice.nal.end());
            }
            Job whole = job;
            whole.header.flags =
                (more ? DAEDALUS_JOB_HOLD_CAPTURE : 0) | (picture.secondField ? DAEDALUS_JOB_CONTINUES : 0);
            return submit(picture, std::move(whole), payload);
        }
        for (size_t i = 0; i < picture.slices.size(); ++i) {
            Job single = job;
            const bool last = i + 1 == picture.slices.size() && !more;
            single.header.flags =
                (last ? 0 : DAEDALUS_JOB_HOLD_CAPTURE) | (i > 0 || picture.secondField ? DAEDALUS_JOB_CONTINUES : 0);
            addSliceControls(picture, picture.slices[i], single);
            if (auto done = submit(picture, std::move(single), picture.slices[i].nal); !done)
                return done;
        }
        return {};
    }

    std::span<const uint8_t> pixels(size_t frame) { return buffers.memory[cookieOfFrame[frame]]; }
};

} // namespace daedalus::test
