// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>

#include "job.h"

namespace daedalus {

/// What this instance decoded into which CAPTURE buffer. A reference by timestamp counts only when the job lists a
/// buffer of that timestamp and this instance's picture of that timestamp is still what the buffer holds.
class References {
public:
    /// A picture is being decoded into the buffer: whatever it held is gone.
    void overwrite(uint64_t cookie) { holds_.erase(cookie); }
    void decoded(uint64_t cookie, uint64_t timestamp) { holds_[cookie] = timestamp; }
    void forget(uint64_t cookie) { holds_.erase(cookie); }

    /// Is the timestamp a good reference? The error says why not; `field` names the control field for it.
    Result<void> check(const Job& job, uint64_t timestamp, const char* field) const;

private:
    std::map<uint64_t, uint64_t> holds_; ///< cookie -> timestamp
};

} // namespace daedalus
