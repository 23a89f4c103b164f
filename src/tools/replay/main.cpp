// SPDX-License-Identifier: MIT
// v4l2-request-replay: plays a recording of the driver on a decoder, and looks into it.
#include <cstdio>
#include <cstring>
#include <exception>
#include <fstream>

#include <getopt.h>

#include "record/recorder.h"
#include "tools/replay/diff.h"
#include "tools/replay/player.h"

namespace {

using namespace v4l2_request;

constexpr const char* usage =
    "usage: v4l2-request-replay [OPTION]... FILE\n"
    "\n"
    "Plays a recording of the VA-API driver v4l2_request (V4L2_REQUEST_RECORD) on a stateless\n"
    "decoder of this machine, and compares the pictures.\n"
    "\n"
    "  --device /dev/videoN     on this one\n"
    "  --pictures DIR           a PNG of each picture that differs, beside the recorded one\n"
    "                           (if the recording has pictures)\n"
    "  --mutate [JOB:]FIELD=N   with another value in a field of a control; may be repeated\n"
    "  --record FILE            record what is played\n"
    "  --no-compare             only see that every job is taken\n"
    "\n"
    "Without a device:\n"
    "\n"
    "  --info                   what the driver found on the machine of the recording\n"
    "  --list                   a line for each job\n"
    "  --show JOB               the controls of a job, field by field\n"
    "  --extract JOB=FILE       the bitstream of a job\n"
    "  --diff OTHER             compares two recordings, byte for byte\n"
    "  --jobs-only              for --diff: what went to the device, not what came back\n"
    "\n"
    "Exit status: 0 if all is equal, 1 if not, 2 if it cannot be tried.\n";

struct Options {
    std::string file, record, extract, diff;
    tools::Player::Options player;
    std::optional<size_t> show;
    bool info = false, list = false, jobsOnly = false;
};

int giveUp(const std::string& why) {
    std::fprintf(stderr, "v4l2-request-replay: %s\n", why.c_str());
    return 2;
}

// Every job with its picture.
template <typename Each>
void forEachJob(const record::Recording& recording, Each each) {
    size_t number = 0;
    for (const auto& event : recording.events)
        if (const auto* queued = std::get_if<record::Queued>(&event))
            for (const record::Job& job : queued->jobs)
                each(number++, *queued, job);
}

struct Found {
    const record::Queued* picture = nullptr;
    const record::Job* job = nullptr;
};

Found findJob(const record::Recording& recording, size_t wanted) {
    Found found;
    forEachJob(recording, [&](size_t number, const record::Queued& picture, const record::Job& job) {
        if (number == wanted)
            found = {&picture, &job};
    });
    return found;
}

std::string describe(const record::Queued& picture) {
    std::string text =
        strprintf("session %u, picture %llu, %.3f ms", picture.session,
                  static_cast<unsigned long long>(picture.picture / 1000), static_cast<double>(picture.time) / 1e6);
    if (picture.flags & record::Queued::firstField)
        text += ", first field";
    if (picture.flags & record::Queued::secondField)
        text += ", second field";
    if (picture.flags & record::Queued::damaged)
        text += ", damaged before";
    for (const record::Reference& reference : picture.references)
        text += strprintf("%s%llu%s", &reference == &picture.references.front() ? ", refers to " : " ",
                          static_cast<unsigned long long>(reference.picture / 1000),
                          reference.flags & record::Reference::predictedFrom ? ""
                          : reference.flags & record::Reference::read        ? " (read)"
                                                                             : " (kept)");
    return text;
}

int look(const record::Recording& recording, const Options& options, const tools::ControlTable& table) {
    if (options.info) {
        std::fputs(recording.about.c_str(), stdout);
        for (const auto& event : recording.events)
            if (const auto* opened = std::get_if<record::Opened>(&event))
                std::printf("session %u: %s on %s, coded %ux%u, %u bits, CAPTURE %s %ux%u\n", opened->session,
                            fourccName(opened->codec).c_str(), opened->driver.c_str(), opened->width, opened->height,
                            opened->bitDepth, fourccName(opened->capture.fourcc).c_str(), opened->capture.width,
                            opened->capture.height);
        std::printf("end: %s\n", recording.cut    ? "cut off"
                                 : !recording.end ? "the process ended before"
                                 : recording.end->why == record::End::complete
                                     ? "complete"
                                     : "the file took less than there was to be written");
    }
    if (options.list)
        forEachJob(recording, [&](size_t number, const record::Queued& picture, const record::Job& job) {
            std::printf("job %zu: %s; %zu bytes\n", number, describe(picture).c_str(), job.bitstream.size());
        });
    if (options.show) {
        const Found found = findJob(recording, *options.show);
        if (!found.job)
            return giveUp("there is no such job");
        std::printf("job %zu: %s; %zu bytes\n", *options.show, describe(*found.picture).c_str(),
                    found.job->bitstream.size());
        for (const record::Control& control : found.job->controls)
            std::fputs(table.text(control).c_str(), stdout);
    }
    if (!options.extract.empty()) {
        const size_t equals = options.extract.find('=');
        const Found found = findJob(recording, std::strtoul(options.extract.c_str(), nullptr, 10));
        if (equals == std::string::npos || !found.job)
            return giveUp("--extract takes JOB=FILE, of a job that there is");
        std::ofstream file(options.extract.substr(equals + 1), std::ios::binary);
        file.write(reinterpret_cast<const char*>(found.job->bitstream.data()),
                   static_cast<std::streamsize>(found.job->bitstream.size()));
        if (!file.flush())
            return giveUp(options.extract.substr(equals + 1) + " cannot be written");
    }
    if (!options.diff.empty()) {
        const auto other = record::Recording::load(options.diff);
        if (!other)
            return giveUp(other.error().message);
        return tools::compareRecordings(recording, *other, table, !options.jobsOnly) ? 0 : 1;
    }
    return 0;
}

int replay(const record::Recording& recording, const Options& options) {
    decode::ProbeReport machine = decode::probeDecoders();
    if (machine.decoders.empty())
        return giveUp("there is no stateless decoder here; v4l2-request-info says more");
    const Log log([](Log::Level, const char* line) { std::fputs(line, stderr); });
    if (!options.record.empty()) {
        const auto recorder =
            std::make_shared<record::Recorder>(record::Wish{.file = options.record, .pixels = false, .wait = true},
                                               "played: by v4l2-request-replay\n" + recording.about, log);
        for (decode::Decoder& decoder : machine.decoders)
            decoder.observer = recorder;
    }
    tools::Player player(recording, machine, options.player);
    const auto result = player.play();
    std::printf("%zu pictures of %zu jobs: %zu equal, %zu different, %zu without a checksum, %zu not taken\n",
                result.pictures, result.jobs, result.equal, result.different, result.unknown, result.refused);
    return result.good() ? 0 : 1;
}

// Nothing: the options are good; else the exit status.
std::optional<int> parse(int argc, char** argv, Options& options, const tools::ControlTable& table) {
    enum Option {
        Device = 256,
        Pictures,
        Mutate,
        Record,
        NoCompare,
        Info,
        List,
        Show,
        Extract,
        Diff,
        JobsOnly,
        Help,
        Version
    };
    static constexpr option known[] = {{"device", required_argument, nullptr, Device},
                                       {"pictures", required_argument, nullptr, Pictures},
                                       {"mutate", required_argument, nullptr, Mutate},
                                       {"record", required_argument, nullptr, Record},
                                       {"no-compare", no_argument, nullptr, NoCompare},
                                       {"info", no_argument, nullptr, Info},
                                       {"list", no_argument, nullptr, List},
                                       {"show", required_argument, nullptr, Show},
                                       {"extract", required_argument, nullptr, Extract},
                                       {"diff", required_argument, nullptr, Diff},
                                       {"jobs-only", no_argument, nullptr, JobsOnly},
                                       {"help", no_argument, nullptr, Help},
                                       {"version", no_argument, nullptr, Version},
                                       {}};
    for (int word; (word = ::getopt_long(argc, argv, "", known, nullptr)) != -1;)
        switch (word) {
        case Device: options.player.device = optarg; break;
        case Pictures: options.player.pictures = optarg; break;
        case Mutate: {
            const auto change = table.parse(optarg);
            if (!change)
                return giveUp(change.error().message);
            options.player.changes.push_back(*change);
            break;
        }
        case Record: options.record = optarg; break;
        case NoCompare: options.player.compare = false; break;
        case Info: options.info = true; break;
        case List: options.list = true; break;
        case Show: options.show = std::strtoul(optarg, nullptr, 10); break;
        case Extract: options.extract = optarg; break;
        case Diff: options.diff = optarg; break;
        case JobsOnly: options.jobsOnly = true; break;
        case Help: std::fputs(usage, stdout); return 0;
        case Version: std::fputs("v4l2-request-replay " V4L2_REQUEST_VERSION "\n", stdout); return 0;
        default: std::fputs(usage, stderr); return 2;
        }
    if (optind + 1 != argc) {
        std::fputs(usage, stderr);
        return 2;
    }
    options.file = argv[optind];
    return std::nullopt;
}

int run(int argc, char** argv) {
    Options options;
    const tools::ControlTable table;
    if (const auto status = parse(argc, argv, options, table))
        return *status;
    const auto recording = record::Recording::load(options.file);
    if (!recording)
        return giveUp(recording.error().message);
    if (recording->cut)
        std::fprintf(stderr, "v4l2-request-replay: %s is cut off\n", options.file.c_str());
    const bool onlyLook =
        options.info || options.list || options.show || !options.extract.empty() || !options.diff.empty();
    return onlyLook ? look(*recording, options, table) : replay(*recording, options);
}

} // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& fault) {
        return giveUp(fault.what());
    }
}
