// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <memory_resource>
#include <vector>

#include "codec/codec.h"
#include "decode/session.h"
#include "decode/surface.h"

namespace v4l2_request::decode {

using SurfaceLookup = std::function<std::shared_ptr<Surface>(VASurfaceID)>;

// Answers a codec builder, and keeps every picture that it was told of: from the question on, until the picture that
// refers to it is done, whatever clients do with their surfaces meanwhile.
class PictureReferences final : public codec::References {
public:
    // `session` is null where nothing was decoded yet: then nothing is there.
    PictureReferences(Session* session, const SurfaceLookup& lookup, std::shared_ptr<Frame> target, uint64_t name,
                      std::pmr::memory_resource* memory)
        : session_(session), lookup_(lookup), target_(std::move(target)), name_(name), found_(memory) {}

    std::optional<uint64_t> timestamp(VASurfaceID surface) const override { return find(surface, true); }
    std::optional<uint64_t> listed(VASurfaceID surface) const override { return find(surface, false); }
    std::optional<uint64_t> latest() const override;
    uint64_t name() const override { return name_; }

    // Whether anything was found that the client named; what stands in does not count.
    bool any() const;
    // What was asked for and found. The pictures of these surfaces pass their damage on.
    std::span<Reference> found(std::span<const VASurfaceID> predictedFrom);

private:
    std::optional<uint64_t> find(VASurfaceID surface, bool read) const;

    Session* session_;
    const SurfaceLookup& lookup_;
    const std::shared_ptr<Frame> target_;
    const uint64_t name_;
    mutable std::pmr::vector<Reference> found_;
};

} // namespace v4l2_request::decode
