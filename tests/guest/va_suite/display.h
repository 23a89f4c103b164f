// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include <va/va.h>

namespace va_suite {

// For what a test takes for granted: GoogleTest reports the exception as the failure of the test.
inline void require(VAStatus status, const char* what) {
    if (status != VA_STATUS_SUCCESS)
        throw std::runtime_error(std::string(what) + ": " + vaErrorStr(status));
}
#define REQUIRE_VA(call) ::va_suite::require(call, #call)

// An initialised VADisplay on a DRM node of this machine: $VA_SUITE_DRM or the first render node.
class Display {
public:
    Display();
    ~Display();
    Display(const Display&) = delete;
    Display& operator=(const Display&) = delete;

    operator VADisplay() const { return display_; }
    // vaTerminate, now: from here on the VADisplay is a dangling pointer.
    void terminate();
    bool isAlive() const { return initialised_; }

    std::vector<VAProfile> profiles() const;
    bool offers(VAProfile profile) const;
    // Whether the device decodes: visl only draws what it was told, and boards (VA_SUITE_BOARD) draw nothing.
    bool hasTruePixels() const;
    // Whether it writes pictures into larger ones where the client wants that: the caller of the suite tells.
    bool writesLarger() const;

private:
    int fd_ = -1;
    VADisplay display_ = nullptr;
    bool initialised_ = false;
};

// The tight NV12 bytes of a surface's upper left corner, through vaCreateImage and vaGetImage.
std::vector<uint8_t> readSurface(VADisplay display, VASurfaceID surface, unsigned width, unsigned height);

// The value of an environment variable that tells the suite about its surroundings; empty if it is not set.
std::string setting(const char* name);

} // namespace va_suite
