// SPDX-License-Identifier: MIT
// The VP8 builder with everything a client controls: parameters, probabilities, the data and what lies in front of it,
// several frames of one stream.
#include <deque>
#include <numeric>

#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "fuzz_input.h"

using namespace v4l2_request;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// What holds for every frame that the builder accepts, whatever the client sent.
void check(const codec::Submission& submission) {
    using fuzz::require;
    require(submission.jobs.size() == 1, "a frame is one job");
    const codec::Job& job = submission.jobs[0];
    const auto frame = job.controls.get<codec::Vp8FrameControl>();
    const bool key = (frame.flags & V4L2_VP8_FRAME_FLAG_KEY_FRAME) != 0;
    require(frame.width > 0 && frame.height > 0, "the frame has a size");
    require(frame.num_dct_parts == 1 || frame.num_dct_parts == 2 || frame.num_dct_parts == 4 ||
                frame.num_dct_parts == 8,
            "the kernel accepts the number of partitions");
    const uint64_t tokens = std::accumulate(std::begin(frame.dct_part_sizes), std::end(frame.dct_part_sizes),
                                            3ull * (frame.num_dct_parts - 1u));
    require((key ? 10 : 3) + frame.first_part_size + tokens == job.bitstream.size(), "the parts make up the whole");
    require(frame.first_part_header_bits <= 8u * frame.first_part_size, "the header lies in the first partition");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input({data, size});
    const auto width = input.value<uint16_t>();
    const auto height = input.value<uint16_t>();

    std::any state;
    const fuzz::Surfaces surfaces;
    for (int frame = 0; frame < 8 && !input.empty(); ++frame) {
        std::deque<std::vector<uint8_t>> kept;
        const auto keep = [&](std::vector<uint8_t> bytes) { return codec::Bytes(kept.emplace_back(std::move(bytes))); };
        const auto contents = input.value<uint8_t>(); // of this frame
        codec::PictureInput client{.profile = VAProfileVP8Version0_3,
                                   .target = contents >> 4 & 7u,
                                   .width = width,
                                   .height = height,
                                   .picture = keep(fuzz::bytesOf(input.value<VAPictureParameterBufferVP8>()))};
        if (contents & 1)
            client.iqMatrix = keep(fuzz::bytesOf(input.value<VAIQMatrixBufferVP8>()));
        if (!(contents & 2)) // most frames
            client.probability = keep(std::vector<uint8_t>(sizeof(VAProbabilityDataBufferVP8), contents));
        const codec::Bytes parameters = keep(fuzz::bytesOf(input.value<VASliceParameterBufferVP8>()));
        const codec::Bytes before = contents & 4 ? keep(input.sized()) : codec::Bytes();
        client.slices.push_back({.parameters = parameters, .data = keep(input.sized()), .before = before});
        const auto submission = codec::vp8Codec.build(client, surfaces, {}, state, state);
        if (submission)
            check(*submission);
    }
    return 0;
}
