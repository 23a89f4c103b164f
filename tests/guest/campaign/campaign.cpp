// SPDX-License-Identifier: MIT
// Lets every call of the driver fail, one by one, each in a process of its own, and looks at what comes of it.
// campaign SITES RECORDING EXPECTED [jobs=N] [calls=N] [allocations=N] [removals=N] [seed=N] [only=TEXT]: every Nth
// fault of each kind, 0 for none. See scripts/fault-campaign, which is for people.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <numeric>
#include <optional>
#include <sstream>

#include <execinfo.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client.h"
#include "faults/calls.h"

namespace {

using namespace campaign;
using va_suite::Recording;

constexpr size_t pictures = 14; // of a run, where the stream has as many
constexpr size_t picturesForAllocations = 5;
constexpr size_t mayGrow = 6; // descriptors that a session may have more after a fault than before

// A run that takes longer hangs.
unsigned longestRun() {
    return static_cast<unsigned>(6 * longestCall().count());
}

// Calls into the kernel of a run with a fault: with more, it asks again and again instead of waiting.
unsigned mostCalls(unsigned withoutFault) {
    return 3 * withoutFault + 1000;
}

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
    unsigned long allocation = 0;        // instead of a call
    bool removal = false;                // of the device, instead of a call
    std::optional<calls::Fault> cause{}; // without which the call is not made

    bool isCall() const { return !allocation && !removal; }
};

// How the device goes and comes back: commands, from the environment. Without them it stays.
const char* const removeCommand = std::getenv("CAMPAIGN_REMOVE");
const char* const returnCommand = std::getenv("CAMPAIGN_RETURN");

// Every call of the driver, and the errnos that each is made to fail with, and whether they last. Some calls are made
// only where another one has failed.
struct Row {
    calls::Site site;
    std::optional<calls::Fault> cause;
    std::vector<std::pair<int, bool>> errors;
};
using Table = std::vector<Row>;

// What a run leaves for the process that watches it.
struct Report {
    bool finished;
    unsigned met;
    bool gone; // the device was removed, and is not back
    Holdings idle;
    unsigned long allocations;
    calls::Counts before[std::size(placeNames)], after; // calls when each place was reached, and at the end
    uint32_t frames[4096];
    char problems[2000];
    char late[500]; // what is only wrong by time, which a busy machine may be to blame for
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
    const std::string cause =
        injection.cause ? " after " + calls::nameOf(injection.cause->site) + " " + nameOf(injection.cause->error) : "";
    return calls::nameOf(injection.site) + " " + nameOf(injection.error) + cause + " " +
           placeNames[static_cast<int>(injection.place)] + (injection.forGood ? ", for good" : ", once") + flight;
}

unsigned sum(const calls::Counts& counts) {
    return std::accumulate(counts.begin(), counts.end(), 0u) - counts[calls::siteOf("lock")];
}

std::string unknownCall(const calls::Counts& counts, const Table& table) {
    for (calls::Site site = 0; site < calls::mostSites; site++)
        if (counts[site] && site != calls::siteOf("lock") &&
            std::ranges::none_of(table, [&](const Row& row) { return row.site == site; }))
            return "the driver makes a call that the table does not have: " + calls::nameOf(site);
    return "";
}

// The life of a client, in a process of its own. With an injection, the fault lasts until the stream has been played
// once.
class Life {
public:
    Life(const Recording& recording, const Expected& expected, const Table& table, const Injection* injection,
         const Report* normal, Report& report)
        : recording_(recording), table_(table), injection_(injection), normal_(normal), report_(report),
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
            if (client_.open()) {
                client_.play(count);
                client_.exportAll();
            }
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
        if (const std::string unknown = unknownCall(report_.after, table_); !unknown.empty())
            note(unknown);
        if (normal_ && sum(report_.after) > mostCalls(sum(normal_->after)))
            note("makes " + std::to_string(sum(report_.after)) + " calls, without a fault " +
                 std::to_string(sum(normal_->after)));
        for (const std::string& problem : client_.problems())
            note(problem);
        for (const std::string& late : client_.late())
            add(report_.late, late);
        report_.finished = true;
    }

