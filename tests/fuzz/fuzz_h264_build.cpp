// SPDX-License-Identifier: MIT
// The H.264 builder with everything a client controls: parameters, matrices, slices, several pictures of one stream.
#include <deque>

#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "fuzz_input.h"

using namespace v4l2_request;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// What holds for every picture that the builder accepts, whatever the client sent.
void check(const codec::Submission& submission, bool sliceBased) {
    using fuzz::require;
    require(!submission.jobs.empty(), "a submission has a job");
    for (const codec::Job& job : submission.jobs) {
        require(job.bitstream.size() > 0, "a job has a bitstream");
        const auto sps = job.controls.get<codec::H264Sps>();
        require((sps.pic_width_in_mbs_minus1 + 1u) * 16 == submission.codedWidth, "the picture has a size");
        require(sps.chroma_format_idc <= 1 && sps.max_num_ref_frames <= 16 && sps.pic_order_cnt_type <= 2 &&
                    sps.log2_max_frame_num_minus4 <= 12 && sps.log2_max_pic_order_cnt_lsb_minus4 <= 12,
                "the kernel accepts the SPS");
        const auto pps = job.controls.get<codec::H264Pps>();
        require(pps.num_ref_idx_l0_default_active_minus1 < 32 && pps.num_ref_idx_l1_default_active_minus1 < 32 &&
                    pps.weighted_bipred_idc <= 2,
                "the kernel accepts the PPS");
        const auto params = job.controls.get<codec::H264DecodeParams>();
        require(params.nal_ref_idc <= 3, "the kernel accepts the decode parameters");
        for (const v4l2_h264_dpb_entry& entry : params.dpb) {
            const bool listed = entry.flags & V4L2_H264_DPB_ENTRY_FLAG_VALID;
            require(listed == (entry.fields >= 1 && entry.fields <= 3), "an entry has fields");
            require(!listed || entry.reference_ts != codec::noTimestamp, "an entry names a picture");
        }
        if (!sliceBased)
            continue;
        const auto slice = job.controls.get<codec::H264SliceParams>();
        require(slice.slice_type <= 2 && slice.colour_plane_id <= 2 && slice.cabac_init_idc <= 2 &&
                    slice.disable_deblocking_filter_idc <= 2 && slice.num_ref_idx_l0_active_minus1 < 32 &&
                    slice.num_ref_idx_l1_active_minus1 < 32,
                "the kernel accepts the slice");
        require(slice.header_bit_size <= job.bitstream.size() * 8, "the slice header lies in the slice");
        for (const auto& list : {std::span(slice.ref_pic_list0), std::span(slice.ref_pic_list1)})
            for (const v4l2_h264_reference& reference : list)
                require(reference.index == 0xff || (reference.index < 16 && (params.dpb[reference.index].flags &
                                                                             V4L2_H264_DPB_ENTRY_FLAG_VALID)),
                        "a list names an entry");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input({data, size});
    const auto flags = input.value<uint8_t>();
    const bool sliceBased = flags & 1;
    codec::DeviceControls device;
    device.set(V4L2_CID_STATELESS_H264_DECODE_MODE, {.value = !sliceBased});
    device.set(V4L2_CID_STATELESS_H264_START_CODE, {.value = flags >> 1 & 1});
    device.set(codec::H264SliceParams::id, {});
    device.set(codec::H264PredWeights::id, {});
    if (flags & 4)
        device.set(codec::H264ScalingMatrix::id, {});
    constexpr VAProfile profiles[]{VAProfileH264ConstrainedBaseline, VAProfileH264Main, VAProfileH264High,
                                   VAProfileH264High};
    const auto width = input.value<uint16_t>();
    const auto height = input.value<uint16_t>();

    std::any state;
    const fuzz::Surfaces surfaces;
    for (int picture = 0; picture < 6 && !input.empty(); ++picture) {
        std::deque<std::vector<uint8_t>> kept;
        const auto keep = [&](std::vector<uint8_t> bytes) { return codec::Bytes(kept.emplace_back(std::move(bytes))); };
        const auto contents = input.value<uint8_t>(); // of this picture
        const auto parameters = input.value<VAPictureParameterBufferH264>();
        codec::PictureInput client{.profile = profiles[flags >> 3 & 3],
                                   .target = parameters.CurrPic.picture_id,
                                   .width = width,
                                   .height = height,
                                   .picture = keep(fuzz::bytesOf(parameters))};
        if (contents & 0x80)
            client.iqMatrix = keep(fuzz::bytesOf(input.value<VAIQMatrixBufferH264>()));
        for (int slice = 0; slice < (contents & 3); ++slice) {
            VASliceParameterBufferH264 sliceParameters{};
            const auto head = input.bytes(offsetof(VASliceParameterBufferH264, RefPicList0));
            if (!head.empty())
                std::memcpy(&sliceParameters, head.data(), head.size());
            for (size_t i = 0; i < 32; ++i) {
                sliceParameters.RefPicList0[i] = parameters.ReferenceFrames[(i + contents) % 16];
                sliceParameters.RefPicList1[i] = parameters.ReferenceFrames[(i * 3 + contents) % 16];
            }
            const codec::Bytes bytes = keep(fuzz::bytesOf(sliceParameters));
            client.slices.push_back({bytes, keep(input.sized())});
        }
        const auto submission = codec::h264Codec.build(client, surfaces, device, state, state);
        if (submission)
            check(*submission, sliceBased);
    }
    return 0;
}
