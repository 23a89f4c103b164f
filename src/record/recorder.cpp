// SPDX-License-Identifier: MIT
#include "record/recorder.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

#include "decode/work.h"
#include "record/pixels.h"

namespace v4l2_request::record {

namespace {

constexpr size_t mostBytes = size_t{64} << 20; // of jobs that wait to be written
constexpr unsigned mostPictures = 4;           // that wait to be read: their memory is kept meanwhile
constexpr unsigned mostFiles = 100;            // of one name

bool has(std::string_view options, std::string_view name) {
    while (!options.empty()) {
        const size_t end = std::min(options.find(','), options.size());
        if (options.substr(0, end) == name)
            return true;
        options.remove_prefix(std::min(end + 1, options.size()));
    }
    return false;
}

// A file that was not there: FILE, FILE.1, FILE.2 ... Nothing is overwritten, and no link is followed.
os::UniqueFd create(const std::string& wanted, std::string& name) {
    for (unsigned i = 0; i < mostFiles; i++) {
        name = i ? wanted + "." + std::to_string(i) : wanted;
        os::UniqueFd file(::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
        if (file.valid() || errno != EEXIST)
            return file;
    }
    return {};
}

QueueFormat describe(const v4l2::Format& format) {
    QueueFormat result{
        .fourcc = format.fourcc, .width = format.width, .height = format.height, .sizeimage = {}, .bytesperline = {}};
    for (uint32_t i = 0; i < format.planeCount; i++) {
        result.sizeimage.push_back(format.planes[i].sizeimage);
        result.bytesperline.push_back(format.planes[i].bytesperline);
    }
    return result;
}

Job describe(const codec::Job& job) {
    Job result;
    for (const ControlBatch::Entry& entry : job.controls.entries()) {
        const auto payload = job.controls.payload(entry);
        const auto* bytes = reinterpret_cast<const uint8_t*>(payload.data());
        result.controls.push_back({entry.id, Blob(bytes, bytes + payload.size())});
    }
    result.bitstream.reserve(job.bitstream.size());
    for (const codec::Bytes piece : job.bitstream.pieces())
        result.bitstream.insert(result.bitstream.end(), piece.begin(), piece.end());
    return result;
}

} // namespace

std::optional<Wish> wishOfEnvironment() {
    // secure_getenv: a privileged process must not be made to write to a file of somebody else's choice.
    const char* file = ::secure_getenv("V4L2_REQUEST_RECORD");
    if (!file || !*file)
        return std::nullopt;
    const char* options = ::secure_getenv("V4L2_REQUEST_RECORD_OPTIONS");
    const std::string_view words = options ? options : "";
    return Wish{.file = file, .pixels = has(words, "pictures"), .wait = has(words, "wait")};
}

Recorder::Recorder(Wish wish, std::string about, const Log& log)
    : wish_(std::move(wish)), about_(std::move(about)), log_(log), process_(::getpid()),
      begin_(std::chrono::steady_clock::now()) {}

Recorder::~Recorder() {
    if (!thread_.joinable())
        return;
    if (process_ != ::getpid()) { // a fork, where the thread is not
        thread_.detach();
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

uint64_t Recorder::now() const {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - begin_).count());
}

// -------------------------------------------------------------------------------------------------- seen by sessions

void Recorder::beforePicture() noexcept {
    if (!wish_.wait)
        return;
    try {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return dead_ || (pictures_ < mostPictures && bytes_ < mostBytes / 2); });
    } catch (...) { // not waited for
    }
}

