// SPDX-License-Identifier: MIT
// The AV1 builder with everything a client controls: parameters, tiles and what lies in front of them, several frames
// of one stream.
#include <deque>
#include <numeric>

#include "codec/codecs.h"
#include "codec/control_ids.h"
#include "fuzz_input.h"

using namespace v4l2_request;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// Surfaces as the decode layer has them: frames that were accepted have names, and those decoded once more new ones.
class Pictures : public codec::References {
public:
    std::optional<uint64_t> timestamp(VASurfaceID surface) const override {
        return surface < named_.size() && named_[surface] ? std::optional(named_[surface]) : std::nullopt;
    }
    std::optional<uint64_t> latest() const override { return last_ ? std::optional(last_) : std::nullopt; }
    uint64_t name() const override { return next_ * 1000; }

    void accept(VASurfaceID target) {
        last_ = name();
        if (target < named_.size())
            named_[target] = last_;
        ++next_;
    }

private:
    std::array<uint64_t, 16> named_{};
    uint64_t next_ = 1;
    uint64_t last_ = 0;
};

void checkTiles(const codec::Job& job, const v4l2_av1_tile_info& info) {
    using fuzz::require;
    const size_t count =
        job.controls.find(codec::Av1TileGroupEntry::id).size() / sizeof(v4l2_ctrl_av1_tile_group_entry);
    require(info.tile_cols > 0 && info.tile_rows > 0 && count == size_t{info.tile_cols} * info.tile_rows &&
                count <= 128,
            "the tiles are exactly those of the frame");
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; ++i) {
        const auto entry = job.controls.get<codec::Av1TileGroupEntry>(i);
        require(entry.tile_offset == bytes && entry.tile_size > 0 && entry.tile_row == i / info.tile_cols &&
                    entry.tile_col == i % info.tile_cols,
                "the tiles are in order");
        bytes += entry.tile_size;
    }
    require(bytes == job.bitstream.size(), "the payload is the tiles");
    for (size_t i = 0; i < info.tile_cols; ++i)
        require(info.mi_col_starts[i] < info.mi_col_starts[i + 1], "columns have a width");
    for (size_t i = 0; i < info.tile_rows; ++i)
        require(info.mi_row_starts[i] < info.mi_row_starts[i + 1], "rows have a height");
    require(info.context_update_tile_id < count, "context_update_tile_id names a tile");
}

// What holds for every job that the builder makes, whatever the client sent: mostly what the kernel checks.
void checkJob(const codec::Job& job) {
    using fuzz::require;
    const auto frame = job.controls.get<codec::Av1Frame>();
    checkTiles(job, frame.tile_info);
    require(frame.superres_denom >= 8 && frame.superres_denom <= 16 && frame.frame_width_minus_1 < frame.upscaled_width,
            "the kernel accepts the size");
    constexpr std::array limits{255, 63, 63, 63, 63, 7, 0, 0};
    for (const auto& segment : frame.segmentation.feature_data)
        for (size_t i = 0; i < limits.size(); ++i)
            require(segment[i] <= limits[i] && segment[i] >= (i < 5 ? -limits[i] : 0),
                    "the kernel accepts the segments");
    for (const uint8_t level : frame.loop_filter.level)
        require(level <= 63, "the kernel accepts the filter levels");
    for (const int8_t delta : frame.loop_filter.ref_deltas)
        require(delta >= -64 && delta <= 63, "the kernel accepts the filter deltas");
    require(frame.quantization.delta_q_v_ac >= -64 && frame.quantization.delta_q_v_ac <= 63,
            "the kernel accepts the quantiser deltas");
    for (int i = 0; i < 1 << frame.cdef.bits; ++i)
        require(frame.cdef.y_pri_strength[i] <= 15 && frame.cdef.y_sec_strength[i] <= 4, "the kernel accepts CDEF");
    require(frame.loop_restoration.lr_unit_shift <= 2, "the kernel accepts the loop restoration");
    const bool intra = frame.frame_type == V4L2_AV1_KEY_FRAME || frame.frame_type == V4L2_AV1_INTRA_ONLY_FRAME;
    for (const int8_t slot : frame.ref_frame_idx)
        require(slot >= 0 && slot < 8 && (intra || frame.reference_frame_ts[slot] != codec::noTimestamp),
                "references are in slots");
    const auto grain = job.controls.get<codec::Av1FilmGrain>();
    require(grain.num_y_points <= 14 && grain.num_cb_points <= 10 && grain.num_cr_points <= 10,
            "the kernel accepts the film grain");
    for (int i = 1; i < grain.num_y_points; ++i)
        require(grain.point_y_value[i] > grain.point_y_value[i - 1], "the points of the film grain ascend");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    fuzz::Input input({data, size});
    codec::DeviceControls device;
    device.set(codec::Av1TileGroupEntry::id, {.elements = 512});
    device.set(codec::Av1FilmGrain::id, {});
    const auto width = input.value<uint16_t>();
    const auto height = input.value<uint16_t>();

    std::any state;
    Pictures pictures;
    for (int frame = 0; frame < 16 && !input.empty(); ++frame) {
        std::deque<std::vector<uint8_t>> kept;
        const auto keep = [&](std::vector<uint8_t> bytes) { return codec::Bytes(kept.emplace_back(std::move(bytes))); };
        const auto target = static_cast<VASurfaceID>(input.value<uint8_t>() & 15u);
        const auto tiles = input.value<uint8_t>();
        auto parameters = fuzz::bytesOf(VADecPictureParameterBufferAV1{});
        std::ranges::copy(input.bytes(parameters.size()), parameters.begin());
        std::memcpy(parameters.data() + offsetof(VADecPictureParameterBufferAV1, current_frame), &target,
                    sizeof(target));
        codec::PictureInput client{.profile = VAProfileAV1Profile0,
                                   .target = target,
                                   .width = width,
                                   .height = height,
                                   .picture = keep(std::move(parameters))};
        for (unsigned i = 0; i < tiles; ++i) {
            VASliceParameterBufferAV1 slice{};
            slice.tile_row = input.value<uint8_t>();
            slice.tile_column = input.value<uint8_t>();
            const codec::Bytes all = keep(input.sized());
            const auto before = std::min<size_t>(input.value<uint8_t>(), all.size());
            if (before == all.size()) // the va layer lets none through
                break;
            client.slices.push_back(
                {.parameters = keep(fuzz::bytesOf(slice)), .data = all.subspan(before), .before = all.first(before)});
        }
        if (const auto decision = codec::av1Codec.decide(client, pictures, state)) {
            checkJob(decision->job);
            pictures.accept(decision->surface);
        }
        const auto submission = codec::av1Codec.build(client, pictures, device, state, state);
        if (!submission)
            continue;
        fuzz::require(submission->jobs.size() == 1, "a frame is one job");
        checkJob(submission->jobs[0]);
        pictures.accept(target);
    }
    return 0;
}
