// SPDX-License-Identifier: MIT
#include "hevc/dpb.h"

#include <algorithm>
#include <cstdlib>
#include <span>

#include "hevc/parameter_sets.h"

namespace daedalus::hevc {
namespace {

constexpr uint8_t noPicture = 0xff; ///< how clients mark an index that names nothing

/// What an entry of the control's DPB turned out to be.
struct Resolved {
    const Reference* reference = nullptr; ///< null: there is none
    std::optional<Error> damage;
    bool unavailable = false; ///< the client says that there is none
};

/// How a client says that a picture of the set was never decoded: by a timestamp that no buffer can have, or by that of
/// another entry, which is then predicted from in its place. That is no error, it is how a stream begins that was cut.
bool isUnavailable(const DecodeParams& params, unsigned index, const Reference* named) {
    const v4l2_hevc_dpb_entry& entry = params.dpb[index];
    if (entry.timestamp == UINT64_MAX)
        return true;
    const auto isOwner = [&](const v4l2_hevc_dpb_entry& other) {
        return &other != &entry && other.timestamp == entry.timestamp && other.pic_order_cnt_val == named->poc;
    };
    const std::span active(params.dpb, params.num_active_dpb_entries);
    return named && entry.pic_order_cnt_val != named->poc && std::any_of(active.begin(), active.end(), isOwner);
}

Result<std::vector<Resolved>> resolveEntries(const Job& job, const DecodeParams& params, const References& holds,
                                             const std::vector<Reference>& held) {
    std::vector<Resolved> resolved;
    for (unsigned i = 0; i < params.num_active_dpb_entries; ++i) {
        const v4l2_hevc_dpb_entry& entry = params.dpb[i];
        const std::string field = "DECODE_PARAMS.dpb[" + std::to_string(i) + "].timestamp";
        Resolved& result = resolved.emplace_back();
        const auto position = positionOf(held, entry.timestamp);
        if (isUnavailable(params, i, position ? &held[*position] : nullptr)) {
            result.unavailable = true;
            continue;
        }
        if (entry.timestamp == job.timestamp()) {
            result.damage = Error{ENODATA, field + " names the picture itself"};
            continue;
        }
        const auto found = holds.find(job, held, entry.timestamp, field);
        if (!found)
            result.damage = Error{ENODATA, found.error().message};
        // One that is damaged may be there all the same.
        if (!found && !(found.error().code == ENODATA && position))
            continue;
        result.reference = &held[*position];
        if (result.reference->poc != entry.pic_order_cnt_val)
            return fail(EINVAL, "DECODE_PARAMS.dpb[%u].pic_order_cnt_val is %d, the picture was decoded with %d", i,
                        entry.pic_order_cnt_val, result.reference->poc);
    }
    return resolved;
}

/// Makes the reference picture set to write. For what is missing, or is unavailable as the client says, libavcodec
/// finds nothing either and makes a grey picture, as 8.3.3.2 has it for random access. In the written stream order
/// counts are those of the controls but for an offset: a picture without references starts anew from 0, whatever the
/// client counts there. Where a picture is predicted and nothing is named, as in a stream that was joined in the
/// middle, a grey one stands before it.
class SetBuilder {
public:
    SetBuilder(const DecodeParams& params, const std::vector<Resolved>& resolved, bool predicted,
               const std::vector<Reference>& held)
        : params_(params), resolved_(resolved), listed_(resolved.size(), false) {
        const auto known =
            std::find_if(resolved.begin(), resolved.end(), [](const Resolved& r) { return r.reference; });
        const bool unavailable =
            std::any_of(resolved.begin(), resolved.end(), [](const Resolved& r) { return !r.reference; });
        const bool none = known == resolved.end() && !unavailable;
        needsGrey_ = none && predicted;
        result_.written.idr = none && !predicted;
        if (known != resolved.end())
            offset_ = int64_t{known->reference->writtenPoc} - known->reference->poc;
        else if (!unavailable) // behind what libavcodec has, or from 0
            offset_ = (predicted && !held.empty() ? held.back().writtenPoc + 2 : 0) - int64_t{params.pic_order_cnt_val};
        result_.written.poc = static_cast<int32_t>(params.pic_order_cnt_val + offset_);
    }

    Result<PictureReferences> build() {
        ReferenceSet& set = result_.written.references;
        auto added =
            addUsed("poc_st_curr_before", {params_.poc_st_curr_before, params_.num_poc_st_curr_before}, false,
                    set.before)
                .and_then([&] {
                    return addUsed("poc_st_curr_after", {params_.poc_st_curr_after, params_.num_poc_st_curr_after},
                                   false, set.after);
                })
                .and_then([&] {
                    return addUsed("poc_lt_curr", {params_.poc_lt_curr, params_.num_poc_lt_curr}, true, set.longTerm);
                })
                .and_then([&] { return checkOrder(); })
                .and_then([&] { return addForLater(); });
        if (!added)
            return tl::unexpected(added.error());
        if (needsGrey_) {
            result_.damage.note(Error{ENODATA, "DECODE_PARAMS has no reference"});
            set.before.push_back({result_.written.poc - 1, true});
        }
        return std::move(result_);
    }

private:
    bool isLongTerm(size_t entry) const {
        return (params_.dpb[entry].flags & V4L2_HEVC_DPB_ENTRY_LONG_TERM_REFERENCE) != 0;
    }
    int32_t writtenPoc(size_t entry) const {
        return static_cast<int32_t>(params_.dpb[entry].pic_order_cnt_val + offset_);
    }

