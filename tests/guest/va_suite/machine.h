// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "faults/calls.h"
#include "recording.h"

namespace va_suite {

class Display;

// The daemon of daedalus, stopped for as long as this lives.
class StoppedDaemon {
public:
    StoppedDaemon();
    ~StoppedDaemon();
    StoppedDaemon(const StoppedDaemon&) = delete;
    StoppedDaemon& operator=(const StoppedDaemon&) = delete;

private:
    int process_;
};

// How many dma-bufs there are on the whole machine, once the count does not change any more: who is told to let go of
// one does so a little later.
size_t dmaBufsOfTheMachine();

// A parameter of the board's module, for as long as this lives; then 0.
class BoardKnob {
public:
    BoardKnob(const char* name, unsigned value);
    ~BoardKnob();
    BoardKnob(const BoardKnob&) = delete;
    BoardKnob& operator=(const BoardKnob&) = delete;

private:
    std::string path_;
};

// The log of what the board's decoders were told, from the last clearBoardLog() on.
void clearBoardLog();
std::string boardLog();

// One of the recordings in the folder that VA_SUITE_RECORDINGS names ("vp9-altref.ivf"); null if it is not there.
std::shared_ptr<Recording> recorded(const std::string& name);
// Decodes it on a device without faults, for what is expected of it from then on; compares that with what software
// makes of it.
void learn(const Display& display, Recording& recording);

// Disarms what a test has armed.
struct NoFaultsAfter {
    ~NoFaultsAfter() { calls::disarm(); }
};

} // namespace va_suite
