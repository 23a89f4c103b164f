// SPDX-License-Identifier: MIT
// v4l2-request-info: what the driver sees on this machine, and why it offers what it offers. For bug reports.
#include <cstdio>
#include <cstring>
#include <exception>

#include <va/va_version.h>

#include "tools/report.h"

namespace {

constexpr const char* usage =
    "usage: v4l2-request-info [--json] [--help] [--version]\n"
    "\n"
    "Prints what the VA-API driver v4l2_request sees on this machine: every profile that it\n"
    "knows with the node that decodes it or the reason why none does, media devices, decoder\n"
    "nodes with their codecs, controls, formats and buffers, display nodes, kernel and board.\n"
    "Nothing is decoded and nothing is changed. Paste all of it into a bug report.\n"
    "\n"
    "  --json     the same as JSON\n"
    "\n"
    "Exit status: 0 if a profile is offered, 1 if none is, 2 for a wrong option.\n";

int run(bool asJson) {
    using namespace v4l2_request;
    const decode::ProbeReport probed = decode::probeDecoders();
    tools::Json report = {{"driver", "v4l2_request " V4L2_REQUEST_VERSION}, {"built_for_libva", VA_VERSION_S}};
    tools::Json known = tools::Json::array();
    for (const codec::Codec* codec : codec::registry())
        known.push_back(codec->name);
    report["codecs_of_this_build"] = known;
    report["machine"] = tools::describeMachine();
    report["profiles"] = tools::describeProfiles(probed);
    report["notes"] = probed.notes();
    report["media_devices"] = tools::describeMedia(probed);
    report["decoders"] = tools::describeDecoders(probed);
    report["other_video_nodes"] = tools::describeOtherNodes(probed);
    report["drm_nodes"] = tools::describeDrmNodes();
    const std::string text =
        asJson ? report.dump(2, ' ', false, tools::Json::error_handler_t::replace) + "\n" : tools::toText(report);
    std::fputs(text.c_str(), stdout);
    return probed.decoders.empty() ? 1 : 0;
}

} // namespace

int main(int argc, char** argv) {
    bool asJson = false;
    for (int i = 1; i < argc; i++) {
        const bool help = !std::strcmp(argv[i], "--help");
        if (help || !std::strcmp(argv[i], "--version")) {
            std::fputs(help ? usage : "v4l2-request-info " V4L2_REQUEST_VERSION "\n", stdout);
            return 0;
        }
        if (std::strcmp(argv[i], "--json") != 0) {
            std::fprintf(stderr, "v4l2-request-info: no option '%s'\n%s", argv[i], usage);
            return 2;
        }
        asJson = true;
    }
    try {
        return run(asJson);
    } catch (const std::exception& fault) {
        std::fprintf(stderr, "v4l2-request-info: %s\n", fault.what());
        return 1;
    }
}
