// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include <sys/types.h>

#include "decode/frame_memory.h"
#include "decode/observer.h"
#include "os/unique_fd.h"
#include "record/format.h"
#include "util/log.h"

namespace v4l2_request::record {

// What somebody asked for.
struct Wish {
    std::string file;
    bool pixels = false; // the pictures as well, not only their checksums
    bool wait = false;   // rather slow down than leave out a checksum
};

// From V4L2_REQUEST_RECORD and V4L2_REQUEST_RECORD_OPTIONS ("pictures,wait"); nothing where the first is not set, or
// the process has privileges.
std::optional<Wish> wishOfEnvironment();

// Writes a recording (docs/recording.md). A thread of its own reads the pictures and writes the file; what waits for it
// is bounded. The file is made with the first session: those who only look leave none. Whatever fails ends the
// recording, and nothing else.
class Recorder final : public decode::Observer {
public:
    // `about`: the text for the start of the file.
    Recorder(Wish wish, std::string about, const Log& log);
    ~Recorder() override;

    void beforePicture() noexcept override;
    uint32_t opened(const decode::Decoder& decoder, const decode::StreamFormat& wanted,
                    const decode::NegotiatedFormat& formats, size_t bitstream) noexcept override;
    void queued(uint32_t session, const decode::Work& work) noexcept override;
    void ended(uint32_t session, const decode::Work& work, bool lost) noexcept override;
    void closed(uint32_t session) noexcept override;

private:
    // What is to be written: a record, and perhaps a picture whose checksum follows it.
    struct Item {
        std::function<Blob()> encode;
        size_t bytes; // that it keeps, roughly
        std::optional<decode::FrameMemory::Reading> reading{};
        Checksum checksum{};
        bool picture = false; // a checksum follows, or the reason why there is none
    };
    struct Size {
        uint32_t width, height;
    };

    bool start();
    void run();
    void writeAll();
    std::optional<Item> next();
    template <typename Record>
    void push(Record record, size_t bytes);
    void push(Item item);
    bool write(const Item& item);
    void readPicture(const Item& item, Blob& to) const;
    bool append(const Blob& bytes);
    void giveUp(const std::string& why) noexcept;
    uint64_t now() const;

    const Wish wish_;
    const std::string about_;
    const Log& log_;
    const pid_t process_;
    const std::chrono::steady_clock::time_point begin_;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Item> items_;
    size_t bytes_ = 0;      // that they keep
    unsigned pictures_ = 0; // among them, and the one that is being read
    bool tooSlow_ = false;
    bool ending_ = false;
    bool dead_ = false; // nothing more is recorded
    uint32_t sessions_ = 0;
    std::map<uint32_t, Size> sizes_;
    std::set<std::pair<uint32_t, uint64_t>> halves_; // pictures of which the second field is still to come

    // The thread's own.
    std::thread thread_;
    os::UniqueFd file_;
    off_t written_ = 0;
};

} // namespace v4l2_request::record
