// SPDX-License-Identifier: MIT
#include "machine.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <thread>

#include "player.h"

namespace va_suite {

namespace {

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    if (!(file << text << std::flush))
        throw std::runtime_error("cannot write " + path);
}

int processNamed(const std::string& name) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc"))
        if (read(entry.path() / "comm") == name + "\n")
            return std::stoi(entry.path().filename());
    throw std::runtime_error("no process is named " + name);
}

} // namespace

StoppedDaemon::StoppedDaemon() : process_(processNamed("daedalusd")) {
    ::kill(process_, SIGSTOP);
}

StoppedDaemon::~StoppedDaemon() {
    ::kill(process_, SIGCONT);
}

size_t dmaBufsOfTheMachine() {
    // A line for each, that ends with the number of its inode and its name; the last one has the sum: "Total 3
    // objects".
    const auto now = [] {
        const std::string text = read("/sys/kernel/debug/dma_buf/bufinfo");
        const size_t at = text.rfind("Total ");
        return at == std::string::npos ? 0 : std::stoul(text.substr(at + 6));
    };
    size_t last = now();
    for (int same = 0; same < 6;) {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        const size_t next = now();
        same = next == last ? same + 1 : 0;
        last = next;
    }
    return last;
}

BoardKnob::BoardKnob(const char* name, unsigned value)
    : path_(std::string("/sys/module/fakeboard/parameters/") + name) {
    write(path_, std::to_string(value));
}

BoardKnob::~BoardKnob() {
    write(path_, "0");
}

void clearBoardLog() {
    write("/sys/kernel/debug/fakeboard/log", "anew");
}

std::string boardLog() {
    return read("/sys/kernel/debug/fakeboard/log");
}

std::shared_ptr<Recording> recorded(const std::string& name) {
    const std::string path = setting("VA_SUITE_RECORDINGS") + "/" + name + ".rec";
    return std::filesystem::exists(path) ? std::make_shared<Recording>(path) : nullptr;
}

void learn(const Display& display, Recording& recording) {
    Player player(display, recording);
    player.play(recording.pictureCount);
    std::set<uint32_t> seen;
    for (size_t frame = 0; frame < recording.frameCount(); frame++) {
        const Bytes pixels = readSurface(display, player.surface(frame), recording.width, recording.height);
        recording.expected.insert(recording.expected.end(), pixels.begin(), pixels.end());
        seen.insert(crc32(pixels.data(), pixels.size()));
    }
    std::istringstream software(read(recording.path.substr(0, recording.path.size() - 3) + "crc"));
    unsigned width = 0, height = 0;
    software >> width >> height >> std::hex;
    for (uint32_t crc; software >> crc;)
        if (!seen.count(crc))
            throw std::runtime_error("a frame that software has does not come out of " + recording.path);
}

} // namespace va_suite
