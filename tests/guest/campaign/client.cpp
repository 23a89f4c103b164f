// SPDX-License-Identifier: MIT
#include "client.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>
#include <va/va_drm.h>
#include <va/va_drmcommon.h>

#include "faults/calls.h"

namespace campaign {

namespace {

constexpr size_t nothing = SIZE_MAX;

} // namespace

std::chrono::seconds longestCall() {
    const char* silence = std::getenv("V4L2_REQUEST_TIMEOUT");
    return std::chrono::seconds(3 * (silence ? std::atol(silence) : 5));
}

Holdings Holdings::now() {
    const auto all = std::filesystem::directory_iterator("/proc/self/fd");
    Holdings holdings{.descriptors = static_cast<size_t>(std::distance(begin(all), end(all)))};
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);)
        for (const char* kind : {"/dmabuf:", "/dev/video", "/dev/media", "udmabuf"})
            holdings.mappings += line.find(kind) != std::string::npos;
    return holdings;
}

Client::Client(const va_suite::Recording& recording, const Expected& expected, unsigned inFlight, Watcher watcher,
               VADisplay shared)
    : recording_(recording), expected_(expected), inFlight_(inFlight), watcher_(std::move(watcher)), shared_(shared),
      lastUse_(recording.frameCount()), ofFrame_(recording.frameCount(), VA_INVALID_SURFACE),
      seen_(recording.frameCount()) {
    for (size_t i = 0; i < recording_.pictureCount; i++) {
        lastUse_[recording_.frameOf(i)] = i;
        for (const size_t frame : recording_.references(i))
            lastUse_[frame] = i;
    }
}

Client::~Client() {
    close();
}

void Client::problem(const std::string& what) {
    problems_.push_back(what);
}

// A call of libva: what it takes, and, without faults, that it succeeds.
template <typename Function>
VAStatus Client::call(const char* name, Function function) {
    const auto start = std::chrono::steady_clock::now();
    VAStatus status;
    {
        const calls::InDriver inDriver;
        status = function();
    }
    const auto took = std::chrono::steady_clock::now() - start;
    if (took > longestCall())
        late_.push_back(std::string(name) + " takes " +
                        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()) + " ms");
    if (status != VA_STATUS_SUCCESS && !faulty_)
        problem(std::string(name) + " fails without a fault: " + vaErrorStr(status));
    return status;
}
#define CALL(function, ...) call(#function, [&] { return function(__VA_ARGS__); })

bool Client::open() {
    if (watcher_)
        watcher_(Step::Initialise, 0);
    if (!display_ && shared_)
        display_ = shared_;
    if (!display_) {
        drm_ = ::open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
        display_ = vaGetDisplayDRM(drm_);
        vaSetInfoCallback(display_, nullptr, nullptr);
        vaSetErrorCallback(display_, nullptr, nullptr);
        int major = 0, minor = 0;
        if (CALL(vaInitialize, display_, &major, &minor) != VA_STATUS_SUCCESS) {
            vaTerminate(display_);
            display_ = nullptr;
            ::close(drm_);
            return false;
        }
    }
    if (config_ == VA_INVALID_ID && CALL(vaCreateConfig, display_, recording_.profile, VAEntrypointVLD, nullptr, 0,
                                         &config_) != VA_STATUS_SUCCESS) {
        config_ = VA_INVALID_ID;
        return false;
    }
    if (context_ == VA_INVALID_ID &&
        CALL(vaCreateContext, display_, config_, static_cast<int>(recording_.width),
             static_cast<int>(recording_.height), VA_PROGRESSIVE, nullptr, 0, &context_) != VA_STATUS_SUCCESS) {
        context_ = VA_INVALID_ID;
        return false;
    }
    return true;
}

// A surface whose frame nobody needs any more, or a new one.
VASurfaceID Client::surfaceFor(size_t frame, size_t picture) {
    for (size_t i = 0; i < all_.size(); i++) {
        const size_t held = holds_[i];
        if (held != nothing && (lastUse_[held] >= picture || unread_.count(held)))
            continue;
        holds_[i] = frame;
        return all_[i];
    }
    VASurfaceID surface = VA_INVALID_SURFACE;
    if (CALL(vaCreateSurfaces, display_, VA_RT_FORMAT_YUV420, recording_.width, recording_.height, &surface, 1, nullptr,
             0) != VA_STATUS_SUCCESS)
        return VA_INVALID_SURFACE;
    all_.push_back(surface);
    holds_.push_back(frame);
    return surface;
}

