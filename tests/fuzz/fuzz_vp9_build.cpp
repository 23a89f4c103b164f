// SPDX-License-Identifier: MIT
// The VP9 builder with everything a client controls: parameters and data, several frames of one stream.
#include <deque>

#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "fuzz_input.h"

using namespace v4l2_request;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#ifdef HAVE_UAPI_VP9
namespace {

bool between(int value, int limit) {
    return value >= -limit && value <= limit;
}

// What holds for every frame that the builder accepts, whatever the client sent: mostly what the kernel checks.
void check(const codec::Submission& submission, VAProfile profile) {
    using fuzz::require;
    require(submission.jobs.size() == 1, "a frame is one job");
    const codec::Job& job = submission.jobs[0];
    const auto frame = job.controls.get<codec::Vp9FrameControl>();
    const bool deep = profile == VAProfileVP9Profile2;
    require(frame.profile == (deep ? 2 : 0) && frame.bit_depth == (deep ? 10 : 8), "the profile is the client's");
    require(frame.compressed_header_size > 0 &&
                size_t{frame.compressed_header_size} + frame.uncompressed_header_size <= job.bitstream.size(),
            "the headers lie in the frame");
    require(frame.reset_frame_context <= V4L2_VP9_RESET_FRAME_CTX_ALL && frame.frame_context_idx < 4 &&
                frame.interpolation_filter <= V4L2_VP9_INTERP_FILTER_SWITCHABLE && frame.tile_cols_log2 <= 6 &&
                frame.reference_mode <= V4L2_VP9_REFERENCE_MODE_SELECT,
            "the kernel accepts the modes");
    require(!(frame.flags & V4L2_VP9_FRAME_FLAG_ERROR_RESILIENT) ||
                !(frame.flags & V4L2_VP9_FRAME_FLAG_REFRESH_FRAME_CTX),
            "an error resilient frame refreshes no context");
    for (const int8_t delta : frame.lf.ref_deltas)
        require(between(delta, 63), "the kernel accepts the filter deltas");
    require(between(frame.quant.delta_q_y_dc, 15) && between(frame.quant.delta_q_uv_ac, 15),
            "the kernel accepts the quantiser deltas");
    for (const auto& segment : frame.seg.feature_data)
        require(between(segment[0], 255) && between(segment[1], 63) && between(segment[2], 3) && segment[3] == 0,
                "the kernel accepts the segment features");
    require(job.controls.get<codec::Vp9CompressedHdrControl>().tx_mode <= V4L2_VP9_TX_MODE_SELECT,
            "the kernel accepts the transform mode");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input({data, size});
    std::any state;
    const fuzz::Surfaces surfaces;
    const VAProfile profile = size % 2 ? VAProfileVP9Profile2 : VAProfileVP9Profile0;
    codec::DeviceControls device;
    device.set(codec::Vp9CompressedHdrControl::id, {});
    for (int frame = 0; frame < 8 && !input.empty(); ++frame) {
        VADecPictureParameterBufferVP9 picture{};
        picture.frame_width = input.value<uint16_t>();
        picture.frame_height = input.value<uint16_t>();
        for (VASurfaceID& surface : picture.reference_frames)
            surface = input.value<uint8_t>();
        const auto parameters = fuzz::bytesOf(picture);
        const auto slice = fuzz::bytesOf(VASliceParameterBufferVP9{});
        const auto bytes = input.sized();
        const codec::PictureInput client{
            .profile = profile, .target = 1, .picture = parameters, .slices = {{.parameters = slice, .data = bytes}}};
        const auto submission = codec::vp9Codec.build(client, surfaces, device, state, state);
        if (submission)
            check(*submission, profile);
    }
    return 0;
}
#else
extern "C" int LLVMFuzzerTestOneInput(const uint8_t*, size_t) {
    return 0;
}
#endif
