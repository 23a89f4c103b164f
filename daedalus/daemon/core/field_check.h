// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

#include "core/result.h"

namespace daedalus {

/// A field of a control and what the slice header says.
struct FieldPair {
    const char* field;
    int64_t control, stream;
    bool matters = true; ///< false: the header leaves it open
};

inline Result<void> compareFields(const char* control, std::span<const FieldPair> pairs) {
    for (const FieldPair& pair : pairs) {
        if (pair.matters && pair.control != pair.stream)
            return fail(EINVAL, "%s.%s is %lld, the slice header says %lld", control, pair.field,
                        static_cast<long long>(pair.control), static_cast<long long>(pair.stream));
    }
    return {};
}

/// Compares the fields of a control with what the payload says, and keeps the first that differs.
class FieldCheck {
public:
    explicit FieldCheck(const char* control) : control_(control) {}

    template <typename T>
    void field(const char* name, const T& has, const T& expected) {
        compare(name, has, expected);
    }

    /// Nothing, or an error that names the field.
    Result<void> result() const {
        if (difference_.empty())
            return {};
        return fail(EINVAL, "%s.%s", control_, difference_.c_str());
    }

private:
    template <typename T>
    void compare(const std::string& name, const T& has, const T& expected) {
        if constexpr (std::is_array_v<T>) {
            for (size_t i = 0; i < std::extent_v<T>; ++i)
                compare(name + '[' + std::to_string(i) + ']', has[i], expected[i]);
        } else if (has != expected && difference_.empty()) {
            difference_ = name + " is " + std::to_string(has) + ", the payload says " + std::to_string(expected);
        }
    }

    const char* control_;
    std::string difference_;
};

} // namespace daedalus
