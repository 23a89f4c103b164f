// SPDX-License-Identifier: MIT
#include <cstring>

#include <va/va_drmcommon.h>

#include "va/entry_points.h"

namespace v4l2_request::va {

namespace {

Status noBuffer(VABufferID id) {
    return {VA_STATUS_ERROR_INVALID_BUFFER, strprintf("%#x is no buffer", id)};
}

bool isDecodingType(VABufferType type) {
    switch (type) {
    case VAPictureParameterBufferType:
    case VAIQMatrixBufferType:
    case VABitPlaneBufferType:
    case VASliceGroupMapBufferType:
    case VASliceParameterBufferType:
    case VASliceDataBufferType:
    case VAMacroblockParameterBufferType:
    case VAResidualDataBufferType:
    case VADeblockingParameterBufferType:
    case VAImageBufferType:
    case VAQMatrixBufferType:
    case VAHuffmanTableBufferType:
    case VAProbabilityBufferType: return true;
    default: return false;
    }
}

} // namespace

Status createBuffer(Driver& driver, VAContextID contextId, VABufferType type, unsigned size, unsigned elements,
                    void* data, VABufferID* id) {
    if (!driver.contexts.contains(contextId))
        return {VA_STATUS_ERROR_INVALID_CONTEXT, strprintf("%#x is no context", contextId)};
    if (!isDecodingType(type))
        return {VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE, strprintf("buffer type %d has no place in decoding", type)};
    if (!id || !size || !elements)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, strprintf("a buffer of %u elements of %u bytes", elements, size)};
    constexpr uint64_t largest = uint64_t{1} << 30; // no picture of any codec here comes near
    const uint64_t bytes = uint64_t{size} * elements;
    if (bytes > largest)
        return {VA_STATUS_ERROR_ALLOCATION_FAILED,
                strprintf("a buffer of %llu bytes", static_cast<unsigned long long>(bytes))};

    auto buffer = driver.spareBuffers.take(bytes);
    buffer->type = type;
    buffer->elementSize = size;
    buffer->elements = elements;
    // Clients leave fields alone that they do not know or that va.h deprecates: what a buffer held before must not be
    // there.
    if (data)
        std::memcpy(buffer->data.data(), data, bytes);
    else
        std::memset(buffer->data.data(), 0, bytes);
    *id = driver.buffers.add(std::move(buffer));
    return {};
}

Status bufferSetNumElements(Driver& driver, VABufferID id, unsigned elements) {
    const auto buffer = driver.buffers.find(id);
    if (!buffer)
        return noBuffer(id);
    if (!elements || uint64_t{elements} * buffer->elementSize > buffer->data.size())
        return {VA_STATUS_ERROR_INVALID_PARAMETER,
                strprintf("%u elements of %u bytes in %zu", elements, buffer->elementSize, buffer->data.size())};
    buffer->elements = elements;
    return {};
}

Status mapBuffer(Driver& driver, VABufferID id, void** data) {
    const auto buffer = driver.buffers.find(id);
    if (!buffer)
        return noBuffer(id);
    if (!data)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the address"};
    if (!buffer->surface) {
        *data = buffer->data.data();
        return {};
    }
    // A derived image: what the client is about to read has to be there.
    if (auto finished = buffer->surface->wait(os::Deadline::never()); !finished)
        return finished;
    const std::lock_guard lock(buffer->mutex);
    if (!buffer->view) {
        auto view = driver.memoryOf(*buffer->surface).and_then([](const auto& memory) {
            return decode::FrameMemory::view(memory, decode::FrameMemory::Access::ReadWrite);
        });
        if (!view)
            return view.error();
        buffer->view.emplace(std::move(*view));
    }
    buffer->maps++;
    *data = buffer->view->bytes().data();
    return {};
}

Status unmapBuffer(Driver& driver, VABufferID id) {
    const auto buffer = driver.buffers.find(id);
    if (!buffer)
        return noBuffer(id);
    const std::lock_guard lock(buffer->mutex);
    if (buffer->maps && --buffer->maps == 0)
        buffer->view.reset();
    return {};
}

// A buffer that was rendered stays alive inside its picture.
Status destroyBuffer(Driver& driver, VABufferID id) {
    return driver.buffers.remove(id) ? Status() : noBuffer(id);
}

Status bufferInfo(Driver& driver, VABufferID id, VABufferType* type, unsigned* size, unsigned* elements) {
    const auto buffer = driver.buffers.find(id);
    if (!buffer)
        return noBuffer(id);
    if (!type || !size || !elements)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the answer"};
    *type = buffer->type;
    *size = buffer->elementSize;
    *elements = buffer->elements;
    return {};
}

// What a client sent for decoding is the driver's own as soon as vaEndPicture has returned; only the memory of a
// surface, as a derived image, is still written later.
Status syncBuffer(Driver& driver, VABufferID id, uint64_t timeoutNs) {
    const auto buffer = driver.buffers.find(id);
    if (!buffer)
        return noBuffer(id);
    return buffer->surface ? Status(buffer->surface->wait(deadlineAfter(timeoutNs))) : Status();
}

// The older way to a surface's dma-buf, by the buffer of a derived image: VLC 3 knows no other. The descriptor stays
// the driver's; each release takes back one acquisition.
Status acquireBufferHandle(Driver& driver, VABufferID id, VABufferInfo* info) {
    const auto buffer = driver.buffers.find(id);
    if (!buffer)
        return noBuffer(id);
    if (!info)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the handle"};
    if (!buffer->surface)
        return {VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE, "only the buffers of derived images can be shared"};
    if (info->mem_type && !(info->mem_type & VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME)) // 0: whatever the driver has
        return {VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE, strprintf("memory type %#x", info->mem_type)};
    // As for an export: V4L2 sets no fence in the dma-buf, and a damaged picture is still a picture.
    if (auto finished = buffer->surface->wait(os::Deadline::never()); !finished)
        return finished;
    const auto memory = driver.memoryOf(*buffer->surface);
    if (!memory)
        return memory.error();
    const std::lock_guard lock(buffer->mutex);
    if (!buffer->handle.valid())
        buffer->handle = (*memory)->duplicateFd();
    if (!buffer->handle.valid())
        return {VA_STATUS_ERROR_OPERATION_FAILED, "the process has no file descriptor left"};
    buffer->handles++;
    info->handle = static_cast<uintptr_t>(buffer->handle.get());
    info->type = static_cast<uint32_t>(buffer->type);
    info->mem_type = VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME;
    info->mem_size = (*memory)->layout().size;
    return {};
}

Status releaseBufferHandle(Driver& driver, VABufferID id) {
    const auto buffer = driver.buffers.find(id);
    if (!buffer)
        return noBuffer(id);
    const std::lock_guard lock(buffer->mutex);
    if (!buffer->handles)
        return {VA_STATUS_ERROR_INVALID_BUFFER, "the buffer's handle was not acquired"};
    if (--buffer->handles == 0)
        buffer->handle = {};
    return {};
}

} // namespace v4l2_request::va
