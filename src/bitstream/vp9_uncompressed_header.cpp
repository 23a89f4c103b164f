// SPDX-License-Identifier: MIT
#include "bitstream/vp9_uncompressed_header.h"

#include "bitstream/bit_reader.h"

namespace v4l2_request::bitstream {

namespace {

constexpr uint32_t frameMarker = 2;
constexpr uint32_t syncCode = 0x498342;
constexpr uint32_t colorSpaceRgb = 7;
constexpr uint8_t maxProbability = 255;
constexpr uint32_t minTileWidthB64 = 4;
constexpr uint32_t maxTileWidthB64 = 64;

class Parser {
public:
    Parser(std::span<const uint8_t> frame, uint32_t width, uint32_t height, const Vp9HeaderState& state)
        : reader_(frame), state_(state) {
        header_.width = width;
        header_.height = height;
    }

    Result<Vp9UncompressedHeader> parse() {
        uncompressedHeader();
        if (problem_)
            return fail(problemKind_, problem_);
        if (!reader_.ok())
            return fail(ErrorKind::InvalidParameter, "VP9: the uncompressed header runs past the end of the frame");
        header_.size = (reader_.position() + 7) / 8; // trailing_bits()
        return header_;
    }
    const Vp9HeaderState& state() const { return state_; }

private:
    void uncompressedHeader();
    void keyFrame();
    void intraOnlyFrame();
    void interFrame();
    void sync();
    void colorConfig();
    void frameSize();
    void frameSizeWithRefs();
    void renderSize();
    void interpolationFilter();
    void loopFilterParams();
    void quantizationParams();
    void segmentationParams();
    void segmentationMap();
    void segmentationData();
    void tileInfo();

    // Keeps the first problem; parsing goes on, so that nothing else needs to check.
    void problem(ErrorKind kind, const char* message) {
        if (problem_)
            return;
        problem_ = message;
        problemKind_ = kind;
    }
    uint8_t byte(unsigned count) { return static_cast<uint8_t>(reader_.bits(count)); }
    // su(n), 4.10.6
    int8_t su(unsigned count) {
        const auto magnitude = static_cast<int>(reader_.bits(count));
        return static_cast<int8_t>(reader_.flag() ? -magnitude : magnitude);
    }

