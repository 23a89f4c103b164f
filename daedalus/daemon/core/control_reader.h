// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "core/job.h"

namespace daedalus {

/// Reads the controls of a job one after the other and keeps the first error, so that a codec can name all that it
/// needs and look once.
class ControlReader {
public:
    explicit ControlReader(const Job& job) : job_(job) {}

    /// Into `value`, which stays as it is if the control is missing or too short.
    template <typename T>
    void required(uint32_t id, const char* name, T& value) {
        auto control = job_.control<T>(id, name);
        if (control)
            value = *control;
        else if (result_)
            result_ = tl::unexpected(std::move(control.error()));
    }

    /// The control if the job has it. A bad one is an error all the same.
    template <typename T>
    bool optional(uint32_t id, const char* name, T& value) {
        if (!job_.has(id))
            return false;
        required(id, name, value);
        return true;
    }

    /// The elements of a dynamic array; none where the job lacks it.
    template <typename T>
    std::vector<T> elements(uint32_t id) const {
        const Control* found = job_.find(id);
        std::vector<T> values(found ? found->payload.size() / sizeof(T) : 0);
        if (!values.empty())
            std::memcpy(values.data(), found->payload.data(), values.size() * sizeof(T));
        return values;
    }

    const Result<void>& result() const { return result_; }

private:
    const Job& job_;
    Result<void> result_;
};

} // namespace daedalus
