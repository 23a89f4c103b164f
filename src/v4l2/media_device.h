// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "os/unique_fd.h"
#include "util/result.h"

namespace v4l2_request::v4l2 {

// A video decoder as the media topology shows it: the node to queue buffers on and the node to allocate requests from.
struct DecoderNode {
    std::string mediaPath; // /dev/mediaN
    std::string videoPath; // /dev/videoN
    std::string driver;    // kernel driver, for logs only: what a node can do is asked, not derived from its name
    std::string model;
};

// One media device: what it says of itself, and what of it decodes.
struct MediaDevice {
    struct Entity {
        std::string name;
        uint32_t function; // MEDIA_ENT_F_*
        std::vector<std::string> videoPaths;
    };
    std::string path; // /dev/mediaN
    std::string driver;
    std::string model;
    std::string bus;
    uint32_t driverVersion = 0; // KERNEL_VERSION()
    std::vector<Entity> entities;
    std::vector<DecoderNode> decoders; // each video node behind an entity whose function is video decoder
    std::vector<std::string> faults;   // why it, or something of it, cannot be used
};

// "/dev/<prefix>N" in the order of N.
std::vector<std::string> listNodes(const std::string& prefix);

// Walks the topology of every media device, in the order of the device numbers.
std::vector<MediaDevice> findMediaDevices();

// One request of the request API: the controls and the OUTPUT buffer that are applied together. Move only.
class Request {
public:
    // Allocates a request on an open media device (MEDIA_IOC_REQUEST_ALLOC).
    static Result<Request> allocate(int mediaFd);

    int fd() const { return fd_.get(); }
    // MEDIA_REQUEST_IOC_QUEUE: from here on the request belongs to the device until it completes.
    Result<void> queue();
    // MEDIA_REQUEST_IOC_REINIT: fails with Busy while the device still has it.
    Result<void> reinit();

private:
    explicit Request(os::UniqueFd fd) : fd_(std::move(fd)) {}
    os::UniqueFd fd_;
};

} // namespace v4l2_request::v4l2