    BitReader reader_;
    Vp9HeaderState state_;
    Vp9UncompressedHeader header_;
    const char* problem_ = nullptr;
    ErrorKind problemKind_ = ErrorKind::InvalidParameter;
};

// 6.2
void Parser::uncompressedHeader() {
    if (reader_.bits(2) != frameMarker)
        return problem(ErrorKind::InvalidParameter, "VP9: the slice data does not begin with a frame_marker");
    const uint8_t low = byte(1);
    header_.profile = static_cast<uint8_t>(byte(1) << 1 | low);
    if (header_.profile != 0 && header_.profile != 2)
        return problem(ErrorKind::Unsupported, "VP9: only profiles 0 and 2 (4:2:0) are supported");
    // Not kept from the key frame: a stream that is joined in the middle has none. colorConfig() refuses 12 bits.
    header_.bitDepth = header_.profile == 0 ? 8 : 10;
    header_.showExistingFrame = reader_.flag();
    if (header_.showExistingFrame)
        return problem(ErrorKind::InvalidParameter, "VP9: a frame with show_existing_frame has nothing to decode");
    header_.keyFrame = !reader_.flag();
    header_.showFrame = reader_.flag();
    header_.errorResilient = reader_.flag();
    if (header_.keyFrame) {
        keyFrame();
    } else {
        header_.intraOnly = !header_.showFrame && reader_.flag();
        header_.resetFrameContext = header_.errorResilient ? uint8_t{0} : byte(2);
        header_.intraOnly ? intraOnlyFrame() : interFrame();
    }
    header_.fullColorRange = state_.fullColorRange;
    header_.frameParallelDecoding = true;
    if (!header_.errorResilient) {
        header_.refreshFrameContext = reader_.flag();
        header_.frameParallelDecoding = reader_.flag();
    }
    header_.frameContextIndex = byte(2);
    if (header_.isIntra() || header_.errorResilient) { // setup_past_independence()
        state_.loopFilterDeltas = {};
        state_.segmentFeatures = {};
    }
    loopFilterParams();
    quantizationParams();
    segmentationParams();
    tileInfo();
    header_.compressedHeaderSize = static_cast<uint16_t>(reader_.bits(16));
    if (header_.compressedHeaderSize == 0) // 7.2
        problem(ErrorKind::InvalidParameter, "VP9: header_size_in_bytes is zero");
}

void Parser::keyFrame() {
    sync();
    colorConfig();
    frameSize();
    renderSize();
}

// In profile 0 the colour configuration is not coded: 8 bits, 4:2:0. The colour range is no part of that and stays.
void Parser::intraOnlyFrame() {
    sync();
    if (header_.profile > 0)
        colorConfig();
    byte(8); // refresh_frame_flags
    frameSize();
    renderSize();
}

void Parser::interFrame() {
    byte(8); // refresh_frame_flags
    for (unsigned i = 0; i < 3; ++i) {
        header_.referenceIndex[i] = byte(3);
        header_.referenceSignBias[i] = reader_.flag();
    }
    frameSizeWithRefs();
    header_.allowHighPrecisionMv = reader_.flag();
    interpolationFilter();
}

// 6.2.1
void Parser::sync() {
    if (reader_.bits(24) != syncCode)
        problem(ErrorKind::InvalidParameter, "VP9: an intra frame lacks its frame_sync_code");
}

// 6.2.2, for profiles 0 and 2
void Parser::colorConfig() {
    if (header_.profile >= 2 && reader_.flag()) // ten_or_twelve_bit
        return problem(ErrorKind::Unsupported, "VP9: 12 bits per sample are not supported");
    if (reader_.bits(3) == colorSpaceRgb)
        return problem(ErrorKind::InvalidParameter, "VP9: RGB is not allowed in this profile");
    state_.fullColorRange = reader_.flag();
}

// 6.2.3
void Parser::frameSize() {
    const uint32_t width = reader_.bits(16) + 1;
    const uint32_t height = reader_.bits(16) + 1;
    if (width != header_.width || height != header_.height)
        problem(ErrorKind::InvalidParameter, "VP9: the frame header has another size than the picture parameters");
}

// 6.2.4
void Parser::renderSize() {
    header_.renderWidth = header_.width;
    header_.renderHeight = header_.height;
    if (!reader_.flag()) // render_and_frame_size_different
        return;
    header_.renderWidth = reader_.bits(16) + 1;
    header_.renderHeight = reader_.bits(16) + 1;
}

// 6.2.5. The render size is coded even if the frame size is not.
void Parser::frameSizeWithRefs() {
    for (unsigned i = 0; i < 3 && !header_.sizeFromReference; ++i)
        header_.sizeFromReference = reader_.flag(); // found_ref
    if (!header_.sizeFromReference)
        frameSize();
    renderSize();
}

// 6.2.7
void Parser::interpolationFilter() {
    using enum Vp9InterpolationFilter;
    constexpr std::array literalToType{EightTapSmooth, EightTap, EightTapSharp, Bilinear};
    header_.interpolationFilter = reader_.flag() ? Switchable : literalToType[reader_.bits(2)];
}

// 6.2.8
void Parser::loopFilterParams() {
    header_.loopFilterLevel = byte(6);
    header_.loopFilterSharpness = byte(3);
    header_.loopFilterDeltaEnabled = reader_.flag();
    header_.loopFilterDeltaUpdate = header_.loopFilterDeltaEnabled && reader_.flag();
    if (header_.loopFilterDeltaUpdate) {
        for (int8_t& delta : state_.loopFilterDeltas.reference)
            if (reader_.flag())
                delta = su(6);
        for (int8_t& delta : state_.loopFilterDeltas.mode)
            if (reader_.flag())
                delta = su(6);
    }
    header_.loopFilterDeltas = state_.loopFilterDeltas;
}

// 6.2.9 and 6.2.10
void Parser::quantizationParams() {
    const auto delta = [this] { return reader_.flag() ? su(4) : int8_t{0}; };
    header_.baseQuantizerIndex = byte(8);
    header_.deltaYDc = delta();
    header_.deltaUvDc = delta();
    header_.deltaUvAc = delta();
}

// 6.2.11
void Parser::segmentationParams() {
    header_.segmentationEnabled = reader_.flag();
    if (header_.segmentationEnabled) {
        header_.segmentationUpdateMap = reader_.flag();
        if (header_.segmentationUpdateMap)
            segmentationMap();
        header_.segmentationUpdateData = reader_.flag();
        if (header_.segmentationUpdateData)
            segmentationData();
    }
    header_.segmentationTreeProbs = state_.segmentationTreeProbs;
    header_.segmentationPredProbs = state_.segmentationPredProbs;
    header_.segmentFeatures = state_.segmentFeatures;
}

void Parser::segmentationMap() {
    const auto probability = [this] { return reader_.flag() ? byte(8) : maxProbability; };
    for (uint8_t& prob : state_.segmentationTreeProbs)
        prob = probability();
    header_.segmentationTemporalUpdate = reader_.flag();
    for (uint8_t& prob : state_.segmentationPredProbs)
        prob = header_.segmentationTemporalUpdate ? probability() : maxProbability;
}

void Parser::segmentationData() {
    constexpr std::array<unsigned, 4> featureBits{8, 6, 2, 0};
    constexpr std::array featureSigned{true, true, false, false};
    Vp9SegmentFeatures& features = state_.segmentFeatures;
    features.absolute = reader_.flag();
    for (auto& segment : features.segments) {
        for (size_t i = 0; i < segment.size(); ++i) {
            segment[i] = {.enabled = reader_.flag()};
            if (!segment[i].enabled)
                continue;
            const auto value = static_cast<int16_t>(reader_.bits(featureBits[i]));
            segment[i].value = featureSigned[i] && reader_.flag() ? static_cast<int16_t>(-value) : value;
        }
    }
}

// 6.2.13 and 6.2.14
void Parser::tileInfo() {
    const uint32_t sb64Columns = (header_.width + 63) / 64;
    uint8_t minLog2 = 0;
    while (maxTileWidthB64 << minLog2 < sb64Columns)
        ++minLog2;
    uint8_t maxLog2 = 1;
    while (sb64Columns >> maxLog2 >= minTileWidthB64)
        ++maxLog2;
    --maxLog2;
    header_.tileColumnsLog2 = minLog2;
    while (header_.tileColumnsLog2 < maxLog2 && reader_.flag())
        ++header_.tileColumnsLog2;
    header_.tileRowsLog2 = byte(1);
    if (header_.tileRowsLog2)
        header_.tileRowsLog2 = static_cast<uint8_t>(1 + byte(1));
}

} // namespace

Result<Vp9UncompressedHeader> parseVp9UncompressedHeader(std::span<const uint8_t> frame, uint32_t width,
                                                         uint32_t height, Vp9HeaderState& state) {
    Parser parser(frame, width, height, state);
    auto header = parser.parse();
    if (header)
        state = parser.state();
    return header;
}

} // namespace v4l2_request::bitstream