uint32_t Recorder::opened(const decode::Decoder& decoder, const decode::StreamFormat& wanted,
                          const decode::NegotiatedFormat& formats, size_t bitstream) noexcept {
    uint32_t number = 0;
    try {
        {
            const std::lock_guard lock(mutex_);
            number = ++sessions_;
            if (dead_ || (!thread_.joinable() && !start()))
                return number;
            sizes_[number] = {wanted.width, wanted.height};
        }
        Opened record{.session = number,
                      .time = now(),
                      .driver = decoder.node.driver,
                      .model = decoder.node.model,
                      .codec = decoder.codec->fourcc,
                      .width = wanted.width,
                      .height = wanted.height,
                      .bitDepth = wanted.bitDepth,
                      .sequence = {},
                      .frameWidth = wanted.frameWidth,
                      .frameHeight = wanted.frameHeight,
                      .pitch = wanted.pitch,
                      .firstBitstream = static_cast<uint32_t>(bitstream),
                      .output = describe(formats.output),
                      .capture = describe(formats.capture)};
        const auto* sequence = reinterpret_cast<const uint8_t*>(wanted.sequence.data());
        record.sequence.assign(sequence, sequence + wanted.sequence.size());
        push(std::move(record), wanted.sequence.size());
    } catch (...) {
        giveUp("no memory");
    }
    return number;
}

void Recorder::queued(uint32_t session, const decode::Work& work) noexcept {
    try {
        {
            const std::lock_guard lock(mutex_);
            if (dead_)
                return;
            const auto half = std::pair(session, work.target->timestamp());
            work.firstField ? void(halves_.insert(half)) : void(halves_.erase(half));
        }
        Queued record{.session = session,
                      .picture = work.target->timestamp(),
                      .time = now(),
                      .flags = (work.firstField ? Queued::firstField : 0) |
                               (work.secondField ? Queued::secondField : 0) | (work.damaged ? Queued::damaged : 0),
                      .damageLasts = work.damageLasts,
                      .references = {},
                      .jobs = {}};
        for (const decode::Reference& reference : work.references)
            record.references.push_back(
                {reference.frame->timestamp(),
                 (reference.read ? Reference::read : 0) | (reference.predictedFrom ? Reference::predictedFrom : 0)});
        size_t bytes = 0;
        for (const codec::Job& job : work.jobs) {
            record.jobs.push_back(describe(job));
            bytes += job.bitstream.size() + 4096;
        }
        push(std::move(record), bytes);
    } catch (...) {
        giveUp("no memory");
    }
}

void Recorder::ended(uint32_t session, const decode::Work& work, bool lost) noexcept {
    try {
        Item item{.encode = {}, .bytes = sizeof(Ended)};
        Ended record{.session = session,
                     .picture = work.target->timestamp(),
                     .time = now(),
                     .flags = (work.damaged ? Ended::error : 0) | (work.target->damaged() ? Ended::damaged : 0) |
                              (lost ? Ended::lost : 0)};
        {
            const std::lock_guard lock(mutex_);
            if (dead_)
                return;
            const bool half = halves_.contains({session, record.picture});
            record.flags |= half ? Ended::half : 0;
            item.picture = !half && !lost;
            if (item.picture) {
                const Size size = sizes_[session];
                const Layout& layout = work.target->memory()->layout();
                item.checksum = {.session = session,
                                 .picture = record.picture,
                                 .fourcc = findByVa(layout.format->va)->drm,
                                 .width = std::min(size.width, layout.width),
                                 .height = std::min(size.height, layout.height)};
                if (wish_.wait || pictures_ < mostPictures)
                    pictures_++, item.reading.emplace(work.target->memory());
                else
                    item.checksum.why = Checksum::busy;
            }
        }
        item.encode = [record] { return encode(record); };
        push(std::move(item));
    } catch (...) {
        giveUp("no memory");
    }
}

void Recorder::closed(uint32_t session) noexcept {
    try {
        {
            const std::lock_guard lock(mutex_);
            sizes_.erase(session);
            std::erase_if(halves_, [&](const auto& half) { return half.first == session; });
        }
        push(Closed{.session = session, .time = now()}, 0);
    } catch (...) {
        giveUp("no memory");
    }
}

template <typename Record>
void Recorder::push(Record record, size_t bytes) {
    auto kept = std::make_shared<Record>(std::move(record)); // std::function wants what can be copied
    push({.encode = [kept] { return encode(*kept); }, .bytes = bytes + sizeof(Record)});
}

