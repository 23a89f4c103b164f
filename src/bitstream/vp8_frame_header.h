// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "util/result.h"

// Clauses are those of RFC 6386.
namespace v4l2_request::bitstream {

// The uncompressed data chunk that precedes the first partition (9.1).
struct Vp8FrameTag {
    bool keyFrame = false;
    uint8_t version = 0;
    bool showFrame = true;
    uint32_t firstPartSize = 0; // bytes, 19 bits
    // Key frames only:
    uint16_t width = 0; // pixels, 14 bits
    uint16_t height = 0;
    uint8_t horizontalScale = 0; // 2 bits
    uint8_t verticalScale = 0;

    static constexpr size_t size(bool keyFrame) { return keyFrame ? 10 : 3; }
};

// Nothing if the bytes are no frame tag: too short, or a key frame without its start code.
std::optional<Vp8FrameTag> parseVp8FrameTag(std::span<const uint8_t> data);

// The bytes of a tag; the first Vp8FrameTag::size(tag.keyFrame) of them count.
std::array<uint8_t, 10> writeVp8FrameTag(const Vp8FrameTag& tag);

// The values that a segment has for the frames to come, until they are updated (9.3).
struct Vp8SegmentData {
    bool absolute = false; // segment_feature_mode
    std::array<int8_t, 4> quantizer{};
    std::array<int8_t, 4> loopFilter{};
};

// The part of the frame header (9.2 to 9.7, 19.2) that is not to be had from VA-API, and what tells whether both speak
// of the same header. What follows it, from the token probabilities on, is in VA-API as it is.
struct Vp8FrameHeader {
    bool segmentationEnabled = false;
    bool updateSegmentMap = false;
    std::optional<Vp8SegmentData> segmentData; // if update_segment_feature_data
    bool simpleFilter = false;                 // filter_type
    uint8_t loopFilterLevel = 0;
    uint8_t sharpness = 0;
    bool loopFilterAdjust = false;
    bool loopFilterDeltaUpdate = false;
    unsigned dctPartitions = 1; // 1, 2, 4 or 8
    uint8_t yAcIndex = 0;
    int8_t yDcDelta = 0;
    int8_t y2DcDelta = 0;
    int8_t y2AcDelta = 0;
    int8_t uvDcDelta = 0;
    int8_t uvAcDelta = 0;
};

// Parses the begin of the first partition. InvalidParameter if it is too short.
Result<Vp8FrameHeader> parseVp8FrameHeader(std::span<const uint8_t> firstPartition, bool keyFrame);

} // namespace v4l2_request::bitstream
