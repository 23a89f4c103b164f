// SPDX-License-Identifier: MIT
// The HEVC builder with everything a client controls: parameters, matrices, slice segments, several pictures of one
// stream.
#include <deque>

#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "fuzz_input.h"

using namespace v4l2_request;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// What holds for every picture that the builder accepts, whatever the client sent.
void check(const codec::PictureInput& input, const codec::Submission& submission) {
    using fuzz::require;
    require(!submission.jobs.empty(), "a submission has a job");
    size_t segments = 0;
    for (const codec::Job& job : submission.jobs) {
        const auto sps = job.controls.get<codec::HevcSps>();
        require(sps.pic_width_in_luma_samples == submission.codedWidth && submission.codedWidth > 0 &&
                    sps.pic_height_in_luma_samples == submission.codedHeight && submission.codedHeight > 0,
                "the picture has a size");
        require(sps.chroma_format_idc == 1 && sps.num_short_term_ref_pic_sets <= 64 &&
                    sps.num_long_term_ref_pics_sps <= 32 && sps.sps_max_dec_pic_buffering_minus1 <= 15,
                "the kernel accepts the SPS");
        const auto pps = job.controls.get<codec::HevcPps>();
        require(pps.num_tile_columns_minus1 < std::size(pps.column_width_minus1) &&
                    pps.num_tile_rows_minus1 < std::size(pps.row_height_minus1),
                "the kernel accepts the PPS");

        const auto params = job.controls.get<codec::HevcDecodeParams>();
        require(params.num_active_dpb_entries <= 15, "the DPB has at most 15 pictures");
        const auto listed = [&](std::span<const uint8_t> list, size_t count) {
            require(count <= params.num_active_dpb_entries, "a set has no more pictures than the DPB");
            for (size_t i = 0; i < list.size(); ++i)
                require(i < count ? list[i] < params.num_active_dpb_entries : list[i] == 0xff, "a set names entries");
        };
        listed(params.poc_st_curr_before, params.num_poc_st_curr_before);
        listed(params.poc_st_curr_after, params.num_poc_st_curr_after);
        listed(params.poc_lt_curr, params.num_poc_lt_curr);

        const size_t count = job.controls.find(codec::HevcSliceParams::id).size() / sizeof(v4l2_ctrl_hevc_slice_params);
        size_t bits = 0;
        size_t entryPoints = 0;
        for (size_t i = 0; i < count; ++i, ++segments) {
            const auto slice = job.controls.get<codec::HevcSliceParams>(i);
            bits += slice.bit_size;
            entryPoints += slice.num_entry_point_offsets;
            require(slice.data_byte_offset * 8 <= slice.bit_size, "the slice header lies in the slice");
            require(slice.num_ref_idx_l0_active_minus1 < 15 && slice.num_ref_idx_l1_active_minus1 < 15,
                    "the kernel accepts the slice");
            const auto entries = [&](std::span<const uint8_t> list, size_t active) {
                for (size_t k = 0; k < list.size(); ++k)
                    require(k < active ? list[k] < params.num_active_dpb_entries : list[k] == 0xff,
                            "a list names entries");
            };
            entries(slice.ref_idx_l0, slice.slice_type < 2 ? slice.num_ref_idx_l0_active_minus1 + 1u : 0);
            entries(slice.ref_idx_l1, slice.slice_type == 0 ? slice.num_ref_idx_l1_active_minus1 + 1u : 0);
        }
        require(bits == job.bitstream.size() * 8, "the slices are the bitstream");
        require(entryPoints * sizeof(uint32_t) == job.controls.find(codec::HevcEntryPointOffsets::id).size(),
                "every entry point is in the array");
    }
    // What is left out is repeated, or damaged.
    require(segments >= 1 && segments <= input.slices.size(), "slice segments of the client are submitted");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input({data, size});
    const auto flags = input.value<uint8_t>();
    codec::DeviceControls device;
    device.set(V4L2_CID_STATELESS_HEVC_DECODE_MODE, {.value = flags & 1});
    device.set(V4L2_CID_STATELESS_HEVC_START_CODE, {.value = flags >> 1 & 1});
    device.set(codec::HevcSliceParams::id, {.elements = 600});
    device.set(codec::HevcEntryPointOffsets::id, {.elements = 256});
    if (flags & 4)
        device.set(codec::HevcScalingMatrix::id, {});
    if (flags & 8) {
        device.set(codec::HevcExtSpsStRps::id, {.elements = 65});
        device.set(codec::HevcExtSpsLtRps::id, {.elements = 65});
    }
    const auto width = input.value<uint16_t>();
    const auto height = input.value<uint16_t>();

    std::any state;
    const fuzz::Surfaces surfaces;
    for (int picture = 0; picture < 6 && !input.empty(); ++picture) {
        std::deque<std::vector<uint8_t>> kept;
        const auto keep = [&](std::vector<uint8_t> bytes) { return codec::Bytes(kept.emplace_back(std::move(bytes))); };
        const auto contents = input.value<uint8_t>(); // of this picture
        const auto parameters = input.value<VAPictureParameterBufferHEVC>();
        codec::PictureInput client{.profile = VAProfileHEVCMain,
                                   .target = parameters.CurrPic.picture_id,
                                   .width = width,
                                   .height = height,
                                   .picture = keep(fuzz::bytesOf(parameters))};
        if (contents & 0x80)
            client.iqMatrix = keep(fuzz::bytesOf(input.value<VAIQMatrixBufferHEVC>()));
        for (int slice = 0; slice < (contents & 3); ++slice) {
            VASliceParameterBufferHEVC sent{};
            sent.slice_data_byte_offset = input.value<uint8_t>();
            sent.slice_segment_address = input.value<uint16_t>();
            sent.LongSliceFlags.fields.dependent_slice_segment_flag = contents >> 6 & slice & 1;
            for (auto& list : sent.RefPicList)
                for (uint8_t& entry : list)
                    entry = input.value<uint8_t>();
            const codec::Bytes bytes = keep(fuzz::bytesOf(sent));
            client.slices.push_back({bytes, keep(input.sized())});
        }
        if (const auto submission = codec::hevcCodec.build(client, surfaces, device, state, state))
            check(client, *submission);
    }
    return 0;
}
