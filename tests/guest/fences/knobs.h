// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>

namespace fences {

// How a device is made slow, or wrong. Each is for the next job.
class Knobs {
public:
    virtual ~Knobs() = default;
    virtual void normal() = 0;
    virtual void slow(int ms) = 0;
    virtual bool hang() { return false; } // false: this device cannot
    virtual bool fail() { return false; }
    virtual bool unbinds() const { return false; }

    static std::unique_ptr<Knobs> of(const std::string& driver);
};

} // namespace fences
