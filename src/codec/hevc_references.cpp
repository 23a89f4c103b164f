// SPDX-License-Identifier: MIT
#ifdef HAVE_UAPI_HEVC

#include "codec/hevc_references.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>

#include "codec/control_ids.h"

namespace v4l2_request::codec::hevc {

namespace {

using bitstream::HevcLongTermEntry;

struct Reference {
    size_t position; // in ReferenceFrames
    uint32_t flags;
    bool missing;
    v4l2_hevc_dpb_entry entry;
};

int64_t distance(const v4l2_hevc_dpb_entry& a, const v4l2_hevc_dpb_entry& b) {
    return std::abs(int64_t{a.pic_order_cnt_val} - b.pic_order_cnt_val);
}

// Every picture of the reference picture set, also those that only later pictures need: drivers drop what a picture
// does not list.
//
// A reference may have no decoded picture: it precedes the point where decoding started, or it was lost. One that this
// picture does not use is then not listed, as if the set had "no reference picture" there (8.3.2). One that it does use
// keeps its place, or every index behind it would shift, with the timestamp of the closest picture there is, or of the
// picture decoded last where none of the set is there.
std::pmr::vector<Reference> findReferences(const Picture& picture, VASurfaceID target, const References& references,
                                           std::pmr::memory_resource* memory) {
    std::pmr::vector<Reference> found(memory);
    found.reserve(std::size(picture.parameters.ReferenceFrames));
    for (size_t i = 0; i < std::size(picture.parameters.ReferenceFrames); ++i) {
        const VAPictureHEVC& reference = picture.parameters.ReferenceFrames[i];
        if (isInvalid(reference))
            continue;
        const auto find = [&](VASurfaceID surface) {
            return reference.flags & currentFlags ? references.timestamp(surface) : references.listed(surface);
        };
        const auto timestamp = reference.picture_id == target ? std::nullopt : find(reference.picture_id);
        if (!timestamp && (picture.intra() || !(reference.flags & currentFlags)))
            continue;
        const bool longTerm = reference.flags & VA_PICTURE_HEVC_LONG_TERM_REFERENCE;
        const Reference entered{
            .position = i,
            .flags = reference.flags,
            .missing = !timestamp,
            .entry =
                {
                    .timestamp = timestamp.value_or(noTimestamp),
                    .flags = static_cast<uint8_t>(longTerm ? V4L2_HEVC_DPB_ENTRY_LONG_TERM_REFERENCE : 0),
                    .field_pic = picStruct(reference),
                    .pic_order_cnt_val = reference.pic_order_cnt,
                },
        };
        // In decoding order: the order in which a client lists them has no meaning.
        const auto timestampOf = [](const Reference& other) { return other.entry.timestamp; };
        found.insert(std::ranges::upper_bound(found, entered.entry.timestamp, {}, timestampOf), entered);
    }
    const auto missing = std::ranges::find(found, true, &Reference::missing);
    const std::span decoded(found.begin(), missing);
    const auto latest = decoded.empty() && !found.empty() ? references.latest() : std::nullopt;
    for (Reference& reference : std::span(missing, found.end()))
        reference.entry.timestamp = decoded.empty()
                                        ? latest.value_or(noTimestamp)
                                        : std::ranges::min_element(decoded, {}, [&](const Reference& other) {
                                              return distance(other.entry, reference.entry);
                                          })->entry.timestamp;
    return found;
}

// The long-term pictures of the current picture, by their positions in ReferenceFrames, in the order of the slice
// header (8-5): those that the sequence parameter set describes, then those that the header does. VA-API only says
// which they are. The slices' lists, which are in that order before they are modified (8-8, 8-10), tell the places of
// those that are in one; the header tells the others by their picture order counts. What is left after that is in no
// list, and its place makes no difference.
std::optional<std::pmr::vector<uint8_t>> orderLongTerm(const Picture& picture, std::pmr::memory_resource* memory) {
    const VAPictureParameterBufferHEVC& parameters = picture.parameters;
    std::pmr::vector<uint8_t> pictures(memory);
    for (size_t i = 0; i < std::size(parameters.ReferenceFrames); ++i)
        if (!isInvalid(parameters.ReferenceFrames[i]) &&
            (parameters.ReferenceFrames[i].flags & VA_PICTURE_HEVC_RPS_LT_CURR))
            pictures.push_back(static_cast<uint8_t>(i)); // 15 entries

    std::pmr::vector<uint8_t> order(pictures.size(), noPicture, memory);
    const auto place = [&](size_t where, auto&& matches) {
        if (order[where] != noPicture)
            return;
        const auto found = std::ranges::find_if(pictures, matches);
        if (found == pictures.end())
            return;
        order[where] = *found;
        pictures.erase(found);
    };

    const size_t shortTerm =
        countReferences(parameters, VA_PICTURE_HEVC_RPS_ST_CURR_BEFORE | VA_PICTURE_HEVC_RPS_ST_CURR_AFTER);
    const size_t total = shortTerm + order.size();
    for (const ParsedSlice& slice : picture.slices)
        for (unsigned list : {0u, 1u})
            for (size_t i = 0; i < slice.header.numRefIdxActive[list] && total > 0; ++i) {
                const auto& modification = slice.header.listModification[list];
                const size_t initial = modification.present ? modification.entries[i] : i % total;
                if (initial >= shortTerm)
                    place(initial - shortTerm, [&](uint8_t p) { return p == slice.parameters.RefPicList[list][i]; });
            }

    const int64_t poc = parameters.CurrPic.pic_order_cnt;
    const int64_t maxLsb = int64_t{1} << (parameters.log2_max_pic_order_cnt_lsb_minus4 + 4);
    const auto isOwn = [](const HevcLongTermEntry& entry) { return !entry.fromSps && entry.usedByCurr; };
    const auto& entries = picture.header().longTermSet;
    const auto own = static_cast<size_t>(std::ranges::count_if(entries, isOwn));
    if (own > order.size())
        return std::nullopt;
    size_t where = order.size() - own;
    for (const HevcLongTermEntry& entry : entries) {
        if (!isOwn(entry))
            continue;
        const int64_t full = poc - entry.deltaPocMsbCycle * maxLsb - (poc & (maxLsb - 1)) + entry.pocLsb; // 8-5
        place(where++, [&](uint8_t p) {
            const int64_t candidate = parameters.ReferenceFrames[p].pic_order_cnt;
            return entry.msbPresent ? candidate == full : (candidate & (maxLsb - 1)) == entry.pocLsb;
        });
    }
    for (size_t i = 0; i < order.size(); ++i)
        place(i, [](uint8_t) { return true; });
    return order;
}

// Where an entry is, for each of VA-API's ReferenceFrames. A device that finds pictures by their order counts knows no
// picture of a missing one's: there the stand-in is in its place by its own entry, and missing ones have none.
void enter(std::span<const Reference> found, FoundBy foundBy, Dpb& dpb) {
    dpb.indexOf.fill(noPicture);
    for (const Reference& reference : found) {
        dpb.missing[reference.position] = reference.missing;
        auto same = dpb.entries.end();
        if (reference.missing && foundBy == FoundBy::OrderCount) {
            same = std::ranges::find(dpb.entries, reference.entry.timestamp, &v4l2_hevc_dpb_entry::timestamp);
            if (same == dpb.entries.end())
                continue;
        }
        dpb.indexOf[reference.position] = static_cast<uint8_t>(same - dpb.entries.begin());
        if (same == dpb.entries.end())
            dpb.entries.push_back(reference.entry);
    }
}

} // namespace

Result<Dpb> buildDpb(const Picture& picture, VASurfaceID target, const References& references, FoundBy foundBy,
                     std::pmr::memory_resource* memory) {
    auto found = findReferences(picture, target, references, memory);
    if (found.empty() && !picture.intra())
        return fail(ErrorKind::Decoding, "HEVC: a predicted picture without any reference");
    Dpb dpb(memory);
    enter(found, foundBy, dpb);
    // 8.3.2: by the order counts that the pictures were coded with, also where another stands in.
    const auto fill = [&](std::pmr::vector<uint8_t>& set, uint32_t flag, bool closestIsLargest) {
        std::ranges::sort(found, {}, [&](const Reference& reference) {
            const int64_t count = reference.entry.pic_order_cnt_val;
            return std::pair(closestIsLargest ? -count : count, reference.position);
        });
        for (const Reference& reference : found)
            if (reference.flags & flag && dpb.indexOf[reference.position] != noPicture)
                set.push_back(dpb.indexOf[reference.position]);
    };
    fill(dpb.stCurrBefore, VA_PICTURE_HEVC_RPS_ST_CURR_BEFORE, true);
    fill(dpb.stCurrAfter, VA_PICTURE_HEVC_RPS_ST_CURR_AFTER, false);

    const auto longTerm = orderLongTerm(picture, memory);
    if (!longTerm)
        return fail(ErrorKind::Decoding, "HEVC: fewer long-term references than the slice header uses");
    for (const uint8_t position : *longTerm)
        if (position != noPicture && dpb.indexOf[position] != noPicture)
            dpb.ltCurr.push_back(dpb.indexOf[position]);
    return dpb;
}

bool findPrediction(const Picture& picture, const Dpb& dpb, std::pmr::vector<VASurfaceID>& from) {
    bool whole = true;
    for (const ParsedSlice& slice : picture.slices)
        for (const unsigned list : {0u, 1u})
            for (const uint8_t position :
                 std::span(slice.parameters.RefPicList[list]).first(slice.header.numRefIdxActive[list])) {
                const bool there =
                    position < dpb.indexOf.size() && dpb.indexOf[position] != noPicture && !dpb.missing[position];
                whole = whole && there;
                if (!there)
                    continue;
                const VASurfaceID surface = picture.parameters.ReferenceFrames[position].picture_id;
                if (std::ranges::find(from, surface) == from.end())
                    from.push_back(surface);
            }
    return whole;
}

} // namespace v4l2_request::codec::hevc

#endif // HAVE_UAPI_HEVC
