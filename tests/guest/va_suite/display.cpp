// SPDX-License-Identifier: MIT
#include "display.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <unistd.h>
#include <va/va_drm.h>

namespace va_suite {

Display::Display() {
    const std::string named = setting("VA_SUITE_DRM");
    const std::string node = named.empty() ? "/dev/dri/renderD128" : named;
    fd_ = ::open(node.c_str(), O_RDWR | O_CLOEXEC);
    if (fd_ < 0)
        throw std::runtime_error(node + ": " + std::strerror(errno));
    display_ = vaGetDisplayDRM(fd_);
    if (!display_)
        throw std::runtime_error("vaGetDisplayDRM");
    // Hundreds of provoked errors would bury the results; V4L2_REQUEST_LOG shows them.
    vaSetInfoCallback(display_, nullptr, nullptr);
    int major = 0, minor = 0;
    REQUIRE_VA(vaInitialize(display_, &major, &minor));
    initialised_ = true;
}

Display::~Display() {
    terminate();
    ::close(fd_);
}

void Display::terminate() {
    if (initialised_)
        vaTerminate(display_);
    initialised_ = false;
}

std::vector<VAProfile> Display::profiles() const {
    std::vector<VAProfile> profiles(static_cast<size_t>(vaMaxNumProfiles(display_)));
    int count = 0;
    REQUIRE_VA(vaQueryConfigProfiles(display_, profiles.data(), &count));
    profiles.resize(static_cast<size_t>(count));
    return profiles;
}

bool Display::offers(VAProfile profile) const {
    const auto all = profiles();
    return std::find(all.begin(), all.end(), profile) != all.end();
}

bool Display::hasTruePixels() const {
    return setting("VA_SUITE_BOARD").empty() && !std::strstr(vaQueryVendorString(display_), "visl");
}

bool Display::writesLarger() const {
    return setting("VA_SUITE_LARGER") != "no";
}

std::vector<uint8_t> readSurface(VADisplay display, VASurfaceID surface, unsigned width, unsigned height) {
    VAImageFormat format{};
    format.fourcc = VA_FOURCC_NV12;
    VAImage image{};
    REQUIRE_VA(vaCreateImage(display, &format, static_cast<int>(width), static_cast<int>(height), &image));
    const VAStatus got = vaGetImage(display, surface, 0, 0, width, height, image.image_id);
    std::vector<uint8_t> pixels;
    if (got == VA_STATUS_SUCCESS) {
        void* data = nullptr;
        REQUIRE_VA(vaMapBuffer(display, image.buf, &data));
        const auto* bytes = static_cast<const uint8_t*>(data);
        const unsigned chromaRow = (width + 1) / 2 * 2, chromaRows = (height + 1) / 2;
        for (unsigned y = 0; y < height; y++)
            pixels.insert(pixels.end(), bytes + image.offsets[0] + y * image.pitches[0],
                          bytes + image.offsets[0] + y * image.pitches[0] + width);
        for (unsigned y = 0; y < chromaRows; y++)
            pixels.insert(pixels.end(), bytes + image.offsets[1] + y * image.pitches[1],
                          bytes + image.offsets[1] + y * image.pitches[1] + chromaRow);
        REQUIRE_VA(vaUnmapBuffer(display, image.buf));
    }
    REQUIRE_VA(vaDestroyImage(display, image.image_id));
    require(got, "vaGetImage");
    return pixels;
}

std::string setting(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

} // namespace va_suite
