// SPDX-License-Identifier: MIT
//
// MPEG-2 from V4L2 stateless controls, by way of libavcodec: sequence header and extension, quantiser matrices, picture
// header and picture coding extension are written from the controls, the slices follow as they are. Clauses are those
// of Rec. ITU-T H.262.
#include "core/decoder.h"

#include <array>
#include <optional>

#include "core/bit_writer.h"
#include "core/control_reader.h"
#include "core/picture_decoder.h"
#include "core/references.h"

namespace daedalus {
namespace {

using Sequence = v4l2_ctrl_mpeg2_sequence;
using PictureControl = v4l2_ctrl_mpeg2_picture;
using Quantisation = v4l2_ctrl_mpeg2_quantisation;

constexpr uint8_t pictureStartCode = 0x00;
constexpr uint8_t firstSliceStartCode = 0x01;
constexpr uint8_t lastSliceStartCode = 0xaf;
constexpr uint8_t sequenceHeaderCode = 0xb3;
constexpr uint8_t extensionStartCode = 0xb5;
constexpr uint8_t groupStartCode = 0xb8;

/// What GStreamer and others send for a reference that a picture does not have.
constexpr uint64_t noReference = ~uint64_t{0};

void startCode(BitWriter& writer, uint8_t code) {
    writer.align(0);
    writer.bits(1, 24);
    writer.bits(code, 8);
}

Result<std::vector<uint8_t>> writeSequence(const Sequence& sequence) {
    if (sequence.chroma_format != 1)
        return fail(ENOTSUP, "SEQUENCE.chroma_format %u (4:2:0 is 1)", sequence.chroma_format);
    if (sequence.horizontal_size == 0 || sequence.vertical_size == 0 || sequence.horizontal_size > 0x3fff ||
        sequence.vertical_size > 0x3fff)
        return fail(EINVAL, "SEQUENCE.horizontal_size %u, vertical_size %u", sequence.horizontal_size,
                    sequence.vertical_size);
    const uint32_t width = sequence.horizontal_size;
    const uint32_t height = sequence.vertical_size;

    // Clause 6.2.2.1. Aspect ratio, rates and the VBV say nothing about pixels.
    BitWriter writer;
    startCode(writer, sequenceHeaderCode);
    writer.bits(width & 0xfff, 12);
    writer.bits(height & 0xfff, 12);
    writer.bits(1, 4); // aspect_ratio_information
    writer.bits(3, 4); // frame_rate_code
    writer.bits(0x3ffff, 18);
    writer.bit(1);
    writer.bits(0, 10);
    writer.bit(0);     // constrained_parameters_flag
    writer.bits(0, 2); // load_*_quantiser_matrix: each picture has its own
    // Clause 6.2.2.3
    startCode(writer, extensionStartCode);
    writer.bits(1, 4);
    writer.bits(sequence.profile_and_level_indication, 8);
    writer.flag((sequence.flags & V4L2_MPEG2_SEQ_FLAG_PROGRESSIVE) != 0);
    writer.bits(sequence.chroma_format, 2);
    writer.bits(width >> 12, 2);
    writer.bits(height >> 12, 2);
    writer.bits(0, 12); // bit_rate_extension
    writer.bit(1);
    writer.bits(0, 8); // vbv_buffer_size_extension
    writer.bit(0);     // low_delay
    writer.bits(0, 2);
    writer.bits(0, 5);
    writer.align(0);
    return writer.take();
}

/// Clause 6.2.2.6: tells libavcodec that a B picture may come without its forward reference.
void writeClosedGroup(BitWriter& writer) {
    startCode(writer, groupStartCode);
    writer.bits(1 << 12, 25); // time_code with its marker_bit
    writer.bit(1);            // closed_gop
    writer.bit(0);            // broken_link
}

/// Clause 6.2.3.2, in zig-zag order as the control has it. With every picture, and not in the sequence header: the two
/// fields of a frame may differ, and no sequence header may come between them.
Result<void> writeQuantisation(BitWriter& writer, const Quantisation& quantisation) {
    startCode(writer, extensionStartCode);
    writer.bits(3, 4);
    for (const auto* matrix : {&quantisation.intra_quantiser_matrix, &quantisation.non_intra_quantiser_matrix}) {
        writer.bit(1);
        for (const uint8_t value : *matrix) {
            if (value == 0)
                return fail(EINVAL, "QUANTISATION.%s_quantiser_matrix has a 0 (6.3.11)",
                            matrix == &quantisation.intra_quantiser_matrix ? "intra" : "non_intra");
            writer.bits(value, 8);
        }
    }
    writer.bits(0, 2); // the chroma matrices are those of luma in 4:2:0
    writer.align(0);
    return {};
}

void writePicture(BitWriter& writer, const PictureControl& picture) {
    const auto flag = [&](uint32_t mask) { return (picture.flags & mask) != 0; };
    const bool predicted = picture.picture_coding_type != V4L2_MPEG2_PIC_CODING_TYPE_I;
    const bool isB = picture.picture_coding_type == V4L2_MPEG2_PIC_CODING_TYPE_B;
    // Clause 6.2.3
    startCode(writer, pictureStartCode);
    writer.bits(0, 10); // temporal_reference: output order only
    writer.bits(picture.picture_coding_type, 3);
    writer.bits(0xffff, 16); // vbv_delay
    if (predicted)
        writer.bits(7, 4); // full_pel_forward_vector 0, forward_f_code 7: f_code below counts
    if (isB)
        writer.bits(7, 4);
    writer.bit(0); // extra_bit_picture
    // Clause 6.2.3.1
    startCode(writer, extensionStartCode);
    writer.bits(8, 4);
    for (const auto& direction : picture.f_code) {
        for (const uint8_t code : direction)
            writer.bits(code & 0xf, 4);
    }
    writer.bits(picture.intra_dc_precision & 3u, 2);
    writer.bits(picture.picture_structure & 3u, 2);
    writer.flag(flag(V4L2_MPEG2_PIC_FLAG_TOP_FIELD_FIRST));
    writer.flag(flag(V4L2_MPEG2_PIC_FLAG_FRAME_PRED_DCT));
    writer.flag(flag(V4L2_MPEG2_PIC_FLAG_CONCEALMENT_MV));
    writer.flag(flag(V4L2_MPEG2_PIC_FLAG_Q_SCALE_TYPE));
    writer.flag(flag(V4L2_MPEG2_PIC_FLAG_INTRA_VLC));
    writer.flag(flag(V4L2_MPEG2_PIC_FLAG_ALT_SCAN));
    writer.flag(flag(V4L2_MPEG2_PIC_FLAG_REPEAT_FIRST));
    writer.flag(flag(V4L2_MPEG2_PIC_FLAG_PROGRESSIVE)); // chroma_420_type
    writer.flag(flag(V4L2_MPEG2_PIC_FLAG_PROGRESSIVE));
    writer.bit(0); // composite_display_flag
    writer.align(0);
}

/// What clause 6.3.10 says of flags that are mostly about display: no pixel would show that one of them is wrong, but
/// two of them may contradict each other.
Result<void> checkStructure(const Sequence& sequence, const PictureControl& picture) {
    const auto flag = [&](uint32_t mask) { return (picture.flags & mask) != 0; };
    const bool isFrame = picture.picture_structure == V4L2_MPEG2_PIC_FRAME;
    const bool progressiveSequence = (sequence.flags & V4L2_MPEG2_SEQ_FLAG_PROGRESSIVE) != 0;
    const bool progressive = flag(V4L2_MPEG2_PIC_FLAG_PROGRESSIVE);
    const bool repeats = flag(V4L2_MPEG2_PIC_FLAG_REPEAT_FIRST);
    const bool topFirst = flag(V4L2_MPEG2_PIC_FLAG_TOP_FIELD_FIRST);

    struct {
        bool wrong;
        const char* what;
    } const rules[] = {
        {progressiveSequence && !(isFrame && progressive),
         "SEQUENCE.flags PROGRESSIVE, but the picture is no progressive frame"},
        {progressive && !(isFrame && flag(V4L2_MPEG2_PIC_FLAG_FRAME_PRED_DCT)),
         "PICTURE.flags PROGRESSIVE without FRAME_PRED_DCT, or in a field"},
        {repeats && !(isFrame && progressive), "PICTURE.flags REPEAT_FIRST without PROGRESSIVE, or in a field"},
        {topFirst && !isFrame, "PICTURE.flags TOP_FIELD_FIRST in a field"},
        {topFirst && progressiveSequence && !repeats,
         "PICTURE.flags TOP_FIELD_FIRST without REPEAT_FIRST in a progressive sequence"},
    };
    for (const auto& rule : rules) {
        if (rule.wrong)
            return fail(EINVAL, "%s (6.3.10)", rule.what);
    }
    return {};
}

/// Appends the slices of the payload, each from its start code, and nothing else of it.
size_t appendSlices(std::vector<uint8_t>& stream, std::span<const uint8_t> payload) {
    size_t slices = 0;
    size_t begin = payload.size();
    const auto flush = [&](size_t end) {
        if (begin < end) {
            stream.insert(stream.end(), payload.begin() + static_cast<ptrdiff_t>(begin),
                          payload.begin() + static_cast<ptrdiff_t>(end));
            ++slices;
        }
        begin = payload.size();
    };
    for (size_t i = 0; i + 4 <= payload.size(); ++i) {
        if (payload[i] != 0 || payload[i + 1] != 0 || payload[i + 2] != 1)
            continue;
        flush(i);
        if (payload[i + 3] >= firstSliceStartCode && payload[i + 3] <= lastSliceStartCode)
            begin = i;
        i += 3;
    }
    flush(payload.size());
    return slices;
}

class Mpeg2Decoder final : public Decoder {
public:
    Result<void> decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) override;
    void forgetBuffer(uint64_t cookie) override { holds_.forget(cookie); }

private:
    Result<void> checkReferences(const Job& job, const PictureControl& picture, bool secondField, Damage& damage) const;

