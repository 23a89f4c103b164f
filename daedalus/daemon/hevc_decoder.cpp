// SPDX-License-Identifier: MIT
//
// HEVC from V4L2 stateless controls, by way of libavcodec.
//
// libavcodec wants a stream with its own headers; the controls say all that anew with every picture. So a stream is
// written for it in which only the slice data is the client's: the parameter sets come from the controls, and every
// slice segment header is written again with the reference picture set that DECODE_PARAMS gives, entry by entry.
// libavcodec thus predicts from nothing else, and drops what DECODE_PARAMS does not list.
//
// Whatever the controls say that is in the payload too is compared with it: pixels would not always show a difference,
// while some hardware reads the one and some the other.
#include "decoder.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

#include "hevc_headers.h"
#include "nal.h"
#include "picture_decoder.h"
#include "references.h"

namespace daedalus {
namespace hevc {
namespace {

using SliceParams = v4l2_ctrl_hevc_slice_params;

constexpr uint8_t noPicture = 0xff; ///< how clients mark an index that names nothing

/// The controls of one job.
struct Controls {
    Sps sps{};
    Pps pps{};
    std::optional<ScalingMatrix> scaling;
    DecodeParams decode{};
    bool sliceBased = false;
    bool startCodes = false;
    std::vector<SliceParams> slices;
    std::vector<uint32_t> entryPoints;
};

/// A picture that libavcodec holds as reference.
struct Reference {
    uint64_t timestamp = 0;
    int32_t poc = 0; ///< as the controls had it
    int32_t writtenPoc = 0;
};

/// What an entry of the control's DPB turned out to be.
struct Resolved {
    const Reference* reference = nullptr; ///< null: there is none, for the reason given
    std::string reason;
    bool unavailable = false; ///< the client says that there is none
};

/// A picture whose slices are being collected.
struct Picture {
    uint64_t timestamp = 0;
    daedalus_format format{};
    daedalus_buffer capture{};
    Controls controls;
    SliceHeader first;
    std::optional<SliceHeader> slice; ///< the last independent one
    WrittenPicture written;
    std::vector<Reference> references;  ///< held after it, itself left out
    std::optional<std::string> missing; ///< why it lacks a picture that it predicts from
    std::vector<uint32_t> addresses;
    std::vector<std::vector<uint8_t>> slices;
    std::optional<Error> failure;
};

template <typename T>
std::vector<T> arrayOf(const Job& job, uint32_t id) {
    const Control* found = job.find(id);
    std::vector<T> elements(found ? found->payload.size() / sizeof(T) : 0);
    if (!elements.empty())
        std::memcpy(elements.data(), found->payload.data(), elements.size() * sizeof(T));
    return elements;
}

Result<Controls> readControls(const Job& job) {
    Controls controls;
    auto sps = job.control<Sps>(V4L2_CID_STATELESS_HEVC_SPS, "HEVC_SPS");
    auto pps = job.control<Pps>(V4L2_CID_STATELESS_HEVC_PPS, "HEVC_PPS");
    auto decode = job.control<DecodeParams>(V4L2_CID_STATELESS_HEVC_DECODE_PARAMS, "HEVC_DECODE_PARAMS");
    auto mode = job.control<int32_t>(V4L2_CID_STATELESS_HEVC_DECODE_MODE, "HEVC_DECODE_MODE");
    auto code = job.control<int32_t>(V4L2_CID_STATELESS_HEVC_START_CODE, "HEVC_START_CODE");
    if (!sps)
        return tl::unexpected(sps.error());
    if (!pps)
        return tl::unexpected(pps.error());
    if (!decode)
        return tl::unexpected(decode.error());
    if (!mode)
        return tl::unexpected(mode.error());
    if (!code)
        return tl::unexpected(code.error());
    if (auto checked = checkSps(*sps); !checked)
        return tl::unexpected(checked.error());
    controls.sps = *sps;
    controls.pps = *pps;
    controls.decode = *decode;
    controls.sliceBased = *mode == V4L2_STATELESS_HEVC_DECODE_MODE_SLICE_BASED;
    controls.startCodes = *code == V4L2_STATELESS_HEVC_START_CODE_ANNEX_B;
    if (controls.sps.flags & V4L2_HEVC_SPS_FLAG_SCALING_LIST_ENABLED) {
        auto scaling = job.control<ScalingMatrix>(V4L2_CID_STATELESS_HEVC_SCALING_MATRIX, "HEVC_SCALING_MATRIX");
        if (!scaling)
            return tl::unexpected(scaling.error());
        controls.scaling = *scaling;
    }
    controls.slices = arrayOf<SliceParams>(job, V4L2_CID_STATELESS_HEVC_SLICE_PARAMS);
    controls.entryPoints = arrayOf<uint32_t>(job, V4L2_CID_STATELESS_HEVC_ENTRY_POINT_OFFSETS);

    const DecodeParams& params = controls.decode;
    constexpr unsigned most = V4L2_HEVC_DPB_ENTRIES_NUM_MAX;
    if (params.num_active_dpb_entries > most || params.num_poc_st_curr_before > most ||
        params.num_poc_st_curr_after > most || params.num_poc_lt_curr > most)
        return fail(EINVAL,
                    "DECODE_PARAMS.num_active_dpb_entries %u, num_poc_st_curr_before %u, num_poc_st_curr_after %u, "
                    "num_poc_lt_curr %u (at most %u)",
                    params.num_active_dpb_entries, params.num_poc_st_curr_before, params.num_poc_st_curr_after,
                    params.num_poc_lt_curr, most);
    return controls;
}

/// A field of a control and what the payload says.
struct Pair {
    const char* field;
    int64_t control, stream;
    bool matters = true; ///< false: the payload leaves it open
};

Result<void> compare(const char* control, std::span<const Pair> pairs) {
    for (const Pair& pair : pairs) {
        if (pair.matters && pair.control != pair.stream)
            return fail(EINVAL, "%s.%s is %lld, the slice header says %lld", control, pair.field,
                        static_cast<long long>(pair.control), static_cast<long long>(pair.stream));
    }
    return {};
}

Result<void> compareDecodeParams(const Controls& controls, const SliceHeader& header) {
    const DecodeParams& params = controls.decode;
    const auto flag = [&](uint64_t mask) { return (params.flags & mask) != 0; };
    const uint32_t maxLsb = 1u << (controls.sps.log2_max_pic_order_cnt_lsb_minus4 + 4);
    const Pair pairs[] = {
        {"flags IRAP_PIC", flag(V4L2_HEVC_DECODE_PARAM_FLAG_IRAP_PIC), header.isIrap()},
        {"flags IDR_PIC", flag(V4L2_HEVC_DECODE_PARAM_FLAG_IDR_PIC), header.isIdr()},
        {"flags NO_OUTPUT_OF_PRIOR", flag(V4L2_HEVC_DECODE_PARAM_FLAG_NO_OUTPUT_OF_PRIOR), header.noOutputOfPriorPics},
        {"pic_order_cnt_val (low bits)", static_cast<uint32_t>(params.pic_order_cnt_val) & (maxLsb - 1), header.pocLsb},
        {"short_term_ref_pic_set_size", params.short_term_ref_pic_set_size, static_cast<int64_t>(header.shortTermBits)},
        {"long_term_ref_pic_set_size", params.long_term_ref_pic_set_size, static_cast<int64_t>(header.longTermBits)},
        // Of the set that the header's own is predicted from: without one there is nothing to count.
        {"num_delta_pocs_of_ref_rps_idx", params.num_delta_pocs_of_ref_rps_idx, 0,
         header.inlineSet.has_value() || !header.inlineSetPresent},
    };
    return compare("DECODE_PARAMS", pairs);
}

/// Where the slice header has its short-term set entry by entry: the lists of DECODE_PARAMS are those (8-5).
Result<void> compareShortTermSet(const DecodeParams& params, const SliceHeader& header) {
    if (!header.inlineSet || header.isIntra())
        return {};
    const auto side = [&](const char* field, std::span<const uint8_t> indices,
                          const std::vector<SetEntry>& entries) -> Result<void> {
        size_t next = 0;
        for (const SetEntry& entry : entries) {
            if (!entry.used)
                continue;
            const long long poc = int64_t{params.pic_order_cnt_val} + entry.poc;
            if (next == indices.size())
                return fail(EINVAL, "DECODE_PARAMS.num_%s is %zu, the slice header has more: %lld", field, next, poc);
            const uint8_t index = indices[next];
            if (index >= params.num_active_dpb_entries || params.dpb[index].pic_order_cnt_val != poc)
                return fail(EINVAL, "DECODE_PARAMS.%s[%zu] is %u, the slice header has the order count %lld there",
                            field, next, index, poc);
            ++next;
        }
        if (next != indices.size())
            return fail(EINVAL, "DECODE_PARAMS.num_%s is %zu, the slice header has %zu", field, indices.size(), next);
        return {};
    };
    if (auto before = side("poc_st_curr_before", {params.poc_st_curr_before, params.num_poc_st_curr_before},
                           header.inlineSet->before);
        !before)
        return before;
    return side("poc_st_curr_after", {params.poc_st_curr_after, params.num_poc_st_curr_after}, header.inlineSet->after);
}

/// 8.3.4: the list as indices into the DPB of the control.
std::vector<uint8_t> referenceList(const DecodeParams& params, const SliceHeader& header, unsigned list) {
    const std::span before(params.poc_st_curr_before, params.num_poc_st_curr_before);
    const std::span after(params.poc_st_curr_after, params.num_poc_st_curr_after);
    const std::span longTerm(params.poc_lt_curr, params.num_poc_lt_curr);
    std::vector<uint8_t> initial;
    for (const auto part : {list == 0 ? before : after, list == 0 ? after : before, longTerm})
        initial.insert(initial.end(), part.begin(), part.end());
    std::vector<uint8_t> entries;
    for (size_t i = 0; i < header.activeRefs[list] && !initial.empty(); ++i) {
        const auto& modified = header.listEntries[list];
        entries.push_back(initial[modified ? (*modified)[i] : i % initial.size()]);
    }
    return entries;
}

Result<void> compareWeights(const v4l2_hevc_pred_weight_table& control, const SliceHeader& header) {
    if (!header.weights)
        return {};
    const WeightTable& table = *header.weights;
    const Pair denominators[] = {
        {"luma_log2_weight_denom", control.luma_log2_weight_denom, table.lumaLog2Denom},
        {"delta_chroma_log2_weight_denom", control.delta_chroma_log2_weight_denom, table.deltaChromaLog2Denom},
    };
    if (auto compared = compare("SLICE_PARAMS.pred_weight_table", denominators); !compared)
        return compared;
    const auto chromaDenominator = static_cast<int>(table.lumaLog2Denom) + table.deltaChromaLog2Denom;
    for (unsigned list = 0; list < header.lists(); ++list) {
        for (size_t i = 0; i < table.lists[list].size(); ++i) {
            const Weight& weight = table.lists[list][i];
            // 7-56, for 8 bits per sample
            const auto offset = [&](size_t j) {
                const int scaled = (128 * ((1 << chromaDenominator) + weight.deltaChroma[j])) >> chromaDenominator;
                return weight.chroma ? std::clamp(128 + weight.deltaChromaOffset[j] - scaled, -128, 127) : 0;
            };
            const bool l0 = list == 0;
            const auto& chroma = l0 ? control.delta_chroma_weight_l0[i] : control.delta_chroma_weight_l1[i];
            const auto& offsets = l0 ? control.chroma_offset_l0[i] : control.chroma_offset_l1[i];
            const Pair pairs[] = {
                {"delta_luma_weight", l0 ? control.delta_luma_weight_l0[i] : control.delta_luma_weight_l1[i],
                 weight.deltaLuma},
                {"luma_offset", l0 ? control.luma_offset_l0[i] : control.luma_offset_l1[i], weight.lumaOffset},
                {"delta_chroma_weight[0]", chroma[0], weight.deltaChroma[0]},
                {"delta_chroma_weight[1]", chroma[1], weight.deltaChroma[1]},
                {"chroma_offset[0]", offsets[0], offset(0)},
                {"chroma_offset[1]", offsets[1], offset(1)},
            };
            if (auto compared = compare("SLICE_PARAMS.pred_weight_table", pairs); !compared)
                return compared;
        }
    }
    return {};
}

/// A slice segment of the payload.
struct Segment {
    std::span<const uint8_t> nal;
    size_t startCodeBytes = 0;
    size_t room = 0; ///< bytes up to what follows in the payload
};

/// Sizes are those of the payload; GStreamer leaves the emulation prevention bytes of the header out of
/// data_byte_offset, the kernel says neither.
Result<void> compareSizes(const SliceParams& params, const SliceHeader& header, const Segment& segment) {
    const size_t least = segment.startCodeBytes + segment.nal.size();
    const size_t most = segment.startCodeBytes + segment.room;
    if (params.bit_size % 8 != 0 || params.bit_size / 8 < least || params.bit_size / 8 > most)
        return fail(EINVAL, "SLICE_PARAMS.bit_size is %u, the slice segment has %zu bytes", params.bit_size, least);
    size_t raw = 0; // the header's bytes as they are in the NAL unit
    unsigned zeros = 0;
    for (size_t payload = 0; payload < header.headerBytes && raw < segment.nal.size(); ++raw) {
        const uint8_t byte = segment.nal[raw];
        if (zeros >= 2 && byte == 3) {
            zeros = 0;
            continue;
        }
        zeros = byte == 0 ? zeros + 1 : 0;
        ++payload;
    }
    if (params.data_byte_offset != segment.startCodeBytes + raw &&
        params.data_byte_offset != segment.startCodeBytes + header.headerBytes)
        return fail(EINVAL, "SLICE_PARAMS.data_byte_offset is %u, the slice data begin at %zu", params.data_byte_offset,
                    segment.startCodeBytes + raw);
    return {};
}

Result<void> compareSliceParams(const SliceParams& params, const Controls& controls, const SliceHeader& header,
                                const Segment& segment) {
    if (auto compared = compareSizes(params, header, segment); !compared)
        return compared;
    const auto flag = [&](uint64_t mask) { return (params.flags & mask) != 0; };
    const bool inter = !header.isIntra();
    const bool deblocked = !header.deblockingDisabled;
    const Pair pairs[] = {
        {"num_entry_point_offsets", params.num_entry_point_offsets, static_cast<int64_t>(header.entryPoints.size())},
        {"nal_unit_type", params.nal_unit_type, header.nalType},
        {"nuh_temporal_id_plus1", params.nuh_temporal_id_plus1, header.temporalIdPlus1},
        {"slice_type", params.slice_type, static_cast<int64_t>(header.type)},
        {"colour_plane_id", params.colour_plane_id, header.colourPlane},
        {"slice_pic_order_cnt", params.slice_pic_order_cnt, controls.decode.pic_order_cnt_val},
        {"num_ref_idx_l0_active_minus1", params.num_ref_idx_l0_active_minus1, int64_t{header.activeRefs[0]} - 1, inter},
        {"num_ref_idx_l1_active_minus1", params.num_ref_idx_l1_active_minus1, int64_t{header.activeRefs[1]} - 1,
         header.isB()},
        {"collocated_ref_idx", params.collocated_ref_idx, header.collocatedRefIdx, inter && header.temporalMvp},
        {"five_minus_max_num_merge_cand", params.five_minus_max_num_merge_cand, header.fiveMinusMaxNumMergeCand, inter},
        {"slice_qp_delta", params.slice_qp_delta, header.qpDelta},
        {"slice_cb_qp_offset", params.slice_cb_qp_offset, header.cbQpOffset},
        {"slice_cr_qp_offset", params.slice_cr_qp_offset, header.crQpOffset},
        {"slice_act_y_qp_offset", params.slice_act_y_qp_offset, 0},
        {"slice_act_cb_qp_offset", params.slice_act_cb_qp_offset, 0},
        {"slice_act_cr_qp_offset", params.slice_act_cr_qp_offset, 0},
        {"slice_beta_offset_div2", params.slice_beta_offset_div2, header.betaOffsetDiv2, deblocked},
        {"slice_tc_offset_div2", params.slice_tc_offset_div2, header.tcOffsetDiv2, deblocked},
        {"slice_segment_addr", params.slice_segment_addr, header.address},
        {"short_term_ref_pic_set_size", params.short_term_ref_pic_set_size, static_cast<int64_t>(header.shortTermBits)},
        {"long_term_ref_pic_set_size", params.long_term_ref_pic_set_size, static_cast<int64_t>(header.longTermBits)},
        {"flags SLICE_SAO_LUMA", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_SAO_LUMA), header.saoLuma},
        {"flags SLICE_SAO_CHROMA", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_SAO_CHROMA), header.saoChroma},
        {"flags SLICE_TEMPORAL_MVP_ENABLED", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_TEMPORAL_MVP_ENABLED),
         header.temporalMvp},
        {"flags MVD_L1_ZERO", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_MVD_L1_ZERO), header.mvdL1Zero},
        {"flags CABAC_INIT", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_CABAC_INIT), header.cabacInit},
        {"flags COLLOCATED_FROM_L0", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_COLLOCATED_FROM_L0), header.collocatedFromL0,
         inter && header.temporalMvp},
        {"flags USE_INTEGER_MV", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_USE_INTEGER_MV), false},
        {"flags SLICE_DEBLOCKING_FILTER_DISABLED", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_DEBLOCKING_FILTER_DISABLED),
         header.deblockingDisabled},
        {"flags SLICE_LOOP_FILTER_ACROSS_SLICES_ENABLED",
         flag(V4L2_HEVC_SLICE_PARAMS_FLAG_SLICE_LOOP_FILTER_ACROSS_SLICES_ENABLED), header.loopFilterAcrossSlices},
        {"flags DEPENDENT_SLICE_SEGMENT", flag(V4L2_HEVC_SLICE_PARAMS_FLAG_DEPENDENT_SLICE_SEGMENT), header.dependent},
    };
    if (auto compared = compare("SLICE_PARAMS", pairs); !compared)
        return compared;
    for (unsigned list = 0; list < header.lists(); ++list) {
        const auto& control = list == 0 ? params.ref_idx_l0 : params.ref_idx_l1;
        const std::vector<uint8_t> expected = referenceList(controls.decode, header, list);
        for (size_t i = 0; i < expected.size(); ++i) {
            if (control[i] != expected[i])
                return fail(EINVAL, "SLICE_PARAMS.ref_idx_l%u[%zu] is %u, RefPicList%u has the DPB's entry %u there",
                            list, i, control[i], list, expected[i]);
        }
    }
    return compareWeights(params.pred_weight_table, header);
}

