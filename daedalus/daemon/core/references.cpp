// SPDX-License-Identifier: MIT
#include "core/references.h"

namespace daedalus {

bool References::isLost(const Job& job, uint64_t timestamp) {
    const auto frame = std::find_if(job.frames.begin(), job.frames.end(),
                                    [&](const daedalus_frame& candidate) { return candidate.timestamp == timestamp; });
    return job.isLenient() || frame == job.frames.end() || frame->error;
}

Result<void> References::check(const Job& job, uint64_t timestamp, const std::string& field) const {
    const auto ts = static_cast<unsigned long long>(timestamp);
    const auto frame = std::find_if(job.frames.begin(), job.frames.end(),
                                    [&](const daedalus_frame& candidate) { return candidate.timestamp == timestamp; });
    if (frame == job.frames.end())
        return fail(ENODATA, "%s %llu names no CAPTURE buffer that holds a picture", field.c_str(), ts);
    if (frame->error)
        return fail(ENODATA, "%s %llu names CAPTURE buffer %u, whose picture ended with an error", field.c_str(), ts,
                    frame->index);
    const auto held = holds_.find(frame->cookie);
    if (held == holds_.end() || held->second != timestamp)
        return fail(job.isLenient() ? ENODATA : EINVAL,
                    "%s %llu names CAPTURE buffer %u, into which this instance did not decode that picture",
                    field.c_str(), ts, frame->index);
    return {};
}

Result<void> References::checkIs(const Job& job, uint64_t timestamp, std::optional<uint64_t> expected,
                                 const std::string& field) const {
    if (!expected || *expected != timestamp)
        return fail(isLost(job, timestamp) ? ENODATA : EINVAL,
                    "%s is %llu, the reference picture of the stream is %lld", field.c_str(),
                    static_cast<unsigned long long>(timestamp), expected ? static_cast<long long>(*expected) : -1LL);
    return check(job, timestamp, field);
}

} // namespace daedalus
