// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace v4l2_request::bitstream {

// What is known of a frame's uncompressed header (AV1 specification, 5.9.2) without having seen it.
struct Av1KnownHeader {
    uint8_t frameType = 0; // 0: key, 1: inter, 2: intra only, 3: switch
    bool showFrame = false;
    bool showableFrame = false;
    bool errorResilient = false;
    bool disableCdfUpdate = false;
    bool allowScreenContentTools = false;
    bool forceIntegerMv = false;
    uint8_t orderHintBits = 0; // 0: the sequence has no order hints
    uint8_t orderHint = 0;
    uint8_t primaryReference = 7;
    std::array<uint8_t, 7> referenceIndex{};

    bool intra() const { return frameType == 0 || frameType == 2; }
};

// What the sequence header decides about the layout of frame headers (5.5.1, 5.5.5).
struct Av1HeaderLayout {
    bool screenContentCoded = true; // seq_force_screen_content_tools is SELECT_SCREEN_CONTENT_TOOLS
    bool integerMvCoded = true;     // seq_force_integer_mv is SELECT_INTEGER_MV
    uint8_t frameIdBits = 0;        // 0: no frame ids
    uint8_t frameIdDeltaBits = 0;
    uint8_t presentationTimeBits = 0; // frame_presentation_time_length, 0: not coded
    bool removalTimes = false;        // decoder_model_info_present_flag
};

// refresh_frame_flags of the frame whose header is in these bytes: the payload of its OBU, or whole OBUs of which the
// last is the frame's. The sequence header is not there, so the layout is found by trying: one counts if all that is
// known comes out of it, and if no other does with other flags. Only the seven references of an inter frame are proof
// enough; its layout is remembered for frames without them. Nothing if the flags are not to be had so.
std::optional<uint8_t> findAv1RefreshFlags(std::span<const uint8_t> bytes, const Av1KnownHeader& known,
                                           std::optional<Av1HeaderLayout>& layout);

} // namespace v4l2_request::bitstream
