// SPDX-License-Identifier: MIT
// Decodes for long, in several processes of several threads, and looks whether anything is lost or piles up.
// soak pictures=N processes=N threads=N seed=N RECORDING...: see scripts/soak, which is for people.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include <fcntl.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <va/va_drm.h>

#include "client.h"
#include "va_suite/machine.h"

namespace {

using namespace campaign;
using va_suite::Recording;

struct Stream {
    std::unique_ptr<Recording> recording;
    Expected expected;
};

struct Totals {
    std::atomic<size_t> pictures, lost, leaked;
    std::atomic<bool> over;
};

template <typename T>
T* shared(size_t count = 1) {
    void* memory = ::mmap(nullptr, sizeof(T) * count, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        throw std::runtime_error("no memory");
    return static_cast<T*>(memory);
}

// What a stream is decoded to when nothing else goes on, in a process of its own; software must have the same.
Stream load(const std::string& path) {
    Stream stream{std::make_unique<Recording>(path), {}};
    std::set<uint32_t> software;
    stream.expected = readExpected(path.substr(0, path.size() - 3) + "crc", software);
    const size_t count = stream.recording->frameCount();
    auto* frames = shared<uint32_t>(count);
    const pid_t child = ::fork();
    if (child == 0) {
        Client client(*stream.recording, stream.expected, 1);
        if (client.open())
            client.play(SIZE_MAX);
        std::ranges::copy(client.seen(), frames);
        for (const std::string& problem : client.problems())
            std::printf("%s: %s\n", path.c_str(), problem.c_str());
        std::fflush(stdout);
        ::_exit(client.problems().empty() ? 0 : 1);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    stream.expected.frames.assign(frames, frames + count);
    for (const uint32_t crc : software)
        if (std::ranges::count(stream.expected.frames, crc) == 0 || status)
            throw std::runtime_error(path + " is not decoded to what software has");
    return stream;
}

// One player after the other, until there are enough pictures.
void play(const Stream& stream, VADisplay display, unsigned seed, size_t wanted, Totals& totals) {
    std::mt19937 random(seed);
    const auto below = [&](size_t end) { return random() % end; };
    while (totals.pictures < wanted) {
        Client client(*stream.recording, stream.expected, static_cast<unsigned>(1 + below(4)), {}, display);
        for (int passes = 0; passes < 4 && client.open(); passes++) {
            // To the end, or a seek to the begin from anywhere; now and then with another context, or other surfaces.
            const size_t count = below(2) ? stream.recording->pictureCount : 1 + below(stream.recording->pictureCount);
            client.play(count, below(3) ? SIZE_MAX : below(count + 1));
            if (below(4) == 0)
                client.exportAll();
            if (below(4) == 0)
                client.destroySurfaces();
            if (below(4) == 0)
                client.closeContext();
        }
        client.close();
        totals.pictures += client.played();
        totals.lost += client.played() - client.good();
        for (const std::string& problem : client.problems())
            std::printf("%s: %s\n", stream.recording->path.c_str(), problem.c_str());
        totals.lost += client.played() == client.good() && !client.problems().empty();
    }
}

size_t heap() {
    ::malloc_trim(0);
    return mallinfo2().uordblks;
}

// A process with a thread for each stream, on displays of their own or on one that all share.
void run(const std::vector<const Stream*>& streams, bool oneDisplay, unsigned seed, size_t wanted, Totals& totals) {
    constexpr int rounds = 4;
    Holdings before;
    size_t heapBefore = 0;
    for (int round = 1; round <= rounds; round++) {
        int drm = -1, major = 0, minor = 0;
        VADisplay display = nullptr;
        if (oneDisplay) {
            drm = ::open("/dev/dri/renderD128", O_RDWR | O_CLOEXEC);
            display = vaGetDisplayDRM(drm);
            vaSetInfoCallback(display, nullptr, nullptr);
            if (vaInitialize(display, &major, &minor) != VA_STATUS_SUCCESS)
                throw std::runtime_error("vaInitialize");
        }
        std::vector<std::thread> threads;
        for (const Stream* stream : streams)
            threads.emplace_back([&, stream, mine = seed++] {
                play(*stream, display, mine, wanted / rounds * static_cast<size_t>(round), totals);
            });
        for (std::thread& thread : threads)
            thread.join();
        if (display) {
            vaTerminate(display);
            ::close(drm);
        }
        // The first round makes what stays: arenas of threads, tables of libva.
        const Holdings now = Holdings::now();
        if (round == 1) {
            before = now;
            heapBefore = heap();
        }
        const auto compare = [&](const char* what, size_t was, size_t is) {
            if (is > was)
                std::printf("%s: %zu after the first round, %zu now\n", what, was, is);
            totals.leaked += is > was;
        };
        compare("descriptors", before.descriptors, now.descriptors);
        compare("mappings", before.mappings, now.mappings);
        compare("bytes of heap", heapBefore + 256 * 1024, heap());
    }
    std::fflush(stdout);
}

} // namespace

int main(int argc, char** argv) try {
    std::map<std::string, size_t> options{{"pictures", 20000}, {"processes", 4}, {"threads", 4}, {"seed", 1}};
    std::vector<Stream> streams;
    for (int i = 1; i < argc; i++) {
        const std::string word = argv[i];
        if (const size_t equals = word.find('='); equals != std::string::npos)
            options.at(word.substr(0, equals)) = std::stoul(word.substr(equals + 1));
        else
            streams.push_back(load(word));
    }
    if (streams.empty())
        throw std::runtime_error("no recordings");
    const size_t dmaBufs = va_suite::dmaBufsOfTheMachine();
    Totals& totals = *new (shared<Totals>()) Totals();
    const auto start = std::chrono::steady_clock::now();
    for (size_t process = 0, next = 0; process < options["processes"]; process++) {
        std::vector<const Stream*> its;
        for (size_t i = 0; i < options["threads"]; i++)
            its.push_back(&streams[next++ % streams.size()]);
        std::fflush(stdout);
        if (::fork() == 0) {
            run(its, process % 2, static_cast<unsigned>(options["seed"] * 1000 + process * 100), options["pictures"],
                totals);
            ::_exit(0);
        }
    }
    // The device stops now and then, for less long than the driver waits.
    std::thread stops([&] {
        std::mt19937 random(static_cast<unsigned>(options["seed"]));
        while (!totals.over) {
            for (int i = 0; i < 80 && !totals.over; i++)
                std::this_thread::sleep_for(std::chrono::milliseconds(100));
            if (totals.over)
                break;
            const va_suite::StoppedDaemon stopped;
            std::this_thread::sleep_for(std::chrono::milliseconds(100 + random() % 1500));
        }
    });
    int status = 0;
    while (::wait(&status) > 0)
        if (status) {
            std::printf("a process ended with %s\n", WIFSIGNALED(status) ? ::strsignal(WTERMSIG(status)) : "an error");
            totals.lost++;
        }
    totals.over = true;
    stops.join();
    if (const size_t now = va_suite::dmaBufsOfTheMachine(); now > dmaBufs) {
        std::printf("dma-bufs: %zu before, %zu after\n", dmaBufs, now);
        totals.leaked += now - dmaBufs;
    }
    std::printf("%.0f s\n", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    std::printf("pictures %zu, lost %zu, leaked %zu\n", totals.pictures.load(), totals.lost.load(),
                totals.leaked.load());
    return totals.lost || totals.leaked || totals.pictures < options["pictures"] ? 1 : 0;
} catch (const std::exception& error) {
    std::printf("soak: %s\n", error.what());
    return 2;
}
