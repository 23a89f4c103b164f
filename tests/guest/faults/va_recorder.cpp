// SPDX-License-Identifier: MIT
// For LD_PRELOAD into a client of libva: writes down the pictures that it submits, for va_suite/recording.h.
// VA_RECORDING names the file. What the client sees is unchanged.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

#include <dlfcn.h>
#include <va/va.h>

#include "va_suite/recording_format.h"

namespace {

struct Buffer {
    VABufferType type;
    uint32_t size, elements;
    std::vector<uint8_t> bytes;
};

struct Recorder {
    std::mutex mutex;
    std::FILE* file = nullptr;
    std::map<VABufferID, Buffer> buffers;
    std::map<VAConfigID, VAProfile> profiles;
    va_suite::RecordedStream stream{};
    VASurfaceID target = VA_INVALID_SURFACE;
    std::vector<Buffer> picture;

    ~Recorder() {
        if (file)
            std::fclose(file);
    }
    void put(const void* data, size_t size) { std::fwrite(data, 1, size, file); }
} recorder;

template <typename Function>
Function* real(Function*, const char* name) {
    return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}
#define REAL(name) real(&name, #name)

} // namespace

VAStatus vaCreateConfig(VADisplay display, VAProfile profile, VAEntrypoint entrypoint, VAConfigAttrib* attributes,
                        int count, VAConfigID* id) {
    const VAStatus status = REAL(vaCreateConfig)(display, profile, entrypoint, attributes, count, id);
    const std::lock_guard lock(recorder.mutex);
    if (status == VA_STATUS_SUCCESS)
        recorder.profiles[*id] = profile;
    return status;
}

VAStatus vaCreateContext(VADisplay display, VAConfigID config, int width, int height, int flag, VASurfaceID* targets,
                         int count, VAContextID* id) {
    const std::lock_guard lock(recorder.mutex);
    recorder.stream = {.magic = va_suite::recordingMagic,
                       .profile = recorder.profiles[config],
                       .width = static_cast<uint32_t>(width),
                       .height = static_cast<uint32_t>(height)};
    return REAL(vaCreateContext)(display, config, width, height, flag, targets, count, id);
}

VAStatus vaCreateBuffer(VADisplay display, VAContextID context, VABufferType type, unsigned size, unsigned elements,
                        void* data, VABufferID* id) {
    const VAStatus status = REAL(vaCreateBuffer)(display, context, type, size, elements, data, id);
    const std::lock_guard lock(recorder.mutex);
    const auto* bytes = static_cast<const uint8_t*>(data);
    if (status == VA_STATUS_SUCCESS && data)
        recorder.buffers[*id] = {type, size, elements, {bytes, bytes + size_t{size} * elements}};
    return status;
}

VAStatus vaDestroyBuffer(VADisplay display, VABufferID id) {
    const std::lock_guard lock(recorder.mutex);
    recorder.buffers.erase(id);
    return REAL(vaDestroyBuffer)(display, id);
}

VAStatus vaBeginPicture(VADisplay display, VAContextID context, VASurfaceID target) {
    const std::lock_guard lock(recorder.mutex);
    recorder.target = target;
    recorder.picture.clear();
    return REAL(vaBeginPicture)(display, context, target);
}

VAStatus vaRenderPicture(VADisplay display, VAContextID context, VABufferID* ids, int count) {
    const std::lock_guard lock(recorder.mutex);
    for (int i = 0; i < count; i++)
        if (const auto found = recorder.buffers.find(ids[i]); found != recorder.buffers.end())
            recorder.picture.push_back(found->second);
    return REAL(vaRenderPicture)(display, context, ids, count);
}

VAStatus vaEndPicture(VADisplay display, VAContextID context) {
    const std::lock_guard lock(recorder.mutex);
    const char* path = std::getenv("VA_RECORDING");
    if (!recorder.file && path) {
        recorder.file = std::fopen(path, "wb");
        if (recorder.file)
            recorder.put(&recorder.stream, sizeof(recorder.stream));
    }
    if (recorder.file) {
        const va_suite::RecordedPicture picture{recorder.target, static_cast<uint32_t>(recorder.picture.size())};
        recorder.put(&picture, sizeof(picture));
        for (const Buffer& buffer : recorder.picture) {
            const va_suite::RecordedBuffer header{static_cast<uint32_t>(buffer.type), buffer.size, buffer.elements};
            recorder.put(&header, sizeof(header));
            recorder.put(buffer.bytes.data(), buffer.bytes.size());
        }
    }
    return REAL(vaEndPicture)(display, context);
}
