// SPDX-License-Identifier: MIT
#include "hevc/slice_writer.h"

#include <algorithm>

#include "core/bit_writer.h"
#include "hevc/parameter_sets.h"

namespace daedalus::hevc {
namespace {

void writeShortTermSet(BitWriter& writer, const WrittenPicture& picture) {
    const auto side = [&](const std::vector<SetEntry>& entries, int sign) {
        int32_t previous = picture.poc;
        for (const SetEntry& entry : entries) {
            writer.ue(static_cast<uint32_t>(sign * (entry.poc - previous) - 1));
            writer.flag(entry.used);
            previous = entry.poc;
        }
    };
    writer.ue(static_cast<uint32_t>(picture.references.before.size()));
    writer.ue(static_cast<uint32_t>(picture.references.after.size()));
    side(picture.references.before, -1);
    side(picture.references.after, 1);
}

void writeReferenceSets(BitWriter& writer, const WrittenPicture& picture) {
    constexpr uint32_t lsb = (1u << writtenPocBits) - 1;
    writer.bits(static_cast<uint32_t>(picture.poc) & lsb, writtenPocBits);
    writer.bit(0);                      // short_term_ref_pic_set_sps_flag
    writeShortTermSet(writer, picture); // the sequence has no set to predict from
    writer.ue(static_cast<uint32_t>(picture.references.longTerm.size()));
    for (const SetEntry& entry : picture.references.longTerm) {
        writer.bits(static_cast<uint32_t>(entry.poc) & lsb, writtenPocBits);
        writer.flag(entry.used);
        writer.bit(0); // delta_poc_msb_present_flag: the low bits are unique
    }
}

void writeWeights(BitWriter& writer, const WeightTable& table, unsigned lists) {
    writer.ue(table.lumaLog2Denom);
    writer.se(table.deltaChromaLog2Denom);
    for (unsigned list = 0; list < lists; ++list) {
        for (const Weight& weight : table.lists[list])
            writer.flag(weight.luma);
        for (const Weight& weight : table.lists[list])
            writer.flag(weight.chroma);
        for (const Weight& weight : table.lists[list]) {
            if (weight.luma) {
                writer.se(weight.deltaLuma);
                writer.se(weight.lumaOffset);
            }
            for (size_t j = 0; weight.chroma && j < 2; ++j) {
                writer.se(weight.deltaChroma[j]);
                writer.se(weight.deltaChromaOffset[j]);
            }
        }
    }
}

void writeInterPrediction(BitWriter& writer, const SliceHeader& header, size_t picturesUsed, const Pps& pps) {
    writer.bit(1); // num_ref_idx_active_override_flag
    for (unsigned list = 0; list < header.lists(); ++list)
        writer.ue(header.activeRefs[list] - 1);
    if (has(pps.flags, V4L2_HEVC_PPS_FLAG_LISTS_MODIFICATION_PRESENT) && picturesUsed > 1) {
        for (unsigned list = 0; list < header.lists(); ++list) {
            writer.flag(header.listEntries[list].has_value());
            if (header.listEntries[list]) {
                for (const uint32_t entry : *header.listEntries[list])
                    writer.bits(entry, ceilLog2(static_cast<uint32_t>(picturesUsed)));
            }
        }
    }
    if (header.isB())
        writer.flag(header.mvdL1Zero);
    if (has(pps.flags, V4L2_HEVC_PPS_FLAG_CABAC_INIT_PRESENT))
        writer.flag(header.cabacInit);
    if (header.temporalMvp) {
        if (header.isB())
            writer.flag(header.collocatedFromL0);
        if (header.activeRefs[header.collocatedFromL0 ? 0 : 1] > 1)
            writer.ue(header.collocatedRefIdx);
    }
    if (header.weights)
        writeWeights(writer, *header.weights, header.lists());
    writer.ue(header.fiveMinusMaxNumMergeCand);
}

void writeIndependentPart(BitWriter& writer, const SliceHeader& header, const WrittenPicture& picture, const Sps& sps,
                          const Pps& pps) {
    writer.ue(static_cast<uint32_t>(header.type));
    writer.bit(0); // pic_output_flag
    if (!picture.idr) {
        writeReferenceSets(writer, picture);
        if (has(sps.flags, V4L2_HEVC_SPS_FLAG_SPS_TEMPORAL_MVP_ENABLED))
            writer.flag(header.temporalMvp);
    }
    if (has(sps.flags, V4L2_HEVC_SPS_FLAG_SAMPLE_ADAPTIVE_OFFSET)) {
        writer.flag(header.saoLuma);
        writer.flag(header.saoChroma);
    }
    if (!header.isIntra()) {
        const auto used = [](const std::vector<SetEntry>& entries) {
            return std::count_if(entries.begin(), entries.end(), [](const SetEntry& entry) { return entry.used; });
        };
        const ReferenceSet& set = picture.references;
        writeInterPrediction(writer, header,
                             static_cast<size_t>(used(set.before) + used(set.after) + used(set.longTerm)), pps);
    }
    writer.se(header.qpDelta);
    if (has(pps.flags, V4L2_HEVC_PPS_FLAG_PPS_SLICE_CHROMA_QP_OFFSETS_PRESENT)) {
        writer.se(header.cbQpOffset);
        writer.se(header.crQpOffset);
    }
    if (has(pps.flags, V4L2_HEVC_PPS_FLAG_DEBLOCKING_FILTER_OVERRIDE_ENABLED))
        writer.flag(header.deblockingOverride);
    if (header.deblockingOverride) {
        writer.flag(header.deblockingDisabled);
        if (!header.deblockingDisabled) {
            writer.se(header.betaOffsetDiv2);
            writer.se(header.tcOffsetDiv2);
        }
    }
    if (has(pps.flags, V4L2_HEVC_PPS_FLAG_PPS_LOOP_FILTER_ACROSS_SLICES_ENABLED) &&
        (header.saoLuma || header.saoChroma || !header.deblockingDisabled))
        writer.flag(header.loopFilterAcrossSlices);
}

/// The offsets stay what they are: they count bytes of slice_segment_data(), whose bytes stay what they are, emulation
/// prevention included, for no header ends in a byte of zeros.
void writeEntryPoints(BitWriter& writer, const SliceHeader& header) {
    writer.ue(static_cast<uint32_t>(header.entryPoints.size()));
    if (header.entryPoints.empty())
        return;
    writer.ue(31); // offset_len_minus1
    for (const uint32_t offset : header.entryPoints)
        writer.bits(offset - 1, 32);
}

} // namespace

std::vector<uint8_t> writeSlice(const SliceHeader& header, const WrittenPicture& picture, const Sps& sps,
                                const Pps& pps, std::span<const uint8_t> rbsp) {
    BitWriter writer;
    nalHeader(writer, picture.idr ? idrWRadl : trailR);
    writer.flag(header.firstInPicture);
    if (picture.idr)
        writer.bit(0); // no_output_of_prior_pics_flag
    writer.ue(0);      // slice_pic_parameter_set_id
    if (!header.firstInPicture) {
        if (has(pps.flags, V4L2_HEVC_PPS_FLAG_DEPENDENT_SLICE_SEGMENT_ENABLED))
            writer.flag(header.dependent);
        writer.bits(header.address, ceilLog2(widthInCtbs(sps) * heightInCtbs(sps)));
    }
    if (!header.dependent)
        writeIndependentPart(writer, header, picture, sps, pps);
    if (hasEntryPoints(pps))
        writeEntryPoints(writer, header);
    writer.trailing(); // byte_alignment() is the same bits
    writer.append(rbsp, header.headerBytes * 8, rbsp.size() * 8);
    return writer.take();
}

} // namespace daedalus::hevc