class HevcDecoder final : public Decoder {
public:
    Result<void> decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) override;
    Result<void> finishHeld(uint64_t capture, PictureSink& sink) override {
        return pending_ && pending_->capture.cookie == capture ? finish(sink) : Result<void>{};
    }
    void forgetBuffer(uint64_t cookie) override { holds_.forget(cookie); }

private:
    Result<void> collect(const Job& job, std::span<const uint8_t> payload);
    Result<void> addSegment(const Job& job, const Controls& controls, const Segment& segment, size_t number,
                            size_t& entryPoint);
    Result<void> begin(const Job& job, const Controls& controls, const SliceHeader& header);
    Result<void> prepareDecoder(const Sps& sps);
    Result<std::vector<Resolved>> resolveDpb(const Job& job, const Picture& picture);
    Result<void> chooseReferences(Picture& picture, const std::vector<Resolved>& resolved);
    Result<void> finish(PictureSink& sink);

    std::unique_ptr<PictureDecoder> decoder_;
    std::vector<uint8_t> sps_; ///< as libavcodec has them
    std::vector<uint8_t> pps_;
    bool fed_ = false;  ///< sps_ is in libavcodec
    bool lost_ = false; ///< libavcodec failed: what it holds is not known any more

    References holds_;
    std::vector<Reference> references_; ///< in decoding order
    std::optional<Picture> pending_;
};

