// SPDX-License-Identifier: MIT
#ifdef HAVE_UAPI_HEVC

#include "codec/hevc_sps_sets.h"

#include <algorithm>
#include <cstring>

namespace v4l2_request::codec::hevc {

namespace {

using bitstream::HevcLongTermEntry;
using bitstream::HevcSliceHeader;

using ShortTermSet = v4l2_ctrl_hevc_ext_sps_st_rps;

bool isListed(const VAPictureHEVC& picture) {
    return picture.picture_id != VA_INVALID_SURFACE && !(picture.flags & VA_PICTURE_HEVC_INVALID);
}

// The set of the picture, entry by entry (7.3.7 without inter_ref_pic_set_prediction_flag), whatever way it is coded.
ShortTermSet shortTermSetOf(const VAPictureParameterBufferHEVC& picture) {
    std::vector<VAPictureHEVC> references;
    std::ranges::copy_if(picture.ReferenceFrames, std::back_inserter(references), [](const VAPictureHEVC& reference) {
        return isListed(reference) && !(reference.flags & VA_PICTURE_HEVC_LONG_TERM_REFERENCE);
    });
    const auto distance = [&](const VAPictureHEVC& reference) {
        return std::abs(int64_t{reference.pic_order_cnt} - picture.CurrPic.pic_order_cnt);
    };
    std::ranges::sort(references, {}, distance);

    ShortTermSet set{};
    unsigned entry = 0;
    const auto side = [&](bool after, __u8& count, __u16(&deltas)[16]) {
        int64_t previous = 0;
        for (const VAPictureHEVC& reference : references) {
            if ((reference.pic_order_cnt > picture.CurrPic.pic_order_cnt) != after || distance(reference) <= previous)
                continue;
            deltas[count++] = static_cast<uint16_t>(distance(reference) - previous - 1);
            previous = distance(reference);
            const uint32_t current = VA_PICTURE_HEVC_RPS_ST_CURR_BEFORE | VA_PICTURE_HEVC_RPS_ST_CURR_AFTER;
            set.used_by_curr_pic |= (reference.flags & current ? 1u : 0u) << entry++;
        }
    };
    side(false, set.num_negative_pics, set.delta_poc_s0_minus1);
    side(true, set.num_positive_pics, set.delta_poc_s1_minus1);
    return set;
}

uint16_t lsbOf(const VAPictureHEVC& picture, const VAPictureParameterBufferHEVC& parameters) {
    const uint32_t maxLsb = 1u << (parameters.log2_max_pic_order_cnt_lsb_minus4 + 4);
    return static_cast<uint16_t>(static_cast<uint32_t>(picture.pic_order_cnt) & (maxLsb - 1));
}

bool isUsed(const VAPictureHEVC& picture) {
    return picture.flags & VA_PICTURE_HEVC_RPS_LT_CURR;
}

// Whether the entry, of the slice or of what is known of the sequence, stands for this picture (8.3.2).
bool isOf(const VAPictureHEVC& picture, const HevcLongTermEntry& entry, const VAPictureParameterBufferHEVC& parameters,
          const SpsSets& sets) {
    const v4l2_ctrl_hevc_ext_sps_lt_rps known =
        entry.fromSps ? sets.longTerm[entry.ltIdxSps] : v4l2_ctrl_hevc_ext_sps_lt_rps{};
    const uint16_t lsb = entry.fromSps ? known.lt_ref_pic_poc_lsb_sps : entry.pocLsb;
    const bool used = entry.fromSps ? known.flags & V4L2_HEVC_EXT_SPS_LT_RPS_FLAG_USED_LT : entry.usedByCurr;
    if (lsbOf(picture, parameters) != lsb || isUsed(picture) != used)
        return false;
    const int64_t maxLsb = int64_t{1} << (parameters.log2_max_pic_order_cnt_lsb_minus4 + 4);
    const int64_t current = parameters.CurrPic.pic_order_cnt;
    return !entry.msbPresent ||
           picture.pic_order_cnt == lsb + current - entry.deltaPocMsbCycle * maxLsb - (current & (maxLsb - 1)); // (8-5)
}

} // namespace

Result<void> learnShortTermSets(const Picture& picture, SpsSets& sets) {
    const HevcSliceHeader& header = picture.header();
    const size_t count = picture.parameters.num_short_term_ref_pic_sets;
    const auto forget = [&] {
        // A sequence without sets gets an empty one: there are drivers that fail without any.
        sets.shortTerm.assign(std::max<size_t>(count, 1), {});
        sets.shortTermKnown.assign(sets.shortTerm.size(), false);
    };
    if (sets.shortTerm.size() != std::max<size_t>(count, 1))
        forget();
    if (header.idr())
        return {};
    if (header.shortTermSet.present) {
        if (!header.shortTermSet.predicted)
            return {};
        const ShortTermSet& other = sets.shortTerm[count - header.shortTermSet.deltaIdx];
        if (other.num_negative_pics + other.num_positive_pics != header.shortTermSet.numDeltaPocsOfRefRpsIdx)
            return fail(ErrorKind::Unsupported, "HEVC: the slice predicts its references from a set that VA-API lacks");
        return {};
    }
    ShortTermSet set = shortTermSetOf(picture.parameters);
    const uint8_t index = header.shortTermRefPicSetIdx;
    set.abs_delta_rps_minus1 = sets.shortTerm[index].abs_delta_rps_minus1;
    const bool same = std::memcmp(&sets.shortTerm[index], &set, sizeof(set)) == 0;
    if (!same && sets.shortTermKnown[index])
        forget(); // another sequence, which VA-API does not tell from the one before
    sets.shortTermKnown[index] = true;
    if (same)
        return {};
    sets.shortTerm[index] = set;
    // Linux 7.0 to 7.3 look at the first set only to see whether any of them changed. This element means nothing
    // without inter_ref_pic_set_prediction_flag, which no set here has.
    sets.shortTerm.front().abs_delta_rps_minus1 = ++sets.serial;
    return {};
}

// A long-term picture is what explicit entries of the slice name, or entries of the sequence that earlier pictures have
// shown. One entry that is left then stands for the one picture that is left.
Result<void> learnLongTermSets(const Picture& picture, SpsSets& sets) {
    const VAPictureParameterBufferHEVC& parameters = picture.parameters;
    const size_t count =
        parameters.slice_parsing_fields.bits.long_term_ref_pics_present_flag ? parameters.num_long_term_ref_pic_sps : 0;
    if (sets.longTerm.size() != std::max<size_t>(count, 1)) {
        sets.longTerm.assign(std::max<size_t>(count, 1), {});
        sets.longTermKnown.assign(sets.longTerm.size(), false);
    }
    const auto& entries = picture.header().longTermSet;
    if (std::ranges::none_of(entries, &HevcLongTermEntry::fromSps))
        return {};

    std::vector<VAPictureHEVC> pictures;
    std::ranges::copy_if(parameters.ReferenceFrames, std::back_inserter(pictures), [](const VAPictureHEVC& reference) {
        return isListed(reference) && (reference.flags & VA_PICTURE_HEVC_LONG_TERM_REFERENCE);
    });
    std::vector<const HevcLongTermEntry*> unknown;
    for (const HevcLongTermEntry& entry : entries) {
        const bool known = !entry.fromSps || sets.longTermKnown[entry.ltIdxSps];
        const auto found = known ? std::ranges::find_if(pictures,
                                                        [&](const VAPictureHEVC& reference) {
                                                            return isOf(reference, entry, parameters, sets);
                                                        })
                                 : pictures.end();
        if (found != pictures.end())
            pictures.erase(found);
        else if (entry.fromSps)
            unknown.push_back(&entry); // or known, of a picture that is lost or of another sequence
    }
    const auto isKnown = [&](const HevcLongTermEntry* entry) { return sets.longTermKnown[entry->ltIdxSps]; };
    if (unknown.empty() || (pictures.empty() && std::ranges::all_of(unknown, isKnown)))
        return {};
    if (unknown.size() != 1 || pictures.size() != 1)
        return fail(ErrorKind::Unsupported, "HEVC: the long-term pictures of the sequence are not in VA-API");
    const uint8_t index = unknown.front()->ltIdxSps;
    sets.longTerm[index] = {
        .lt_ref_pic_poc_lsb_sps = lsbOf(pictures.front(), parameters),
        .flags = static_cast<uint16_t>(isUsed(pictures.front()) ? V4L2_HEVC_EXT_SPS_LT_RPS_FLAG_USED_LT : 0)};
    sets.longTermKnown[index] = true;
    return {};
}

} // namespace v4l2_request::codec::hevc

#endif // HAVE_UAPI_HEVC
