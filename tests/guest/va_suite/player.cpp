// SPDX-License-Identifier: MIT
#include "player.h"

#include <algorithm>
#include <utility>

#include <gtest/gtest.h>

namespace va_suite {

std::string describe(const Outcome& outcome) {
    return std::string("begin: ") + vaErrorStr(outcome.begin) + ", render: " + vaErrorStr(outcome.render) +
           ", end: " + vaErrorStr(outcome.end);
}

bool isDamaged(VADisplay display, VASurfaceID surface) {
    if (vaSyncSurface(display, surface) == VA_STATUS_ERROR_DECODING_ERROR)
        return true;
    void* errors = nullptr;
    return vaQuerySurfaceError(display, surface, VA_STATUS_ERROR_DECODING_ERROR, &errors) == VA_STATUS_SUCCESS &&
           errors && static_cast<const VASurfaceDecodeMBErrors*>(errors)->status != -1;
}

namespace {

std::vector<VASurfaceID> makeSurfaces(const Display& display, const Stream& stream) {
    std::vector<VASurfaceID> surfaces(stream.pictureCount + 1);
    REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, stream.width, stream.height, surfaces.data(),
                                static_cast<unsigned>(surfaces.size()), nullptr, 0));
    return surfaces;
}

} // namespace

Player::Player(const Display& display, const Stream& stream) : Player(display, stream, makeSurfaces(display, stream)) {}

Player::Player(const Display& display, const Stream& stream, std::vector<VASurfaceID> surfaces)
    : display_(display), stream_(stream), surfaces_(std::move(surfaces)) {
    REQUIRE_VA(vaCreateConfig(display_, stream_.profile, VAEntrypointVLD, nullptr, 0, &config_));
    createContext();
}

Player::~Player() {
    if (!display_.isAlive())
        return;
    clearBuffers();
    destroyContext();
    if (!surfaces_.empty())
        vaDestroySurfaces(display_, surfaces_.data(), static_cast<int>(surfaces_.size()));
    vaDestroyConfig(display_, config_);
}

void Player::createContext() {
    REQUIRE_VA(vaCreateContext(display_, config_, static_cast<int>(stream_.width), static_cast<int>(stream_.height),
                               VA_PROGRESSIVE, nullptr, 0, &context_));
}

void Player::destroyContext() {
    if (context_ != VA_INVALID_ID)
        vaDestroyContext(display_, context_);
    context_ = VA_INVALID_ID;
}

VABufferID Player::buffer(VABufferType type, const Bytes& bytes, unsigned elements) {
    VABufferID id = VA_INVALID_ID;
    REQUIRE_VA(vaCreateBuffer(display_, context_, type, static_cast<unsigned>(bytes.size()) / elements, elements,
                              const_cast<uint8_t*>(bytes.data()), &id));
    return buffers_.emplace_back(id);
}

std::vector<VABufferID> Player::buffersOf(const Picture& picture) {
    std::vector<VABufferID> ids;
    if (!picture.parameters.empty())
        ids.push_back(buffer(VAPictureParameterBufferType, picture.parameters));
    if (!picture.iqMatrix.empty())
        ids.push_back(buffer(VAIQMatrixBufferType, picture.iqMatrix));
    if (!picture.probabilities.empty())
        ids.push_back(buffer(VAProbabilityBufferType, picture.probabilities));
    for (const Picture::Slice& slice : picture.slices) {
        if (!slice.parameters.empty())
            ids.push_back(buffer(VASliceParameterBufferType, slice.parameters, slice.elements));
        if (!slice.data.empty())
            ids.push_back(buffer(VASliceDataBufferType, slice.data));
    }
    return ids;
}

void Player::clearBuffers() {
    for (const VABufferID id : buffers_)
        vaDestroyBuffer(display_, id);
    buffers_.clear();
}

Outcome Player::submit(VASurfaceID target, const Picture& picture) {
    return submit(target, buffersOf(picture));
}

Outcome Player::submit(VASurfaceID target, std::vector<VABufferID> buffers) {
    Outcome outcome;
    outcome.begin = vaBeginPicture(display_, context_, target);
    outcome.render = vaRenderPicture(display_, context_, buffers.data(), static_cast<int>(buffers.size()));
    outcome.end = vaEndPicture(display_, context_);
    clearBuffers();
    strayed_ = strayed_ || outcome.end == VA_STATUS_SUCCESS;
    return outcome;
}

void Player::playOne() {
    const bool strayed = strayed_;
    const Outcome outcome = submit(surface(stream_.frameOf(next_)), picture(next_));
    strayed_ = strayed;
    if (!outcome.ok())
        throw std::runtime_error("picture " + std::to_string(next_) + ": " + describe(outcome));
    next_++;
}

void Player::play(size_t count) {
    while (count--)
        playOne();
}

void Player::expectRestIsRight() {
    if (std::exchange(strayed_, false))
        next_ = 0;
    while (next_ < stream_.pictureCount)
        playOne();
    for (size_t i = 0; i < stream_.frameCount(); i++)
        expectPicture(i);
}

void Player::expectPicture(size_t index) {
    EXPECT_EQ(vaSyncSurface(display_, surface(index)), VA_STATUS_SUCCESS) << "picture " << index;
    const Bytes pixels = readSurface(display_, surface(index), stream_.width, stream_.height);
    if (!display_.hasTruePixels())
        return;
    const auto wrong = std::mismatch(pixels.begin(), pixels.end(), stream_.expectedPicture(index).begin()).first;
    EXPECT_EQ(wrong, pixels.end()) << "picture " << index << " differs from byte " << (wrong - pixels.begin());
}

} // namespace va_suite
