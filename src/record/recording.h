// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "record/format.h"
#include "util/result.h"

namespace v4l2_request::record {

// A recording as it is read.
struct Recording {
    using Event = std::variant<Opened, Queued, Ended, Checksum, Pixels, Closed>;

    std::string about;
    std::vector<Event> events; // in the order of the file
    std::optional<End> end;    // without: the process ended before the recording, or there was no room for it
    bool cut = false;          // ends in the middle of a record

    // Records of other kinds are passed over. Fails if it is no recording, of a version that is not known, or damaged.
    static Result<Recording> load(const std::string& path);
};

} // namespace v4l2_request::record
