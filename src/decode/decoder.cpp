// SPDX-License-Identifier: MIT
#include "decode/decoder.h"

#include <algorithm>
#include <cstdlib>

#include "util/log.h"

namespace v4l2_request::decode {

namespace {

codec::DeviceControls probeControls(const v4l2::Device& device, const codec::Codec& codec) {
    codec::DeviceControls controls;
    for (const auto ids : {codec.requiredControls, codec.optionalControls})
        for (const uint32_t id : ids)
            if (const auto info = device.queryControl(id))
                controls.set(id, {info->elements, device.controlValue(id).value_or(info->defaultValue)});
    return controls;
}

std::chrono::seconds stallTimeout(std::chrono::seconds usual) {
    const char* wish = ::getenv("V4L2_REQUEST_TIMEOUT");
    const long seconds = wish ? std::strtol(wish, nullptr, 10) : 0;
    return seconds > 0 && seconds <= 86400 ? std::chrono::seconds(seconds) : usual;
}

// The first row of the table that the device offers, of this depth.
const PixelFormat* firstUsableFormat(const v4l2::Device& device, uint8_t bitDepth) {
    const auto offered = device.formats(v4l2::QueueType::Capture);
    for (const PixelFormat& row : pixelFormats)
        if (row.bitDepth == bitDepth && std::find(offered.begin(), offered.end(), row.v4l2) != offered.end())
            return &row;
    return nullptr;
}

// The sizes of a codec that have room in the pictures too. What is enumerated is not the last word: cedrus enumerates
// nothing, hantro on RK3399 VP8 of 3840x2160 for pictures of 1920x1088, rkvdec on RK3588 whatever 16 bits hold. S_FMT
// answers with what there is.
v4l2::FrameSizes probeSizes(v4l2::Device& device, uint32_t fourcc) {
    constexpr uint32_t most = 16384; // of both: the memory of a picture is counted in 32 bits
    v4l2::FrameSizes sizes = device.frameSizes(fourcc).value_or(v4l2::FrameSizes{16, most, 1, 16, most, 1});
    // Even, as negotiate() asks for no others.
    const auto limit = [&sizes](uint32_t width, uint32_t height) {
        sizes.maxWidth = std::min(sizes.maxWidth, width) / 2 * 2;
        sizes.maxHeight = std::min(sizes.maxHeight, height) / 2 * 2;
    };
    limit(most, most);
    const auto output = device.setFormat(
        v4l2::QueueType::Output,
        {.fourcc = fourcc, .width = sizes.maxWidth, .height = sizes.maxHeight, .planeCount = 1, .planes = {}});
    if (!output || output->fourcc != fourcc)
        return sizes; // negotiate() says what is wrong
    limit(output->width, output->height);
    const PixelFormat* pixels = firstUsableFormat(device, 8);
    if (!pixels)
        return sizes;
    const auto capture = device.setFormat(v4l2::QueueType::Capture, {.fourcc = pixels->v4l2,
                                                                     .width = output->width,
                                                                     .height = output->height,
                                                                     .planeCount = pixels->memoryPlanes,
                                                                     .planes = {}});
    if (capture)
        limit(capture->width, capture->height);
    return sizes;
}

// What the device's menu says of each profile. A device without the menu is taken by its word that it knows the codec.
// It may list a profile and have no format for its depth, or none that can be read: it tells only when it knows that.
std::vector<ProfileReport> probeProfiles(const v4l2::Device& device, const Decoder& decoder) {
    const codec::Codec& codec = *decoder.codec;
    std::vector<ProfileReport> profiles;
    const bool hasMenu = device.queryControl(codec.profileControl).has_value();
    for (const codec::Profile& profile : codec.profiles) {
        std::string fault;
        if (hasMenu && !device.hasMenuItem(codec.profileControl, profile.menuItem))
            fault = "the device does not list it";
        for (const PixelFormat* format : clientFormats)
            if (fault.empty() && isForSurfaces(*format) && format->rt & profile.rtFormats && format->bitDepth > 8)
                if (auto layout = layoutFor(decoder, {.width = decoder.sizes.minWidth,
                                                      .height = decoder.sizes.minHeight,
                                                      .bitDepth = format->bitDepth,
                                                      .sequence = {}});
                    !layout)
                    fault = "the device lists it, but " + layout.error().message;
        profiles.push_back({&profile, std::move(fault)});
    }
    return profiles;
}

// Why this codec of this device cannot be used, or the decoder, and what became of each profile.
Result<Decoder> probeCodec(v4l2::Device& device, const v4l2::DecoderNode& node,
                           const std::shared_ptr<MemorySource>& memory, CodecReport& report) {
    const codec::Codec& codec = *report.codec;
    Decoder decoder{.node = node, .codec = &codec};
    decoder.stallTimeout = stallTimeout(decoder.stallTimeout);
    decoder.memory = memory;
    const auto fourccs = device.formats(v4l2::QueueType::Output);
    if (std::find(fourccs.begin(), fourccs.end(), codec.fourcc) == fourccs.end())
        return fail(ErrorKind::Unsupported, std::string("does not decode ") + codec.name);
    for (const uint32_t id : codec.requiredControls)
        if (!device.queryControl(id))
            return fail(ErrorKind::Unsupported, strprintf("lacks the control %#x", id));
    decoder.controls = probeControls(device, codec);
    decoder.sizes = probeSizes(device, codec.fourcc);
    if (auto formats = negotiate(device, decoder, {.width = decoder.sizes.minWidth, .height = decoder.sizes.minHeight});
        !formats)
        return tl::unexpected(std::move(formats).error());
    // Only now: what a queue can do depends on its format.
    const uint32_t capabilities = device.bufferCapabilities(v4l2::QueueType::Output, V4L2_MEMORY_MMAP);
    if (!(capabilities & V4L2_BUF_CAP_SUPPORTS_REQUESTS))
        return fail(ErrorKind::Unsupported, "takes no requests on its OUTPUT queue");
    if (!(device.bufferCapabilities(v4l2::QueueType::Capture, V4L2_MEMORY_DMABUF) & V4L2_BUF_CAP_SUPPORTS_DMABUF))
        return fail(ErrorKind::Unsupported, "takes no dma-buf on its CAPTURE queue");
    decoder.holdCapture = capabilities & V4L2_BUF_CAP_SUPPORTS_M2M_HOLD_CAPTURE_BUF;

    report.profiles = probeProfiles(device, decoder);
    for (const ProfileReport& row : report.profiles) {
        if (!row.fault.empty())
            continue;
        const auto same = std::ranges::find(decoder.profiles, row.profile->va, &codec::Profile::va);
        if (same == decoder.profiles.end())
            decoder.profiles.push_back(*row.profile);
        else
            same->rtFormats |= row.profile->rtFormats;
    }
    if (decoder.profiles.empty())
        return fail(ErrorKind::Unsupported, "lists no profile that VA-API can carry");
    return decoder;
}

ProbeReport::Node probeNode(const v4l2::DecoderNode& node, std::vector<Decoder>& decoders) {
    ProbeReport::Node report{.node = node, .fault = {}, .codecs = {}};
    auto device = v4l2::Device::open(node.videoPath);
    if (!device) {
        report.fault = device.error().message;
        return report;
    }
    const auto memory = std::make_shared<MemorySource>();
    for (const codec::Codec* codec : codec::registry()) {
        CodecReport& row = report.codecs.emplace_back(CodecReport{codec, {}, {}});
        if (auto decoder = probeCodec(*device, node, memory, row))
            decoders.push_back(std::move(*decoder));
        else
            row.fault = decoder.error().message;
    }
    return report;
}

// The layout of a CAPTURE buffer; nothing if it contradicts itself.
std::optional<Layout> layoutOf(const PixelFormat& pixels, const v4l2::Format& capture) {
    uint64_t size = capture.planes[0].sizeimage, second = 0;
    if (pixels.memoryPlanes > 1) {
        second = os::wholePages(size);
        size = second + capture.planes[1].sizeimage;
    }
    if (size > UINT32_MAX)
        return std::nullopt;
    return Layout::ofDevice(pixels, capture.width, capture.height, capture.planes[0].bytesperline,
                            static_cast<uint32_t>(size), static_cast<uint32_t>(second));
}

} // namespace

ProbeReport probeDecoders() {
    ProbeReport report;
    report.media = v4l2::findMediaDevices();
    for (const v4l2::MediaDevice& media : report.media)
        for (const v4l2::DecoderNode& node : media.decoders)
            report.nodes.push_back(probeNode(node, report.decoders));
    return report;
}

std::vector<std::string> ProbeReport::notes() const {
    std::vector<std::string> notes;
    if (media.empty())
        notes.emplace_back("there is no /dev/media* on this machine");
    for (const v4l2::MediaDevice& device : media)
        for (const std::string& fault : device.faults)
            notes.push_back(device.path + (device.driver.empty() ? "" : " (" + device.driver + ")") + ": " + fault);
    for (const auto& [node, nodeFault, codecs] : nodes) {
        const std::string label = node.videoPath + " (" + node.driver + "): ";
        if (!nodeFault.empty())
            notes.push_back(label + nodeFault);
        for (const auto& [codec, codecFault, profiles] : codecs) {
            if (!codecFault.empty())
                notes.push_back(label + strprintf("%s is left out: %s", codec->name, codecFault.c_str()));
            for (const auto& [profile, fault] : profiles)
                if (codecFault.empty() && !fault.empty())
                    notes.push_back(label + strprintf("%s, VAProfile %d, is left out: %s", codec->name, profile->va,
                                                      fault.c_str()));
        }
    }
    return notes;
}

std::optional<Offer> findOffer(std::span<const Decoder> decoders, VAProfile profile) {
    const auto largest = [](const Decoder& decoder) {
        return uint64_t{decoder.sizes.maxWidth} * decoder.sizes.maxHeight;
    };
    std::optional<Offer> best;
    for (const Decoder& decoder : decoders)
        for (const codec::Profile& row : decoder.profiles)
            if (row.va == profile && (!best || largest(decoder) > largest(best->decoder)))
                best.emplace(Offer{row, decoder});
    return best;
}

Result<NegotiatedFormat> negotiate(v4l2::Device& device, const Decoder& decoder, const StreamFormat& wanted) {
    // Half a byte per pixel holds nearly every picture; the rare larger one gets a larger buffer when it comes. Asked
    // for explicitly because cedrus gives 1 KiB otherwise.
    constexpr uint32_t smallest = 128 * 1024;
    const uint32_t usual = static_cast<uint32_t>(
        std::clamp<uint64_t>(uint64_t{wanted.width} * wanted.height / 2, smallest, uint64_t{1} << 30));
    // Even: a driver that takes an odd width gives rows that are one byte too short for the chroma of 4:2:0 pictures.
    const v4l2::Format coded{.fourcc = decoder.codec->fourcc,
                             .width = (wanted.width + 1) / 2 * 2,
                             .height = (wanted.height + 1) / 2 * 2,
                             .planes = {{{.sizeimage = usual}}}};
    auto output = device.setFormat(v4l2::QueueType::Output, coded);
    if (!output)
        return tl::unexpected(std::move(output).error());
    // A driver that lacks the codec answers with another one instead of an error.
    if (output->fourcc != coded.fourcc || output->width < coded.width || output->height < coded.height)
        return fail(ErrorKind::Unsupported,
                    strprintf("offers %s %ux%u for %s %ux%u", fourccName(output->fourcc).c_str(), output->width,
                              output->height, fourccName(coded.fourcc).c_str(), coded.width, coded.height));
    std::vector<std::byte> payload = wanted.sequence;
    if (payload.empty() && wanted.bitDepth > 8 && decoder.codec->anySequence)
        payload = decoder.codec->anySequence(output->width, output->height, wanted.bitDepth);
    if (!payload.empty()) {
        v4l2_ext_control control{};
        control.id = decoder.codec->sequenceControl;
        control.size = static_cast<uint32_t>(payload.size());
        control.ptr = payload.data();
        if (auto set = device.setControls({&control, 1}); !set)
            return tl::unexpected(std::move(set).error());
    }
    const PixelFormat* pixels = firstUsableFormat(device, wanted.bitDepth);
    if (!pixels)
        return fail(ErrorKind::Unsupported,
                    strprintf("offers no CAPTURE format of %u bits that can be read", wanted.bitDepth));
    auto capture = device.setFormat(v4l2::QueueType::Capture, {.fourcc = pixels->v4l2,
                                                               .width = std::max(output->width, wanted.frameWidth),
                                                               .height = std::max(output->height, wanted.frameHeight),
                                                               .planeCount = pixels->memoryPlanes,
                                                               .planes = {{{.bytesperline = wanted.pitch}}}});
    if (!capture)
        return tl::unexpected(std::move(capture).error());
    if (capture->fourcc != pixels->v4l2 || capture->planeCount != pixels->memoryPlanes)
        return fail(ErrorKind::Unsupported,
                    strprintf("turned CAPTURE format %s into %s with %u memory planes", pixels->name,
                              fourccName(capture->fourcc).c_str(), capture->planeCount));
    if (capture->width < wanted.width || capture->height < wanted.height)
        return fail(ErrorKind::Unsupported, strprintf("has pictures of %ux%u for %ux%u", capture->width,
                                                      capture->height, wanted.width, wanted.height));
    const auto layout = layoutOf(*pixels, *capture);
    if (!layout)
        return fail(ErrorKind::Unsupported,
                    strprintf("has %u bytes per line for %ux%u in %s", capture->planes[0].bytesperline, capture->width,
                              capture->height, pixels->name));
    return NegotiatedFormat{*output, *capture, *layout};
}

Result<Layout> layoutFor(const Decoder& decoder, const StreamFormat& format) {
    return v4l2::Device::open(decoder.node.videoPath)
        .and_then([&](v4l2::Device&& device) { return negotiate(device, decoder, format); })
        .map([](const NegotiatedFormat& formats) { return formats.layout; });
}

} // namespace v4l2_request::decode
