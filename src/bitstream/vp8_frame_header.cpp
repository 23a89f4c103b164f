// SPDX-License-Identifier: MIT
#include "bitstream/vp8_frame_header.h"

#include "bitstream/bool_decoder.h"

namespace v4l2_request::bitstream {

namespace {

constexpr std::array<uint8_t, 3> startCode{0x9d, 0x01, 0x2a}; // 9.1

uint16_t little16(std::span<const uint8_t> bytes) {
    return static_cast<uint16_t>(bytes[0] | bytes[1] << 8);
}

// 9.3. A value that is not coded is zero, whatever it was before.
Vp8SegmentData segmentData(BoolDecoder& coder) {
    Vp8SegmentData data{.absolute = coder.flag()};
    for (int8_t& value : data.quantizer)
        value = coder.flag() ? static_cast<int8_t>(coder.signedLiteral(7)) : int8_t{0};
    for (int8_t& value : data.loopFilter)
        value = coder.flag() ? static_cast<int8_t>(coder.signedLiteral(6)) : int8_t{0};
    return data;
}

// 9.3 and 19.2, update_segmentation()
void segmentation(BoolDecoder& coder, Vp8FrameHeader& header) {
    header.segmentationEnabled = coder.flag();
    if (!header.segmentationEnabled)
        return;
    header.updateSegmentMap = coder.flag();
    const bool updateData = coder.flag();
    if (updateData)
        header.segmentData = segmentData(coder);
    if (header.updateSegmentMap)
        for (unsigned i = 0; i < 3; ++i) // segment_prob
            if (coder.flag())
                coder.literal(8);
}

// 9.4 and 19.2, mb_lf_adjustments()
void loopFilterAdjustments(BoolDecoder& coder, Vp8FrameHeader& header) {
    header.loopFilterAdjust = coder.flag();
    if (!header.loopFilterAdjust)
        return;
    header.loopFilterDeltaUpdate = coder.flag();
    if (!header.loopFilterDeltaUpdate)
        return;
    for (unsigned i = 0; i < 8; ++i) // four of reference frames, four of modes
        if (coder.flag())
            coder.signedLiteral(6);
}

// 9.6 and 19.2, quant_indices()
void quantIndices(BoolDecoder& coder, Vp8FrameHeader& header) {
    const auto delta = [&] { return coder.flag() ? static_cast<int8_t>(coder.signedLiteral(4)) : int8_t{0}; };
    header.yAcIndex = static_cast<uint8_t>(coder.literal(7));
    header.yDcDelta = delta();
    header.y2DcDelta = delta();
    header.y2AcDelta = delta();
    header.uvDcDelta = delta();
    header.uvAcDelta = delta();
}

} // namespace

std::optional<Vp8FrameTag> parseVp8FrameTag(std::span<const uint8_t> data) {
    if (data.size() < Vp8FrameTag::size(false))
        return std::nullopt;
    const uint32_t bits = data[0] | data[1] << 8 | data[2] << 16;
    Vp8FrameTag tag{.keyFrame = !(bits & 1),
                    .version = static_cast<uint8_t>(bits >> 1 & 7),
                    .showFrame = (bits >> 4 & 1) != 0,
                    .firstPartSize = bits >> 5};
    if (!tag.keyFrame)
        return tag;
    if (data.size() < Vp8FrameTag::size(true) || data[3] != startCode[0] || data[4] != startCode[1] ||
        data[5] != startCode[2])
        return std::nullopt;
    const uint16_t horizontal = little16(data.subspan(6)), vertical = little16(data.subspan(8));
    tag.width = horizontal & 0x3fff;
    tag.height = vertical & 0x3fff;
    tag.horizontalScale = static_cast<uint8_t>(horizontal >> 14);
    tag.verticalScale = static_cast<uint8_t>(vertical >> 14);
    return tag;
}

std::array<uint8_t, 10> writeVp8FrameTag(const Vp8FrameTag& tag) {
    const uint32_t bits =
        (tag.keyFrame ? 0u : 1u) | (tag.version & 7u) << 1 | (tag.showFrame ? 1u : 0u) << 4 | tag.firstPartSize << 5;
    const unsigned horizontal = (tag.width & 0x3fffu) | unsigned{tag.horizontalScale} << 14;
    const unsigned vertical = (tag.height & 0x3fffu) | unsigned{tag.verticalScale} << 14;
    const auto byte = [](unsigned value, unsigned shift) { return static_cast<uint8_t>(value >> shift); };
    return {byte(bits, 0), byte(bits, 8),       byte(bits, 16),      startCode[0],      startCode[1],
            startCode[2],  byte(horizontal, 0), byte(horizontal, 8), byte(vertical, 0), byte(vertical, 8)};
}

// 19.2, frame_header() up to refresh_entropy_probs
Result<Vp8FrameHeader> parseVp8FrameHeader(std::span<const uint8_t> firstPartition, bool keyFrame) {
    BoolDecoder coder(firstPartition);
    Vp8FrameHeader header;
    if (keyFrame) {
        coder.flag(); // color_space
        coder.flag(); // clamping_type
    }
    segmentation(coder, header);
    header.simpleFilter = coder.flag();
    header.loopFilterLevel = static_cast<uint8_t>(coder.literal(6));
    header.sharpness = static_cast<uint8_t>(coder.literal(3));
    loopFilterAdjustments(coder, header);
    header.dctPartitions = 1u << coder.literal(2);
    quantIndices(coder, header);
    if (!coder.ok())
        return fail(ErrorKind::InvalidParameter, "VP8: the frame header runs past the end of the first partition");
    return header;
}

} // namespace v4l2_request::bitstream
