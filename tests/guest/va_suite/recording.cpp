// SPDX-License-Identifier: MIT
#include "recording.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <set>
#include <stdexcept>

#include <va/va_dec_av1.h>
#include <va/va_dec_hevc.h>
#include <va/va_dec_vp8.h>
#include <va/va_dec_vp9.h>

namespace va_suite {

namespace {

// Where the structs of a codec have surface ids: `count` of them, `stride` bytes apart.
struct Names {
    VABufferType type;
    size_t offset, count, stride;
};

std::vector<Names> namesOf(int profile) {
    constexpr auto picture = VAPictureParameterBufferType;
    switch (profile) {
    case VAProfileMPEG2Simple:
    case VAProfileMPEG2Main:
        return {{picture, offsetof(VAPictureParameterBufferMPEG2, forward_reference_picture), 1, 0},
                {picture, offsetof(VAPictureParameterBufferMPEG2, backward_reference_picture), 1, 0}};
    case VAProfileHEVCMain:
    case VAProfileHEVCMain10:
        return {{picture, offsetof(VAPictureParameterBufferHEVC, CurrPic.picture_id), 1, 0},
                {picture, offsetof(VAPictureParameterBufferHEVC, ReferenceFrames[0].picture_id), 15,
                 sizeof(VAPictureHEVC)}};
    case VAProfileVP8Version0_3:
        return {{picture, offsetof(VAPictureParameterBufferVP8, last_ref_frame), 3, sizeof(VASurfaceID)}};
    case VAProfileVP9Profile0:
    case VAProfileVP9Profile2:
        return {{picture, offsetof(VADecPictureParameterBufferVP9, reference_frames), 8, sizeof(VASurfaceID)}};
    case VAProfileAV1Profile0:
        return {{picture, offsetof(VADecPictureParameterBufferAV1, current_frame), 1, 0},
                {picture, offsetof(VADecPictureParameterBufferAV1, current_display_picture), 1, 0},
                {picture, offsetof(VADecPictureParameterBufferAV1, ref_frame_map), 8, sizeof(VASurfaceID)}};
    default: // H.264
        return {
            {picture, offsetof(VAPictureParameterBufferH264, CurrPic.picture_id), 1, 0},
            {picture, offsetof(VAPictureParameterBufferH264, ReferenceFrames[0].picture_id), 16, sizeof(VAPictureH264)},
            {VASliceParameterBufferType, offsetof(VASliceParameterBufferH264, RefPicList0[0].picture_id), 32,
             sizeof(VAPictureH264)},
            {VASliceParameterBufferType, offsetof(VASliceParameterBufferH264, RefPicList1[0].picture_id), 32,
             sizeof(VAPictureH264)}};
    }
}

template <typename T>
T take(std::span<const uint8_t>& bytes) {
    if (bytes.size() < sizeof(T))
        throw std::runtime_error("a recording that ends too early");
    T value;
    std::memcpy(&value, bytes.data(), sizeof(value));
    bytes = bytes.subspan(sizeof(value));
    return value;
}

} // namespace

bool Recording::isField(int profile, const std::vector<Buffer>& buffers) {
    const auto parameters = std::ranges::find(buffers, VAPictureParameterBufferType, &Buffer::type);
    if (parameters == buffers.end())
        return false;
    if (profile == VAProfileMPEG2Simple || profile == VAProfileMPEG2Main)
        return reinterpret_cast<const VAPictureParameterBufferMPEG2*>(parameters->bytes.data())
                   ->picture_coding_extension.bits.picture_structure != 3;
    const bool isH264 = namesOf(profile).size() == 4;
    return isH264 && reinterpret_cast<const VAPictureParameterBufferH264*>(parameters->bytes.data())
                         ->pic_fields.bits.field_pic_flag;
}

Recording::Recording(const std::string& name) : path(name) {
    const Bytes file = readFile(path);
    std::span<const uint8_t> rest(file);
    const auto stream = take<RecordedStream>(rest);
    if (stream.magic != recordingMagic)
        throw std::runtime_error(path + " is no recording");
    profile = static_cast<VAProfile>(stream.profile);
    width = stream.width;
    height = stream.height;
    std::map<VASurfaceID, size_t> frames; // that the client's surfaces hold
    VASurfaceID lastTarget = VA_INVALID_SURFACE;
    bool half = false; // the last picture was a first field
    while (!rest.empty()) {
        const auto recorded = take<RecordedPicture>(rest);
        Submitted& picture = pictures_.emplace_back();
        for (uint32_t i = 0; i < recorded.buffers; i++) {
            const auto header = take<RecordedBuffer>(rest);
            const size_t size = size_t{header.size} * header.elements;
            if (rest.size() < size)
                throw std::runtime_error("a recording that ends too early");
            picture.buffers.push_back({static_cast<VABufferType>(header.type), header.elements,
                                       Bytes(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size))});
            rest = rest.subspan(size);
        }
        // A field that goes where the field before it went is the second.
        const bool second = isField(profile, picture.buffers) && half && recorded.target == lastTarget;
        half = isField(profile, picture.buffers) && !second;
        if (!second)
            frames[recorded.target] = frameCount_++;
        lastTarget = recorded.target;
        picture.frame = frameCount_ - 1;
        nameFrames(picture, frames);
    }
    pictureCount = pictures_.size();
}

