// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "av1/controls.h"
#include "core/references.h"

namespace daedalus {

/// What later frames read of a frame's header (7.20).
struct Av1Saved {
    uint32_t orderHint = 0;
    std::array<std::array<int32_t, 6>, V4L2_AV1_TOTAL_REFS_PER_FRAME> motion{};
    std::array<int8_t, V4L2_AV1_TOTAL_REFS_PER_FRAME> refDeltas{};
    std::array<int8_t, 2> modeDeltas{};
    v4l2_av1_segmentation segmentation{}; ///< the features count; none where it is off
    v4l2_ctrl_av1_film_grain grain{};
};

/// The state before a frame without a primary reference: setup_past_independent() (7.20).
Av1Saved av1PastIndependent();

/// What a slot is left with by this frame, after `past`.
Av1Saved saveAv1Frame(const Av1Controls& controls, const Av1Saved& past);

struct Av1Slot {
    std::optional<uint64_t> timestamp; ///< none: no frame was ever put there
    bool decoded = false;              ///< false: the job of that frame failed
    Av1Saved saved;
};

/// The eight reference slots. Only refresh_frame_flags changes them: a wrong one leaves CDFs, motion vectors and
/// pictures in the wrong slots, as it does in hardware that saves them by slot.
class Av1Slots {
public:
    const Av1Slot& operator[](size_t index) const { return slots_[index]; }
    /// The slot of a reference: `reference` from 0 for LAST_FRAME.
    const Av1Slot& of(const Av1Controls& controls, size_t reference) const {
        return slots_[static_cast<size_t>(controls.frame.ref_frame_idx[reference]) & 7];
    }

    /// Do reference_frame_ts, ref_frame_idx and what is derived from the slots agree with them?
    Result<void> check(const Job& job, const Av1Controls& controls, const References& holds) const;
    /// What primary_ref_frame names. Only after check().
    Av1Saved past(const Av1Controls& controls) const;
    /// The reference frame update process (7.20).
    void refresh(uint8_t mask, const Av1Slot& slot);
    void clear() { slots_ = {}; }

private:
    Result<void> checkOrderHints(const Av1Controls& controls) const;
    Result<void> checkSkipMode(const Av1Controls& controls) const;

    std::array<Av1Slot, V4L2_AV1_TOTAL_REFS_PER_FRAME> slots_;
};

} // namespace daedalus
