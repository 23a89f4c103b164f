// SPDX-License-Identifier: MIT
#include "core/device.h"

#include <cstring>

#include <fcntl.h>
#include <linux/dma-buf.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace daedalus {

Result<BufferAccess> BufferAccess::open(BufferSource& source, Piece piece, size_t bytes, Access access) {
    auto memory = source.buffer(piece, bytes);
    if (!memory)
        return tl::unexpected(memory.error());
    if (access == Access::WriteFenced)
        return BufferAccess(nullptr, piece, memory->first(bytes), true);
    const bool write = access == Access::Write;
    if (auto begun = source.beginAccess(piece, write); !begun)
        return tl::unexpected(begun.error());
    return BufferAccess(&source, piece, memory->first(bytes), write);
}

BufferAccess::BufferAccess(BufferAccess&& other) noexcept
    : source_(std::exchange(other.source_, nullptr)), piece_(other.piece_), bytes_(other.bytes_), write_(other.write_) {
}

BufferAccess::~BufferAccess() {
    if (!source_)
        return;
    if (auto ended = source_->endAccess(piece_, write_); !ended)
        std::fprintf(stderr, "daedalusd: %s\n", ended.error().message.c_str());
}

Device::Mapping::~Mapping() {
    if (data_)
        ::munmap(data_, size_);
}

Result<Device> Device::open(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd)
        return fail(errno, "cannot open %s: %s", path.c_str(), std::strerror(errno));
    __u32 version = 0;
    if (::ioctl(fd.get(), DAEDALUS_IOC_VERSION, &version) != 0)
        return fail(errno, "%s: DAEDALUS_IOC_VERSION: %s", path.c_str(), std::strerror(errno));
    if (version != DAEDALUS_PROTOCOL_VERSION)
        return fail(EPROTO, "%s speaks protocol version %u, this daemon %u", path.c_str(), version,
                    DAEDALUS_PROTOCOL_VERSION);
    return Device(std::move(fd));
}

Result<std::span<const uint8_t>> Device::read() {
    const ssize_t size = ::read(fd_.get(), message_.data(), message_.size());
    if (size < 0)
        return fail(errno, "read: %s", std::strerror(errno));
    return std::span<const uint8_t>(message_.data(), static_cast<size_t>(size));
}

Result<void> Device::complete(uint64_t job, int error) {
    const daedalus_completion completion{job, static_cast<__u32>(error), 0};
    ssize_t written;
    do
        written = ::write(fd_.get(), &completion, sizeof(completion));
    while (written < 0 && (errno == EINTR || errno == EAGAIN));
    if (written < 0)
        return fail(errno, "completion of job %llu: %s", static_cast<unsigned long long>(job), std::strerror(errno));
    return {};
}

Result<std::span<uint8_t>> Device::buffer(Piece piece, size_t bytes) {
    const auto cookie = static_cast<unsigned long long>(piece.cookie);
    auto found = mappings_.find(piece);
    if (found == mappings_.end()) {
        daedalus_get_buffer request{piece.cookie, -1, piece.index};
        if (::ioctl(fd_.get(), DAEDALUS_IOC_GET_BUFFER, &request) != 0)
            return fail(errno, "DAEDALUS_IOC_GET_BUFFER of cookie %llu: %s", cookie, std::strerror(errno));
        UniqueFd fd(request.fd);
        const off_t size = ::lseek(fd.get(), 0, SEEK_END);
        if (size <= 0)
            return fail(EIO, "dma-buf of cookie %llu has no size", cookie);
        void* data = ::mmap(nullptr, static_cast<size_t>(size), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
        if (data == MAP_FAILED)
            return fail(errno, "mmap of cookie %llu (%lld bytes): %s", cookie, static_cast<long long>(size),
                        std::strerror(errno));
        found = mappings_.emplace(piece, Mapping(std::move(fd), static_cast<uint8_t*>(data), static_cast<size_t>(size)))
                    .first;
    }
    if (found->second.bytes().size() < bytes)
        return fail(EINVAL, "buffer of cookie %llu has %zu bytes, %zu are needed", cookie, found->second.bytes().size(),
                    bytes);
    return found->second.bytes();
}

Result<void> Device::beginAccess(Piece piece, bool write) {
    return sync(piece, DMA_BUF_SYNC_START | (write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ));
}

Result<void> Device::endAccess(Piece piece, bool write) {
    return sync(piece, DMA_BUF_SYNC_END | (write ? DMA_BUF_SYNC_WRITE : DMA_BUF_SYNC_READ));
}

void Device::dropBuffer(uint64_t cookie) {
    mappings_.erase(mappings_.lower_bound({cookie}), mappings_.upper_bound({cookie, UINT32_MAX}));
}

Result<void> Device::sync(Piece piece, uint64_t flags) {
    const auto cookie = static_cast<unsigned long long>(piece.cookie);
    const auto found = mappings_.find(piece);
    if (found == mappings_.end())
        return fail(EINVAL, "cookie %llu is not mapped", cookie);
    const dma_buf_sync argument{flags};
    int status;
    do
        status = ::ioctl(found->second.fd(), DMA_BUF_IOCTL_SYNC, &argument);
    while (status != 0 && (errno == EINTR || errno == EAGAIN));
    if (status != 0)
        return fail(errno, "DMA_BUF_IOCTL_SYNC of cookie %llu: %s", cookie, std::strerror(errno));
    return {};
}

} // namespace daedalus
