// SPDX-License-Identifier: MIT
//
// VP8 and VP9 in the daemon: no byte of a control that means something can be wrong without an error that names its
// field, and a reference has to be the picture that the stream means.
#include <cstddef>
#include <cstring>

#include <gtest/gtest.h>

#include "core/decoder.h"
#include "daedalus_bench.h"
#include "ivf.h"
#include "vp8/header.h"
#include "vp9/compressed_header.h"
#include "vp9/header.h"

namespace daedalus::test {
namespace {

class Sink final : public PictureSink {
public:
    Result<void> store(const AVFrame&, const daedalus_format&, const daedalus_buffer&) override { return {}; }
};

Job makeJob(uint64_t timestamp, const std::vector<daedalus_frame>& frames, std::vector<Control> controls) {
    Job job;
    job.header.timestamp = timestamp;
    job.header.capture.cookie = timestamp;
    job.frames = frames;
    job.header.frame_count = static_cast<uint32_t>(frames.size());
    job.controls = std::move(controls);
    return job;
}

/// The bytes of a control at which a wrong value goes unseen.
template <typename T, typename Check>
std::vector<size_t> unseen(const T& good, Check check) {
    std::vector<size_t> offsets;
    for (size_t i = 0; i < sizeof(T); ++i) {
        T bad = good;
        reinterpret_cast<uint8_t*>(&bad)[i] ^= 0x5a;
        if (check(bad))
            offsets.push_back(i);
    }
    return offsets;
}

/// All bytes of the members at these offsets, in order.
std::vector<size_t> bytesOf(std::initializer_list<std::pair<size_t, size_t>> members) {
    std::vector<size_t> offsets;
    for (const auto& [offset, size] : members) {
        for (size_t i = 0; i < size; ++i)
            offsets.push_back(offset + i);
    }
    return offsets;
}

#define MEMBER(type, name) std::pair(offsetof(type, name), sizeof(type{}.name))

TEST(DaedalusVp8, SeesEveryWrongByte) {
    const auto frames = v4l2_request::test::ivfFrames("vp8/vp80-00-comprehensive-002.ivf");
    if (frames.empty())
        GTEST_SKIP() << "no test streams: V4L2_REQUEST_VECTORS";
    Vp8HeaderReader reader;
    const auto first = reader.read(frames[0]); // with segments, their map and filter deltas
    ASSERT_TRUE(first) << first.error().message;
    ASSERT_TRUE(checkVp8Frame(first->control, first->control));
    using T = v4l2_ctrl_vp8_frame;
    // Not looked at: padding; what has a meaning in inter frames only; and the timestamps, which are checked apart.
    const auto ignored = bytesOf({MEMBER(T, segment.padding), MEMBER(T, lf.padding), MEMBER(T, quant.padding),
                                  MEMBER(T, entropy.padding), MEMBER(T, coder_state.padding), MEMBER(T, prob_intra),
                                  MEMBER(T, prob_last), MEMBER(T, prob_gf), MEMBER(T, last_frame_ts),
                                  MEMBER(T, golden_frame_ts), MEMBER(T, alt_frame_ts)});
    EXPECT_EQ(unseen(first->control, [&](const T& bad) { return checkVp8Frame(bad, first->control).has_value(); }),
              ignored);

    auto wrong = first->control;
    wrong.segment.quant_update[1] = 9;
    EXPECT_EQ(checkVp8Frame(wrong, first->control).error().message,
              "VP8_FRAME.segment.quant_update[1] is 9, the payload says 4");
}

TEST(DaedalusVp9, SeesEveryWrongByte) {
    const auto frames = v4l2_request::test::ivfFrames("vp9/cros_vp90-2-10-show-existing-frame.vp9.ivf");
    if (frames.empty())
        GTEST_SKIP() << "no test streams: V4L2_REQUEST_VECTORS";
    Vp9HeaderReader reader;
    const auto key = reader.read(frames[0]);
    ASSERT_TRUE(key) << key.error().message;
    Vp9Header header = *key;
    header.intra = false; // the most that can be looked at
    header.frame.seg.flags = V4L2_VP9_SEGMENTATION_FLAG_ENABLED | V4L2_VP9_SEGMENTATION_FLAG_UPDATE_MAP |
                             V4L2_VP9_SEGMENTATION_FLAG_TEMPORAL_UPDATE;
    using T = v4l2_ctrl_vp9_frame;
    EXPECT_EQ(
        unseen(header.frame, [&](const T& bad) { return checkVp9Frame(bad, header).has_value(); }),
        bytesOf({MEMBER(T, lf.reserved), MEMBER(T, quant.reserved), MEMBER(T, seg.reserved), MEMBER(T, last_frame_ts),
                 MEMBER(T, golden_frame_ts), MEMBER(T, alt_frame_ts), MEMBER(T, reserved)}));
    using C = v4l2_ctrl_vp9_compressed_hdr;
    EXPECT_EQ(unseen(header.compressed,
                     [&](const C& bad) { return checkVp9CompressedHeader(bad, header.compressed).has_value(); }),
              std::vector<size_t>());
}

/// Plays a stream with good controls, apart from what `change` does to them.
template <typename Change>
std::vector<std::string> playVp8(const std::vector<std::vector<uint8_t>>& frames, Change change) {
    std::vector<std::string> errors;
    const auto decoder = makeVp8Decoder();
    Vp8HeaderReader reader;
    Sink sink;
    uint64_t last = 0, golden = 0, alternate = 0;
    std::vector<daedalus_frame> held;
    for (size_t i = 0; i < frames.size(); ++i) {
        const uint64_t timestamp = 1000 * (i + 1);
        const auto header = reader.read(frames[i]);
        if (!header)
            continue;
        auto control = header->control;
        control.last_frame_ts = last;
        control.golden_frame_ts = golden;
        control.alt_frame_ts = alternate;
        change(i, control);
        const auto decoded = decoder->decode(
            makeJob(timestamp, held, {makeControl(V4L2_CID_STATELESS_VP8_FRAME, control)}), frames[i], sink);
        errors.push_back(decoded ? "" : decoded.error().message);
        const auto source = [&](Vp8Source from, uint64_t keep) {
            return from == Vp8Source::Current     ? timestamp
                   : from == Vp8Source::Last      ? last
                   : from == Vp8Source::Golden    ? golden
                   : from == Vp8Source::Alternate ? alternate
                                                  : keep;
        };
        const uint64_t newGolden = source(header->golden, golden);
        alternate = source(header->alternate, alternate);
        golden = newGolden;
        if (header->refreshLast)
            last = timestamp;
        held.push_back({.timestamp = timestamp, .cookie = timestamp, .index = static_cast<uint32_t>(i), .error = 0});
    }
    return errors;
}

TEST(DaedalusVp8, ReferencesCount) {
    const auto frames = v4l2_request::test::ivfFrames("vp8/vp80-00-comprehensive-002.ivf");
    if (frames.empty())
        GTEST_SKIP() << "no test streams: V4L2_REQUEST_VECTORS";
    const auto good = playVp8(frames, [](size_t, v4l2_ctrl_vp8_frame&) {});
    EXPECT_EQ(good, std::vector<std::string>(frames.size()));
    const auto bad = playVp8(frames, [](size_t i, v4l2_ctrl_vp8_frame& control) {
        if (i == 5)
            control.last_frame_ts = 2000;
    });
    EXPECT_EQ(bad[4], "");
    EXPECT_EQ(bad[5], "VP8_FRAME.last_frame_ts is 2000, the reference picture of the stream is 5000");
    EXPECT_EQ(bad[6], "an inter frame before the first key frame");
}

} // namespace
} // namespace daedalus::test
