// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

namespace v4l2_request {

// Where the driver speaks. It lives in other people's processes: never on stdout, and nothing global.
//
// Every line goes to the sink (libva's own info and error callbacks, so that LIBVA_MESSAGING_LEVEL and the client's
// handlers apply). V4L2_REQUEST_LOG names a second place, for people who look for a fault: "stderr" or a file to append
// to.
class Log {
public:
    enum class Level { Info, Error };
    using Sink = std::function<void(Level, const char* line)>;

    explicit Log(Sink sink);
    ~Log();
    Log(const Log&) = delete;
    Log& operator=(const Log&) = delete;

    // One line, without a line feed. Thread-safe as far as the sink is.
    void info(const std::string& line) const { write(Level::Info, line); }
    void error(const std::string& line) const { write(Level::Error, line); }

private:
    void write(Level level, const std::string& line) const;

    Sink sink_;
    int fd_ = -1; // of V4L2_REQUEST_LOG; 2 is borrowed, others are owned
};

// printf into a string.
[[gnu::format(printf, 1, 2)]] std::string strprintf(const char* format, ...);

// A fourcc as people write it: "NV12".
std::string fourccName(unsigned fourcc);

} // namespace v4l2_request
