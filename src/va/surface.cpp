// SPDX-License-Identifier: MIT
#include <algorithm>

#include <unistd.h>
#include <va/va_drmcommon.h>

#include "va/entry_points.h"
#include "va/import.h"

namespace v4l2_request::va {

namespace {

Status noSurface(VASurfaceID id) {
    return {VA_STATUS_ERROR_INVALID_SURFACE, strprintf("%#x is no surface", id)};
}

} // namespace

Status createSurfaces(Driver& driver, int width, int height, int rtFormat, int count, VASurfaceID* ids) {
    if (width <= 0 || height <= 0 || count < 0)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, strprintf("%d surfaces of %dx%d", count, width, height)};
    return createSurfaces2(driver, static_cast<unsigned>(rtFormat), static_cast<unsigned>(width),
                           static_cast<unsigned>(height), ids, static_cast<unsigned>(count), nullptr, 0);
}

Status createSurfaces2(Driver& driver, unsigned rtFormat, unsigned width, unsigned height, VASurfaceID* ids,
                       unsigned count, VASurfaceAttrib* attributes, unsigned attributeCount) {
    constexpr unsigned largest = 65535; // what any of the codecs can say
    if ((!ids && count) || (!attributes && attributeCount) || !width || !height || width > largest || height > largest)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, strprintf("%u surfaces of %ux%u", count, width, height)};
    const auto wish = readSurfaceAttributes({attributes, attributeCount}, rtFormat);
    if (!wish)
        return wish.error();
    if (!driver.writes(*wish->format))
        return {VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT, strprintf("no decoder writes %s", wish->format->name)};
    std::vector<std::shared_ptr<decode::Surface>> surfaces; // all or none
    for (unsigned i = 0; i < count; i++) {
        if (!wish->external) {
            surfaces.push_back(std::make_shared<decode::Surface>(width, height, *wish->format, driver.lastUsed()));
            continue;
        }
        auto memory = importMemory(driver, *wish, i, count, width, height);
        if (!memory)
            return memory.error();
        surfaces.push_back(std::make_shared<decode::Surface>(width, height, std::move(*memory)));
    }
    std::transform(surfaces.begin(), surfaces.end(), ids,
                   [&](auto& surface) { return driver.surfaces.add(std::move(surface)); });
    return {};
}

// Destroys all or nothing. A surface that the device still writes lives on until it is done.
Status destroySurfaces(Driver& driver, VASurfaceID* ids, int count) {
    if (!ids && count > 0)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no surfaces"};
    for (int i = 0; i < count; i++)
        if (!driver.surfaces.find(ids[i]))
            return noSurface(ids[i]);
    for (int i = 0; i < count; i++)
        driver.surfaces.remove(ids[i]);
    driver.dropUnused();
    return {};
}

Status syncSurface(Driver& driver, VASurfaceID id) {
    return syncSurface2(driver, id, VA_TIMEOUT_INFINITE);
}

Status syncSurface2(Driver& driver, VASurfaceID id, uint64_t timeoutNs) {
    const auto surface = driver.surfaces.find(id);
    if (!surface)
        return noSurface(id);
    return surface->wait(deadlineAfter(timeoutNs)); // damaged or not: vaQuerySurfaceError tells
}

Status querySurfaceStatus(Driver& driver, VASurfaceID id, VASurfaceStatus* status) {
    const auto surface = driver.surfaces.find(id);
    if (!surface)
        return noSurface(id);
    if (!status)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the answer"};
    surface->poll();
    *status = surface->pending() ? VASurfaceRendering : VASurfaceReady;
    return {};
}

