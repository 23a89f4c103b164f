// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>

#include <va/va.h>

#include "codec/codec.h"
#include "decode/frame.h"

namespace v4l2_request::decode {

// A picture that another one refers to.
struct Reference {
    VASurfaceID surface;
    std::shared_ptr<Frame> frame;
    bool read = false;          // the device may read it; else only its index must stay
    bool predictedFrom = false; // its damage is inherited
};

// What one picture is for the device.
struct Work {
    std::shared_ptr<Frame> target;
    std::span<const codec::Job> jobs;
    std::span<Reference> references;
    bool firstField = false;
    bool secondField = false; // of the picture that `target` already is
    bool undecided = false;   // its one job waits for decide(), or for whoever wants the picture
    bool damaged = false;     // whatever the device says
    uint32_t damageLasts = Frame::forEver;

    // Whether the device writes or reads the memory of this picture.
    bool accesses(const Frame& frame) const {
        return target.get() == &frame || std::ranges::any_of(references, [&](const Reference& reference) {
                   return reference.read && reference.frame.get() == &frame;
               });
    }
    // The same, or has to find it by its timestamp only.
    bool needs(const Frame& frame) const {
        return target.get() == &frame || std::ranges::any_of(references, [&](const Reference& reference) {
                   return reference.frame.get() == &frame;
               });
    }
};

} // namespace v4l2_request::decode
