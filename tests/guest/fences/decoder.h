// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <linux/videodev2.h>

#include "system.h"

namespace fences {

// A decoder node and what it takes: the first one of the machine that takes MPEG-2, or else H.264.
struct Node {
    std::string video, media; // paths
    std::string driver;
    uint32_t fourcc;
    bool multiplanar;
};
std::vector<Node> findNodes();

// One open file of a node, with a stream of gray pictures of 64x64. Every call into the kernel is as bare as a client
// can make it.
class Decoder {
public:
    enum class Memory { Own, Imported };

    explicit Decoder(const Node& node, Memory memory = Memory::Own);
    ~Decoder();
    Decoder(const Decoder&) = delete;
    Decoder& operator=(const Decoder&) = delete;

    static constexpr unsigned buffers = 4;

    bool claimsFences() const { return claimsFences_; }
    bool holds() const { return holds_; }
    unsigned planes() const { return planes_; }

    // A new dma-buf of a CAPTURE buffer of our own.
    Fd exportBuffer(unsigned index, unsigned plane = 0) const;

    void queueCapture(unsigned index, int dmaBuf = -1);
    // A job for the oldest CAPTURE buffer that has none. picture: its timestamp.
    void submit(unsigned index, unsigned picture, bool hold = false);
    void queuePicture(unsigned index, int dmaBuf = -1) {
        queueCapture(index, dmaBuf);
        submit(index, index + 1);
    }

    struct Done {
        unsigned index;
        bool error;
        int64_t time; // when it had been dequeued, ns
    };
    // Throws Failure if there is nothing in that time.
    Done dequeueCapture(int timeoutMs);
    void dequeueOutput(int timeoutMs);
    bool isReady(bool output, int timeoutMs); // to be dequeued

    void streamOff(bool output);
    void streamOn(bool output);
    void close();

private:
    struct Buffer {
        v4l2_buffer buffer;
        v4l2_plane planes[VIDEO_MAX_PLANES];
    };

    uint32_t type(bool output) const;
    void describe(Buffer& buffer, bool output, unsigned index) const;
    void setFormats();
    void request(bool output, uint32_t memory);
    void fillOutput(unsigned index);
    void setControls(int request);
    unsigned dequeue(bool output, int timeoutMs, bool& error);

    Node node_;
    Memory memory_;
    Fd video_, media_;
    Fd requests_[buffers];
    uint32_t captureSize_[VIDEO_MAX_PLANES] = {};
    uint32_t outputSize_ = 0;
    uint32_t payload_ = 0;
    unsigned planes_ = 1;
    bool claimsFences_ = false;
    bool holds_ = false;
};

} // namespace fences