void Client::play(size_t pictures, size_t rebuildAt) {
    pictures = std::min(pictures, recording_.pictureCount);
    if (pictures < recording_.pictureCount && recording_.isSecondField(pictures))
        pictures++;
    refused_.clear();
    lost_.clear();
    unread_.clear();
    std::ranges::fill(holds_, nothing);
    std::ranges::fill(ofFrame_, VA_INVALID_SURFACE);
    for (size_t picture = 0; picture < pictures; picture++) {
        const size_t frame = recording_.frameOf(picture);
        if (picture >= rebuildAt && recording_.tellsItsStream(picture)) {
            rebuildAt = nothing;
            closeContext();
            open();
        }
        if (!recording_.isSecondField(picture)) {
            played_++;
            while (unread_.size() >= inFlight_)
                finish(*unread_.begin());
            ofFrame_[frame] = surfaceFor(frame, picture);
            unread_.insert(frame);
        }
        submit(picture);
    }
    while (!unread_.empty())
        finish(*unread_.begin());
}

void Client::submit(size_t index) {
    if (watcher_)
        watcher_(Step::Picture, index);
    const size_t frame = recording_.frameOf(index);
    const auto references = recording_.references(index);
    bool told = std::ranges::none_of(references, [&](size_t of) { return lost_.count(of); }) &&
                ofFrame_[frame] != VA_INVALID_SURFACE;
    std::vector<VABufferID> buffers;
    const auto create = [&](VABufferType type, const va_suite::Bytes& bytes, unsigned elements) {
        VABufferID id = VA_INVALID_ID;
        if (bytes.empty())
            return;
        if (CALL(vaCreateBuffer, display_, context_, type, static_cast<unsigned>(bytes.size()) / elements, elements,
                 const_cast<uint8_t*>(bytes.data()), &id) == VA_STATUS_SUCCESS)
            buffers.push_back(id);
        else
            told = false;
    };
    const va_suite::Picture picture = recording_.picture(index, ofFrame_);
    told &= CALL(vaBeginPicture, display_, context_, ofFrame_[frame]) == VA_STATUS_SUCCESS;
    create(VAPictureParameterBufferType, picture.parameters, 1);
    create(VAIQMatrixBufferType, picture.iqMatrix, 1);
    create(VAProbabilityBufferType, picture.probabilities, 1);
    for (const auto& slice : picture.slices) {
        create(VASliceParameterBufferType, slice.parameters, slice.elements);
        create(VASliceDataBufferType, slice.data, 1);
    }
    told &= CALL(vaRenderPicture, display_, context_, buffers.data(), static_cast<int>(buffers.size())) ==
            VA_STATUS_SUCCESS;
    if (watcher_)
        watcher_(Step::End, index);
    if (CALL(vaEndPicture, display_, context_) != VA_STATUS_SUCCESS)
        refused_.insert(frame);
    if (!told)
        lost_.insert(frame);
    // Between two fields, now and then: the device gives back what it kept for the second.
    VASurfaceStatus status{};
    if (frame % 8 == 6 && index + 1 < recording_.pictureCount && recording_.isSecondField(index + 1))
        CALL(vaQuerySurfaceStatus, display_, ofFrame_[frame], &status);
    for (const VABufferID buffer : buffers)
        CALL(vaDestroyBuffer, display_, buffer);
}

// By vaSyncSurface, or by vaQuerySurfaceError where the picture is shown all the same.
bool Client::isDamaged(VASurfaceID surface) {
    void* errors = nullptr;
    const VAStatus status = vaQuerySurfaceError(display_, surface, VA_STATUS_ERROR_DECODING_ERROR, &errors);
    return status == VA_STATUS_SUCCESS && errors && static_cast<VASurfaceDecodeMBErrors*>(errors)->status != -1;
}

void Client::finish(size_t frame) {
    unread_.erase(frame);
    const VASurfaceID surface = ofFrame_[frame];
    if (surface == VA_INVALID_SURFACE)
        return;
    const std::string name = "frame " + std::to_string(frame);
    const VAStatus synced = CALL(vaSyncSurface, display_, surface);
    VASurfaceStatus status{};
    if (CALL(vaQuerySurfaceStatus, display_, surface, &status) == VA_STATUS_SUCCESS && status != VASurfaceReady &&
        synced != VA_STATUS_ERROR_TIMEDOUT)
        problem(name + " is not ready after a vaSyncSurface that ended with " + vaErrorStr(synced));
    const bool damaged = synced == VA_STATUS_ERROR_DECODING_ERROR || isDamaged(surface);
    if (!faulty_ && (damaged || refused_.count(frame)))
        problem(name + " is damaged without a fault");
    uint32_t crc = 0;
    if (synced != VA_STATUS_SUCCESS || !read(surface, crc))
        return;
    seen_[frame] = crc;
    if (damaged || refused_.count(frame) || lost_.count(frame))
        return;
    good_++;
    if (!expected_.frames.empty() && crc != expected_.frames[frame])
        problem(name + " is called good and is wrong");
}

