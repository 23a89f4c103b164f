// SPDX-License-Identifier: MIT
#include "fence.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include <drm.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/sync_file.h>
#include <poll.h>

namespace fences {

namespace {

// drivers/dma-buf/sw_sync.c: not in a header of user space
struct SwSyncCreate {
    uint32_t value;
    char name[32];
    int32_t fence;
};
constexpr unsigned long swSyncCreate = _IOWR('W', 0, SwSyncCreate);
constexpr unsigned long swSyncIncrement = _IOW('W', 1, uint32_t);

// include/uapi/drm/vgem_drm.h, which no package of headers has
struct VgemAttach {
    uint32_t handle, flags, fence, pad;
};
struct VgemSignal {
    uint32_t fence, flags;
};
constexpr uint32_t vgemWrite = 1;
constexpr unsigned long vgemAttach = DRM_IOWR(DRM_COMMAND_BASE + 1, VgemAttach);
constexpr unsigned long vgemSignal = DRM_IOW(DRM_COMMAND_BASE + 2, VgemSignal);

uint32_t syncFlags(Access access) {
    return access == Access::Write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ;
}

} // namespace

Fd exportSyncFile(int dmaBuf, Access access) {
    dma_buf_export_sync_file request{};
    request.flags = syncFlags(access);
    mustIoctl(dmaBuf, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &request, "DMA_BUF_IOCTL_EXPORT_SYNC_FILE");
    return Fd(request.fd);
}

void importSyncFile(int dmaBuf, int syncFile, Access access) {
    dma_buf_import_sync_file request{};
    request.flags = syncFlags(access);
    request.fd = syncFile;
    mustIoctl(dmaBuf, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &request, "DMA_BUF_IOCTL_IMPORT_SYNC_FILE");
}

FenceState stateOf(int syncFile) {
    sync_file_info info{};
    mustIoctl(syncFile, SYNC_IOC_FILE_INFO, &info, "SYNC_IOC_FILE_INFO");
    std::vector<sync_fence_info> fences(info.num_fences);
    info.sync_fence_info = reinterpret_cast<uintptr_t>(fences.data());
    mustIoctl(syncFile, SYNC_IOC_FILE_INFO, &info, "SYNC_IOC_FILE_INFO");
    FenceState state{info.status, static_cast<int>(info.num_fences), false, 0};
    for (const sync_fence_info& fence : fences) {
        state.vb2 = state.vb2 || std::strcmp(fence.driver_name, "videobuf2") == 0;
        state.timestamp = std::max(state.timestamp, static_cast<int64_t>(fence.timestamp_ns));
    }
    return state;
}

FenceState stateOfBuffer(int dmaBuf, Access access) {
    return stateOf(exportSyncFile(dmaBuf, access).get());
}

bool waitReadable(int fd, int timeoutMs) {
    pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
    return ::poll(&readable, 1, timeoutMs) == 1;
}

Timeline::Timeline() : fd_(::open("/sys/kernel/debug/sync/sw_sync", O_RDWR | O_CLOEXEC)) {
    check(fd_.get() >= 0, "there is no sw_sync");
}

Fd Timeline::fence() {
    SwSyncCreate request{};
    request.value = ++made_;
    std::strcpy(request.name, "by hand");
    mustIoctl(fd_.get(), swSyncCreate, &request, "SW_SYNC_IOC_CREATE_FENCE");
    return Fd(request.fence);
}

void Timeline::signal() {
    uint32_t steps = made_;
    made_ = 0;
    mustIoctl(fd_.get(), swSyncIncrement, &steps, "SW_SYNC_IOC_INC");
}

VgemFence::VgemFence(int dmaBuf, Access access) : fd_(::open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC)) {
    check(fd_.get() >= 0, "there is no vgem");
    drm_prime_handle import{};
    import.fd = dmaBuf;
    mustIoctl(fd_.get(), DRM_IOCTL_PRIME_FD_TO_HANDLE, &import, "DRM_IOCTL_PRIME_FD_TO_HANDLE");
    handle_ = import.handle;
    VgemAttach attach{};
    attach.handle = handle_;
    attach.flags = access == Access::Write ? vgemWrite : 0;
    mustIoctl(fd_.get(), vgemAttach, &attach, "DRM_IOCTL_VGEM_FENCE_ATTACH");
    fence_ = attach.fence;
}

VgemFence::~VgemFence() {
    drm_gem_close close{};
    close.handle = handle_;
    callIoctl(fd_.get(), DRM_IOCTL_GEM_CLOSE, &close);
}

void VgemFence::signal() {
    VgemSignal signal{};
    signal.fence = fence_;
    mustIoctl(fd_.get(), vgemSignal, &signal, "DRM_IOCTL_VGEM_FENCE_SIGNAL");
}

} // namespace fences
