// SPDX-License-Identifier: MIT
// Lets every call of the driver fail, one by one, each in a process of its own, and looks at what comes of it.
// campaign SITES RECORDING EXPECTED [jobs=N] [every=N] [seed=N] [allocations=N] [calls=0]: see scripts/fault-campaign,
// which is for people.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

#include <execinfo.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "faults/calls.h"

namespace {

using namespace campaign;
using va_suite::Recording;

constexpr size_t pictures = 14; // of a run, where the stream has as many
constexpr size_t picturesForAllocations = 5;
constexpr unsigned longestRun = 90; // seconds, then the run hangs
constexpr double mostWork = 3;      // seconds of the processor above a run without fault: it polls without end
constexpr size_t mayGrow = 6;       // descriptors that a session may have more after a fault than before

enum class Place { Initialise, First, Middle, Fields, Tenth, Export, Destroy };
constexpr const char* placeNames[] = {"at vaInitialize",    "at the first picture", "in the middle of a picture",
                                      "between two fields", "at the tenth picture", "at export",
                                      "at destroy"};

struct Injection {
    Place place = Place::First;
    calls::Site site = 0;
    int error = 0;
    bool forGood = false;
    unsigned inFlight = 1;
    unsigned long allocation = 0; // instead of a call
    bool removal = false;         // of the device, instead of a call