bool Client::read(VASurfaceID surface, uint32_t& crc) {
    VAImageFormat format{};
    format.fourcc = VA_FOURCC_NV12;
    VAImage image{};
    const unsigned width = expected_.width, height = expected_.height;
    if (CALL(vaCreateImage, display_, &format, static_cast<int>(width), static_cast<int>(height), &image) !=
        VA_STATUS_SUCCESS)
        return false;
    bool got = CALL(vaGetImage, display_, surface, 0, 0, width, height, image.image_id) == VA_STATUS_SUCCESS;
    void* data = nullptr;
    got = got && CALL(vaMapBuffer, display_, image.buf, &data) == VA_STATUS_SUCCESS;
    if (got) {
        const auto* bytes = static_cast<const uint8_t*>(data);
        for (unsigned row = 0; row < height; row++)
            crc = va_suite::crc32(bytes + image.offsets[0] + size_t{row} * image.pitches[0], width, crc);
        for (unsigned row = 0; row < (height + 1) / 2; row++)
            crc = va_suite::crc32(bytes + image.offsets[1] + size_t{row} * image.pitches[1], (width + 1) / 2 * 2, crc);
        CALL(vaUnmapBuffer, display_, image.buf);
    }
    CALL(vaDestroyImage, display_, image.image_id);
    return got;
}

void Client::exportAll() {
    if (watcher_)
        watcher_(Step::Export, 0);
    VASurfaceID fresh = VA_INVALID_SURFACE;
    if (CALL(vaCreateSurfaces, display_, VA_RT_FORMAT_YUV420, recording_.width, recording_.height, &fresh, 1, nullptr,
             0) == VA_STATUS_SUCCESS)
        all_.push_back(fresh), holds_.push_back(nothing);
    for (const VASurfaceID surface : {all_.empty() ? VA_INVALID_SURFACE : all_.front(), fresh}) {
        VADRMPRIMESurfaceDescriptor prime{};
        if (CALL(vaExportSurfaceHandle, display_, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                 VA_EXPORT_SURFACE_SEPARATE_LAYERS | VA_EXPORT_SURFACE_READ_ONLY, &prime) == VA_STATUS_SUCCESS)
            for (unsigned i = 0; i < prime.num_objects; i++)
                ::close(prime.objects[i].fd);
        VAImage image{};
        void* data = nullptr;
        if (CALL(vaDeriveImage, display_, surface, &image) != VA_STATUS_SUCCESS)
            continue;
        if (CALL(vaMapBuffer, display_, image.buf, &data) == VA_STATUS_SUCCESS)
            CALL(vaUnmapBuffer, display_, image.buf);
        CALL(vaDestroyImage, display_, image.image_id);
    }
}

void Client::closeContext() {
    if (context_ != VA_INVALID_ID)
        CALL(vaDestroyContext, display_, context_);
    context_ = VA_INVALID_ID;
}

void Client::destroySurfaces() {
    if (!all_.empty())
        CALL(vaDestroySurfaces, display_, all_.data(), static_cast<int>(all_.size()));
    all_.clear();
    holds_.clear();
}

void Client::close() {
    if (!display_)
        return;
    if (watcher_)
        watcher_(Step::Destroy, 0);
    closeContext();
    destroySurfaces();
    if (config_ != VA_INVALID_ID)
        CALL(vaDestroyConfig, display_, config_);
    config_ = VA_INVALID_ID;
    if (!shared_) {
        CALL(vaTerminate, display_);
        ::close(drm_);
    }
    display_ = nullptr;
}

Expected readExpected(const std::string& path, std::set<uint32_t>& frames) {
    std::ifstream file(path);
    Expected expected;
    file >> expected.width >> expected.height >> std::hex;
    for (uint32_t crc; file >> crc;)
        frames.insert(crc);
    return expected;
}

} // namespace campaign
