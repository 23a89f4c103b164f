// SPDX-License-Identifier: MIT
#include <algorithm>
#include <deque>

#include "stream.h"

namespace va_suite {

namespace {

// Clauses are those of Rec. ITU-T H.264.
class H264Stream final : public Stream {
public:
    H264Stream(const Bytes& file, size_t limit) {
        for (auto unit : splitAtStartCodes(file)) {
            if (coded_.size() == limit)
                break;
            while (!unit.empty() && unit.back() == 0) // trailing_zero_8bits, B.1
                unit = unit.first(unit.size() - 1);
            parse(unit);
        }
        profile = VAProfileH264ConstrainedBaseline;
        pictureCount = coded_.size();
    }

    Picture picture(size_t index, std::span<const VASurfaceID> surfaces) const override {
        const Coded& coded = coded_[index];
        VAPictureParameterBufferH264 parameters = coded.parameters;
        parameters.CurrPic.picture_id = surfaces[index];
        std::fill_n(parameters.ReferenceFrames, 16, invalid());
        for (size_t i = 0; i < coded.references.size(); i++)
            parameters.ReferenceFrames[i] = reference(coded.references[i], surfaces);
        Picture picture{bytesOf(parameters), bytesOf(flatMatrices()), {}};
        for (const auto& [header, data] : coded.slices) {
            VASliceParameterBufferH264 slice = header;
            std::fill_n(slice.RefPicList0, 32, invalid());
            std::fill_n(slice.RefPicList1, 32, invalid());
            // 8.2.4.2.1: of P slices, the latest reference first.
            for (size_t i = 0; slice.slice_type == 0 && i < coded.references.size(); i++)
                slice.RefPicList0[i] = parameters.ReferenceFrames[coded.references.size() - 1 - i];
            picture.slices.push_back({bytesOf(slice), data});
        }
        return picture;
    }

    void redirectReferences(Picture& picture, VASurfaceID surface) const override {
        const auto redirect = [surface](VAPictureH264& entry) {
            if (!(entry.flags & VA_PICTURE_H264_INVALID))
                entry.picture_id = surface;
        };
        auto& parameters = *reinterpret_cast<VAPictureParameterBufferH264*>(picture.parameters.data());
        std::for_each_n(parameters.ReferenceFrames, 16, redirect);
        for (Picture::Slice& slice : picture.slices)
            std::for_each_n(reinterpret_cast<VASliceParameterBufferH264*>(slice.parameters.data())->RefPicList0, 32,
                            redirect);
    }

    void resize(Picture& picture, unsigned newWidth, unsigned newHeight) const override {
        auto& parameters = *reinterpret_cast<VAPictureParameterBufferH264*>(picture.parameters.data());
        parameters.picture_width_in_mbs_minus1 = static_cast<uint16_t>(newWidth / 16 - 1);
        parameters.picture_height_in_mbs_minus1 = static_cast<uint16_t>(newHeight / 16 - 1);
    }

private:
    struct Reference {
        size_t picture;
        uint32_t frameNum;
        int32_t order;
    };
    struct Coded {
        VAPictureParameterBufferH264 parameters{};
        std::vector<Reference> references; // the oldest first
        std::vector<std::pair<VASliceParameterBufferH264, Bytes>> slices;
    };

    static VAPictureH264 invalid() {
        VAPictureH264 picture{};
        picture.picture_id = VA_INVALID_SURFACE;
        picture.flags = VA_PICTURE_H264_INVALID;
        return picture;
    }

    static VAPictureH264 reference(const Reference& of, std::span<const VASurfaceID> surfaces) {
        VAPictureH264 picture{};
        picture.picture_id = surfaces[of.picture];
        picture.frame_idx = of.frameNum;
        picture.flags = VA_PICTURE_H264_SHORT_TERM_REFERENCE;
        picture.TopFieldOrderCnt = picture.BottomFieldOrderCnt = of.order;
        return picture;
    }

    static VAIQMatrixBufferH264 flatMatrices() {
        VAIQMatrixBufferH264 matrices{};
        std::fill_n(&matrices.ScalingList4x4[0][0], 6 * 16, uint8_t{16});
        std::fill_n(&matrices.ScalingList8x8[0][0], 2 * 64, uint8_t{16});
        return matrices;
    }

