// SPDX-License-Identifier: MIT
#include "bitstream/h264_slice_header.h"

#include <algorithm>
#include <utility>

#include "bitstream/bit_reader.h"

// Clauses and tables are those of Rec. ITU-T H.264.
namespace v4l2_request::bitstream {

namespace {

// No list has more than 32 entries, so none has more modifications than that, and the code that ends them (7.4.3.1).
constexpr unsigned maxListModifications = 33;
// At most 32 fields can be unmarked and 32 be marked, each other operation occurs once (7.4.3.3), and one code ends
// them.
constexpr unsigned maxMarkingOperations = 72;

class Parser {
public:
    Parser(std::span<const uint8_t> nal, const H264SliceContext& context)
        : reader_(nal, BitReader::View::Rbsp), context_(context) {}

    Result<H264SliceHeader> parse() {
        nalUnitHeader();
        if (!problem_)
            sliceHeader();
        if (problem_)
            return fail(problemKind_, problem_);
        if (!reader_.ok())
            return fail(ErrorKind::InvalidParameter, "H.264: the slice header runs past the end of the slice data");
        header_.bitSize = reader_.position();
        return std::move(header_);
    }

private:
    void nalUnitHeader();
    void sliceHeader();
    void sliceType();
    void picOrderCnt();
    void numRefIdxActive();
    void refPicListModification();
    void predWeightTable();
    void predWeights(H264PredWeightTable& table, unsigned list);
    void decRefPicMarking();
    void deblocking();

    // Keeps the first problem; parsing goes on with values that are in range, so that nothing else needs to check.
    void problem(ErrorKind kind, const char* message) {
        if (problem_)
            return;
        problem_ = message;
        problemKind_ = kind;
    }
    uint32_t ueUpTo(uint32_t limit, const char* message) {
        const uint32_t value = reader_.ue();
        if (value <= limit)
            return value;
        problem(ErrorKind::InvalidParameter, message);
        return 0;
    }
    int32_t seBetween(int32_t low, int32_t high, const char* message) {
        const int32_t value = reader_.se();
        if (value >= low && value <= high)
            return value;
        problem(ErrorKind::InvalidParameter, message);
        return 0;
    }
    bool is(H264SliceType type) const { return header_.type == type; }
    bool hasList(unsigned list) const { return is(H264SliceType::B) || (list == 0 && is(H264SliceType::P)); }
    // ChromaArrayType != 0 (7.4.2.1.1)
    bool hasChroma() const { return context_.chromaFormatIdc != 0 && !context_.separateColourPlane; }