Result<void> HevcDecoder::decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) {
    if (pending_ && pending_->timestamp != job.timestamp())
        (void)finish(sink); // Its last job never came; it may still be a reference.
    auto done = pending_ && pending_->failure ? tl::unexpected(*pending_->failure) : collect(job, payload);
    if (!done) {
        // The rest of this picture, in later jobs, has nothing to be added to.
        if (!job.holdsCapture())
            pending_.reset();
        else if (pending_)
            pending_->failure = done.error();
        return done;
    }
    if (!job.holdsCapture())
        return finish(sink);
    return {};
}

Result<void> HevcDecoder::collect(const Job& job, std::span<const uint8_t> payload) {
    auto controls = readControls(job);
    if (!controls)
        return tl::unexpected(controls.error());
    if (controls->startCodes != startsWithStartCode(payload))
        return fail(EBADMSG, "START_CODE says that the payload has %s", controls->startCodes ? "start codes" : "none");

    std::vector<Segment> segments;
    if (controls->startCodes) {
        for (const std::span<const uint8_t> nal : splitAnnexB(payload)) {
            const auto offset = static_cast<size_t>(nal.data() - payload.data());
            if (!segments.empty())
                segments.back().room = offset - 3 - static_cast<size_t>(segments.back().nal.data() - payload.data());
            segments.push_back({nal, 3, payload.size() - offset});
        }
    } else if (!payload.empty()) {
        segments.push_back({payload, 0, payload.size()});
    }
    std::erase_if(segments, [](const Segment& segment) { return (segment.nal[0] >> 1 & 0x3f) >= vpsNal; });
    if (segments.empty())
        return fail(EBADMSG, "no slice segment in a payload of %zu bytes", payload.size());
    if (controls->sliceBased && segments.size() > 1)
        return fail(EBADMSG, "%zu NAL units in one job, DECODE_MODE is slice-based", segments.size());
    if (controls->slices.size() != segments.size())
        return fail(EINVAL, "SLICE_PARAMS has %zu elements for %zu slice segments", controls->slices.size(),
                    segments.size());

    size_t entryPoint = 0;
    for (size_t i = 0; i < segments.size(); ++i) {
        if (auto added = addSegment(job, *controls, segments[i], i, entryPoint); !added)
            return added;
    }
    if (entryPoint != 0 && entryPoint != controls->entryPoints.size())
        return fail(EINVAL, "ENTRY_POINT_OFFSETS has %zu elements, the slice segments have %zu",
                    controls->entryPoints.size(), entryPoint);
    return {};
}

