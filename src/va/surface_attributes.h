// SPDX-License-Identifier: MIT
#pragma once

#include <span>

#include <va/va.h>
#include <va/va_drmcommon.h>

#include "format/pixel_format.h"
#include "va/status.h"

namespace v4l2_request::va {

// What a client asks of new surfaces.
struct SurfaceWish {
    const PixelFormat* format;
    uint32_t memoryType = VA_SURFACE_ATTRIB_MEM_TYPE_VA;
    // Memory of the client's own: VADRMPRIMESurfaceDescriptor, one per surface, or VASurfaceAttribExternalBuffers, one
    // for all, as `memoryType` says. Null where the driver is to allocate.
    const void* external = nullptr;
    const VADRMFormatModifierList* modifiers = nullptr;
};

// Reads the attributes given to vaCreateSurfaces: each is honoured, or refused with the status that va.h has for it.
tl::expected<SurfaceWish, Status> readSurfaceAttributes(std::span<const VASurfaceAttrib> attributes, uint32_t rtFormat);

} // namespace v4l2_request::va