void Recorder::push(Item item) {
    const std::lock_guard lock(mutex_);
    if (dead_)
        return;
    if (bytes_ + item.bytes > mostBytes && !wish_.wait) {
        tooSlow_ = true;
        dead_ = true;
    } else {
        bytes_ += item.bytes;
        items_.push_back(std::move(item));
    }
    changed_.notify_all();
}

// With whatever lock its caller has. What waits is freed by the thread.
void Recorder::giveUp(const std::string& why) noexcept {
    try {
        log_.info("the recording ends: " + why);
    } catch (...) { // a line less
    }
    try {
        const std::lock_guard lock(mutex_);
        dead_ = true;
    } catch (...) { // it goes on with a gap, which its reader notices
    }
    changed_.notify_all();
}

// -------------------------------------------------------------------------------------------------- the thread

// The client's signals are not for this thread.
bool Recorder::start() {
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
        thread_ = std::thread([this] { run(); });
    } catch (...) {
        dead_ = true;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return !dead_;
}

// Whatever ends it, nobody waits for it any more, and no memory is kept from the decoder.
void Recorder::run() {
    try {
        writeAll();
    } catch (...) {
        giveUp("no memory");
    }
    std::deque<Item> rest; // ends outside the lock
    const std::lock_guard lock(mutex_);
    dead_ = true;
    items_.swap(rest);
    changed_.notify_all();
}

void Recorder::writeAll() {
    std::string name;
    file_ = create(wish_.file, name);
    if (!file_.valid())
        return giveUp(strprintf("%s: %s", name.c_str(), std::strerror(errno)));
    log_.info("recording to " + name);
    if (!append(encodeHead()) || !append(encode(About{about_})))
        return;
    while (const auto item = next()) {
        const bool good = write(*item);
        const std::lock_guard lock(mutex_);
        bytes_ -= item->bytes;
        pictures_ -= item->reading.has_value();
        changed_.notify_all();
        if (!good)
            return;
    }
    bool tooSlow = false;
    {
        const std::lock_guard lock(mutex_);
        tooSlow = tooSlow_;
        if (dead_ && !tooSlow)
            return; // something is missing
    }
    if (tooSlow)
        log_.info("the recording ends: the file takes less than there is to be written");
    (void)append(encode(End{tooSlow ? End::tooSlow : End::complete}));
}

// Waits for what is to be written; nothing: that was all.
std::optional<Recorder::Item> Recorder::next() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !items_.empty() || ending_ || dead_; });
    if (items_.empty())
        return std::nullopt;
    std::optional<Item> item(std::move(items_.front()));
    items_.pop_front();
    return item;
}

bool Recorder::write(const Item& item) {
    if (!append(item.encode()))
        return false;
    if (!item.picture)
        return true;
    Checksum checksum = item.checksum;
    Blob pixels;
    if (item.reading) {
        readPicture(item, pixels);
        checksum.why = pixels.empty() ? Checksum::unreadable : 0;
        checksum.xxh64 = xxh64(pixels);
    }
    if (!append(encode(checksum)))
        return false;
    return !wish_.pixels || pixels.empty() ||
           append(encode(Pixels{checksum.session, checksum.picture, std::move(pixels)}));
}

// Whole planes behind one another, without padding. Empty if that is not possible.
void Recorder::readPicture(const Item& item, Blob& to) const {
    const auto view = decode::FrameMemory::view(item.reading->memory(), decode::FrameMemory::Access::Read);
    if (view)
        to = tightPixels(view->bytes(), view->layout(), item.checksum.width, item.checksum.height);
}

bool Recorder::append(const Blob& bytes) {
    for (size_t done = 0; done < bytes.size();) {
        const ssize_t count = ::write(file_.get(), bytes.data() + done, bytes.size() - done);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            const std::string why = std::strerror(errno);
            [[maybe_unused]] const int cut = ::ftruncate(file_.get(), written_); // to whole records
            giveUp(why);
            return false;
        }
        done += static_cast<size_t>(count);
    }
    written_ += static_cast<off_t>(bytes.size());
    return true;
}

} // namespace v4l2_request::record
