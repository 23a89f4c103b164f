// SPDX-License-Identifier: MIT
#include "vp9/compressed_header.h"

#include <algorithm>

#include "core/bool_coder.h"
#include "core/field_check.h"

namespace daedalus {
namespace {

/// compressed_header() (6.3), into the fields of the control.
class Compressed {
public:
    Compressed(std::span<const uint8_t> data, Vp9Header& header)
        : coder_(data), frame_(header.frame), intra_(header.intra), out_(header.compressed) {}

    Result<void> read() {
        if (coder_.flag())
            return fail(EBADMSG, "the marker of the compressed header is set");
        const auto& quant = frame_.quant;
        const bool lossless = !quant.base_q_idx && !quant.delta_q_y_dc && !quant.delta_q_uv_dc && !quant.delta_q_uv_ac;
        if (!lossless) {
            out_.tx_mode = static_cast<uint8_t>(coder_.bits(2));
            if (out_.tx_mode == V4L2_VP9_TX_MODE_ALLOW_32X32)
                out_.tx_mode = static_cast<uint8_t>(out_.tx_mode + coder_.bits(1));
        }
        if (out_.tx_mode == V4L2_VP9_TX_MODE_SELECT) {
            differences(out_.tx8);
            differences(out_.tx16);
            differences(out_.tx32);
        }
        coefficients();
        differences(out_.skip);
        if (!intra_)
            inter();
        if (coder_.overrun())
            return fail(EBADMSG, "the compressed header runs past its %u bytes", frame_.compressed_header_size);
        return {};
    }

private:
    void inter() {
        differences(out_.inter_mode);
        if (frame_.interpolation_filter == V4L2_VP9_INTERP_FILTER_SWITCHABLE)
            differences(out_.interp_filter);
        differences(out_.is_inter);
        // 6.3.12: two references of one frame must lie on different sides of it.
        const bool compound = frame_.ref_frame_sign_bias != 0 && frame_.ref_frame_sign_bias != 7;
        uint8_t mode = V4L2_VP9_REFERENCE_MODE_SINGLE_REFERENCE;
        if (compound && coder_.flag())
            mode = coder_.flag() ? V4L2_VP9_REFERENCE_MODE_SELECT : V4L2_VP9_REFERENCE_MODE_COMPOUND_REFERENCE;
        frame_.reference_mode = mode;
        if (mode == V4L2_VP9_REFERENCE_MODE_SELECT)
            differences(out_.comp_mode);
        if (mode != V4L2_VP9_REFERENCE_MODE_COMPOUND_REFERENCE)
            differences(out_.single_ref);
        if (mode != V4L2_VP9_REFERENCE_MODE_SINGLE_REFERENCE)
            differences(out_.comp_ref);
        differences(out_.y_mode);
        differences(out_.partition);
        motionVectors();
    }

    void coefficients() {
        for (unsigned size = 0; size <= 3 && size <= out_.tx_mode; ++size) {
            if (!coder_.flag())
                continue;
            for (unsigned i = 0; i < 4; ++i) {
                auto& bands = out_.coef[size][i / 2][i % 2];
                for (unsigned context = 0; context < 3; ++context)
                    differences(bands[0][context]);
                for (unsigned band = 1; band < 6; ++band)
                    differences(bands[band]);
            }
        }
    }

    /// 6.3.16
    void motionVectors() {
        v4l2_vp9_mv_probs& mv = out_.mv;
        vectors(mv.joint);
        for (unsigned i : {0u, 1u}) {
            vectors(mv.sign[i]);
            vectors(mv.classes[i]);
            vectors(mv.class0_bit[i]);
            vectors(mv.bits[i]);
        }
        for (unsigned i : {0u, 1u}) {
            vectors(mv.class0_fr[i]);
            vectors(mv.fr[i]);
        }
        if (!(frame_.flags & V4L2_VP9_FRAME_FLAG_ALLOW_HIGH_PREC_MV))
            return;
        for (unsigned i : {0u, 1u}) {
            vectors(mv.class0_hp[i]);
            vectors(mv.hp[i]);
        }
    }

