// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace v4l2_request::record {

// One field of a control, as the compiler lays it out. A flags member has one for each flag; an array one for each of
// its rows, so that of [6][64] there are six.
struct ControlField {
    enum class Kind { Value, Flag, Reserved };
    const char* codec;
    const char* control;
    uint32_t id;       // of the control
    size_t structSize; // of one element of the control, bytes
    std::string name;  // CONTROL.member
    size_t offset;     // within the element
    size_t size;       // of a number
    size_t count;      // of numbers; 1 if it is no array
    bool isSigned;
    Kind kind;
    uint64_t mask;      // of a flag: its bit
    size_t repeats = 1; // structs that follow one another, of which this is the first: "[0]" in its name
    size_t stride = 0;  // from one to the next, bytes
};

// All fields of all controls of stateless decoders that the kernel headers know, in the order of the structs. Every
// byte of a struct belongs to one field: a struct of which one is not described is an exception (std::logic_error).
std::vector<ControlField> controlFields();

} // namespace v4l2_request::record
