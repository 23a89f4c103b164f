// SPDX-License-Identifier: MIT
#include "dma_buf.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include <drm.h>
#include <drm_mode.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "display.h"

namespace va_suite {

namespace {

int check(int result, const char* what) {
    if (result < 0)
        throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
    return result;
}

struct File {
    int fd;
    File(const char* path, int flags) : fd(check(::open(path, flags | O_CLOEXEC), path)) {}
    explicit File(int opened) : fd(opened) {}
    ~File() { ::close(fd); }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
};

int fromHeap(size_t size) {
    const File heap("/dev/dma_heap/system", O_RDWR);
    dma_heap_allocation_data request{};
    request.len = size;
    request.fd_flags = O_RDWR | O_CLOEXEC;
    check(::ioctl(heap.fd, DMA_HEAP_IOCTL_ALLOC, &request), "DMA_HEAP_IOCTL_ALLOC");
    return static_cast<int>(request.fd);
}

int fromUdmabuf(size_t size) {
    const File device("/dev/udmabuf", O_RDWR);
    const File memory(check(::memfd_create("picture", MFD_CLOEXEC | MFD_ALLOW_SEALING), "memfd_create"));
    check(::ftruncate(memory.fd, static_cast<off_t>(size)), "ftruncate");
    check(::fcntl(memory.fd, F_ADD_SEALS, F_SEAL_SHRINK), "F_ADD_SEALS");
    udmabuf_create request{};
    request.memfd = static_cast<uint32_t>(memory.fd);
    request.flags = UDMABUF_FLAGS_CLOEXEC;
    request.size = size;
    return check(::ioctl(device.fd, UDMABUF_CREATE, &request), "UDMABUF_CREATE");
}

int fromVgem(size_t size) {
    const File card("/dev/dri/card0", O_RDWR);
    drm_mode_create_dumb dumb{};
    dumb.width = static_cast<uint32_t>(size);
    dumb.height = 1;
    dumb.bpp = 8;
    check(::ioctl(card.fd, DRM_IOCTL_MODE_CREATE_DUMB, &dumb), "DRM_IOCTL_MODE_CREATE_DUMB");
    drm_prime_handle prime{};
    prime.handle = dumb.handle;
    prime.flags = DRM_CLOEXEC | DRM_RDWR;
    check(::ioctl(card.fd, DRM_IOCTL_PRIME_HANDLE_TO_FD, &prime), "DRM_IOCTL_PRIME_HANDLE_TO_FD");
    return prime.fd;
}

int allocate(DmaBuf::Source source, size_t size) {
    size = (size + 4095) / 4096 * 4096;
    switch (source) {
    case DmaBuf::Source::Heap: return fromHeap(size);
    case DmaBuf::Source::Udmabuf: return fromUdmabuf(size);
    case DmaBuf::Source::Vgem: return fromVgem(size);
    }
    throw std::logic_error("no such source");
}

void sync(int fd, uint64_t flags) {
    dma_buf_sync request{flags};
    check(::ioctl(fd, DMA_BUF_IOCTL_SYNC, &request), "DMA_BUF_IOCTL_SYNC");
}

} // namespace

DmaBuf::DmaBuf(Source source, size_t size) : DmaBuf(allocate(source, size)) {}

DmaBuf::DmaBuf(int fd) : fd_(fd), size_(static_cast<size_t>(check(::lseek(fd, 0, SEEK_END), "lseek"))) {}

DmaBuf::DmaBuf(DmaBuf&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), size_(other.size_), bytes_(std::exchange(other.bytes_, nullptr)) {}

DmaBuf::~DmaBuf() {
    if (bytes_)
        ::munmap(bytes_, size_);
    if (fd_ >= 0)
        ::close(fd_);
}

uint8_t* DmaBuf::bytes() {
    if (!bytes_) {
        void* mapped = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
        if (mapped == MAP_FAILED)
            throw std::runtime_error(std::string("mmap of a dma-buf: ") + std::strerror(errno));
        bytes_ = static_cast<uint8_t*>(mapped);
    }
    return bytes_;
}

void DmaBuf::begin() const {
    sync(fd_, DMA_BUF_SYNC_START | DMA_BUF_SYNC_RW);
}

void DmaBuf::end() const {
    sync(fd_, DMA_BUF_SYNC_END | DMA_BUF_SYNC_RW);
}

std::string nameOf(DmaBuf::Source source) {
    return source == DmaBuf::Source::Heap ? "heap" : source == DmaBuf::Source::Udmabuf ? "udmabuf" : "vgem";
}

size_t openDescriptors() {
    const auto all = std::filesystem::directory_iterator("/proc/self/fd");
    return static_cast<size_t>(std::distance(begin(all), std::filesystem::directory_iterator()));
}

size_t mappedDmaBufs() {
    std::ifstream maps("/proc/self/maps");
    size_t count = 0;
    for (std::string line; std::getline(maps, line);)
        count += line.find("/dmabuf:") != std::string::npos || line.find("udmabuf") != std::string::npos;
    return count;
}

VADRMPRIMESurfaceDescriptor layoutOf(VADisplay display, VASurfaceID surface) {
    VADRMPRIMESurfaceDescriptor prime{};
    REQUIRE_VA(vaExportSurfaceHandle(display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                     VA_EXPORT_SURFACE_SEPARATE_LAYERS | VA_EXPORT_SURFACE_READ_ONLY, &prime));
    ::close(prime.objects[0].fd);
    prime.objects[0].fd = -1;
    return prime;
}

std::vector<VASurfaceAttrib> importAttributes(void* descriptors, uint32_t memoryType) {
    std::vector<VASurfaceAttrib> attributes(2);
    for (VASurfaceAttrib& attribute : attributes)
        attribute.flags = VA_SURFACE_ATTRIB_SETTABLE;
    attributes[0].type = VASurfaceAttribMemoryType;
    attributes[0].value.type = VAGenericValueTypeInteger;
    attributes[0].value.value.i = static_cast<int>(memoryType);
    attributes[1].type = VASurfaceAttribExternalBufferDescriptor;
    attributes[1].value.type = VAGenericValueTypePointer;
    attributes[1].value.value.p = descriptors;
    return attributes;
}

} // namespace va_suite
