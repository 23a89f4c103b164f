// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "util/result.h"

// Clauses are those of the VP9 Bitstream & Decoding Process Specification, version 0.6.
namespace v4l2_request::bitstream {

// The filters as they are numbered in the block syntax and in every API; the frame header numbers them otherwise.
enum class Vp9InterpolationFilter : uint8_t { EightTap, EightTapSmooth, EightTapSharp, Bilinear, Switchable };

struct Vp9LoopFilterDeltas {
    std::array<int8_t, 4> reference{1, 0, -1, -1}; // 8.4.2, setup_past_independence()
    std::array<int8_t, 2> mode{};
};

struct Vp9SegmentFeature {
    bool enabled = false;
    int16_t value = 0;
};

// The features that segments have, until they are updated (7.2.10).
struct Vp9SegmentFeatures {
    bool absolute = false; // segmentation_abs_or_delta_update
    std::array<std::array<Vp9SegmentFeature, 4>, 8> segments{};
};

// What outlives a frame: the syntax elements that later frames may leave as they are.
struct Vp9HeaderState {
    Vp9LoopFilterDeltas loopFilterDeltas;
    Vp9SegmentFeatures segmentFeatures;
    std::array<uint8_t, 7> segmentationTreeProbs{}; // zero until a frame has some
    std::array<uint8_t, 3> segmentationPredProbs{};
    bool fullColorRange = false;
};

struct Vp9UncompressedHeader {
    uint8_t profile = 0;
    uint8_t bitDepth = 8;
    bool showExistingFrame = false; // then nothing else is there
    bool keyFrame = false;
    bool showFrame = false;
    bool errorResilient = false;
    bool intraOnly = false;
    uint8_t resetFrameContext = 0;
    bool fullColorRange = false;
    std::array<uint8_t, 3> referenceIndex{}; // last, golden, altref: ref_frame_idx
    std::array<bool, 3> referenceSignBias{}; // in the same order
    bool sizeFromReference = false;          // found_ref: width and height are the caller's
    uint32_t width = 0;                      // pixels
    uint32_t height = 0;
    uint32_t renderWidth = 0;
    uint32_t renderHeight = 0;
    bool allowHighPrecisionMv = false;
    Vp9InterpolationFilter interpolationFilter = Vp9InterpolationFilter::EightTap;
    bool refreshFrameContext = false;
    bool frameParallelDecoding = false;
    uint8_t frameContextIndex = 0; // as coded: which context reset_frame_context means

    uint8_t loopFilterLevel = 0;
    uint8_t loopFilterSharpness = 0;
    bool loopFilterDeltaEnabled = false;
    bool loopFilterDeltaUpdate = false;
    Vp9LoopFilterDeltas loopFilterDeltas; // in force in this frame

    uint8_t baseQuantizerIndex = 0;
    int8_t deltaYDc = 0;
    int8_t deltaUvDc = 0;
    int8_t deltaUvAc = 0;

    bool segmentationEnabled = false;
    bool segmentationUpdateMap = false;
    bool segmentationTemporalUpdate = false;
    bool segmentationUpdateData = false;
    std::array<uint8_t, 7> segmentationTreeProbs{};
    std::array<uint8_t, 3> segmentationPredProbs{};
    Vp9SegmentFeatures segmentFeatures; // in force in this frame

    uint8_t tileColumnsLog2 = 0;
    uint8_t tileRowsLog2 = 0;
    uint16_t compressedHeaderSize = 0;
    size_t size = 0; // of this header, bytes

    bool isIntra() const { return keyFrame || intraOnly; } // FrameIsIntra
    bool lossless() const { return baseQuantizerIndex == 0 && deltaYDc == 0 && deltaUvDc == 0 && deltaUvAc == 0; }
};

// Parses uncompressed_header() (6.2) of a frame of profile 0 or of profile 2 with 10 bits. `width` and `height` are
// those of the frame as the caller knows them: a frame may take its size from a reference instead of saying it. `state`
// is what the frames before left; the header's own changes go into it. Unsupported: another profile or depth.
// InvalidParameter: not a frame header, or its size is not the caller's.
Result<Vp9UncompressedHeader> parseVp9UncompressedHeader(std::span<const uint8_t> frame, uint32_t width,
                                                         uint32_t height, Vp9HeaderState& state);

} // namespace v4l2_request::bitstream
