// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include <va/va.h>

#include "util/result.h"

namespace v4l2_request::va {

// How an entry point ended: the VAStatus for the client, and for the log why. Errors of the lower layers become a
// VAStatus here and nowhere else.
struct Status {
    VAStatus code = VA_STATUS_SUCCESS;
    std::string reason;

    Status() = default;
    Status(VAStatus c, std::string why) : code(c), reason(std::move(why)) {}
    Status(const Error& error) : code(toVaStatus(error.kind)), reason(error.message) {}
    Status(const Result<void>& result) : Status(result ? Status() : Status(result.error())) {}

    bool ok() const { return code == VA_STATUS_SUCCESS; }

private:
    static VAStatus toVaStatus(ErrorKind kind) {
        switch (kind) {
        case ErrorKind::InvalidParameter: return VA_STATUS_ERROR_INVALID_PARAMETER;
        case ErrorKind::Unsupported: return VA_STATUS_ERROR_UNIMPLEMENTED;
        case ErrorKind::OutOfMemory: return VA_STATUS_ERROR_ALLOCATION_FAILED;
        case ErrorKind::Device: return VA_STATUS_ERROR_OPERATION_FAILED;
        case ErrorKind::Busy: return VA_STATUS_ERROR_HW_BUSY;
        case ErrorKind::Timeout: return VA_STATUS_ERROR_TIMEDOUT;
        case ErrorKind::Decoding: return VA_STATUS_ERROR_DECODING_ERROR;
        }
        return VA_STATUS_ERROR_UNKNOWN;
    }
};

} // namespace v4l2_request::va
