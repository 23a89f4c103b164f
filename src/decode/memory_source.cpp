// SPDX-License-Identifier: MIT
#include "decode/memory_source.h"

#include <algorithm>

#include <fcntl.h>
#include <linux/dma-heap.h>

#include "os/folder.h"
#include "os/mapping.h"
#include "util/log.h"
#include "v4l2/ioctl.h"

namespace v4l2_request::decode {

namespace {

constexpr const char* folder = "/dev/dma_heap/";

// Scattered memory is what devices with an IOMMU take, and there is plenty of it. All other heaps are contiguous
// regions, under as many names as there are boards: default_cma_region, linux,cma, reserved.
std::vector<std::string> heapsInOrder() {
    std::vector<std::string> names = os::namesIn(folder);
    // What is not cached is no better than the device's own buffers. (Vendors' kernels have such heaps.)
    std::erase_if(names, [](const std::string& name) { return name.find("uncached") != std::string::npos; });
    std::ranges::sort(names);
    std::stable_partition(names.begin(), names.end(), [](const std::string& name) { return name == "system"; });
    return names;
}

// The machine or the process has no more of something for now: says nothing about the heap.
bool passes(const Error& error) {
    return error.code == ENOMEM || error.code == EMFILE || error.code == ENFILE;
}

} // namespace

MemorySource::MemorySource() {
    for (const std::string& name : heapsInOrder())
        heaps_.push_back({folder + name, {}});
}

std::vector<os::UniqueFd> MemorySource::allocate(v4l2::Device& device, const v4l2::Format& capture) {
    const auto index = device.createBuffer(v4l2::QueueType::Capture, V4L2_MEMORY_DMABUF, capture);
    for (size_t i = 0; index && i < heaps_.size(); i++) {
        std::unique_lock lock(mutex_);
        if (!heaps_[i].fault.empty())
            continue;
        lock.unlock();
        auto buffers = allocateFrom(heaps_[i].path, device, capture, *index);
        lock.lock();
        if (buffers) {
            last_ = heaps_[i].path;
            return std::move(*buffers);
        }
        if (!passes(buffers.error()))
            heaps_[i].fault = buffers.error().message;
    }
    const std::lock_guard lock(mutex_);
    last_.clear();
    return {};
}

Result<std::vector<os::UniqueFd>> MemorySource::allocateFrom(const std::string& path, v4l2::Device& device,
                                                             const v4l2::Format& capture, uint32_t index) const {
    const os::UniqueFd heap = os::openNode(path.c_str(), O_RDONLY);
    if (!heap.valid())
        return v4l2::ioctlError("open", errno);
    std::vector<os::UniqueFd> buffers;
    std::vector<os::Piece> pieces;
    for (uint32_t plane = 0; plane < capture.planeCount; plane++) {
        const auto size = static_cast<uint32_t>(os::wholePages(capture.planes[plane].sizeimage));
        dma_heap_allocation_data data{.len = size, .fd = 0, .fd_flags = O_RDWR | O_CLOEXEC, .heap_flags = 0};
        if (const int error = v4l2::callIoctl(heap.get(), DMA_HEAP_IOCTL_ALLOC, &data))
            return v4l2::ioctlError("DMA_HEAP_IOCTL_ALLOC", error);
        os::UniqueFd buffer(static_cast<int>(data.fd)); // before the vector may find no memory
        pieces.push_back({buffer.get(), size});
        buffers.push_back(std::move(buffer));
    }
    // Protected memory is nothing for the CPU.
    if (!os::Mapping::map(pieces).valid())
        return v4l2::ioctlError("mmap", errno);
    // Here the kernel maps the memory for the device, or finds that it cannot.
    if (auto queued = device.queueCapture(index, pieces); !queued)
        return fail(ErrorKind::Unsupported, "the device does not take its memory: " + queued.error().message);
    return buffers;
}

MemorySource::Report MemorySource::report() const {
    const std::lock_guard lock(mutex_);
    Report report{.heap = last_, .refusals = {}};
    for (const auto& [path, fault] : heaps_)
        if (!fault.empty())
            report.refusals.push_back(strprintf("%s: %s", path.c_str(), fault.c_str()));
    return report;
}

} // namespace v4l2_request::decode
