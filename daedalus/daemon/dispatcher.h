// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "decoder.h"
#include "device.h"

namespace daedalus {

/// What tests can make go wrong. Numbers count jobs from 1; 0: never.
struct Knobs {
    uint64_t hangAfter = 0;  ///< after this many jobs take no more
    uint64_t dieAfter = 0;   ///< after this many jobs exit without completing the next
    uint64_t failEvery = 0;  ///< complete every nth job with EIO
    uint64_t delayMs = 0;    ///< wait before completing each
    uint64_t pauseAfter = 0; ///< after this many jobs wait once,
    uint64_t pauseMs = 0;    ///< so long
    uint64_t lateMs = 0;     ///< wait before writing each picture
    uint64_t loseEvery = 0;  ///< write nothing for every nth job
};

/// Routes jobs to the decoder of their instance and puts pictures into CAPTURE buffers.
class Dispatcher final : private PictureSink {
public:
    explicit Dispatcher(BufferSource& buffers, const Knobs& knobs = {}) : buffers_(buffers), knobs_(knobs) {}

    /// Decodes a job; an error is the errno of its completion and why. Its buffer is written if there is a picture, and
    /// if there is none for lack of references (ENODATA): with grey then, in the place of what hardware would predict.
    Result<void> run(const Job& job);
    Result<void> finish(const Finish& finish);
    void instanceGone(uint64_t instance) { decoders_.erase(instance); }
    void bufferGone(uint64_t cookie);

private:
    Result<void> store(const AVFrame& picture, const daedalus_format& format, const daedalus_buffer& capture) override;
    Result<void> decode(const Job& job);
    Result<void> storeGrey(const Job& job);

    struct Instance {
        uint32_t codec = 0;
        std::unique_ptr<Decoder> decoder;
    };
    BufferSource& buffers_;
    Knobs knobs_;
    uint64_t jobs_ = 0;
    bool stored_ = false; ///< a picture, by the job that runs
    bool fenced_ = false; ///< its CAPTURE buffer
    std::map<uint64_t, Instance> decoders_;
};

} // namespace daedalus
