// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <optional>

#include "stream.h"

namespace va_suite {

namespace {

// Clauses are those of ISO/IEC 13818-2.
class Mpeg2Stream final : public Stream {
public:
    explicit Mpeg2Stream(const Bytes& file) {
        for (const auto unit : splitAtStartCodes(file))
            parse(unit);
        profile = VAProfileMPEG2Main;
        pictureCount = coded_.size();
    }

    Picture picture(size_t index, std::span<const VASurfaceID> surfaces) const override {
        const Coded& coded = coded_[index];
        VAPictureParameterBufferMPEG2 parameters = coded.parameters;
        if (coded.forward)
            parameters.forward_reference_picture = surfaces[*coded.forward];
        Picture picture{bytesOf(parameters), bytesOf(matrices_), {}};
        for (const auto& [slice, data] : coded.slices)
            picture.slices.push_back({bytesOf(slice), data});
        return picture;
    }

    void redirectReferences(Picture& picture, VASurfaceID surface) const override {
        edit(picture).forward_reference_picture = edit(picture).backward_reference_picture = surface;
    }

    void resize(Picture& picture, unsigned newWidth, unsigned newHeight) const override {
        edit(picture).horizontal_size = static_cast<uint16_t>(newWidth);
        edit(picture).vertical_size = static_cast<uint16_t>(newHeight);
    }

private:
    struct Coded {
        VAPictureParameterBufferMPEG2 parameters;
        std::optional<size_t> forward;
        std::vector<std::pair<VASliceParameterBufferMPEG2, Bytes>> slices;
    };

    static VAPictureParameterBufferMPEG2& edit(Picture& picture) {
        return *reinterpret_cast<VAPictureParameterBufferMPEG2*>(picture.parameters.data());
    }

    void parse(std::span<const uint8_t> unit) {
        Bits bits(unit);
        const uint32_t code = bits.read(8);
        if (code == 0xb3)
            parseSequence(bits);
        else if (code == 0x00)
            parsePicture(bits);
        else if (code == 0xb5 && bits.read(4) == 8)
            parsePictureExtension(bits);
        else if (code >= 0x01 && code <= 0xaf)
            parseSlice(unit, code);
    }

    void parseSequence(Bits& bits) { // 6.2.2.1
        width = bits.read(12);
        height = bits.read(12);
        bits.read(4 + 4 + 18 + 1 + 10); // aspect ratio, frame rate, bit rate, marker, vbv_buffer_size
        bits.read(1);
        for (uint8_t* matrix : {matrices_.intra_quantiser_matrix, matrices_.non_intra_quantiser_matrix})
            for (int i = 0, loaded = bits.flag(); loaded && i < 64; i++)
                matrix[i] = static_cast<uint8_t>(bits.read(8));
    }

    // As FFmpeg does, matrices are sent with every picture, the defaults of 6.3.11 included.
    static VAIQMatrixBufferMPEG2 defaultMatrices() {
        constexpr std::array<uint8_t, 64> intra{
            8,  16, 16, 19, 16, 19, 22, 22, 22, 22, 22, 22, 26, 24, 26, 27, 27, 27, 26, 26, 26, 26, //
            27, 27, 27, 29, 29, 29, 34, 34, 34, 29, 29, 29, 27, 27, 29, 29, 32, 32, 34, 34, 37, 38, //
            37, 35, 35, 34, 35, 38, 38, 40, 40, 40, 48, 48, 46, 46, 56, 56, 58, 69, 69, 83};
        VAIQMatrixBufferMPEG2 matrices{};
        matrices.load_intra_quantiser_matrix = matrices.load_non_intra_quantiser_matrix = 1;
        std::ranges::copy(intra, matrices.intra_quantiser_matrix);
        std::ranges::fill(matrices.non_intra_quantiser_matrix, uint8_t{16});
        return matrices;
    }

    void parsePicture(Bits& bits) { // 6.2.3
        bits.read(10);              // temporal_reference
        Coded coded{};
        coded.parameters.horizontal_size = static_cast<uint16_t>(width);
        coded.parameters.vertical_size = static_cast<uint16_t>(height);
        coded.parameters.picture_coding_type = static_cast<int32_t>(bits.read(3));
        coded.parameters.forward_reference_picture = coded.parameters.backward_reference_picture = VA_INVALID_SURFACE;
        if (coded.parameters.picture_coding_type == 2)
            coded.forward = coded_.size() - 1;
        coded_.push_back(coded);
    }

    void parsePictureExtension(Bits& bits) { // 6.2.3.1
        VAPictureParameterBufferMPEG2& parameters = coded_.back().parameters;
        auto& extension = parameters.picture_coding_extension.bits;
        parameters.f_code = static_cast<int32_t>(bits.read(16));
        extension.intra_dc_precision = bits.read(2);
        extension.picture_structure = bits.read(2);
        extension.top_field_first = bits.read(1);
        extension.frame_pred_frame_dct = bits.read(1);
        extension.concealment_motion_vectors = bits.read(1);
        extension.q_scale_type = bits.read(1);
        extension.intra_vlc_format = bits.read(1);
        extension.alternate_scan = bits.read(1);
        extension.repeat_first_field = bits.read(1);
        bits.read(1); // chroma_420_type
        extension.progressive_frame = bits.read(1);
        extension.is_first_field = 1;
    }

    void parseSlice(std::span<const uint8_t> unit, uint32_t code) { // 6.2.4
        Bytes data(3 + unit.size());
        data[2] = 1;
        std::ranges::copy(unit, data.begin() + 3);
        Bits bits(unit.subspan(1));
        VASliceParameterBufferMPEG2 slice{};
        slice.slice_data_size = static_cast<uint32_t>(data.size());
        slice.slice_data_flag = VA_SLICE_DATA_FLAG_ALL;
        slice.slice_vertical_position = code - 1;
        slice.quantiser_scale_code = static_cast<int32_t>(bits.read(5));
        slice.macroblock_offset = 32 + 5 + 1; // no intra_slice_flag in the fixtures: extra_bit_slice alone follows
        coded_.back().slices.emplace_back(slice, std::move(data));
    }

    VAIQMatrixBufferMPEG2 matrices_ = defaultMatrices();
    std::vector<Coded> coded_;
};

} // namespace

std::shared_ptr<const Stream> loadMpeg2(const std::string& file) {
    auto stream = std::make_shared<Mpeg2Stream>(readFile(fixture("mpeg2/" + file)));
    stream->expected = readExpected(file);
    return stream;
}

} // namespace va_suite