void Recording::nameFrames(Submitted& picture, const std::map<VASurfaceID, size_t>& frames) const {
    for (size_t at = 0; at < picture.buffers.size(); at++) {
        const Buffer& buffer = picture.buffers[at];
        const size_t size = buffer.bytes.size() / buffer.elements;
        for (const Names& names : namesOf(profile))
            for (size_t i = 0; buffer.type == names.type && i < buffer.elements * names.count; i++) {
                const size_t offset = i / names.count * size + names.offset + i % names.count * names.stride;
                VASurfaceID id;
                std::memcpy(&id, buffer.bytes.data() + offset, sizeof(id));
                if (const auto found = frames.find(id); found != frames.end())
                    picture.names.push_back({at, offset, found->second});
            }
    }
}

std::vector<size_t> Recording::references(size_t picture) const {
    std::set<size_t> frames;
    for (const Name& name : pictures_[picture].names)
        if (name.frame != pictures_[picture].frame || isSecondField(picture))
            frames.insert(name.frame);
    // The second field of an intra frame need not look at the first, and clients name it all the same.
    if (isSecondField(picture))
        frames.erase(pictures_[picture].frame);
    return {frames.begin(), frames.end()};
}

size_t Recording::poolSize() const {
    size_t most = 1;
    for (size_t i = 0; i < pictures_.size(); i++)
        most = std::max(most, references(i).size() + 1);
    return most;
}

bool Recording::tellsItsStream(size_t picture) const {
    if (isSecondField(picture) || !isIntra(picture))
        return true;
    for (size_t later = picture; later < pictureCount; later++)
        if (std::ranges::any_of(references(later), [&](size_t frame) { return frame < frameOf(picture); }))
            return false;
    return true;
}

Picture Recording::picture(size_t index, std::span<const VASurfaceID> surfaces) const {
    Picture picture;
    const Submitted& submitted = pictures_[index];
    for (size_t at = 0; at < submitted.buffers.size(); at++) {
        Bytes bytes = submitted.buffers[at].bytes;
        for (const Name& name : submitted.names)
            if (name.buffer == at)
                std::memcpy(bytes.data() + name.offset, &surfaces[name.frame], sizeof(VASurfaceID));
        switch (submitted.buffers[at].type) {
        case VAPictureParameterBufferType: picture.parameters = std::move(bytes); break;
        case VAIQMatrixBufferType: picture.iqMatrix = std::move(bytes); break;
        case VAProbabilityBufferType: picture.probabilities = std::move(bytes); break;
        case VASliceParameterBufferType:
            picture.slices.push_back({std::move(bytes), {}, submitted.buffers[at].elements});
            break;
        case VASliceDataBufferType: picture.slices.back().data = std::move(bytes); break;
        default: throw std::runtime_error("a recorded buffer of a type that pictures do not have");
        }
    }
    return picture;
}

void Recording::redirectReferences(Picture&, VASurfaceID) const {
    throw std::logic_error("not of a recording");
}

void Recording::resize(Picture&, unsigned, unsigned) const {
    throw std::logic_error("not of a recording");
}

} // namespace va_suite
