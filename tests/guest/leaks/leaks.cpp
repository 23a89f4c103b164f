// SPDX-License-Identifier: MIT
// Opens, decodes, reads and destroys over and over, and tells what has piled up: file descriptors, mappings, dma-bufs
// of the whole machine, memory. Says nothing on standard output unless something has. Usage: leaks CYCLES [probe]; with
// "probe", only what players do before they decode.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include <malloc.h>
#include <unistd.h>
#include <va/va_drmcommon.h>

#include "va_suite/player.h"

namespace {

using namespace va_suite;

struct Holdings {
    size_t descriptors, mappings, dmaBufs;
    size_t heap; // bytes in use

    static Holdings now() {
        const auto lines = [](const char* path) {
            std::ifstream file(path);
            return static_cast<size_t>(std::count(std::istreambuf_iterator<char>(file), {}, '\n'));
        };
        const auto descriptors = std::filesystem::directory_iterator("/proc/self/fd");
        return {static_cast<size_t>(std::distance(begin(descriptors), end(descriptors))), lines("/proc/self/maps"),
                lines("/sys/kernel/debug/dma_buf/bufinfo"), mallinfo2().uordblks};
    }

    // The daemon of daedalus lets go of a buffer when it hears that it is gone, which is a little later: the count of
    // the whole machine is taken when it has not changed for half a second.
    static Holdings settled() {
        Holdings last = now();
        for (int same = 0; same < 10;) {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            const Holdings next = now();
            same = next.dmaBufs == last.dmaBufs ? same + 1 : 0;
            last = next;
        }
        return last;
    }
};

bool compare(const char* what, size_t before, size_t after, size_t allowed = 0) {
    std::fprintf(stderr, "%s: %zu before, %zu after\n", what, before, after);
    if (after <= before + allowed)
        return true;
    std::printf("%s leak: %zu before, %zu after\n", what, before, after);
    return false;
}

// Decodes the first pictures of a stream, exports, derives and reads one, and destroys everything.
void cycle(const Display& display, const Stream& stream, int number) {
    Player player(display, stream);
    player.play(3);
    VADRMPRIMESurfaceDescriptor prime{};
    REQUIRE_VA(vaExportSurfaceHandle(display, player.surface(1), VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                     VA_EXPORT_SURFACE_SEPARATE_LAYERS, &prime));
    ::close(prime.objects[0].fd);
    readSurface(display, player.surface(2), stream.width, stream.height);
    VAImage derived{};
    void* data = nullptr;
    REQUIRE_VA(vaDeriveImage(display, player.surface(0), &derived));
    REQUIRE_VA(vaMapBuffer(display, derived.buf, &data));
    REQUIRE_VA(vaUnmapBuffer(display, derived.buf));
    REQUIRE_VA(vaDestroyImage(display, derived.image_id));
    // Every other time, pictures are still with the device when it all ends; every third, one was refused.
    if (number % 2)
        player.play(2);
    if (number % 3 == 0) {
        Picture broken = player.picture(0);
        broken.slices.clear();
        player.submit(player.spare(), broken);
    }
}

// What players do to see what they may expect, before they make the surfaces that they need: small ones of several
// sizes, exported and derived. Every other time nothing is decoded after all.
void probe(const Display& display, const Stream& stream, int number) {
    for (const auto& [width, height] :
         {std::pair<unsigned, unsigned>{64, 64}, {128, 128}, {16, 16}, {2, 2}, {stream.width, stream.height}}) {
        VASurfaceID surface = VA_INVALID_SURFACE;
        REQUIRE_VA(vaCreateSurfaces(display, VA_RT_FORMAT_YUV420, width, height, &surface, 1, nullptr, 0));
        VADRMPRIMESurfaceDescriptor prime{};
        REQUIRE_VA(vaExportSurfaceHandle(display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                         VA_EXPORT_SURFACE_SEPARATE_LAYERS, &prime));
        ::close(prime.objects[0].fd);
        VAImage derived{};
        void* data = nullptr;
        REQUIRE_VA(vaDeriveImage(display, surface, &derived));
        REQUIRE_VA(vaMapBuffer(display, derived.buf, &data));
        REQUIRE_VA(vaUnmapBuffer(display, derived.buf));
        REQUIRE_VA(vaDestroyImage(display, derived.image_id));
        REQUIRE_VA(vaDestroySurfaces(display, &surface, 1));
    }
    Player player(display, stream);
    if (number % 2) {
        player.play(2);
        REQUIRE_VA(vaSyncSurface(display, player.surface(1)));
    }
}

} // namespace

int main(int argc, char** argv) try {
    const int cycles = argc > 1 ? std::atoi(argv[1]) : 1000;
    constexpr int warmUp = 20;
    // `again` opens a new display every time, otherwise one display serves all cycles.
    const auto run = [&](const char* name, bool again, void (*cycle)(const Display&, const Stream&, int)) {
        std::fprintf(stderr, "%s, %d cycles\n", name, cycles);
        Display lasting;
        const auto one = [&](int i) {
            for (const Codec codec : {Codec::Mpeg2, Codec::H264}) {
                const Stream& stream = streamOf(codec);
                if (!lasting.offers(stream.profile))
                    continue;
                if (again) {
                    const Display fresh;
                    cycle(fresh, stream, i);
                } else
                    cycle(lasting, stream, i);
            }
        };
        for (int i = 0; i < warmUp; i++)
            one(i);
        const Holdings before = Holdings::settled();
        for (int i = 0; i < cycles; i++)
            one(i);
        const Holdings after = Holdings::settled();
        const bool descriptors = compare("file descriptors", before.descriptors, after.descriptors);
        const bool mappings = compare("mappings", before.mappings, after.mappings, 4); // the heap's own
        const bool dmaBufs = compare("dma-bufs (lines)", before.dmaBufs, after.dmaBufs);
        const bool heap = compare("bytes of heap", before.heap, after.heap, 64 * 1024);
        return descriptors && mappings && dmaBufs && heap;
    };
    const std::string only = argc > 2 ? argv[2] : "";
    const bool oneDisplay = !only.empty() || run("one display", false, cycle);
    const bool manyDisplays = !only.empty() || run("a display per cycle", true, cycle);
    const bool probes = run("probing first", false, probe);
    return oneDisplay && manyDisplays && probes ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
}