    std::unique_ptr<PictureDecoder> decoder_;
    std::vector<uint8_t> fedSequence_;
    References holds_;
    /// The two pictures that libavcodec would predict from, by timestamp: clause 7.6 knows no others.
    std::optional<uint64_t> older_, newer_;
    /// The field decoded last, if its frame lacks the other one.
    struct {
        bool open = false;
        uint64_t timestamp = 0;
        uint8_t structure = 0;
    } firstField_;
};

Result<void> Mpeg2Decoder::checkReferences(const Job& job, const PictureControl& picture, bool secondField,
                                           Damage& damage) const {
    const auto check = [&](uint64_t timestamp, std::optional<uint64_t> expected, const char* field) {
        return damage.soften(holds_.checkIs(job, timestamp, expected, field));
    };
    switch (picture.picture_coding_type) {
    case V4L2_MPEG2_PIC_CODING_TYPE_I: return {};
    case V4L2_MPEG2_PIC_CODING_TYPE_P:
        // The second field of a reference frame predicts from the first, and from the reference frame before, if any.
        if (secondField) {
            if (picture.forward_ref_ts == job.timestamp() || picture.forward_ref_ts == noReference)
                return {};
            return check(picture.forward_ref_ts, older_, "PICTURE.forward_ref_ts");
        }
        return check(picture.forward_ref_ts, newer_, "PICTURE.forward_ref_ts");
    case V4L2_MPEG2_PIC_CODING_TYPE_B:
        if (auto checked = check(picture.backward_ref_ts, newer_, "PICTURE.backward_ref_ts"); !checked)
            return checked;
        // The first B pictures of a closed group have nothing before them.
        if (!older_ && (picture.forward_ref_ts == noReference || picture.forward_ref_ts == picture.backward_ref_ts))
            return {};
        return check(picture.forward_ref_ts, older_, "PICTURE.forward_ref_ts");
    default: return fail(EINVAL, "PICTURE.picture_coding_type %u", picture.picture_coding_type);
    }
}

Result<void> Mpeg2Decoder::decode(const Job& job, std::span<const uint8_t> payload, PictureSink& sink) {
    Sequence sequence{};
    PictureControl picture{};
    Quantisation quantisation{};
    ControlReader controls(job);
    controls.required(V4L2_CID_STATELESS_MPEG2_SEQUENCE, "MPEG2_SEQUENCE", sequence);
    controls.required(V4L2_CID_STATELESS_MPEG2_PICTURE, "MPEG2_PICTURE", picture);
    controls.required(V4L2_CID_STATELESS_MPEG2_QUANTISATION, "MPEG2_QUANTISATION", quantisation);
    if (!controls.result())
        return controls.result();
    if (picture.picture_structure == 0 || picture.picture_structure > V4L2_MPEG2_PIC_FRAME)
        return fail(EINVAL, "PICTURE.picture_structure %u", picture.picture_structure);
    if (auto checked = checkStructure(sequence, picture); !checked)
        return checked;
    auto headers = writeSequence(sequence);
    if (!headers)
        return tl::unexpected(headers.error());

    const bool isField = picture.picture_structure != V4L2_MPEG2_PIC_FRAME;
    const bool secondField = isField && firstField_.open && firstField_.timestamp == job.timestamp() &&
                             firstField_.structure + picture.picture_structure == V4L2_MPEG2_PIC_FRAME;
    Damage damage;
    if (auto checked = checkReferences(job, picture, secondField, damage); !checked)
        return checked;

    if (!decoder_) {
        if (auto created = PictureDecoder::renew(decoder_, AV_CODEC_ID_MPEG2VIDEO); !created)
            return tl::unexpected(created.error());
        fedSequence_.clear();
    }

    std::vector<uint8_t> stream;
    if (*headers != fedSequence_)
        stream = *headers;
    const bool isB = picture.picture_coding_type == V4L2_MPEG2_PIC_CODING_TYPE_B;
    BitWriter writer;
    if (isB && !older_)
        writeClosedGroup(writer);
    writePicture(writer, picture);
    if (auto written = writeQuantisation(writer, quantisation); !written)
        return written;
    stream.insert(stream.end(), writer.bytes().begin(), writer.bytes().end());
    if (appendSlices(stream, payload) == 0)
        return fail(EBADMSG, "no slice in a payload of %zu bytes", payload.size());

    if (!secondField)
        holds_.overwrite(job.header.capture.cookie);
    auto decoded = decoder_->decode(stream, !isField      ? PictureDecoder::Expect::Frame
                                            : secondField ? PictureDecoder::Expect::SecondField
                                                          : PictureDecoder::Expect::FirstField);
    firstField_ = {};
    if (!decoded) {
        // What libavcodec holds now is in doubt: begin anew at the next I picture.
        decoder_.reset();
        older_.reset();
        newer_.reset();
        return damage.error ? damage.outcome() : tl::unexpected(decoded.error());
    }
    fedSequence_ = std::move(*headers);
    if (isField && !secondField)
        firstField_ = {true, job.timestamp(), picture.picture_structure};
    if (!isB && !secondField) {
        older_ = newer_;
        newer_ = job.timestamp();
    }
    holds_.decoded(job.header.capture.cookie, job.timestamp());
    if (auto stored = sink.store(*decoded->frame, job.header.format, job.header.capture); !stored)
        return stored;
    if (decoded->damage)
        return tl::unexpected(*decoded->damage);
    if (decoded->missingBlocks)
        return fail(EIO, "no slice covers %u macroblocks of the picture", decoded->missingBlocks);
    return damage.outcome();
}

} // namespace

std::unique_ptr<Decoder> makeMpeg2Decoder() {
    return std::make_unique<Mpeg2Decoder>();
}

} // namespace daedalus
