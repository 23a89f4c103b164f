// SPDX-License-Identifier: MIT
#pragma once

#include <mutex>
#include <string>
#include <vector>

#include "os/unique_fd.h"
#include "util/result.h"
#include "v4l2/device.h"

namespace v4l2_request::decode {

// Where the pictures of one device get their memory. The CPU reads a decoder's own buffers without its cache on most
// boards, at a tenth of the speed; the buffers of a dma-heap it reads as any memory. Which heap a device takes depends
// on whether it has an IOMMU, and nobody tells: every buffer is tried, and a heap that failed is not asked again.
// Thread-safe.
class MemorySource {
public:
    MemorySource(); // the heaps that this machine has

    // The dma-bufs of one picture, one for each memory plane; empty if the device takes none of a heap: its own buffers
    // are left then. `device` has no buffers yet, and is of no other use afterwards.
    std::vector<os::UniqueFd> allocate(v4l2::Device& device, const v4l2::Format& capture);

    struct Report {
        std::string heap;                  // that the last picture came from; empty: the device's own buffers
        std::vector<std::string> refusals; // of the others, and why
    };
    Report report() const;

private:
    struct Heap {
        std::string path;
        std::string fault; // why it is not asked any more
    };
    Result<std::vector<os::UniqueFd>> allocateFrom(const std::string& path, v4l2::Device& device,
                                                   const v4l2::Format& capture, uint32_t index) const;

    mutable std::mutex mutex_;
    std::vector<Heap> heaps_; // the best first
    std::string last_;
};

} // namespace v4l2_request::decode
