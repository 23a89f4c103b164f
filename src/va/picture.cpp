// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstring>
#include <new>

#include "va/entry_points.h"

namespace v4l2_request::va {

namespace {

Status noContext(VAContextID id) {
    return {VA_STATUS_ERROR_INVALID_CONTEXT, strprintf("%#x is no context", id)};
}

// A parameter buffer that holds one struct of at least this size. A codec that has no such struct (size 0) ignores it.
Status takeStruct(const Buffer& buffer, size_t size, codec::Bytes& to) {
    if (size && buffer.bytes().size() < size)
        return {VA_STATUS_ERROR_INVALID_PARAMETER,
                strprintf("a parameter buffer of %zu bytes, type %d, for a struct of %zu", buffer.bytes().size(),
                          buffer.type, size)};
    if (size)
        to = buffer.bytes();
    return {};
}

// Every slice parameter struct begins with VASliceParameterBufferBase: size and offset into the data buffer.
Status addSlice(const codec::Codec& codec, Picture& picture, codec::Bytes parameters, codec::Bytes data) {
    VASliceParameterBufferBase base;
    std::memcpy(&base, parameters.data(), sizeof(base));
    if (codec.clampSliceData && base.slice_data_offset < data.size())
        base.slice_data_size =
            static_cast<uint32_t>(std::min<size_t>(base.slice_data_size, data.size() - base.slice_data_offset));
    if (base.slice_data_size == 0 || base.slice_data_offset > data.size() ||
        base.slice_data_size > data.size() - base.slice_data_offset)
        return {VA_STATUS_ERROR_INVALID_PARAMETER,
                strprintf("slice data of %u bytes at %u in a buffer of %zu", base.slice_data_size,
                          base.slice_data_offset, data.size())};
    if (base.slice_data_flag != VA_SLICE_DATA_FLAG_ALL)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "a slice in parts (slice_data_flag)"};
    picture.input.slices.push_back({.parameters = parameters,
                                    .data = data.subspan(base.slice_data_offset, base.slice_data_size),
                                    .before = data.first(base.slice_data_offset)});
    return {};
}

// Joins slice parameters with slice data, when all of both are there: va.h says nothing of their order. As many buffers
// of the one as of the other belong together in their order. Otherwise several buffers of parameters share one of data:
// the one that came right before them, or the one right after them, if the parameters of this picture came first.
Status matchSlices(const codec::Codec& codec, Picture& picture) {
    const auto& data = picture.sliceData;
    const auto& groups = picture.sliceParameters;
    const bool inTurn = groups.size() == data.size();
    const bool dataFirst = !groups.empty() && groups.front().dataBefore > 0;
    for (size_t i = 0; i < groups.size(); ++i) {
        const auto& [bytes, elementSize, dataBefore] = groups[i];
        const size_t at = inTurn ? i : data.size() == 1 ? 0 : dataBefore - (dataFirst ? 1 : 0);
        if (at >= data.size())
            return {VA_STATUS_ERROR_INVALID_PARAMETER, "slice parameters without slice data"};
        for (codec::Bytes rest = bytes; !rest.empty(); rest = rest.subspan(elementSize))
            if (auto status = addSlice(codec, picture, rest.first(elementSize), data[at]); !status.ok())
                return status;
    }
    if (data.size() > groups.size())
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "slice data without slice parameters"};
    return {};
}

Status takeBytes(const codec::Codec& codec, Picture& picture, const Buffer& buffer) {
    switch (buffer.type) {
    case VAPictureParameterBufferType: return takeStruct(buffer, codec.pictureSize, picture.input.picture);
    case VAIQMatrixBufferType: return takeStruct(buffer, codec.iqMatrixSize, picture.input.iqMatrix);
    case VAProbabilityBufferType: return takeStruct(buffer, codec.probabilitySize, picture.input.probability);
    case VASliceParameterBufferType:
        if (buffer.elementSize < codec.sliceSize)
            return {VA_STATUS_ERROR_INVALID_PARAMETER,
                    strprintf("slice parameters of %u bytes, not %zu", buffer.elementSize, codec.sliceSize)};
        picture.sliceParameters.push_back(
            {.bytes = buffer.bytes(), .elementSize = buffer.elementSize, .dataBefore = picture.sliceData.size()});
        return {};
    case VASliceDataBufferType: picture.sliceData.push_back(buffer.bytes()); return {};
    default:
        return {VA_STATUS_ERROR_UNSUPPORTED_BUFFERTYPE,
                strprintf("buffer type %d has no place in decoding", buffer.type)};
    }
}

