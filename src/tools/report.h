// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "decode/decoder.h"

// What v4l2-request-info says: a tree of names and values that is printed as JSON, or as text for people.
namespace v4l2_request::tools {

using Json = nlohmann::ordered_json;

// The tree as indented text. Bytes that are no UTF-8 are replaced.
std::string toText(const Json& report);

// Kernel, board, user, environment: nothing that names a person or a network.
Json describeMachine();

// The display nodes, and the file that libva looks for on each where no environment variable names a driver.
Json describeDrmNodes();

// Every profile that the driver knows: who serves it, or why nobody does.
Json describeProfiles(const decode::ProbeReport& report);

Json describeMedia(const decode::ProbeReport& report);

// Decoder nodes, with everything that was asked of them.
Json describeDecoders(const decode::ProbeReport& report);

// The other video nodes: those that no decoder of a media device leads to.
Json describeOtherNodes(const decode::ProbeReport& report);

// Owner and mode of a node, and whether this process may open it: "root:video 0660".
std::string describeAccess(const std::string& path);

// KERNEL_VERSION() as people write it.
std::string versionName(uint32_t version);

} // namespace v4l2_request::tools
