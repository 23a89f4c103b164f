// SPDX-License-Identifier: MIT
#include "va/entry_points.h"

namespace v4l2_request::va {

// Render targets are checked and otherwise ignored: modern clients name none and use any surface they have.
Status createContext(Driver& driver, VAConfigID configId, int width, int height, int, VASurfaceID* targets,
                     int targetCount, VAContextID* id) {
    const auto config = driver.configs.find(configId);
    if (!config)
        return {VA_STATUS_ERROR_INVALID_CONFIG, strprintf("%#x is no config", configId)};
    if (!id || (!targets && targetCount > 0))
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no render targets, or no place for the id"};
    const v4l2::FrameSizes& sizes = config->decoder.sizes;
    if (width < 0 || height < 0 || static_cast<unsigned>(width) < sizes.minWidth ||
        static_cast<unsigned>(width) > sizes.maxWidth || static_cast<unsigned>(height) < sizes.minHeight ||
        static_cast<unsigned>(height) > sizes.maxHeight)
        return {VA_STATUS_ERROR_RESOLUTION_NOT_SUPPORTED,
                strprintf("%dx%d is outside of %ux%u to %ux%u", width, height, sizes.minWidth, sizes.minHeight,
                          sizes.maxWidth, sizes.maxHeight)};
    for (int i = 0; i < targetCount; i++)
        if (!driver.surfaces.find(targets[i]))
            return {VA_STATUS_ERROR_INVALID_SURFACE, strprintf("%#x is no surface", targets[i])};

    auto context = std::make_shared<Context>();
    context->config = config;
    context->width = static_cast<uint32_t>(width);
    context->height = static_cast<uint32_t>(height);
    *id = driver.contexts.add(std::move(context));
    driver.noteUse(config->decoder);
    return {};
}

// Surfaces keep their pictures: the stream finishes what it has.
Status destroyContext(Driver& driver, VAContextID id) {
    const auto context = driver.contexts.remove(id);
    if (!context)
        return {VA_STATUS_ERROR_INVALID_CONTEXT, strprintf("%#x is no context", id)};
    if (auto stream = context->close()) {
        stream->finish();
        driver.parkStream(std::move(stream));
    }
    return {};
}

} // namespace v4l2_request::va
