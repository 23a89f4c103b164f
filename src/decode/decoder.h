// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "codec/codec.h"
#include "decode/memory_source.h"
#include "decode/observer.h"
#include "format/pixel_format.h"
#include "v4l2/device.h"
#include "v4l2/media_device.h"

namespace v4l2_request::decode {

// One codec of one decoder node, with everything that was asked of the device about it.
struct Decoder {
    v4l2::DecoderNode node;
    const codec::Codec* codec = nullptr;
    std::vector<codec::Profile> profiles; // the ones that the device lists and whose pictures a client can use
    codec::DeviceControls controls;
    v4l2::FrameSizes sizes{};
    bool holdCapture = false; // several requests may write one CAPTURE buffer
    // A device that reports nothing for so long is stuck. Kernel watchdogs give up on a job after 2 s: theirs does less
    // harm. V4L2_REQUEST_TIMEOUT says how many seconds, for a decoder that is a program on a slow machine.
    std::chrono::seconds stallTimeout{5};
    std::shared_ptr<MemorySource> memory; // of the node: the same for all of its codecs
    std::shared_ptr<Observer> observer;   // of all sessions; null: nobody looks
};

// A profile that the driver knows, at one node.
struct ProfileReport {
    const codec::Profile* profile;
    std::string fault; // why it is not offered; empty if it is
};

// A codec that the driver knows, at one node.
struct CodecReport {
    const codec::Codec* codec;
    std::string fault; // why none of its profiles is offered; empty if one is
    std::vector<ProfileReport> profiles;
};

// All that probing has found out: what the driver offers, and the reason for everything that it does not offer. The
// driver logs it, v4l2-request-info prints it.
struct ProbeReport {
    struct Node {
        v4l2::DecoderNode node;
        std::string fault; // why it cannot be asked
        std::vector<CodecReport> codecs;
    };
    std::vector<v4l2::MediaDevice> media;
    std::vector<Node> nodes;
    std::vector<Decoder> decoders; // in the order of preference

    // A line for each thing that was seen and could not be used, and why.
    std::vector<std::string> notes() const;
};

// Asks every decoder of the machine for everything.
ProbeReport probeDecoders();

// A profile and who serves it.
struct Offer {
    const codec::Profile& profile;
    const Decoder& decoder;
};

// The node that serves the profile best: of several, the first of those that take the largest pictures. On RK3588,
// an older decoder, of 1080p at most, has H.264 as well.
std::optional<Offer> findOffer(std::span<const Decoder> decoders, VAProfile profile);

// A width or height in pixels, rounded up to whole blocks of 16, as most streams code it.
constexpr uint32_t wholeUnits(uint32_t pixels) {
    return (pixels + 15) / 16 * 16;
}

// What a stream asks of a decoder.
struct StreamFormat {
    uint32_t width = 0; // coded size, pixels
    uint32_t height = 0;
    uint8_t bitDepth = 8;            // of a sample
    std::vector<std::byte> sequence; // payload of Codec::sequenceControl; empty where it is not known yet
    // What CAPTURE buffers should be like beyond what the stream needs, as far as the device can: pixels, and bytes per
    // row. Memory that was laid out before the stream was known, or that is the client's own, can be used so.
    uint32_t frameWidth = 0;
    uint32_t frameHeight = 0;
    uint32_t pitch = 0;

    void fitFrame(const Layout& layout) {
        frameWidth = layout.width;
        frameHeight = layout.height;
        pitch = layout.pitches[0];
    }
};

// What the device answered.
struct NegotiatedFormat {
    v4l2::Format output;
    v4l2::Format capture;
    Layout layout; // of a CAPTURE buffer
};

// Sets both formats on a device that has no buffers, in the one order that all drivers understand: OUTPUT, then the
// sequence control, then CAPTURE (Documentation/userspace-api/media/v4l/dev-stateless-decoder.rst, "Initialization").
Result<NegotiatedFormat> negotiate(v4l2::Device& device, const Decoder& decoder, const StreamFormat& wanted);

// How the decoder would lay out pictures of such a stream, without allocating anything. Asked on a file handle of its
// own, which no other sequence has seen.
Result<Layout> layoutFor(const Decoder& decoder, const StreamFormat& format);

} // namespace v4l2_request::decode
