// SPDX-License-Identifier: MIT
#include "av1/global_motion.h"

#include <array>
#include <cstdlib>
#include <optional>

#include "av1/bits.h"

namespace daedalus {
namespace {

using Parameters = std::array<int32_t, 6>;

constexpr unsigned precision = 16; // WARPEDMODEL_PREC_BITS

/// The inverse of inverse_recenter() (5.9.29).
uint32_t recenter(uint32_t r, uint32_t value) {
    if (value > 2 * r)
        return value;
    return value >= r ? 2 * (value - r) : 2 * (r - value) - 1;
}

/// decode_subexp() (5.9.28).
void writeSubexp(BitWriter& writer, uint32_t value, uint32_t symbols) {
    uint32_t low = 0;
    for (unsigned i = 0;; ++i) {
        const unsigned bits = i ? 3 + i - 1 : 3;
        const uint32_t span = 1u << bits;
        if (symbols <= low + 3 * span) {
            writeNonSymmetric(writer, value - low, symbols - low);
            return;
        }
        const bool more = value >= low + span;
        writer.flag(more);
        if (!more) {
            writer.bits(value - low, bits);
            return;
        }
        low += span;
    }
}

/// decode_signed_subexp_with_ref() (5.9.26) and decode_unsigned_subexp_with_ref() (5.9.27).
void writeWithReference(BitWriter& writer, int32_t value, int32_t low, int32_t high, int32_t reference) {
    const auto most = static_cast<uint32_t>(high - low);
    const auto v = static_cast<uint32_t>(value - low);
    const auto r = static_cast<uint32_t>(reference - low);
    writeSubexp(writer, 2 * r <= most ? recenter(r, v) : recenter(most - 1 - r, most - 1 - v), most);
}

/// How read_global_param() (5.9.25) codes a parameter.
struct Coding {
    unsigned absoluteBits, precisionBits;
};

Coding codingOf(uint32_t type, size_t index, bool highPrecision) {
    if (index >= 2)
        return {12, 15};
    if (type == V4L2_AV1_WARP_MODEL_TRANSLATION)
        return {9u - (highPrecision ? 0 : 1), 3u - (highPrecision ? 0 : 1)};
    return {12, 6};
}

/// False if the value cannot be coded.
bool writeParameter(BitWriter& writer, int32_t value, int32_t before, size_t index, Coding coding) {
    const unsigned shift = precision - coding.precisionBits;
    const bool diagonal = index % 3 == 2;
    const int32_t round = diagonal ? 1 << precision : 0;
    const int32_t sub = diagonal ? 1 << coding.precisionBits : 0;
    const int32_t most = 1 << coding.absoluteBits;
    const int64_t wide = int64_t{value} - round;
    const int64_t coded = wide >> shift;
    if (coded * (int64_t{1} << shift) != wide || coded < -most || coded > most)
        return false;
    writeWithReference(writer, static_cast<int32_t>(coded), -most, most + 1, (before >> shift) - sub);
    return true;
}

unsigned floorLog2(uint64_t value) {
    unsigned log2 = 0;
    while (value >>= 1)
        ++log2;
    return log2;
}

/// Div_Lut of 7.11.3.2 is this quotient.
int64_t divLut(int64_t f) {
    return ((int64_t{1} << 22) + (256 + f) / 2) / (256 + f);
}

int64_t roundSigned(int64_t value, unsigned bits) {
    const int64_t half = bits ? int64_t{1} << (bits - 1) : 0;
    return value < 0 ? -((-value + half) >> bits) : (value + half) >> bits;
}

/// warpValid of the setup shear process (7.11.3.6).
bool isWarpValid(const Parameters& p) {
    const auto clamp16 = [](int64_t value) { return value < -32768 ? -32768 : value > 32767 ? 32767 : value; };
    const auto reduce = [](int64_t value) { return roundSigned(value, 6) * 64; }; // WARP_PARAM_REDUCE_BITS
    if (p[2] <= 0)
        return false;
    // 7.11.3.7, of a positive divisor.
    const auto divisor = static_cast<int64_t>(p[2]);
    const unsigned log2 = floorLog2(static_cast<uint64_t>(divisor));
    const int64_t rest = divisor - (int64_t{1} << log2);
    const int64_t f = log2 > 8 ? (rest + (int64_t{1} << (log2 - 9))) >> (log2 - 8) : rest << (8 - log2);
    const unsigned shift = log2 + 14;
    const int64_t factor = divLut(f);

    const int64_t alpha = reduce(clamp16(int64_t{p[2]} - (1 << precision)));
    const int64_t beta = reduce(clamp16(p[3]));
    const int64_t v = int64_t{p[4]} * (1 << precision);
    const int64_t gamma = reduce(clamp16(roundSigned(v * factor, shift)));
    const int64_t w = int64_t{p[3]} * p[4];
    const int64_t delta = reduce(clamp16(p[5] - roundSigned(w * factor, shift) - (1 << precision)));
    return 4 * std::llabs(alpha) + 7 * std::llabs(beta) < (1 << precision) &&
           4 * std::llabs(gamma) + 4 * std::llabs(delta) < (1 << precision);
}

/// What the parameters are that a type does not code (5.9.24), or nothing if they are as they have to be.
std::optional<const char*> contradiction(uint32_t type, const Parameters& p) {
    const bool still = p[0] == 0 && p[1] == 0;
    const bool straight = p[2] == 1 << precision && p[3] == 0 && p[4] == 0 && p[5] == 1 << precision;
    if (type == V4L2_AV1_WARP_MODEL_IDENTITY && !(still && straight))
        return "those of no motion";
    if (type == V4L2_AV1_WARP_MODEL_TRANSLATION && !straight)
        return "those of a translation";
    if (type == V4L2_AV1_WARP_MODEL_ROTZOOM && (p[4] != -p[3] || p[5] != p[2]))
        return "those of a rotation and a zoom";
    return std::nullopt;
}

void writeType(BitWriter& writer, uint32_t type) {
    writer.flag(type != V4L2_AV1_WARP_MODEL_IDENTITY); // is_global
    if (type == V4L2_AV1_WARP_MODEL_IDENTITY)
        return;
    writer.flag(type == V4L2_AV1_WARP_MODEL_ROTZOOM); // is_rot_zoom
    if (type != V4L2_AV1_WARP_MODEL_ROTZOOM)
        writer.flag(type == V4L2_AV1_WARP_MODEL_TRANSLATION); // is_translation
}

uint8_t flagsOf(uint32_t type) {
    constexpr uint8_t flags[] = {
        0,
        V4L2_AV1_GLOBAL_MOTION_FLAG_IS_GLOBAL | V4L2_AV1_GLOBAL_MOTION_FLAG_IS_TRANSLATION,
        V4L2_AV1_GLOBAL_MOTION_FLAG_IS_GLOBAL | V4L2_AV1_GLOBAL_MOTION_FLAG_IS_ROT_ZOOM,
        V4L2_AV1_GLOBAL_MOTION_FLAG_IS_GLOBAL,
    };
    return flags[type];
}

Result<void> writeReference(BitWriter& writer, const Av1Controls& controls, size_t ref, const Parameters& before) {
    const auto& motion = controls.frame.global_motion;
    const auto type = static_cast<uint32_t>(motion.type[ref]);
    Parameters now{};
    std::copy_n(motion.params[ref], now.size(), now.begin());
    if (type > V4L2_AV1_WARP_MODEL_AFFINE)
        return fail(EINVAL, "AV1_FRAME.global_motion.type[%zu] is %u", ref, type);
    if (motion.flags[ref] != flagsOf(type))
        return fail(EINVAL, "AV1_FRAME.global_motion.flags[%zu] is %u, type %u has %u (5.9.24)", ref, motion.flags[ref],
                    type, flagsOf(type));
    if (const auto wrong = contradiction(type, now))
        return fail(EINVAL, "AV1_FRAME.global_motion.params[%zu] are not %s (5.9.24)", ref, *wrong);
    const bool invalid = (motion.invalid & V4L2_AV1_GLOBAL_MOTION_IS_INVALID(ref)) != 0;
    if (type > V4L2_AV1_WARP_MODEL_TRANSLATION ? invalid == isWarpValid(now) : invalid)
        return fail(EINVAL, "AV1_FRAME.global_motion.invalid: bit %zu is %d (7.11.3.6)", ref, invalid);

    writeType(writer, type);
    const auto parameter = [&](size_t index) {
        return writeParameter(writer, now[index], before[index], index,
                              codingOf(type, index, controls.has(V4L2_AV1_FRAME_FLAG_ALLOW_HIGH_PRECISION_MV)));
    };
    bool coded = true;
    if (type >= V4L2_AV1_WARP_MODEL_ROTZOOM)
        coded = parameter(2) && parameter(3);
    if (coded && type == V4L2_AV1_WARP_MODEL_AFFINE)
        coded = parameter(4) && parameter(5);
    if (coded && type >= V4L2_AV1_WARP_MODEL_TRANSLATION)
        coded = parameter(0) && parameter(1);
    if (!coded)
        return fail(EINVAL, "AV1_FRAME.global_motion.params[%zu] has a value that cannot be coded (5.9.25)", ref);
    return {};
}

} // namespace

Result<void> writeAv1GlobalMotion(BitWriter& writer, const Av1Controls& controls, const Av1Saved& past) {
    for (size_t ref = V4L2_AV1_REF_LAST_FRAME; ref <= V4L2_AV1_REF_ALTREF_FRAME; ++ref) {
        if (auto written = writeReference(writer, controls, ref, past.motion[ref]); !written)
            return written;
    }
    return {};
}

} // namespace daedalus