    template <typename T>
    void differences(T& table) {
        if constexpr (std::is_array_v<T>) {
            for (auto& entry : table)
                differences(entry);
        } else if (coder_.read(252)) {
            table = mapped(term());
        }
    }
    template <typename T>
    void vectors(T& table) {
        if constexpr (std::is_array_v<T>) {
            for (auto& entry : table)
                vectors(entry);
        } else if (coder_.read(252)) {
            table = static_cast<uint8_t>(2 * coder_.bits(7) + 1);
        }
    }

    /// 6.3.4
    unsigned term() {
        if (!coder_.flag())
            return coder_.bits(4);
        if (!coder_.flag())
            return 16 + coder_.bits(4);
        if (!coder_.flag())
            return 32 + coder_.bits(5);
        const unsigned value = coder_.bits(7);
        return value < 65 ? value + 64 : 2 * value - 1 + coder_.bits(1);
    }

    /// inv_map_table (6.3.5): 7, 20, 33 ... 254, then the numbers between them, 12 to a gap.
    static uint8_t mapped(unsigned code) {
        if (code < 20)
            return static_cast<uint8_t>(7 + 13 * code);
        const unsigned rest = std::min(code - 20, 233u);
        return static_cast<uint8_t>(rest < 6 ? rest + 1 : rest + 2 + (rest - 6) / 12);
    }

    BoolCoder coder_;
    v4l2_ctrl_vp9_frame& frame_;
    const bool intra_;
    v4l2_ctrl_vp9_compressed_hdr& out_;
};

} // namespace

Result<void> readVp9CompressedHeader(std::span<const uint8_t> data, Vp9Header& header) {
    return Compressed(data, header).read();
}

Result<void> checkVp9CompressedHeader(const v4l2_ctrl_vp9_compressed_hdr& has,
                                      const v4l2_ctrl_vp9_compressed_hdr& expected) {
    FieldCheck check("VP9_COMPRESSED_HDR");
    check.field("tx_mode", has.tx_mode, expected.tx_mode);
    check.field("tx8", has.tx8, expected.tx8);
    check.field("tx16", has.tx16, expected.tx16);
    check.field("tx32", has.tx32, expected.tx32);
    check.field("coef", has.coef, expected.coef);
    check.field("skip", has.skip, expected.skip);
    check.field("inter_mode", has.inter_mode, expected.inter_mode);
    check.field("interp_filter", has.interp_filter, expected.interp_filter);
    check.field("is_inter", has.is_inter, expected.is_inter);
    check.field("comp_mode", has.comp_mode, expected.comp_mode);
    check.field("single_ref", has.single_ref, expected.single_ref);
    check.field("comp_ref", has.comp_ref, expected.comp_ref);
    check.field("y_mode", has.y_mode, expected.y_mode);
    check.field("uv_mode", has.uv_mode, expected.uv_mode); // no frame codes any
    check.field("partition", has.partition, expected.partition);
    check.field("mv.joint", has.mv.joint, expected.mv.joint);
    check.field("mv.sign", has.mv.sign, expected.mv.sign);
    check.field("mv.classes", has.mv.classes, expected.mv.classes);
    check.field("mv.class0_bit", has.mv.class0_bit, expected.mv.class0_bit);
    check.field("mv.bits", has.mv.bits, expected.mv.bits);
    check.field("mv.class0_fr", has.mv.class0_fr, expected.mv.class0_fr);
    check.field("mv.fr", has.mv.fr, expected.mv.fr);
    check.field("mv.class0_hp", has.mv.class0_hp, expected.mv.class0_hp);
    check.field("mv.hp", has.mv.hp, expected.mv.hp);
    return check.result();
}

} // namespace daedalus