private:
    template <size_t N>
    static void add(char (&list)[N], const std::string& text) {
        const size_t has = std::strlen(list);
        std::snprintf(list + has, N - has, "%s%s", has ? "; " : "", text.c_str());
    }
    void note(const std::string& problem) { add(report_.problems, problem); }

    void pass() {
        if (injection_ && injection_->removal) {
            report_.met = report_.gone;
            if (report_.gone && std::system(returnCommand))
                note("the device does not come back");
            report_.gone = false;
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
            report_.gone = std::system(removeCommand) == 0;
        if (injection_ && injection_->isCall() && injection_->place == place)
            calls::arm({.site = injection_->site,
                        .error = injection_->error,
                        .after = place == Place::Middle && !injection_->cause ? 1u : 0u,
                        .times = injection_->forGood ? UINT_MAX : 1},
                       injection_->cause);
    }

    const Recording& recording_;
    const Table& table_;
    const Injection* injection_;
    const Report* normal_;
    Report& report_;
    bool reached_[std::size(placeNames)] = {};
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

// What is wrong with a life: empty if nothing.
struct Verdict {
    std::string problem;
    bool byTime = false; // and nothing else: on a busy machine it may have been slow
};

Verdict watch(const Recording& recording, const Expected& expected, const Table& table, const Injection* injection,
              const Report* normal, Report& report) {
    std::memset(static_cast<void*>(&report), 0, sizeof(report));
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(longestRun());
        for (const int number : {SIGSEGV, SIGABRT, SIGBUS})
            ::signal(number, onCrash);
        try {
            Life(recording, expected, table, injection, normal, report).live();
        } catch (const std::exception& error) {
            std::snprintf(report.problems, sizeof(report.problems), "%s", error.what());
        }
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (report.gone && std::system(returnCommand))
        return {"the device does not come back"};
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return {"hangs", true};
    if (WIFSIGNALED(status))
        return {std::string("ends with ") + ::strsignal(WTERMSIG(status))};
    if (!report.finished && !report.problems[0])
        return {"ends early, with status " + std::to_string(WEXITSTATUS(status))};
    return report.problems[0] ? Verdict{report.problems} : Verdict{report.late, true};
}

Table readTable(const char* path) {
    Table table;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#')
            continue;
        std::istringstream words(line);
        std::string name, word;
        words >> name;
        Row& row = table.emplace_back(Row{calls::siteOf(name), {}, {}});
        while (words >> word) {
            const bool isCause = word == "after";
            if (isCause)
                words >> name >> word;
            const bool once = word.back() == '!';
            const int number = numberOf(once ? word.substr(0, word.size() - 1) : word);
            if (isCause)
                row.cause = calls::Fault{.site = calls::siteOf(name), .error = number, .times = once ? 1 : UINT_MAX};
            else
                row.errors.emplace_back(number, !once);
        }
    }
    return table;
}

bool isReached(Place place, const Report& normal) {
    const auto& before = normal.before[static_cast<size_t>(place)];
    return place == Place::Initialise || std::ranges::any_of(before, [](unsigned count) { return count > 0; });
}

constexpr unsigned inFlights[] = {1, 4};

// Every call with every errno at every place, where the call is made at all when there is no fault.
std::vector<Injection> planCalls(const Table& table, const Report& normal) {
    std::vector<Injection> all;
    for (size_t place = 0; place < std::size(placeNames); place++)
        for (const Row& row : table) {
            const bool initialises = static_cast<Place>(place) == Place::Initialise;
            const auto& start = normal.before[place];
            const auto& end = initialises ? normal.before[static_cast<size_t>(Place::First)] : normal.after;
            const bool middle = static_cast<Place>(place) == Place::Middle; // where the first call is let through
            const calls::Site made = row.cause ? row.cause->site : row.site;
            if (!isReached(static_cast<Place>(place), normal) || end[made] <= start[made] + middle)
                continue;
            for (const auto& [error, lasts] : row.errors)
                for (const bool forGood : {false, true})
                    for (const unsigned inFlight : inFlights)
                        if (!forGood || lasts)
                            all.push_back({.place = static_cast<Place>(place),
                                           .site = row.site,
                                           .error = error,
                                           .forGood = forGood,
                                           .inFlight = inFlight,
                                           .cause = row.cause});
        }
    return all;
}

std::vector<Injection> planAllocations(unsigned long count) {
    std::vector<Injection> all;
    for (unsigned long nth = 1; nth <= count; nth++)
        all.push_back({.inFlight = inFlights[nth / 2 % 2], .allocation = nth});
    return all;
}

std::vector<Injection> planRemovals(const Report& normal) {
    std::vector<Injection> all;
    for (const Place place : {Place::First, Place::Middle, Place::Fields, Place::Tenth, Place::Export, Place::Destroy})
        for (const unsigned inFlight : inFlights)
            if (isReached(place, normal))
                all.push_back({.place = place, .inFlight = inFlight, .removal = true});
    return all;
}

// In an order of which every part is a fair sample.
std::vector<Injection> shuffled(const std::vector<Injection>& all) {
    std::vector<Injection> mixed(all);
    for (size_t i = mixed.size(); i > 1; i--)
        std::swap(mixed[i - 1], mixed[i * 7919 % 104729 % i]);
    return mixed;
}

std::vector<Injection> sample(const std::vector<Injection>& all, size_t every, size_t seed, const std::string& only) {
    std::vector<Injection> some;
    for (size_t at = every ? seed % every : all.size(); at < all.size(); at += every)
        if (describe(all[at]).find(only) != std::string::npos)
            some.push_back(all[at]);
    return some;
}

struct Totals {
    std::atomic<size_t> injected, survived;
};

// One stream, and what became of the faults in it.
class Campaign {
public:
    Campaign(const Recording& recording, Expected expected, Table table)
        : recording_(recording), expected_(std::move(expected)), table_(std::move(table)) {}

