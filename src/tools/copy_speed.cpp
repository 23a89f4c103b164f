// SPDX-License-Identifier: MIT
#include "tools/copy_speed.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

namespace v4l2_request::tools {

namespace {

// Of a few tries: the others were disturbed.
template <typename Copy>
double fastest(Copy copy) {
    using Seconds = std::chrono::duration<double>;
    constexpr int tries = 5;
    double best = 0;
    for (int i = 0; i < tries; i++) {
        const auto start = std::chrono::steady_clock::now();
        copy();
        const double took = Seconds(std::chrono::steady_clock::now() - start).count();
        best = i ? std::min(best, took) : took;
    }
    return best;
}

} // namespace

Result<double> copySpeed(const std::shared_ptr<decode::FrameMemory>& memory) {
    using decode::FrameMemory;
    std::vector<uint8_t> ordinary, target;
    { // both kinds of memory are there before anything is measured
        const auto view = FrameMemory::view(memory, FrameMemory::Access::Read);
        if (!view)
            return tl::unexpected(view.error());
        ordinary.assign(view->bytes().begin(), view->bytes().end());
        target = ordinary;
    }
    const double reference = fastest([&] { std::memcpy(target.data(), ordinary.data(), ordinary.size()); });
    const double measured = fastest([&] {
        if (const auto view = FrameMemory::view(memory, FrameMemory::Access::Read))
            std::memcpy(target.data(), view->bytes().data(), target.size());
    });
    return reference / measured;
}

} // namespace v4l2_request::tools
