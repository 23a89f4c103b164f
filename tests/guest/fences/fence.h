// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "system.h"

namespace fences {

// What SYNC_IOC_FILE_INFO says of a sync_file.
struct FenceState {
    int status;        // 0: pending; 1: signalled; negative: signalled with that error
    int fences;        // in the file
    bool vb2;          // the first one is of a V4L2 job
    int64_t timestamp; // of the one that signalled last, ns
};

enum class Access { Read, Write };

// The fences that a device would wait for before it reads the dma-buf (Read), or writes to it.
Fd exportSyncFile(int dmaBuf, Access access);
void importSyncFile(int dmaBuf, int syncFile, Access access);

FenceState stateOf(int syncFile);
FenceState stateOfBuffer(int dmaBuf, Access access = Access::Read);

// Waits for the sync_file (or dma-buf) to be readable. False: it was not, in that time.
bool waitReadable(int fd, int timeoutMs);

// Fences that are signalled by hand: sw_sync of debugfs.
class Timeline {
public:
    Timeline();
    Fd fence();    // a sync_file
    void signal(); // all that were made

private:
    Fd fd_;
    uint32_t made_ = 0;
};

// A fence of another driver, vgem, that reads or writes the memory of a dma-buf.
class VgemFence {
public:
    VgemFence(int dmaBuf, Access access);
    ~VgemFence();
    VgemFence(const VgemFence&) = delete;
    VgemFence& operator=(const VgemFence&) = delete;
    void signal();

private:
    Fd fd_;
    uint32_t handle_ = 0;
    uint32_t fence_ = 0;
};

} // namespace fences
