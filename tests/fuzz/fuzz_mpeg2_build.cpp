// SPDX-License-Identifier: MIT
// The MPEG-2 builder with everything a client controls: parameters, matrices, slices, several pictures of one stream.
#include <deque>

#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "fuzz_input.h"

using namespace v4l2_request;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// What holds for every picture that the builder accepts, whatever the client sent.
void check(const codec::Submission& submission) {
    using fuzz::require;
    require(submission.jobs.size() == 1, "a picture is one job");
    const codec::Job& job = submission.jobs[0];
    require(job.bitstream.size() >= 4, "a job has a slice");
    const auto sequence = job.controls.get<codec::Mpeg2Sequence>();
    require(sequence.horizontal_size > 0 && sequence.vertical_size > 0, "the picture has a size");
    const auto picture = job.controls.get<codec::Mpeg2Picture>();
    require(picture.picture_coding_type >= 1 && picture.picture_coding_type <= 3 && picture.picture_structure >= 1 &&
                picture.picture_structure <= 3,
            "the kernel accepts the picture");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input({data, size});
    const auto profile = input.value<uint8_t>() & 1 ? VAProfileMPEG2Main : VAProfileMPEG2Simple;
    const auto width = input.value<uint16_t>();
    const auto height = input.value<uint16_t>();

    std::any state;
    const fuzz::Surfaces surfaces;
    for (int picture = 0; picture < 8 && !input.empty(); ++picture) {
        std::deque<std::vector<uint8_t>> kept;
        const auto keep = [&](std::vector<uint8_t> bytes) { return codec::Bytes(kept.emplace_back(std::move(bytes))); };
        const auto contents = input.value<uint8_t>(); // of this picture
        codec::PictureInput client{.profile = profile,
                                   .target = contents >> 4 & 7u,
                                   .width = width,
                                   .height = height,
                                   .picture = keep(fuzz::bytesOf(input.value<VAPictureParameterBufferMPEG2>()))};
        if (contents & 0x80)
            client.iqMatrix = keep(fuzz::bytesOf(input.value<VAIQMatrixBufferMPEG2>()));
        for (int slice = 0; slice < (contents & 3); ++slice) {
            const codec::Bytes bytes = keep(fuzz::bytesOf(input.value<VASliceParameterBufferMPEG2>()));
            client.slices.push_back({bytes, keep(input.sized())});
        }
        const auto submission = codec::mpeg2Codec.build(client, surfaces, {}, state, state);
        if (submission)
            check(*submission);
    }
    return 0;
}
