// SPDX-License-Identifier: MIT
#include "record/about.h"

#include <algorithm>
#include <cstdio>
#include <memory>

#include <sys/utsname.h>

#include "util/log.h"

namespace v4l2_request::record {

namespace {

// A property of the device tree: strings, each with a zero behind it.
std::string deviceTree(const char* property) {
    const std::unique_ptr<FILE, int (*)(FILE*)> file(
        std::fopen((std::string("/proc/device-tree/") + property).c_str(), "re"), &std::fclose);
    std::string text(4096, '\0');
    text.resize(file ? std::fread(text.data(), 1, text.size(), file.get()) : 0);
    while (!text.empty() && text.back() == '\0')
        text.pop_back();
    std::ranges::replace(text, '\0', ' ');
    return text;
}

void describeNode(const decode::ProbeReport::Node& row, std::string& text) {
    const auto device = v4l2::Device::open(row.node.videoPath);
    const auto identity = device ? device->identity() : tl::unexpected(device.error());
    text += strprintf("node: %s, %s", row.node.driver.c_str(), row.node.model.c_str());
    if (identity)
        text += strprintf(", %s, version %u.%u.%u", identity->card.c_str(), identity->version >> 16,
                          identity->version >> 8 & 0xff, identity->version & 0xff);
    text += '\n';
    if (!device)
        return;
    for (const v4l2::ControlInfo& control : device->controls()) {
        text += strprintf("  control %#x: %s, %u bytes x %u, %lld to %lld", control.id, control.name.c_str(),
                          control.elementSize, control.elements, static_cast<long long>(control.minimum),
                          static_cast<long long>(control.maximum));
        if (control.type < V4L2_CTRL_COMPOUND_TYPES)
            if (const auto value = device->controlValue(control.id))
                text += strprintf(", now %lld", static_cast<long long>(*value));
        text += '\n';
    }
}

void describeDecoder(const decode::Decoder& decoder, std::string& text) {
    const v4l2::FrameSizes& sizes = decoder.sizes;
    text += strprintf("codec: %s on %s, %ux%u to %ux%u, step %ux%u%s, profiles", decoder.codec->name,
                      decoder.node.driver.c_str(), sizes.minWidth, sizes.minHeight, sizes.maxWidth, sizes.maxHeight,
                      sizes.stepWidth, sizes.stepHeight, decoder.holdCapture ? ", several jobs for a picture" : "");
    for (const codec::Profile& profile : decoder.profiles)
        text += strprintf(" %d", profile.va);
    text += '\n';
}

} // namespace

std::string describe(const decode::ProbeReport& report) {
    utsname names{};
    ::uname(&names);
    std::string text = "driver: v4l2_request " V4L2_REQUEST_VERSION "\n";
    text += strprintf("kernel: %s %s %s\n", names.sysname, names.release, names.machine);
    for (const char* property : {"model", "compatible"})
        if (const std::string value = deviceTree(property); !value.empty())
            text += strprintf("%s: %s\n", property, value.c_str());
    for (const decode::ProbeReport::Node& row : report.nodes)
        describeNode(row, text);
    for (const decode::Decoder& decoder : report.decoders)
        describeDecoder(decoder, text);
    for (const std::string& note : report.notes())
        text += "note: " + note + '\n';
    return text;
}

} // namespace v4l2_request::record