Status takeBuffer(const Driver& driver, const codec::Codec& codec, Picture& picture, VABufferID id) {
    auto buffer = driver.buffers.find(id);
    if (!buffer)
        return {VA_STATUS_ERROR_INVALID_BUFFER, strprintf("%#x is no buffer", id)};
    // Kept before anything points at it.
    return takeBytes(codec, picture, *picture.buffers.emplace_back(std::move(buffer)));
}

} // namespace

void Picture::clear() {
    target = nullptr;
    auto slices = std::move(input.slices);
    slices.clear();
    memory.clear();
    input = {};
    input.slices = std::move(slices);
    buffers.clear();
    sliceParameters.clear();
    sliceData.clear();
    failed = {};
}

Status beginPicture(Driver& driver, VAContextID contextId, VASurfaceID target) {
    const auto context = driver.contexts.find(contextId);
    if (!context)
        return noContext(contextId);
    auto surface = driver.surfaces.find(target);
    if (!surface)
        return {VA_STATUS_ERROR_INVALID_SURFACE, strprintf("%#x is no surface", target)};

    const std::lock_guard lock(context->mutex);
    if (context->submitting)
        return {VA_STATUS_ERROR_HW_BUSY, "another thread is submitting a picture of this context"};
    // A picture that was begun and never ended is forgotten: its client has given it up.
    Picture& picture = context->picture;
    if (picture.target)
        picture.clear();
    picture.target = std::move(surface);
    picture.input.memory = &picture.memory;
    picture.input.profile = context->config->profile;
    picture.input.target = target;
    picture.input.width = context->width;
    picture.input.height = context->height;
    return {};
}

Status renderPicture(Driver& driver, VAContextID contextId, VABufferID* ids, int count) {
    const auto context = driver.contexts.find(contextId);
    if (!context)
        return noContext(contextId);
    if (!ids && count > 0)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no buffers"};
    const std::lock_guard lock(context->mutex);
    Picture& picture = context->picture;
    if (!picture.target || context->submitting)
        return {VA_STATUS_ERROR_OPERATION_FAILED, "vaRenderPicture without vaBeginPicture"};
    try {
        for (int i = 0; i < count; i++)
            if (Status taken = takeBuffer(driver, *context->config->decoder.codec, picture, ids[i]); !taken.ok())
                return picture.failed = taken;
    } catch (const std::bad_alloc&) {
        return picture.failed = {VA_STATUS_ERROR_ALLOCATION_FAILED, "no memory"};
    }
    return {};
}

namespace {

// While it lives, the context's picture is this thread's alone. One that is not submitted is refused, also by an
// exception.
class Submitting {
public:
    explicit Submitting(Context& context) : context_(context) {
        const std::lock_guard lock(context_.mutex);
        begun_ = context_.picture.target && !context_.destroyed && !context_.submitting;
        if (begun_)
            context_.submitting = true;
    }
    ~Submitting() {
        if (!begun_)
            return;
        if (!submitted_)
            context_.picture.target->refuse();
        context_.picture.clear();
        const std::lock_guard lock(context_.mutex);
        context_.submitting = false;
        if (context_.destroyed)
            context_.idle.notify_all(); // under the lock: the thread that waits may free the context
    }
    Submitting(const Submitting&) = delete;
    Submitting& operator=(const Submitting&) = delete;

    bool begun() const { return begun_; }
    void submitted() { submitted_ = true; }

private:
    Context& context_;
    bool begun_;
    bool submitted_ = false;
};

Status submit(Driver& driver, Context& context, Picture& picture) {
    if (!picture.failed.ok())
        return picture.failed;
    if (auto status = matchSlices(*context.config->decoder.codec, picture); !status.ok())
        return status;
    if (picture.input.picture.empty() || picture.input.slices.empty())
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "a picture without picture parameters or without slices"};
    auto stream = context.stream;
    if (!stream) {
        stream = driver.takeStream(context.config->decoder, picture.input);
        const std::lock_guard lock(context.mutex);
        context.stream = stream;
    }
    const auto decoded =
        stream->decode(picture.input, picture.target, [&](VASurfaceID id) { return driver.surfaces.find(id); });
    // va.h knows one status for a picture that this driver or its device cannot decode.
    if (!decoded && decoded.error().kind == ErrorKind::Unsupported)
        return {VA_STATUS_ERROR_DECODING_ERROR, decoded.error().message};
    return decoded;
}

} // namespace

Status endPicture(Driver& driver, VAContextID contextId) {
    const auto context = driver.contexts.find(contextId);
    if (!context)
        return noContext(contextId);
    Submitting submitting(*context);
    if (!submitting.begun())
        return {VA_STATUS_ERROR_OPERATION_FAILED, "vaEndPicture without vaBeginPicture"};
    auto status = submit(driver, *context, context->picture);
    if (status.ok())
        submitting.submitted();
    return status;
}

} // namespace v4l2_request::va
