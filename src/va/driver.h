// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <tuple>
#include <vector>

#include <va/va.h>

#include "codec/codec.h"
#include "decode/decoder.h"
#include "decode/stream.h"
#include "decode/surface.h"
#include "util/arena.h"
#include "util/log.h"
#include "util/mutex.h"
#include "va/object_table.h"
#include "va/spare_buffers.h"
#include "va/status.h"

namespace v4l2_request::va {

// A profile that a decoder of this machine serves.
struct Config {
    VAProfile profile;
    uint32_t rtFormats;             // that its surfaces can have
    const decode::Decoder& decoder; // of the Driver
};

struct Image {
    VAImage description;
    BufferRef buffer;
};

// What a client sent since vaBeginPicture.
struct Picture {
    Arena memory;
    std::shared_ptr<decode::Surface> target; // null: none was begun
    codec::PictureInput input;
    std::vector<BufferRef> buffers; // keeps alive what input points at
    // Slice parameters and slice data come in buffers of their own, in any order.
    struct SliceParameters {
        codec::Bytes bytes;
        size_t elementSize;
        size_t dataBefore; // buffers of slice data that had come by then
    };
    std::vector<SliceParameters> sliceParameters;
    std::vector<codec::Bytes> sliceData;
    Status failed; // the first buffer that could not be taken: the picture is not submitted

    // Forgets the picture, and keeps the memory for the next.
    void clear();
};

struct Context {
    std::shared_ptr<const Config> config;
    uint32_t width;
    uint32_t height;

    Mutex mutex;
    Picture picture;                        // between vaBeginPicture and vaEndPicture
    std::shared_ptr<decode::Stream> stream; // from the first picture on
    bool submitting = false;                // a vaEndPicture is under way: picture and stream are its own
    bool destroyed = false;
    std::condition_variable_any idle; // nobody is submitting any more

    // No vaEndPicture finds the context any more. Its stream, when the last one is done; null if it had none.
    std::shared_ptr<decode::Stream> close();
};

// How long an entry point may wait: VA_TIMEOUT_INFINITE and all that no clock can count mean for ever.
inline os::Deadline deadlineAfter(uint64_t timeoutNs) {
    const auto longest = static_cast<uint64_t>(std::chrono::nanoseconds::max().count());
    return timeoutNs > longest ? os::Deadline::never() : os::Deadline::after(std::chrono::nanoseconds(timeoutNs));
}

// One VADisplay. Everything that lives as long as it does; the entry points are free functions on it.
struct Driver {
    explicit Driver(Log::Sink sink) : log(std::move(sink)) {}
    // Clients leave contexts behind: waits for what the device still writes.
    void finish();

    // The decoder for pictures of which nothing was decoded yet: this one, or any other that writes the format and
    // whose sizes hold them.
    const decode::Decoder* decoderFor(const PixelFormat& format, uint32_t width, uint32_t height,
                                      const decode::Decoder* expected) const;
    // The same for the memory of a surface. Its decoder is that of the config or context that was made last before the
    // surface; or of the first of all, if the surface was there before. The stream may be of another codec all the
    // same: of those decoders that lay out the picture alike, it is the one that keeps most behind it.
    const decode::Decoder* memoryDecoderFor(const decode::Surface& surface) const;
    // Whether any decoder writes pictures of this format.
    bool writes(const PixelFormat& format) const { return decoderFor(format, 0, 0, nullptr) != nullptr; }
    // A config or context of this decoder was made. Whether it still exists does not count: FFmpeg destroys a config,
    // derives a surface of its pool, and only then makes the config that it uses.
    void noteUse(const decode::Decoder& decoder) {
        const decode::Decoder* none = nullptr;
        firstUsed_.compare_exchange_strong(none, &decoder);
        lastUsed_ = &decoder;
    }
    const decode::Decoder* lastUsed() const { return lastUsed_; }
    // The memory of a surface, allocated now if nothing has needed it before.
    Result<std::shared_ptr<decode::FrameMemory>> memoryOf(decode::Surface& surface) const;
    // The same for the client to keep, if `check` has nothing against its layout: it does not change from then on.
    tl::expected<std::shared_ptr<decode::FrameMemory>, Status>
    promisedMemoryOf(decode::Surface& surface, const std::function<Status(const Layout&)>& check) const;

    // How the memory of a surface of this format and size will be laid out, if a device writes this format as it is.
    std::optional<Layout> surfaceLayout(const PixelFormat& format, uint32_t width, uint32_t height);

    // A stream for the first picture of a context. Clients destroy a context in the middle of a stream and go on in the
    // next; the kernel finds references only within one queue. So the picture decides: it goes on with the stream that
    // a destroyed context left behind if it refers to one of its pictures, and starts from nothing if not.
    std::shared_ptr<decode::Stream> takeStream(const decode::Decoder& decoder, const codec::PictureInput& picture);
    // Keeps the stream of a destroyed context for as long as somebody may refer to its pictures.
    void parkStream(std::shared_ptr<decode::Stream> stream);
    // Surfaces were destroyed: closes parked streams that had no others, and has the rest let go of their memory.
    void dropUnused();

    const Log log;
    std::vector<decode::Decoder> decoders; // fixed after initialisation
    std::string vendor;

    SpareBuffers spareBuffers; // before all that have buffers
    ObjectTable<Config, 1> configs;
    ObjectTable<Context, 2> contexts;
    ObjectTable<decode::Surface, 4> surfaces;
    ObjectTable<Buffer, 8, BufferRef> buffers;
    ObjectTable<Image, 16> images;

private:
    std::atomic<const decode::Decoder*> firstUsed_ = nullptr, lastUsed_ = nullptr; // among the decoders
    mutable Mutex mutex_;
    // How a decoder lays out pictures of this format and size, if it writes the format as it is. Asked once.
    std::optional<Layout> layoutOf(const decode::Decoder& decoder, const PixelFormat& format, uint32_t width,
                                   uint32_t height) const;

    using LayoutQuestion = std::tuple<const decode::Decoder*, const PixelFormat*, uint32_t, uint32_t>;
    mutable std::map<LayoutQuestion, std::optional<Layout>> layouts_; // clients make an image for every picture
    std::mutex choosing_; // of a parked stream: who was not chosen may be asked by one context at a time
    std::vector<std::shared_ptr<decode::Stream>> parked_;
};

} // namespace v4l2_request::va
