// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <set>

#include <linux/media.h>
#include <linux/videodev2.h>
#include <va/va_str.h>

#include "codec/codec.h"
#include "decode/frame_memory.h"
#include "format/pixel_format.h"
#include "tools/copy_speed.h"
#include "tools/report.h"
#include "util/log.h"

namespace v4l2_request::tools {

namespace {

// Older headers of libva do not know every profile that clients do.
const char* profileName(VAProfile profile) {
    return profile == VAProfileH264High10 ? "VAProfileH264High10" : vaProfileStr(profile);
}

struct Bit {
    uint32_t bit;
    const char* name;
};

constexpr Bit bufferCapabilities[] = {
    {V4L2_BUF_CAP_SUPPORTS_MMAP, "mmap"},
    {V4L2_BUF_CAP_SUPPORTS_USERPTR, "userptr"},
    {V4L2_BUF_CAP_SUPPORTS_DMABUF, "dmabuf"},
    {V4L2_BUF_CAP_SUPPORTS_REQUESTS, "requests"},
    {V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS, "orphaned-bufs"},
    {V4L2_BUF_CAP_SUPPORTS_M2M_HOLD_CAPTURE_BUF, "hold-capture-buf"},
    {V4L2_BUF_CAP_SUPPORTS_MMAP_CACHE_HINTS, "mmap-cache-hints"},
};

constexpr Bit entityFunctions[] = {
    {MEDIA_ENT_F_IO_V4L, "V4L I/O"},
    {MEDIA_ENT_F_PROC_VIDEO_DECODER, "video decoder"},
    {MEDIA_ENT_F_PROC_VIDEO_ENCODER, "video encoder"},
    {MEDIA_ENT_F_PROC_VIDEO_SCALER, "video scaler"},
};

Json bufferCapabilityNames(uint32_t capabilities) {
    Json names = Json::array();
    for (const auto& [bit, name] : bufferCapabilities)
        if (capabilities & bit)
            names.push_back(name);
    return names;
}

std::string functionName(uint32_t function) {
    for (const auto& [value, name] : entityFunctions)
        if (value == function)
            return name;
    return strprintf("%#x", function);
}

std::string nodeName(const v4l2::DecoderNode& node) {
    return node.videoPath + " (" + node.driver + ")";
}

std::string sizeRange(const v4l2::FrameSizes& sizes) {
    return strprintf("%ux%u to %ux%u, step %ux%u", sizes.minWidth, sizes.minHeight, sizes.maxWidth, sizes.maxHeight,
                     sizes.stepWidth, sizes.stepHeight);
}

bool isMenu(const v4l2::ControlInfo& control) {
    return control.type == V4L2_CTRL_TYPE_MENU || control.type == V4L2_CTRL_TYPE_INTEGER_MENU;
}

// Menus with their items, the one in force marked; of the others size or range.
std::string describeControl(const v4l2::Device& device, const v4l2::ControlInfo& control) {
    const auto value = device.controlValue(control.id);
    if (isMenu(control)) {
        constexpr int64_t mostItems = 64;
        std::string items;
        for (int64_t item = control.minimum; item <= std::min(control.maximum, control.minimum + mostItems); item++)
            if (const auto name = device.menuItemName(control.id, item))
                items += (items.empty() ? "" : " | ") + *name + (value == item ? "*" : "");
        return items.empty() ? "menu without items" : items;
    }
    std::string text;
    if (control.type >= V4L2_CTRL_COMPOUND_TYPES || control.elements > 1) {
        text = strprintf("%u bytes", control.elementSize);
        if (control.elements > 1)
            text += strprintf(" x %u", control.elements);
    }
    if (control.type < V4L2_CTRL_COMPOUND_TYPES) {
        text += strprintf("%s%lld to %lld", text.empty() ? "" : "; ", static_cast<long long>(control.minimum),
                          static_cast<long long>(control.maximum));
        if (value && control.elements <= 1)
            text += strprintf("; %lld", static_cast<long long>(*value));
    }
    return text;
}

// A CAPTURE format as the driver sees it.
std::string describePixels(uint32_t fourcc) {
    const PixelFormat* row = findByV4l2(fourcc);
    if (!row)
        return fourccName(fourcc) + " (not read by this driver)";
    if (row->modifier == DRM_FORMAT_MOD_INVALID)
        return fourccName(fourcc) + " (converted by this driver)";
    return strprintf("%s (DRM %s:%#llx)", fourccName(fourcc).c_str(), fourccName(row->drm).c_str(),
                     static_cast<unsigned long long>(row->modifier));
}

// What the device makes of a size: the buffers that a stream of it would have.
std::string describeBuffers(const decode::Decoder& decoder, uint32_t width, uint32_t height) {
    auto device = v4l2::Device::open(decoder.node.videoPath);
    if (!device)
        return device.error().message;
    const auto formats = decode::negotiate(*device, decoder, {.width = width, .height = height, .sequence = {}});
    if (!formats)
        return formats.error().message;
    const v4l2::Format& capture = formats->capture;
    return strprintf("OUTPUT %u bytes; CAPTURE %s %ux%u pitch %u of %u bytes", formats->output.planes[0].sizeimage,
                     fourccName(capture.fourcc).c_str(), capture.width, capture.height, capture.planes[0].bytesperline,
                     capture.planes[0].sizeimage + (capture.planeCount > 1 ? capture.planes[1].sizeimage : 0));
}

Json describeSizes(const decode::Decoder& decoder) {
    const v4l2::FrameSizes& sizes = decoder.sizes;
    std::set<std::pair<uint32_t, uint32_t>> asked{{sizes.minWidth, sizes.minHeight}, {sizes.maxWidth, sizes.maxHeight}};
    if (sizes.maxWidth >= 1920 && sizes.maxHeight >= 1080)
        asked.insert({1920, 1080});
    Json buffers = Json::object();
    for (const auto& [width, height] : asked)
        buffers[strprintf("%ux%u", width, height)] = describeBuffers(decoder, width, height);
    return buffers;
}

// The controls that the driver asks for and the device does not have.
Json missingControls(const v4l2::Device& device, std::span<const uint32_t> ids) {
    Json missing = Json::array();
    for (const uint32_t id : ids)
        if (!device.queryControl(id))
            missing.push_back(strprintf("%#x", id));
    return missing;
}

// What a node has once its OUTPUT format is this codec's.
Json describeCodec(v4l2::Device& device, const decode::CodecReport& row, const decode::ProbeReport& report,
                   const v4l2::DecoderNode& node) {
    const codec::Codec& codec = *row.codec;
    Json result = {{"offered", row.fault.empty()}};
    if (!row.fault.empty())
        result["fault"] = row.fault;
    const auto fourccs = device.formats(v4l2::QueueType::Output);
    if (std::find(fourccs.begin(), fourccs.end(), codec.fourcc) == fourccs.end())
        return result;
    Json profiles = Json::object();
    for (const auto& [profile, fault] : row.profiles)
        if (Json& said = profiles[profileName(profile->va)]; said != "offered") // else it has one of its depths
            said = fault.empty() ? "offered" : fault;
    result["profiles"] = profiles;

    const auto sizes = device.frameSizes(codec.fourcc);
    result["sizes"] = sizes ? sizeRange(*sizes) : "not enumerated";
    const v4l2::Format smallest{.fourcc = codec.fourcc,
                                .width = sizes ? sizes->minWidth : 64,
                                .height = sizes ? sizes->minHeight : 64,
                                .planes = {}};
    if (const auto set = device.setFormat(v4l2::QueueType::Output, smallest); !set)
        result["format_fault"] = set.error().message;
    Json pixels = Json::array();
    for (const uint32_t fourcc : device.formats(v4l2::QueueType::Capture))
        pixels.push_back(describePixels(fourcc));
    result["capture_formats"] = pixels;
    result["output_buffers"] =
        bufferCapabilityNames(device.bufferCapabilities(v4l2::QueueType::Output, V4L2_MEMORY_MMAP));
    result["capture_buffers"] =
        bufferCapabilityNames(device.bufferCapabilities(v4l2::QueueType::Capture, V4L2_MEMORY_DMABUF));
    result["missing_required_controls"] = missingControls(device, codec.requiredControls);
    result["missing_optional_controls"] = missingControls(device, codec.optionalControls);
    for (const decode::Decoder& decoder : report.decoders)
        if (decoder.codec == &codec && decoder.node.videoPath == node.videoPath)
            result["buffers"] = describeSizes(decoder);
    return result;
}

const codec::Codec* codecOf(uint32_t fourcc) {
    const auto all = codec::registry();
    const auto found = std::find_if(all.begin(), all.end(), [&](auto* codec) { return codec->fourcc == fourcc; });
    return found == all.end() ? nullptr : *found;
}

std::string describeSpeed(const std::shared_ptr<decode::FrameMemory>& memory) {
    const auto speed = copySpeed(memory);
    return speed ? strprintf("%.2f", *speed) : speed.error().message;
}

// Where the memory of pictures comes from, and how fast it and the device's own are copied: a large one is asked for,
// as a client would.
Json describeMemory(const decode::ProbeReport& report, const v4l2::DecoderNode& node) {
    Json result = Json::object();
    const auto decoder = std::ranges::find_if(
        report.decoders, [&](const decode::Decoder& one) { return one.node.videoPath == node.videoPath; });
    if (decoder == report.decoders.end())
        return result;
    const decode::StreamFormat format{.width = std::min(decoder->sizes.maxWidth, 1920u),
                                      .height = std::min(decoder->sizes.maxHeight, 1080u),
                                      .sequence = {}};
    const auto picture = decode::FrameMemory::allocate(*decoder, format);
    const auto [heap, refusals] = decoder->memory->report();
    if (!picture)
        result["fault"] = picture.error().message;
    else
        result["source"] = heap.empty() ? "the device's own buffers: the CPU may read them slowly" : heap;
    result["refused"] = refusals;
    if (!picture)
        return result;
    result["speed_of_copies"] = describeSpeed(*picture);
    if (const auto own = heap.empty() ? picture : decode::FrameMemory::allocateOwn(*decoder, format))
        result["speed_of_copies_from_own_buffers"] = describeSpeed(*own);
    return result;
}

Json describeNode(const decode::ProbeReport::Node& row, const decode::ProbeReport& report) {
    Json result = {
        {"driver", row.node.driver}, {"media", row.node.mediaPath}, {"access", describeAccess(row.node.videoPath)}};
    auto device = v4l2::Device::open(row.node.videoPath);
    if (!row.fault.empty() || !device) {
        result["fault"] = row.fault.empty() ? device.error().message : row.fault;
        return result;
    }
    if (const auto identity = device->identity()) {
        result["card"] = identity->card;
        result["bus"] = identity->bus;
        result["version"] = versionName(identity->version);
    }
    result["planar_api"] = device->multiplanar() ? "multi" : "single";
    Json inputs = Json::array();
    for (const uint32_t fourcc : device->formats(v4l2::QueueType::Output)) {
        const codec::Codec* codec = codecOf(fourcc);
        inputs.push_back(fourccName(fourcc) + " (" + (codec ? codec->name : "not known to this driver") + ")");
    }
    result["output_formats"] = inputs;
    Json controls = Json::object();
    for (const v4l2::ControlInfo& control : device->controls())
        controls[strprintf("%#x %s", control.id, control.name.c_str())] = describeControl(*device, control);
    result["controls"] = controls;
    Json codecs = Json::object();
    for (const decode::CodecReport& codec : row.codecs)
        codecs[codec.codec->name] = describeCodec(*device, codec, report, row.node);
    result["codecs"] = codecs;
    result["picture_memory"] = describeMemory(report, row.node);
    return result;
}

// Why a profile that nobody serves is not offered: what each node says to it, or why there is none to be asked.
Json reasons(const decode::ProbeReport& report, const codec::Codec& codec, VAProfile profile) {
    Json reasons = Json::array();
    for (const auto& [node, nodeFault, codecs] : report.nodes) {
        if (!nodeFault.empty())
            reasons.push_back(nodeName(node) + ": " + nodeFault);
        for (const decode::CodecReport& row : codecs) {
            if (row.codec != &codec)
                continue;
            std::string fault = row.fault;
            for (const decode::ProfileReport& entry : row.profiles)
                if (entry.profile->va == profile && !entry.fault.empty())
                    fault = entry.fault;
            reasons.push_back(nodeName(node) + ": " + fault);
        }
    }
    if (reasons.empty())
        for (const std::string& note : report.notes())
            reasons.push_back(note);
    return reasons;
}

} // namespace

Json describeProfiles(const decode::ProbeReport& report) {
    Json profiles = Json::object();
    for (const codec::Codec* codec : codec::registry())
        for (const codec::Profile& profile : codec->profiles) {
            Json& row = profiles[profileName(profile.va)];
            const auto offer = decode::findOffer(report.decoders, profile.va);
            row["offered"] = offer.has_value();
            if (offer) {
                const v4l2::FrameSizes& sizes = offer->decoder.sizes;
                row["by"] = nodeName(offer->decoder.node);
                row["sizes"] =
                    strprintf("%ux%u to %ux%u", sizes.minWidth, sizes.minHeight, sizes.maxWidth, sizes.maxHeight);
            } else
                row["because"] = reasons(report, *codec, profile.va);
        }
    return profiles;
}

Json describeMedia(const decode::ProbeReport& report) {
    Json devices = Json::object();
    for (const v4l2::MediaDevice& media : report.media) {
        Json& row = devices[media.path];
        row = {{"driver", media.driver},
               {"model", media.model},
               {"bus", media.bus},
               {"version", versionName(media.driverVersion)},
               {"access", describeAccess(media.path)},
               {"faults", media.faults}};
        Json entities = Json::array();
        for (const auto& [name, function, paths] : media.entities)
            entities.push_back({{"name", name}, {"function", functionName(function)}, {"nodes", paths}});
        row["entities"] = entities;
    }
    return devices;
}

Json describeDecoders(const decode::ProbeReport& report) {
    Json nodes = Json::object();
    for (const decode::ProbeReport::Node& row : report.nodes)
        nodes[row.node.videoPath] = describeNode(row, report);
    return nodes;
}

Json describeOtherNodes(const decode::ProbeReport& report) {
    Json nodes = Json::object();
    for (const std::string& path : v4l2::listNodes("video")) {
        const bool decodes = std::any_of(report.nodes.begin(), report.nodes.end(),
                                         [&](const auto& row) { return row.node.videoPath == path; });
        if (decodes)
            continue;
        Json& row = nodes[path];
        row["access"] = describeAccess(path);
        const auto device = v4l2::Device::open(path);
        if (!device) {
            row["fault"] = device.error().message;
            continue;
        }
        if (const auto identity = device->identity())
            row["driver"] = identity->driver;
        row["fault"] = "no media device says that it is a decoder: a stateful one, or something else";
        Json inputs = Json::array();
        for (const uint32_t fourcc : device->formats(v4l2::QueueType::Output))
            inputs.push_back(fourccName(fourcc));
        row["output_formats"] = inputs;
    }
    return nodes;
}

} // namespace v4l2_request::tools
