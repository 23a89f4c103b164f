// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "system.h"

namespace fences {

// A screen that nobody sees, vkms. A frame is put on it without waiting, and the screen tells when it is there.
class Display {
public:
    Display();
    Display(const Display&) = delete;
    Display& operator=(const Display&) = delete;

    // An NV12 picture in a dma-buf, in the upper left corner. inFence: a sync_file, or -1.
    void flip(int dmaBuf, uint32_t width, uint32_t height, uint32_t stride, int inFence = -1);
    void flipOwn(int inFence);
    bool waitFlip(int timeoutMs); // false: not in that time

private:
    struct Setting {
        uint32_t object, type;
        const char* name;
        uint64_t value;
    };

    uint32_t property(uint32_t object, uint32_t type, const char* name);
    void findPipeline();
    void commit(const std::vector<Setting>& settings, uint32_t flags);
    std::vector<Setting> planeSettings(uint32_t framebuffer, uint32_t width, uint32_t height) const;
    void show(uint32_t framebuffer, uint32_t width, uint32_t height, int inFence);

    Fd fd_;
    uint32_t crtc_ = 0, plane_ = 0, connector_ = 0, mode_ = 0, own_ = 0;
    uint32_t width_ = 0, height_ = 0;
};

} // namespace fences
