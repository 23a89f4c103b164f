// SPDX-License-Identifier: MIT
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "decode/session.h"
#include "record/recording.h"
#include "tools/replay/controls.h"

namespace v4l2_request::tools {

// Plays a recording on the decoders of this machine: the same jobs, in the same order, with as many pictures in flight.
class Player {
public:
    struct Options {
        std::vector<ControlTable::Change> changes;
        std::string device;   // /dev/video*; empty: the best one
        std::string pictures; // a folder for pictures that differ; empty: none
        bool compare = true;
    };
    struct Result {
        size_t jobs = 0, pictures = 0, equal = 0, different = 0;
        size_t unknown = 0; // the recording has no checksum of them
        size_t refused = 0; // the device takes their jobs not
        bool good() const { return !different && !refused; }
    };

    // Both must outlive the player.
    Player(const record::Recording& recording, const decode::ProbeReport& machine, Options options);
    Result play();

private:
    // A picture as the recording names it.
    using Name = std::pair<uint32_t, uint64_t>; // session, timestamp
    struct Known {
        const record::Checksum* checksum = nullptr;
        const record::Pixels* pixels = nullptr;
        const record::Ended* ended = nullptr;
        size_t lastUse = 0; // the event
        size_t firstJob = 0;
    };
    struct Playing {
        const decode::Decoder* decoder = nullptr;
        std::shared_ptr<decode::Session> session;
        std::map<uint64_t, std::shared_ptr<decode::Frame>> frames;
        uint32_t width = 0, height = 0;
    };

    void play(const record::Opened& opened);
    void play(const record::Queued& queued);
    void play(const record::Ended& ended);
    void play(const record::Closed& closed);
    void play(const record::Checksum&) {}
    void play(const record::Pixels&) {}
    const decode::Decoder* choose(uint32_t codec) const;
    codec::Job makeJob(const record::Job& from, const decode::Decoder& decoder);
    void forget(Playing& playing, uint32_t session);
    void check(const Name& name, const Known& known, const Playing& playing);
    void refuse(const record::Queued& queued, const std::string& why);

    const record::Recording& recording_;
    const decode::ProbeReport& machine_;
    const Options options_;
    const Log log_;
    std::map<Name, Known> known_;
    std::map<uint32_t, Playing> playing_;
    Result result_;
    size_t event_ = 0;
    std::map<uint32_t, bool> leftOut_; // controls that the device does not have
};

} // namespace v4l2_request::tools