    // Without faults first: what is right, what is called, and how often.
    const Report& learn(const std::set<uint32_t>& fromSoftware) {
        if (const auto verdict = watch(recording_, expected_, table_, nullptr, nullptr, normal_);
            !verdict.problem.empty())
            throw std::runtime_error("without a fault: " + verdict.problem);
        expected_.frames.assign(normal_.frames, normal_.frames + recording_.frameCount());
        const size_t right = static_cast<size_t>(
            std::ranges::count_if(expected_.frames, [&](uint32_t crc) { return fromSoftware.count(crc) > 0; }));
        std::printf("%zu pictures of %zu frames, %zu as software has them; %u calls\n", recording_.pictureCount,
                    recording_.frameCount(), right, sum(normal_.after));
        if (right < std::min<size_t>(5, fromSoftware.size()))
            throw std::runtime_error("the pictures are not those of the software decoder");
        std::string idle;
        for (const Row& row : table_)
            if (!normal_.after[row.cause ? row.cause->site : row.site])
                idle += " " + calls::nameOf(row.site);
        std::printf("not called:%s\n", idle.c_str());
        return normal_;
    }

    // How many allocations there are where one of them is to fail.
    unsigned long allocations() {
        constexpr Injection none{.inFlight = 4, .allocation = ULONG_MAX};
        Report& report = *shared<Report>();
        watch(recording_, expected_, table_, &none, &normal_, report);
        return report.allocations;
    }

    // So many at a time. What is wrong by time only is tried again, alone.
    void inject(const std::vector<Injection>& faults, size_t jobs) {
        auto* next = shared<std::atomic<size_t>>();
        auto* again = shared<std::array<std::atomic<bool>, mostFaults>>();
        if (faults.size() > again->size())
            throw std::runtime_error("too many faults");
        std::fflush(stdout);
        for (size_t i = 0; i < std::min(jobs, faults.size()); i++)
            if (::fork() == 0) {
                Report& report = *shared<Report>();
                for (size_t at; (at = (*next)++) < faults.size();)
                    (*again)[at] = !judge(faults[at], report, jobs == 1);
                ::_exit(0);
            }
        while (::wait(nullptr) > 0)
            ;
        Report& report = *shared<Report>();
        for (size_t at = 0; at < faults.size(); at++)
            if ((*again)[at])
                judge(faults[at], report, true);
    }

    const Totals& totals() const { return totals_; }

private:
    static constexpr size_t mostFaults = 1 << 16;

    // Whether there is a verdict; not if only time speaks against it, unless it was alone.
    bool judge(const Injection& fault, Report& report, bool alone) {
        const auto verdict = watch(recording_, expected_, table_, &fault, &normal_, report);
        const bool good = verdict.problem.empty();
        if (!good && verdict.byTime && !alone) {
            std::printf("%s: %s: to be tried alone\n", describe(fault).c_str(), verdict.problem.c_str());
            std::fflush(stdout);
            return false;
        }
        if (good && !report.met)
            return true; // the call did not come this time
        totals_.injected++;
        totals_.survived += good;
        if (!good)
            std::printf("%s: %s\n", describe(fault).c_str(), verdict.problem.c_str());
        std::fflush(stdout);
        return true;
    }

    const Recording& recording_;
    Expected expected_;
    const Table table_;
    Report& normal_ = *shared<Report>();
    Totals& totals_ = *shared<Totals>();
};

} // namespace

int main(int argc, char** argv) try {
    if (argc < 4)
        throw std::runtime_error("campaign SITES RECORDING EXPECTED [jobs=N] [calls=N] [allocations=N] [removals=N] "
                                 "[seed=N] [only=TEXT]");
    std::map<std::string, size_t> options{{"jobs", 4}, {"calls", 1}, {"allocations", 1}, {"removals", 1}, {"seed", 0}};
    std::string only; // faults whose description has this
    for (int i = 4; i < argc; i++) {
        const std::string option = argv[i], name = option.substr(0, option.find('=')),
                          value = option.substr(option.find('=') + 1);
        if (name == "only")
            only = value;
        else
            options.at(name) = std::stoul(value);
    }
    const Recording recording(argv[2]);
    std::set<uint32_t> fromSoftware;
    const Expected expected = readExpected(argv[3], fromSoftware);
    Campaign campaign(recording, expected, readTable(argv[1]));
    const Report& normal = campaign.learn(fromSoftware);
    const auto some = [&](const std::vector<Injection>& all, const char* kind) {
        return sample(all, options[kind], options["seed"], only);
    };
    auto faults = some(shuffled(planCalls(readTable(argv[1]), normal)), "calls");
    const auto allocations = some(planAllocations(campaign.allocations()), "allocations");
    faults.insert(faults.end(), allocations.begin(), allocations.end());
    campaign.inject(faults, options["jobs"]);
    if (removeCommand) // for all
        campaign.inject(some(shuffled(planRemovals(normal)), "removals"), 1);
    const size_t injected = campaign.totals().injected, survived = campaign.totals().survived;
    std::printf("faults injected %zu, survived %zu\n", injected, survived);
    return injected == survived ? 0 : 1;
} catch (const std::exception& error) {
    std::printf("campaign: %s\n", error.what());
    return 2;
}
