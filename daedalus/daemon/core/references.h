// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/job.h"

namespace daedalus {

/// The position of a timestamp among the pictures that libavcodec holds, each with its own.
template <typename Picture>
std::optional<size_t> positionOf(const std::vector<Picture>& pictures, uint64_t timestamp) {
    const auto found = std::find_if(pictures.begin(), pictures.end(),
                                    [&](const Picture& picture) { return picture.timestamp == timestamp; });
    if (found == pictures.end())
        return std::nullopt;
    return static_cast<size_t>(found - pictures.begin());
}

/// What is wrong with a picture that is decoded all the same.
struct Damage {
    std::optional<Error> error;

    void note(const Error& found) {
        if (!error)
            error = found;
    }
    /// An error of References: noted if the picture can be decoded all the same.
    Result<void> soften(Result<void> checked) {
        if (checked || checked.error().code != ENODATA)
            return checked;
        note(checked.error());
        return {};
    }
    /// How the job ends whose picture libavcodec has made.
    Result<void> outcome() const { return error ? Result<void>(tl::unexpected(*error)) : Result<void>{}; }
};

/// What this instance decoded into which CAPTURE buffer. A reference by timestamp counts only when the job lists a
/// buffer of that timestamp and this instance's picture of that timestamp is still what the buffer holds.
///
/// The code of an error is ENODATA if the reference is missing or damaged: then the stream is, and the rest of the
/// picture can be decoded; on a lenient job, all errors are such. Any other says that the control is wrong.
///
/// In all errors `field` names the control field that has the timestamp.
class References {
public:
    /// A picture is being decoded into the buffer: whatever it held is gone.
    void overwrite(uint64_t cookie) { holds_.erase(cookie); }
    void decoded(uint64_t cookie, uint64_t timestamp) { holds_[cookie] = timestamp; }
    void forget(uint64_t cookie) { holds_.erase(cookie); }

    /// Is the timestamp a good reference? The error says why not.
    Result<void> check(const Job& job, uint64_t timestamp, const std::string& field) const;

    /// The same for a codec whose stream says which picture the field has to name: `expected`, or none.
    Result<void> checkIs(const Job& job, uint64_t timestamp, std::optional<uint64_t> expected,
                         const std::string& field) const;

    /// The position of the good reference among the pictures that libavcodec holds. `inBuffer`: false for the first
    /// field of the very frame that is being decoded, whose buffer the job does not list.
    template <typename Picture>
    Result<size_t> find(const Job& job, const std::vector<Picture>& held, uint64_t timestamp, const std::string& field,
                        bool inBuffer = true) const {
        if (inBuffer) {
            if (auto checked = check(job, timestamp, field); !checked)
                return tl::unexpected(checked.error());
        }
        if (const auto position = positionOf(held, timestamp))
            return *position;
        return fail(EINVAL, "%s %llu names a picture that is no reference (any more)", field.c_str(),
                    static_cast<unsigned long long>(timestamp));
    }

private:
    /// Is the picture that the timestamp names missing or damaged?
    static bool isLost(const Job& job, uint64_t timestamp);

    std::map<uint64_t, uint64_t> holds_; ///< cookie -> timestamp
};

} // namespace daedalus
