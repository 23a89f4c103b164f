// SPDX-License-Identifier: MIT
#include "av1/controls.h"

#include <algorithm>

#include "core/control_reader.h"

namespace daedalus {

/// CodedLossless of 5.9.2, with get_qidx( 1, segmentId ) of 7.12.2.
bool Av1Controls::codedLossless() const {
    const auto& q = frame.quantization;
    if (q.delta_q_y_dc || q.delta_q_u_dc || q.delta_q_u_ac || q.delta_q_v_dc || q.delta_q_v_ac)
        return false;
    for (unsigned segment = 0; segment < V4L2_AV1_MAX_SEGMENTS; ++segment) {
        int index = q.base_q_idx;
        if (segmented() && (frame.segmentation.feature_enabled[segment] & 1) != 0)
            index = std::clamp(index + frame.segmentation.feature_data[segment][V4L2_AV1_SEG_LVL_ALT_Q], 0, 255);
        if (index != 0)
            return false;
    }
    return true;
}

Result<Av1Controls> readAv1Controls(const Job& job) {
    Av1Controls controls;
    ControlReader reader(job);
    reader.required(V4L2_CID_STATELESS_AV1_SEQUENCE, "AV1_SEQUENCE", controls.sequence);
    reader.required(V4L2_CID_STATELESS_AV1_FRAME, "AV1_FRAME", controls.frame);
    v4l2_ctrl_av1_film_grain grain{};
    if (reader.optional(V4L2_CID_STATELESS_AV1_FILM_GRAIN, "AV1_FILM_GRAIN", grain))
        controls.grain = grain;
    controls.tiles = reader.elements<v4l2_ctrl_av1_tile_group_entry>(V4L2_CID_STATELESS_AV1_TILE_GROUP_ENTRY);
    if (!reader.result())
        return tl::unexpected(reader.result().error());
    return controls;
}

} // namespace daedalus
