// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "codec/codec.h"
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
};

// Finds every decoder of the machine. `notes` gets a line for each thing that was seen and could not be used, and why.
std::vector<Decoder> probeDecoders(std::vector<std::string>& notes);

// What a stream asks of a decoder.
struct StreamFormat {
    uint32_t width = 0; // coded size, pixels
    uint32_t height = 0;
    std::vector<std::byte> sequence; // payload of Codec::sequenceControl; empty where it is not known yet
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

} // namespace v4l2_request::decode
