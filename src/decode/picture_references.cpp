// SPDX-License-Identifier: MIT
#include "decode/picture_references.h"

#include <algorithm>

namespace v4l2_request::decode {

std::optional<uint64_t> PictureReferences::find(VASurfaceID id, bool read) const {
    if (id == VA_INVALID_SURFACE)
        return std::nullopt;
    const auto known = std::ranges::find(found_, id, &Reference::surface);
    if (known != found_.end()) {
        known->read |= read;
        return known->frame->timestamp();
    }
    const auto surface = session_ ? lookup_(id) : nullptr;
    auto frame = surface ? surface->reference() : nullptr;
    if (!frame || !session_->holds(frame))
        return std::nullopt;
    const uint64_t timestamp = frame->timestamp();
    if (found_.empty())
        found_.reserve(16); // as many as any codec has
    found_.push_back({.surface = id, .frame = std::move(frame), .read = read});
    return timestamp;
}

std::optional<uint64_t> PictureReferences::latest() const {
    auto frame = session_ ? session_->latest(target_) : nullptr;
    if (!frame)
        return std::nullopt;
    const uint64_t timestamp = frame->timestamp();
    found_.push_back({.surface = VA_INVALID_SURFACE, .frame = std::move(frame), .read = true, .predictedFrom = true});
    return timestamp;
}

bool PictureReferences::any() const {
    return std::ranges::any_of(
        found_, [](VASurfaceID id) { return id != VA_INVALID_SURFACE; }, &Reference::surface);
}

std::span<Reference> PictureReferences::found(std::span<const VASurfaceID> predictedFrom) {
    for (Reference& reference : found_)
        reference.predictedFrom |= std::ranges::find(predictedFrom, reference.surface) != predictedFrom.end();
    return found_;
}

} // namespace v4l2_request::decode
