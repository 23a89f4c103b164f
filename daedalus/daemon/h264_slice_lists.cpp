// SPDX-License-Identifier: MIT
#include "h264_slice_lists.h"

#include <algorithm>
#include <cstdlib>

namespace daedalus::h264 {
namespace {

/// A list of SLICE_PARAMS.
Result<List> givenList(const Picture& picture, const Controls& controls, unsigned list, uint32_t active) {
    const auto& control = list == 0 ? controls.slice.ref_pic_list0 : controls.slice.ref_pic_list1;
    List entries;
    for (uint32_t i = 0; i < active; ++i) {
        ListEntry entry;
        if (control[i].index != 0xff) { // 0xff: GStreamer's mark for a missing picture
            const auto found = std::find_if(picture.dpb.begin(), picture.dpb.end(), [&](const DpbPicture& candidate) {
                return candidate.entry == control[i].index;
            });
            if (found == picture.dpb.end())
                return fail(EINVAL, "SLICE_PARAMS.ref_pic_list%u[%u].index %u is no ACTIVE entry of the DPB", list, i,
                            control[i].index);
            entry.picture = static_cast<int>(found - picture.dpb.begin());
            entry.fields = control[i].fields;
            const bool whole = entry.fields == frame;
            if (picture.isField() == whole || (entry.fields & ~found->fields) != 0 || entry.fields == 0)
                return fail(EINVAL, "SLICE_PARAMS.ref_pic_list%u[%u].fields is %u, the picture is a %s", list, i,
                            entry.fields, structureName(picture.structure));
        }
        entries.push_back(entry);
    }
    return entries;
}

/// May the list entry be named? One of a frame that was inferred cannot.
bool isPicture(const Picture& picture, const ListEntry& entry) {
    return entry.picture != ListEntry::none && (!picture.dpb[static_cast<size_t>(entry.picture)].nonExisting ||
                                                picture.resolved[static_cast<size_t>(entry.picture)].reference >= 0);
}

/// What stands in for a picture of the DPB that is not there: of those that are, the nearest in decoding order; if the
/// control names none, the last one that libavcodec holds. Null: there is none.
const Reference* nearest(const Picture& picture, const std::vector<Reference>& references, const DpbPicture& missing) {
    const Reference* best = nullptr;
    int64_t distance = 0;
    for (size_t i = 0; i < picture.dpb.size(); ++i) {
        if (picture.resolved[i].reference < 0 || (missing.fields & ~picture.dpb[i].fields) != 0)
            continue;
        const int64_t apart = std::abs(int64_t{picture.dpb[i].frameNumWrap} - missing.frameNumWrap);
        if (best && apart >= distance)
            continue;
        best = &references[static_cast<size_t>(picture.resolved[i].reference)];
        distance = apart;
    }
    if (!best && !references.empty() && (missing.fields & ~references.back().fields) == 0)
        best = &references.back();
    return best;
}

/// The command that names the reference. `predicted` is picNumLXPred of clause 8.2.4.3.1.
ListModification modificationFor(const Picture& picture, const Reference& reference, uint8_t fields,
                                 int32_t& predicted) {
    if (reference.longTermFrameIdx >= 0)
        return {2, static_cast<uint32_t>(picture.numberOf(reference.longTermFrameIdx, fields))};
    const int32_t maxPicNum = picture.isField() ? 2 * writtenMaxFrameNum : writtenMaxFrameNum;
    const int32_t picNum = picture.numberOf(static_cast<int32_t>(reference.writtenFrameNum), fields);
    const int32_t difference = ((predicted - picNum) % maxPicNum + maxPicNum) % maxPicNum;
    predicted = picNum;
    return {0, static_cast<uint32_t>(difference == 0 ? maxPicNum - 1 : difference - 1)};
}

} // namespace

Result<std::array<List, 2>> sliceLists(const Picture& picture, const Controls& controls, const SliceHeader& header) {
    std::array<List, 2> lists;
    if (!controls.sliceBased && !header.isIntra())
        lists = initialLists(picture.dpb, picture.current, header.isB());
    for (unsigned list = 0; list < header.lists(); ++list) {
        auto entries = controls.sliceBased ? givenList(picture, controls, list, header.activeRefs[list])
                                           : modifiedList(std::move(lists[list]), header.activeRefs[list],
                                                          header.modifications[list], picture.dpb, picture.current);
        if (!entries)
            return fail(entries.error().code, "RefPicList%u: %s", list, entries.error().message.c_str());
        lists[list] = std::move(*entries);
    }
    return lists;
}

Result<void> writeLists(Picture& picture, const std::vector<Reference>& references, const std::array<List, 2>& lists,
                        SliceHeader& header) {
    for (unsigned list = 0; list < 2; ++list) {
        header.modifications[list].clear();
        const auto filler = std::find_if(lists[list].begin(), lists[list].end(),
                                         [&](const ListEntry& entry) { return isPicture(picture, entry); });
        if (list < header.lists() && filler == lists[list].end())
            return fail(ENODATA, "RefPicList%u (%u entries) has no reference picture: the DPB of the control has %zu",
                        list, header.activeRefs[list], picture.dpb.size());
        int32_t predicted = picture.numberOf(static_cast<int32_t>(picture.writtenFrameNum), picture.structure);
        for (size_t i = 0; i < lists[list].size(); ++i) {
            // An entry without a picture cannot be used by a valid slice, but libavcodec wants one there.
            const ListEntry entry = isPicture(picture, lists[list][i]) ? lists[list][i] : *filler;
            const Resolved& resolved = picture.resolved[static_cast<size_t>(entry.picture)];
            const Reference* reference =
                resolved.reference < 0 ? nearest(picture, references, picture.dpb[static_cast<size_t>(entry.picture)])
                                       : &references[static_cast<size_t>(resolved.reference)];
            if (resolved.damage)
                picture.damage.note(*resolved.damage);
            if (resolved.reference < 0) {
                const auto missing = fail(ENODATA, "RefPicList%u[%zu]: %s", list, i, resolved.reason.c_str());
                if (!reference)
                    return missing;
                picture.damage.note(missing.value());
            }
            header.modifications[list].push_back(modificationFor(picture, *reference, entry.fields, predicted));
        }
    }
    return {};
}

} // namespace daedalus::h264
