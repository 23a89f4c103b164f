// SPDX-License-Identifier: MIT
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>

#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <poll.h>
#include <unistd.h>

#include "core/device.h"
#include "core/dispatcher.h"

namespace daedalus {
namespace {

struct Options {
    std::string device = "/dev/daedalus";
    std::string readyFile;
    bool verbose = false;
    Knobs knobs;
};

void usage(std::FILE* out) {
    std::fputs("usage: daedalusd [--device PATH] [--ready-file PATH] [--verbose]\n"
               "                 [--hang-after N] [--die-after N] [--fail-every N] [--delay-ms N]\n"
               "                 [--pause-after N MS] [--late-ms N] [--lose-every N]\n"
               "Decodes what the kernel module daedalus_v4l2 hands out, from the V4L2 controls of each job.\n"
               "  --device PATH      the node of the module (/dev/daedalus)\n"
               "  --ready-file PATH  created once jobs can be taken\n"
               "  --verbose          a line per job on stderr\n"
               "For tests:\n"
               "  --hang-after N     take no job after the first N\n"
               "  --die-after N      exit at job N + 1, without completing it\n"
               "  --fail-every N     complete every Nth job with EIO\n"
               "  --delay-ms N       wait before each completion\n"
               "  --pause-after N MS wait MS once, before job N + 1 is taken\n"
               "  --late-ms N        wait before a picture is written\n"
               "  --lose-every N     complete every Nth job as decoded, without having written a picture\n",
               out);
}

bool parseNumber(const char* text, uint64_t& value) {
    const char* end = text + std::strlen(text);
    const auto [last, error] = std::from_chars(text, end, value);
    return error == std::errc() && last == end;
}

/// The exit status, or -1 to go on.
int parseOptions(int argc, char** argv, Options& options) {
    enum {
        Device = 256,
        ReadyFile,
        Verbose,
        HangAfter,
        DieAfter,
        FailEvery,
        DelayMs,
        PauseAfter,
        LateMs,
        LoseEvery,
        Help
    };
    static const option known[] = {{"device", required_argument, nullptr, Device},
                                   {"ready-file", required_argument, nullptr, ReadyFile},
                                   {"verbose", no_argument, nullptr, Verbose},
                                   {"hang-after", required_argument, nullptr, HangAfter},
                                   {"die-after", required_argument, nullptr, DieAfter},
                                   {"fail-every", required_argument, nullptr, FailEvery},
                                   {"delay-ms", required_argument, nullptr, DelayMs},
                                   {"pause-after", required_argument, nullptr, PauseAfter},
                                   {"late-ms", required_argument, nullptr, LateMs},
                                   {"lose-every", required_argument, nullptr, LoseEvery},
                                   {"help", no_argument, nullptr, Help},
                                   {}};
    int choice;
    while ((choice = getopt_long(argc, argv, "", known, nullptr)) != -1) {
        bool good = true;
        switch (choice) {
        case Device: options.device = optarg; break;
        case ReadyFile: options.readyFile = optarg; break;
        case Verbose: options.verbose = true; break;
        case HangAfter: good = parseNumber(optarg, options.knobs.hangAfter); break;
        case DieAfter: good = parseNumber(optarg, options.knobs.dieAfter); break;
        case FailEvery: good = parseNumber(optarg, options.knobs.failEvery); break;
        case DelayMs: good = parseNumber(optarg, options.knobs.delayMs); break;
        case PauseAfter: // the one option with two arguments
            good = parseNumber(optarg, options.knobs.pauseAfter) && optind < argc &&
                   parseNumber(argv[optind++], options.knobs.pauseMs);
            break;
        case LateMs: good = parseNumber(optarg, options.knobs.lateMs); break;
        case LoseEvery: good = parseNumber(optarg, options.knobs.loseEvery); break;
        case Help: usage(stdout); return 0;
        default: good = false;
        }
        if (!good) {
            usage(stderr);
            return 2;
        }
    }
    if (optind != argc) {
        usage(stderr);
        return 2;
    }
    return -1;
}

/// What one picture needed the next one needs as well: memory that goes back to the kernel costs a page fault each time
/// it comes again, which is most of the time of a picture of thousands of slices where page faults are dear.
void keepMemory() {
    ::mallopt(M_MMAP_THRESHOLD, 32 << 20); // the most that there can be
    ::mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

class Daemon {
public:
    Daemon(Device& device, const Options& options)
        : device_(device), options_(options), dispatcher_(device, options.knobs) {}

    /// Serves the device until it fails; the exit status.
    int serve() {
        while (true) {
            auto bytes = device_.read();
            if (!bytes) {
                if (bytes.error().code == EINTR || bytes.error().code == EAGAIN) {
                    pollfd wait{device_.fd(), POLLIN, 0};
                    ::poll(&wait, 1, -1);
                    continue;
                }
                std::fprintf(stderr, "daedalusd: %s\n", bytes.error().message.c_str());
                return 1;
            }
            if (bytes->empty())
                return 0; // The module goes away.
            auto message = parseMessage(*bytes);
            if (!message) {
                std::fprintf(stderr, "daedalusd: %s\n", message.error().message.c_str());
                rejectUnreadable(*bytes);
                continue;
            }
            if (const auto* job = std::get_if<Job>(&*message)) {
                run(*job);
            } else if (const auto* finish = std::get_if<Finish>(&*message)) {
                run(*finish);
            } else if (const auto* instance = std::get_if<InstanceGone>(&*message)) {
                dispatcher_.instanceGone(instance->instance);
            } else if (const auto* buffer = std::get_if<BufferGone>(&*message)) {
                dispatcher_.bufferGone(buffer->cookie);
                device_.dropBuffer(buffer->cookie);
            }
        }
    }

private:
    void run(const Job& job) {
        const Knobs& knobs = options_.knobs;
        ++jobs_;
        if (knobs.dieAfter && jobs_ > knobs.dieAfter) {
            std::fprintf(stderr, "daedalusd: dies at job %llu, as told\n", static_cast<unsigned long long>(jobs_));
            std::_Exit(3);
        }
        if (knobs.hangAfter && jobs_ > knobs.hangAfter) {
            std::fprintf(stderr, "daedalusd: hangs at job %llu, as told\n", static_cast<unsigned long long>(jobs_));
            while (true)
                ::pause();
        }
        if (knobs.pauseAfter && jobs_ == knobs.pauseAfter + 1)
            std::this_thread::sleep_for(std::chrono::milliseconds(knobs.pauseMs));
        const auto begin = std::chrono::steady_clock::now();
        Result<void> done = dispatcher_.run(job);
        if (done && knobs.failEvery && jobs_ % knobs.failEvery == 0)
            done = fail(EIO, "fails, as told");
        const auto spent =
            std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begin).count();
        if (knobs.delayMs)
            std::this_thread::sleep_for(std::chrono::milliseconds(knobs.delayMs));

        const int error = done ? 0 : done.error().code > 0 ? done.error().code : EIO;
        if (options_.verbose || error)
            std::fprintf(stderr, "daedalusd: job %llu, instance %llu, %s, timestamp %llu, %u bytes: %s%s (%lld us)\n",
                         static_cast<unsigned long long>(job.id()),
                         static_cast<unsigned long long>(job.header.instance), fourccName(job.header.codec).c_str(),
                         static_cast<unsigned long long>(job.timestamp()), job.header.output.bytes,
                         error ? "ERROR: " : "ok", error ? done.error().message.c_str() : "",
                         static_cast<long long>(spent));
        complete(job.id(), error);
    }

    void run(const Finish& finish) {
        const Result<void> done = dispatcher_.finish(finish);
        if (!done)
            std::fprintf(stderr, "daedalusd: a held picture, instance %llu: ERROR: %s\n",
                         static_cast<unsigned long long>(finish.instance), done.error().message.c_str());
        complete(finish.id, done ? 0 : EIO);
    }

    void complete(uint64_t job, int error) {
        // A job that the module gave up meanwhile (STREAMOFF, close) cannot be completed any more: no fault of ours.
        if (auto written = device_.complete(job, error); !written && options_.verbose)
            std::fprintf(stderr, "daedalusd: %s\n", written.error().message.c_str());
    }

    /// A job that cannot be parsed must still not hang its client.
    void rejectUnreadable(std::span<const uint8_t> bytes) {
        daedalus_header header{};
        if (bytes.size() < sizeof(header))
            return;
        std::memcpy(&header, bytes.data(), sizeof(header));
        if (header.type == DAEDALUS_MESSAGE_JOB || header.type == DAEDALUS_MESSAGE_FINISH)
            complete(header.cookie, EBADMSG);
    }

    Device& device_;
    const Options& options_;
    Dispatcher dispatcher_;
    uint64_t jobs_ = 0;
};

int run(int argc, char** argv) {
    Options options;
    if (const int status = parseOptions(argc, argv, options); status >= 0)
        return status;
    std::signal(SIGPIPE, SIG_IGN);
    keepMemory();
    auto device = Device::open(options.device);
    if (!device) {
        std::fprintf(stderr, "daedalusd: %s\n", device.error().message.c_str());
        return 1;
    }
    if (!options.readyFile.empty()) {
        const UniqueFd ready(::open(options.readyFile.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
        if (!ready) {
            std::fprintf(stderr, "daedalusd: cannot create %s: %s\n", options.readyFile.c_str(), std::strerror(errno));
            return 1;
        }
    }
    return Daemon(*device, options).serve();
}

} // namespace
} // namespace daedalus

int main(int argc, char** argv) {
    return daedalus::run(argc, argv);
}