    bool isCall() const { return !allocation && !removal; }
};

// How the device goes and comes back, where that is a fault to inject: commands, from the environment.
const char* const removeCommand = std::getenv("CAMPAIGN_REMOVE");
const char* const returnCommand = std::getenv("CAMPAIGN_RETURN");

// What a run leaves for the process that watches it.
struct Report {
    bool finished;
    unsigned met;
    Holdings idle;
    double work;
    unsigned long allocations;
    calls::Counts before[std::size(placeNames)], after; // calls when each place was reached, and at the end
    uint32_t frames[4096];
    char problems[2000];
};

constexpr struct {
    const char* name;
    int number;
} errorNames[] = {
#define ERROR(name)                                                                                                    \
    { #name, name }
    ERROR(ENOENT), ERROR(ENODEV), ERROR(EMFILE),  ERROR(ENFILE), ERROR(ENOMEM), ERROR(EACCES),
    ERROR(EINTR),  ERROR(EINVAL), ERROR(EIO),     ERROR(EBUSY),  ERROR(ENOTTY), ERROR(ERANGE),
    ERROR(EPIPE),  ERROR(EAGAIN), ERROR(ENOBUFS), ERROR(EBADF),  ERROR(ENOSPC),
#undef ERROR
};

int numberOf(const std::string& name) {
    for (const auto& error : errorNames)
        if (name == error.name)
            return error.number;
    throw std::runtime_error("no error is named " + name);
}

std::string nameOf(int number) {
    for (const auto& error : errorNames)
        if (number == error.number)
            return error.name;
    return std::to_string(number);
}

std::string describe(const Injection& injection) {
    const std::string flight = ", " + std::to_string(injection.inFlight) + " in flight";
    if (injection.allocation)
        return "allocation " + std::to_string(injection.allocation) + flight;
    if (injection.removal)
        return std::string("the device goes ") + placeNames[static_cast<int>(injection.place)] + flight;
    return calls::nameOf(injection.site) + " " + nameOf(injection.error) + " " +
           placeNames[static_cast<int>(injection.place)] + (injection.forGood ? ", for good" : ", once") + flight;
}

double secondsOfWork() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The life of a client, in a process of its own. With an injection, the fault lasts until the stream has been played
// once.
class Life {
public:
    Life(const Recording& recording, const Expected& expected, const Injection* injection, const Report* normal,
         Report& report)
        : recording_(recording), injection_(injection), normal_(normal), report_(report),
          client_(recording, expected, injection ? injection->inFlight : 4,
                  [this](auto step, size_t picture) { reach(step, picture); }) {}

    void live() {
        const Holdings before = Holdings::now();
        const size_t count = injection_ && injection_->allocation ? picturesForAllocations : pictures;
        client_.setFaulty(injection_);
        if (injection_ && injection_->allocation)
            calls::failAllocation(injection_->allocation);
        if (client_.open()) {
            client_.play(count);
            client_.exportAll();
        }
        report_.allocations = calls::allocations();
        const bool atTheEnd = injection_ && injection_->place == Place::Destroy;
        if (!atTheEnd) {
            pass();
            // A device that failed its probe is not offered for the life of that display, and one that went does not
            // come back to it.
            if (injection_ && (injection_->removal || injection_->place == Place::Initialise))
                client_.close();
            // The next key frame is right, and so is all that follows.
            if (client_.open())
                client_.play(count);
            for (size_t i = 0; i < client_.seen().size() && i < std::size(report_.frames); i++)
                report_.frames[i] = client_.seen()[i];
            report_.idle = Holdings::now();
            if (normal_ && report_.idle.descriptors > normal_->idle.descriptors + mayGrow)
                note("holds " + std::to_string(report_.idle.descriptors) + " descriptors, without a fault " +
                     std::to_string(normal_->idle.descriptors));
        }
        client_.close();
        report_.after = calls::counts();
        if (atTheEnd) {
            pass();
            if (client_.open())
                client_.play(3);
            client_.close();
        }
        const Holdings after = Holdings::now();
        if (after.descriptors > before.descriptors)
            note(std::to_string(after.descriptors - before.descriptors) + " descriptors leak");
        if (after.mappings > before.mappings)
            note(std::to_string(after.mappings - before.mappings) + " mappings leak");
        report_.work = secondsOfWork();
        if (normal_ && report_.work > normal_->work + mostWork)
            note("works for " + std::to_string(report_.work) + " s, without a fault " + std::to_string(normal_->work));
        for (const std::string& problem : client_.problems())
            note(problem);
        report_.finished = true;
    }

private:
    void note(const std::string& problem) {
        const size_t has = std::strlen(report_.problems);
        std::snprintf(report_.problems + has, sizeof(report_.problems) - has, "%s%s", has ? "; " : "", problem.c_str());
    }

    void pass() {
        if (injection_ && injection_->removal) {
            report_.met = removed_;
            if (std::system(returnCommand))
                note("the device does not come back");
        } else {
            report_.met =
                injection_ && injection_->allocation ? report_.allocations >= injection_->allocation : calls::met();
        }
        calls::disarm();
        calls::failAllocation(0);
        client_.setFaulty(false);
    }

    void reach(Client::Step step, size_t picture) {
        switch (step) {
        case Client::Step::Initialise: reach(Place::Initialise); break;
        case Client::Step::Picture:
            if (picture == 0)
                reach(Place::First);
            if (picture >= 2 && recording_.isSecondField(picture))
                reach(Place::Fields);
            if (picture == 9)
                reach(Place::Tenth);
            break;
        case Client::Step::End:
            if (picture == 3)
                reach(Place::Middle);
            break;
        case Client::Step::Export: reach(Place::Export); break;
        case Client::Step::Destroy: reach(Place::Destroy); break;
        }
    }

    void reach(Place place) {
        if (reached_[static_cast<int>(place)])
            return;
        reached_[static_cast<int>(place)] = true;
        report_.before[static_cast<int>(place)] = calls::counts();
        if (injection_ && injection_->removal && injection_->place == place)
            removed_ = std::system(removeCommand) == 0;
        if (injection_ && injection_->isCall() && injection_->place == place)
            calls::arm({.site = injection_->site,
                        .error = injection_->error,
                        .after = place == Place::Middle ? 1u : 0u,
                        .times = injection_->forGood ? UINT_MAX : 1});
    }

    const Recording& recording_;
    const Injection* injection_;
    const Report* normal_;
    Report& report_;
    bool reached_[std::size(placeNames)] = {};
    bool removed_ = false;
    Client client_;
};

template <typename T>
T* shared() {
    void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::runtime_error("no memory");
    return new (memory) T();
}

// Where a life ended that did not end by itself.
void onCrash(int number) {
    void* frames[40];
    ::backtrace_symbols_fd(frames, ::backtrace(frames, std::size(frames)), STDOUT_FILENO);
    ::signal(number, SIG_DFL);
    ::raise(number);
}

// Runs a life; returns what is wrong with it, empty if nothing.
std::string watch(const Recording& recording, const Expected& expected, const Injection* injection,
                  const Report* normal, Report& report) {
    std::memset(static_cast<void*>(&report), 0, sizeof(report));
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(longestRun);
        for (const int number : {SIGSEGV, SIGABRT, SIGBUS})
            ::signal(number, onCrash);
        try {
            Life(recording, expected, injection, normal, report).live();
        } catch (const std::exception& error) {
            std::snprintf(report.problems, sizeof(report.problems), "%s", error.what());
        }
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGALRM ? "hangs" : std::string("ends with ") + ::strsignal(WTERMSIG(status));
    if (!report.finished && !report.problems[0])
        return "ends early, with status " + std::to_string(WEXITSTATUS(status));
    return report.problems;
}

struct Row {
    calls::Site site;
    std::vector<std::pair<int, bool>> errors; // and whether they last
};

std::vector<Row> readTable(const char* path) {
    std::vector<Row> rows;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#')
            continue;
        std::istringstream words(line);
        std::string name, error;
        words >> name;
        Row& row = rows.emplace_back(Row{calls::siteOf(name), {}});
        while (words >> error) {
            const bool once = error.back() == '!';
            row.errors.emplace_back(numberOf(once ? error.substr(0, error.size() - 1) : error), !once);
        }
    }
    return rows;
}

// All that can be injected: where the call is made at all when there is no fault.
std::vector<Injection> plan(const std::vector<Row>& rows, const Report& normal, unsigned long everyAllocation) {
    std::vector<Injection> all;
    for (const Place place : {Place::First, Place::Middle, Place::Fields, Place::Tenth, Place::Export, Place::Destroy})
        if (removeCommand &&
            std::ranges::any_of(normal.before[static_cast<size_t>(place)], [](unsigned count) { return count > 0; }))
            for (const unsigned inFlight : {1u, 4u})
                all.push_back({.place = place, .inFlight = inFlight, .removal = true});
    if (removeCommand)
        return all;
    for (size_t place = 0; place < std::size(placeNames); place++)
        for (const Row& row : rows) {
            const auto& start = normal.before[place];
            const auto& end = place == static_cast<size_t>(Place::Initialise)
                                  ? normal.before[static_cast<size_t>(Place::First)]
                                  : normal.after;
            const bool reached = place == static_cast<size_t>(Place::Initialise) ||
                                 std::ranges::any_of(start, [](unsigned count) { return count > 0; });
            if (!reached || end[row.site] <= start[row.site] + (place == static_cast<size_t>(Place::Middle)))
                continue;
            for (const auto& [error, lasts] : row.errors)
                for (const bool forGood : {false, true})
                    for (const unsigned inFlight : {1u, 4u})
                        if (!forGood || lasts)
                            all.push_back({static_cast<Place>(place), row.site, error, forGood, inFlight, 0});
        }
    if (everyAllocation)
        for (unsigned long nth = 1; nth <= normal.allocations; nth += everyAllocation)
            all.push_back({.inFlight = nth % 2 ? 1u : 4u, .allocation = nth});
    return all;
}

// In an order of which every part is a fair sample.
std::vector<Injection> shuffled(const std::vector<Injection>& all) {
    std::vector<Injection> mixed(all);
    for (size_t i = mixed.size(); i > 1; i--)
        std::swap(mixed[i - 1], mixed[i * 7919 % 104729 % i]);
    return mixed;
}

struct Totals {
    std::atomic<size_t> next, injected, survived;
};

void work(const Recording& recording, const Expected& expected, const std::vector<Injection>& all, const Report& normal,
          size_t every, size_t seed, Totals& totals) {
    Report& report = *shared<Report>();
    for (size_t at; (at = seed % every + every * totals.next++) < all.size();) {
        const auto start = std::chrono::steady_clock::now();
        const std::string problem = watch(recording, expected, &all[at], &normal, report);
        const double took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (problem.empty() && !report.met)
            continue; // the call did not come this time
        totals.injected++;
        totals.survived += problem.empty();
        if (!problem.empty())
            std::printf("%s: %s\n", describe(all[at]).c_str(), problem.c_str());
        else if (took > 5)
            std::printf("slow: %s: %.1f s\n", describe(all[at]).c_str(), took);
        std::fflush(stdout);
    }
}

} // namespace

