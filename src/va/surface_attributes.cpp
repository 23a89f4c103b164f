// SPDX-License-Identifier: MIT
#include "va/surface_attributes.h"

#include <algorithm>
#include <vector>

#include "va/entry_points.h"

namespace v4l2_request::va {

namespace {

// All memory is a dma-buf, so that these differ only in how a client describes what it brings along.
constexpr uint32_t primeTypes = VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME | VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2;
constexpr uint32_t memoryTypes = VA_SURFACE_ATTRIB_MEM_TYPE_VA | primeTypes;

Status notSupported(std::string why) {
    return {VA_STATUS_ERROR_ATTR_NOT_SUPPORTED, std::move(why)};
}

// It says more than the RT format, and decides: a client may hand back whatever a config offers with one RT format for
// all, as libva's own tests do.
Status readFormat(const VAGenericValue& value, SurfaceWish& wish) {
    const auto fourcc = static_cast<uint32_t>(value.value.i);
    const PixelFormat* format = findByVa(fourcc);
    if (!format || !isForSurfaces(*format))
        return notSupported("surfaces of pixel format " + fourccName(fourcc));
    wish.format = format;
    return {};
}

// Clients name one type, or hand back the whole mask: then the driver may choose.
Status readMemoryType(const VAGenericValue& value, SurfaceWish& wish) {
    const auto types = static_cast<uint32_t>(value.value.i);
    if (!types || types & ~memoryTypes)
        return {VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE, strprintf("memory type %#x", types)};
    wish.memoryType = types;
    return {};
}

// Null is the attribute as it was queried: nothing is asked for.
template <typename T>
Status readPointer(const VAGenericValue& value, const T*& to) {
    if (value.type != VAGenericValueTypePointer)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "an attribute that is a pointer has another type"};
    to = static_cast<const T*>(value.value.p);
    return {};
}

// What the attributes mean together.
Status checkWish(const SurfaceWish& wish) {
    // Linear memory is all that surfaces can have; a list that allows it is honoured.
    const VADRMFormatModifierList* list = wish.modifiers;
    if (list && (!list->modifiers || std::find(list->modifiers, list->modifiers + list->num_modifiers,
                                               wish.format->modifier) == list->modifiers + list->num_modifiers))
        return notSupported(strprintf("the modifier of %s is not in the list", wish.format->name));
    if (wish.external && list)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "a choice of modifiers for memory that is there already"};
    const bool one = wish.memoryType && !(wish.memoryType & (wish.memoryType - 1));
    if (wish.external && (!one || !(wish.memoryType & primeTypes)))
        return {VA_STATUS_ERROR_INVALID_PARAMETER,
                strprintf("memory of the client's own, described as memory type %#x", wish.memoryType)};
    return {};
}

VASurfaceAttrib integer(VASurfaceAttribType type, uint32_t flags, uint32_t value) {
    VASurfaceAttrib attribute{};
    attribute.type = type;
    attribute.flags = flags;
    attribute.value.type = VAGenericValueTypeInteger;
    attribute.value.value.i = static_cast<int>(value);
    return attribute;
}

// What can be given but has no value to be asked for.
VASurfaceAttrib pointer(VASurfaceAttribType type) {
    VASurfaceAttrib attribute{};
    attribute.type = type;
    attribute.flags = VA_SURFACE_ATTRIB_SETTABLE;
    attribute.value.type = VAGenericValueTypePointer;
    return attribute;
}

std::vector<VASurfaceAttrib> attributesOf(const Config& config) {
    constexpr uint32_t get = VA_SURFACE_ATTRIB_GETTABLE, set = VA_SURFACE_ATTRIB_SETTABLE;
    const v4l2::FrameSizes& sizes = config.decoder.sizes;
    std::vector<VASurfaceAttrib> all;
    for (const PixelFormat& row : pixelFormats)
        if (isForSurfaces(row) && row.rt & config.rtFormats)
            all.push_back(integer(VASurfaceAttribPixelFormat, get | set, row.va));
    all.push_back(integer(VASurfaceAttribMinWidth, get, sizes.minWidth));
    all.push_back(integer(VASurfaceAttribMaxWidth, get, sizes.maxWidth));
    all.push_back(integer(VASurfaceAttribMinHeight, get, sizes.minHeight));
    all.push_back(integer(VASurfaceAttribMaxHeight, get, sizes.maxHeight));
    all.push_back(integer(VASurfaceAttribMemoryType, get | set, memoryTypes));
    all.push_back(integer(VASurfaceAttribUsageHint, get | set,
                          VA_SURFACE_ATTRIB_USAGE_HINT_DECODER | VA_SURFACE_ATTRIB_USAGE_HINT_DISPLAY |
                              VA_SURFACE_ATTRIB_USAGE_HINT_EXPORT));
    all.push_back(pointer(VASurfaceAttribExternalBufferDescriptor));
    all.push_back(pointer(VASurfaceAttribDRMFormatModifiers));
    return all;
}

} // namespace

tl::expected<SurfaceWish, Status> readSurfaceAttributes(std::span<const VASurfaceAttrib> attributes,
                                                        uint32_t rtFormat) {
    SurfaceWish wish{.format = findByRt(rtFormat)};
    if (!wish.format)
        return tl::unexpected(Status{VA_STATUS_ERROR_UNSUPPORTED_RT_FORMAT, strprintf("RT format %#x", rtFormat)});
    const auto read = [&](const VASurfaceAttrib& attribute) -> Status {
        switch (attribute.type) {
        case VASurfaceAttribPixelFormat: return readFormat(attribute.value, wish);
        case VASurfaceAttribMemoryType: return readMemoryType(attribute.value, wish);
        case VASurfaceAttribDRMFormatModifiers: return readPointer(attribute.value, wish.modifiers);
        case VASurfaceAttribExternalBufferDescriptor: return readPointer(attribute.value, wish.external);
        // A hint obliges to nothing, and a surface's memory serves every use of it.
        case VASurfaceAttribUsageHint:
        // Read-only: clients hand back what they were told.
        case VASurfaceAttribMinWidth:
        case VASurfaceAttribMaxWidth:
        case VASurfaceAttribMinHeight:
        case VASurfaceAttribMaxHeight: return {};
        default: return notSupported(strprintf("surface attribute %d", attribute.type));
        }
    };
    for (const VASurfaceAttrib& attribute : attributes)
        if (auto status = read(attribute); !status.ok())
            return tl::unexpected(std::move(status));
    if (auto status = checkWish(wish); !status.ok())
        return tl::unexpected(std::move(status));
    return wish;
}

Status querySurfaceAttributes(Driver& driver, VAConfigID id, VASurfaceAttrib* attributes, unsigned* count) {
    const auto config = driver.configs.find(id);
    if (!config)
        return {VA_STATUS_ERROR_INVALID_CONFIG, strprintf("%#x is no config", id)};
    if (!count)
        return {VA_STATUS_ERROR_INVALID_PARAMETER, "no place for the count"};
    const auto all = attributesOf(*config);
    const auto room = *count;
    *count = static_cast<unsigned>(all.size());
    if (!attributes) // the client asks how many there are
        return {};
    if (room < all.size())
        return {VA_STATUS_ERROR_MAX_NUM_EXCEEDED, strprintf("%zu attributes, room for %u", all.size(), room)};
    std::copy(all.begin(), all.end(), attributes);
    return {};
}

} // namespace v4l2_request::va
