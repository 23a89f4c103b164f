// SPDX-License-Identifier: MIT
#pragma once

#include <va/va_backend.h>

#include "va/driver.h"

// The entry points of libva's vtable, one function each, in the file of the object that they work on. What they take
// and return is documented in va.h; entry.cpp wraps them for the C ABI.
namespace v4l2_request::va {

// config.cpp
inline constexpr int maxConfigAttributes = 8;
int profileCount(const Driver& driver);
Status queryConfigProfiles(Driver& driver, VAProfile* profiles, int* count);
Status queryConfigEntrypoints(Driver& driver, VAProfile profile, VAEntrypoint* entrypoints, int* count);
Status getConfigAttributes(Driver& driver, VAProfile profile, VAEntrypoint entrypoint, VAConfigAttrib* attributes,
                           int count);
Status createConfig(Driver& driver, VAProfile profile, VAEntrypoint entrypoint, VAConfigAttrib* attributes, int count,
                    VAConfigID* id);
Status destroyConfig(Driver& driver, VAConfigID id);
Status queryConfigAttributes(Driver& driver, VAConfigID id, VAProfile* profile, VAEntrypoint* entrypoint,
                             VAConfigAttrib* attributes, int* count);

// surface_attributes.cpp
Status querySurfaceAttributes(Driver& driver, VAConfigID id, VASurfaceAttrib* attributes, unsigned* count);

// surface.cpp
Status createSurfaces(Driver& driver, int width, int height, int rtFormat, int count, VASurfaceID* ids);
Status createSurfaces2(Driver& driver, unsigned rtFormat, unsigned width, unsigned height, VASurfaceID* ids,
                       unsigned count, VASurfaceAttrib* attributes, unsigned attributeCount);
Status destroySurfaces(Driver& driver, VASurfaceID* ids, int count);
Status syncSurface(Driver& driver, VASurfaceID id);
Status syncSurface2(Driver& driver, VASurfaceID id, uint64_t timeoutNs);
Status querySurfaceStatus(Driver& driver, VASurfaceID id, VASurfaceStatus* status);
Status querySurfaceError(Driver& driver, VASurfaceID id, VAStatus error, void** info);
Status exportSurfaceHandle(Driver& driver, VASurfaceID id, uint32_t memoryType, uint32_t flags, void* descriptor);

// context.cpp
Status createContext(Driver& driver, VAConfigID config, int width, int height, int flags, VASurfaceID* targets,
                     int targetCount, VAContextID* id);
Status destroyContext(Driver& driver, VAContextID id);

// picture.cpp
Status beginPicture(Driver& driver, VAContextID context, VASurfaceID target);
Status renderPicture(Driver& driver, VAContextID context, VABufferID* buffers, int count);
Status endPicture(Driver& driver, VAContextID context);

// buffer.cpp
Status createBuffer(Driver& driver, VAContextID context, VABufferType type, unsigned size, unsigned elements,
                    void* data, VABufferID* id);
Status bufferSetNumElements(Driver& driver, VABufferID id, unsigned elements);
Status mapBuffer(Driver& driver, VABufferID id, void** data);
Status unmapBuffer(Driver& driver, VABufferID id);
Status destroyBuffer(Driver& driver, VABufferID id);
Status bufferInfo(Driver& driver, VABufferID id, VABufferType* type, unsigned* size, unsigned* elements);
Status syncBuffer(Driver& driver, VABufferID id, uint64_t timeoutNs);
Status acquireBufferHandle(Driver& driver, VABufferID id, VABufferInfo* info);
Status releaseBufferHandle(Driver& driver, VABufferID id);

// image.cpp
int imageFormatCount();
Status queryImageFormats(Driver& driver, VAImageFormat* formats, int* count);
Status createImage(Driver& driver, VAImageFormat* format, int width, int height, VAImage* image);
Status deriveImage(Driver& driver, VASurfaceID surface, VAImage* image);
Status destroyImage(Driver& driver, VAImageID id);

// transfer.cpp
Status getImage(Driver& driver, VASurfaceID surface, int x, int y, unsigned width, unsigned height, VAImageID image);
Status putImage(Driver& driver, VASurfaceID surface, VAImageID image, int sourceX, int sourceY, unsigned sourceWidth,
                unsigned sourceHeight, int x, int y, unsigned width, unsigned height);

} // namespace v4l2_request::va
