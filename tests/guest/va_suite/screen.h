// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <va/va_drmcommon.h>

namespace va_suite {

// A display without a screen, vkms: it shows a picture that lies in a dma-buf, and writes back what a person would see.
class Screen {
public:
    // Loads vkms if it is not there.
    Screen();
    ~Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;

    // What is seen of an exported NV12 picture (one object, composed layers): XRGB8888, row by row, without gaps.
    std::vector<uint32_t> show(const VADRMPRIMESurfaceDescriptor& picture);

private:
    using Properties = std::map<std::string, uint32_t>;

    Properties propertiesOf(uint32_t object, uint32_t type) const;
    std::map<uint32_t, uint64_t> valuesOf(uint32_t object, uint32_t type) const; // by the property's id
    void findPipeline();
    void makeWriteback();
    void commit(uint32_t framebuffer, uint32_t width, uint32_t height);

    int fd_ = -1;
    uint32_t crtc_ = 0, plane_ = 0, connector_ = 0; // of writeback
    uint32_t mode_ = 0;                             // blob
    uint32_t width_ = 0, height_ = 0;               // of the mode
    uint32_t handle_ = 0, framebuffer_ = 0;         // of what is written back
    uint32_t pitch_ = 0;
    uint8_t* pixels_ = nullptr;
    size_t size_ = 0;
};

} // namespace va_suite