    static void expect(bool supported, const char* what) {
        if (!supported)
            throw std::runtime_error(std::string("the suite's H.264 parser does not know ") + what);
    }

    // 7.4.1: without emulation_prevention_three_byte.
    static Bytes unescape(std::span<const uint8_t> unit) {
        Bytes bytes;
        for (size_t i = 0; i < unit.size(); i++)
            if (i < 2 || unit[i] != 3 || unit[i - 1] != 0 || unit[i - 2] != 0)
                bytes.push_back(unit[i]);
        return bytes;
    }

    void parse(std::span<const uint8_t> unit) {
        const Bytes bytes = unescape(unit);
        Bits bits(bytes);
        bits.read(1);
        const bool isReference = bits.read(2) != 0;
        switch (const uint32_t type = bits.read(5)) {
        case 7: parseSequence(bits); break;
        case 8: parsePictureSet(bits); break;
        case 1:
        case 5: parseSlice(bits, unit, isReference, type == 5); break;
        default: break;
        }
    }

    void parseSequence(Bits& bits) { // 7.3.2.1.1
        expect(bits.read(8) == 66, "profiles but baseline");
        bits.read(16);         // constraint flags, level
        bits.unsignedGolomb(); // seq_parameter_set_id
        auto& fields = parameters_.seq_fields.bits;
        fields.log2_max_frame_num_minus4 = bits.unsignedGolomb();
        fields.pic_order_cnt_type = bits.unsignedGolomb();
        expect(fields.pic_order_cnt_type != 1, "POC type 1");
        if (fields.pic_order_cnt_type == 0)
            fields.log2_max_pic_order_cnt_lsb_minus4 = bits.unsignedGolomb();
        parameters_.num_ref_frames = static_cast<uint8_t>(bits.unsignedGolomb());
        fields.gaps_in_frame_num_value_allowed_flag = bits.read(1);
        parameters_.picture_width_in_mbs_minus1 = static_cast<uint16_t>(bits.unsignedGolomb());
        parameters_.picture_height_in_mbs_minus1 = static_cast<uint16_t>(bits.unsignedGolomb());
        fields.frame_mbs_only_flag = bits.read(1);
        expect(fields.frame_mbs_only_flag, "fields");
        fields.direct_8x8_inference_flag = bits.read(1);
        fields.chroma_format_idc = 1;
        width = (parameters_.picture_width_in_mbs_minus1 + 1u) * 16;
        height = (parameters_.picture_height_in_mbs_minus1 + 1u) * 16;
    }

    void parsePictureSet(Bits& bits) { // 7.3.2.2
        bits.unsignedGolomb();
        bits.unsignedGolomb();
        auto& fields = parameters_.pic_fields.bits;
        fields.entropy_coding_mode_flag = bits.read(1);
        fields.pic_order_present_flag = bits.read(1);
        expect(bits.unsignedGolomb() == 0, "slice groups");
        numRefIdxDefault_ = bits.unsignedGolomb() + 1;
        bits.unsignedGolomb();
        fields.weighted_pred_flag = bits.read(1);
        fields.weighted_bipred_idc = bits.read(2);
        expect(!fields.weighted_pred_flag, "weighted prediction");
        parameters_.pic_init_qp_minus26 = static_cast<int8_t>(bits.signedGolomb());
        parameters_.pic_init_qs_minus26 = static_cast<int8_t>(bits.signedGolomb());
        parameters_.chroma_qp_index_offset = parameters_.second_chroma_qp_index_offset =
            static_cast<int8_t>(bits.signedGolomb());
        fields.deblocking_filter_control_present_flag = bits.read(1);
        fields.constrained_intra_pred_flag = bits.read(1);
        fields.redundant_pic_cnt_present_flag = bits.read(1);
    }