    /// What the picture itself may predict from.
    Result<void> addUsed(const char* field, std::span<const uint8_t> indices, bool longTerm,
                         std::vector<SetEntry>& entries) {
        for (size_t i = 0; i < indices.size(); ++i) {
            const uint8_t index = indices[i];
            const std::string name = std::string("DECODE_PARAMS.") + field + "[" + std::to_string(i) + "]";
            if (index == noPicture) {
                result_.damage.note(Error{ENODATA, name + " names no picture"});
                continue;
            }
            if (index >= resolved_.size() || listed_[index])
                return fail(EINVAL, "%s is %u: %s", name.c_str(), index,
                            index >= resolved_.size() ? "not in the DPB" : "twice in the lists");
            if (isLongTerm(index) != longTerm)
                return fail(EINVAL, "%s is %u, whose flags say otherwise of LONG_TERM_REFERENCE", name.c_str(), index);
            listed_[index] = true;
            if (resolved_[index].damage)
                result_.damage.note(*resolved_[index].damage);
            entries.push_back({writtenPoc(index), true});
            if (resolved_[index].reference)
                result_.kept.push_back(*resolved_[index].reference);
        }
        return {};
    }

    /// 8.3.2: the closest picture comes first. The syntax can say no other order.
    bool misplaced(const std::vector<SetEntry>& entries, int sign) const {
        int64_t previous = result_.written.poc;
        for (const SetEntry& entry : entries) {
            const int64_t distance = sign * (entry.poc - previous);
            if (distance <= 0 || distance > 0x8000)
                return true;
            previous = entry.poc;
        }
        return false;
    }

    Result<void> checkOrder() const {
        const ReferenceSet& set = result_.written.references;
        if (misplaced(set.before, -1))
            return fail(EINVAL,
                        "DECODE_PARAMS.poc_st_curr_before is not in descending order of pictures before this one");
        if (misplaced(set.after, 1))
            return fail(EINVAL, "DECODE_PARAMS.poc_st_curr_after is not in ascending order of pictures after this one");
        return {};
    }

    /// What only later pictures may predict from. 8.3.2: such a picture can be missing.
    Result<void> addForLater() {
        ReferenceSet& set = result_.written.references;
        for (size_t i = 0; i < resolved_.size(); ++i) {
            const Reference* reference = resolved_[i].reference;
            if (listed_[i] || !reference)
                continue;
            const SetEntry entry{writtenPoc(i), false};
            if (isLongTerm(i))
                set.longTerm.push_back(entry);
            else
                (entry.poc < result_.written.poc ? set.before : set.after).push_back(entry);
            result_.kept.push_back(*reference);
        }
        const auto byPoc = [](const SetEntry& a, const SetEntry& b) { return a.poc < b.poc; };
        std::sort(set.before.rbegin(), set.before.rend(), byPoc);
        std::sort(set.after.begin(), set.after.end(), byPoc);
        if (misplaced(set.before, -1) || misplaced(set.after, 1))
            return fail(EINVAL, "DECODE_PARAMS.dpb has two pictures of one order count, or some too far apart");
        return {};
    }

    const DecodeParams& params_;
    const std::vector<Resolved>& resolved_;
    std::vector<bool> listed_; ///< entries of the DPB that a list has
    int64_t offset_ = 0;       ///< from order counts of the controls to the written ones
    bool needsGrey_ = false;
    PictureReferences result_;
};

/// The low bits must find a picture, and the high ones be those of the picture before (8-1).
Result<void> checkDistances(const WrittenPicture& written, int32_t poc, const std::vector<Reference>& held) {
    const auto same = [](int32_t a, int32_t b) { return ((a ^ b) & ((1 << writtenPocBits) - 1)) == 0; };
    for (const SetEntry& entry : written.references.longTerm) {
        const auto alike = std::count_if(held.begin(), held.end(), [&](const Reference& reference) {
            return same(reference.writtenPoc, entry.poc);
        });
        if (alike > 1)
            return fail(ENOTSUP, "two references are 65536 order counts apart");
    }
    if (!written.idr && !held.empty() && std::abs(int64_t{written.poc} - held.back().writtenPoc) >= 0x8000)
        return fail(ENOTSUP, "DECODE_PARAMS.pic_order_cnt_val %d is too far from the picture before", poc);
    return {};
}

} // namespace

Result<PictureReferences> Dpb::resolve(const Job& job, const DecodeParams& params, const SliceHeader& first) const {
    if (first.isIdr() && params.num_active_dpb_entries > 0)
        return fail(EINVAL, "DECODE_PARAMS.num_active_dpb_entries is %u for an IDR picture (8.3.2)",
                    params.num_active_dpb_entries);
    const auto resolved = resolveEntries(job, params, holds_, references_);
    if (!resolved)
        return tl::unexpected(resolved.error());
    auto references = SetBuilder(params, *resolved, !first.isIntra(), references_).build();
    if (!references)
        return references;
    if (auto checked = checkDistances(references->written, params.pic_order_cnt_val, references_); !checked)
        return tl::unexpected(checked.error());
    return references;
}

void Dpb::decoded(const daedalus_buffer& capture, uint64_t timestamp, int32_t poc, PictureReferences references) {
    references_ = std::move(references.kept);
    references_.push_back({timestamp, poc, references.written.poc});
    holds_.decoded(capture.cookie, timestamp);
}

} // namespace daedalus::hevc
