// SPDX-License-Identifier: MIT
#include "h264/slice_lists.h"

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

/// What stands in for a picture that is not there: of those of the DPB that are, the nearest in decoding order; if the
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
    for (size_t i = references.size(); !best && i-- > 0;) {
        if ((missing.fields & ~references[i].fields) == 0)
            best = &references[i];
    }
    return best;
}

/// The picture that an entry of a list stands for, or what stands in for it; then that is noted as damage. `place`
/// names the entry.
Result<const Reference*> referenceOf(Picture& picture, const std::vector<Reference>& references, const ListEntry& entry,
                                     const std::string& place) {
    DpbPicture wanted;
    wanted.fields = entry.fields;
    wanted.frameNumWrap = picture.current.frameNum;
    Resolved resolved;
    resolved.reason = "the DPB of the control has no reference picture";
    if (entry.picture != ListEntry::none) {
        wanted = picture.dpb[static_cast<size_t>(entry.picture)];
        resolved = picture.resolved[static_cast<size_t>(entry.picture)];
    }
    if (resolved.damage)
        picture.damage.note(*resolved.damage);
    if (resolved.reference >= 0)
        return &references[static_cast<size_t>(resolved.reference)];
    const Error missing{ENODATA, place + ": " + resolved.reason};
    const Reference* standIn = nearest(picture, references, wanted);
    if (!standIn)
        return tl::unexpected(missing);
    picture.damage.note(missing);
    return standIn;
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
    if (picture.dpb.empty()) { // of a damaged stream: there is nothing to name
        for (unsigned list = 0; list < header.lists(); ++list)
            lists[list].resize(header.activeRefs[list]);
        return lists;
    }
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
        int32_t predicted = picture.numberOf(static_cast<int32_t>(picture.writtenFrameNum), picture.structure);
        for (size_t i = 0; i < lists[list].size(); ++i) {
            // An entry without a picture cannot be used by a valid slice, but libavcodec wants one there.
            ListEntry entry = lists[list][i];
            if (!isPicture(picture, entry))
                entry = filler != lists[list].end() ? *filler : ListEntry{ListEntry::none, picture.structure};
            const auto reference = referenceOf(picture, references, entry,
                                               "RefPicList" + std::to_string(list) + '[' + std::to_string(i) + ']');
            if (!reference)
                return tl::unexpected(reference.error());
            header.modifications[list].push_back(modificationFor(picture, **reference, entry.fields, predicted));
        }
    }
    return {};
}

} // namespace daedalus::h264