Status querySurfaceError(Driver& driver, VASurfaceID id, VAStatus error, void** info) {
    const auto surface = driver.surfaces.find(id);
    if (!surface)
        return noSurface(id);
    if (!info || error != VA_STATUS_ERROR_DECODING_ERROR)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "only decoding errors have details"};
    if (surface->pending() || !surface->damaged())
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "the surface has no decoding error"};
    // The device says that a picture is damaged, not where: all of it is reported. The list ends with a status of -1.
    static constexpr std::array<VASurfaceDecodeMBErrors, 2> wholePicture{{
        {.status = 1, .start_mb = 0, .end_mb = UINT32_MAX, .decode_error_type = VADecodeMBError},
        {.status = -1},
    }};
    *info = const_cast<VASurfaceDecodeMBErrors*>(wholePicture.data()); // va.h: owned by the driver, to be read only
    return {};
}

Status exportSurfaceHandle(Driver& driver, VASurfaceID id, uint32_t memoryType, uint32_t flags, void* descriptor) {
    const auto surface = driver.surfaces.find(id);
    if (!surface)
        return noSurface(id);
    if (memoryType != VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2)
        return {VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE, strprintf("memory type %#x", memoryType)};
    constexpr uint32_t layerFlags = VA_EXPORT_SURFACE_SEPARATE_LAYERS | VA_EXPORT_SURFACE_COMPOSED_LAYERS;
    if (!descriptor || (flags & layerFlags) == layerFlags)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no descriptor, or two kinds of layers"};
    // V4L2 sets no fence in the dma-buf: what is handed out has to be complete. A damaged picture is still a picture.
    if (auto finished = surface->wait(os::Deadline::never()); !finished)
        return finished;
    const bool separate = !(flags & VA_EXPORT_SURFACE_COMPOSED_LAYERS); // VLC 3 says neither, and expects these
    const auto hasName = [separate](const Layout& layout) -> Status {
        // DRM names samples that are packed across bytes only as a whole.
        const PixelFormat& pixels = *layout.format;
        if (pixels.drm != DRM_FORMAT_INVALID && !(separate && pixels.arrangement.packing != Arrangement::Packing::None))
            return {};
        return {VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE,
                strprintf("DRM has no name for %s%s", pixels.name, separate ? " in separate layers" : "")};
    };
    const auto memory = driver.promisedMemoryOf(*surface, hasName);
    if (!memory)
        return memory.error();
    os::UniqueFd fd = (*memory)->duplicateFd();
    if (!fd.valid())
        return {VA_STATUS_ERROR_OPERATION_FAILED, "the process has no file descriptor left"};

    const Layout& layout = (*memory)->layout();
    const PixelFormat& pixels = *layout.format;
    VADRMPRIMESurfaceDescriptor prime{};
    prime.fourcc = pixels.va;
    prime.width = std::min(surface->width(), layout.width); // the stream may be smaller than its surfaces
    prime.height = std::min(surface->height(), layout.height);
    prime.num_objects = 1;
    // va.h: of the whole object. A dma-buf is a number of pages, and clients compare with what they see of it.
    const off_t size = ::lseek(fd.get(), 0, SEEK_END);
    prime.objects[0].size = size > 0 ? static_cast<uint32_t>(size) : layout.size;
    prime.objects[0].drm_format_modifier = layout.modifier();
    if (separate) {
        prime.num_layers = pixels.planeCount;
        for (unsigned i = 0; i < pixels.planeCount; i++) {
            prime.layers[i].drm_format = pixels.planes[i].drm;
            prime.layers[i].num_planes = 1;
            prime.layers[i].offset[0] = layout.offsets[i];
            prime.layers[i].pitch[0] = layout.pitches[i];
        }
    } else {
        prime.num_layers = 1;
        prime.layers[0].drm_format = pixels.drm;
        prime.layers[0].num_planes = pixels.planeCount;
        std::copy_n(layout.offsets.begin(), pixels.planeCount, prime.layers[0].offset);
        std::copy_n(layout.pitches.begin(), pixels.planeCount, prime.layers[0].pitch);
    }
    prime.objects[0].fd = fd.release(); // the client's from here on
    *static_cast<VADRMPRIMESurfaceDescriptor*>(descriptor) = prime;
    return {};
}

} // namespace v4l2_request::va
