// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "va_suite/display.h"
#include "va_suite/recording.h"

namespace campaign {

// What a decoder makes of a stream: the size of its pictures, and a CRC-32 of each frame as tight NV12.
struct Expected {
    unsigned width = 0, height = 0;
    std::vector<uint32_t> frames; // by number of the frame in the recording
};

// The longest that any call may take, whatever the device does: three times what a device may be silent for
// (docs/reliability.md), 15 s if V4L2_REQUEST_TIMEOUT does not say otherwise.
std::chrono::seconds longestCall();

// A client that decodes a recording as players do: few surfaces, used again and again, several pictures in flight, each
// copied out and compared. It goes on after errors. What it finds wrong is in problems().
class Client {
public:
    enum class Step { Initialise, Picture, End, Export, Destroy };
    // Called before each step, with the number of the picture.
    using Watcher = std::function<void(Step, size_t picture)>;

    // On a display of its own, or on one that it shares.
    Client(const va_suite::Recording& recording, const Expected& expected, unsigned inFlight, Watcher watcher = {},
           VADisplay shared = nullptr);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    // While faulty, calls may fail and pictures may be damaged. What is called good has to be right at any time.
    void setFaulty(bool faulty) { faulty_ = faulty; }

    // Makes what is not there: display, config, context.
    bool open();
    // Decodes the first pictures, from the one that needs no other. At one of them, or the next that tells its stream,
    // the context is destroyed and made anew, as FFmpeg does in mid-stream: what follows refers to what came before.
    void play(size_t pictures, size_t rebuildAt = SIZE_MAX);
    // Exports, derives and maps surfaces: one that was decoded into, and a new one.
    void exportAll();
    void closeContext();
    void destroySurfaces();
    void close();

    VADisplay display() const { return display_; }
    const std::vector<std::string>& problems() const { return problems_; }
    const std::vector<std::string>& late() const { return late_; } // calls that took too long
    // CRCs of the frames that were read, by number; of a device without faults they are what is expected.
    const std::vector<uint32_t>& seen() const { return seen_; }
    size_t good() const { return good_; }
    size_t played() const { return played_; } // frames, of which good() were right

private:
    template <typename Function>
    VAStatus call(const char* name, Function function);
    void problem(const std::string& what);
    VASurfaceID surfaceFor(size_t frame, size_t picture);
    void submit(size_t picture);
    void finish(size_t frame);
    bool isDamaged(VASurfaceID surface);
    bool read(VASurfaceID surface, uint32_t& crc);

    const va_suite::Recording& recording_;
    const Expected& expected_;
    const unsigned inFlight_;
    const Watcher watcher_;
    const VADisplay shared_;
    bool faulty_ = false;
    std::vector<size_t> lastUse_; // by frame: the last picture that names it

    int drm_ = -1;
    VADisplay display_ = nullptr;
    VAConfigID config_ = VA_INVALID_ID;
    VAContextID context_ = VA_INVALID_ID;
    std::vector<VASurfaceID> all_;
    std::vector<VASurfaceID> ofFrame_; // as the recording wants it
    std::vector<size_t> holds_;        // by surface: the frame that it holds
    std::set<size_t> refused_;         // vaEndPicture failed: the driver knows, and has to remember
    std::set<size_t> lost_;            // an earlier call failed: only the client knows
    std::set<size_t> unread_;
    std::vector<std::string> problems_, late_;
    std::vector<uint32_t> seen_;
    size_t good_ = 0, played_ = 0;
};

// What this process holds.
struct Holdings {
    size_t descriptors = 0, mappings = 0; // of devices and dma-bufs
    static Holdings now();
};

// Reads what recordings.py has written: the size, and the CRCs of the frames that software makes, in any order.
Expected readExpected(const std::string& path, std::set<uint32_t>& frames);

} // namespace campaign