    BitReader reader_;
    const H264SliceContext& context_;
    H264SliceHeader header_;
    const char* problem_ = nullptr;
    ErrorKind problemKind_ = ErrorKind::InvalidParameter;
};

// 7.3.1
void Parser::nalUnitHeader() {
    if (reader_.flag())
        problem(ErrorKind::InvalidParameter, "H.264: forbidden_zero_bit is set");
    header_.nalRefIdc = static_cast<uint8_t>(reader_.bits(2));
    switch (static_cast<H264NalType>(reader_.bits(5))) {
    case H264NalType::Slice: break;
    case H264NalType::IdrSlice:
        header_.idr = true;
        if (header_.nalRefIdc == 0) // 7.4.1: an IDR picture is a reference picture
            problem(ErrorKind::InvalidParameter, "H.264: an IDR slice has nal_ref_idc 0");
        break;
    case H264NalType::PartitionA:
    case H264NalType::PartitionB:
    case H264NalType::PartitionC: problem(ErrorKind::Unsupported, "H.264: data partitioning is not supported"); break;
    case H264NalType::AuxiliarySlice:
        problem(ErrorKind::Unsupported, "H.264: auxiliary coded pictures are not supported");
        break;
    case H264NalType::Prefix:
    case H264NalType::SliceExtension:
    case H264NalType::SliceExtensionDepth:
        problem(ErrorKind::Unsupported, "H.264: scalable and multiview extensions are not supported");
        break;
    default: problem(ErrorKind::InvalidParameter, "H.264: the slice data does not start with a slice NAL unit"); break;
    }
}

// 7.3.3
void Parser::sliceHeader() {
    header_.firstMbInSlice = reader_.ue();
    sliceType();
    header_.picParameterSetId = static_cast<uint8_t>(ueUpTo(255, "H.264: pic_parameter_set_id is out of range"));
    if (context_.separateColourPlane)
        header_.colourPlaneId = static_cast<uint8_t>(reader_.bits(2));
    if (header_.colourPlaneId == 3)
        problem(ErrorKind::InvalidParameter, "H.264: colour_plane_id is out of range");
    header_.frameNum = static_cast<uint16_t>(reader_.bits(context_.log2MaxFrameNum));
    if (!context_.frameMbsOnly) {
        header_.fieldPic = reader_.flag();
        if (header_.fieldPic)
            header_.bottomField = reader_.flag();
    }
    if (header_.idr)
        header_.idrPicId = static_cast<uint16_t>(ueUpTo(65535, "H.264: idr_pic_id is out of range"));
    picOrderCnt();
    if (context_.redundantPicCntPresent)
        header_.redundantPicCnt = static_cast<uint8_t>(ueUpTo(127, "H.264: redundant_pic_cnt is out of range"));
    if (is(H264SliceType::B))
        header_.directSpatialMvPred = reader_.flag();
    numRefIdxActive();
    for (unsigned list : {0u, 1u})
        if (hasList(list))
            refPicListModification();
    if ((context_.weightedPred && is(H264SliceType::P)) || (context_.weightedBipredIdc == 1 && is(H264SliceType::B)))
        predWeightTable();
    if (header_.nalRefIdc != 0)
        decRefPicMarking();
    if (context_.entropyCodingMode && !is(H264SliceType::I))
        header_.cabacInitIdc = static_cast<uint8_t>(ueUpTo(2, "H.264: cabac_init_idc is out of range"));
    // 7.4.3: SliceQPY and its initial value lie in -QpBdOffset to 51, and QpBdOffset is at most 36.
    header_.sliceQpDelta = static_cast<int8_t>(seBetween(-87, 87, "H.264: slice_qp_delta is out of range"));
    if (context_.deblockingFilterControlPresent)
        deblocking();
    // slice_group_change_cycle would follow: pictures with slice groups never come here.
}

// Table 7-6. Types 5 to 9 also say that every slice of the picture is of this type.
void Parser::sliceType() {
    header_.type = static_cast<H264SliceType>(ueUpTo(9, "H.264: slice_type is out of range") % 5);
    if (is(H264SliceType::SP) || is(H264SliceType::SI))
        problem(ErrorKind::InvalidParameter, "H.264: no profile of this driver has SP and SI slices (A.2)");
}

void Parser::picOrderCnt() {
    const size_t start = reader_.position();
    const bool bottomDelta = context_.bottomFieldPicOrderInFramePresent && !header_.fieldPic;
    if (context_.picOrderCntType == 0) {
        header_.picOrderCntLsb = static_cast<uint16_t>(reader_.bits(context_.log2MaxPicOrderCntLsb));
        if (bottomDelta)
            header_.deltaPicOrderCntBottom = reader_.se();
    } else if (context_.picOrderCntType == 1 && !context_.deltaPicOrderAlwaysZero) {
        header_.deltaPicOrderCnt[0] = reader_.se();
        if (bottomDelta)
            header_.deltaPicOrderCnt[1] = reader_.se();
    }
    header_.picOrderCntBitSize = static_cast<uint32_t>(reader_.position() - start);
}

void Parser::numRefIdxActive() {
    if (!hasList(0))
        return;
    // 7.4.3: 15 for frames, 31 for fields; each MB of an MBAFF frame doubles its lists, not the syntax element.
    const uint32_t limit = header_.fieldPic ? 31 : 15;
    header_.numRefIdxOverride = reader_.flag();
    for (unsigned list : {0u, 1u}) {
        if (!hasList(list))
            continue;
        header_.numRefIdxActive[list] = context_.numRefIdxDefault[list];
        if (header_.numRefIdxOverride)
            header_.numRefIdxActive[list] =
                static_cast<uint8_t>(ueUpTo(limit, "H.264: num_ref_idx_active_minus1 is out of range") + 1);
    }
}

// 7.3.3.1
void Parser::refPicListModification() {
    if (!reader_.flag()) // ref_pic_list_modification_flag
        return;
    for (unsigned n = 0; n < maxListModifications && reader_.ok(); ++n) {
        const uint32_t idc = ueUpTo(3, "H.264: modification_of_pic_nums_idc is out of range");
        if (idc == 3)
            return;
        reader_.ue(); // abs_diff_pic_num_minus1 or long_term_pic_num
    }
    problem(ErrorKind::InvalidParameter, "H.264: ref_pic_list_modification() does not end");
}

// 7.3.3.2
void Parser::predWeightTable() {
    H264PredWeightTable& table = header_.weights.emplace();
    table.lumaLog2Denom = static_cast<uint8_t>(ueUpTo(7, "H.264: luma_log2_weight_denom is out of range"));
    if (hasChroma())
        table.chromaLog2Denom = static_cast<uint8_t>(ueUpTo(7, "H.264: chroma_log2_weight_denom is out of range"));
    for (unsigned list : {0u, 1u})
        if (hasList(list))
            predWeights(table, list);
}

void Parser::predWeights(H264PredWeightTable& table, unsigned list) {
    H264Weights& weights = table.lists[list];
    const auto value = [this] {
        return static_cast<int16_t>(seBetween(-128, 127, "H.264: a prediction weight or offset is out of range"));
    };
    const unsigned count = std::min<unsigned>(header_.numRefIdxActive[list], weights.lumaWeight.size());
    for (unsigned i = 0; i < count; ++i) {
        // 7.4.3.2: without its flag a weight is 2^denom and an offset 0.
        weights.lumaWeight[i] = static_cast<int16_t>(1 << table.lumaLog2Denom);
        if (reader_.flag()) {
            weights.lumaWeight[i] = value();
            weights.lumaOffset[i] = value();
        }
        if (!hasChroma())
            continue;
        weights.chromaWeight[i].fill(static_cast<int16_t>(1 << table.chromaLog2Denom));
        if (reader_.flag()) {
            for (unsigned plane : {0u, 1u}) {
                weights.chromaWeight[i][plane] = value();
                weights.chromaOffset[i][plane] = value();
            }
        }
    }
}

// 7.3.3.3
void Parser::decRefPicMarking() {
    const size_t start = reader_.position();
    if (header_.idr) {
        reader_.flag(); // no_output_of_prior_pics_flag
        header_.longTermReference = reader_.flag();
    } else if (reader_.flag()) { // adaptive_ref_pic_marking_mode_flag
        unsigned n = 0;
        for (; n < maxMarkingOperations && reader_.ok(); ++n) {
            const uint32_t operation = ueUpTo(6, "H.264: memory_management_control_operation is out of range");
            if (operation == 0)
                break;
            H264MarkingOperation& kept =
                header_.marking.emplace_back(H264MarkingOperation{.code = static_cast<uint8_t>(operation)});
            if (operation == 1 || operation == 3)
                kept.differenceOfPicNums = int64_t{reader_.ue()} + 1;
            if (operation == 3 || operation == 6)
                kept.longTermFrameIdx = static_cast<uint16_t>(reader_.ue());
            if (operation == 2 || operation == 4)
                reader_.ue(); // long_term_pic_num or max_long_term_frame_idx_plus1
        }
        if (n == maxMarkingOperations)
            problem(ErrorKind::InvalidParameter, "H.264: dec_ref_pic_marking() does not end");
    }
    header_.decRefPicMarkingBitSize = static_cast<uint32_t>(reader_.position() - start);
}

void Parser::deblocking() {
    header_.disableDeblockingFilterIdc =
        static_cast<uint8_t>(ueUpTo(2, "H.264: disable_deblocking_filter_idc is out of range"));
    if (header_.disableDeblockingFilterIdc == 1)
        return;
    header_.sliceAlphaC0OffsetDiv2 =
        static_cast<int8_t>(seBetween(-6, 6, "H.264: slice_alpha_c0_offset_div2 is out of range"));
    header_.sliceBetaOffsetDiv2 =
        static_cast<int8_t>(seBetween(-6, 6, "H.264: slice_beta_offset_div2 is out of range"));
}

} // namespace

Result<H264SliceHeader> parseH264SliceHeader(std::span<const uint8_t> nal, const H264SliceContext& context) {
    return Parser(nal, context).parse();
}

} // namespace v4l2_request::bitstream
