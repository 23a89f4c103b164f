// SPDX-License-Identifier: MIT
#include "av1/slots.h"

#include <algorithm>

namespace daedalus {
namespace {

constexpr std::array<int32_t, 6> identity{0, 0, 1 << 16, 0, 0, 1 << 16};

/// get_relative_dist() of 7.9.3: how far `a` is behind `b` in output order.
int relativeDistance(const Av1Controls& controls, uint32_t a, uint32_t b) {
    const unsigned bits = controls.sequence.order_hint_bits;
    if (bits == 0)
        return 0;
    const auto difference = static_cast<int>(a) - static_cast<int>(b);
    const int sign = 1 << (bits - 1);
    return (difference & (sign - 1)) - (difference & sign);
}

struct SkipMode {
    bool allowed = false;
    std::array<uint8_t, 2> frames{};
};

/// 5.9.22, from the order hints of the seven references.
SkipMode skipModeOf(const Av1Controls& controls, const std::array<uint32_t, V4L2_AV1_REFS_PER_FRAME>& hints) {
    if (controls.intra() || !controls.has(V4L2_AV1_FRAME_FLAG_REFERENCE_SELECT) ||
        !controls.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_ORDER_HINT))
        return {};
    const auto distance = [&](uint32_t a, uint32_t b) { return relativeDistance(controls, a, b); };
    int forward = -1, backward = -1, second = -1;
    for (int i = 0; i < V4L2_AV1_REFS_PER_FRAME; ++i) {
        const uint32_t hint = hints[static_cast<size_t>(i)];
        const int toCurrent = distance(hint, controls.frame.order_hint);
        if (toCurrent < 0 && (forward < 0 || distance(hint, hints[static_cast<size_t>(forward)]) > 0))
            forward = i;
        else if (toCurrent > 0 && (backward < 0 || distance(hint, hints[static_cast<size_t>(backward)]) < 0))
            backward = i;
    }
    if (forward < 0)
        return {};
    if (backward < 0) {
        const uint32_t nearest = hints[static_cast<size_t>(forward)];
        for (int i = 0; i < V4L2_AV1_REFS_PER_FRAME; ++i) {
            const uint32_t hint = hints[static_cast<size_t>(i)];
            if (distance(hint, nearest) < 0 && (second < 0 || distance(hint, hints[static_cast<size_t>(second)]) > 0))
                second = i;
        }
        if (second < 0)
            return {};
        backward = second;
    }
    return {true,
            {static_cast<uint8_t>(V4L2_AV1_REF_LAST_FRAME + std::min(forward, backward)),
             static_cast<uint8_t>(V4L2_AV1_REF_LAST_FRAME + std::max(forward, backward))}};
}

} // namespace

Av1Saved av1PastIndependent() {
    Av1Saved saved;
    saved.motion.fill(identity);
    saved.refDeltas = {1, 0, 0, 0, -1, 0, -1, -1};
    return saved;
}

Av1Saved saveAv1Frame(const Av1Controls& controls, const Av1Saved& past) {
    const auto& filter = controls.frame.loop_filter;
    Av1Saved saved = av1PastIndependent();
    saved.orderHint = controls.frame.order_hint;
    for (size_t ref = V4L2_AV1_REF_LAST_FRAME; !controls.intra() && ref < saved.motion.size(); ++ref)
        std::copy_n(controls.frame.global_motion.params[ref], 6, saved.motion[ref].begin());
    if (controls.hasFilters()) { // else 5.9.11 sets the deltas back
        saved.refDeltas = past.refDeltas;
        saved.modeDeltas = past.modeDeltas;
        if ((filter.flags & V4L2_AV1_LOOP_FILTER_FLAG_DELTA_ENABLED) != 0) {
            std::ranges::copy(filter.ref_deltas, saved.refDeltas.begin());
            std::ranges::copy(filter.mode_deltas, saved.modeDeltas.begin());
        }
    }
    if (controls.segmented())
        saved.segmentation = controls.frame.segmentation;
    if (controls.appliesGrain())
        saved.grain = *controls.grain;
    return saved;
}