Result<void> HevcDecoder::addSegment(const Job& job, const Controls& controls, const Segment& segment, size_t number,
                                     size_t& entryPoint) {
    const std::vector<uint8_t> rbsp = unescape(segment.nal);
    auto parsed = parseSlice(rbsp, controls.sps, controls.pps, controls.decode,
                             pending_ && pending_->slice ? &*pending_->slice : nullptr);
    if (!parsed)
        return tl::unexpected(parsed.error());
    const SliceHeader& header = *parsed;
    if (header.ppsId != controls.pps.pic_parameter_set_id)
        return fail(EINVAL, "PPS.pic_parameter_set_id is %u, the slice refers to %u", controls.pps.pic_parameter_set_id,
                    header.ppsId);
    if (auto compared = compareDecodeParams(controls, header); !compared)
        return compared;
    if (auto compared = compareShortTermSet(controls.decode, header); !compared)
        return compared;
    if (auto compared = compareSliceParams(controls.slices[number], controls, header, segment); !compared)
        return compared;
    for (const uint32_t offset : header.entryPoints) {
        const uint32_t control = entryPoint < controls.entryPoints.size() ? controls.entryPoints[entryPoint] : 0;
        if (control != offset)
            return fail(EINVAL, "ENTRY_POINT_OFFSETS[%zu] is %u, the slice header says %u", entryPoint, control,
                        offset);
        ++entryPoint;
    }

    if (!pending_) {
        if (auto begun = begin(job, controls, header); !begun)
            return begun;
    } else if (header.nalType != pending_->first.nalType || header.pocLsb != pending_->first.pocLsb ||
               std::memcmp(&controls.sps, &pending_->controls.sps, sizeof(Sps)) != 0 ||
               std::memcmp(&controls.pps, &pending_->controls.pps, sizeof(Pps)) != 0 ||
               std::memcmp(&controls.decode, &pending_->controls.decode, sizeof(DecodeParams)) != 0) {
        return fail(EINVAL, "slice segments of two pictures in one, or their SPS, PPS or DECODE_PARAMS differ");
    }
    Picture& picture = *pending_;
    if (!header.isIntra() && picture.missing)
        return fail(EINVAL, "%s", picture.missing->c_str());
    if (!header.isIntra() && picture.written.idr)
        return fail(EINVAL, "a P or B slice, but DECODE_PARAMS has no reference");
    if (!picture.addresses.empty() && header.address <= picture.addresses.back())
        return fail(EINVAL, "the slice segment at %u comes after that at %u", header.address, picture.addresses.back());
    picture.addresses.push_back(header.address);
    picture.slices.push_back(writeSlice(header, picture.written, controls.sps, controls.pps, rbsp));
    if (!header.dependent)
        picture.slice = header;
    return {};
}

