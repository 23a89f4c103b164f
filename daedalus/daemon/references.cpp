// SPDX-License-Identifier: MIT
#include "references.h"

#include <algorithm>

namespace daedalus {

Result<void> References::check(const Job& job, uint64_t timestamp, const char* field) const {
    const auto ts = static_cast<unsigned long long>(timestamp);
    const auto frame = std::find_if(job.frames.begin(), job.frames.end(),
                                    [&](const daedalus_frame& candidate) { return candidate.timestamp == timestamp; });
    if (frame == job.frames.end())
        return fail(EINVAL, "%s %llu names no CAPTURE buffer that holds a picture", field, ts);
    if (frame->error)
        return fail(EIO, "%s %llu names CAPTURE buffer %u, whose picture ended with an error", field, ts, frame->index);
    const auto held = holds_.find(frame->cookie);
    if (held == holds_.end() || held->second != timestamp)
        return fail(EINVAL, "%s %llu names CAPTURE buffer %u, into which this instance did not decode that picture",
                    field, ts, frame->index);
    return {};
}

} // namespace daedalus
