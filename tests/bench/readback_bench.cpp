// SPDX-License-Identifier: MIT
// What a conversion costs beside memcpy of the picture that comes out: 1920x1080, memory and target both in RAM.
#include <benchmark/benchmark.h>

#include <cstring>
#include <functional>
#include <numeric>
#include <vector>

#include "format/pixel_format.h"
#include "readback/picture.h"

namespace v4l2_request {
namespace {

constexpr uint32_t width = 1920, height = 1080;

// The memory as a device would align it; columns are as high as all of their rows.
Layout deviceLayout(const PixelFormat& format) {
    const Arrangement& memory = format.arrangement;
    const uint32_t alignedWidth = memory.columns() ? (width + 383) / 384 * 384 : width, alignedHeight = 1088;
    const uint32_t bytesperline =
        memory.columns() ? alignedHeight * 3 / 2 : memory.rowBytes(alignedWidth, format.bytesPerSample());
    return *Layout::ofDevice(format, alignedWidth, alignedHeight, bytesperline, 0);
}

void readPicture(benchmark::State& state, const PixelFormat& format) {
    const Layout layout = deviceLayout(format);
    std::vector<uint8_t> memory(layout.size);
    std::iota(memory.begin(), memory.end(), uint8_t{1});
    const uint32_t pitch = width * format.bytesPerSample();
    std::vector<uint8_t> image(size_t{pitch} * height * 3 / 2);
    const readback::Planes to{{image.data(), &image[size_t{pitch} * height], nullptr}, {pitch, pitch, 0}};
    for (auto _ : state) {
        if (!readback::readPicture(memory, layout, {0, 0, width, height}, to))
            state.SkipWithError("refused");
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * image.size()));
}

void copyPicture(benchmark::State& state, uint32_t bytesPerSample) {
    std::vector<uint8_t> from(size_t{width} * bytesPerSample * height * 3 / 2, 1), to(from.size());
    for (auto _ : state) {
        std::memcpy(to.data(), from.data(), to.size());
        benchmark::ClobberMemory();
    }
    state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * to.size()));
}

} // namespace
} // namespace v4l2_request

int main(int argc, char** argv) {
    using namespace v4l2_request;
    benchmark::RegisterBenchmark("memcpy of NV12", copyPicture, 1);
    benchmark::RegisterBenchmark("memcpy of P010", copyPicture, 2);
    for (const PixelFormat& format : pixelFormats)
        if (!format.linear())
            benchmark::RegisterBenchmark(format.name, readPicture, std::cref(format));
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