Result<void> HevcDecoder::begin(const Job& job, const Controls& controls, const SliceHeader& header) {
    if (auto prepared = prepareDecoder(controls.sps); !prepared)
        return prepared;
    Picture picture;
    picture.timestamp = job.timestamp();
    picture.format = job.header.format;
    picture.capture = job.header.capture;
    picture.controls = controls;
    picture.first = header;
    auto resolved = resolveDpb(job, picture);
    if (!resolved)
        return tl::unexpected(resolved.error());
    if (auto chosen = chooseReferences(picture, *resolved); !chosen)
        return chosen;
    holds_.overwrite(picture.capture.cookie);
    pending_ = std::move(picture);
    return {};
}

/// Another sequence parameter set is another coded video sequence: it has no references in the one before.
Result<void> HevcDecoder::prepareDecoder(const Sps& sps) {
    std::vector<uint8_t> written = writeSps(sps);
    if (decoder_ && !lost_ && written == sps_)
        return {};
    auto decoder = PictureDecoder::create(AV_CODEC_ID_HEVC);
    if (!decoder)
        return tl::unexpected(decoder.error());
    decoder_ = std::move(*decoder);
    sps_ = std::move(written);
    pps_.clear();
    references_.clear();
    fed_ = false;
    lost_ = false;
    return {};
}

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

