// SPDX-License-Identifier: MIT
#include "knobs.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "system.h"

namespace fences {

namespace {

void setParameter(const std::string& module, const std::string& name, int value) {
    const std::string path = "/sys/module/" + module + "/parameters/" + name;
    check(writeFile(path, std::to_string(value)), "cannot write " + path);
}

class Visl : public Knobs {
public:
    void normal() override { slow(0); }
    void slow(int ms) override { setParameter("visl", "visl_transtime_ms", ms); }
    bool unbinds() const override { return true; }
};

class Fakeboard : public Knobs {
public:
    void normal() override {
        for (const char* name : {"delay_ms", "hang_every", "fail_every"})
            setParameter("fakeboard", name, 0);
    }
    void slow(int ms) override { setParameter("fakeboard", "delay_ms", ms); }
    bool hang() override {
        setParameter("fakeboard", "hang_every", 1);
        return true;
    }
    bool fail() override {
        setParameter("fakeboard", "fail_every", 1);
        return true;
    }
};

// The daemon decodes: what stops it stops the job.
class Daedalus : public Knobs {
public:
    ~Daedalus() override { finish(); }
    void normal() override {
        finish();
        setParameter("daedalus_v4l2", "timeout_ms", 2000);
    }
    void slow(int ms) override {
        finish();
        const pid_t daemon = find();
        ::kill(daemon, SIGSTOP);
        thread_ = std::thread([daemon, ms] {
            sleepMs(ms);
            ::kill(daemon, SIGCONT);
        });
    }
    bool hang() override {
        slow(4000);
        return true;
    }
    bool unbinds() const override { return true; }

private:
    void finish() {
        if (thread_.joinable())
            thread_.join();
    }
    static pid_t find() {
        for (const auto& entry : std::filesystem::directory_iterator("/proc"))
            if (readLine(entry.path().string() + "/comm") == "daedalusd")
                return static_cast<pid_t>(std::atoi(entry.path().filename().c_str()));
        throw Failure("there is no daedalusd");
    }

    std::thread thread_;
};

} // namespace

std::unique_ptr<Knobs> Knobs::of(const std::string& driver) {
    if (driver == "visl")
        return std::make_unique<Visl>();
    if (driver == "daedalus")
        return std::make_unique<Daedalus>();
    return std::make_unique<Fakeboard>();
}

} // namespace fences
