// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <string>
#include <utility>

#include <tl/expected.hpp>

namespace daedalus {

/// Why a job cannot be decoded: the errno of its completion and a sentence for the client's developer.
struct Error {
    int code = EINVAL;
    std::string message;
};

template <typename T>
using Result = tl::expected<T, Error>;

inline Error errorV(int code, const char* format, va_list arguments) {
    char text[512];
    std::vsnprintf(text, sizeof(text), format, arguments);
    return Error{code, text};
}

/// printf-like; the result converts to any Result.
[[gnu::format(printf, 2, 3)]] inline tl::unexpected<Error> fail(int code, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    Error error = errorV(code, format, arguments);
    va_end(arguments);
    return tl::unexpected<Error>(std::move(error));
}

} // namespace daedalus
