// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <va/va.h>
#include <va/va_drmcommon.h>

namespace va_suite {

// A dma-buf of the test's own, mapped for as long as it lives.
class DmaBuf {
public:
    enum class Source { Heap, Udmabuf, Vgem };
    static constexpr Source sources[] = {Source::Heap, Source::Udmabuf, Source::Vgem};

    // Of this size, or a little larger where the source counts in pages.
    DmaBuf(Source source, size_t size);
    // Another descriptor of what somebody exported, which is closed.
    static DmaBuf adopt(int fd) { return DmaBuf(fd); }
    DmaBuf(DmaBuf&& other) noexcept;
    DmaBuf& operator=(DmaBuf&&) = delete;
    ~DmaBuf();

    int fd() const { return fd_; }
    size_t size() const { return size_; }
    // For the CPU to look at; mapped at the first call.
    uint8_t* bytes();
    // The bracket around what the CPU does with bytes().
    void begin() const;
    void end() const;

private:
    explicit DmaBuf(int fd);
    int fd_ = -1;
    size_t size_ = 0;
    uint8_t* bytes_ = nullptr;
};

std::string nameOf(DmaBuf::Source source);

// How many descriptors this process has.
size_t openDescriptors();
// Lines of /proc/self/maps that are dma-bufs.
size_t mappedDmaBufs();

// How a device lays out a surface of this size: what the export of one says. The descriptor in it is closed.
VADRMPRIMESurfaceDescriptor layoutOf(VADisplay display, VASurfaceID surface);

// Attributes for surfaces in memory of the test's own; they point at what is given.
std::vector<VASurfaceAttrib> importAttributes(void* descriptors,
                                              uint32_t memoryType = VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2);

} // namespace va_suite
