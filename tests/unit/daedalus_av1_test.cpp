// SPDX-License-Identifier: MIT
//
// What the daemon writes and derives for AV1, held against decoders of the same syntax that are written here from the
// specification's text; pixels are the sweep's.
#include <array>
#include <random>

#include <gtest/gtest.h>

#include "av1/global_motion.h"
#include "av1/header.h"
#include "av1/tiles.h"
#include "core/bit_reader.h"

namespace daedalus {
namespace {

using Parameters = std::array<int32_t, 6>;

/// ns( n ), 4.10.7
uint32_t readNonSymmetric(BitReader& reader, uint32_t n) {
    unsigned w = 0;
    for (uint32_t x = n; x != 0; x >>= 1)
        ++w;
    const uint32_t m = (1u << w) - n;
    const uint32_t v = reader.bits(w - 1);
    return v < m ? v : (v << 1) - m + reader.bit();
}

/// decode_subexp( numSyms ), 5.9.28
uint32_t readSubexp(BitReader& reader, uint32_t numSyms) {
    uint32_t i = 0, mk = 0;
    const uint32_t k = 3;
    while (true) {
        const uint32_t b2 = i ? k + i - 1 : k;
        const uint32_t a = 1u << b2;
        if (numSyms <= mk + 3 * a)
            return readNonSymmetric(reader, numSyms - mk) + mk;
        if (!reader.bit())
            return reader.bits(b2) + mk;
        ++i;
        mk += a;
    }
}

/// inverse_recenter( r, v ), 5.9.29
int32_t inverseRecenter(int32_t r, int32_t v) {
    if (v > 2 * r)
        return v;
    return v & 1 ? r - ((v + 1) >> 1) : r + (v >> 1);
}

/// decode_signed_subexp_with_ref( low, high, r ), 5.9.26 and 5.9.27
int32_t readWithReference(BitReader& reader, int32_t low, int32_t high, int32_t r) {
    const int32_t mx = high - low;
    r -= low;
    const auto v = static_cast<int32_t>(readSubexp(reader, static_cast<uint32_t>(mx)));
    const int32_t x = (r << 1) <= mx ? inverseRecenter(r, v) : mx - 1 - inverseRecenter(mx - 1 - r, v);
    return x + low;
}

/// read_global_param( type, ref, idx ), 5.9.25
int32_t readParameter(BitReader& reader, uint32_t type, size_t idx, int32_t previous, bool highPrecision) {
    int absBits = 12, precBits = 15;
    if (idx < 2) {
        const bool translation = type == V4L2_AV1_WARP_MODEL_TRANSLATION;
        absBits = translation ? 9 - !highPrecision : 12;
        precBits = translation ? 3 - !highPrecision : 6;
    }
    const int precDiff = 16 - precBits;
    const int32_t round = idx % 3 == 2 ? 1 << 16 : 0;
    const int32_t sub = idx % 3 == 2 ? 1 << precBits : 0;
    const int32_t mx = 1 << absBits;
    const int32_t r = (previous >> precDiff) - sub;
    return readWithReference(reader, -mx, mx + 1, r) * (1 << precDiff) + round;
}

/// global_motion_params(), 5.9.24, of one reference
Parameters readMotion(BitReader& reader, uint32_t& type, const Parameters& previous, bool highPrecision) {
    Parameters now{0, 0, 1 << 16, 0, 0, 1 << 16};
    type = V4L2_AV1_WARP_MODEL_IDENTITY;
    if (reader.bit())
        type = reader.bit()   ? V4L2_AV1_WARP_MODEL_ROTZOOM
               : reader.bit() ? V4L2_AV1_WARP_MODEL_TRANSLATION
                              : V4L2_AV1_WARP_MODEL_AFFINE;
    const auto read = [&](size_t idx) { now[idx] = readParameter(reader, type, idx, previous[idx], highPrecision); };
    if (type >= V4L2_AV1_WARP_MODEL_ROTZOOM) {
        read(2);
        read(3);
        now[4] = -now[3];
        now[5] = now[2];
        if (type == V4L2_AV1_WARP_MODEL_AFFINE) {
            read(4);
            read(5);
        }
    }
    if (type >= V4L2_AV1_WARP_MODEL_TRANSLATION) {
        read(0);
        read(1);
    }
    return now;
}

Av1Controls interFrame() {
    Av1Controls controls;
    controls.sequence.flags = V4L2_AV1_SEQUENCE_FLAG_ENABLE_ORDER_HINT;
    controls.sequence.order_hint_bits = 5;
    controls.frame.frame_type = V4L2_AV1_INTER_FRAME;
    controls.frame.flags = V4L2_AV1_FRAME_FLAG_ALLOW_HIGH_PRECISION_MV;
    controls.frame.upscaled_width = 352;
    controls.frame.frame_width_minus_1 = 351;
    controls.frame.frame_height_minus_1 = 191;
    const Av1Saved past = av1PastIndependent();
    for (size_t ref = 0; ref < 8; ++ref)
        std::copy_n(past.motion[ref].begin(), 6, controls.frame.global_motion.params[ref]);
    return controls;
}

TEST(DaedalusAv1, GlobalMotionReadsBackAsItWas) {
    std::mt19937 random(1);
    const auto small = [&](int bits) { return static_cast<int32_t>(random() % (2u << bits)) - (1 << bits); };
    Av1Saved past = av1PastIndependent();
    for (int round = 0; round < 500; ++round) {
        Av1Controls controls = interFrame();
        auto& motion = controls.frame.global_motion;
        for (size_t ref = 1; ref < 8; ++ref) {
            auto& p = motion.params[ref];
            p[0] = small(round % 12) * 1024;
            p[1] = small(round % 12) * 1024;
            p[2] = (1 << 16) + small(round % 10) * 2;
            p[3] = small(round % 10) * 2;
            p[4] = -p[3];
            p[5] = p[2];
            motion.type[ref] = V4L2_AV1_WARP_MODEL_ROTZOOM;
            motion.flags[ref] = V4L2_AV1_GLOBAL_MOTION_FLAG_IS_GLOBAL | V4L2_AV1_GLOBAL_MOTION_FLAG_IS_ROT_ZOOM;
        }
        BitWriter writer;
        const auto written = writeAv1GlobalMotion(writer, controls, past);
        ASSERT_TRUE(written) << written.error().message;
        BitReader reader(writer.bytes());
        for (size_t ref = 1; ref < 8; ++ref) {
            uint32_t type = 0;
            const Parameters read = readMotion(reader, type, past.motion[ref], true);
            EXPECT_EQ(type, V4L2_AV1_WARP_MODEL_ROTZOOM);
            for (size_t i = 0; i < 6; ++i)
                EXPECT_EQ(read[i], motion.params[ref][i]) << "round " << round << ", reference " << ref << ", " << i;
            past.motion[ref] = read;
        }
        EXPECT_EQ(reader.position(), writer.size());
    }
}

TEST(DaedalusAv1, GlobalMotionThatCannotBeIsRefused) {
    const auto write = [](const Av1Controls& controls) {
        BitWriter writer;
        return writeAv1GlobalMotion(writer, controls, av1PastIndependent()).has_value();
    };
    Av1Controls controls = interFrame();
    auto& motion = controls.frame.global_motion;
    EXPECT_TRUE(write(controls));
    motion.params[3][2] += 2; // of no motion
    EXPECT_FALSE(write(controls));
    motion.type[3] = V4L2_AV1_WARP_MODEL_AFFINE;
    EXPECT_FALSE(write(controls)); // without its flag
    motion.flags[3] = V4L2_AV1_GLOBAL_MOTION_FLAG_IS_GLOBAL;
    EXPECT_TRUE(write(controls));
    motion.params[3][2] += 1; // finer than what is coded
    EXPECT_FALSE(write(controls));
    motion.params[3][2] = (1 << 16) + (1 << 13) + 2; // farther from 1 than what is coded
    EXPECT_FALSE(write(controls));
    motion.params[3][2] = (1 << 16) - 8000; // coded, and more than a shear can do (7.11.3.6): 4 * 8000 + 7 * 8000
    motion.params[3][3] = 8000;
    EXPECT_FALSE(write(controls));
    motion.invalid = V4L2_AV1_GLOBAL_MOTION_IS_INVALID(3);
    EXPECT_TRUE(write(controls));
}

TEST(DaedalusAv1, OnlyTheMaskChangesSlots) {
    Av1Slots slots;
    References holds;
    Job job;
    const auto decoded = [&](uint64_t timestamp, uint8_t mask, uint32_t hint) {
        Av1Slot slot{timestamp, true, av1PastIndependent()};
        slot.saved.orderHint = hint;
        slots.refresh(mask, slot);
        holds.decoded(timestamp + 100, timestamp);
        job.frames.push_back({timestamp, timestamp + 100, 0, 0});
    };
    decoded(1, 0xff, 0);
    decoded(2, 0x10, 4);
    Av1Controls controls = interFrame();
    auto& frame = controls.frame;
    frame.order_hint = 2;
    frame.flags |= V4L2_AV1_FRAME_FLAG_REFERENCE_SELECT | V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED;
    for (size_t i = 0; i < 8; ++i)
        frame.reference_frame_ts[i] = i == 4 ? 2 : 1;
    frame.ref_frame_idx[6] = 4;
    frame.order_hints[7] = 4;
    frame.skip_mode_frame[0] = 1; // LAST_FRAME, before it
    frame.skip_mode_frame[1] = 7; // ALTREF_FRAME, behind it (5.9.22)
    const auto good = [&] { return slots.check(job, controls, holds).has_value(); };
    EXPECT_TRUE(good());

    frame.reference_frame_ts[5] = 2;
    EXPECT_FALSE(good()) << "the mask had no bit 5";
    frame.reference_frame_ts[5] = 1;
    frame.order_hints[7] = 5;
    EXPECT_FALSE(good());
    frame.order_hints[7] = 4;
    frame.skip_mode_frame[1] = 6;
    EXPECT_FALSE(good());
    frame.skip_mode_frame[1] = 7;
    frame.flags &= ~static_cast<uint32_t>(V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED);
    EXPECT_FALSE(good());
    frame.flags |= V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED;
    EXPECT_TRUE(good());

    job.frames.pop_back(); // its buffer was queued again
    EXPECT_FALSE(good());
    frame.ref_frame_idx[6] = 0; // listed still, and not read
    frame.order_hints[7] = 0;
    frame.flags &= ~static_cast<uint32_t>(V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED);
    EXPECT_TRUE(good());
    slots.refresh(0x01, {3, false, av1PastIndependent()}); // a job that failed
    frame.reference_frame_ts[0] = 3;
    EXPECT_FALSE(good());
}

TEST(DaedalusAv1, TileGridsAreThoseOf5_9_15) {
    Av1Controls controls = interFrame(); // 6 x 3 superblocks of 64
    auto& info = controls.frame.tile_info;
    const auto grid = [&](std::vector<uint32_t> widths, std::vector<uint32_t> heights, bool uniform) {
        info = {};
        info.flags = uniform ? V4L2_AV1_TILE_INFO_FLAG_UNIFORM_TILE_SPACING : 0;
        info.tile_cols = static_cast<uint8_t>(widths.size());
        info.tile_rows = static_cast<uint8_t>(heights.size());
        uint32_t start = 0;
        for (size_t i = 0; i < widths.size(); ++i) {
            info.mi_col_starts[i] = start;
            info.width_in_sbs_minus_1[i] = widths[i] - 1;
            start += widths[i] * 16;
        }
        info.mi_col_starts[widths.size()] = controls.miCols();
        start = 0;
        for (size_t i = 0; i < heights.size(); ++i) {
            info.mi_row_starts[i] = start;
            info.height_in_sbs_minus_1[i] = heights[i] - 1;
            start += heights[i] * 16;
        }
        info.mi_row_starts[heights.size()] = controls.miRows();
        BitWriter writer;
        return writeAv1TileInfo(writer, controls).has_value();
    };
    EXPECT_TRUE(grid({6}, {3}, true));
    EXPECT_TRUE(grid({2, 2, 2}, {2, 1}, true));
    EXPECT_TRUE(grid({1, 1, 1, 1, 1, 1}, {1, 1, 1}, true));
    EXPECT_FALSE(grid({2, 4}, {3}, true)) << "not uniform";
    EXPECT_TRUE(grid({2, 4}, {3}, false));
    EXPECT_FALSE(grid({2, 3}, {3}, false)) << "the last column is missing";
    EXPECT_FALSE(grid({2, 5}, {3}, false)) << "wider than the frame";
    ASSERT_TRUE(grid({3, 3}, {3}, true));
    info.mi_col_starts[1] += 1;
    BitWriter writer;
    EXPECT_FALSE(writeAv1TileInfo(writer, controls));
}

TEST(DaedalusAv1, TilesAreExactlyThoseOfTheFrame) {
    Av1Controls controls = interFrame();
    controls.frame.tile_info.tile_cols = 2;
    controls.frame.tile_info.tile_rows = 1;
    const std::vector<uint8_t> payload{9, 9, 1, 2, 3, 9, 4, 5};
    const auto append = [&] {
        std::vector<uint8_t> stream;
        return appendAv1Tiles(stream, controls, payload) ? stream : std::vector<uint8_t>{};
    };
    controls.tiles = {{2, 3, 0, 0}, {6, 2, 0, 1}};
    EXPECT_EQ(append(), (std::vector<uint8_t>{0, 2, 0, 0, 0, 1, 2, 3, 4, 5}));
    controls.tiles = {{6, 2, 0, 1}, {2, 3, 0, 0}};
    EXPECT_TRUE(append().empty()) << "out of order";
    controls.tiles = {{2, 3, 0, 0}};
    EXPECT_TRUE(append().empty()) << "one is missing";
    controls.tiles = {{2, 3, 0, 0}, {6, 3, 0, 1}};
    EXPECT_TRUE(append().empty()) << "behind the payload";
    controls.tiles = {{2, 3, 0, 0}, {6, 2, 0, 1}, {6, 2, 1, 0}};
    EXPECT_TRUE(append().empty()) << "one too many";
}

} // namespace
} // namespace daedalus