    void parseSlice(Bits& bits, std::span<const uint8_t> unit, bool isReference, bool idr) { // 7.3.3
        const auto& sequence = parameters_.seq_fields.bits;
        const auto& fields = parameters_.pic_fields.bits;
        VASliceParameterBufferH264 slice{};
        slice.first_mb_in_slice = static_cast<uint16_t>(bits.unsignedGolomb());
        slice.slice_type = static_cast<uint8_t>(bits.unsignedGolomb() % 5);
        expect(slice.slice_type == 0 || slice.slice_type == 2, "B slices");
        bits.unsignedGolomb();
        const uint32_t frameNum = bits.read(sequence.log2_max_frame_num_minus4 + 4);
        if (idr)
            bits.unsignedGolomb();
        uint32_t orderLsb = 0;
        if (sequence.pic_order_cnt_type == 0) {
            orderLsb = bits.read(sequence.log2_max_pic_order_cnt_lsb_minus4 + 4);
            if (fields.pic_order_present_flag)
                bits.signedGolomb();
        }
        expect(!fields.redundant_pic_cnt_present_flag, "redundant pictures");
        if (slice.slice_type == 0) {
            const uint32_t active = bits.flag() ? bits.unsignedGolomb() + 1 : numRefIdxDefault_;
            slice.num_ref_idx_l0_active_minus1 = static_cast<uint8_t>(active - 1);
            expect(!bits.flag(), "modified reference lists");
        }
        if (isReference && idr)
            bits.read(2);
        else if (isReference)
            expect(!bits.flag(), "memory management");
        if (fields.entropy_coding_mode_flag && slice.slice_type == 0)
            slice.cabac_init_idc = static_cast<uint8_t>(bits.unsignedGolomb());
        slice.slice_qp_delta = static_cast<int8_t>(bits.signedGolomb());
        if (fields.deblocking_filter_control_present_flag) {
            slice.disable_deblocking_filter_idc = static_cast<uint8_t>(bits.unsignedGolomb());
            if (slice.disable_deblocking_filter_idc != 1) {
                slice.slice_alpha_c0_offset_div2 = static_cast<int8_t>(bits.signedGolomb());
                slice.slice_beta_offset_div2 = static_cast<int8_t>(bits.signedGolomb());
            }
        }
        slice.slice_data_bit_offset = static_cast<uint16_t>(bits.position());
        slice.slice_data_size = static_cast<uint32_t>(unit.size());
        slice.slice_data_flag = VA_SLICE_DATA_FLAG_ALL;
        if (slice.first_mb_in_slice == 0)
            addPicture(frameNum, orderLsb, isReference, idr);
        coded_.back().slices.emplace_back(slice, Bytes(unit.begin(), unit.end()));
    }

    void addPicture(uint32_t frameNum, uint32_t orderLsb, bool isReference, bool idr) {
        const auto& sequence = parameters_.seq_fields.bits;
        expect(isReference, "pictures that are no reference");
        if (idr) {
            dpb_.clear();
            wraps_ = 0;
        } else if (frameNum < lastFrameNum_)
            wraps_++;
        lastFrameNum_ = frameNum;
        expect(wraps_ == 0, "a frame_num that wraps around");
        // 8.2.1.1 and 8.2.1.3, for streams that are too short to wrap
        const auto order = static_cast<int32_t>(sequence.pic_order_cnt_type == 0 ? orderLsb : 2 * frameNum);

        Coded& coded = coded_.emplace_back();
        coded.parameters = parameters_;
        coded.parameters.frame_num = static_cast<uint16_t>(frameNum);
        coded.parameters.pic_fields.bits.reference_pic_flag = 1;
        coded.parameters.CurrPic.frame_idx = frameNum;
        coded.parameters.CurrPic.flags = VA_PICTURE_H264_SHORT_TERM_REFERENCE;
        coded.parameters.CurrPic.TopFieldOrderCnt = coded.parameters.CurrPic.BottomFieldOrderCnt = order;
        coded.references.assign(dpb_.begin(), dpb_.end());
        dpb_.push_back({coded_.size() - 1, frameNum, order});
        if (dpb_.size() > parameters_.num_ref_frames) // 8.2.5.3
            dpb_.pop_front();
    }

    VAPictureParameterBufferH264 parameters_{};
    uint32_t numRefIdxDefault_ = 1;
    uint32_t lastFrameNum_ = 0;
    unsigned wraps_ = 0;
    std::deque<Reference> dpb_;
    std::vector<Coded> coded_;
};

} // namespace

std::shared_ptr<const Stream> loadH264(const std::string& file, size_t limit) {
    auto stream = std::make_shared<H264Stream>(readFile(fixture("h264/" + file)), limit);
    stream->expected = readExpected(file);
    return stream;
}

} // namespace va_suite
