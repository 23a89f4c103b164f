// SPDX-License-Identifier: MIT
#pragma once

#include <memory>

#include "va/driver.h"
#include "va/surface_attributes.h"

namespace v4l2_request::va {

// The memory of the client's own for the surface `index` of `count` that it wants to create with this size, if it is
// laid out as a decoder of this machine can write it. The client keeps its descriptors.
tl::expected<std::shared_ptr<decode::FrameMemory>, Status> importMemory(const Driver& driver, const SurfaceWish& wish,
                                                                        unsigned index, unsigned count, uint32_t width,
                                                                        uint32_t height);

} // namespace v4l2_request::va