/// Finds what each entry of the DPB names. An entry that names nothing is an error only once a slice may predict from
/// it; an entry that contradicts the picture that it names is one at once.
Result<std::vector<Resolved>> HevcDecoder::resolveDpb(const Job& job, const Picture& picture) {
    const DecodeParams& params = picture.controls.decode;
    std::vector<Resolved> resolved;
    if (picture.first.isIdr() && params.num_active_dpb_entries > 0)
        return fail(EINVAL, "DECODE_PARAMS.num_active_dpb_entries is %u for an IDR picture (8.3.2)",
                    params.num_active_dpb_entries);
    for (unsigned i = 0; i < params.num_active_dpb_entries; ++i) {
        const v4l2_hevc_dpb_entry& entry = params.dpb[i];
        const std::string field = "DECODE_PARAMS.dpb[" + std::to_string(i) + "].timestamp";
        const auto found = std::find_if(references_.begin(), references_.end(), [&](const Reference& reference) {
            return reference.timestamp == entry.timestamp;
        });
        Resolved& result = resolved.emplace_back();
        if (isUnavailable(params, i, found == references_.end() ? nullptr : &*found))
            result.unavailable = true;
        else if (entry.timestamp == picture.timestamp)
            result.reason = field + " names the picture itself";
        else if (auto checked = holds_.check(job, entry.timestamp, field.c_str()); !checked)
            result.reason = checked.error().message;
        else if (found == references_.end())
            result.reason = field + " " + std::to_string(entry.timestamp) +
                            " names a picture that is no reference "
                            "(any more)";
        else if (found->poc != entry.pic_order_cnt_val)
            return fail(EINVAL, "DECODE_PARAMS.dpb[%u].pic_order_cnt_val is %d, the picture was decoded with %d", i,
                        entry.pic_order_cnt_val, found->poc);
        else
            result.reference = &*found;
    }
    return resolved;
}

