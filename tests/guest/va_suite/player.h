// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <vector>

#include "display.h"
#include "stream.h"

namespace va_suite {

// How the three calls that submit a picture ended. Calls after a failure are made all the same, as FFmpeg does.
struct Outcome {
    VAStatus begin = VA_STATUS_SUCCESS;
    VAStatus render = VA_STATUS_SUCCESS;
    VAStatus end = VA_STATUS_SUCCESS;

    bool ok() const { return begin == VA_STATUS_SUCCESS && render == VA_STATUS_SUCCESS && end == VA_STATUS_SUCCESS; }
};

std::string describe(const Outcome& outcome);

// Whether the driver says that the picture in this surface is damaged, by whichever call: vaSyncSurface fails, or
// vaQuerySurfaceError lists errors of a picture that can be shown all the same. Waits for the picture.
bool isDamaged(VADisplay display, VASurfaceID surface);

// A client that decodes a stream picture by picture, each into a surface of its own.
class Player {
public:
    // Makes config, surfaces and context. The display must outlive the player.
    Player(const Display& display, const Stream& stream);
    // The same with the surfaces given, one more than the stream has pictures; they are the player's from then on.
    Player(const Display& display, const Stream& stream, std::vector<VASurfaceID> surfaces);
    // Destroys what is left of them, if the display is not terminated.
    ~Player();
    Player(const Player&) = delete;
    Player& operator=(const Player&) = delete;

    const Stream& stream() const { return stream_; }
    VAConfigID config() const { return config_; }
    VAContextID context() const { return context_; }
    VASurfaceID surface(size_t index) const { return surfaces_.at(index); }
    // One surface more than the stream has pictures, for what must not disturb them.
    VASurfaceID spare() const { return surfaces_.back(); }
    size_t next() const { return next_; }

    // The buffers of picture `index` of the stream.
    Picture picture(size_t index) const { return stream_.picture(index, surfaces_); }
    // Creates the buffers of a picture in the order of most clients; the player destroys them with clearBuffers().
    std::vector<VABufferID> buffersOf(const Picture& picture);
    VABufferID buffer(VABufferType type, const Bytes& bytes, unsigned elements = 1);
    void clearBuffers();
    // Begin, render, end; the buffers are destroyed right after, as clients do.
    Outcome submit(VASurfaceID target, const Picture& picture);
    Outcome submit(VASurfaceID target, std::vector<VABufferID> buffers);

    // A picture that is not part of the stream may have reached the device; see expectRestIsRight().
    void stray() { strayed_ = true; }
    // The next picture is the first of the stream again.
    void rewind() { next_ = 0; }
    // The surfaces are not the player's any more.
    void disownSurfaces() { surfaces_.clear(); }
    // Submits the next picture of the stream; throws if that fails.
    void playOne();
    void play(size_t count);
    // Decodes what remains and looks at every picture: the context must be as good as new, whatever came before. If a
    // picture that is not part of the stream has reached the device, it starts again from the first picture, which
    // needs no other: a device may go by the order in which pictures come.
    void expectRestIsRight();
    // The surface holds frame `index`: success when synchronised, and the right pixels where the device has them.
    void expectPicture(size_t index);

    void destroyContext();
    void createContext();
    // The player goes on with a context that the test has made.
    void adoptContext(VAContextID context) { context_ = context; }

private:
    const Display& display_;
    const Stream& stream_;
    VAConfigID config_ = VA_INVALID_ID;
    VAContextID context_ = VA_INVALID_ID;
    std::vector<VASurfaceID> surfaces_;
    std::vector<VABufferID> buffers_;
    size_t next_ = 0;
    bool strayed_ = false;
};

} // namespace va_suite
