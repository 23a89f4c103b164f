// SPDX-License-Identifier: MIT
#pragma once

#include <new>
#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace v4l2_request {

// What kind of failure it is: decides the VAStatus (va/status.h) and whether a retry can help.
enum class ErrorKind {
    InvalidParameter, // the client's data contradicts itself or va.h
    Unsupported,      // valid, but neither VA-API nor this device can carry it
    OutOfMemory,
    Device,  // a system call failed in a way that is not the client's fault
    Busy,    // the resource is in use, try later
    Timeout, // the caller's deadline, or the device's watchdog
    Decoding // the device reported that this picture is damaged
};

// A failure on its way up. The message is for a person reading a log: what was attempted, on what, and what came back.
struct Error {
    ErrorKind kind;
    std::string message;
    int code = 0; // errno, where a system call failed
};

template <typename T>
using Result = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorKind kind, std::string message, int code = 0) {
    return tl::unexpected<Error>(Error{kind, std::move(message), code});
}

// What the function returns, or OutOfMemory where it throws for lack of memory.
template <typename Function>
auto orNoMemory(Function function) -> decltype(function()) {
    try {
        return function();
    } catch (const std::bad_alloc&) {
        return fail(ErrorKind::OutOfMemory, "no memory"); // short enough to need none
    }
}

} // namespace v4l2_request