/// The reference picture set to write. For what the client says is unavailable, libavcodec finds nothing either and
/// makes a grey picture, as 8.3.3.2 has it for random access. In the written stream order counts are those of the
/// controls but for an offset: a picture without references starts anew from 0, whatever the client counts there.
Result<void> HevcDecoder::chooseReferences(Picture& picture, const std::vector<Resolved>& resolved) {
    const DecodeParams& params = picture.controls.decode;
    const auto known = std::find_if(resolved.begin(), resolved.end(), [](const Resolved& r) { return r.reference; });
    const bool unavailable =
        std::any_of(resolved.begin(), resolved.end(), [](const Resolved& r) { return r.unavailable; });
    picture.written.idr = known == resolved.end() && !unavailable;
    const int64_t offset = known == resolved.end() && unavailable ? 0
                           : picture.written.idr                  ? -int64_t{params.pic_order_cnt_val}
                                                 : int64_t{known->reference->writtenPoc} - known->reference->poc;
    const auto written = [&](size_t entry) {
        return static_cast<int32_t>(params.dpb[entry].pic_order_cnt_val + offset);
    };
    picture.written.poc = static_cast<int32_t>(params.pic_order_cnt_val + offset);

    std::vector<bool> listed(resolved.size(), false);
    const auto addUsed = [&](const char* field, std::span<const uint8_t> indices, bool longTerm,
                             std::vector<SetEntry>& entries) -> Result<void> {
        for (size_t i = 0; i < indices.size(); ++i) {
            const uint8_t index = indices[i];
            const std::string name = std::string("DECODE_PARAMS.") + field + "[" + std::to_string(i) + "]";
            if (index == noPicture) {
                picture.missing = name + " names no picture";
                continue;
            }
            if (index >= resolved.size() || listed[index])
                return fail(EINVAL, "%s is %u: %s", name.c_str(), index,
                            index >= resolved.size() ? "not in the DPB" : "twice in the lists");
            if (((params.dpb[index].flags & V4L2_HEVC_DPB_ENTRY_LONG_TERM_REFERENCE) != 0) != longTerm)
                return fail(EINVAL, "%s is %u, whose flags say otherwise of LONG_TERM_REFERENCE", name.c_str(), index);
            listed[index] = true;
            if (!resolved[index].reference && !resolved[index].unavailable) {
                picture.missing = resolved[index].reason;
                continue;
            }
            entries.push_back({written(index), true});
            if (resolved[index].reference)
                picture.references.push_back(*resolved[index].reference);
        }
        return {};
    };
    ReferenceSet& set = picture.written.references;
    if (auto added = addUsed("poc_st_curr_before", {params.poc_st_curr_before, params.num_poc_st_curr_before}, false,
                             set.before);
        !added)
        return added;
    if (auto added =
            addUsed("poc_st_curr_after", {params.poc_st_curr_after, params.num_poc_st_curr_after}, false, set.after);
        !added)
        return added;
    if (auto added = addUsed("poc_lt_curr", {params.poc_lt_curr, params.num_poc_lt_curr}, true, set.longTerm); !added)
        return added;

    // 8.3.2: the closest picture comes first. The syntax can say no other order.
    const auto misplaced = [&](const std::vector<SetEntry>& entries, int sign) {
        int64_t previous = picture.written.poc;
        for (const SetEntry& entry : entries) {
            const int64_t distance = sign * (entry.poc - previous);
            if (distance <= 0 || distance > 0x8000)
                return true;
            previous = entry.poc;
        }
        return false;
    };
    if (misplaced(set.before, -1))
        return fail(EINVAL, "DECODE_PARAMS.poc_st_curr_before is not in descending order of pictures before this one");
    if (misplaced(set.after, 1))
        return fail(EINVAL, "DECODE_PARAMS.poc_st_curr_after is not in ascending order of pictures after this one");

    for (size_t i = 0; i < resolved.size(); ++i) {
        const Reference* reference = resolved[i].reference;
        if (listed[i] || !reference)
            continue; // 8.3.2: a picture that only later ones may need can be missing
        const SetEntry entry{written(i), false};
        if (params.dpb[i].flags & V4L2_HEVC_DPB_ENTRY_LONG_TERM_REFERENCE)
            set.longTerm.push_back(entry);
        else
            (entry.poc < picture.written.poc ? set.before : set.after).push_back(entry);
        picture.references.push_back(*reference);
    }
    const auto byPoc = [](const SetEntry& a, const SetEntry& b) { return a.poc < b.poc; };
    std::sort(set.before.rbegin(), set.before.rend(), byPoc);
    std::sort(set.after.begin(), set.after.end(), byPoc);
    if (misplaced(set.before, -1) || misplaced(set.after, 1))
        return fail(EINVAL, "DECODE_PARAMS.dpb has two pictures of one order count, or some too far apart");

    // The low bits must find a picture, and the high ones be those of the picture before (8-1).
    const auto same = [](int32_t a, int32_t b) { return ((a ^ b) & ((1 << writtenPocBits) - 1)) == 0; };
    for (const SetEntry& entry : set.longTerm) {
        const auto alike = std::count_if(references_.begin(), references_.end(), [&](const Reference& reference) {
            return same(reference.writtenPoc, entry.poc);
        });
        if (alike > 1)
            return fail(ENOTSUP, "two references are 65536 order counts apart");
    }
    if (!picture.written.idr && !references_.empty() &&
        std::abs(int64_t{picture.written.poc} - references_.back().writtenPoc) >= 0x8000)
        return fail(ENOTSUP, "DECODE_PARAMS.pic_order_cnt_val %d is too far from the picture before",
                    params.pic_order_cnt_val);
    return {};
}