Result<void> Av1Slots::check(const Job& job, const Av1Controls& controls, const References& holds) const {
    const auto& frame = controls.frame;
    if (controls.shownKey())
        return {};
    // Hardware forgets what is not listed, so stale pictures are listed, too; only what is read has to be there still.
    for (size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i].timestamp && *slots_[i].timestamp != frame.reference_frame_ts[i])
            return fail(EINVAL, "AV1_FRAME.reference_frame_ts[%zu] is %llu, the masks before left %llu there (7.20)", i,
                        static_cast<unsigned long long>(frame.reference_frame_ts[i]),
                        static_cast<unsigned long long>(*slots_[i].timestamp));
    }
    if (controls.intra())
        return {};
    for (size_t i = 0; i < V4L2_AV1_REFS_PER_FRAME; ++i) {
        const unsigned index = static_cast<uint8_t>(frame.ref_frame_idx[i]);
        if (index > 7)
            return fail(EINVAL, "AV1_FRAME.ref_frame_idx[%zu] is %u", i, index);
        const Av1Slot& slot = of(controls, i);
        if (!slot.timestamp || !slot.decoded)
            return fail(EIO, "AV1_FRAME.ref_frame_idx[%zu] names slot %u, in which there is no decoded frame", i,
                        index);
        if (auto held =
                holds.check(job, *slot.timestamp, "AV1_FRAME.reference_frame_ts[" + std::to_string(index) + ']');
            !held)
            return held;
    }
    if (auto checked = checkOrderHints(controls); !checked)
        return checked;
    return checkSkipMode(controls);
}

Result<void> Av1Slots::checkOrderHints(const Av1Controls& controls) const {
    if (!controls.sequenceHas(V4L2_AV1_SEQUENCE_FLAG_ENABLE_ORDER_HINT))
        return {};
    for (size_t i = 0; i < V4L2_AV1_REFS_PER_FRAME; ++i) {
        const uint32_t has = controls.frame.order_hints[V4L2_AV1_REF_LAST_FRAME + i];
        if (const uint32_t derived = of(controls, i).saved.orderHint; has != derived)
            return fail(EINVAL, "AV1_FRAME.order_hints[%zu] is %u, that frame has %u (5.9.2)", i + 1, has, derived);
    }
    return {};
}

Result<void> Av1Slots::checkSkipMode(const Av1Controls& controls) const {
    std::array<uint32_t, V4L2_AV1_REFS_PER_FRAME> hints{};
    for (size_t i = 0; i < hints.size(); ++i)
        hints[i] = of(controls, i).saved.orderHint;
    const SkipMode derived = skipModeOf(controls, hints);
    if (controls.has(V4L2_AV1_FRAME_FLAG_SKIP_MODE_ALLOWED) != derived.allowed)
        return fail(EINVAL, "AV1_FRAME.flags SKIP_MODE_ALLOWED is not %d (5.9.22)", derived.allowed);
    if (controls.has(V4L2_AV1_FRAME_FLAG_SKIP_MODE_PRESENT) && !derived.allowed)
        return fail(EINVAL, "AV1_FRAME.flags SKIP_MODE_PRESENT, but skip mode is not allowed (5.9.22)");
    for (size_t i = 0; derived.allowed && i < 2; ++i) {
        if (controls.frame.skip_mode_frame[i] != derived.frames[i])
            return fail(EINVAL, "AV1_FRAME.skip_mode_frame[%zu] is %u, not %u (5.9.22)", i,
                        controls.frame.skip_mode_frame[i], derived.frames[i]);
    }
    return {};
}

Av1Saved Av1Slots::past(const Av1Controls& controls) const {
    return controls.frame.primary_ref_frame == av1PrimaryRefNone ? av1PastIndependent()
                                                                 : of(controls, controls.frame.primary_ref_frame).saved;
}

void Av1Slots::refresh(uint8_t mask, const Av1Slot& slot) {
    for (size_t i = 0; i < slots_.size(); ++i) {
        if ((mask >> i & 1) != 0)
            slots_[i] = slot;
    }
}

} // namespace daedalus