int main(int argc, char** argv) try {
    if (argc < 4)
        throw std::runtime_error(
            "campaign SITES RECORDING EXPECTED [jobs=N] [every=N] [seed=N] [allocations=N] [calls=0]");
    std::map<std::string, size_t> options{{"jobs", 4}, {"every", 1}, {"seed", 0}, {"allocations", 0}, {"calls", 1}};
    std::string only; // faults whose description has this
    for (int i = 4; i < argc; i++) {
        const std::string option = argv[i], name = option.substr(0, option.find('=')),
                          value = option.substr(option.find('=') + 1);
        if (name == "only")
            only = value;
        else
            options.at(name) = std::stoul(value);
    }
    auto rows = readTable(argv[1]);
    const Recording recording(argv[2]);
    std::set<uint32_t> fromSoftware;
    Expected expected = readExpected(argv[3], fromSoftware);

    // Without faults first: what is right, what is called, and how often.
    Report& normal = *shared<Report>();
    if (const std::string problem = watch(recording, expected, nullptr, nullptr, normal); !problem.empty())
        throw std::runtime_error("without a fault: " + problem);
    expected.frames.assign(normal.frames, normal.frames + recording.frameCount());
    for (calls::Site site = 0; site < calls::mostSites; site++)
        if (normal.after[site] && calls::nameOf(site) != "lock" &&
            std::ranges::none_of(rows, [&](const Row& row) { return row.site == site; }))
            throw std::runtime_error("the driver makes a call that the table does not have: " + calls::nameOf(site));
    const size_t right = static_cast<size_t>(
        std::ranges::count_if(expected.frames, [&](uint32_t crc) { return fromSoftware.count(crc) > 0; }));
    std::printf("%zu pictures of %zu frames, %zu as software has them; %lu allocations\n", recording.pictureCount,
                recording.frameCount(), right, normal.allocations);
    if (right < std::min<size_t>(5, fromSoftware.size()))
        throw std::runtime_error("the pictures are not those of the software decoder");

    if (!options["calls"])
        rows.clear();
    auto all = shuffled(plan(rows, normal, options["allocations"]));
    std::erase_if(all, [&](const Injection& fault) { return describe(fault).find(only) == std::string::npos; });
    Totals& totals = *shared<Totals>();
    std::fflush(stdout);
    for (size_t i = 0; i < options["jobs"]; i++)
        if (::fork() == 0) {
            work(recording, expected, all, normal, options["every"], options["seed"], totals);
            ::_exit(0);
        }
    while (::wait(nullptr) > 0)
        ;
    std::printf("faults injected %zu, survived %zu\n", totals.injected.load(), totals.survived.load());
    return totals.injected == totals.survived ? 0 : 1;
} catch (const std::exception& error) {
    std::printf("campaign: %s\n", error.what());
    return 2;
}
