// SPDX-License-Identifier: MIT
#include "h264/lists.h"

#include <algorithm>
#include <climits>
#include <utility>

namespace daedalus::h264 {
namespace {

using Order = std::vector<int>;

/// PicOrderCnt() of clause 8.2.1 for the fields that are references.
int32_t order(const DpbPicture& picture) {
    switch (picture.fields) {
    case top: return picture.poc[0];
    case bottom: return picture.poc[1];
    default: return std::min(picture.poc[0], picture.poc[1]);
    }
}

template <typename Select>
Order select(std::span<const DpbPicture> pictures, Select&& wanted) {
    Order order;
    for (size_t i = 0; i < pictures.size(); ++i) {
        if (wanted(pictures[i]))
            order.push_back(static_cast<int>(i));
    }
    return order;
}

template <typename Key>
void sortBy(Order& indices, std::span<const DpbPicture> pictures, Key&& key) {
    std::stable_sort(indices.begin(), indices.end(), [&](int left, int right) {
        return key(pictures[static_cast<size_t>(left)]) < key(pictures[static_cast<size_t>(right)]);
    });
}

/// Clause 8.2.4.2.5: fields taken in turns, the parity of the current field first; a frame without the wanted field is
/// skipped, and when one parity has no more the rest of the other follows.
List alternate(const Order& frames, std::span<const DpbPicture> pictures, uint8_t structure) {
    List list;
    const std::array<uint8_t, 2> parities = {structure, static_cast<uint8_t>(structure ^ frame)};
    std::array<size_t, 2> next{};
    const auto advance = [&](size_t which) {
        while (next[which] < frames.size() &&
               !(pictures[static_cast<size_t>(frames[next[which]])].fields & parities[which]))
            ++next[which];
        return next[which] < frames.size();
    };
    size_t which = 0;
    while (true) {
        if (!advance(which)) {
            which ^= 1;
            while (advance(which))
                list.push_back({frames[next[which]++], parities[which]});
            return list;
        }
        list.push_back({frames[next[which]++], parities[which]});
        which ^= 1;
    }
}

} // namespace

std::array<List, 2> initialLists(std::span<const DpbPicture> pictures, const CurrentPicture& current, bool isB) {
    const bool field = current.structure != frame;
    const auto usable = [&](const DpbPicture& picture) {
        return field ? picture.fields != 0 : picture.fields == frame;
    };

    Order longTerm = select(pictures, [&](const DpbPicture& picture) { return picture.longTerm && usable(picture); });
    sortBy(longTerm, pictures, [](const DpbPicture& picture) { return picture.longTermFrameIdx; });

    std::array<Order, 2> shortTerm;
    if (!isB) {
        shortTerm[0] =
            select(pictures, [&](const DpbPicture& picture) { return !picture.longTerm && usable(picture); });
        sortBy(shortTerm[0], pictures, [](const DpbPicture& picture) { return -int64_t{picture.frameNumWrap}; });
    } else {
        // A non-existing frame has no order count of its own when the type is 0: clause 8.2.4.2.3 leaves it out.
        const auto candidate = [&](const DpbPicture& picture) {
            return !picture.longTerm && usable(picture) && !(picture.nonExisting && current.pocTypeZero);
        };
        // A field may refer to the first field of its own frame, whose order count may equal its own (8.2.4.2.4).
        const auto isBefore = [&](const DpbPicture& picture) {
            return field ? order(picture) <= current.poc : order(picture) < current.poc;
        };
        Order before = select(pictures, [&](const DpbPicture& p) { return candidate(p) && isBefore(p); });
        Order after = select(pictures, [&](const DpbPicture& p) { return candidate(p) && !isBefore(p); });
        sortBy(before, pictures, [](const DpbPicture& picture) { return -int64_t{order(picture)}; });
        sortBy(after, pictures, [](const DpbPicture& picture) { return int64_t{order(picture)}; });
        shortTerm[0] = before;
        shortTerm[0].insert(shortTerm[0].end(), after.begin(), after.end());
        shortTerm[1] = after;
        shortTerm[1].insert(shortTerm[1].end(), before.begin(), before.end());
    }

    std::array<List, 2> lists;
    for (size_t i = 0; i < (isB ? 2u : 1u); ++i) {
        if (field) {
            lists[i] = alternate(shortTerm[i], pictures, current.structure);
            const List rest = alternate(longTerm, pictures, current.structure);
            lists[i].insert(lists[i].end(), rest.begin(), rest.end());
        } else {
            for (const int picture : shortTerm[i])
                lists[i].push_back({picture, frame});
            for (const int picture : longTerm)
                lists[i].push_back({picture, frame});
        }
    }
    if (isB && lists[1].size() > 1 && lists[0] == lists[1])
        std::swap(lists[1][0], lists[1][1]);
    return lists;
}

Result<List> modifiedList(List initial, uint32_t active, std::span<const ListModification> modifications,
                          std::span<const DpbPicture> pictures, const CurrentPicture& current) {
    const bool field = current.structure != frame;
    const int32_t maxPicNum = field ? 2 * current.maxFrameNum : current.maxFrameNum;
    const int32_t currPicNum = field ? 2 * current.frameNum + 1 : current.frameNum;

    // PicNum and LongTermPicNum, clause 8.2.4.1: of a frame its number, of a field twice that, plus 1 for the parity
    // of the current field.
    const auto find = [&](bool longTerm, int64_t number) -> ListEntry {
        for (size_t i = 0; i < pictures.size(); ++i) {
            const DpbPicture& picture = pictures[i];
            if (picture.longTerm != longTerm || picture.nonExisting)
                continue;
            const int64_t base = longTerm ? picture.longTermFrameIdx : picture.frameNumWrap;
            if (!field) {
                if (picture.fields == frame && base == number)
                    return {static_cast<int>(i), frame};
                continue;
            }
            const auto other = static_cast<uint8_t>(current.structure ^ frame);
            if ((picture.fields & current.structure) && 2 * base + 1 == number)
                return {static_cast<int>(i), current.structure};
            if ((picture.fields & other) && 2 * base == number)
                return {static_cast<int>(i), other};
        }
        return {};
    };

    initial.resize(active);
    List list = std::move(initial);
    int64_t predicted = currPicNum;
    size_t index = 0;
    for (const ListModification& modification : modifications) {
        ListEntry entry;
        if (modification.idc == 2) {
            entry = find(true, modification.value);
            if (entry.picture == ListEntry::none)
                return fail(EINVAL, "8.2.4.3.2: no long-term picture of DECODE_PARAMS.dpb has LongTermPicNum %u",
                            modification.value);
        } else {
            const int64_t difference = static_cast<int64_t>(modification.value) + 1;
            if (difference > maxPicNum)
                return fail(EBADMSG, "slice header: abs_diff_pic_num_minus1 %u, MaxPicNum is %d", modification.value,
                            maxPicNum);
            predicted += modification.idc == 0 ? -difference : difference;
            if (predicted < 0)
                predicted += maxPicNum;
            if (predicted >= maxPicNum)
                predicted -= maxPicNum;
            const int64_t picNum = predicted > currPicNum ? predicted - maxPicNum : predicted;
            entry = find(false, picNum);
            if (entry.picture == ListEntry::none)
                return fail(EINVAL, "8.2.4.3.1: no short-term picture of DECODE_PARAMS.dpb has PicNum %lld",
                            static_cast<long long>(picNum));
        }
        // Clause 8.2.4.3: insert, and drop the same picture behind.
        if (index >= list.size())
            return fail(EBADMSG, "slice header: more modifications than entries");
        list.insert(list.begin() + static_cast<ptrdiff_t>(index), entry);
        ++index;
        const auto duplicate = std::find(list.begin() + static_cast<ptrdiff_t>(index), list.end(), entry);
        list.erase(duplicate != list.end() ? duplicate : list.end() - 1);
    }
    return list;
}

} // namespace daedalus::h264