Result<void> HevcDecoder::finish(PictureSink& sink) {
    Picture picture = std::move(*pending_);
    pending_.reset();
    if (picture.failure)
        return tl::unexpected(*picture.failure);
    const Controls& controls = picture.controls;
    auto pps = writePps(controls.sps, controls.pps, controls.scaling ? &*controls.scaling : nullptr);
    if (!pps)
        return tl::unexpected(pps.error());
    std::vector<uint8_t> stream;
    if (!fed_) {
        appendNal(stream, writeVps(controls.sps));
        appendNal(stream, sps_);
        fed_ = true;
    }
    if (*pps != pps_) {
        appendNal(stream, *pps);
        pps_ = std::move(*pps);
    }
    for (const std::vector<uint8_t>& slice : picture.slices)
        appendNal(stream, slice);

    auto decoded = decoder_->decode(stream, PictureDecoder::Expect::Frame);
    if (!decoded) {
        lost_ = true;
        return fail(decoded.error().code, "order count %d: %s", controls.decode.pic_order_cnt_val,
                    decoded.error().message.c_str());
    }
    references_ = std::move(picture.references);
    references_.push_back({picture.timestamp, controls.decode.pic_order_cnt_val, picture.written.poc});
    holds_.decoded(picture.capture.cookie, picture.timestamp);
    if (auto stored = sink.store(*decoded->frame, picture.format, picture.capture); !stored)
        return stored;
    if (decoded->missingBlocks)
        return fail(EIO, "order count %d: no slice covers %u of its blocks", controls.decode.pic_order_cnt_val,
                    decoded->missingBlocks);
    return {};
}

} // namespace
} // namespace hevc

std::unique_ptr<Decoder> makeHevcDecoder() {
    return std::make_unique<hevc::HevcDecoder>();
}

} // namespace daedalus
